"""The real microscope files, which are no part of the project."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

__all__ = ["data_folder", "find_real_file", "real_file_names"]

_VARIABLE = "CZICTYPES_TEST_DATA"
_BESIDE = Path(__file__).resolve().parents[2] / "shared" / "data"


def data_folder() -> Path | None:
    """Return the folder of the real files, or None where there is none."""
    folder = Path(os.environ.get(_VARIABLE) or _BESIDE)
    return folder if folder.is_dir() else None


def real_file_names() -> list[str]:
    """Return the names of all real files there are."""
    folder = data_folder()
    return [] if folder is None else sorted(path.name for path in folder.glob("*.czi"))


def find_real_file(name: str) -> Path:
    """Return the path of a real file; skip the test where it is missing."""
    folder = data_folder()
    if folder is None:
        named = os.environ.get(_VARIABLE)
        where = f"it names {named!r}, which is no folder" if named else "it is not set"
        pytest.skip(f"real CZI files are missing: {_VARIABLE} names their folder, but {where}")
    path = folder / name
    if not path.is_file():
        pytest.skip(f"the real file {name} is not in the folder of {_VARIABLE}")
    return path
