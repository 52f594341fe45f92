"""Tests that need an optional package are skipped where it is missing, and say so.

With CZICTYPES_TEST_REQUIRE_PEERS set they fail: there everything is to be tested.
"""

from __future__ import annotations

import importlib
import os
from typing import Any

import pytest

__all__ = ["needs"]

_REQUIRED = "CZICTYPES_TEST_REQUIRE_PEERS"


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
        reason = f"{module} is missing: pip install {package}"
        if os.environ.get(_REQUIRED):
            pytest.fail(f"{_REQUIRED} is set, but: {reason} ({error})", pytrace=False)
        pytest.skip(reason, allow_module_level=True)
