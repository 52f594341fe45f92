"""A loader that has loaded nothing yet, and candidates that a test decides on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from czictypes.abi import library as loading
from czictypes.abi import locate
from czictypes.abi.library import Library, get_library


@pytest.fixture
def real_library() -> Library:
    """The library that all other tests use."""
    return get_library()


@pytest.fixture
def nothing_loaded(real_library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    """Start as a fresh process does, without the environment variable."""
    monkeypatch.setattr(loading, "_state", loading._State())
    monkeypatch.delenv(locate.ENVIRONMENT_VARIABLE, raising=False)


@pytest.fixture
def installed(
    nothing_loaded: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Callable[..., Path]:
    """Put files where the bundled library is looked for, and nothing where the system's is."""
    folder = tmp_path / "_native"
    folder.mkdir()
    monkeypatch.setattr(locate, "_BUNDLED", folder)
    monkeypatch.setattr(locate, "library_names", lambda: ("libNoSuchThing.so",))
    monkeypatch.setattr(locate, "_registered_names", lambda: iter(()))

    def install(content: bytes) -> Path:
        path = folder / "libNoSuchThing.so"
        path.write_bytes(content)
        return path

    return install
