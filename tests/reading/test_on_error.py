"""What becomes of damaged tiles: an error by default, background with ``on_error="blank"``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from extras import needs
from files.block import Block
from files.builder import write_czi
from files.encode import encode
from files.patch import name_pixel_type
from files.patterns import noise
from numpy.typing import NDArray
from reading.core.made_tables import needs_kernel

from czictypes import CziImage, convert, czi, imread
from czictypes.kernel.tiles import Reads
from czictypes.model.errors import (
    CorruptFileError,
    DamagedTileWarning,
    InvalidArgumentError,
    UnsupportedDataError,
)
from czictypes.model.options import ReaderOptions
from czictypes.model.pixel_types import Compression, PixelType

G16, B24 = PixelType.Gray16, PixelType.Bgr24
BLANK = ReaderOptions(on_error="blank")


def half_frame(pixels: NDArray[Any]) -> bytes:
    """Return a zstd frame whose head is right, but whose second half is missing."""
    data = encode(Block(pixels, compression=Compression.Zstd0))
    return data[: len(data) // 2]


def row_of_tiles(folder: Path, damage: str, count: int = 5) -> tuple[Path, list[Block], int]:
    """Write tiles side by side of which one is damaged; return the file, the tiles, its place."""
    blocks = [Block(noise(G16, 40, 30, 800 + m), 30 * m, 0, {"C": 0}, m=m) for m in range(count)]
    at = 2
    pixels = blocks[at].pixels
    if damage == "too short":
        change: dict[str, Any] = {"payload": bytes(100)}
    elif damage == "not zstd":
        change = {"payload": b"nothing of the kind", "compression": Compression.Zstd1}
    elif damage == "within zstd":
        change = {"payload": half_frame(pixels), "compression": Compression.Zstd0}
    elif damage == "width below 0":
        change = {"stored": (-30, 40)}
    elif damage == "height below 0":
        change = {"stored": (30, -(2**31))}
    else:
        change = {"payload": b"raw", "label": 1000}
    blocks[at] = Block(pixels, 30 * at, 0, {"C": 0}, m=at, **change)
    return write_czi(folder / "row.czi", blocks), blocks, at


def expected_of(blocks: list[Block], at: int, value: int = 0) -> NDArray[Any]:
    tiles = [block.pixels.copy() for block in blocks]
    tiles[at][...] = value
    return np.hstack(tiles)


DAMAGES = [
    "too short", "not zstd", "within zstd", "raw data of a camera", "width below 0",
    "height below 0",
]  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_tile_is_background_and_the_others_are_read(damage: str, tmp_path: Path) -> None:
    path, blocks, at = row_of_tiles(tmp_path, damage)
    with czi.open_czi(path) as document:
        with pytest.raises(ValueError, match=f"sub-block {at} "):
            document.read()
        with pytest.warns(DamagedTileWarning, match=f"left blank: sub-block {at} ") as caught:
            found = document.read(on_error="blank")
        assert len(caught) == 1
        assert np.array_equal(found, expected_of(blocks, at))
        assert list(document.damaged_subblocks) == [at]
        white = document.read(on_error="blank", background_pixel=(1, 1, 1))  # warned of before
        assert np.array_equal(white, expected_of(blocks, at, 65535))
        with pytest.raises(ValueError, match=f"sub-block {at} "):
            document.read_subblock(at).pixels()


@pytest.mark.parametrize("options", [{}, {"cache_options": czi.CacheOptions()}, {"threads": 1}])
@pytest.mark.parametrize("masks", [False, True])
def test_as_an_option_it_holds_for_every_read(
    options: dict[str, Any], masks: bool, tmp_path: Path
) -> None:
    path, blocks, at = row_of_tiles(tmp_path, "within zstd")
    chosen = ReaderOptions(on_error="blank", enable_mask_awareness=masks)
    with czi.open_czi(path, reader_options=chosen, **options) as document:
        with pytest.warns(DamagedTileWarning):
            assert np.array_equal(document.read(), expected_of(blocks, at))
        assert not document.read(roi=(65, 5, 20, 20)).any()
        half = document.read(zoom=0.5)
        assert not half[:, 31:45].any()  # its neighbours have the pixels at its edges
        assert half[:, :29].any()
        assert document.composite().any()
        with pytest.raises(CorruptFileError):
            document.read(on_error="raise")


@pytest.mark.parametrize("compression", [Compression.Uncompressed, Compression.Zstd1])
@pytest.mark.parametrize("kind", [PixelType.Gray16, PixelType.Bgr24])
def test_a_tile_of_an_unknown_pixel_type_is_blank_too(
    kind: PixelType, compression: Compression, tmp_path: Path
) -> None:
    pictures = [noise(kind, 40, 30, 830 + m) for m in range(3)]
    blocks = [
        Block(pixels, 30 * m, 0, {"C": 0}, m=m, compression=compression)
        for m, pixels in enumerate(pictures)
    ]
    path = write_czi(tmp_path / "row.czi", blocks)
    name_pixel_type(path, 1, 77)
    with czi.open_czi(path, reader_options=BLANK) as document:
        with pytest.raises(UnsupportedDataError, match="pixel type number 77, which is unkn"):
            document.read(on_error="raise")
        with pytest.warns(DamagedTileWarning, match="sub-block 1 .* has the pixel type 77"):
            assert np.array_equal(document.read(), expected_of(blocks, 1))
        assert document.read(zoom=0.5)[:, :14].any()
        assert document.composite().any()
    with pytest.warns(DamagedTileWarning):
        found = imread(path, on_error="blank")
    assert not found[0, 0, 0, :, 30:60].any()
    assert found[0, 0, 0, :, 60:].any()


@pytest.mark.parametrize("masks", [False, True])
def test_a_damaged_tile_is_background_even_above_another(masks: bool, tmp_path: Path) -> None:
    below = Block(noise(G16, 20, 20, 820), plane={"C": 0}, m=0)
    bad = Block(below.pixels, 10, 0, {"C": 0}, m=1, payload=b"bad", compression=Compression.Zstd0)
    path = write_czi(tmp_path / "over.czi", [below, bad])
    options = ReaderOptions(enable_mask_awareness=masks)
    with czi.open_czi(path, reader_options=options) as document:
        with pytest.warns(DamagedTileWarning):
            found = document.read(on_error="blank")
        assert np.array_equal(found[:, :10], below.pixels[:, :10])
        assert not found[:, 10:].any()


@pytest.mark.parametrize("label", [0, 2])
@pytest.mark.parametrize("stored", [(-15, 20), (15, -20), (-15, -20)])
@pytest.mark.parametrize("compression", [Compression.Uncompressed, Compression.Zstd1])
def test_a_negative_stored_size_in_the_pyramid_harms_its_level_alone(
    stored: tuple[int, int], label: int, compression: Compression, tmp_path: Path
) -> None:
    full = [Block(noise(B24, 40, 30, 840 + m), 30 * m, 0, {"C": 0}, m=m) for m in range(3)]
    half: dict[str, Any] = {
        "logical": (30, 40), "compression": compression, "pyramid_type": label or None,
    }  # fmt: skip
    levels = [Block(noise(B24, 20, 15, 850 + m), 30 * m, 0, {"C": 0}, **half) for m in range(3)]
    levels[1] = Block(levels[1].pixels, 30, 0, {"C": 0}, stored=stored, **half)
    path = write_czi(tmp_path / "pyramid.czi", [*full, *levels])
    with czi.open_czi(path) as document:
        assert np.array_equal(document.read(), np.hstack([block.pixels for block in full]))
        with pytest.raises(CorruptFileError, match=r"sub-block 4 .* claims a bitmap of .*-"):
            document.read(zoom=0.5)
        with pytest.warns(DamagedTileWarning, match="left blank: sub-block 4 "):
            found = document.read(zoom=0.5, on_error="blank")
        assert np.array_equal(found, expected_of(levels, 1))


@pytest.mark.parametrize("stored", [(-60, 80), (60, -80), (-1, -1)])
@pytest.mark.parametrize("planes", [1, 3])
def test_a_negative_stored_size_stops_reads_of_every_kind(
    stored: tuple[int, int], planes: int, tmp_path: Path
) -> None:
    plain = Block(noise(G16, 40, 30, 860), 30, 0, {"C": 0, "T": 0})
    sizes = {"T": planes} if planes > 1 else {}
    masked = Block(
        noise(G16, 80 * planes, 60, 861), 0, 0, {"C": 0, "T": 0}, logical=(30, 40), stored=stored,
        pyramid_type=0, sizes=sizes, mask=np.ones((80, 60), bool),
    )  # fmt: skip
    path = write_czi(tmp_path / "odd.czi", [masked, plain])
    for options in (ReaderOptions(), ReaderOptions(stored_resolution=True)):
        with czi.open_czi(path, reader_options=options) as document:
            for roi in ((3, 4, 1, 1), (0, 0, 30, 40), None):
                with pytest.raises(CorruptFileError, match=r"sub-block 0 .* claims a bitmap"):
                    document.read(roi, {"T": planes - 1})
    with czi.open_czi(path) as document:
        assert np.array_equal(document.read((30, 0, 30, 40), {"T": 0}), plain.pixels)
    with czi.open_czi(path, reader_options=ReaderOptions(enable_mask_awareness=True)) as document:
        block = document.read_subblock(0)
        for attempt in (document.read, document.valid_pixels, block.pixels, lambda: block.mask):
            with pytest.raises(CorruptFileError, match=r"sub-block 0 .* claims a bitmap"):
                attempt()
    with CziImage(path) as image, pytest.raises(CorruptFileError, match="sub-block 0 "):
        image.asarray()
    with pytest.raises(CorruptFileError, match="sub-block 0 "):
        czi.add_pyramid(path, dest=tmp_path / "new.czi")


@pytest.mark.parametrize("damage", ["too short", "width below 0", "height below 0"])
@pytest.mark.parametrize("mosaic", [True, False])
def test_arrays_have_it_too(mosaic: bool, damage: str, tmp_path: Path) -> None:
    path, blocks, at = row_of_tiles(tmp_path, damage)
    with CziImage(path, on_error="blank", mosaic=mosaic) as image:
        with pytest.warns(DamagedTileWarning):
            found = image.asarray()
        if mosaic:
            assert np.array_equal(found[0, 0, 0], expected_of(blocks, at)[..., 0])
        else:
            assert not found[0, 0, 0, at].any()
            assert np.array_equal(found[0, 0, 0, 1], blocks[1].pixels[..., 0])
        assert list(image.reader.damaged_subblocks) == [at]
    with pytest.warns(DamagedTileWarning):
        assert imread(path, on_error="blank").any()
    with pytest.raises(CorruptFileError):
        imread(path)


@pytest.mark.parametrize("damage", ["too short", "not zstd", "width below 0", "height below 0"])
def test_a_copy_leaves_it_out_and_lists_it(damage: str, tmp_path: Path) -> None:
    path, blocks, at = row_of_tiles(tmp_path, damage)
    with pytest.raises(CorruptFileError):
        czi.copy(path, tmp_path / "copy.czi")
    assert not (tmp_path / "copy.czi").exists()
    seen: list[tuple[int, int]] = []
    with pytest.warns(DamagedTileWarning):
        report = czi.copy(
            path, tmp_path / "copy.czi", on_error="blank", progress=lambda *one: seen.append(one)
        )
    assert (report.sub_blocks, list(report.damaged)) == (4, [at])
    assert seen[-1] == (5, 5)
    with czi.open_czi(tmp_path / "copy.czi") as document:
        assert np.array_equal(document.read(), expected_of(blocks, at))


def test_a_copy_that_leaves_blank_looks_within_the_data(tmp_path: Path) -> None:
    path, blocks, at = row_of_tiles(tmp_path, "within zstd")
    assert czi.copy(path, tmp_path / "as_it_is.czi").sub_blocks == 5
    with pytest.warns(DamagedTileWarning):
        report = czi.copy(path, tmp_path / "copy.czi", on_error="blank")
    assert (report.sub_blocks, list(report.damaged)) == (4, [at])
    with czi.open_czi(tmp_path / "copy.czi") as document:
        assert np.array_equal(document.read(), expected_of(blocks, at))


def test_a_copy_keeps_what_others_may_decode(tmp_path: Path) -> None:
    path, _, at = row_of_tiles(tmp_path, "raw data of a camera")
    report = czi.copy(path, tmp_path / "copy.czi", on_error="blank")
    assert (report.sub_blocks, report.damaged) == (5, {})
    with czi.open_czi(tmp_path / "copy.czi") as document:
        assert document.read_subblock(at).raw_data == b"raw"


def test_a_recompression_finds_what_is_wrong_within_the_data(tmp_path: Path) -> None:
    path, _, at = row_of_tiles(tmp_path, "within zstd")
    with pytest.warns(DamagedTileWarning):
        report = czi.copy(path, tmp_path / "new.czi", compression="zstd1:", on_error="blank")
    assert list(report.damaged) == [at]


@pytest.mark.parametrize("name", ["new.ome.zarr", "new.ome.tif", "new.tif", "new.png", "new.czi"])
def test_conversions_leave_it_out_and_list_it(name: str, tmp_path: Path) -> None:
    needs("ome_types", "ome")
    if name.endswith("zarr"):
        needs("ngff_zarr", "ome-zarr")
    path, _, at = row_of_tiles(tmp_path, "not zstd")
    with pytest.raises((ValueError, OSError), match=f"sub-block {at} "):
        convert(path, tmp_path / name)
    with pytest.warns(DamagedTileWarning):
        done = convert(path, tmp_path / name, on_error="blank", overwrite=True)
    assert list(done.damaged) == [at]
    assert list(done.to_dict()["damaged"]) == [at]


@pytest.mark.filterwarnings("always::czictypes.model.errors.DamagedTileWarning")
def test_the_command_line_warns_and_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from czictypes.cli.main import main

    path, _, at = row_of_tiles(tmp_path, "too short")
    call: Callable[..., int] = lambda *more: main([*map(str, more)])  # noqa: E731
    for arguments in (("copy", path, tmp_path / "a.czi"), ("plane", path, tmp_path / "a.npy")):
        assert call(*arguments) == 1
        assert call(*arguments, "--on-error", "blank") == 0
        assert f"warning: left blank: sub-block {at} " in capsys.readouterr().err


def test_another_word_is_refused(tmp_path: Path) -> None:
    path, _, _ = row_of_tiles(tmp_path, "too short")
    for attempt in (
        lambda: czi.open_czi(path, reader_options=ReaderOptions(on_error="ignore")),
        lambda: CziImage(path, on_error="skip"),  # type: ignore[arg-type]
        lambda: czi.copy(path, tmp_path / "x.czi", on_error="no"),  # type: ignore[arg-type]
        lambda: convert(path, tmp_path / "x.tif", on_error=""),  # type: ignore[arg-type]
    ):
        with pytest.raises(InvalidArgumentError, match='on_error must be "raise" or "blank"'):
            attempt()


@pytest.mark.parametrize("damage", DAMAGES)
def test_an_error_says_how_the_other_tiles_are_read(
    damage: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from czictypes.cli.main import main

    path, _, _ = row_of_tiles(tmp_path, damage)
    advice = r'; on_error="blank" reads all other tiles$'
    with czi.open_czi(path) as document, pytest.raises(ValueError, match=advice):
        document.read()
    with pytest.raises(ValueError, match=advice):
        imread(path)
    with pytest.raises(ValueError, match=advice):
        czi.copy(path, tmp_path / "x.czi", compression="zstd0:")
    assert main(["plane", str(path), str(tmp_path / "x.npy")]) == 1
    assert "; --on-error blank reads all other tiles" in capsys.readouterr().err


def test_a_tile_that_covers_far_more_than_it_stores_takes_no_more_memory(tmp_path: Path) -> None:
    pixels = noise(G16, 8, 8, 1)
    path = write_czi(tmp_path / "wide.czi", [Block(pixels, logical=(2**31 - 9, 8), pyramid_type=0)])
    with czi.open_czi(path, reader_options=BLANK) as document:
        np.testing.assert_array_equal(document.read(roi=(0, 0, 5, 8)), pixels[:, [0] * 5])
        assert not document.damaged_subblocks


def test_a_blank_tile_of_absurd_size_takes_no_memory(tmp_path: Path) -> None:
    pixels = noise(G16, 8, 8, 1)
    whole = Block(pixels, 0, 0, {"C": 0}, m=0)
    huge = Block(pixels, 20, 0, {"C": 0}, m=1, stored=(2**27, 2**27), logical=(2**27, 2**27))
    path = write_czi(tmp_path / "huge.czi", [whole, huge])
    options = ReaderOptions(on_error="blank", enable_mask_awareness=True)
    with czi.open_czi(path, reader_options=options) as document:
        with pytest.warns(DamagedTileWarning):
            found = document.read(roi=(0, 0, 300, 90), zoom=0.3)
        assert found[:2, :2].all()
        assert not found[:, 7:].any()


@needs_kernel
def test_many_damaged_tiles_do_not_wait_for_each_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Strips that cross overlap so much that they are painted in order, and one stops the next."""
    side, calls, paint = 240, [0], Reads.paint
    strips = [
        Block(noise(G16, h, w, 850 + at), x, y, m=2 * at + k, compression=Compression.Zstd0,
              payload=None if at == 7 and k else b"no zstd")
        for at in range(side // 3)
        for k, (x, y, w, h) in enumerate(((0, 3 * at, side, 2), (3 * at, 0, 2, side)))
    ]  # fmt: skip

    def counted(reads: Reads, slice_us: int) -> int:
        calls[0] += 1
        return paint(reads, slice_us)

    monkeypatch.setattr(Reads, "paint", counted)
    path = write_czi(tmp_path / "strips.czi", strips)
    with czi.open_czi(path, reader_options=BLANK) as reader:
        with pytest.warns(DamagedTileWarning):
            found = reader.read()
        assert len(reader.damaged_subblocks) == len(strips) - 1
    expected = np.zeros_like(found)
    expected[:, 21:23] = strips[15].pixels
    for above in strips[16::2]:
        expected[above.y : above.y + 2] = 0
    np.testing.assert_array_equal(found, expected)
    assert calls[0] < 30
