"""Input streams: paths, Python objects, and what happens when those fail."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from czictypes.libczi import streams as streams_module
from czictypes.libczi.library import Library
from czictypes.libczi.streams import Callbacks, InputStream
from czictypes.model.errors import ClosedError, NativeCallError
from libczi.made import Memory, document, gray
from libczi.oracle import FullReader, class_stream


def first_tile(reader: FullReader) -> bytes:
    with reader.read_sub_block(0) as sub_block:
        return sub_block.raw_data()


def test_a_path_beyond_ascii(czi_path: Path) -> None:
    with FullReader.open(InputStream.from_path(czi_path)) as reader:
        assert first_tile(reader) == gray(0).tobytes()
        assert reader.name == str(czi_path)


def test_a_path_may_be_bytes(czi_path: Path) -> None:
    with FullReader.open(InputStream.from_path(os.fsencode(czi_path))) as reader:
        assert reader.sub_block_count == 2


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has names that are no text")
def test_a_path_that_is_no_text(tmp_path: Path) -> None:
    path = os.path.join(os.fsencode(tmp_path), b"\xff\xfe.czi")  # noqa: PTH118
    with open(path, "wb") as file:  # noqa: PTH123
        file.write(document())
    with FullReader.open(InputStream.from_path(path)) as reader:
        assert reader.sub_block_count == 2


@pytest.mark.parametrize("path", ["", "a\0b"])
def test_what_is_no_path(path: str) -> None:
    with pytest.raises(ValueError, match="no path of a file"):
        InputStream.from_path(path)


@pytest.mark.parametrize("content", [b"", b"not a CZI" * 100, document()[:700]])
def test_what_is_no_czi(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "bad.czi"
    path.write_bytes(content)
    with pytest.raises(NativeCallError, match=r"cannot open the document of .*bad\.czi") as caught:
        FullReader.open(InputStream.from_path(path))
    assert caught.value.__cause__ is None


def test_a_stream_class_of_libczi(czi_path: Path) -> None:
    stream = class_stream("c_runtime_file_inputstream", str(czi_path))
    with FullReader.open(stream) as reader:
        assert first_tile(reader) == gray(0).tobytes()


@pytest.mark.parametrize(
    ("name", "properties"), [("no_such_class", None), ("c_runtime_file_inputstream", {"spam": 1})]
)
def test_what_a_stream_class_refuses(
    czi_path: Path, name: str, properties: dict[str, object] | None
) -> None:
    with pytest.raises(NativeCallError, match="an argument was refused"):
        class_stream(name, str(czi_path), properties)


def test_a_python_object_is_read(reader: FullReader) -> None:
    assert reader.name == "in memory"
    assert first_tile(reader) == gray(0).tobytes()


def test_a_file_object_is_read(czi_path: Path) -> None:
    class FromFile:
        name = "file object"

        def read_at(self, offset: int, count: int) -> bytes:
            file.seek(offset)
            return file.read(count)

    with io.BytesIO(czi_path.read_bytes()) as file:
        with FullReader.open(InputStream.from_source(FromFile())) as reader:
            assert first_tile(reader) == gray(0).tobytes()
        assert not file.closed


def test_much_is_read_in_pieces(
    reader: FullReader, source: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    monkeypatch.setattr(streams_module, "_CHUNK", 7)
    read_at = source.read_at
    monkeypatch.setattr(source, "read_at", lambda at, n: (asked.append(n), read_at(at, n))[1])
    assert first_tile(reader) == gray(0).tobytes()
    assert max(asked) == 7


def test_an_error_while_opening_is_the_cause(source: Memory) -> None:
    source.read_error = ConnectionResetError("the server went away")
    with pytest.raises(NativeCallError, match="cannot open the document of in memory") as caught:
        FullReader.open(InputStream.from_source(source))
    assert caught.value.__cause__ is source.read_error


def test_an_error_while_reading_is_the_cause_of_that_call_only(
    reader: FullReader, source: Memory
) -> None:
    source.read_error = TimeoutError("too slow")
    with pytest.raises(NativeCallError, match="cannot read sub-block 0 of in memory") as caught:
        reader.read_sub_block(0)
    assert caught.value.__cause__ is source.read_error
    source.read_error = None
    assert first_tile(reader) == gray(0).tobytes()
    del source.content[100:]
    with pytest.raises(NativeCallError) as caught:
        reader.read_sub_block(0)
    assert caught.value.__cause__ is None


def test_an_interrupt_comes_out_as_it_is(reader: FullReader, source: Memory) -> None:
    source.read_error = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        reader.read_sub_block(0)


def test_an_error_is_reported_without_the_function_for_its_text(
    reader: FullReader, source: Memory, without: Callable[[str], None]
) -> None:
    without("libCZI_AllocateMemory")
    source.read_error = TimeoutError("too slow")
    with pytest.raises(NativeCallError) as caught:
        reader.read_sub_block(0)
    assert caught.value.__cause__ is source.read_error


def test_a_source_must_not_give_more_than_asked(
    reader: FullReader, source: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source, "read_at", lambda _, count: bytes(count + 1))
    with pytest.raises(NativeCallError) as caught:
        reader.read_sub_block(0)
    assert "asked for" in str(caught.value.__cause__)


def test_a_source_may_use_libczi_itself(reader: FullReader) -> None:
    failures: list[Exception] = []

    def fail() -> None:
        try:
            class_stream("no_such_class", "x")
        except NativeCallError as error:
            failures.append(error)

    outer = Memory(document())
    outer.before_read = fail
    with FullReader.open(InputStream.from_source(outer)) as nested:
        assert first_tile(nested) == first_tile(reader)
    assert failures


def test_the_source_is_kept_until_libczi_needs_it_no_more(source: Memory, library: Library) -> None:
    streams = library.companion(Callbacks)
    before = streams.count
    with FullReader.open(InputStream.from_source(source)) as reader:
        accessor = reader.tile_accessor()
    assert streams.count == before + 1  # the accessor still uses it
    accessor.close()
    assert streams.count == before


def test_a_reader_needs_an_open_stream(source: Memory) -> None:
    stream = InputStream.from_source(source)
    stream.close()
    with pytest.raises(ClosedError, match="input stream of in memory"):
        FullReader.open(stream)
