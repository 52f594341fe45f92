"""Each system call of a write fails in turn: the old file or the new one, and nothing else.

The whole of it, which takes minutes, is ``CZICTYPES_TEST_EVERY_FAULT=1 pytest faults``.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from extras import needs

import czictypes
from faults.fault_target import OPERATIONS

_HERE = Path(__file__).parent
_COMPILER = shutil.which("g++") or shutil.which("c++")

pytestmark = [
    pytest.mark.skipif(
        sys.platform != "linux" or sys.implementation.name != "cpython" or _COMPILER is None,
        reason="stands between CPython and the C library of Linux; needs a C++ compiler",
    ),
]


@pytest.fixture(scope="module")
def shim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Compile the library that lets system calls fail."""
    assert _COMPILER is not None
    library = tmp_path_factory.mktemp("shim") / "shim.so"
    flags = ["-std=c++17", "-O1", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC"]
    command = [_COMPILER, *flags, "-o", str(library), str(_HERE / "shim.cpp"), "-ldl"]
    subprocess.run(command, check=True)
    return library


def tried(operation: str, every: int, shim: Path, folder: Path) -> dict[str, Any]:
    """Run the target; return its last line, after those that tell what is wrong."""
    if operation in ("tiff", "png", "to czi"):
        needs("PIL.Image", "cli")
        needs("tifffile", "ome-tiff")
    environment = {**os.environ, "LD_PRELOAD": str(shim)}
    environment["PYTHONPATH"] = os.pathsep.join(
        [str(Path(czictypes.__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
    )
    command = [sys.executable, str(_HERE / "fault_target.py"), str(folder), operation, str(every)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    *wrong, whole = map(json.loads, done.stdout.splitlines())
    assert not wrong, "\n".join(f"call {one['call']} {one['way']}: {one['wrong']}" for one in wrong)
    assert not whole["wrong"], whole["wrong"]
    return dict(whole)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_failing_call_leaves_the_old_file_or_the_new_and_names_it(
    operation: str, shim: Path, tmp_path: Path
) -> None:
    every = 1 if os.environ.get("CZICTYPES_TEST_EVERY_FAULT") else 3
    whole = tried(operation, every, shim, tmp_path)
    assert whole["calls"] >= 5
    assert whole["failures"] >= 2


@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_loss_of_power_leaves_the_old_file_or_the_new(
    operation: str, shim: Path, tmp_path: Path
) -> None:
    whole = tried(operation, 0, shim, tmp_path)
    assert whole["calls"] >= 4
    assert whole["states"] == [1, 2]
