"""What a writer writes is what a reader reads."""

from __future__ import annotations

import struct
import threading
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from czictypes.libczi.streams import InputStream
from czictypes.model.errors import ClosedError, CziError, NativeCallError
from czictypes.model.geometry import DIMENSIONS, Rectangle, Size
from libczi.made import Memory, document, tile
from libczi.oracle import FullReader, SubBlockInfo
from libczi.writer import OutputStream, SubBlockSpec, WriterHandle

INT32 = st.integers(-(2**31), 2**31 - 1)
coordinates = st.dictionaries(st.sampled_from(DIMENSIONS), st.integers(-(2**31) + 1, 2**31 - 1))


def info_of_first(content: bytes) -> SubBlockInfo:
    with FullReader.open(InputStream.from_source(Memory(content))) as reader:
        info = reader.try_get_sub_block_info(0)
    assert info is not None
    return info


def new_writer(sink: Memory, **options: Any) -> WriterHandle:
    return WriterHandle.create(OutputStream.from_sink(sink), **options)


def can_be_read(sink: Memory) -> bool:
    try:
        FullReader.open(InputStream.from_source(sink)).close()
    except NativeCallError:
        return False
    return True


@given(coordinate=coordinates, x=INT32, y=INT32, m=st.none() | st.integers(0, 2**31 - 2))
def test_any_coordinate_survives(coordinate: dict[str, int], x: int, y: int, m: int | None) -> None:
    spec = tile(0, coordinate=coordinate, x=x, y=y, m_index=m)
    info = info_of_first(document(spec))
    assert info.coordinate == coordinate
    assert (info.logical_rect.x, info.logical_rect.y, info.m_index) == (x, y, m)


def test_a_sub_block_takes_nothing_over_from_the_one_before() -> None:
    first = tile(0, coordinate={"C": 1, "S": 2, "Z": 3}, m_index=7, metadata=b"<a/>")
    second = tile(0, coordinate={"C": 4}, m_index=None, attachment=b"more")
    with FullReader.open(InputStream.from_source(Memory(document(first, second)))) as reader:
        found = {}
        for index in (0, 1):  # in the directory's order
            with reader.read_sub_block(index) as sub_block:
                info = sub_block.info()
                found[info.m_index] = dict(info.coordinate), sub_block.raw_data("metadata")
    assert found == {7: ({"C": 1, "S": 2, "Z": 3}, b"<a/>"), None: ({"C": 4}, b"")}


def test_a_pyramid_sub_block() -> None:
    spec = SubBlockSpec({"C": 0}, 0, 0, 16, 8, 0, bytes(32), physical_size=(8, 4))
    info = info_of_first(document(spec))
    assert info.logical_rect == Rectangle(0, 0, 16, 8)
    assert info.physical_size == Size(8, 4)


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_data_may_be_any_buffer(kind: Any) -> None:
    spec = SubBlockSpec({"C": 0}, 0, 0, 2, 2, 0, kind(b"abcd"))
    with (
        FullReader.open(InputStream.from_source(Memory(document(spec)))) as reader,
        reader.read_sub_block(0) as sub_block,
    ):
        assert sub_block.raw_data() == b"abcd"


def test_compressed_data_are_written_as_they_are() -> None:
    spec = SubBlockSpec({"C": 0}, 0, 0, 100, 100, 1, b"compressed", compression=6)
    with (
        FullReader.open(InputStream.from_source(Memory(document(spec)))) as reader,
        reader.read_sub_block(0) as sub_block,
    ):
        assert sub_block.raw_data() == b"compressed"


def test_an_attachment_of_a_sub_block_is_in_the_file() -> None:
    assert b"the attachment" in document(tile(0, attachment=b"the attachment"))


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"data": bytes(63)}, "do not fit in the 63 bytes"),
        ({"width": 0}, "must not be empty"),
        ({"height": -4}, "must not be empty"),
        ({"physical_size": (0, 4)}, "must not be empty"),
        ({"width": 2**31}, "32 bits"),
        ({"x": 2**31}, "x is 2147483648"),
        ({"y": -(2**31) - 1}, "y is"),
        ({"coordinate": {"M": 0}}, "M: no dimension"),
        ({"coordinate": {"C": 2**31}}, "dimension C is"),
        ({"m_index": 2**31 - 1}, "stands for no M-index"),
        ({"m_index": -(2**31)}, "stands for no M-index"),
        ({"m_index": 2**31}, "the M-index is"),
        ({"pixel_type": 5}, "PixelType"),
        ({"data": b"", "compression": 4}, "needs data"),
    ],
)
def test_what_does_not_fit_is_refused_and_the_document_goes_on(
    changes: dict[str, Any], complaint: str
) -> None:
    sink = Memory()
    with new_writer(sink) as writer:
        with pytest.raises(ValueError, match=complaint):
            writer.add_sub_block(tile(0, **changes))
        writer.add_sub_block(tile(0))
    assert info_of_first(bytes(sink.content)).coordinate == {"C": 0}


@pytest.mark.parametrize(
    ("kind", "name", "complaint"),
    [
        ("TOO LONG!", "a", "content file type .* at most 8 bytes"),
        ("CZTIMS", "ä" * 40, "name .* at most 79 bytes"),
        ("CZTIMS", "a\0b", "none of them zero"),
    ],
)
def test_an_attachments_names_have_limits(kind: str, name: str, complaint: str) -> None:
    with new_writer(Memory()) as writer, pytest.raises(ValueError, match=complaint):
        writer.add_attachment(UUID(int=1), kind, name, b"")


def test_a_duplicate_is_refused_and_spoils_the_document() -> None:
    sink = Memory()
    writer = new_writer(sink)
    writer.add_sub_block(tile(0))
    with pytest.raises(NativeCallError, match=r"write the sub-block \{'C': 0\} at -3, 5") as first:
        writer.add_sub_block(tile(0))
    with pytest.raises(CziError, match="failed before"):
        writer.add_sub_block(tile(1))
    with pytest.raises(CziError, match="left incomplete") as last:
        writer.close()
    assert last.value.__cause__ is first.value
    assert writer.closed
    assert not can_be_read(sink)


def test_duplicates_are_accepted_if_asked() -> None:
    sink = Memory()
    with new_writer(sink, allow_duplicates=True) as writer:
        writer.add_sub_block(tile(0))
        writer.add_sub_block(tile(0))
    assert can_be_read(sink)


def test_an_exception_leaves_the_document_incomplete() -> None:
    sink = Memory()
    writer = new_writer(sink)
    with pytest.raises(ValueError, match="do not fit"), writer:
        writer.add_sub_block(tile(0, data=b"too few"))
    assert writer.closed
    assert not can_be_read(sink)


def test_abort_leaves_the_document_incomplete() -> None:
    sink = Memory()
    writer = new_writer(sink)
    writer.add_sub_block(tile(0))
    writer.abort()
    writer.close()
    assert not can_be_read(sink)


def test_a_writer_that_is_closed_says_so() -> None:
    writer = new_writer(Memory())
    writer.close()
    writer.close()
    with pytest.raises(ClosedError, match="the writer of in memory is closed"):
        writer.add_sub_block(tile(0))


def test_close_completes_once(calls: list[str]) -> None:
    writer = new_writer(Memory())
    writer.close()
    writer.close()
    assert calls.count("libCZI_WriterClose") == calls.count("libCZI_ReleaseWriter") == 1


def test_room_is_kept_at_the_front() -> None:
    sink = Memory()
    options = {"reserved_sub_blocks": 3, "reserved_attachments": 5, "reserved_metadata": 4000}
    with new_writer(sink, **options) as writer:
        writer.add_sub_block(tile(0))
        writer.write_metadata(b"<ImageDocument/>")
    positions = struct.unpack_from("<qq", sink.content, 84)
    first_tile = sink.content.index(b"ZISRAWSUBBLOCK")
    assert max(positions) < first_tile
    assert first_tile > 3 * 832 + 5 * 128 + 4000


def test_many_threads_may_write() -> None:
    sink = Memory()
    with new_writer(sink) as writer:

        def work(c: int) -> None:
            for t in range(20):
                writer.add_sub_block(tile(c, coordinate={"C": c, "T": t}))

        threads = [threading.Thread(target=work, args=(c,)) for c in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    with FullReader.open(InputStream.from_source(sink)) as reader:
        assert reader.sub_block_count == 80
