"""What the tests of libCZI's handles share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from czictypes.libczi import library as loading
from czictypes.libczi.library import Library, get_library
from czictypes.libczi.streams import InputStream
from libczi.made import Memory, document
from libczi.oracle import FullReader


@pytest.fixture
def library() -> Library:
    """The library in use."""
    return get_library()


@pytest.fixture
def without(library: Library, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Take a function away from the library, as older versions lack it."""

    def take_away(name: str) -> None:
        monkeypatch.delitem(library._functions, name)

    return take_away


@pytest.fixture
def calls(library: Library, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the C functions that are called during a test."""
    names: list[str] = []
    call, call_once = library.call, library.call_once

    def recorded(name: str, *args: Any, **about: str) -> None:
        names.append(name)
        call(name, *args, **about)

    def recorded_once(name: str, handles: dict[str, int], *, what: str) -> None:
        names.extend([name] * len(handles))
        call_once(name, handles, what=what)

    monkeypatch.setattr(library, "call", recorded)
    monkeypatch.setattr(library, "call_once", recorded_once)
    return names


@pytest.fixture
def source() -> Memory:
    """A document of two channels in memory."""
    return Memory(document())


@pytest.fixture
def reader(source: Memory) -> Iterator[FullReader]:
    """A reader of `source`."""
    with FullReader.open(InputStream.from_source(source)) as opened:
        yield opened


@pytest.fixture
def czi_path(tmp_path: Path) -> Path:
    """A document of two channels on disk, under a name beyond ASCII."""
    path = tmp_path / "Zellen 細胞 😀.czi"
    path.write_bytes(document())
    return path


@pytest.fixture
def real_library() -> Library:
    """The library that all other tests use."""
    return get_library()


@pytest.fixture
def nothing_loaded(real_library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    """Start as a fresh process does, without the environment variable."""
    monkeypatch.setattr(loading, "_state", loading._State())
    monkeypatch.delenv(loading.ENVIRONMENT_VARIABLE, raising=False)


@pytest.fixture
def installed(
    nothing_loaded: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Callable[..., Path]:
    """Put files where the bundled library is looked for, and nothing where the system's is."""
    folder = tmp_path / "_native"
    folder.mkdir()
    monkeypatch.setattr(loading, "_BUNDLED", folder)
    monkeypatch.setattr(loading, "library_names", lambda: ("libNoSuchThing.so",))
    monkeypatch.setattr(loading, "_registered_names", lambda: iter(()))

    def install(content: bytes) -> Path:
        path = folder / "libNoSuchThing.so"
        path.write_bytes(content)
        return path

    return install
