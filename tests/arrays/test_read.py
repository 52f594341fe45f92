"""Blocks of pixels: any selection, colours as red, green, blue, alphas, and which are valid."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from container.czi_bytes import Dimension, Tile, build_czi
from extras import needs
from files.block import Block
from files.builder import write_czi
from files.patterns import noise
from files.recipes import Made
from numpy.typing import NDArray

from czictypes import CziImage, czi
from czictypes.arrays import read
from czictypes.model.pixel_types import Compression, PixelType
from czictypes.reading.paint import Painter

G8, G16, B24, BGRA = PixelType.Gray8, PixelType.Gray16, PixelType.Bgr24, PixelType.Bgra32


def write(folder: Path, *pictures: np.ndarray) -> Path:
    """Write pictures as the channels of one plane."""
    planes = [Block(pixels, plane={"C": number}) for number, pixels in enumerate(pictures)]
    return write_czi(folder / "channels.czi", planes)


def test_colours_come_as_red_green_blue(tmp_path: Path) -> None:
    picture = noise(B24, 11, 14, 1)
    with CziImage(write(tmp_path, picture)) as image:
        assert image.dims.order == "TCZYXS"
        assert (image.asarray()[0, 0, 0] == picture[..., ::-1]).all()
        assert (image.read_block({"T": 0, "C": 0, "Z": 0, "S": 0}) == picture[..., 2]).all()
        assert (image.get_image_data("SYX", S=[2, 0])[1] == picture[..., 2]).all()


def test_alpha_stays_behind_the_colours(tmp_path: Path) -> None:
    picture = noise(BGRA, 5, 7, 2)
    with CziImage(write(tmp_path, picture)) as image:
        assert (image.data[0, 0, 0] == picture[..., [2, 1, 0, 3]]).all()


def test_channels_of_several_types_share_the_one_that_holds_them(tmp_path: Path) -> None:
    gray, deep, colour = noise(G8, 5, 7, 3), noise(G16, 5, 7, 4), noise(B24, 5, 7, 5)
    with CziImage(write(tmp_path, gray, deep, colour)) as image:
        assert image.dtype == np.uint16
        assert image.shape == (1, 3, 1, 5, 7, 3)
        pixels = image.asarray()[0, :, 0]
        assert (pixels[0] == gray).all()
        assert (pixels[1] == deep).all()
        assert (pixels[2] == colour[..., ::-1]).all()


def test_whole_numbers_and_floats_meet_in_float64(tmp_path: Path) -> None:
    wide = noise(PixelType.Gray32, 5, 7, 6)
    with CziImage(write(tmp_path, wide, noise(PixelType.Gray32Float, 5, 7, 7))) as image:
        assert image.dtype == np.float64
        assert (image.asarray()[0, 0, 0] == wide[..., 0]).all()


def test_planes_and_channels_without_tiles_are_zero(made: Callable[[str], Made]) -> None:
    with CziImage(made("stack").path) as image:
        assert not image.read_block({"T": 2, "Z": 3}).any()
        assert image.read_block({"T": 1, "Z": 3}).all(axis=(1, 2)).shape == (2,)
    with CziImage(made("channels_with_a_gap").path) as image:
        assert image.sizes["C"] == 3
        assert not image.read_block({"C": 1}).any()


def test_planes_are_counted_from_the_first_one_there_is(made: Callable[[str], Made]) -> None:
    file = made("negative_planes")
    with CziImage(file.path) as image:
        assert image.sizes == {"T": 2, "C": 1, "Z": 3, "Y": 8, "X": 9}
        expected = file.plane({"T": 6, "Z": -2})
        assert (image.read_block({"T": 1, "C": 0, "Z": 0}) == expected[..., 0]).all()


def test_other_dimensions_come_first_where_there_is_a_choice(made: Callable[[str], Made]) -> None:
    file = made("many_dimensions")
    with CziImage(file.path) as image:
        assert image.dims.order == "VHIRTCZYX"
        assert image.shape[:4] == (2, 2, 2, 2)
        expected = file.plane({"V": 1, "H": 0, "I": 1, "R": 0})
        found = image.read_block({"V": 1, "H": 0, "I": 1, "R": 0})
        assert (found[0, 0, 0] == expected[..., 0]).all()


def test_a_selection_is_what_numpy_makes_of_it(made: Callable[[str], Made]) -> None:
    with CziImage(made("stack").path) as image:
        whole = image.asarray()
        block = image.read_block({"T": [2, 0], "C": -1, "Y": slice(None, None, -3), "X": [20, 3]})
        expected = whole[[2, 0]][:, -1][..., ::-3, :][..., [20, 3]]
        assert (block == expected).all()
        assert image.read_block({"X": slice(5, 5)}).shape == (3, 2, 4, 15, 0)
        assert (image.read_block({"Z": slice(1, 99, 2)}) == whole[:, :, 1:99:2]).all()


def test_a_block_fills_an_array_of_the_caller(made: Callable[[str], Made]) -> None:
    with CziImage(made("mosaic").path) as image:
        target = np.ones((50, 90), np.uint16)[3:47, 5:78]
        given = image.read_block({"T": 0, "C": 1, "Z": 0}, out=target)
        assert given is target
        assert (target == image.asarray()[0, 1, 0]).all()


@pytest.mark.parametrize(
    ("out", "message"),
    [
        (np.zeros((44, 73), np.uint8), "dtype uint16"),
        (np.zeros((43, 73), np.uint16), "shape"),
        ([[0]], "numpy array"),
    ],
)
def test_an_array_of_another_form_is_refused(
    made: Callable[[str], Made], out: np.ndarray, message: str
) -> None:
    with CziImage(made("mosaic").path) as image:
        with pytest.raises(ValueError, match=message):
            image.read_block({"T": 0, "C": 1, "Z": 0}, out=out)


def test_an_array_larger_than_memory_is_refused_with_its_size(tmp_path: Path) -> None:
    far = [Block(noise(G8, 4, 4, n), x=n * (2**31 - 9), y=n * (2**31 - 9)) for n in range(2)]
    with CziImage(write_czi(tmp_path / "far.czi", far)) as image:
        with pytest.raises(
            MemoryError, match=r"2147483643 x 2147483643 values from .*far.czi takes .* GiB"
        ):
            image.asarray()
        assert (
            image.read_block({"Y": slice(-4, None), "X": slice(-4, None)}) == far[1].pixels[..., 0]
        ).all()


def test_what_cannot_be_selected_is_named(made: Callable[[str], Made]) -> None:
    with CziImage(made("stack").path) as image:
        with pytest.raises(ValueError, match="no dimension Q; they are T, C, Z, Y, X"):
            image.read_block({"Q": 0})
        with pytest.raises(IndexError, match="no T=3; T goes from 0 to 2"):
            image.read_block({"T": 3})
        with pytest.raises(
            ValueError, match="T takes an index, a slice, several indices, or a mask"
        ):
            image.read_block({"T": "1"})


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_threads_do_not_change_the_pixels(made: Callable[[str], Made], threads: int) -> None:
    for name in ("stack", "multi_scene_pyramid"):
        with CziImage(made(name).path, threads=threads) as image:
            with CziImage(made(name).path, threads=1) as alone:
                assert (image.asarray() == alone.asarray()).all()


@pytest.mark.parametrize("name", ["stack", "rgb"])
def test_whole_planes_are_painted_into_the_array(
    made: Callable[[str], Made], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    painted: list[np.ndarray] = []
    paint = Painter.paint

    def spy(painter: Painter, parts: Any, outs: Any, *args: Any, **options: Any) -> None:
        painted.extend(outs)
        paint(painter, parts, outs, *args, **options)

    monkeypatch.setattr(Painter, "paint", spy)
    with CziImage(made(name).path) as image:
        whole = image.asarray()
    assert painted
    assert all(np.may_share_memory(plane, whole) for plane in painted)


@pytest.mark.parametrize("together", [1, 2, 256])
def test_planes_are_read_together_or_not(
    made: Callable[[str], Made], monkeypatch: pytest.MonkeyPatch, together: int
) -> None:
    selections: list[dict[str, Any]] = [{}, {"Y": slice(None, None, 2), "X": [3, 1]}]
    for name in ("stack", "rgb", "mixed_types", "some_without_m", "odd_pyramid"):
        with CziImage(made(name).path) as image:
            expected = [image.read_block(selection) for selection in selections]
            with monkeypatch.context() as patch:
                patch.setattr(read, "_PLANES", together)
                for selection, whole in zip(selections, expected):
                    np.testing.assert_array_equal(image.read_block(selection), whole)


@pytest.mark.parametrize("name", ["stack", "rgb"])
def test_an_array_of_the_caller_may_have_any_strides(
    made: Callable[[str], Made], name: str
) -> None:
    with CziImage(made(name).path) as image:
        whole = image.asarray()
        wide = np.full([3 * size for size in whole.shape], 77, whole.dtype)
        every = (slice(None, None, 3),) * whole.ndim
        backwards = (slice(None, None, -3),) * whole.ndim
        for out in (
            wide[every],
            wide[backwards],
            np.empty_like(whole.T).T,
            np.asfortranarray(whole),
        ):
            out[...] = 99
            image.read_block({}, out=out)
            np.testing.assert_array_equal(out, whole)


def test_an_error_in_one_plane_ends_the_read(tmp_path: Path) -> None:
    planes = [Block(noise(G16, 9, 9, z), plane={"C": 0, "Z": z}) for z in range(9)]
    path = write_czi(tmp_path / "bad.czi", planes)
    with czi.open_czi(path) as document:
        at = int(document.subblocks["file_position"][4])
    data = path.read_bytes()
    path.write_bytes(data[:at] + b"ZISRAWDAMAGED!" + data[at + 14 :])
    with CziImage(path, threads=3) as image:
        with pytest.raises(ValueError, match="sub-block"):
            image.asarray()


def test_masks_count_where_they_are_asked_for(made: Callable[[str], Made]) -> None:
    name = "masked"
    file = made(name)
    with CziImage(file.path, reader_options=czi.ReaderOptions(enable_mask_awareness=True)) as image:
        assert (image.asarray()[0, 0, 0] == file.plane(masks=True)[..., 0]).all()


def test_a_mask_of_a_pyramid_shows_the_finer_tiles_below(tmp_path: Path) -> None:
    fine, coarse = np.full((8, 8), 1, np.uint8), np.full((4, 4), 2, np.uint8)
    valid = np.zeros((4, 4), np.bool_)
    valid[:, :2] = True
    tiles = [Block(fine), Block(coarse, logical=(8, 8), mask=valid)]
    path = write_czi(tmp_path / "masked.czi", tiles)
    with CziImage(path, reader_options=czi.ReaderOptions(enable_mask_awareness=True)) as image:
        reduced = image.read_block({"T": 0, "C": 0, "Z": 0}, level=1)
    assert (reduced == np.where(valid, 2, 1)).all()


def test_an_image_is_an_array_to_numpy(made: Callable[[str], Made]) -> None:
    with CziImage(made("stack").path) as image:
        assert (np.asarray(image) == image.data).all()
        assert np.asarray(image, dtype=np.float32).dtype == np.float32
        assert (image.nbytes, image.ndim) == (image.data.nbytes, 5)


def test_what_no_tile_covers_is_not_valid(made: Callable[[str], Made]) -> None:
    with CziImage(made("mosaic").path) as image:
        valid = image.valid_pixels()
        assert valid.shape == image.shape
        assert not valid[..., 24:, 30:60].any()  # where a tile is missing
        assert valid[..., :24, :].all()
        assert not image.data[~valid].any()


def test_parts_are_parts_of_the_whole(every_made: Made, rng: np.random.Generator) -> None:
    if not every_made.blocks:
        pytest.skip("there are no pixels to read")
    with CziImage(every_made.path, "all") as image:
        for level in range(len(image.levels)):
            whole = image.valid_pixels(level=level)
            height, width = whole.shape[-2:]
            y, x = int(rng.integers(height)), int(rng.integers(width))
            part = image.valid_pixels({"C": 0, "Y": slice(y, None, 2), "X": [x, 0]}, level=level)
            axis = image.dims.order.index("C")
            np.testing.assert_array_equal(part, whole.take(0, axis)[..., y::2, [x, 0]])


def test_a_colour_pixel_is_valid_as_a_whole(made: Callable[[str], Made]) -> None:
    with CziImage(made("rgb").path) as image:
        valid = image.valid_pixels()
        assert valid.shape == image.shape[:-1]
        assert not valid[..., 20:24].any()  # the gap between the tiles


def test_tiles_one_by_one(made: Callable[[str], Made]) -> None:
    """Nothing is valid of a tile that is missing, nor beyond one that is smaller than others."""
    with CziImage(made("mosaic").path, mosaic=False) as image:
        valid = image.valid_pixels({"C": 1})
        assert valid.shape == image.get_image_data("TZMYX", C=1).shape
        assert [int(tile.sum()) for tile in valid[0, 0]] == [720, 720, 312, 600, 0, 260]


def test_masks_count_where_the_reader_minds_them(made: Callable[[str], Made]) -> None:
    path = made("masked_first_chunk").path
    options = czi.ReaderOptions(enable_mask_awareness=True)
    with CziImage(path) as plain, CziImage(path, reader_options=options) as aware:
        assert plain.valid_pixels().all()
        y, x = np.mgrid[:20, :24]
        expected = np.hstack([(x > 5) & (y < 14), (x * y) % 5 != 0, np.ones((20, 24), bool)])
        np.testing.assert_array_equal(aware.valid_pixels()[0, 0, 0], expected)


def colours(seed: int, alpha: int = 0) -> NDArray[np.uint8]:
    """Return Bgra32 pixels of one alpha."""
    pixels = noise(PixelType.Bgra32, 20, 30, seed)
    pixels[..., 3] = alpha
    return pixels


def rgb(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return pixels[..., 2::-1]


@pytest.fixture
def two_scenes(tmp_path: Path) -> tuple[Path, list[NDArray[np.uint8]]]:
    """A scene without an alpha, and one in which a single pixel of the second slice has one."""
    empty, clear, used = colours(1), colours(2), colours(3)
    used[7, 11, 3] = 1
    blocks = [
        Block(empty, plane={"C": 0, "S": 0, "Z": 0}),
        Block(clear, x=100, plane={"C": 0, "S": 1, "Z": 0}),
        Block(used, x=100, plane={"C": 0, "S": 1, "Z": 1}, compression=Compression.Zstd1),
    ]
    return write_czi(tmp_path / "alpha.czi", blocks), [empty, clear, used]


def test_it_is_kept_by_default(two_scenes: tuple[Path, list[NDArray[np.uint8]]]) -> None:
    path, (empty, *_) = two_scenes
    with CziImage(path) as image:
        assert image.sizes["S"] == 4
        assert np.array_equal(image.asarray()[0, 0, 0], empty[..., [2, 1, 0, 3]])


def test_it_can_be_dropped(two_scenes: tuple[Path, list[NDArray[np.uint8]]]) -> None:
    needs("dask.array", "dask")
    path, (empty, _, used) = two_scenes
    with CziImage(path, empty_alpha="drop") as image:
        assert image.sizes["S"] == 3
        assert np.array_equal(image.asarray()[0, 0, 0], rgb(empty))
        assert np.array_equal(image.to_dask().compute(), image.asarray())
        assert image.read_block({"S": [2, 0], "Y": 3, "X": slice(5, 9)}).shape == (1, 1, 1, 4, 2)
        image.set_scene(1)
        assert image.sizes["S"] == 4
        assert np.array_equal(image.asarray()[0, 0, 1], used[..., [2, 1, 0, 3]])


def test_it_can_be_made_opaque(two_scenes: tuple[Path, list[NDArray[np.uint8]]]) -> None:
    needs("dask.array", "dask")
    path, (empty, clear, _) = two_scenes
    with CziImage(path, empty_alpha="opaque") as image:
        assert (image.asarray()[..., 3] == 255).all()
        assert np.array_equal(image.asarray()[0, 0, 0, ..., :3], rgb(empty))
        assert (image.read_block({"S": 3}) == 255).all()
        assert np.array_equal(image.to_dask().compute(), image.asarray())
        image.set_scene(1)
        assert np.array_equal(image.asarray()[0, 0, 0], clear[..., [2, 1, 0, 3]])


def test_all_scenes_together_have_one_if_any_has(
    two_scenes: tuple[Path, list[NDArray[np.uint8]]],
) -> None:
    with CziImage(two_scenes[0], "all", empty_alpha="drop") as image:
        assert image.sizes["S"] == 4


def test_lazy_arrays_of_both_kinds_have_names_of_their_own(
    two_scenes: tuple[Path, list[NDArray[np.uint8]]],
) -> None:
    needs("dask.array", "dask")
    with CziImage(two_scenes[0]) as kept, CziImage(two_scenes[0], empty_alpha="opaque") as opaque:
        assert kept.to_dask().name != opaque.to_dask().name


def test_it_travels_with_the_image(two_scenes: tuple[Path, list[NDArray[np.uint8]]]) -> None:
    with CziImage(two_scenes[0], empty_alpha="drop") as image:
        with pickle.loads(pickle.dumps(image)) as other:
            assert other.shape == image.shape


def test_tiles_of_a_pyramid_do_not_count(tmp_path: Path) -> None:
    level = Block(colours(2, 255)[::2, ::2], logical=(30, 20))
    path = write_czi(tmp_path / "levels.czi", [Block(colours(1), m=0), level])
    with CziImage(path, empty_alpha="drop") as image:
        assert [image.asarray(level).shape[-1] for level in (0, 1)] == [3, 3]


def test_what_has_none_beside_it_is_opaque(tmp_path: Path) -> None:
    other = noise(PixelType.Bgr24, 20, 30, 2)
    path = write_czi(tmp_path / "mixed.czi", [Block(colours(1)), Block(other, plane={"C": 1})])
    with CziImage(path, empty_alpha="drop") as image:
        assert np.array_equal(image.asarray()[0, 1, 0], rgb(other))
    with CziImage(path, empty_alpha="opaque") as image:
        assert (image.asarray()[..., 3] == 255).all()


def test_single_tiles_have_none_either(tmp_path: Path) -> None:
    blocks = [Block(colours(m), x=30 * m, m=m) for m in (0, 1)]
    with CziImage(write_czi(tmp_path / "m.czi", blocks), mosaic=False, empty_alpha="drop") as image:
        assert image.sizes["S"] == 3
        assert np.array_equal(image.read_block({"M": 1})[0, 0, 0], rgb(blocks[1].pixels))


def test_a_damaged_tile_does_not_hide_what_the_others_have(tmp_path: Path) -> None:
    damaged = Block(colours(1), m=0, payload=b"short")
    for alpha, samples in ((0, 3), (9, 4)):
        path = write_czi(tmp_path / "damaged.czi", [damaged, Block(colours(2, alpha), x=30, m=1)])
        with CziImage(path, empty_alpha="drop") as image:
            assert image.sizes["S"] == samples


def test_where_there_are_no_pixels_an_array_is_transparent(tmp_path: Path) -> None:
    blocks = [Block(colours(1, 200), m=0), Block(colours(2, 255), x=40, m=1)]
    with CziImage(write_czi(tmp_path / "gap.czi", blocks), empty_alpha="opaque") as image:
        assert (image.asarray()[0, 0, 0, :, 30:40] == 0).all()
        assert (image.asarray()[0, 0, 0, :, :30, 3] == 200).all()


def test_the_ome_metadata_fit_the_array(two_scenes: tuple[Path, list[NDArray[np.uint8]]]) -> None:
    needs("ome_types", "ome")
    path, _ = two_scenes
    for empty_alpha, samples in (("keep", [4, 4]), ("drop", [3, 4]), ("opaque", [4, 4])):
        with CziImage(path, empty_alpha=empty_alpha) as image:
            pixels = [one.pixels for one in image.ome_metadata.images]
        assert [one.channels[0].samples_per_pixel for one in pixels] == samples
        assert [one.size_c for one in pixels] == samples


@pytest.mark.parametrize("alpha", [0, 1])
def test_every_plane_of_a_sub_block_counts(tmp_path: Path, alpha: int) -> None:
    planes = np.stack([colours(t) for t in range(3)])
    planes[2, 19, 29, 3] = alpha
    dimensions = [Dimension(b"X", 0, 30), Dimension(b"Y", 0, 20), Dimension(b"T", 0, 3, 3)]
    tile = Tile(pixel_type=PixelType.Bgra32, dimensions=dimensions, data=planes.tobytes())
    with CziImage(build_czi([tile]).write(tmp_path / "t.czi"), empty_alpha="drop") as image:
        assert image.shape == (3, 1, 1, 20, 30, 3 + alpha)
        assert np.array_equal(image.asarray()[:, 0, 0, ..., :3], planes[..., 2::-1])


def test_another_word_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="one of 'keep', 'drop', 'opaque', not 'no'"):
        CziImage(tmp_path / "any.czi", empty_alpha="no")  # type: ignore[arg-type]


def test_a_tile_that_covers_far_more_than_it_stores_is_looked_at_as_it_is_stored(
    tmp_path: Path,
) -> None:
    wide = Block(colours(4), plane={"C": 0}, logical=(30, 2**31 - 21), pyramid_type=0)
    path = write_czi(tmp_path / "tall.czi", [wide])
    with CziImage(path, empty_alpha="drop") as image:
        assert (image.sizes["S"], image.sizes["Y"]) == (3, 2**31 - 21)
