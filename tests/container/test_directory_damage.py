"""What is refused before libCZI opens a file, and what the strict checks refuse besides."""

from __future__ import annotations

import pytest

from container.czi_bytes import FIRST_ENTRY, AttachedFile, Built, Dimension, Tile, build_czi
from czictypes.container.directory import Directory, check_document
from czictypes.model.errors import CorruptFileError, UnsupportedDataError

FILE = build_czi([Tile(x=number) for number in range(3)], attachments=[AttachedFile()])


def refused(built: Built, match: str, **options: bool) -> None:
    with pytest.raises(CorruptFileError, match=match):
        check_document(built.source(), **options)


def read(built: Built, **options: bool) -> Directory:
    return check_document(built.source(), **options).directory


@pytest.mark.parametrize("count", [41, 2**31 - 1, -1, -(2**31)])
@pytest.mark.parametrize("entry", [0, 2])
def test_a_dimension_count_that_overwrites_libczis_stack_is_refused(entry: int, count: int) -> None:
    built = FILE.patched(FILE.entries[entry] + 28, "<i", count)
    refused(
        built, rf"entry {entry} of the sub-block directory of built\.czi has {count} dimensions"
    )


def test_forty_dimensions_are_allowed() -> None:
    tile = Tile(dimensions=[Dimension(b"C", 1)] * 40, data=b"")
    assert read(build_czi([tile])).coordinate(0) == {"C": 1}


def test_a_count_that_leads_beyond_the_directory_is_refused() -> None:
    built = FILE.patched(FILE.entries[2] + 28, "<i", 40)
    refused(built, "entry 2 .* goes beyond the end of the directory")


@pytest.mark.parametrize("count", [40, 2**31 - 1])
def test_more_entries_than_there_is_room_for_are_refused(count: int) -> None:
    refused(FILE.patched(FILE.directory + 32, "<i", count), "goes beyond the end of the directory")


def test_a_negative_number_of_entries_is_refused() -> None:
    refused(FILE.patched(FILE.directory + 32, "<i", -1), "claims -1 entries")


@pytest.mark.parametrize("position", [0, 5, 544, -1, 2**62, -(2**63)])
def test_a_wrong_position_of_the_directory_is_refused(position: int) -> None:
    refused(FILE.patched(84, "<q", position), "sub-block directory")


@pytest.mark.parametrize("size", [127, -1, -(2**63), 2**62, 10**9])
def test_a_wrong_size_of_the_directory_is_refused(size: int) -> None:
    refused(FILE.patched(FILE.directory + 24, "<q", size), "the sub-block directory")


def test_a_directory_without_room_for_its_count_is_refused() -> None:
    built = build_czi([Tile()])
    refused(built.cut(built.directory + FIRST_ENTRY - 1), "truncated")


def test_a_file_cut_off_in_its_directory_is_refused() -> None:
    refused(FILE.cut(len(FILE.data) - 40), r"the sub-block directory .* truncated")


def test_an_unknown_dimension_is_named_with_its_sub_block() -> None:
    built = FILE.patched(FILE.entries[1] + 32, "<4s", b"Q")
    refused(built, r"sub-block 1 of built\.czi has the unknown dimension b'Q'; a CZI has X, Y, M")


@pytest.mark.parametrize("letter", [b"\0", b"\xff", b"\xb5", b"?", b" X"])
def test_other_bytes_are_unknown_dimensions(letter: bytes) -> None:
    refused(FILE.patched(FILE.entries[0] + 32, "<4s", letter), "unknown dimension")


def test_the_place_that_stands_for_absent_cannot_be_used() -> None:
    built = build_czi([Tile(), Tile(coordinates={"C": -(2**31)})])
    refused(built, "sub-block 1 .* no usable place in C")


def test_the_oldest_kind_of_entries_is_not_supported() -> None:
    built = FILE.patched(FILE.entries[1], "<2s", b"DE")
    with pytest.raises(UnsupportedDataError, match=r"entry 1 .* schema DE"):
        check_document(built.source())


@pytest.mark.parametrize("position", [5, 544, -1, 2**62])
def test_a_wrong_position_of_the_attachment_directory_is_refused(position: int) -> None:
    refused(FILE.patched(104, "<q", position), "the attachment directory")


@pytest.mark.parametrize("count", [-1, 100, 2**31 - 1])
def test_a_wrong_number_of_attachments_is_refused(count: int) -> None:
    built = FILE.patched(FILE.attachment_directory + 32, "<i", count)
    refused(built, "the attachment directory")


def test_damage_in_metadata_does_not_keep_a_file_closed() -> None:
    assert read(FILE.patched(92, "<q", 2**40)).count == 3


ODD = [
    (Tile(dimensions=[Dimension(b"Y", 0, 3)], data=b""), "no X"),
    (Tile(dimensions=[Dimension(b"X", 0, 3)], data=b""), "no Y"),
    (
        Tile(dimensions=[*Tile().all_dimensions(), Dimension(b"C", 0, 2, 1)]),
        "a size other than 1 .* C",
    ),
    (Tile(dimensions=[*Tile().all_dimensions(), Dimension(b"Z", 0, 1, 0)]), "a stored size .* Z"),
    (
        Tile(dimensions=[*Tile().all_dimensions(), Dimension(b"M", 0, 5)]),
        "a size other than 1 .* M",
    ),
    (
        Tile(dimensions=[*Tile().all_dimensions(), Dimension(b"S", 0, 0, 1)]),
        "a size other than 1 .* S",
    ),
]


@pytest.mark.parametrize(("odd", "problem"), ODD, ids=[problem for _, problem in ODD])
def test_strict_checks_refuse_what_lax_ones_accept(odd: Tile, problem: str) -> None:
    built = build_czi([Tile(), odd, odd])
    assert read(built).count == 3
    refused(built, f"sub-block 1 of built.czi has {problem}", strict=True)


def test_strict_checks_accept_what_is_right() -> None:
    tiles = [Tile(coordinates={"C": 0, "S": 1}, m=3), Tile(w=8, h=6, physical=(4, 3), m=0)]
    assert read(build_czi(tiles), strict=True).count == 2


@pytest.mark.parametrize("ignore", [False, True])
def test_the_size_of_m_in_a_pyramid_can_be_let_pass(ignore: bool) -> None:
    base = Tile(w=8, h=6, physical=(4, 3))
    built = build_czi([Tile(dimensions=[*base.all_dimensions(), Dimension(b"M", 0, 9)], data=b"")])
    if ignore:
        assert read(built, strict=True, ignore_sizem_for_pyramid=True).count == 1
    else:
        refused(built, "size other than 1 in dimension M", strict=True)


def test_the_size_of_m_on_layer_0_is_never_let_pass() -> None:
    odd = Tile(dimensions=[*Tile().all_dimensions(), Dimension(b"M", 0, 9)])
    refused(build_czi([odd]), "dimension M", strict=True, ignore_sizem_for_pyramid=True)


def test_ignoring_the_size_of_m_means_nothing_to_lax_checks() -> None:
    odd = Tile(dimensions=[*Tile().all_dimensions(), Dimension(b"M", 0, 9)])
    assert read(build_czi([odd]), ignore_sizem_for_pyramid=True).count == 1


def test_strict_checks_refuse_what_is_no_entry() -> None:
    built = FILE.patched(FILE.entries[1], "<2s", b"??")
    refused(built, r"entry 1 .* unknown schema b'\?\?'", strict=True)


def test_the_first_sub_block_at_fault_is_named() -> None:
    late = Tile(dimensions=[Dimension(b"C", 0, 2), Dimension(b"X", 0, 4), Dimension(b"Y", 0, 3)])
    early = Tile(dimensions=[Dimension(b"X", 0, 4), Dimension(b"Y", 0, 3), Dimension(b"C", 0, 2)])
    refused(build_czi([Tile(), early, late]), "sub-block 1 ", strict=True)
