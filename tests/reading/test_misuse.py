"""What a caller gets wrong is told in the caller's words: what was given, and what is possible."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from extras import needs

from czictypes import (
    CziImage,
    CziSlide,
    DeepZoomTiles,
    convert,
    czi,
    imread,
    write_ome_zarr,
)
from czictypes.model.errors import OutOfBoundsError, UnexpectedError

GRAY = np.arange(600, dtype=np.uint16).reshape(20, 30)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two scenes with names, of two channels with names."""
    found = tmp_path_factory.mktemp("misuse") / "cells.czi"
    scenes = [czi.SceneInfo(0, name="A1"), czi.SceneInfo(1, name="B1")]
    with czi.create_czi(found) as new:
        for scene, c in np.ndindex(2, 2):
            new.write(GRAY, (40 * scene, 0), {"C": c}, scene=scene)
        names = {0: "DAPI", 1: "GFP"}
        new.write_metadata(channel_names=names, content=czi.DocumentContent(scenes=scenes))
        new.add_attachment("Notes", "TXT", b"text")
    return found


@pytest.fixture
def document(path: Path) -> Iterator[czi.CziReader]:
    with czi.open_czi(path) as opened:
        yield opened


Use = Callable[[czi.CziReader, Any], Any]


def read_resized(document: czi.CziReader, **given: Any) -> Any:
    needs("PIL.Image", "cli")
    arguments = {"roi": (0, 0, 9, 9), "size": (5, 5), **given}
    return CziSlide(document).read_resized(**arguments)


READS: list[tuple[Use, list[Any], str]] = [
    (lambda d, x: d.read(plane=x), ["C=1", 1, [0]], "plane must be a mapping of dimensions"),
    (lambda d, x: d.valid_pixels(plane=x), ["C=1", 1], "plane must be a mapping"),
    (lambda d, x: d.composite(plane=x), ["C=1", 1], "plane must be a mapping"),
    (lambda d, x: d.read(pixel_type=x), [np.uint8, "uint8", 8], "is not a pixel type; use one"),
    (lambda d, x: d.read(zoom=x), ["half", True, 0, [1]], "zoom must be"),
    (lambda d, x: d.read(scene=x), [1.0, [0, 1], b"A1", True], "a whole number or a name"),
    (lambda d, x: d.read(roi=x), ["all", 5, (1, 2), (0, 0, 5.5, 5)], "roi must be four whole"),
    (lambda d, x: d.get_channel_pixel_type(x), [1.0, [0]], "a channel is given by its number"),
    (lambda d, x: d.read_subblock(x), ["0", 1.0, None, True], "index of a sub-block must be"),
    (lambda d, x: d.scenes[x], [7, -3], "there is no scene .*; the scenes are 'A1', 'B1'"),
    (lambda d, x: d.scenes[x], ["C9"], "there is no scene 'C9'; the scenes are 'A1', 'B1'"),
    (lambda d, x: d.scenes[x], [1.0, None], "the position of a scene must be a whole number"),
    (lambda d, x: d.channels[x], [2, "RFP"], "there is no channel .* are 'DAPI', 'GFP'"),
    (lambda d, x: d.attachments[x], [99, -100], "no attachment .*; the document has 2, from 0"),
    (lambda d, x: d.attachments[x], [1.0, None], "the position of an attachment must be"),
    (lambda d, x: CziImage(d, scene=x), [1.0, [0, 1], True], "by its index or its name"),
    (lambda d, x: CziImage(d).set_scene(x), [1.0, None, [0, 1]], "by its index or its name"),
    (lambda d, x: imread(d, scene=x), [[0, 1], 1.5], "by its index or its name"),
    (lambda d, x: CziImage(d).asarray(x), ["1", 0.5, True], "a level is a whole number"),
    (lambda d, x: CziImage(d).asarray(x), [3, -4], "there is no level .*; the levels go from"),
    (lambda d, x: CziImage(d).read_block(x), ["C", 1, [0]], "a selection must be a mapping"),
    (lambda d, x: CziImage(d).valid_pixels(x), ["C", 1], "a selection must be a mapping"),
    (
        lambda d, x: CziImage(d).get_image_data("YX", C=x),
        [1.0, slice(0.5, 1), slice(0, 2, 0), [0.5]],
        "C takes an index or a name",
    ),
    (
        lambda d, x: CziImage(d).get_image_data("ZYX", Z=x),
        [1.0, "DAPI", ["DAPI"], [None], object()],
        "Z takes an index, a slice, several indices, or a mask",
    ),
    (lambda d, x: CziImage(d).get_image_data("YX", C=x), ["RFP", ["DAPI", "RFP"]], "no channel"),
    (lambda d, x: CziImage(d).get_image_data("YX", C=x), [2, [0, 5]], "C goes from 0 to 1"),
    (lambda d, x: CziImage(d).get_image_data("YX", C=x), [[0, 1]], "C is not in the order 'YX'"),
]
READS += [
    (lambda d, x: d.composite(display_settings=x), ["x", 1.5, [0]], "display_settings must map"),
    (lambda d, x: CziSlide(d, display_settings=x), ["x", [0]], "display_settings must map"),
    (lambda d, x: CziImage(d).get_stack(select_scenes=x), [1.5, object()], "by its index or its"),
    (lambda d, x: CziImage(d).read_block({}, threads=x), ["2", 1.5], "threads must be a whole"),
    (lambda d, x: CziImage(d).get_image_data(x), [[0, 1], "QYX"], "there is no dimension"),
    (lambda d, x: CziSlide(d).read_region_array(x, 0, (5, 5)), ["x", None, 5], "location must be"),
    (lambda d, x: CziSlide(d).read_region_array((0, 0), x, (5, 5)), ["x", 0.5], "level must be"),
    (lambda d, x: CziSlide(d).read_region_array((0, 0), 0, x), ["x", None, (1,)], "size must be"),
    (lambda d, x: d.subblock_metadata(x), [1.5, None, True], "names of fields are wanted, such as"),
    (lambda d, x: d.subblock_metadata(x), [[1], ["a b"], [None]], "is no field of a sub-block's"),
    (lambda d, x: d.subblock_metadata(indices=x), [1.5, "0", [True], [[0], None]], "indices must"),
    (lambda d, x: d.subblock_metadata(indices=x), [[9], -5], "there is no sub-block"),
    (lambda d, x: d.composite(channels=x), [7, "RFP", ["RFP"]], "there is no channel"),
    (lambda d, x: d.read_metadata(x), ["title", None], "read must be a function"),
    (lambda d, x: d.to_pixel_coordinates(x, 0), ["0", None], "x and y must be numbers, not"),
    (lambda d, x: d.from_pixel_coordinates(0, x), ["0", None], "x and y must be numbers, not 0"),
    (lambda d, x: CziImage(d).tiles(level=x), [1.5, "0", True], "the level must be a whole number"),
    (lambda d, x: CziImage(d).native_chunks(x), [1.5, "0", True], "a level is a whole number"),
    (lambda d, x: CziImage(d).thumbnail(x), [1.5, None, "9", 0, (5, -1), (5,)], "of a thumbnail"),
    (lambda d, x: CziImage(d).to_rgb(zoom=x), ["1", None, 0, 2], "zoom is .*, but must be above"),
    (lambda d, x: read_resized(d, roi=x), [5, None, (1, 2)], "roi must be four whole numbers"),
    (lambda d, x: read_resized(d, size=x), ["x", None, (1,)], "size must be two numbers"),
    (lambda d, x: read_resized(d, size=x), [(0, 5), (5, -1)], "size of a picture must be above 0"),
    (lambda d, x: read_resized(d, background=x), ["x", (1, 2), 5], "colour"),
    (lambda d, x: CziSlide(d).get_best_level_for_downsample(x), ["2", None], "must be a number"),
]
CASES = [(use, given, message) for use, all_given, message in READS for given in all_given]


@pytest.mark.parametrize(("use", "given", "message"), CASES)
def test_a_wrong_argument_of_a_read_is_told(
    document: czi.CziReader, use: Use, given: Any, message: str
) -> None:
    with pytest.raises((ValueError, TypeError, IndexError), match=message) as caught:
        use(document, given)
    assert not isinstance(caught.value, UnexpectedError)


NO_PARTS = [
    ({"a": 1}, "parts= maps numbers to files: .* must be a whole number, not 'a'"),
    ({1.5: "b.czi"}, "must be a whole number, not 1.5"),
    ({True: "b.czi"}, "must be a whole number, not True"),
    ({-1: "b.czi"}, "the number -1, but they count from 0"),
    ({1: None}, "parts= has None, which is no file; give the other files"),
    ([None], "parts= has None, which is no file"),
    (7, "parts= has 7, which is no file"),
]


@pytest.mark.parametrize(("given", "message"), NO_PARTS)
def test_what_are_no_parts_is_told_by_all_that_take_them(
    path: Path, tmp_path: Path, given: Any, message: str
) -> None:
    uses: list[Callable[[], Any]] = [
        lambda: CziImage(path, parts=given),
        lambda: czi.open_czi(path, parts=given),
        lambda: czi.check(path, parts=given),
        lambda: czi.copy(path, tmp_path / "a.czi", parts=given),
        lambda: czi.repair(path, tmp_path / "b.czi", parts=given),
        lambda: czi.add_pyramid(path, dest=tmp_path / "c.czi", parts=given),
        lambda: convert(path, tmp_path / "d.czi", parts=given),
    ]
    for use in uses:
        with pytest.raises((ValueError, TypeError), match=message) as caught:
            use()
        assert not isinstance(caught.value, UnexpectedError)


NO_CHUNKS = [
    object(),
    1.5,
    True,
    0,
    -2,
    "512",
    {"Z": 0},
    {"Y": 1.5},
    {"C": (1, "1")},
    {"C": [None]},
]
NO_CHUNKS += [(1, 1, object(), 5, 5), {"Q": 1}, (1, 2), np.array([0, 1, 1, 5, 5]), {"C": (1, 5)}]


@pytest.mark.parametrize("given", NO_CHUNKS)
def test_what_are_no_chunks_is_told(path: Path, tmp_path: Path, given: Any) -> None:
    needs("dask.array", "dask")
    uses = [lambda image: image.to_dask(chunks=given)]
    with suppress(ImportError):
        import xarray

        assert xarray
        uses.append(lambda image: image.to_xarray(chunks=given))
    with CziImage(path) as image:
        for use in uses:
            with pytest.raises(ValueError, match=r"^chunks|^there is no dimension Q") as caught:
                use(image)
            assert not isinstance(caught.value, UnexpectedError)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (-1, (1, 2, 1, 20, 30)),
        ("auto", (1, 2, 1, 20, 30)),
        ({"X": 7, "C": -1}, (1, 2, 1, 20, 7)),
        (np.array([1, 1, 1, 5, 6]), (1, 1, 1, 5, 6)),
        ({"Y": np.int64(4)}, (1, 1, 1, 4, 30)),
        ({"C": (2,)}, (1, 2, 1, 20, 30)),
    ],
)
def test_chunks_are_what_dask_takes(path: Path, given: Any, expected: tuple[int, ...]) -> None:
    needs("dask.array", "dask")
    with CziImage(path) as image:
        assert image.to_dask(chunks=given).chunksize == expected


def test_one_name_is_enough_where_several_are_possible(document: czi.CziReader) -> None:
    assert list(document.subblock_metadata("stage_x")) == ["index", "stage_x"]
    one = document.composite(channels="GFP")
    np.testing.assert_array_equal(one, document.composite(channels=["GFP"]))
    np.testing.assert_array_equal(one, document.composite(channels=1))


def test_the_levels_of_a_conversion_are_a_whole_number(path: Path, tmp_path: Path) -> None:
    needs("tifffile", "ome-tiff")
    for given in (1.5, "2", [1]):
        with pytest.raises(TypeError, match="levels must be a whole number, not"):
            convert(path, tmp_path / "a.ome.tif", levels=given)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["attachments", "keep_attachments", "anonymize"])
@pytest.mark.parametrize("given", [1.5, [1.5], {5: 6}, object()])
def test_a_copy_takes_names_as_texts(path: Path, tmp_path: Path, name: str, given: Any) -> None:
    arguments: dict[str, Any] = {"anonymize": True, name: given}
    with pytest.raises(TypeError, match=f"{name} is a list of texts, and is not"):
        czi.copy(path, tmp_path / "copy.czi", **arguments)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("given", ["254", 1.5, None])
@pytest.mark.parametrize("name", ["tile_size", "overlap"])
def test_tiles_of_a_slide_have_whole_numbers(path: Path, name: str, given: Any) -> None:
    with CziSlide(path) as slide, pytest.raises(TypeError, match=f"{name} must be a whole number"):
        DeepZoomTiles(slide, **{name: given})


@pytest.mark.parametrize("given", [{"max": 3}, 5, "1 GB", czi.CacheOptions])
@pytest.mark.parametrize("name", ["cache_options", "reader_options"])
def test_options_are_objects_of_their_class(path: Path, name: str, given: Any) -> None:
    kind = "CacheOptions" if name == "cache_options" else "ReaderOptions"
    for use in (czi.open_czi, CziImage):
        with pytest.raises(TypeError, match=rf"{kind}\(.*=\.\.\.\) is needed here, not"):
            use(path, **{name: given})


def test_a_pyramid_takes_options_and_dest_by_name(path: Path, tmp_path: Path) -> None:
    with pytest.raises(
        TypeError, match=r"PyramidOptions\(.* is needed here, not PosixPath|Windows"
    ):
        czi.add_pyramid(path, tmp_path / "new.czi")  # type: ignore[arg-type]


@pytest.mark.parametrize("given", ["2", 1.5, True])
def test_threads_are_a_whole_number(path: Path, given: Any) -> None:
    with pytest.raises(TypeError, match="the number of threads must be a whole number"):
        czi.open_czi(path, threads=given)


def test_the_tile_that_there_is_not_is_told_with_those_that_there_are(tmp_path: Path) -> None:
    with czi.create_czi(tmp_path / "mosaic.czi") as new:
        for m in range(3):
            new.write(GRAY, (30 * m, 0))
    with CziImage(tmp_path / "mosaic.czi", mosaic=False) as image:
        with pytest.raises(OutOfBoundsError, match="there is no M=99; M goes from 0 to 2"):
            image.get_mosaic_tile_position(99)
        with pytest.raises(OutOfBoundsError, match="there is no T=5; T goes from 0 to 0"):
            image.get_mosaic_tile_positions(T=5)
        with pytest.raises(ValueError, match="M takes one index here, not '1'"):
            image.get_mosaic_tile_position("1")  # type: ignore[arg-type]
        assert image.get_mosaic_tile_position(-1) == (0, 60)


def test_scenes_and_channels_are_found_by_name(document: czi.CziReader) -> None:
    assert document.scenes["B1"] is document.scenes[1]
    assert document.channels["GFP"].index == 1
    assert document.scenes[:1] == [document.scenes[0]]
    again = pickle.loads(pickle.dumps(document.scenes))
    assert again == document.scenes
    assert again["A1"].name == "A1"


def test_equal_names_of_scenes_are_no_choice(tmp_path: Path) -> None:
    scenes = [czi.SceneInfo(at, name="P1") for at in range(2)]
    with czi.create_czi(tmp_path / "twice.czi") as new:
        for scene in range(2):
            new.write(GRAY, (40 * scene, 0), scene=scene)
        new.write_metadata(content=czi.DocumentContent(scenes=scenes))
    with czi.open_czi(tmp_path / "twice.czi") as document:
        with pytest.raises(ValueError, match="there are 2 scenes 'P1'"):
            document.scenes["P1"]


@pytest.mark.parametrize("given", [["b"], {"a": "b"}, "DAPI", {0: 5}])
def test_the_names_of_channels_are_by_number(tmp_path: Path, given: Any) -> None:
    with czi.create_czi(tmp_path / "new.czi") as new:
        new.write(GRAY)
        with pytest.raises(ValueError, match=r"channel_names maps|the name of channel 0 is 5"):
            new.write_metadata(channel_names=given)
        new.write_metadata(channel_names={0: "DAPI"})


WRITES: list[tuple[str, list[Any], str]] = [
    (
        "pixel_size",
        [float("nan"), -1e-7, 0, (1e-7, float("inf")), {"z": "1 um"}, True, "1um"],
        "pixel_size .*metres",
    ),
    ("pixel_size", [0.1, 0.325, (0.1, 0.1), {"x": 2}], "is in metres, so .* cm; for .*e-6"),
    ("times", ["2s", float("nan"), [None]], "times is the number of seconds"),
    ("channel_colors", [[(1.0, 0, 0)], [(0.5, 0.5, 0.5)], [(True, 0, 0)]], "is no colour such as"),
    ("channel_colors", [["green?"], [5], [(300, 0, 0)]], "colour"),
    ("scene", ["A1", 1.0], "scene must be a whole number"),
    ("tile", ["big", 1.5], "tile must be a whole number"),
    ("axes", [1.5, ["Y", "X"], True], "axes has a letter for each axis, such as 'TCZYX', and is"),
    ("channel_names", [1.5, 3, object()], "channel_names has a value for each channel, in a list"),
    ("channel_colors", [1.5, 3], "channel_colors has a value for each channel, in a list"),
    ("pixel_size", [object()], "must be .x, y. or .x, y, z. in metres"),
    ("rgb_order", [1.5, ["R"], "GRB"], "rgb_order is"),
    ("custom_attributes", ["Lamp", 5, ["Lamp"]], "custom_attributes maps keys to values, and"),
    ("content", ["a title", 5, {"title": "x"}], r"DocumentContent\(.*\) is needed here, not"),
]


@pytest.mark.parametrize(
    ("name", "given", "message"),
    [(name, given, message) for name, all_given, message in WRITES for given in all_given],
)
def test_a_wrong_argument_of_a_write_is_told_and_nothing_written(
    tmp_path: Path, name: str, given: Any, message: str
) -> None:
    with pytest.raises((ValueError, TypeError), match=message):
        czi.imwrite(tmp_path / "new.czi", GRAY, **{name: given})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["a.tif", "a.ome.TIFF", "a.png", "a.ome.zarr", "a.ozx"])
def test_no_czi_gets_the_name_of_another_format(path: Path, tmp_path: Path, name: str) -> None:
    writes: list[Callable[[Path], Any]] = [
        lambda dest: czi.imwrite(dest, GRAY),
        czi.create_czi,
        lambda dest: czi.copy(path, dest),
        lambda dest: czi.add_pyramid(path, dest=dest),
    ]
    for write in writes:
        with pytest.raises(ValueError, match=r"writes a CZI, and .* another format"):
            write(tmp_path / name)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"version": 0.5}, "version is one of '0.5', .*, not 0.5, which is no text"),
        ({"version": "1"}, "version is one of '0.5', .*, not '1'"),
        ({"chunks": "big"}, "chunks='big' is no size: give"),
        ({"shards": "all"}, "shards='all' is no size: give"),
        ({"chunks": 0.5}, "chunks: 0.5 along y is no whole number"),
        ({"chunks": {1: 5}}, "chunks has the axis 1; the axes are"),
        ({"chunks": {"w": 5}}, "chunks has the axis 'w'; the axes are"),
        ({"levels": "2"}, "levels must be a whole number"),
    ],
)
def test_a_wrong_argument_of_an_ome_zarr_is_told(
    path: Path, tmp_path: Path, arguments: dict[str, Any], message: str
) -> None:
    needs("ngff_zarr", "ome-zarr")
    with pytest.raises((ValueError, TypeError), match=message):
        write_ome_zarr(path, tmp_path / "out.ome.zarr", **arguments)


def test_the_bytes_of_a_file_are_no_path(path: Path) -> None:
    for read in (imread, CziImage, czi.open_czi):
        with pytest.raises(TypeError, match="bytes"):
            read(path.read_bytes())
