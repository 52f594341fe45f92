"""Tests that need an optional package are skipped where it is missing, and say so.

With CZICTYPES_TEST_REQUIRE_PEERS set they fail: there everything is to be tested. A test is skipped
even then where the system lacks a library that pip cannot install, and fails with
CZICTYPES_TEST_REQUIRE_SYSTEM set.
"""

from __future__ import annotations

import importlib
import os
import sys
from typing import Any, NoReturn

import pytest

__all__ = [
    "HAS_GLOBAL_LOCK",
    "frees_at_once",
    "miss_system",
    "needs",
    "needs_napari",
    "replaces_open_files",
]

#: For tests that replace, rename or remove a file while it is open.
replaces_open_files = pytest.mark.skipif(
    sys.platform == "win32", reason="Windows replaces and removes no file that is open"
)

HAS_GLOBAL_LOCK: bool = getattr(sys, "_is_gil_enabled", lambda: True)()

#: For tests that measure how much memory is used at a time.
frees_at_once = pytest.mark.skipif(
    not HAS_GLOBAL_LOCK,
    reason="without the global lock, CPython frees what a thread made when that thread goes on",
)

_REQUIRED = "CZICTYPES_TEST_REQUIRE_PEERS"
_SYSTEM_REQUIRED = "CZICTYPES_TEST_REQUIRE_SYSTEM"


def needs(module: str, extra: str | None = None) -> Any:
    """Return a module; skip the test (or the test module) where it is missing.

    Parameters
    ----------
    module
        Its name, such as ``"dask.array"``.
    extra
        The extra of czictypes that brings it, or None where the package is named as the module.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        package = module.partition(".")[0] if extra is None else f"'czictypes[{extra}]'"
        _miss(f"{module} is missing: pip install {package}", _REQUIRED, f" ({error})")


def needs_napari(module: str) -> Any:
    """Return a module of napari; skip the test where the system lacks what napari loads.

    Parameters
    ----------
    module
        Its name, such as ``"napari.layers"``.
    """
    needs("napari")
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError:
        raise
    except (ImportError, OSError) as error:  # as vispy raises where fontconfig or OpenGL is missing
        libraries = "apt install libfontconfig1 libgles2"
        miss_system(f"the system lacks what napari loads ({error}): {libraries}")


def miss_system(reason: str) -> NoReturn:
    """Skip a test for what the system lacks, or fail it where that is required."""
    _miss(reason, _SYSTEM_REQUIRED)


def _miss(reason: str, variable: str, error: str = "") -> NoReturn:
    """Skip the test, or fail it where `variable` is set in the environment."""
    if os.environ.get(variable):
        pytest.fail(f"{variable} is set, but: {reason}{error}", pytrace=False)
    pytest.skip(reason, allow_module_level=True)
