"""The directory, sub-blocks and attachments are what libCZI itself finds in the same file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from files.encode import zstd_frame
from libczi.oracle import FullReader, SubBlockInfo

from container.czi_bytes import AttachedFile, Built, Dimension, Tile, build_czi
from czictypes.container.attachments import read_attachment_data, read_attachment_directory
from czictypes.container.byte_source import ByteSource
from czictypes.container.directory import Directory, check_document
from czictypes.container.file_source import FileSource
from czictypes.container.segments import read_metadata_xml
from czictypes.container.subblock import (
    check_pixels,
    read_data_bytes,
    read_metadata_bytes,
    read_subblock_segment,
)
from czictypes.container.zstd import decode_zstd
from czictypes.libczi.streams import InputStream
from czictypes.model.errors import CorruptFileError, NativeCallError
from czictypes.model.geometry import ABSENT
from czictypes.model.pixel_types import Compression, PixelType, pixel_format


@contextmanager
def libczi(built: Built) -> Iterator[FullReader]:
    with FullReader.open(InputStream.from_source(built.source())) as reader:
        yield reader


def assert_same_directory(directory: Directory, reader: FullReader) -> None:
    assert directory.count == reader.sub_block_count
    for index in range(directory.count):
        theirs = reader.try_get_sub_block_info(index)
        assert theirs is not None
        assert described(directory, index) == expected(theirs), f"sub-block {index}"


def described(directory: Directory, index: int) -> dict[str, object]:
    """What our table says of a sub-block."""
    names = ("x", "y", "w", "h", "stored_w", "stored_h", "compression", "m")
    found: dict[str, object] = {name: int(getattr(directory, name)[index]) for name in names}
    pixel_type = int(directory.pixel_type[index])
    known = pixel_type in set(PixelType)
    return found | {
        "pixel_type": pixel_type if known else "unknown",
        "coordinate": directory.coordinate(index),
    }


def expected(info: SubBlockInfo) -> dict[str, object]:
    """What libCZI says of a sub-block, in the same terms."""
    known = info.pixel_type in set(PixelType)
    return {
        "x": info.logical_rect.x,
        "y": info.logical_rect.y,
        "w": info.logical_rect.w,
        "h": info.logical_rect.h,
        "stored_w": info.physical_size.w,
        "stored_h": info.physical_size.h,
        "compression": info.compression,
        "m": ABSENT if info.m_index is None else info.m_index,
        "pixel_type": info.pixel_type if known else "unknown",
        "coordinate": dict(info.coordinate),
    }


def assert_same_contents(source: ByteSource, directory: Directory, reader: FullReader) -> None:
    for index in range(directory.count):
        segment = read_subblock_segment(source, directory, index)
        check_pixels(source, segment)
        with reader.read_sub_block(index) as theirs:
            assert read_data_bytes(source, segment) == theirs.raw_data("data")
            assert read_metadata_bytes(source, segment) == theirs.raw_data("metadata")


def test_real_files_have_the_same_directory(every_real_file: Path) -> None:
    with FileSource(every_real_file) as source:
        directory = check_document(source).directory
        with FullReader.open(InputStream.from_path(every_real_file)) as reader:
            assert_same_directory(directory, reader)
            assert_same_contents(source, directory, reader)


def test_real_files_pass_the_strict_checks(every_real_file: Path) -> None:
    with FileSource(every_real_file) as source:
        lax = check_document(source).directory.count
        assert check_document(source, strict=True).directory.count == lax


def test_real_files_have_the_same_attachments_and_metadata(every_real_file: Path) -> None:
    with FileSource(every_real_file) as source:
        header = check_document(source).header
        entries = read_attachment_directory(source, header)
        with FullReader.open(InputStream.from_path(every_real_file)) as reader:
            assert len(entries) == reader.attachment_count()
            for entry in entries:
                info = reader.attachment_info(entry.index)
                assert (info.guid, info.name) == (entry.guid, entry.name)
                with reader.read_attachment(entry.index) as theirs:
                    assert read_attachment_data(source, entry) == theirs.raw_data()
            with reader.metadata_segment() as segment:
                assert read_metadata_xml(source, header) == segment.xml()


X, Y = Dimension(b"X", 3, 4), Dimension(b"Y", -2, 3)
ODD = {
    "duplicates": [Tile(), Tile(), Tile(x=1), Tile()],
    "mixed dimensions": [
        Tile(coordinates={"Z": 1, "C": 0, "T": 2, "R": 3, "S": 4, "I": 5, "H": 6, "V": 7, "B": 8}),
        Tile(coordinates={"B": 1, "Z": 0}, m=3),
        Tile(m=0),
        Tile(dimensions=[Dimension(b"C", 1), Y, Dimension(b"M", 9), X]),
    ],
    "no dimensions": [Tile(dimensions=[], data=b"")],
    "no X": [Tile(dimensions=[Y], data=b""), Tile()],
    "no Y": [Tile(dimensions=[X], data=b""), Tile()],
    "small letters": [Tile(dimensions=[Dimension(b"xy", 1, 4), Dimension(b"y", 2, 3)])],
    "letters twice": [Tile(dimensions=[X, Y, Dimension(b"X", 9, 8), Dimension(b"x", 7, 6)])],
    "sizes below zero": [Tile(w=-5, h=-1, data=b"")],
    "large numbers": [Tile(x=2**31 - 1, y=-(2**31) + 1, w=2**31 - 1, data=b"", m=-7)],
    "sizes other than 1": [
        Tile(dimensions=[X, Y, Dimension(b"C", 0, 5, 7), Dimension(b"M", 1, 3)])
    ],
    "an unknown compression": [Tile(compression=77), Tile(compression=-1)],
    "an unknown pixel type": [Tile(pixel_type=7, data=b""), Tile(pixel_type=-3, data=b"")],
    "forty dimensions": [Tile(dimensions=[X, Y, *[Dimension(b"Z", 1)] * 38])],
    "a pyramid of other files": [Tile(w=8, h=6, physical=(4, 3), pyramid_type=2, file_part=3)],
    "nothing": [],
}  # fmt: skip


@pytest.mark.parametrize("name", ODD)
def test_odd_entries_are_taken_as_libczi_takes_them(name: str) -> None:
    built = build_czi(ODD[name])
    with libczi(built) as reader:
        assert_same_directory(check_document(built.source()).directory, reader)


@pytest.mark.parametrize("garbage", [b"??", b"\0\0\0\0", b"D\0VD??"])
def test_bytes_that_are_no_entry_are_passed_over_as_libczi_does(garbage: bytes) -> None:
    tiles = [Tile(x=1), Tile(x=2, m=0), Tile(x=3)]
    built = build_czi(tiles, entry_count=3 + len(garbage) // 2)
    moved = built.data[built.entries[1] :]
    size = 128 + 72 + len(garbage) + 92 + 72
    data = built.data[: built.entries[1]] + garbage + moved
    built = Built(**{**vars(built), "data": data}).patched(built.directory + 16, "<qq", size, size)
    directory = check_document(built.source()).directory
    assert directory.x.tolist() == [1, 2, 3]
    with libczi(built) as reader:
        assert_same_directory(directory, reader)


BROKEN = build_czi([Tile(), Tile(m=1)], attachments=[AttachedFile()])
REFUSED = {
    "an unknown letter": BROKEN.patched(BROKEN.entries[1] + 32, "<4s", b"Q"),
    "too many entries": BROKEN.patched(BROKEN.directory + 32, "<i", 3),
    "a directory too small": BROKEN.patched(BROKEN.directory + 24, "<q", 127),
    "a directory elsewhere": BROKEN.patched(84, "<q", 544),
    "no directory": BROKEN.patched(84, "<q", 0),
    "attachments elsewhere": BROKEN.patched(104, "<q", 544),
    "too many attachments": BROKEN.patched(BROKEN.attachment_directory + 32, "<i", 100),
    "truncation": BROKEN.cut(len(BROKEN.data) - 50),
    "a header alone": BROKEN.cut(544),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_libczi_refuses_to_open_is_refused_before(name: str) -> None:
    with pytest.raises(CorruptFileError):
        check_document(REFUSED[name].source())
    with pytest.raises(NativeCallError), libczi(REFUSED[name]):
        pass


CONTRADICTING = [
    Tile(listed=Tile(x=1)),
    Tile(listed=Tile(w=5)),
    Tile(listed=Tile(physical=(3, 3))),
    Tile(listed=Tile(m=0)),
    Tile(m=1, listed=Tile(m=2)),
    Tile(listed=Tile(coordinates={"C": 0})),
    Tile(coordinates={"C": 1}, listed=Tile(coordinates={"C": 0})),
    Tile(listed=Tile(pixel_type=1)),
    Tile(listed=Tile(compression=1)),
]


@pytest.mark.parametrize("tile", CONTRADICTING, ids=lambda tile: str(CONTRADICTING.index(tile)))
def test_a_contradiction_to_the_directory_is_refused_by_libczi_too(tile: Tile) -> None:
    built = build_czi([tile])
    source = built.source()
    directory = check_document(source).directory
    with pytest.raises(CorruptFileError, match="contradicts"):
        read_subblock_segment(source, directory, 0)
    with libczi(built) as reader, pytest.raises(NativeCallError), reader.read_sub_block(0):
        pass


ODD_SIZES = [
    (PixelType.Gray16, Compression.Uncompressed, lambda data: data + b"more"),
    (PixelType.Bgr48, Compression.Zstd0, lambda data: zstd_frame(data + b"more")),
    (PixelType.Gray16, Compression.Zstd1, lambda data: b"\x03\x01\x01" + zstd_frame(data)),
    (PixelType.Gray16, Compression.Zstd1, lambda data: b"\x03\x01\x01" + zstd_frame(data + data)),
    (PixelType.Gray32Float, Compression.Zstd1, lambda data: b"\x01" + zstd_frame(data)),
]


@pytest.mark.parametrize("case", range(len(ODD_SIZES)))
def test_data_that_are_too_long_are_cut_as_libczi_does(case: int) -> None:
    pixel_type, compression, change = ODD_SIZES[case]
    layout = pixel_format(pixel_type)
    content = bytes((7 * number) % 251 for number in range(12 * layout.bytes_per_pixel))
    tile = Tile(pixel_type=pixel_type, compression=compression, data=change(content))
    built = build_czi([tile])
    source = built.source()
    segment = read_subblock_segment(source, check_document(source).directory, 0)
    check_pixels(source, segment)
    with libczi(built) as reader, reader.read_sub_block(0) as theirs:
        assert theirs.raw_data("data") == tile.content
        with theirs.create_bitmap() as bitmap:
            found = bitmap.to_numpy()
    if compression != Compression.Uncompressed:
        ours = decode_zstd(tile.content, compression, 4, 3, layout)
        np.testing.assert_array_equal(ours, found)
    else:
        assert found.tobytes() == content
