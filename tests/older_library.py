"""A second, older build of libCZI, to test what czictypes does with one.

It is built by the project's own build_native.py from an older source distribution, which takes a
minute, and kept in the cache folder; later runs only find that it is up to date. A conftest.py that
wants the fixture imports it: ``from older_library import older_library as older_library``.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

__all__ = ["OLDER_VERSION", "ROOT", "built_library", "older_library"]

ROOT = Path(__file__).resolve().parent.parent
OLDER_VERSION = "0.67.1"

# What a machine may rightly lack; everything else is a failure.
_LACKING = ("No C++ compiler found", "The build needs", "reaches no package index")


@pytest.fixture(scope="session")
def older_library() -> Path:
    """The path of a shared library with libCZI 0.67.1."""
    return built_library(OLDER_VERSION)


def built_library(version: str) -> Path:
    """Return the path of a library with libCZI `version`, built now unless the cache has it."""
    if str(ROOT) not in sys.path:
        sys.path.append(str(ROOT))
    from native.cache import cache_folder
    from native.compiling import LIBCZI

    output = cache_folder() / "libraries" / version
    command = [sys.executable, str(ROOT / "build_native.py"), "--only", "libczi"]
    done = subprocess.run(
        [*command, "--libczi", version, "--output", str(output)],
        # without what native/sanitized.py loads into every program: a compiler is slow with it
        env={name: value for name, value in os.environ.items() if name != "LD_PRELOAD"},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    if done.returncode:
        if any(words in done.stderr for words in _LACKING):
            pytest.skip(f"libCZI {version} cannot be built here: {done.stderr.strip()}")
        pytest.fail(f"build_native.py --libczi {version} failed:\n{done.stdout}{done.stderr}")
    return output / LIBCZI.library()
