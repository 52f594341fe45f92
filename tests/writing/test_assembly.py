"""The bytes of a file under assembly: those of libCZI's writer, and the fields it gets wrong."""

from __future__ import annotations

import io
import struct
import threading
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from libczi.made import Memory
from libczi.writer import OutputStream, SubBlockSpec, WriterHandle

import czictypes.writing.assembly
from czictypes.container.directory import Directory, read_directory
from czictypes.container.segments import read_file_header
from czictypes.container.subblock import (
    read_attachment_bytes,
    read_data_bytes,
    read_metadata_bytes,
    read_subblock_segment,
)
from czictypes.model.errors import ClosedError
from czictypes.model.geometry import DIMENSIONS, Rectangle, Size
from czictypes.model.pixel_types import Compression, PixelType
from czictypes.remote.open import open_source
from czictypes.writing.assembly import Assembly, OrderedPipeline
from czictypes.writing.new_segments import EncodedSubBlock

COMPRESSIONS = [0, 1, 4, 5, 6, 1000, 2**31 - 1]


def block(number: int = 0, **changes: Any) -> EncodedSubBlock:
    """A sub-block of 4 x 3 pixels, one beside the other."""
    plain: dict[str, Any] = {
        "coordinate": {"C": 0, "T": number % 3},
        "rectangle": Rectangle(4 * number, 0, 4, 3),
        "size": Size(4, 3),
        "pixel_type": PixelType.Gray8,
        "compression": 0,
        "data": bytes(range(12)),
        "m_index": number,
    }
    return EncodedSubBlock(**{**plain, **changes})


def written(path: Path, *blocks: EncodedSubBlock) -> Path:
    assembly = Assembly(path)
    for one in blocks:
        assembly.add(one)
    assembly.commit()
    return path


class Made(NamedTuple):
    """The parts of a document."""

    guid: UUID
    blocks: list[EncodedSubBlock]
    attachments: list[tuple[str, bytes, UUID]]
    xml: bytes


def sub_blocks() -> st.SearchStrategy[EncodedSubBlock]:
    sides = st.integers(1, 40)
    position = st.integers(-3, 3) | st.integers(-(2**31), 2**31 - 1)

    def make(size: Size, factor: int, x: int, y: int, **parts: Any) -> EncodedSubBlock:
        area = Rectangle(x, y, size.w * factor, size.h * factor)
        return EncodedSubBlock(rectangle=area, size=size, compression=0, **parts)

    return st.builds(
        make,
        st.builds(Size, sides, sides),
        st.sampled_from([1, 1, 2, 3, 4, 9]),
        position,
        position,
        coordinate=st.dictionaries(
            st.sampled_from(DIMENSIONS), st.integers(-2, 2) | st.integers(1 - 2**31, 2**31 - 1)
        ),
        pixel_type=st.sampled_from(PixelType),
        data=st.binary(min_size=1, max_size=100) | st.just(bytes(70000)),
        m_index=st.none() | st.integers(0, 4) | st.integers(1 - 2**31, 2**31 - 2),
        metadata=st.binary(max_size=40),
        attachment=st.binary(max_size=40),
    )


def documents() -> st.SearchStrategy[Made]:
    attachments = st.lists(st.tuples(st.text("abc"), st.binary(max_size=70), st.uuids()))
    xml = st.sampled_from([b"", b"<ImageDocument/>", bytes(96)])
    return st.builds(Made, st.uuids(), st.lists(sub_blocks()), attachments, xml)


def directory_of(path: Path) -> Directory:
    source = open_source(io.BytesIO(path.read_bytes()))
    return read_directory(source, read_file_header(source))


def test_every_compression_stands_in_the_directory_and_in_the_segment(tmp_path: Path) -> None:
    path = written(
        tmp_path / "all.czi",
        *(block(number, compression=raw) for number, raw in enumerate(COMPRESSIONS)),
    )
    data = path.read_bytes()
    directory = directory_of(path)
    by_position = np.argsort(directory.file_position)
    assert directory.compression[by_position].tolist() == COMPRESSIONS
    for position, raw in zip(np.sort(directory.file_position).tolist(), COMPRESSIONS):
        assert data[position : position + 14] == b"ZISRAWSUBBLOCK"
        assert struct.unpack_from("<i", data, position + 66) == (raw,)


def test_entries_of_different_lengths_are_told_apart(tmp_path: Path) -> None:
    blocks = [
        block(0, compression=5),
        block(1, compression=6, m_index=None),
        block(2, compression=4, coordinate={"C": 0, "T": 1, "Z": 2, "S": 3}),
        block(3, compression=1, coordinate={}),
    ]
    directory = directory_of(written(tmp_path / "mixed.czi", *blocks))
    found = dict(zip(directory.x.tolist(), directory.compression.tolist()))
    assert found == {0: 5, 4: 6, 8: 4, 12: 1}


def test_the_pyramid_type_is_set(tmp_path: Path) -> None:
    tile = block(1, rectangle=Rectangle(0, 0, 8, 6), m_index=None, pyramid_type=2)
    path = written(tmp_path / "pyramid.czi", block(0), tile)
    directory = directory_of(path)
    assert dict(zip(directory.w.tolist(), directory.pyramid_type.tolist())) == {4: 0, 8: 2}
    position = int(directory.file_position[directory.w == 8][0])
    assert path.read_bytes()[position + 70] == 2


def test_everything_of_a_sub_block_arrives(tmp_path: Path) -> None:
    path = written(tmp_path / "one.czi", block(metadata=b"<METADATA/>", attachment=b"attached"))
    source = open_source(io.BytesIO(path.read_bytes()))
    segment = read_subblock_segment(source, read_directory(source, read_file_header(source)), 0)
    assert read_data_bytes(source, segment) == bytes(range(12))
    assert read_metadata_bytes(source, segment) == b"<METADATA/>"
    assert read_attachment_bytes(source, segment) == b"attached"


def test_pixels_that_look_like_a_segment_are_left_alone(tmp_path: Path) -> None:
    segment = written(tmp_path / "a.czi", block()).read_bytes()
    trap = segment[segment.index(b"ZISRAWSUBBLOCK") :][:400] + b"ZISRAWDIRECTORY\0" * 25
    path = written(
        tmp_path / "trap.czi",
        block(
            data=trap,
            compression=Compression.Zstd1,
            rectangle=Rectangle(0, 0, 800, 1),
            size=Size(800, 1),
        ),
    )
    assert trap in path.read_bytes()


@given(documents())
def test_the_bytes_are_those_of_libczis_own_writer(made: Made) -> None:
    file, memory = io.BytesIO(), Memory()
    with Assembly(file, file_guid=made.guid) as assembly:
        for one in made.blocks:
            assembly.add(one)
        for name, data, guid in made.attachments:
            assembly.add_attachment(name, "KIND", data, guid)
        assembly.write_metadata(made.xml)
    stream = OutputStream.from_sink(memory)
    with WriterHandle.create(stream, file_guid=made.guid, allow_duplicates=True) as writer:
        for one in made.blocks:
            # It writes 0 for any compression, but takes the data of compressed ones as they are.
            writer.add_sub_block(
                SubBlockSpec(
                    one.coordinate,
                    *one.rectangle,
                    one.pixel_type,
                    one.data,
                    Compression.Zstd0,
                    one.size,
                    one.m_index,
                    one.metadata,
                    one.attachment,
                )
            )
        for name, data, guid in made.attachments:
            writer.add_attachment(guid, "KIND", name, data)
        if made.xml:
            writer.write_metadata(made.xml)
    assert file.getvalue() == memory.content


@pytest.mark.parametrize("large", [1, 100, 300, 4096])
@pytest.mark.parametrize("buffer_size", [1, 100, 300, 4096, 1 << 22])
def test_the_size_of_the_buffer_changes_nothing(
    monkeypatch: pytest.MonkeyPatch, buffer_size: int, large: int
) -> None:
    def made() -> bytes:
        file = io.BytesIO()
        with Assembly(file, file_guid=UUID(int=1)) as assembly:
            for number in range(12):
                assembly.add(block(number, data=bytes([number]) * (100 * number + 1)))
            assembly.add_attachment("a", "B", bytes(5000), UUID(int=2))
            assembly.write_metadata(b"<ImageDocument/>")
        return file.getvalue()

    expected = made()
    monkeypatch.setattr(czictypes.writing.assembly, "_BUFFER_SIZE", buffer_size)
    monkeypatch.setattr(czictypes.writing.assembly, "_LARGE", large)
    assert made() == expected


def test_an_empty_file_is_valid(tmp_path: Path) -> None:
    assert directory_of(written(tmp_path / "empty.czi")).count == 0


def test_attachments_and_metadata_arrive(tmp_path: Path) -> None:
    file = io.BytesIO()
    assembly = Assembly(file)
    assembly.add_attachment("Thumbnail", "JPG", b"not really")
    assembly.write_metadata(b"<first/>" * 100)
    assembly.write_metadata(b"<ImageDocument/>")
    assembly.commit()
    source = open_source(io.BytesIO(file.getvalue()))
    header = read_file_header(source)
    assert header.attachment_directory_position > 0
    xml = source.read_at(header.metadata_position + 288, 16)
    assert xml == b"<ImageDocument/>"


def test_after_commit_nothing_more_goes_in(tmp_path: Path) -> None:
    assembly = Assembly(tmp_path / "done.czi")
    assembly.commit()
    assembly.abort()
    with pytest.raises(ClosedError, match=r"done\.czi is not being written"):
        assembly.add(block())


@pytest.mark.parametrize(
    "changes",
    [
        {"rectangle": Rectangle(0, 0, 0, 3)},
        {"rectangle": Rectangle(0, 0, 4, -3)},
        {"rectangle": Rectangle(0, 0, 2**31, 3)},
        {"rectangle": Rectangle(2**31, 0, 4, 3)},
        {"rectangle": Rectangle(0, -(2**31) - 1, 4, 3)},
        {"size": Size(0, 3)},
        {"coordinate": {"C": 0, "T": 1, "M": 0}},
        {"coordinate": {"C": 0, "T": 1, "Z": 2**31}},
        {"m_index": 2**31 - 1},
        {"m_index": -(2**31)},
        {"m_index": 2**31},
        {"data": b""},
    ],
)
def test_a_refused_sub_block_leaves_nothing(tmp_path: Path, changes: dict[str, Any]) -> None:
    assembly = Assembly(tmp_path / "refused.czi")
    assembly.add(block())
    with pytest.raises(ValueError, match="a CZI cannot hold the sub-block C0T1"):
        assembly.add(block(1, **changes))
    with pytest.raises(ClosedError):
        assembly.commit()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("fails_at", range(0, 6000, 501))
def test_a_file_object_that_fails_at_byte_n(tmp_path: Path, fails_at: int) -> None:
    class Failing(io.BytesIO):
        def write(self, data: Any) -> int:
            if self.tell() + len(data) > fails_at:
                raise OSError(28, "No space left on device")
            return super().write(data)

    file = Failing()
    with pytest.raises(OSError, match=r"No space left on device.*Failing"):
        assemble_slowly(file)
    assert file.getvalue() == b""


def assemble_slowly(file: Any) -> None:
    """Write a file of about 6000 bytes, nothing of it buffered."""
    assembly = Assembly(file)
    for number in range(12):
        assembly.add(block(number))
        assembly.written().close()
    assembly.write_metadata(b"<ImageDocument/>")
    assembly.commit()


@pytest.mark.parametrize("threads", [1, 2, 7])
def test_results_come_in_the_order_of_the_work(threads: int) -> None:
    results: list[int] = []
    pipeline: OrderedPipeline[int] = OrderedPipeline(threads, results.append)
    for number in range(50):
        if number % 3:
            pipeline.submit(partial(int, number))
        else:
            pipeline.put(number)
    pipeline.drain()
    pipeline.close()
    assert results == list(range(50))


def test_a_bounded_number_waits_for_its_turn() -> None:
    begun, go_on = [0], threading.Event()
    lock = threading.Lock()

    def work() -> int:
        with lock:
            begun[0] += 1
        go_on.wait(60)
        return 1

    results: list[int] = []
    pipeline: OrderedPipeline[int] = OrderedPipeline(2, results.append)
    for _ in range(4):
        pipeline.submit(work)
    assert results == []
    assert begun[0] <= 2
    threading.Timer(0.05, go_on.set).start()
    pipeline.submit(work)  # the fifth waits for the first
    assert len(results) >= 1
    pipeline.drain()
    pipeline.close()
    assert len(results) == 5


@pytest.mark.parametrize("threads", [1, 3])
def test_an_error_of_the_work_reaches_the_caller(threads: int) -> None:
    def fail() -> int:
        raise ValueError("no good")

    results: list[int] = []
    pipeline: OrderedPipeline[int] = OrderedPipeline(threads, results.append)
    pipeline.submit(lambda: 1)

    def rest() -> None:
        pipeline.submit(fail)
        pipeline.submit(lambda: 2)
        pipeline.drain()

    with pytest.raises(ValueError, match="no good"):
        rest()
    pipeline.close()
    assert results == [1]


def test_close_drops_what_waits() -> None:
    results: list[int] = []
    hold = threading.Event()
    pipeline: OrderedPipeline[int] = OrderedPipeline(2, results.append)
    for _ in range(3):
        pipeline.submit(lambda: int(hold.wait(60)))
    hold.set()
    pipeline.close()
    pipeline.drain()
    assert results == []
