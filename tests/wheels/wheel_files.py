"""Finds the wheels that the tests of this folder try."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

__all__ = ["find_wheel"]

_WHEELS = "CZICTYPES_TEST_WHEELS"


def find_wheel(target: str) -> Path:
    """Return the wheel for a target; skip the test if there is none."""
    from native.targets import find_target

    folder = os.environ.get(_WHEELS)
    if not folder:
        pytest.skip(f"{_WHEELS} names no folder of wheels: `tox -e wheels` makes them")
    found = sorted(Path(folder).glob(f"*-{find_target(target).tag}.whl"))
    if not found:
        pytest.skip(f"no wheel for {target} in the folder of {_WHEELS}")
    return found[-1]
