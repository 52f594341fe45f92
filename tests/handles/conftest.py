"""What the tests of handles share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from czictypes.abi.library import Library, get_library
from czictypes.handles.reader import ReaderHandle
from czictypes.handles.streams import InputStream
from handles.made import Memory, document


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
def reader(source: Memory) -> Iterator[ReaderHandle]:
    """A reader of `source`."""
    with ReaderHandle.open(InputStream.from_source(source)) as opened:
        yield opened


@pytest.fixture
def czi_path(tmp_path: Path) -> Path:
    """A document of two channels on disk, under a name beyond ASCII."""
    path = tmp_path / "Zellen 細胞 😀.czi"
    path.write_bytes(document())
    return path
