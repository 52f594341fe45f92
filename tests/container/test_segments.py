"""The file header, segment headers, and the walk over all segments."""

from __future__ import annotations

import pytest

from container.czi_bytes import GUID, AttachedFile, Tile, build_czi, segment
from czictypes.container.layout import ATTACHMENT, METADATA, SUBBLOCK
from czictypes.container.segments import iter_segments, read_file_header, read_segment_header
from czictypes.model.errors import CorruptFileError, NotCziError

FILE = build_czi([Tile(), Tile(x=4)], attachments=[AttachedFile()])


def test_the_file_header_tells_where_the_main_segments_are() -> None:
    header = read_file_header(FILE.source())
    assert (header.major, header.minor, header.file_part) == (1, 0, 0)
    assert header.directory_position == FILE.directory
    assert header.metadata_position == FILE.metadata
    assert header.attachment_directory_position == FILE.attachment_directory
    assert header.file_guid == header.primary_file_guid == GUID


def test_both_marks_of_a_missing_metadata_segment_are_zero() -> None:
    assert read_file_header(FILE.patched(92, "<q", -1).source()).metadata_position == 0
    assert read_file_header(FILE.patched(92, "<q", 0).source()).metadata_position == 0


def test_an_empty_file_is_no_czi() -> None:
    with pytest.raises(NotCziError, match=r"built\.czi is empty"):
        read_file_header(FILE.cut(0).source())


def test_other_files_are_told_by_their_first_bytes() -> None:
    with pytest.raises(NotCziError, match=r"begins with b'\\x89PNG.*open_image"):
        read_file_header(FILE.patched(0, "4s", b"\x89PNG").source())


def test_a_file_cut_off_in_its_header_is_damaged() -> None:
    with pytest.raises(CorruptFileError, match="has 543 bytes"):
        read_file_header(FILE.cut(543).source())


def test_a_segment_header_tells_sizes_and_places() -> None:
    header = read_segment_header(FILE.source(), FILE.subblocks[1], SUBBLOCK)
    assert header.position == FILE.subblocks[1]
    assert header.data_position == FILE.subblocks[1] + 32
    assert (header.allocated_size, header.used_size, header.data_size) == (288, 268, 268)
    assert header.end == FILE.metadata


def test_a_used_size_of_zero_means_the_allocated_one() -> None:
    built = FILE.patched(FILE.subblocks[0] + 24, "<q", 0)
    assert read_segment_header(built.source(), FILE.subblocks[0], SUBBLOCK).data_size == 288


def test_another_segment_than_expected_is_told() -> None:
    with pytest.raises(CorruptFileError, match=r"byte 544 should begin a ZISRAWMETADATA.*SUBBLOCK"):
        read_segment_header(FILE.source(), FILE.subblocks[0], METADATA)


@pytest.mark.parametrize("size", [10**6, 2**62, -1, -(2**63)])
def test_a_segment_larger_than_the_file_is_refused(size: int) -> None:
    built = FILE.patched(FILE.metadata + 24, "<q", size)
    with pytest.raises(CorruptFileError, match="the ZISRAWMETADATA segment"):
        read_segment_header(built.source(), FILE.metadata, METADATA)


@pytest.mark.parametrize("position", [-1, len(FILE.data), len(FILE.data) - 31, 2**63 - 1])
def test_a_position_outside_the_file_is_refused(position: int) -> None:
    with pytest.raises(CorruptFileError, match="the label"):
        read_segment_header(FILE.source(), position, ATTACHMENT, "the label")


def test_all_segments_are_walked_over_in_file_order() -> None:
    found = list(iter_segments(FILE.source()))
    names = ["FILE", "SUBBLOCK", "SUBBLOCK", "METADATA", "ATTACH", "ATTDIR", "DIRECTORY"]
    assert [header.id for header in found] == ["ZISRAW" + name for name in names]
    assert found[-1].position == FILE.directory
    assert found[-1].end == len(FILE.data)


def test_deleted_segments_are_walked_over_too() -> None:
    built = FILE.patched(FILE.metadata, "16s", b"DELETED")
    assert [header.id for header in iter_segments(built.source())][3] == "DELETED"


def test_the_walk_stops_with_an_error_where_there_is_no_segment() -> None:
    built = FILE.patched(FILE.metadata, "16s", b"something else")
    with pytest.raises(CorruptFileError, match=f"no segment at byte {FILE.metadata}"):
        list(iter_segments(built.source()))


@pytest.mark.parametrize(("field", "size"), [(16, 10**9), (24, 10**9), (16, -64), (24, -64)])
def test_the_walk_stops_with_an_error_at_an_impossible_size(field: int, size: int) -> None:
    built = FILE.patched(FILE.metadata + field, "<q", size)
    with pytest.raises(CorruptFileError, match=f"ZISRAWMETADATA at byte {FILE.metadata}"):
        list(iter_segments(built.source()))


def test_a_truncated_file_is_walked_over_up_to_the_cut() -> None:
    walk = iter_segments(FILE.cut(FILE.metadata + 100).source())
    assert [next(walk).id for _ in range(3)][-1] == SUBBLOCK
    with pytest.raises(CorruptFileError, match="truncated"):
        next(walk)


def test_a_few_bytes_at_the_end_are_passed_over() -> None:
    built = build_czi([Tile()])
    longer = built.patched(0, "0s", b"")
    source = type(built)(**{**vars(longer), "data": built.data + b"tail"}).source()
    assert len(list(iter_segments(source))) == 4


def test_the_builder_pads_segments_to_32_bytes() -> None:
    assert len(segment(b"ZISRAWATTACH", b"123")) == 64
