"""Tests that need an optional package are skipped where it is missing, and say so.

With CZICTYPES_TEST_REQUIRE_PEERS set they fail: there everything is to be tested. A test is skipped
even then where the system lacks a library that pip cannot install, and fails with
CZICTYPES_TEST_REQUIRE_SYSTEM set.
"""

from __future__ import annotations

import ctypes.util
import importlib
import os
import sys
from typing import Any, NoReturn

import pytest

__all__ = ["needs", "needs_napari"]

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
    """Return a module of napari; skip the test where the system lacks what it loads for its text.

    Parameters
    ----------
    module
        Its name, such as ``"napari.layers"``.
    """
    needs("napari")
    if sys.platform == "linux" and ctypes.util.find_library("fontconfig") is None:
        _miss("napari needs fontconfig of the system: apt install libfontconfig1", _SYSTEM_REQUIRED)
    return needs(module)


def _miss(reason: str, variable: str, error: str = "") -> NoReturn:
    """Skip the test, or fail it where `variable` is set in the environment."""
    if os.environ.get(variable):
        pytest.fail(f"{variable} is set, but: {reason}{error}", pytrace=False)
    pytest.skip(reason, allow_module_level=True)
