"""Makes the modules of the native build importable; they are not part of the installed package."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from older_library import older_library as older_library

ROOT = Path(__file__).resolve().parents[2]

# At the end: what is installed goes before what lies in the checkout.
if str(ROOT) not in sys.path:
    sys.path.append(str(ROOT))


@pytest.fixture
def root() -> Path:
    """The checkout, with build_native.py in it."""
    return ROOT


@pytest.fixture
def header(root: Path) -> Path:
    """The header with the declarations of the C API."""
    return root / "native" / "libczi_c_api" / "libczi_c_api.h"


@pytest.fixture(scope="session")
def bundled_library() -> Path:
    """The path of the native library that belongs to the czictypes under test."""
    from native.compiling import LIBCZI

    return bundled(LIBCZI.library())


@pytest.fixture(scope="session")
def bundled_kernel() -> Path:
    """The path of the kernel that belongs to the czictypes under test."""
    from native.compiling import KERNEL

    return bundled(KERNEL.library())


def bundled(name: str) -> Path:
    import czictypes

    path = Path(czictypes.__file__).parent / "_native" / name
    if not path.is_file():
        pytest.skip(f"no bundled library at {path}: run `python build_native.py`")
    return path
