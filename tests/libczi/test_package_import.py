"""What ``import czictypes`` does, and what it does not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

import czictypes
from czictypes import czi

PACKAGE = Path(czictypes.__file__).parent
ROOT = Path(__file__).resolve().parents[2]  # the package may be an installed one


def modules_after(code: str) -> set[str]:
    """Run code in a fresh interpreter and return the names of its modules."""
    script = f"{code}\nimport json, sys\nprint(json.dumps(sorted(sys.modules)))"
    environment = {**os.environ, "PYTHONPATH": str(PACKAGE.parent)}
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, env=environment
    )
    return set(json.loads(done.stdout))


def test_it_loads_no_other_package_and_no_library() -> None:
    loaded = modules_after("import czictypes")
    assert {name for name in loaded if name.startswith("czictypes")} == {"czictypes"}
    assert not loaded & {"numpy", "cffi", "xmltodict", "zstandard", "dask", "xarray"}


def test_errors_are_there_without_numpy() -> None:
    loaded = modules_after("import czictypes; czictypes.errors.CziError")
    assert "czictypes.model.errors" in loaded
    assert not loaded & {"numpy", "czictypes.libczi.library"}


def test_use_library_is_there_without_numpy() -> None:
    assert "numpy" not in modules_after("from czictypes import use_library, library_info")


def test_the_facade_loads_only_what_is_asked_for() -> None:
    loaded = modules_after("from czictypes import czi; czi.CacheOptions()")
    assert not loaded & {"numpy", "xmltodict", "zstandard", "czictypes.reading.reader"}
    loaded = modules_after("from czictypes import czi; czi.open_czi")
    assert "czictypes.reading.reader" in loaded
    assert not any(name.startswith("czictypes.writing") for name in loaded)


def test_every_name_of_the_facade_is_there() -> None:
    assert set(czi.__all__) <= set(dir(czi))
    for name in czi.__all__:
        assert getattr(czi, name).__name__ == name


def test_every_public_name_is_there() -> None:
    for name in set(czictypes.__all__) - {"czi"}:
        assert getattr(czictypes, name) is not None
    assert set(czictypes.__all__) <= set(dir(czictypes))


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'spam'"):
        czictypes.spam  # noqa: B018


def test_the_version_is_the_packages() -> None:
    try:
        version = metadata.version("czictypes")
    except metadata.PackageNotFoundError:
        pytest.skip("czictypes is not installed: python -m pip install .")
    if czictypes.__version__ == "0+unknown":
        pytest.skip("a checkout in which nothing was built is tested, beside what is installed")
    assert version == czictypes.__version__


def test_it_is_marked_as_typed() -> None:
    assert (PACKAGE / "py.typed").is_file()
