"""The real microscope files, which are no part of the project."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

__all__ = ["data_folder", "find_real_file", "real_file_names"]

_VARIABLE = "CZICTYPES_TEST_DATA"
_BESIDE = Path(__file__).resolve().parents[2] / "shared" / "data"
_MISSING = "real CZI files are missing: name their folder in CZICTYPES_TEST_DATA"


def data_folder() -> Path | None:
    """Return the folder of the real files, or None; a folder named but missing is an error."""
    named = os.environ.get(_VARIABLE)
    if not named:
        return _BESIDE if _BESIDE.is_dir() else None
    if not Path(named).is_dir():
        raise pytest.UsageError(f"{_VARIABLE} names {named!r}, which is no folder")
    return Path(named)


def real_file_names() -> list[str]:
    """Return the names of all real files there are."""
    folder = data_folder()
    return [] if folder is None else sorted(path.name for path in folder.glob("*.czi"))


def find_real_file(name: str) -> Path:
    """Return the path of a real file; skip the test where it is missing."""
    folder = data_folder()
    if folder is None:
        pytest.skip(_MISSING)
    path = folder / name
    if not path.is_file():
        pytest.skip(f"the real file {name} is not in the folder of {_VARIABLE}")
    return path
