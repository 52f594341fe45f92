"""The segment of one sub-block, and the checks before libCZI reads it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from container.czi_bytes import Built, Dimension, Tile, build_czi
from czictypes.container.directory import check_document
from czictypes.container.subblock import (
    SubBlockSegment,
    read_attachment_bytes,
    read_data_bytes,
    read_metadata_bytes,
    read_subblock_segment,
)
from czictypes.model.errors import CorruptFileError

TILE = Tile(
    x=5, coordinates={"C": 1, "S": 0}, m=2, data=bytes(range(12)), metadata=b"<METADATA/>",
    attachment=b"chunks",
)  # fmt: skip
FILE = build_czi([Tile(), TILE, Tile()])
SIZES = FILE.subblocks[1] + 32
ENTRY = FILE.subblocks[1] + 48


def read(built: Built, index: int = 1) -> SubBlockSegment:
    source = built.source()
    return read_subblock_segment(source, check_document(source).directory, index)


def refused(built: Built, match: str, index: int = 1) -> None:
    with pytest.raises(CorruptFileError, match=match):
        read(built, index)


def test_a_segment_tells_where_its_parts_are() -> None:
    segment = read(FILE)
    assert segment.position == FILE.subblocks[1]
    assert segment.metadata_offset == FILE.subblocks[1] + 288
    assert (segment.metadata_size, segment.data_size, segment.attachment_size) == (11, 12, 6)
    assert (segment.stored_w, segment.stored_h) == (4, 3)
    assert (segment.pixel_type, segment.compression) == (0, 0)
    assert segment.entry.coordinate == {"C": 1, "S": 0}


def test_the_parts_are_read() -> None:
    source, segment = FILE.source(), read(FILE)
    assert read_metadata_bytes(source, segment) == b"<METADATA/>"
    assert read_data_bytes(source, segment) == bytes(range(12))
    assert read_attachment_bytes(source, segment) == b"chunks"


def test_missing_parts_are_empty() -> None:
    source, segment = FILE.source(), read(FILE, 0)
    assert read_metadata_bytes(source, segment) == read_attachment_bytes(source, segment) == b""


def test_many_dimensions_move_the_parts_behind_them() -> None:
    dimensions = [*Tile().all_dimensions(), *[Dimension(b"C", 0)] * 38]
    built = build_czi([Tile(dimensions=dimensions, data=bytes(range(12)))])
    head = 48 + 32 + 20 * 40
    data = bytearray(built.data)
    # The builder puts the parts at 288 or later as a writer does, so check by its own layout.
    assert data[544 + 48 : 544 + 50] == b"DV"
    segment = read(built, 0)
    assert segment.data_offset == 544 + head
    assert read_data_bytes(built.source(), segment) == bytes(range(12))


@pytest.mark.parametrize("index", [-1, 3, 10**12])
def test_a_sub_block_that_is_not_there_is_an_index_error(index: int) -> None:
    with pytest.raises(IndexError, match=f"no sub-block {index} in built.czi; it has 3"):
        read(FILE, index)


@pytest.mark.parametrize("position", [-1, 2**62, -(2**63), 0, 545])
def test_a_wrong_position_is_refused(position: int) -> None:
    built = FILE.patched(FILE.entries[1] + 6, "<q", position)
    refused(built, rf"sub-block 1 \(at byte {position}\) of built\.czi")


def test_a_file_that_ends_before_the_sub_block_is_refused() -> None:
    head = build_czi([Tile(data=b"")], metadata=None)
    built = head.patched(head.entries[0] + 6, "<q", len(head.data) - 287)
    refused(built, r"sub-block 0 .* truncated", index=0)


@pytest.mark.parametrize("size", [-1, -(2**31), 10**6, 2**31 - 1])
@pytest.mark.parametrize(("part", "offset"), [("metadata", 0), ("attachment", 4)])
def test_a_wrong_size_of_metadata_or_attachment_is_refused(
    part: str, offset: int, size: int
) -> None:
    refused(FILE.patched(SIZES + offset, "<i", size), rf"the {part} of sub-block 1 \(at byte")


@pytest.mark.parametrize("size", [-1, -(2**63), 10**6, 2**63 - 1])
def test_a_wrong_size_of_the_data_is_refused(size: int) -> None:
    refused(FILE.patched(SIZES + 8, "<q", size), "the pixel data of sub-block 1")


@pytest.mark.parametrize("count", [41, -1, -(2**31), 2**31 - 1])
def test_a_dimension_count_that_crashes_libczi_is_refused(count: int) -> None:
    refused(FILE.patched(ENTRY + 28, "<i", count), f"sub-block 1 .* has {count} dimensions")


@pytest.mark.parametrize("schema", [b"DE", b"XX"])
def test_another_schema_than_dv_is_refused(schema: bytes) -> None:
    refused(FILE.patched(ENTRY, "<2s", schema), f"sub-block 1 .* schema {schema!r}")


def test_an_unknown_dimension_is_refused() -> None:
    refused(FILE.patched(ENTRY + 32, "<4s", b"Q"), "sub-block 1 .* unknown dimension b'Q'")


DISAGREEING = [
    (replace(TILE, x=6), "x 5, there 6"),
    (replace(TILE, h=4, physical=(4, 3)), "h 3, there 4"),
    (replace(TILE, physical=(2, 3)), "stored_w 4, there 2"),
    (replace(TILE, pixel_type=1), "pixel_type 0, there 1"),
    (replace(TILE, compression=5), "compression 0, there 5"),
    (replace(TILE, m=3), "M 2, there 3"),
    (replace(TILE, m=None), "M 2, there None"),
    (replace(TILE, coordinates={"C": 0, "S": 0}), "coordinate C1S0, there C0S0"),
    (replace(TILE, coordinates={"C": 1}), "coordinate C1S0, there C1"),
]


@pytest.mark.parametrize(("listed", "problem"), DISAGREEING, ids=[text for _, text in DISAGREEING])
def test_a_sub_block_must_agree_with_the_directory(listed: Tile, problem: str) -> None:
    refused(build_czi([Tile(), replace(TILE, listed=listed)]), problem)


@pytest.mark.parametrize("nothing", [2**31 - 1, -(2**31)])
def test_an_m_index_that_means_none_agrees_with_none(nothing: int) -> None:
    tile = replace(TILE, m=nothing, listed=replace(TILE, m=None))
    assert read(build_czi([tile]), 0).index == 0


def test_what_libczi_does_not_compare_may_differ() -> None:
    tile = replace(TILE, listed=replace(TILE, pyramid_type=2, file_part=1))
    assert read(build_czi([tile]), 0).index == 0


def test_data_cut_off_while_they_are_read_are_an_error() -> None:
    segment = read(FILE)
    shorter = FILE.cut(segment.data_offset + 5).source()
    with pytest.raises(CorruptFileError, match=r"sub-block 1 .* cut off .* 12 bytes .* 5 found"):
        read_data_bytes(shorter, segment)
