"""The search for segments in damaged files: what is found, what is believed, how long it takes."""

from __future__ import annotations

import io
import struct

import pytest

from container.czi_bytes import AttachedFile, Built, Tile, build_czi, segment
from czictypes.container.file_source import StreamSource
from czictypes.container.found import FAULTS, KINDS, FoundSegments
from czictypes.container.layout import ATTACHMENT, METADATA, SUBBLOCK
from czictypes.container.scan import find_segments

NESTED = build_czi([Tile(w=9, h=7)])
FILE_LABEL = AttachedFile(b"Label", b"CZI", NESTED.data)
FILE = build_czi([Tile(), Tile(x=4, w=20, h=30), Tile(x=24)], attachments=[FILE_LABEL])


def find(data: bytes) -> FoundSegments:
    return find_segments(StreamSource(io.BytesIO(data), name="damaged.czi"))


def positions(data: bytes, kind: str = SUBBLOCK) -> list[int]:
    found = find(data)
    return found.position[found.rows(kind)].tolist()


def overwritten(built: Built, position: int, size: int, byte: bytes = b"\xff") -> bytes:
    return built.patched(position, f"{size}s", byte * size).data


def test_all_segments_of_a_whole_file_are_found() -> None:
    found = find(FILE.data)
    assert [KINDS[kind] for kind in found.kind] == [
        "ZISRAWFILE", *3 * [SUBBLOCK], METADATA, ATTACHMENT, "ZISRAWATTDIR", "ZISRAWDIRECTORY",
    ]  # fmt: skip
    assert not found.fault.any()
    assert found.position[found.rows(SUBBLOCK)].tolist() == FILE.subblocks


def test_little_of_whole_segments_is_read() -> None:
    class Counting(StreamSource):
        count = 0

        def _read(self, offset: int, count: int) -> bytes:
            Counting.count += count
            return super()._read(offset, count)

    built = build_czi([Tile(w=1000, h=1000) for _ in range(8)])
    found = find_segments(Counting(io.BytesIO(built.data)))
    assert len(found.rows(SUBBLOCK)) == 8
    assert Counting.count < 20_000


@pytest.mark.parametrize("which", range(3))
def test_segments_behind_a_lost_head_are_found(which: int) -> None:
    data = overwritten(FILE, FILE.subblocks[which], 48)
    assert positions(data) == [at for at in FILE.subblocks if at != FILE.subblocks[which]]


def test_a_document_in_an_attachment_stays_its_content() -> None:
    data = overwritten(FILE, FILE.attachment_directory, 16)  # nothing follows the attachment
    assert positions(data) == FILE.subblocks
    assert positions(data, ATTACHMENT) == FILE.attachments


def test_a_document_in_a_lost_attachment_is_known_by_its_position() -> None:
    found = find(overwritten(FILE, FILE.attachments[0], 16))
    rows = found.rows(SUBBLOCK)
    assert found.is_located[rows].tolist() == [True, True, True, False]
    assert found.own_position[rows[-1]] == NESTED.subblocks[0]


def test_a_segment_cut_off_keeps_its_entry() -> None:
    found = find(FILE.data[: FILE.subblocks[1] + 400])
    (row,) = found.rows(SUBBLOCK, 1)
    assert FAULTS[found.fault[row]] == "the file ends within it"
    assert found.entry(row) == Tile(x=4, w=20, h=30).entry(FILE.subblocks[1])


def test_segments_within_a_wrong_size_are_found() -> None:
    head = FILE.subblocks[0]
    for used, data_size in ((5000, 5000 - 256), (300, 100)):
        built = FILE.patched(head + 16, "<qq", 5024, used).patched(head + 40, "<q", data_size)
        assert positions(built.data) == FILE.subblocks[1:], (used, data_size)


def test_an_id_in_pixels_is_not_a_segment() -> None:
    inside = Tile(w=3).segment(0)
    for fake in (
        b"ZISRAWSUBBLOCK".ljust(16, b"\0"),
        segment(b"ZISRAWMETADATA", bytes(300)),
        inside,
    ):
        pixels = fake.ljust(1000, b"\7")
        built = build_czi([Tile(w=100, h=10, data=pixels), Tile()])
        assert positions(overwritten(built, built.subblocks[1], 16)) == built.subblocks[:1]
        assert positions(built.data) == built.subblocks


@pytest.mark.parametrize("missing", [0, 13, 600], ids=lambda count: f"{count} bytes missing")
def test_a_copy_of_a_head_hides_no_segment(missing: int) -> None:
    """It claims the bytes in which a whole segment begins, even the one that it is a copy of."""
    built = build_czi([Tile(w=40, h=30) for _ in range(5)])
    third = built.subblocks[2]
    for copied in built.subblocks[1:]:
        data = bytearray(built.data)
        data[third - 600 : third - 300] = data[copied : copied + 300]
        del data[: built.subblocks[0] + missing]
        left = [at - built.subblocks[0] - missing for at in built.subblocks[2:]]
        assert set(left) <= set(positions(bytes(data))), copied


def test_a_header_of_an_inner_document_is_no_end_of_a_segment() -> None:
    """Bytes are missing, so that the label begins where the last sub-block seems to end."""
    built = build_czi([Tile(), Tile(w=40, h=30), Tile()], attachments=[FILE_LABEL])
    second, third = built.subblocks[1:]
    missing = built.attachments[0] + 288 - third
    data = built.data[: second + 400] + built.data[second + 400 + missing :]
    assert third - missing in positions(data)


def test_segments_are_found_wherever_missing_bytes_move_them() -> None:
    cut = FILE.data[:600] + FILE.data[613:]
    assert positions(cut) == [at - 13 for at in FILE.subblocks[1:]]
    assert positions(FILE.data[FILE.subblocks[1] - 7 :]) == [
        7,
        7 + FILE.subblocks[2] - FILE.subblocks[1],
    ]


def test_a_segment_that_lost_bytes_does_not_end_with_the_file() -> None:
    """Its end, as it claims it, lies a few bytes before that of the file."""
    built = build_czi([Tile(w=30, h=20, data=b"x" * 600), Tile(w=1, h=1)], metadata=None)
    first, second = built.subblocks
    for left in (0, 1, 8, 31, 40):
        size = (built.directory - left) - (first + 288 + 600)
        cut = built.data[: first + 400] + built.data[first + 400 + size : built.directory]
        assert positions(cut) == [second - size], left


def test_a_second_xml_is_no_sign_of_a_document_in_an_attachment() -> None:
    """The header names one place for the XML; it tells nothing of where another belongs."""
    copied = FILE.data[FILE.metadata : FILE.attachments[0]]
    found = find(FILE.data + copied + segment(b"DELETED", bytes(32)))
    assert found.is_placed[found.rows(METADATA)].tolist() == [True, True]
    assert [found.entry(row) for row in found.rows(METADATA)] == [b"", b""]
    assert found.nested.tolist() == []


def test_what_was_deleted_stays_so() -> None:
    deleted = FILE.patched(FILE.subblocks[1], "16s", b"DELETED".ljust(16, b"\0"))
    assert positions(deleted.data) == [FILE.subblocks[0], FILE.subblocks[2]]


def test_sizes_that_never_add_up_are_believed() -> None:
    built = build_czi([Tile(w=10, h=10)])
    odd = built.patched(built.subblocks[0] + 24, "<q", 384)
    assert positions(odd.data) == built.subblocks


@pytest.mark.parametrize(
    "piece",
    [
        b"ZISRAWSUBBLOCK\0\0",
        b"ZISRAW",
        b"DELETED".ljust(16, b"\0"),
        struct.pack("<16sqq", b"ZISRAWDIRECTORY", 1 << 19, 1 << 19),
        struct.pack("<16sqq", b"ZISRAWMETADATA", 1 << 40, 1 << 40),
        Tile(w=1, h=1, data=b"").segment(0)[:128],
        Tile(w=1, h=1, data_size=1 << 19).segment(0)[:128],
    ],
    ids=["ids", "halves", "deleted", "directories", "sizes", "heads", "overlapping heads"],
)
def test_a_file_full_of_ids_is_read_once(piece: bytes) -> None:
    """Counted in bytes, for time depends on the machine."""

    class Counting(StreamSource):
        count = 0

        def _read(self, offset: int, count: int) -> bytes:
            Counting.count += count
            return super()._read(offset, count)

    sizes = (1 << 18, 1 << 20)
    read = []
    for size in sizes:
        Counting.count = 0
        find_segments(Counting(io.BytesIO(piece * (size // len(piece)))))
        read.append(Counting.count)
    assert read[1] <= 4.5 * read[0]
    assert read[1] < 3 * sizes[1]


def test_progress_adds_up_to_the_size() -> None:
    for data in (FILE.data, overwritten(FILE, FILE.subblocks[0], 900), b"ZISRAW" * 100, b""):
        passed: list[int] = []
        find_segments(StreamSource(io.BytesIO(data)), passed.append)
        assert min(passed, default=0) >= 0
        assert sum(passed) == len(data)
