"""The names of AICSImageIO and bioio mean the same on a CZI and on every other image."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from extras import needs
from files.recipes import Made
from lif_file import write_lif

from czictypes import CziImage, Image, convert, czi, open_image, save
from czictypes.model.errors import OutOfBoundsError, UnsupportedDataError

NOISE = np.random.default_rng(3).integers(0, 4096, (3, 2, 2, 3, 70, 90)).astype(np.uint16)
#: Pixels, their axes, and the least size of a level.
CONTENTS: dict[str, tuple[Any, str, int]] = {
    "one scene": (NOISE[0], "TCZYX", 0),
    "scenes": (NOISE, "STCZYX", 0),
    "colours": (NOISE[0, 0, 0].transpose(1, 2, 0).astype(np.uint8), "YXS", 0),
    "levels": (NOISE[:2], "STCZYX", 20),
}
KINDS = ["czi", "ome.tiff", "ome.zarr"]
NEEDED = {"ome.tiff": ("tifffile", "ome-tiff"), "ome.zarr": ("ngff_zarr", "ome-zarr")}
VALUES = [
    "dims.order", "dims.X", "shape", "sizes", "ndim", "dtype", "nbytes", "scenes", "current_scene",
    "current_scene_index", "resolution_levels", "current_resolution_level", "levels",
    "resolution_level_dims", "channel_names", "physical_pixel_sizes", "physical_pixel_size",
    "time_interval", "time_stamps", "scale", "mosaic_tile_dims",
]  # fmt: skip


def make(folder: Path, content: str) -> Path:
    """Write a CZI."""
    pixels, axes, least = CONTENTS[content]
    names = {} if content == "colours" else {"channel_names": ["DAPI", "GFP"], "times": 2.0}
    pyramid = czi.PyramidOptions(tile=32, until=least) if least else False
    sizes = (1e-7, 2e-7, 5e-7)
    czi.imwrite(folder / "in.czi", pixels, axes=axes, pyramid=pyramid, pixel_size=sizes, **names)
    return folder / "in.czi"


@pytest.fixture(params=[(content, kind) for content in CONTENTS for kind in KINDS], ids=" as ".join)
def both(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[CziImage, Image]]:
    """A CZI, and the same in a format."""
    content, kind = request.param
    path = make(tmp_path, content)
    other = path.with_name(f"other.{kind}")
    with CziImage(path) as image:
        if kind != "czi":
            needs(*NEEDED[kind])
        image.save(other, **({} if kind == "czi" else {"levels": len(image.levels)}))
        with open_image(other) as opened:
            yield image, opened


def each_state(*images: Image) -> Iterator[None]:
    """Set each scene and each level of images at once."""
    for scene in images[0].scenes:
        for level in range(len(images[0].levels)):
            for image in images:
                image.set_resolution_level(0)
                image.set_scene(scene)
                image.set_resolution_level(level)
            yield


def test_values_are_the_same_in_each_scene_at_each_level(both: tuple[CziImage, Image]) -> None:
    one, other = both
    assert len(one.scenes) == len(other.scenes)
    for _ in each_state(one, other):
        for name in VALUES:
            found, expected = other, one
            for part in name.split("."):
                found, expected = getattr(found, part), getattr(expected, part)
            assert found == expected, name
        assert str(other.dims) == str(one.dims)
        for name, axis in one.coords().items():
            assert other.coords()[name].unit == axis.unit
            assert list(other.coords()[name].values) == pytest.approx(list(axis.values))


def test_all_ways_to_read_give_the_same_pixels(both: tuple[CziImage, Image]) -> None:
    dask, xarray = needs("dask.array", "dask"), needs("xarray", "xarray")
    one, other = both
    order = one.dims.order.replace("T", "")
    for _ in each_state(one, other):
        expected = one.data
        for name in ("data", "dask_data", "xarray_data", "xarray_dask_data"):
            for found in (getattr(other, name), getattr(other, f"mosaic_{name}")):
                assert found.dtype == expected.dtype
                np.testing.assert_array_equal(found, expected)
                if "xarray" in name:
                    assert isinstance(found, xarray.DataArray)
                    xarray.testing.assert_allclose(found.compute(), one.xarray_data)
                elif "dask" in name:
                    assert isinstance(found, dask.Array)
        np.testing.assert_array_equal(other.get_image_data(order, T=-1), expected[-1])
        lazy = other.get_image_dask_data(order[::-1], T=-1, C=[0])
        np.testing.assert_array_equal(lazy, expected[-1][:1].T)
        np.testing.assert_array_equal(np.asarray(other), expected)


@pytest.mark.parametrize("options", [{}, {"select_scenes": [-1, 0]}, {"select_scenes": "Image:0"}])
def test_scenes_are_stacked_alike(both: tuple[CziImage, Image], options: Any) -> None:
    dask, xarray = needs("dask.array", "dask"), needs("xarray", "xarray")
    one, other = both
    for _ in each_state(one, other):
        expected = one.get_stack(**options)
        np.testing.assert_array_equal(other.get_stack(**options), expected)
        lazy = other.get_dask_stack(**options)
        assert isinstance(lazy, dask.Array)
        np.testing.assert_array_equal(lazy, expected)
        named = {**options, "scene_character": "F", "scene_coord_values": "names"}
        labelled = one.get_xarray_stack(**named)
        xarray.testing.assert_allclose(other.get_xarray_stack(**named), labelled)
        xarray.testing.assert_allclose(other.get_xarray_dask_stack(**named).compute(), labelled)


def test_metadata_have_the_fields_of_bioio(both: tuple[CziImage, Image]) -> None:
    needs("bioio_base", "bioio")
    one, other = both
    for image in both:
        image.set_scene(-1)
    assert other.dimension_properties == one.dimension_properties
    assert str(other.dimension_properties.X.unit) == "micrometer"
    found, expected = other.standard_metadata.to_dict(), one.standard_metadata.to_dict()
    assert found == expected
    assert found["Pixel Size Y"] == 0.2
    assert found["Timelapse"] is (one.dims.T > 1)
    assert [image.name for image in other.ome_metadata.images] == list(one.scenes)
    assert other.metadata


def test_what_is_not_there_raises_alike(both: tuple[CziImage, Image]) -> None:
    for image in both:
        with pytest.raises(OutOfBoundsError, match="no scene 'C7'"):
            image.set_scene("C7")
        with pytest.raises(OutOfBoundsError, match="no level 9"):
            image.set_resolution_level(9)
        with pytest.raises(OutOfBoundsError, match="no scene 'C7'"):
            image.get_stack(select_scenes=["C7"])
        with pytest.raises(ValueError, match="no mosaic"):
            image.get_mosaic_tile_positions()
        with pytest.raises(ValueError, match="no mosaic"):
            image.get_mosaic_tile_position(0, C=0)


@pytest.mark.parametrize("kind", KINDS)
def test_scenes_that_differ_are_refused_or_left_out(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "in.czi"
    with czi.create_czi(path, pyramid=czi.PyramidOptions(tile=64, until=40)) as document:
        for scene, size in enumerate((150, 150, 30)):
            document.write(np.full((size, size), scene, np.uint8), (1000 * scene, 0), scene=scene)
    if kind != "czi":
        needs(*NEEDED[kind])
        convert(path, tmp_path / f"other.{kind}")
    with open_image(tmp_path / ("in.czi" if kind == "czi" else f"other.{kind}")) as image:
        with pytest.raises(UnsupportedDataError, match=r"'Image:2' is .*drop_non_matching_scenes"):
            image.get_stack()
        assert image.get_stack(drop_non_matching_scenes=True).shape == (2, 1, 1, 1, 150, 150)
        image.set_resolution_level(-1)
        with pytest.raises(OutOfBoundsError, match="scene 2 has no resolution level"):
            image.set_scene(2)
        assert image.current_scene_index == 0


@pytest.mark.parametrize("name", ["in.lif", "in.tif", "in.ome.tiff", "in.ome.zarr", "in.czi"])
def test_many_threads_read_scenes_of_one_file(tmp_path: Path, name: str) -> None:
    if name == "in.lif":
        needs("liffile", "convert")
        write_lif(tmp_path / name, {"A": NOISE[0], "B": NOISE[1]}, ["DAPI", "GFP"], 0.5)
    else:
        needs("tifffile", "ome-tiff")
        needs(*NEEDED["ome.zarr"])
        save(NOISE[:2], tmp_path / name, "STCZYX")
    planes = [*np.ndindex(2, *NOISE.shape[1:4])] * 6
    with open_image(tmp_path / name) as image, open_image(tmp_path / name, 1) as other:
        labelled = needs("dask.array", "dask").stack([image.to_dask(), other.to_dask()])

        def is_right(place: tuple[int, ...]) -> bool:
            s, t, c, z = place
            found = image._at(s).read_block({"T": t, "C": c, "Z": z})
            return np.array_equal(found, NOISE[place])

        with ThreadPoolExecutor(8) as pool:
            assert all(pool.map(is_right, planes))
        np.testing.assert_array_equal(labelled, NOISE[:2])


# Keywords


@pytest.mark.parametrize("name", ["in.czi", "in.ome.tiff", "in.tif", "in.ome.zarr", "in.png"])
def test_keywords_of_aicsimageio_are_taken_for_every_format(tmp_path: Path, name: str) -> None:
    fsspec = needs("fsspec", "remote")
    needs("tifffile", "ome-tiff")
    needs("PIL.Image", "cli")
    if name.endswith("zarr"):
        needs(*NEEDED["ome.zarr"])
    pixels = NOISE[0, 0, 0, :1].astype(np.uint8)
    save(pixels, tmp_path / name)
    fsspec.filesystem("memory").put(str(tmp_path / name), f"/keywords/{name}", recursive=True)
    url = f"memory://keywords/{name}"
    for options in ({"reconstruct_mosaic": False}, {"mosaic": False}, {"reconstruct_mosaic": True}):
        with open_image(url, fs_kwargs={"skip_instance_cache": True}, **options) as image:
            np.testing.assert_array_equal(image.data[0, 0], pixels)
    with pytest.raises(ValueError, match="another name of storage_options"):
        open_image(url, fs_kwargs={}, storage_options={})
    with pytest.raises(ValueError, match="another name of mosaic"):
        open_image(url, mosaic=False, reconstruct_mosaic=True)
    if name != "in.czi":
        with pytest.raises(TypeError, match="parts= is for CZI files alone"):
            open_image(url, parts=["b.czi"])
    with pytest.raises(TypeError, match=r"no argument chunk_dims; .*to_dask\(chunks=\)"):
        open_image(url, chunk_dims=["Z", "Y", "X"])
    with pytest.raises(TypeError, match="open_image has no argument colour"):
        open_image(url, colour=1)


def test_the_tiles_of_a_mosaic_have_places(made: Callable[[str], Made]) -> None:
    with open_image(made("mosaic").path, reconstruct_mosaic=False) as image:
        tile = image.mosaic_tile_dims
        assert tile is not None
        assert image.dims["Y", "X"] == (tile.Y, tile.X)
        places = image.get_mosaic_tile_positions()
        assert len(places) == len(np.unique(image.tile_positions["M"]))
        assert image.get_mosaic_tile_position(1) == places[1]
        with pytest.raises(ValueError, match="no dimension Q; they have"):
            image.get_mosaic_tile_positions(Q=0)


def test_the_reader_has_the_names_of_the_image(tmp_path: Path) -> None:
    needs("tifffile", "ome-tiff")
    save(NOISE[0], tmp_path / "a.tif")
    with open_image(tmp_path / "a.tif") as image:
        np.testing.assert_array_equal(image.reader.mosaic_data, image.data)
    czi.imwrite(tmp_path / "a.czi", NOISE[0])
    with open_image(tmp_path / "a.czi") as image:
        assert image.reader.pixel_types == {0: "Gray16", 1: "Gray16"}


@pytest.mark.filterwarnings("ignore")
def test_a_reader_of_bioio_may_read_the_file(tmp_path: Path) -> None:
    reader = needs("bioio_ome_tiff").Reader
    needs("tifffile", "ome-tiff")
    save(NOISE[0], tmp_path / "a.ome.tiff", channel_names=["DAPI", "GFP"])
    with open_image(tmp_path / "a.ome.tiff", reader=reader) as image:
        assert image.channel_names == ["DAPI", "GFP"]
        np.testing.assert_array_equal(image.data, NOISE[0])
        with pickle.loads(pickle.dumps(image)) as other:
            np.testing.assert_array_equal(other.data, NOISE[0])
        image.save(tmp_path / "a.czi")
    with CziImage(tmp_path / "a.czi") as image:
        np.testing.assert_array_equal(image.data, NOISE[0])
    (tmp_path / "b.ome.tiff").write_bytes(b"no TIFF at all")
    with pytest.raises(UnsupportedDataError, match=r"bioio-ome-tiff .* cannot read .*b\.ome\.tiff"):
        open_image(tmp_path / "b.ome.tiff", reader=reader)


@pytest.mark.parametrize("name", ["in.tif", "in.ozx", "in.lif", "in.png", "in.gif", "in.czi"])
def test_every_name_of_bioio_is_there(tmp_path: Path, name: str) -> None:
    bioio = needs("bioio", "convert")
    needs("liffile", "convert")
    needs("dask.array", "dask")
    path = tmp_path / name
    if name == "in.lif":
        write_lif(path, {"A": NOISE[0], "B": NOISE[1]}, ["DAPI", "GFP"], 0.5)
    elif name in ("in.png", "in.gif"):
        colours = NOISE[0, 0, 0].transpose(1, 2, 0).astype(np.uint8)
        needs("PIL.Image", "cli").fromarray(colours).save(path)
    else:
        save(NOISE, path, "STCZYX")
    elsewhere = {"determine_plugin", "save"}
    to_call = {"get_mosaic_tile_position", "get_mosaic_tile_positions", "set_scene"}
    with open_image(path) as image:
        for one in set(dir(bioio.BioImage)) - elsewhere - to_call - {"set_resolution_level"}:
            found = None if one.startswith("_") else getattr(image, one)
            if callable(found):
                found()
