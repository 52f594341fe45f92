"""What goes into the packages; the wheel with the library is what the other tests run on."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

pytest.importorskip("hatchling", reason="packages are made by hatchling: pip install hatchling")


def make(root: Path, kind: str, folder: Path) -> Path:
    done = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", kind, "-d", str(folder)],
        cwd=str(root),
        env={**os.environ, "CZICTYPES_NO_NATIVE": "1"},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (made,) = folder.iterdir()
    return made


def test_the_pure_wheel_has_the_declarations_and_no_library(root: Path, tmp_path: Path) -> None:
    wheel = make(root, "wheel", tmp_path)
    assert wheel.name.endswith("-py3-none-any.whl")
    with zipfile.ZipFile(wheel) as zipped:
        names = zipped.namelist()
    assert "czictypes/abi/_declarations.py" in names
    assert "czictypes/py.typed" in names
    assert not [name for name in names if "_native" in name]
    assert not [name for name in names if name.split("/")[0] in ("native", "tests")]


def test_the_source_distribution_can_build_and_has_nothing_that_was_built(
    root: Path, tmp_path: Path
) -> None:
    with tarfile.open(make(root, "sdist", tmp_path)) as tar:
        names = {name.split("/", 1)[1] for name in tar.getnames() if "/" in name}
    for needed in (
        "build_native.py",
        "native/sources.toml",
        "native/hatch_build.py",
        "native/licenses/NOTICE.txt",
        "native/stand_in_backend/setuptools/build_meta.py",
        "native/libczi_c_api/CMakeLists.txt",
        "native/libczi_c_api/libczi_c_api.h",
        "LICENSE",
        "README.md",
    ):
        assert needed in names
    assert not [name for name in names if name.endswith((".so", ".dylib", ".dll"))]
    assert "czictypes/abi/_declarations.py" not in names
