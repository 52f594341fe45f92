"""Moving sub-blocks and attachments: the same bytes before and after, and damage is not spread."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from container.czi_bytes import AttachedFile, Tile, build_czi
from files.block import Block as MadeBlock
from files.builder import AttachmentSpec, write_czi
from files.recipes import Made
from stored import open_document, stored_attachments, stored_blocks, stored_xml

from czictypes import czi
from czictypes.model.errors import CorruptFileError, DamagedTileWarning, UnsupportedDataError
from czictypes.model.pixel_types import Compression
from czictypes.reading.reader import CziReader
from czictypes.writing.assembly import Assembly
from czictypes.writing.new_segments import EncodedSubBlock
from czictypes.writing.transfer import transfer_attachments, transfer_sub_blocks


def move_all(source: Path, target: Path, threads: int = 1) -> None:
    with open_document(source) as document:
        assembly = Assembly(target)
        try:
            everything = np.arange(document.directory.count)
            transfer_sub_blocks(
                document.source, document.directory, everything, assembly.add, threads=threads
            )
            transfer_attachments(document.source, document.attachment_entries, assembly)
            assembly.write_metadata(document.xml)
            assembly.commit()
        finally:
            assembly.abort()


@pytest.mark.parametrize("threads", [1, 3])
def test_made_files_move_whole(every_made: Made, tmp_path: Path, threads: int) -> None:
    target = tmp_path / "moved.czi"
    move_all(every_made.path, target, threads)
    assert stored_blocks(target) == stored_blocks(every_made.path)
    assert stored_attachments(target) == stored_attachments(every_made.path)


def test_real_files_move_whole(every_real_file: Path, tmp_path: Path) -> None:
    target = tmp_path / "moved.czi"
    move_all(every_real_file, target, threads=2)
    assert stored_blocks(target) == stored_blocks(every_real_file)
    assert stored_attachments(target) == stored_attachments(every_real_file)
    assert stored_xml(target) == stored_xml(every_real_file)


def test_what_libczi_cannot_decode_moves_too(tmp_path: Path) -> None:
    pixels = np.zeros((4, 4), np.uint8)
    payload = b"\xff\xd8 not looked into \xff\xd9"
    block = MadeBlock(pixels, compression=Compression.Jpg, payload=payload)
    source = write_czi(tmp_path / "jpg.czi", [block])
    move_all(source, tmp_path / "moved.czi")
    with CziReader(tmp_path / "moved.czi") as document:
        assert document.read_subblock(0).raw_data == payload
        assert document.read_subblock(0).info.compressionModeRaw == Compression.Jpg


def test_a_name_that_is_no_utf8_is_kept_as_far_as_it_can_be_read(tmp_path: Path) -> None:
    source = write_czi(
        tmp_path / "a.czi",
        [MadeBlock(np.zeros((4, 4), np.uint8))],
        attachments=[AttachmentSpec("N" * 70, "DAT", b"bytes")],
    )
    content = source.read_bytes()
    source.write_bytes(content.replace(b"N" * 70, b"N" * 10 + b"\xe4" * 60))
    move_all(source, tmp_path / "moved.czi")
    with CziReader(tmp_path / "moved.czi") as document:
        assert document.attachments[0].name == "N" * 10 + "\ufffd" * 23
        assert document.attachments[0].data == b"bytes"


def damaged(made: Callable[[str], Made], folder: Path, name: str, change: Any) -> Path:
    """Write a copy of a made file with a change to its first sub-block's segment."""
    source = made(name).path
    with open_document(source) as document:
        segment = document.decoder.segment(0)
    content = bytearray(source.read_bytes())
    change(content, segment)
    path = folder / "damaged.czi"
    path.write_bytes(content)
    return path


def claim_far_too_many_bytes(content: bytearray, segment: Any) -> None:
    content[segment.position + 40 : segment.position + 48] = (1 << 40).to_bytes(8, "little")


def claim_no_bytes(content: bytearray, segment: Any) -> None:
    content[segment.position + 40 : segment.position + 48] = bytes(8)


def spoil_the_id(content: bytearray, segment: Any) -> None:
    content[segment.position : segment.position + 4] = b"XXXX"


@pytest.mark.parametrize("change", [claim_far_too_many_bytes, claim_no_bytes, spoil_the_id])
def test_a_damaged_sub_block_stops_the_move_and_leaves_nothing(
    made: Callable[[str], Made], tmp_path: Path, change: Any
) -> None:
    source = damaged(made, tmp_path, "mosaic", change)
    with pytest.raises(CorruptFileError, match="sub-block 0"):
        move_all(source, tmp_path / "moved.czi", threads=2)
    assert [path.name for path in tmp_path.iterdir()] == ["damaged.czi"]


def test_an_unknown_pixel_type_is_named(made: Callable[[str], Made], tmp_path: Path) -> None:
    content = bytearray(made("single").path.read_bytes())
    for start in (content.find(b"DV"), content.rfind(b"DV")):
        content[start + 2 : start + 6] = (77).to_bytes(4, "little")
    (tmp_path / "odd.czi").write_bytes(content)
    with pytest.raises(UnsupportedDataError, match="pixel type 77"):
        move_all(tmp_path / "odd.czi", tmp_path / "moved.czi")


def test_blocks_come_in_the_order_of_the_file_and_large_ones_alone(
    made: Callable[[str], Made],
) -> None:
    with open_document(made("mosaic").path) as document:
        rows = document.directory
        places = {}
        for index in range(rows.count):
            where = (rows.x[index], rows.y[index], rows.m[index], *rows.coordinate(index).items())
            places[where] = int(rows.file_position[index])
        seen: list[int] = []

        def take(block: EncodedSubBlock) -> None:
            x, y, _, _ = block.rectangle
            seen.append(places[(x, y, block.m_index, *block.coordinate.items())])

        huge = np.full(rows.count, 1 << 40)
        backwards = np.arange(rows.count)[::-1]
        transfer_sub_blocks(document.source, rows, backwards, take, threads=4, sizes=huge)
    assert seen == sorted(seen)
    assert len(seen) == len(backwards)


def test_a_type_and_name_of_wrong_bytes_are_cut_to_what_can_be_written(tmp_path: Path) -> None:
    source = tmp_path / "odd.czi"
    attached = AttachedFile(b"\xff" * 79, b"\xfe" * 8, b"data")
    source.write_bytes(build_czi([Tile()], attachments=[attached]).data)
    for number, act in enumerate((czi.copy, czi.repair, czi.add_pyramid)):
        target = tmp_path / f"{number}.czi"
        act(source, target) if act is not czi.add_pyramid else act(source, dest=target)
        with CziReader(target) as document:
            (found,) = document.attachments
            assert (found.data, len(found.name), len(found.content_file_type)) == (b"data", 26, 2)


@pytest.mark.parametrize("change", [{"w": 0}, {"h": 0}, {"w": -1}, {"physical": (-4, 3)}])
@pytest.mark.parametrize("recompress", [None, "zstd1:"])
def test_a_tile_without_pixels_is_damaged_or_left_out(
    tmp_path: Path, change: dict[str, Any], recompress: str | None
) -> None:
    source = tmp_path / "empty.czi"
    tiles = [Tile(), Tile(x=9, **{"physical": (4, 3), "data": bytes(12), **change})]
    source.write_bytes(build_czi(tiles).data)
    with pytest.raises(CorruptFileError, match=r"sub-block 1 .*empty\.czi.*damaged"):
        czi.copy(source, tmp_path / "out.czi", compression=recompress)
    with pytest.warns(DamagedTileWarning):
        report = czi.copy(source, tmp_path / "out.czi", compression=recompress, on_error="blank")
    assert report.sub_blocks == 1
