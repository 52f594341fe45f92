"""File objects as targets."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from czictypes.writing.atomic import AtomicFile
from czictypes.writing.targets import FileObject, open_target
from czictypes.writing.writer import create_czi


class Upload(io.RawIOBase):
    """A file object that cannot seek, and takes a few bytes at a time."""

    def __init__(self) -> None:
        super().__init__()
        self.taken = b""

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self.taken += bytes(data[:1000])
        return min(len(data), 1000)


def write(file: Any, *pieces: tuple[int, bytes]) -> FileObject:
    target = FileObject(file)
    for offset, data in pieces:
        target.write_at(offset, memoryview(data))
    return target


def test_a_path_and_a_file_object_are_told_apart(tmp_path: Path) -> None:
    for path in (tmp_path / "a", str(tmp_path / "b"), os.fsencode(tmp_path / "c")):
        target = open_target(path, overwrite=False)
        assert isinstance(target, AtomicFile)
        target.abort()
    assert isinstance(open_target(io.BytesIO(), overwrite=False), FileObject)


@pytest.mark.parametrize("there", [False, True])
def test_only_a_file_that_replaces_another_is_synced_before_it_gets_its_name(
    tmp_path: Path, there: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    if there:
        path.write_bytes(b"old")
    synced = []
    monkeypatch.setattr(os, "fsync", lambda _: synced.append(path.exists() and path.read_bytes()))
    target = AtomicFile(path, overwrite=True)
    target.write_at(0, memoryview(b"new"))
    target.commit()
    assert path.read_bytes() == b"new"
    assert synced == ([b"old", b"new"] if there else [])  # the file, then its folder


def test_a_file_object_that_seeks_gets_the_bytes_and_stays_open() -> None:
    file = io.BytesIO()
    write(file, (4, b"efgh"), (0, b"abcd")).commit()
    assert file.getvalue() == b"abcdefgh"


def test_a_file_object_may_hold_on_to_the_pieces() -> None:
    class Holder(io.BytesIO):
        def __init__(self) -> None:
            super().__init__()
            self.pieces: list[Any] = []

        def write(self, data: Any) -> int:
            self.pieces.append((self.tell(), data))
            return super().write(data)

    holder = Holder()
    pixels = np.arange(1000 * 1000, dtype=np.uint16).reshape(1000, 1000)
    with create_czi(holder) as document:
        document.write(pixels)
        pixels[:] = 0
    again = bytearray(len(holder.getvalue()))
    for offset, data in holder.pieces:
        again[offset : offset + len(data)] = data
    assert again == holder.getvalue()


def test_what_the_file_object_held_before_is_gone() -> None:
    file = io.BytesIO(b"x" * 100)
    write(file, (0, b"short")).commit()
    assert file.getvalue() == b"short"


def test_abort_empties_a_file_object_that_seeks() -> None:
    file = io.BytesIO()
    target = write(file, (0, b"half"))
    target.abort()
    assert file.getvalue() == b""


def test_abort_after_commit_changes_nothing() -> None:
    file = io.BytesIO()
    target = write(file, (0, b"done"))
    target.commit()
    target.abort()
    assert file.getvalue() == b"done"


def test_one_that_cannot_seek_gets_everything_at_commit() -> None:
    file = Upload()
    target = write(file, (4000, b"b" * 4000), (0, b"a" * 4000))
    assert file.taken == b""
    target.commit()
    assert file.taken == b"a" * 4000 + b"b" * 4000
    file.close()


def test_one_that_cannot_seek_gets_nothing_after_an_abort() -> None:
    file = Upload()
    write(file, (0, b"half")).abort()
    assert file.taken == b""
    file.close()


def test_a_file_object_must_stand_at_its_start() -> None:
    file = io.BytesIO()
    file.write(b"before")
    with pytest.raises(ValueError, match="stands at byte 6"):
        FileObject(file)


def test_what_cannot_be_written_to_is_refused(tmp_path: Path) -> None:
    (tmp_path / "read").write_bytes(b"")
    with (tmp_path / "read").open("rb") as file, pytest.raises(ValueError, match="not opened for"):
        FileObject(file)
    with pytest.raises(TypeError, match="in binary"):
        FileObject(io.StringIO())
    with pytest.raises(TypeError, match="in binary"):
        FileObject(7)


def test_a_file_object_that_takes_nothing_is_an_error() -> None:
    class Full(io.BytesIO):
        def write(self, data: Any) -> int:
            return 0

    with pytest.raises(OSError, match="took no more"):
        write(Full(), (0, b"x"))
