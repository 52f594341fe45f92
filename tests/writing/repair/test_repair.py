"""Repair: what is taken, what is left out, what the report says; the source stays as it is."""

from __future__ import annotations

import io
import os
import struct
import uuid
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from container.czi_bytes import (
    AttachedFile,
    Built,
    Dimension,
    Tile,
    build_czi,
    build_parts,
    write_parts,
)
from extras import needs
from files.block import Block
from files.builder import AttachmentSpec, write_czi
from files.patterns import noise
from files.recipes import Made
from files.xml import document_xml
from stored import stored_attachments, stored_blocks, stored_xml

from czictypes.czi import RepairReport, repair
from czictypes.model.errors import (
    CorruptFileError,
    CziError,
    FileChangedError,
    InvalidArgumentError,
    NotCziError,
)
from czictypes.model.pixel_types import Compression, PixelType
from czictypes.reading.reader import CziReader

_GONE = b"\xff"


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "repaired.czi"


def tile(t: int, **changes: object) -> Tile:
    pixels = noise(PixelType.Gray8, 3, 4, t).tobytes()
    given = {"coordinates": {"C": 0, "T": t}, "data": pixels, "metadata": b"<METADATA/>", **changes}
    return Tile(**given)  # type: ignore[arg-type]


XML = document_xml(channels=["DAPI"], scaling={"X": 1e-7})
FILE = build_czi(
    [tile(t) for t in range(5)],
    metadata=XML,
    attachments=[AttachedFile(b"Notes", b"TXT", b"free"), AttachedFile(b"More", b"TXT", b"more")],
)


def spoiled(built: Built, *pieces: tuple[int, int]) -> bytes:
    data = bytearray(built.data)
    for start, size in pieces:
        data[start : start + size] = _GONE * size
    return bytes(data)


def repaired(data: bytes, target: Path) -> RepairReport:
    return repair(io.BytesIO(data), target)


def times(path: Path) -> list[int]:
    with CziReader(path) as document:
        return sorted(document.subblocks["T"].tolist())


# What is whole stays as it is


def test_a_whole_file_is_copied_byte_by_byte(every_made: Made, target: Path) -> None:
    if not every_made.blocks:
        with pytest.raises(CorruptFileError, match="nothing can be recovered"):
            repair(every_made.path, target)
        return
    report = repair(every_made.path, target)
    assert (report.directory, len(report.lost), len(report.doubtful)) == ("kept", 0, 0)
    assert report.is_complete
    assert stored_blocks(target) == stored_blocks(every_made.path)
    assert stored_attachments(target) == stored_attachments(every_made.path)
    assert stored_xml(every_made.path) in (b"", stored_xml(target))


def test_a_real_file_without_directory_and_header(every_real_file: Path, target: Path) -> None:
    data = bytearray(every_real_file.read_bytes())
    (directory,) = struct.unpack_from("<q", data, 84)
    data[:544] = bytes(544)
    data[directory : directory + 200] = bytes(200)
    report = repaired(bytes(data), target)
    assert (report.directory, report.metadata) == ("rebuilt", "kept")
    assert stored_blocks(target) == stored_blocks(every_real_file)
    assert stored_attachments(target) == stored_attachments(every_real_file)


# What is lost


def test_lost_tiles_are_named_by_plane_and_place(target: Path) -> None:
    report = repaired(spoiled(FILE, (FILE.subblocks[2], 60)), target)
    assert list(map(str, report.lost)) == ["C=0 T=2, 4 x 3 at 0, 0: its segment is destroyed"]
    assert (report.sub_blocks, report.directory, report.is_complete) == (4, "kept", False)
    assert times(target) == [0, 1, 3, 4]


def test_a_truncated_file_keeps_what_came_before(target: Path) -> None:
    report = repaired(FILE.data[: FILE.subblocks[3] + 290], target)
    assert times(target) == [0, 1, 2]
    assert [lost.reason for lost in report.lost] == ["the file ends within it"]
    assert (report.directory, report.metadata) == ("rebuilt", "rebuilt")
    assert report.lost_attachments[0].name == "the list of attachments"


def test_a_directory_in_front_tells_what_the_end_held(tmp_path: Path, target: Path) -> None:
    blocks = [Block(noise(PixelType.Gray8, 30, 40, t), plane={"C": 0, "T": t}) for t in range(5)]
    path = write_czi(tmp_path / "source.czi", blocks, metadata=XML, reserved=8)
    with CziReader(path) as document:
        third = int(document.subblocks["file_position"][2])
    report = repaired(path.read_bytes()[: third + 500], target)
    assert [(one.plane["T"], one.reason) for one in report.lost] == [
        (2, "the file ends within it"),
        (3, "the file ends before it"),
        (4, "the file ends before it"),
    ]
    assert (report.directory, report.metadata, report.unknown_bytes) == ("kept", "kept", 0)
    assert stored_xml(target) == XML


def test_damaged_compressed_pixels_are_lost(tmp_path: Path, target: Path) -> None:
    zstd = Compression.Zstd1
    blocks = [
        Block(
            np.tile(noise(PixelType.Gray8, 30, 20, t), (1, 9, 1)), plane={"T": t}, compression=zstd
        )
        for t in range(2)
    ]
    path = write_czi(tmp_path / "source.czi", blocks)
    with CziReader(path) as document:
        position = int(document.subblocks["file_position"][1])
    data = bytearray(path.read_bytes())
    data[position + 300 : position + 340] = _GONE * 40  # of the first block's header
    report = repaired(bytes(data), target)
    (lost,) = report.lost
    assert (lost.plane, lost.position) == ({"T": 1}, position)
    assert "cannot be decompressed" in lost.reason


def test_an_interrupted_acquisition_is_complete_up_to_there(target: Path) -> None:
    """Neither directory nor XML are written yet; the header names none."""
    unfinished = FILE.patched(84, "<qq", 0, 0).patched(104, "<q", 0).data[: FILE.metadata]
    report = repaired(unfinished, target)
    assert (report.sub_blocks, len(report.lost), report.unknown_bytes) == (5, 0, 0)
    assert (report.directory, report.metadata, report.is_complete) == ("rebuilt", "rebuilt", True)


def test_a_directory_that_is_being_updated_does_not_count(target: Path) -> None:
    listed = FILE.entries[:2]
    size = listed[1] - listed[0]
    short = FILE.patched(FILE.directory + 32, "<i", 2)
    short = short.patched(FILE.directory + 24, "<q", 128 + 2 * size)
    assert repaired(short.data, target).unlisted == 3
    pending = short.patched(100, "<i", 1)
    target.unlink()
    assert repaired(pending.data, target).sub_blocks == 5


# Directory against segments


def test_deleted_tiles_stay_deleted_while_the_directory_is_whole(target: Path) -> None:
    tiles = [tile(0), tile(1), tile(0, data=bytes(12))]
    built = build_czi(tiles, metadata=XML)
    kept = build_czi(tiles[:2], metadata=XML)
    old = bytes(built.data[built.subblocks[2] : built.metadata])
    data = kept.data + old.replace(
        struct.pack("<q", built.subblocks[2]), struct.pack("<q", len(kept.data))
    )
    report = repaired(data, target)
    assert (report.sub_blocks, report.unlisted, report.is_complete) == (2, 1, True)


def test_of_several_at_a_place_the_later_one_wins_without_directory(target: Path) -> None:
    built = build_czi([tile(0), tile(1), tile(0, data=b"x" * 12)])
    report = repaired(spoiled(built, (built.directory, 400)), target)
    assert (report.sub_blocks, report.superseded) == (2, 1)
    with CziReader(target) as document:
        assert (document.read(plane={"T": 0}) == ord("x")).all()


def test_a_damaged_entry_does_not_hide_its_tile(target: Path) -> None:
    position = FILE.entries[3] + 6
    for wrong in (0, 700, FILE.subblocks[1], 1 << 40, -5):
        target.unlink(missing_ok=True)
        report = repaired(FILE.patched(position, "<q", wrong).data, target)
        assert (report.sub_blocks, report.directory) == (5, "rebuilt"), wrong
        assert not report.lost
    target.unlink()
    report = repaired(FILE.patched(position, "<qi", 700, 99).data, target)  # in another file
    assert (report.sub_blocks, report.directory, len(report.lost)) == (5, "rebuilt", 0)


def test_the_segment_is_believed_where_the_directory_differs(target: Path) -> None:
    x = FILE.entries[3] + 32 + 4
    report = repaired(FILE.patched(x, "<i", 77).data, target)
    assert [one.plane for one in report.doubtful] == [{"C": 0, "T": 3}]
    with CziReader(target) as document:
        assert document.total_bounding_rectangle == (0, 0, 4, 3)


def test_a_label_is_not_taken_for_the_image(target: Path) -> None:
    label = build_czi([Tile(w=9, h=7)], metadata=document_xml(channels=["label"]))
    built = build_czi(
        [tile(t) for t in range(3)],
        metadata=XML,
        attachments=[AttachedFile(b"Label", b"CZI", label.data)],
    )
    head = built.attachments[0]
    lists = (built.directory, 400)
    for pieces in (
        [(head, 16)],
        [(0, 544), (head, 300)],
        [(head, 300), lists],
        [(0, 544), (head, 16), (built.metadata, 16), lists],
    ):
        target.unlink(missing_ok=True)
        report = repaired(spoiled(built, *pieces), target)
        assert (times(target), report.sub_blocks) == ([0, 1, 2], 3), pieces
        assert b"label" not in stored_xml(target)


LABEL = build_czi([Tile(w=9, h=7)], metadata=document_xml(channels=["label"]))
LABELLED = build_czi(
    [tile(t, data=noise(PixelType.Gray8, 30, 40, t).tobytes(), w=40, h=30) for t in range(3)],
    metadata=XML,
    attachments=[AttachedFile(b"Label", b"CZI", LABEL.data), AttachedFile(b"Notes", b"TXT", b"1")],
)


@pytest.mark.parametrize("header", [0, 544], ids=["header", "no header"])
@pytest.mark.parametrize("front", [0, 700], ids=["all", "cut in front"])
def test_a_label_does_not_stand_in_for_a_lost_image(front: int, header: int, target: Path) -> None:
    """No tile of the image is left, and neither the attachment nor the label has its head."""
    first, head = LABELLED.subblocks[0], LABELLED.attachments[0]
    data = spoiled(LABELLED, (first, head + 288 + 544 - first), (0, header))[front:]
    with pytest.raises(CorruptFileError, match="nothing can be recovered"):
        repaired(data, target)


def test_a_label_does_not_speak_for_the_image(target: Path) -> None:
    """Its directory is whole, that of the image is not, and the front of the file is lost."""
    head = LABELLED.attachments[0]
    pieces = (head, 288 + 544), (LABELLED.directory, 200)
    data = spoiled(LABELLED, *pieces)[LABELLED.subblocks[1] - 40 :]
    report = repaired(data, target)
    assert (times(target), report.directory) == ([1, 2], "rebuilt")
    assert report.attachments == ["Notes"]
    assert stored_xml(target) == XML


def test_of_two_copies_of_a_tile_the_whole_one_is_taken(target: Path) -> None:
    """A piece of the file was written over what is in front of it, and bytes are missing there."""
    second, third = LABELLED.subblocks[1:]
    for size in (400, 1000):  # of the copy: less than the tile has
        data = bytearray(LABELLED.data)
        at = second + 300 - 64
        data[at : at + size] = data[third : third + size]
        del data[600:613]
        target.unlink(missing_ok=True)
        repaired(bytes(data), target)
        with CziReader(target) as document:
            pixels = document.read(plane={"T": 2}, roi=(0, 0, 40, 30))
            assert np.array_equal(pixels, noise(PixelType.Gray8, 30, 40, 2)), size


# Metadata and attachments


def test_attachments_that_moved_are_kept(target: Path) -> None:
    report = repaired(FILE.data[:700] + FILE.data[707:], target)
    assert report.attachments == ["Notes", "More"]
    assert [data for _, _, _, data in stored_attachments(target)] == [b"free", b"more"]
    assert stored_xml(target) == XML


@pytest.mark.parametrize(
    ("offset", "layout", "value"),
    [(32, "<i", 0), (32, "<i", 1), (288 + 12, "<q", -1), (288, "2s", b"??"), (24, "<q", 5)],
    ids=["none", "one", "position", "schema", "size"],
)
def test_a_damaged_list_of_attachments_hides_none(
    offset: int, layout: str, value: int | bytes, target: Path
) -> None:
    damaged = FILE.patched(FILE.attachment_directory + offset, layout, value)
    assert sorted(repaired(damaged.data, target).attachments) == ["More", "Notes"]


def test_lost_xml_is_made_from_the_pixels(tmp_path: Path, target: Path) -> None:
    name = FILE.data.index(b"DAPI")
    report = repaired(spoiled(FILE, (name + 1, 2)), target)
    assert report.metadata == "repaired"
    assert "D\ufffd\ufffdI" in stored_xml(target).decode()
    target.unlink()
    report = repaired(spoiled(FILE, (FILE.metadata, 40)), target)
    assert (report.metadata, report.is_complete) == ("rebuilt", False)
    xml = stored_xml(target).decode()
    assert "<SizeX>4</SizeX><SizeY>3</SizeY>" in xml
    assert "<SizeT>5</SizeT>" in xml
    assert "<PixelType>Gray8</PixelType>" in xml


def test_attachments_are_kept_where_whole(target: Path) -> None:
    report = repaired(spoiled(FILE, (FILE.attachments[0], 16)), target)
    assert report.attachments == ["More"]
    assert report.lost_attachments == [("Notes", "its segment is destroyed")]
    target.unlink()
    report = repaired(spoiled(FILE, (FILE.attachment_directory, 300)), target)
    assert report.attachments == ["Notes", "More"]
    assert [(name, data) for name, _, _, data in stored_attachments(target)] == [
        ("Notes", b"free"), ("More", b"more"),
    ]  # fmt: skip


def test_masks_and_metadata_of_tiles_stay(made: Callable[[str], Made], target: Path) -> None:
    path = made("masked").path
    data = bytearray(path.read_bytes())
    data[84:92] = bytes(8)
    repaired(bytes(data), target)
    assert stored_blocks(target) == stored_blocks(path)


@pytest.mark.parametrize("label", [Compression.JpegXr, Compression.Zstd0, 2, 1000])
def test_tiles_with_a_wrong_label_are_whole(label: int, tmp_path: Path, target: Path) -> None:
    block = Block(noise(PixelType.Gray8, 30, 40, 1), label=label)
    path = write_czi(tmp_path / "source.czi", [block])
    data = bytearray(path.read_bytes())
    data[84:92] = bytes(8)
    assert repaired(bytes(data), target).sub_blocks == 1
    assert stored_blocks(target) == stored_blocks(path)


def test_sub_blocks_of_several_planes_stay_so(tmp_path: Path, target: Path) -> None:
    pixels = noise(PixelType.Gray8, 90, 40, 1)
    block = Block(pixels[:30], plane={"C": 0, "T": 0}, sizes={"T": 3}, payload=pixels.tobytes())
    path = write_czi(tmp_path / "source.czi", [block])
    data = bytearray(path.read_bytes())
    data[84:92] = bytes(8)
    repaired(bytes(data), target)
    with CziReader(target) as document:
        assert np.array_equal(document.read(plane={"T": 2}), pixels[60:])
    assert "<SizeT>3</SizeT>" in stored_xml(target).decode()


# Documents of several files


@pytest.mark.parametrize("number", [True, False], ids=["listed", "unlisted"])
def test_the_parts_of_a_document_are_searched_too(
    number: bool, tmp_path: Path, target: Path
) -> None:
    files = build_parts([tile(0)], [tile(1), tile(2)], [tile(3)], number=number)
    files[1] = replace(files[1], data=spoiled(files[1], (files[1].subblocks[0], 60)))
    path = write_parts(tmp_path / "scan.czi", files)
    report = repair(path, target)
    assert times(target) == [0, 2, 3]
    assert [one.plane["T"] for one in report.lost] == [1]
    (tmp_path / "scan (2).czi").unlink()
    if number:
        report = repair(path, target, overwrite=True)
        assert [one.reason for one in report.lost][-1] == "part 2 of the document is missing"
    elsewhere = tmp_path / "elsewhere.czi"
    elsewhere.write_bytes(files[2].data)
    repair(path, target, overwrite=True, parts={1: tmp_path / "scan (1).czi", 2: elsewhere})
    assert times(target) == [0, 2, 3]


def test_a_part_without_header_is_found_by_its_name(tmp_path: Path, target: Path) -> None:
    files = build_parts([tile(0)], [tile(1)])
    files[1] = replace(files[1], data=spoiled(files[1], (0, 544)))
    repair(write_parts(tmp_path / "scan.czi", files), target)
    assert times(target) == [0, 1]


def test_a_neighbour_of_another_document_is_left_alone(tmp_path: Path, target: Path) -> None:
    path = build_czi([tile(0)]).write(tmp_path / "scan.czi")
    build_czi([tile(1)], guids=(uuid.UUID(int=7), uuid.UUID(int=7))).write(
        tmp_path / "scan (1).czi"
    )
    repair(path, target)
    assert times(target) == [0]


# Where it reads and writes


def test_the_source_is_never_the_target(tmp_path: Path) -> None:
    source = tmp_path / "source.czi"
    source.write_bytes(FILE.data)
    hard, soft = tmp_path / "hard.czi", tmp_path / "soft.czi"
    os.link(source, hard)
    soft.symlink_to(source)
    relative = os.path.relpath(source)
    for path in (source, hard, soft, relative, str(source).encode()):
        with pytest.raises(InvalidArgumentError, match="only reads its source"):
            repair(source, path, overwrite=True)
    with source.open("r+b") as file, pytest.raises(InvalidArgumentError, match="only reads"):
        repair(source, file)
    memory = io.BytesIO(FILE.data)
    with pytest.raises(InvalidArgumentError, match="only reads"):
        repair(memory, memory)
    assert source.read_bytes() == FILE.data


def test_another_file_of_the_document_is_never_the_target(tmp_path: Path) -> None:
    path = write_parts(tmp_path / "scan.czi", build_parts([tile(0)], [tile(1)]))
    before = (tmp_path / "scan (1).czi").read_bytes()
    with pytest.raises(InvalidArgumentError, match="only reads its source"):
        repair(path, tmp_path / "scan (1).czi", overwrite=True)
    assert (tmp_path / "scan (1).czi").read_bytes() == before


def test_a_local_url_is_the_same_file(tmp_path: Path) -> None:
    needs("fsspec", "remote")
    source = tmp_path / "source.czi"
    source.write_bytes(FILE.data)
    with pytest.raises(InvalidArgumentError, match="only reads its source"):
        repair(f"file://{source}", source, overwrite=True)
    assert source.read_bytes() == FILE.data


def test_a_file_at_a_url_is_repaired(target: Path) -> None:
    memory = needs("fsspec", "remote").filesystem("memory")
    memory.pipe("/broken.czi", spoiled(FILE, (FILE.directory, 16)))
    try:
        assert repair("memory://broken.czi", target).sub_blocks == 5
    finally:
        memory.rm("/broken.czi")


def test_file_objects_are_read_and_written() -> None:
    written = io.BytesIO()
    assert repair(io.BytesIO(spoiled(FILE, (0, 16))), written).sub_blocks == 5
    with CziReader(io.BytesIO(written.getvalue())) as document:
        assert len(document.subblocks) == 5


def test_an_existing_file_stays_unless_it_may_be_replaced(target: Path) -> None:
    target.write_bytes(b"before")
    with pytest.raises(FileExistsError):
        repaired(FILE.data, target)
    assert target.read_bytes() == b"before"


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"", NotCziError),
        (b"no CZI at all" * 1000, NotCziError),
        (FILE.data[:544], CorruptFileError),
        (FILE.data[: FILE.subblocks[0] + 100], CorruptFileError),
    ],
    ids=["empty", "other", "header", "cut"],
)
def test_nothing_is_left_where_nothing_can_be_recovered(
    data: bytes, error: type[CziError], tmp_path: Path
) -> None:
    with pytest.raises(error, match=r"not a CZI file|nothing can be recovered"):
        repaired(data, tmp_path / "target.czi")
    assert not list(tmp_path.iterdir())


def test_an_interrupt_leaves_nothing(tmp_path: Path) -> None:
    def interrupt(done: int, total: int) -> None:
        if done > total * 3 // 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        repair(io.BytesIO(FILE.data), tmp_path / "target.czi", progress=interrupt)
    assert not list(tmp_path.iterdir())


def test_a_source_that_changes_is_noticed(tmp_path: Path, target: Path) -> None:
    source = tmp_path / "source.czi"
    source.write_bytes(FILE.data)

    def change(done: int, total: int) -> None:
        with source.open("r+b") as file:
            file.seek(0, os.SEEK_END)
            file.write(b"x")

    with pytest.raises(FileChangedError, match="changed while it was repaired"):
        repair(source, target, progress=change)
    assert not target.exists()


def test_progress_ends_at_the_total(target: Path) -> None:
    calls: list[tuple[int, int]] = []
    for data in (FILE.data, spoiled(FILE, (FILE.subblocks[1], 2000))):
        repair(io.BytesIO(data), target, overwrite=True, progress=lambda *call: calls.append(call))
        assert calls[-1] == (2 * len(data), 2 * len(data))
        assert [done for done, _ in calls] == sorted(done for done, _ in calls)
        calls.clear()


def test_absurd_fields_are_no_obstacle(target: Path) -> None:
    """A head that claims billions of planes or pixels is lost, and the others are not."""
    many = [Dimension(b"X", 0, 4), Dimension(b"Y", 0, 3), Dimension(b"T", 9, 1 << 30)]
    huge = [Dimension(b"X", 0, 1 << 30), Dimension(b"Y", 0, 1 << 30), Dimension(b"T", 8)]
    nowhere = [Dimension(b"X", 0, 4), Dimension(b"Y", 0, 3), Dimension(b"T", -(2**31))]
    strange = [
        tile(5, dimensions=many), tile(6, dimensions=huge), tile(7, dimensions=nowhere),
        tile(8, pixel_type=77), tile(9, compression=4, data=b"II\xbc\x01" + bytes(60)),
    ]  # fmt: skip
    built = build_czi([tile(0), *strange, tile(1)])
    repaired(spoiled(built, (built.directory, 200)), target)
    assert {0, 1} <= set(times(target))
    with CziReader(target) as document:
        assert np.array_equal(
            document.read(plane={"T": 1}, roi=(0, 0, 4, 3))[..., 0],
            noise(PixelType.Gray8, 3, 4, 1)[..., 0],
        )


def test_other_readers_read_the_result(tmp_path: Path, target: Path, peers: ModuleType) -> None:
    blocks = [Block(noise(PixelType.Gray16, 30, 40, t), plane={"C": 0, "T": t}) for t in range(4)]
    notes = AttachmentSpec("Notes", "TXT", b"free")
    path = write_czi(tmp_path / "source.czi", blocks, metadata=XML, attachments=[notes])
    data = bytearray(path.read_bytes())
    data[84:100] = bytes(16)
    repaired(bytes(data[: len(data) * 9 // 10]), target)
    with peers.open_pylibczirw(target) as document:
        for t, block in enumerate(blocks):
            assert np.array_equal(document.read(plane={"C": 0, "T": t}), block.pixels)
    with target.open("rb") as file:
        theirs = peers.aicspylibczi().CziFile(file)
        for t, block in enumerate(blocks):
            pixels, _ = theirs.read_image(C=0, T=t)
            assert np.array_equal(pixels.reshape(30, 40), block.pixels[..., 0])
