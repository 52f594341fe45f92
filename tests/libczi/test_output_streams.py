"""Output streams: paths, Python objects, and what happens when those fail."""

from __future__ import annotations

import errno
import io
from pathlib import Path

import pytest

from czictypes.libczi.streams import InputStream
from czictypes.model.errors import CziError
from libczi.made import Memory, document, tile
from libczi.oracle import FullReader, file_output
from libczi.writer import OutputStream, WriterHandle


def count(path: Path) -> int:
    with FullReader.open(InputStream.from_path(path)) as reader:
        return reader.sub_block_count


def write(stream: OutputStream) -> None:
    with WriterHandle.create(stream) as writer:
        writer.add_sub_block(tile(0))


def test_a_local_file_of_libczis_own(tmp_path: Path) -> None:
    path = tmp_path / "Schöne 絵 😀.czi"
    path.write_bytes(bytes(99999))
    write(file_output(path))
    assert count(path) == 1


def test_a_python_object_gets_a_whole_document() -> None:
    with FullReader.open(InputStream.from_source(Memory(document()))) as reader:
        assert reader.sub_block_count == 2


def test_a_file_object_is_written() -> None:
    class ToFile:
        def write_at(self, offset: int, data: memoryview) -> None:
            file.seek(offset)
            file.write(data)

    with io.BytesIO() as file:
        write(OutputStream.from_sink(ToFile()))
        assert file.getvalue().startswith(b"ZISRAWFILE")


def test_a_full_disk_comes_out_as_it_is() -> None:
    sink = Memory()
    full = OSError(errno.ENOSPC, "No space left on device")
    writer = WriterHandle.create(OutputStream.from_sink(sink))
    writer.add_sub_block(tile(0))
    sink.write_error = full
    with pytest.raises(OSError, match="No space left") as caught:
        writer.add_sub_block(tile(1))
    assert caught.value is full
    sink.write_error = None
    with pytest.raises(CziError, match="left incomplete") as refused:
        writer.close()
    assert refused.value.__cause__ is full


def test_a_disk_that_is_full_at_the_end_comes_out_of_close() -> None:
    sink = Memory()
    writer = WriterHandle.create(OutputStream.from_sink(sink))
    writer.add_sub_block(tile(0))
    sink.write_error = OSError(errno.ENOSPC, "No space left on device")
    with pytest.raises(OSError, match="No space left"):
        writer.close()
    assert writer.closed


def test_a_sink_that_fails_at_once() -> None:
    sink = Memory()
    sink.write_error = OSError(errno.EIO, "gone")
    with pytest.raises(OSError, match="gone"):
        WriterHandle.create(OutputStream.from_sink(sink))


def test_what_a_sink_keeps_is_dead_after_the_call() -> None:
    kept: list[memoryview] = []

    class Keeping(Memory):
        def write_at(self, offset: int, data: memoryview) -> None:
            super().write_at(offset, data)
            kept.append(data)

    write(OutputStream.from_sink(Keeping()))
    for view in kept:
        with pytest.raises(ValueError, match="released"):
            view.tobytes()


def test_a_sink_cannot_change_what_is_written() -> None:
    class Scribbling(Memory):
        def write_at(self, offset: int, data: memoryview) -> None:
            data[0] = 1

    with pytest.raises(TypeError, match=r"read-only|readonly|modify"):
        WriterHandle.create(OutputStream.from_sink(Scribbling()))
