"""add_pyramid: right pixels in every level, and nothing else changed."""

from __future__ import annotations

import io
import os
import stat
import sys
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from extras import replaces_open_files
from files.block import Block
from files.builder import AttachmentSpec, write_czi
from files.patterns import noise, pattern
from files.recipe import Made
from hypothesis import given, settings
from hypothesis import strategies as st
from pyramid_reference import assert_right_pyramid, stored_tiles

from czictypes.container.file_source import FileSource
from czictypes.container.segments import read_file_header
from czictypes.czi import PyramidOptions, add_pyramid
from czictypes.model.errors import FileChangedError, NotCziError, UnsupportedDataError
from czictypes.model.pixel_types import Compression, PixelType
from czictypes.reading.reader import CziReader

SMALL = {"tile": 8, "until": 4}
G8 = PixelType.Gray8

TYPES = [
    PixelType.Gray8,
    PixelType.Gray16,
    PixelType.Gray32Float,
    PixelType.Bgr24,
    PixelType.Bgr48,
    PixelType.Bgr96Float,
    PixelType.Bgra32,
]


@st.composite
def documents(draw: st.DrawFn) -> list[Block]:
    """Planes of one or two scenes, of tiles that overlap, leave holes, or stand alone."""
    has_scenes = draw(st.booleans())
    blocks: list[Block] = []
    for channel in range(draw(st.integers(1, 2))):
        pixel_type = draw(st.sampled_from(TYPES))
        for scene in range(draw(st.integers(1, 2)) if has_scenes else 1):
            plane = {"C": channel, **({"S": scene} if has_scenes else {})}
            for m in range(draw(st.integers(1, 4))):
                height, width = draw(st.integers(1, 30)), draw(st.integers(1, 30))
                pixels = noise(pixel_type, height, width, draw(st.integers(0, 10**6)))
                x = draw(st.integers(-40, 40)) + 200 * scene
                blocks.append(Block(pixels, x, draw(st.integers(-40, 40)), plane, m=m))
    return blocks


@settings(max_examples=40)
@given(
    documents(),
    st.integers(2, 4),
    st.integers(1, 20),
    st.integers(1, 20),
    st.sampled_from(["mean", "nearest"]),
)
def test_every_tile_of_every_level_has_the_right_pixels(
    folder: Path, blocks: list[Block], factor: int, tile: int, until: int, kind: str
) -> None:
    path = write_czi(folder / "any.czi", blocks)
    count = add_pyramid(path, PyramidOptions(factor, tile, until, kind))
    stored = stored_tiles(path)
    assert count == sum(one.is_reduced for one in stored)
    assert_right_pyramid(path, blocks, factor=factor, tile=tile, until=until, kind=kind)


def test_every_made_file_keeps_its_full_resolution(every_made: Made, tmp_path: Path) -> None:
    path = tmp_path / "copy.czi"
    path.write_bytes(every_made.path.read_bytes())
    add_pyramid(path, PyramidOptions(**SMALL))
    full = [one for one in every_made.blocks if one.is_layer0]
    if full and not every_made.converts and every_made.name != "only_pyramid":
        assert_right_pyramid(path, full, **SMALL)
    assert described(path) == described(every_made.path)


def described(path: Path) -> list[Any]:
    """Return everything of the sub-blocks in full resolution, and of the document."""
    with CziReader(path) as document:
        found: list[Any] = [document.raw_metadata]
        found += [(one.name, bytes(one.data)) for one in document.attachments]
        rows = []
        for index in range(len(document.subblocks)):
            one = document.read_subblock(index)
            if one.info.get_zoom() == 1:
                rows.append((one.info, one.raw_data, one.raw_metadata, one.attachment))
        return found + sorted(rows, key=repr)


def test_nothing_of_the_full_resolution_is_decoded_or_lost(tmp_path: Path) -> None:
    blocks = [
        Block(
            noise(PixelType.Gray16, 40, 50, 7),
            -3,
            9,
            {"Z": 2, "C": 0, "T": 5, "H": 1, "S": 3},
            m=4,
            compression=Compression.Zstd1,
            hilo=True,
            metadata=b"<METADATA><Tags><A>1</A></Tags></METADATA>",
            attachment=b"something attached",
        )
    ]
    attachments = [AttachmentSpec("Label", "JPG", b"not really a picture")]
    xml = b"<ImageDocument>\r\n  <Metadata/>\r\n</ImageDocument>\0\0"
    path = write_czi(tmp_path / "rich.czi", blocks, metadata=xml, attachments=attachments)
    before = described(path)
    with CziReader(path) as document:
        (index,) = range(len(document.subblocks))
        data = document.read_subblock(index).raw_data
    assert add_pyramid(path, PyramidOptions(**SMALL)) > 0
    assert described(path) == before
    assert data in path.read_bytes()
    assert xml in path.read_bytes()
    assert b"something attached" in path.read_bytes()


def test_levels_by_default(tmp_path: Path) -> None:
    picture = pattern(G8, 2500, 4500)
    path = write_czi(tmp_path / "large.czi", [Block(picture, m=0)])
    with CziReader(path) as document:
        assert document.needs_pyramid
    assert add_pyramid(path) == 3 * 2 + 2 * 1 + 1
    with CziReader(path) as document:
        assert not document.needs_pyramid
        levels = document.pyramid_levels()
        assert document.total_bounding_rectangle == (0, 0, 4500, 2500)
    assert [level.minification for level in levels] == [1, 2, 4, 8]


def test_an_earlier_pyramid_is_replaced(tmp_path: Path) -> None:
    blocks = [Block(noise(G8, 60, 70, 3), m=0)]
    path = write_czi(tmp_path / "twice.czi", blocks)
    add_pyramid(path, PyramidOptions(2, 8, 4))
    first = path.read_bytes()
    add_pyramid(path, PyramidOptions(3, 9, 4))
    assert_right_pyramid(path, blocks, factor=3, tile=9, until=4)
    add_pyramid(path, PyramidOptions(2, 8, 4))
    assert path.read_bytes() == first


def test_an_earlier_pyramid_is_dropped_where_none_is_needed(tmp_path: Path) -> None:
    path = write_czi(tmp_path / "small.czi", [Block(noise(G8, 60, 70, 3), m=0)])
    add_pyramid(path, PyramidOptions(**SMALL))
    assert add_pyramid(path) == 0
    assert not any(one.is_reduced for one in stored_tiles(path))


def test_a_small_image_is_left_alone(tmp_path: Path) -> None:
    path = write_czi(tmp_path / "small.czi", [Block(noise(G8, 60, 70, 3), m=0)])
    before = path.stat()
    assert add_pyramid(path) == 0
    assert path.stat().st_mtime_ns == before.st_mtime_ns
    assert path.stat().st_ino == before.st_ino


def test_the_file_keeps_its_guid_and_its_mode(tmp_path: Path) -> None:
    path = write_czi(tmp_path / "kept.czi", [Block(noise(G8, 60, 70, 3), m=0)])
    guid = guid_of(path)
    path.chmod(0o640)
    add_pyramid(path, PyramidOptions(**SMALL))
    assert guid_of(path) == guid
    if sys.platform != "win32":
        assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_a_write_protected_file_is_not_replaced(tmp_path: Path) -> None:
    path = write_czi(tmp_path / "kept.czi", [Block(noise(G8, 60, 70, 3), m=0)])
    before = path.read_bytes()
    path.chmod(0o444)
    with pytest.raises(PermissionError, match="write-protected"):
        add_pyramid(path, PyramidOptions(**SMALL))
    assert path.read_bytes() == before
    assert add_pyramid(path, PyramidOptions(**SMALL), dest=tmp_path / "new.czi")


def guid_of(path: Path) -> uuid.UUID:
    with FileSource(path) as source:
        return read_file_header(source).file_guid


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    path = write_czi(tmp_path / "real.czi", [Block(noise(G8, 60, 70, 3), m=0)])
    link = tmp_path / "link.czi"
    try:
        link.symlink_to(path)
    except OSError as error:
        pytest.skip(f"no links here ({error})")
    add_pyramid(link, PyramidOptions(**SMALL))
    assert link.is_symlink()
    assert any(one.is_reduced for one in stored_tiles(path))


def test_another_output_leaves_the_file_alone(tmp_path: Path) -> None:
    path = write_czi(tmp_path / "old.czi", [Block(noise(G8, 60, 70, 3), m=0)])
    before = path.read_bytes()
    output = tmp_path / "folder" / "new.czi"
    assert add_pyramid(path, PyramidOptions(**SMALL), dest=output) > 0
    assert path.read_bytes() == before
    assert described(output) == described(path)
    assert guid_of(output) != guid_of(path)
    with pytest.raises(FileExistsError):
        add_pyramid(path, PyramidOptions(**SMALL), dest=output)
    add_pyramid(path, dest=output, overwrite=True)
    assert not any(one.is_reduced for one in stored_tiles(output))


def test_a_file_object_can_take_the_output(tmp_path: Path) -> None:
    path = write_czi(tmp_path / "old.czi", [Block(noise(G8, 60, 70, 3), m=0)])
    target = io.BytesIO()
    count = add_pyramid(path, PyramidOptions(**SMALL), dest=target)
    (tmp_path / "new.czi").write_bytes(target.getvalue())
    assert count == sum(one.is_reduced for one in stored_tiles(tmp_path / "new.czi"))


@pytest.mark.parametrize(
    ("compression", "pixel_type"),
    [
        (Compression.Uncompressed, PixelType.Gray8),
        (Compression.Zstd0, PixelType.Bgr24),
        (Compression.Zstd1, PixelType.Gray16),
        (Compression.Zstd1, PixelType.Bgr48),
        (Compression.Zstd1, PixelType.Bgra32),
    ],
)
def test_the_tiles_are_compressed_as_the_full_resolution(
    tmp_path: Path, compression: Compression, pixel_type: PixelType
) -> None:
    blocks = [Block(noise(pixel_type, 40, 50, 3), m=0, compression=compression)]
    path = write_czi(tmp_path / "packed.czi", blocks)
    add_pyramid(path, PyramidOptions(**SMALL))
    assert {one.compression for one in stored_tiles(path)} == {compression}
    assert_right_pyramid(path, blocks, **SMALL)


def test_jpeg_xr_stays_jpeg_xr_without_loss(tmp_path: Path) -> None:
    pytest.importorskip("imagecodecs", reason="pip install 'czictypes[jpegxr]'")
    blocks = [Block(noise(PixelType.Gray16, 40, 50, 3), m=0, compression=Compression.JpegXr)]
    path = write_czi(tmp_path / "packed.czi", blocks)
    add_pyramid(path, PyramidOptions(**SMALL))
    assert {one.compression for one in stored_tiles(path)} == {Compression.JpegXr}
    assert_right_pyramid(path, blocks, **SMALL)


@pytest.mark.parametrize(
    ("asked", "pixel_type", "stored"),
    [
        ("zstd0:", PixelType.Gray8, Compression.Zstd0),
        ("uncompressed:", PixelType.Gray8, Compression.Uncompressed),
        ("jpgxr:", PixelType.Gray32Float, Compression.Zstd1),
    ],
)
def test_another_compression_can_be_asked_for(
    tmp_path: Path, asked: str, pixel_type: PixelType, stored: Compression
) -> None:
    blocks = [Block(noise(pixel_type, 40, 50, 3), m=0, compression=Compression.Zstd1)]
    path = write_czi(tmp_path / "packed.czi", blocks)
    add_pyramid(path, PyramidOptions(compression=asked, **SMALL))
    reduced = [one for one in stored_tiles(path) if one.is_reduced]
    assert {one.compression for one in reduced} == {stored}
    assert_right_pyramid(path, blocks, **SMALL)


def test_without_the_codec_jpeg_xr_becomes_zstd1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "imagecodecs", None)
    blocks = [Block(noise(G8, 40, 50, 3), m=0)]
    path = write_czi(tmp_path / "packed.czi", blocks)
    add_pyramid(path, PyramidOptions(compression="jpgxr:", **SMALL))
    reduced = [one for one in stored_tiles(path) if one.is_reduced]
    assert {one.compression for one in reduced} == {Compression.Zstd1}


def test_the_file_is_the_same_for_any_number_of_threads(tmp_path: Path) -> None:
    tiles = [
        Block(noise(PixelType.Gray16, 64, 64, 8 * y + x), 60 * x, 60 * y, {"C": c}, m=8 * y + x)
        for c in range(2)
        for y in range(5)
        for x in range(6)
    ]
    contents = set()
    for threads in (1, 2, 5):
        path = write_czi(tmp_path / f"{threads}.czi", tiles)
        add_pyramid(path, PyramidOptions(tile=16, until=9), threads=threads)
        contents.add(path.read_bytes())
    assert len(contents) == 1
    assert_right_pyramid(path, tiles, tile=16, until=9)


def test_a_tile_of_level_1_may_be_made_in_bands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("czictypes.writing.pyramid.build._BAND", 1000)
    blocks = [Block(noise(PixelType.Bgr24, 90, 70, 3), 5, 6, m=0)]
    path = write_czi(tmp_path / "bands.czi", blocks)
    add_pyramid(path, PyramidOptions(tile=32, until=10))
    assert_right_pyramid(path, blocks, tile=32, until=10)


def test_empty_areas_get_no_tiles(tmp_path: Path) -> None:
    blocks = [Block(noise(G8, 8, 8, 1), 0, 0, m=0), Block(noise(G8, 8, 8, 2), 10**6, 10**6, m=1)]
    path = write_czi(tmp_path / "far.czi", blocks)
    assert add_pyramid(path, PyramidOptions(tile=16, until=1000)) < 40


def test_progress_is_told(tmp_path: Path) -> None:
    blocks = [Block(noise(G8, 20, 20, number), 20 * number, 0, m=number) for number in range(4)]
    path = write_czi(tmp_path / "slow.czi", blocks)
    told: list[tuple[int, int]] = []
    add_pyramid(
        path, PyramidOptions(**SMALL), progress=lambda done, total: told.append((done, total))
    )
    done, totals = zip(*told)
    assert list(done) == list(range(1, totals[0] + 1))
    assert set(totals) == {4 + 5 * 2}


def test_a_bar_is_drawn(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("tqdm", reason="pip install 'czictypes[cli]'")
    path = write_czi(tmp_path / "slow.czi", [Block(noise(G8, 20, 20, 1), m=0)])
    add_pyramid(path, PyramidOptions(**SMALL), progress=True)
    assert "pyramid of slow.czi: 100%" in capsys.readouterr().err


def test_a_wrong_progress_leaves_the_file(tmp_path: Path) -> None:
    path = write_czi(tmp_path / "slow.czi", [Block(noise(G8, 20, 20, 1), m=0)])
    before = path.read_bytes()
    with pytest.raises(TypeError, match="progress"):
        add_pyramid(path, PyramidOptions(**SMALL), progress=3)  # type: ignore[arg-type]
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@replaces_open_files
def test_a_file_that_changes_meanwhile_is_not_overwritten(tmp_path: Path) -> None:
    path = write_czi(tmp_path / "busy.czi", [Block(noise(G8, 20, 20, 1), m=0)])
    other = write_czi(tmp_path / "other.czi", [Block(noise(G8, 30, 30, 2), m=0)]).read_bytes()

    def change(done: int, total: int) -> None:
        if done == total:
            (tmp_path / "new.czi").write_bytes(other)
            os.replace(tmp_path / "new.czi", path)  # noqa: PTH105

    with pytest.raises(FileChangedError, match=r"busy\.czi"):
        add_pyramid(path, PyramidOptions(**SMALL), progress=change)
    assert path.read_bytes() == other
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["busy.czi", "other.czi"]


def test_what_is_no_czi_says_so(tmp_path: Path) -> None:
    path = tmp_path / "no.czi"
    path.write_bytes(b"nothing of the kind" * 100)
    with pytest.raises(NotCziError, match=r"no\.czi"):
        add_pyramid(path)
    with pytest.raises(FileNotFoundError):
        add_pyramid(tmp_path / "missing.czi")
    assert [entry.name for entry in tmp_path.iterdir()] == ["no.czi"]


def test_pixels_that_cannot_be_decoded_leave_the_file(tmp_path: Path) -> None:
    blocks = [
        Block(noise(G8, 40, 40, 1), m=0),
        Block(noise(G8, 40, 40, 2), 40, m=1, compression=Compression.Lzw, payload=b"lzw"),
    ]
    path = write_czi(tmp_path / "lzw.czi", blocks)
    before = path.read_bytes()
    with pytest.raises(UnsupportedDataError, match="Lzw"):
        add_pyramid(path, PyramidOptions(**SMALL))
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_the_command_line_does_it_as_well(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from czictypes.cli.main import main

    blocks = [Block(noise(G8, 60, 70, 1), m=0)]
    path = write_czi(tmp_path / "file.czi", blocks)
    call: Callable[..., int] = lambda *more: main(["pyramid", *map(str, more)])  # noqa: E731
    assert call(path, "--factor", 3, "--tile", 9, "--until", 4) == 0
    assert "pyramid tiles written" in capsys.readouterr().out
    assert_right_pyramid(path, blocks, factor=3, tile=9, until=4)
    assert call(path) == 0
    assert "no pyramid" in capsys.readouterr().out
    output = tmp_path / "new.czi"
    assert call(path, "-o", output, "--until", 8, "--filter", "nearest", "--tile", 8) == 0
    assert_right_pyramid(output, blocks, tile=8, until=8, kind="nearest")
    capsys.readouterr()
    assert call(path, "-o", output) == 3
    assert "--overwrite replaces it" in capsys.readouterr().err
    assert call(path, "-o", output, "--force") == 0
    for wrong in (["--factor", "one"], ["--factor", "1"], ["--compression", "zip"]):
        assert call(path, *wrong) == 2


def test_float_pixels_keep_their_mean(tmp_path: Path) -> None:
    blocks = [Block(noise(PixelType.Gray64Float, 33, 47, 5), -9, -8, m=0)]
    path = write_czi(tmp_path / "float.czi", blocks)
    add_pyramid(path, PyramidOptions(**SMALL))
    reduced = [one for one in stored_tiles(path) if one.is_reduced]
    assert all(one.pixels.dtype == np.float64 for one in reduced)
    assert_right_pyramid(path, blocks, **SMALL)


@pytest.mark.parametrize("axis", "xy")
def test_a_scene_that_spans_more_than_a_tile_can_cover_gets_no_pyramid(
    tmp_path: Path, axis: str
) -> None:
    ends = [{axis: -(2**31)}, {axis: 2**31 - 9}]
    pixels = np.ones((4, 4, 1), np.uint8)
    blocks = [Block(pixels, m=m, **end) for m, end in enumerate(ends)]
    source = write_czi(tmp_path / "far.czi", blocks)
    with pytest.raises(UnsupportedDataError, match=r"far\.czi spans .*more than a tile"):
        add_pyramid(source, dest=tmp_path / "out.czi")
    assert not (tmp_path / "out.czi").exists()
