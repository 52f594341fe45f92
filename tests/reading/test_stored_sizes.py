"""Tiles of full resolution that are stored in fewer or more pixels than they cover."""

from __future__ import annotations

import itertools
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from extras import needs
from files.block import Block
from files.builder import write_czi
from files.odd import OddTile
from files.patterns import noise
from files.xml import document_xml
from numpy.typing import NDArray

from czictypes import CziImage, convert, czi, imread
from czictypes.arrays.reader_pool import reader_pool
from czictypes.cli.main import main
from czictypes.model.options import ReaderOptions
from czictypes.model.pixel_types import Compression, PixelType

G8, G16, B24 = PixelType.Gray8, PixelType.Gray16, PixelType.Bgr24
SIZES = {
    "a quarter of the rows": (60, 12),
    "half of the columns": (30, 48),
    "binned": (30, 24),
    "an uneven share": (25, 31),
    "larger": (120, 96),
    "much larger": (601, 481),
    "wider and lower": (90, 16),
}


def at_logical_size(pixels: NDArray[Any], width: int, height: int) -> NDArray[Any]:
    """Return pixels at the size that they cover, by the formula that ZEN's exports follow."""
    rows = [y * pixels.shape[0] // height for y in range(height)]
    columns = [x * pixels.shape[1] // width for x in range(width)]
    return pixels[rows][:, columns]


def pair(folder: Path, block: Block) -> tuple[Path, Path]:
    """Write a file with the block beside a plain one, and the same with all pixels stored."""
    beside = Block(noise(block.pixel_type, 48, 60, 911), 50, 0, {"C": 0}, m=1)
    width, height = block.rectangle.w, block.rectangle.h
    plain = Block(at_logical_size(block.pixels, width, height), block.x, block.y, block.plane, m=0)
    odd = write_czi(folder / "odd.czi", [block, beside])
    return odd, write_czi(folder / "plain.czi", [plain, beside])


@pytest.mark.parametrize("stored", SIZES.values(), ids=SIZES.keys())
@pytest.mark.parametrize(
    ("kind", "compression"),
    [
        (G16, Compression.Uncompressed),
        (G8, Compression.Zstd0),
        (B24, Compression.Zstd1),
    ],
)
def test_a_read_is_that_of_a_tile_with_all_pixels_stored(
    stored: tuple[int, int], kind: PixelType, compression: Compression, tmp_path: Path
) -> None:
    width, height = stored
    pixels = noise(kind, height, width, 910)
    block = Block(
        pixels, 0, 0, {"C": 0}, m=0, logical=(60, 48), pyramid_type=0, compression=compression
    )
    odd, plain = pair(tmp_path, block)
    with czi.open_czi(odd) as ours, czi.open_czi(plain) as expected:
        assert [level.level for level in ours.pyramid_levels()] == [0]
        assert ours.total_bounding_rectangle == expected.total_bounding_rectangle
        for options in (
            {},
            {"roi": (3, 5, 40, 21)},
            {"roi": (40, 10, 33, 30)},
            {"roi": (7, 9, 1, 1)},
            {"zoom": 0.5},
            {"zoom": 0.37, "roi": (2, 1, 70, 40)},
            {"pixel_type": "Gray8"},
        ):
            assert np.array_equal(ours.read(**options), expected.read(**options)), options
        index = int(np.flatnonzero(ours.subblocks["x"] == 0)[0])
        assert np.array_equal(ours.read_subblock(index).pixels(), pixels)
    with CziImage(odd) as ours, CziImage(plain) as expected:
        assert np.array_equal(ours.data, expected.data)
        assert len(ours.levels) == 1


def test_beside_a_pyramid_it_stays_full_resolution(tmp_path: Path) -> None:
    picture = noise(G8, 64, 64, 912)
    binned = noise(G8, 32, 32, 913)
    blocks = [
        Block(picture, 0, 0, {"C": 0}, m=0),
        Block(picture[::2, ::2], 0, 0, {"C": 0}, logical=(64, 64)),
        Block(binned, 0, 0, {"C": 1}, m=0, logical=(64, 64), pyramid_type=0),
        Block(binned[::2, ::2], 0, 0, {"C": 1}, logical=(64, 64)),
    ]
    with CziImage(write_czi(tmp_path / "mixed.czi", blocks)) as image:
        assert [(level.width, level.factor) for level in image.levels][:2] == [(64, 1.0), (32, 2.0)]
        assert np.array_equal(image.data[0, 0, 0], picture[..., 0])
        assert np.array_equal(image.data[0, 1, 0], np.kron(binned[..., 0], np.ones((2, 2), "u1")))


@pytest.mark.parametrize("pyramid_type", [0, 2])
def test_a_document_of_reduced_tiles_alone_shows_the_finest(
    pyramid_type: int, tmp_path: Path
) -> None:
    half, quarter = noise(G16, 32, 40, 914), noise(G16, 16, 20, 915)
    blocks = [
        Block(quarter, 0, 0, {"C": 0}, logical=(80, 64), pyramid_type=pyramid_type),
        Block(half, 0, 0, {"C": 0}, logical=(80, 64), pyramid_type=pyramid_type),
    ]
    with CziImage(write_czi(tmp_path / "alone.czi", blocks)) as image:
        assert np.array_equal(image.data[0, 0, 0], np.kron(half[..., 0], np.ones((2, 2), "u2")))
        assert [level.factor for level in image.levels] == [1.0, 4.0]
        assert np.array_equal(image.asarray(1)[0, 0, 0], quarter[..., 0])


def test_a_pyramid_tile_over_nothing_is_none_of_full_resolution(tmp_path: Path) -> None:
    tile = noise(G8, 16, 16, 916)
    blocks = [
        Block(tile, 0, 0, {"C": 0}, m=0),
        Block(tile[::2, ::2], 0, 0, {"C": 0}, logical=(16, 16)),
        Block(noise(G8, 8, 8, 917), 16, 0, {"C": 0}, logical=(16, 16)),
    ]
    with czi.open_czi(write_czi(tmp_path / "sparse.czi", blocks)) as document:
        assert not document.read()[:, 16:].any()


def test_many_small_tiles_without_the_mark_of_a_pyramid_are_one_all_the_same(
    tmp_path: Path,
) -> None:
    picture = noise(G8, 64, 64, 918)
    places = itertools.product(range(0, 64, 8), repeat=2)
    blocks = [Block(picture[y : y + 8, x : x + 8], x, y, {"C": 0}) for y, x in places]
    for y, x in itertools.product(range(0, 64, 16), repeat=2):
        half = picture[y : y + 16 : 2, x : x + 16 : 2]
        blocks.append(Block(half, x, y, {"C": 0}, logical=(16, 16), pyramid_type=0))
    with CziImage(write_czi(tmp_path / "old.czi", blocks)) as image:
        assert [level.factor for level in image.levels] == [1.0, 2.0]
        assert np.array_equal(image.data[0, 0, 0], picture[..., 0])


def test_a_stored_size_of_zero_is_the_logical_one(tmp_path: Path) -> None:
    pixels = noise(G16, 20, 30, 919)
    for compression in (Compression.Uncompressed, Compression.Zstd1, Compression.JpegXr):
        if compression == Compression.JpegXr:
            pytest.importorskip("imagecodecs", reason="encodes JPEG XR")
        for stored in ((0, 0), (0, 20), (30, 0)):
            one = Block(pixels, 4, 5, {"C": 0}, stored=stored, compression=compression)
            path = write_czi(tmp_path / "zero.czi", [one])
            with czi.open_czi(path) as document:
                assert np.array_equal(document.read(), pixels)
                assert len(document.pyramid_levels()) == 1
            czi.copy(path, tmp_path / "copy.czi", overwrite=True)
            assert np.array_equal(imread(tmp_path / "copy.czi")[0, 0, 0], pixels[..., 0])


def test_the_stored_resolution_can_be_had(tmp_path: Path) -> None:
    plain, fine = noise(G16, 20, 30, 920), noise(G16, 200, 300, 921)
    blocks = [
        Block(plain, 10, 20, {"C": 0}),
        Block(fine, 10, 20, {"C": 1}, logical=(30, 20)),
    ]
    path = write_czi(tmp_path / "palm.czi", blocks)
    with CziImage(path, stored_resolution=True) as image:
        assert (image.dims.X, image.dims.Y) == (300, 200)
        assert np.array_equal(image.data[0, 1, 0], fine[..., 0])
        assert np.array_equal(image.data[0, 0, 0], np.kron(plain[..., 0], np.ones((10, 10), "u2")))
    with czi.open_czi(path, reader_options=ReaderOptions(stored_resolution=True)) as document:
        assert document.total_bounding_rectangle == (100, 200, 300, 200)
        assert np.array_equal(document.read(plane={"C": 1}), fine)


def palm(folder: Path, across: int, down: int, kind: PixelType = G16) -> Path:
    """Write a plain channel and one that is stored in more pixels, with all that counts in them."""
    fine = noise(kind, 20 * down, 30 * across, 931)
    blocks = [
        Block(noise(kind, 20, 30, 930), 10, 20, {"C": 0}),
        Block(fine, 10, 20, {"C": 1}, logical=(30, 20)),
    ]
    return write_czi(folder / "palm.czi", blocks, metadata=described(1, 1))


def palm_in_plain(folder: Path, across: int, down: int, kind: PixelType = G16) -> Path:
    """Write what that shows at the stored resolution, in a plain document."""
    coarse = np.kron(noise(kind, 20, 30, 930), np.ones((down, across, 1), "u1"))
    shown = [coarse.astype(noise(kind, 1, 1, 0).dtype), noise(kind, 20 * down, 30 * across, 931)]
    blocks = [
        Block(pixels, 10 * across, 20 * down, {"C": channel})
        for channel, pixels in enumerate(shown)
    ]
    return write_czi(folder / "plain.czi", blocks, metadata=described(across, down))


def described(across: int, down: int) -> bytes:
    ellipse = "<CenterX>{}</CenterX><CenterY>{}</CenterY><RadiusX>{}</RadiusX><RadiusY>{}</RadiusY>"
    ellipse = ellipse.format(4 * across, 5 * down, 3 * across, 2 * down)
    drawn = f"<Ellipse><Geometry>{ellipse}</Geometry></Ellipse>"
    return document_xml(
        channels=["plain", "fine"],
        scaling={"X": 1e-6 / across, "Y": 2e-6 / down},
        more=f"<Layers><Layer><Elements>{drawn}</Elements></Layer></Layers>",
    )


MAGNIFIED = [(10, 10), (4, 1), (1, 3), (2, 5)]


@pytest.fixture(params=MAGNIFIED, ids=lambda factors: "x".join(map(str, factors)))
def both(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, Path]:
    """Give a document with a channel stored larger, and its stored resolution stored plainly."""
    return palm(tmp_path, *request.param), palm_in_plain(tmp_path, *request.param)


def test_sub_blocks_lie_where_reads_of_the_stored_resolution_are(both: tuple[Path, Path]) -> None:
    found = []
    for path, options in zip(both, (ReaderOptions(stored_resolution=True), ReaderOptions())):
        with czi.open_czi(path, reader_options=options) as document:
            box = document.total_bounding_rectangle
            corner = (box.x + box.w - 1, box.y + box.h - 1, 1, 1)
            listed: list[Any] = []
            document.enumerate_subblocks_subset(
                lambda index, info, listed=listed: listed.append((index, info.logicalRect)) or True,
                roi=corner,
            )
            places = [document.read_subblock(index).info.logicalRect for index, _ in listed]
            assert places == [rectangle for _, rectangle in listed]
            found.append((listed, document.subblocks[["x", "y", "w", "h"]].tolist()))
            found[-1] += (tuple(document.scaling), document.annotations, document.needs_pyramid)
    assert found[0] == found[1]


def test_arrays_and_labels_of_the_stored_resolution(both: tuple[Path, Path]) -> None:
    odd, plain = both
    with CziImage(odd, stored_resolution=True) as ours, CziImage(plain) as expected:
        assert np.array_equal(ours.data, expected.data)
        assert ours.physical_pixel_sizes == expected.physical_pixel_sizes
        assert ours.annotations == expected.annotations
        again = pickle.loads(pickle.dumps(ours))
        with again:
            assert np.array_equal(again.data, expected.data)


def test_a_lazy_array_elsewhere_has_the_stored_resolution(both: tuple[Path, Path]) -> None:
    needs("dask.array", "dask")
    odd, plain = both
    with CziImage(odd, stored_resolution=True) as image:
        sent = pickle.dumps(image.to_dask())
    with CziImage(plain) as expected:
        assert np.array_equal(pickle.loads(sent).compute(scheduler="sync"), expected.data)
    reader_pool().close()


def test_copies_and_conversions_keep_the_tile(tmp_path: Path) -> None:
    fine = noise(G8, 100, 150, 922)
    block = Block(fine, 0, 0, {"C": 0}, m=0, logical=(30, 20))
    path = write_czi(tmp_path / "palm.czi", [block])
    for options in ({}, {"compression": "zstd1:"}):
        czi.copy(path, tmp_path / "copy.czi", overwrite=True, **options)
        with czi.open_czi(tmp_path / "copy.czi") as copy:
            assert np.array_equal(copy.read_subblock(0).pixels(), fine)
            assert np.array_equal(copy.read(), fine[::5, ::5])
    convert(path, tmp_path / "plane.png")
    with pytest.importorskip("PIL.Image").open(tmp_path / "plane.png") as picture:
        assert picture.size == (30, 20)


def test_the_stored_resolution_goes_through_ome_zarr_and_back(
    both: tuple[Path, Path], tmp_path: Path
) -> None:
    needs("zarr.abc.store", "ome-zarr")
    odd, plain = both
    with CziImage(odd, stored_resolution=True) as image:
        convert(image, tmp_path / "palm.ome.zarr")
    convert(tmp_path / "palm.ome.zarr", tmp_path / "back.czi")
    with CziImage(tmp_path / "back.czi") as back, CziImage(plain) as expected:
        assert np.array_equal(back.data, expected.data)
        assert back.physical_pixel_sizes[1:] == pytest.approx(expected.physical_pixel_sizes[1:])
        drawn = [(one.points, one.radii) for one in back.annotations]
        assert drawn == [(one.points, one.radii) for one in expected.annotations]


def test_a_czi_of_the_stored_resolution_has_the_tiles_as_they_are(
    both: tuple[Path, Path], tmp_path: Path
) -> None:
    odd, plain = both
    with CziImage(odd, stored_resolution=True) as image:
        (written,) = convert(image, tmp_path / "copy.czi").images
    with CziImage(tmp_path / "copy.czi") as copied:
        assert copied.shape == written.shape == (1, 2, 1, 20, 30)
    with CziImage(plain) as expected:
        found = imread(tmp_path / "copy.czi", stored_resolution=True)
        assert np.array_equal(found, expected.data)


def test_the_stored_resolution_on_the_command_line(both: tuple[Path, Path], tmp_path: Path) -> None:
    odd, plain = both
    plane = ["--plane", "C=1", "--stored-resolution"]
    assert main(["plane", str(odd), str(tmp_path / "fine.npy"), *plane]) == 0
    with czi.open_czi(plain) as expected:
        assert np.array_equal(np.load(tmp_path / "fine.npy"), expected.read(plane={"C": 1}))
    tifffile = needs("tifffile", "ome-tiff")
    target = tmp_path / "fine.ome.tif"
    assert main(["convert", str(odd), str(target), "--stored-resolution"]) == 0
    with CziImage(plain) as image:
        assert np.array_equal(tifffile.imread(target), image.data[0, :, 0])


def test_a_wish_for_the_stored_resolution_that_means_nothing_is_refused(tmp_path: Path) -> None:
    path = palm(tmp_path, 2, 2)
    with pytest.raises(ValueError, match="stored_resolution= cannot be used to convert CZI to CZI"):
        convert(path, tmp_path / "copy.czi", stored_resolution=True)
    with CziImage(path) as image, pytest.raises(ValueError, match="is open"):
        convert(image, tmp_path / "fine.ome.tif", stored_resolution=True)


def test_the_stored_resolution_in_ome_tiff(both: tuple[Path, Path], tmp_path: Path) -> None:
    tifffile = needs("tifffile", "ome-tiff")
    odd, plain = both
    with CziImage(odd, stored_resolution=True) as image:
        convert(image, tmp_path / "palm.ome.tif")
    with CziImage(plain) as expected:
        assert np.array_equal(tifffile.imread(tmp_path / "palm.ome.tif"), expected.data[0, :, 0])


def test_levels_count_sub_blocks_and_not_their_planes(tmp_path: Path) -> None:
    planes = noise(G8, 3 * 16, 20, 940).reshape(3, 16, 20, 1)
    line_scan = OddTile(planes, 0, 0, 20, 16, {"C": 0, "T": 0}, m=0, sizes={"T": 3}).block()
    beside = Block(planes[0], 20, 0, {"C": 0, "T": 0}, m=1)
    half = Block(planes[0][::2, ::2], 0, 0, {"C": 0, "T": 0}, logical=(20, 16))
    path = write_czi(tmp_path / "scan.czi", [line_scan, beside, half])
    with czi.open_czi(path) as document:
        assert len(document.subblocks) == 5
        assert [level.sub_block_count for level in document.pyramid_levels()] == [2, 1]


@pytest.mark.parametrize("factors", [(10, 10), (4, 2), (6, 3)])
@pytest.mark.parametrize("coarse_last", [True, False])
def test_the_pyramid_of_a_larger_tile_is_none_of_full_resolution(
    factors: tuple[int, int], coarse_last: bool, tmp_path: Path
) -> None:
    across, down = factors
    fine = noise(G16, 32 * down, 48 * across, 950)
    pyramid = [fine[::step, ::step] for step in (2, 4, 16)]
    blocks = [
        Block(pixels, 5, 6, {"C": 0}, logical=(48, 32), pyramid_type=2 if step else 0)
        for step, pixels in enumerate([fine, *pyramid])
    ]
    path = write_czi(tmp_path / "deep.czi", blocks if coarse_last else blocks[::-1])
    found = [one.message for one in czi.check(path, pixels=True).findings if one.check == "pyramid"]
    if across == down:  # else the levels are reduced by different factors along X and Y
        assert found == []
    with CziImage(path) as image:
        assert np.array_equal(image.data[0, 0, 0], fine[::down, ::across, 0])
        assert all(level.factor >= 1 for level in image.levels)
    with CziImage(path, stored_resolution=True) as image:
        assert [level.factor for level in image.levels] == [1.0, 2.0, 4.0, 16.0]
        for level, pixels in enumerate([fine, *pyramid]):
            assert np.array_equal(image.asarray(level)[0, 0, 0], pixels[..., 0])
    with czi.open_czi(path) as document:
        assert {tuple(one) for one in document.subblocks[["w", "h"]].tolist()} == {(48, 32)}
        assert {document.read_subblock(index).info.logicalRect for index in range(4)} == {
            (5, 6, 48, 32)
        }
    for number, options in enumerate(({}, {"compression": "zstd1:"}, {"on_error": "blank"})):
        copied = tmp_path / f"{number}.czi"
        assert czi.copy(path, copied, **options).sub_blocks == 4
        with CziImage(copied, stored_resolution=True) as image:
            for level, pixels in enumerate([fine, *pyramid]):
                assert np.array_equal(image.asarray(level)[0, 0, 0], pixels[..., 0])
    czi.add_pyramid(path, czi.PyramidOptions(tile=16, until=16, filter="nearest"))
    with CziImage(path) as image:
        assert np.array_equal(image.data[0, 0, 0], fine[::down, ::across, 0])
        assert np.array_equal(image.asarray(1)[0, 0, 0], fine[:: 2 * down, :: 2 * across, 0])
