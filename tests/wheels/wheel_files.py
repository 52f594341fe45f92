"""Finds the wheels that the tests of this folder try, and runs programs."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

__all__ = ["RECIPES", "find_wheel", "output_of"]

#: The made files that are read besides the real ones.
RECIPES = ("jpegxr", "multi_scene_pyramid", "overlapping", "overlapping_scenes")

_WHEELS = "CZICTYPES_TEST_WHEELS"
_LONGEST = 1200  # seconds; the first compilation for a platform may include its C++ library


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


def output_of(command: list[str], environment: Mapping[str, str]) -> str:
    """Run a program, which must succeed, and return what it prints."""
    done = subprocess.run(
        command,
        env=environment,
        input="",  # a pipe: under wine, Python refuses other standard streams
        capture_output=True,
        encoding="utf-8",
        timeout=_LONGEST,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
