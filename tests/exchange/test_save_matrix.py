"""Whatever can be saved is saved in every format, and comes back as far as the format keeps it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from extras import needs
from lif_file import write_lif
from numpy.typing import NDArray

from czictypes import CziImage, Image, czi, imread, open_image, save
from czictypes.model.errors import PixelTypeWarning, UnsupportedDataError

NOISE = np.random.default_rng(4).integers(0, 4096, (2, 3, 2, 4, 20, 30)).astype(np.uint16)
PHOTO = np.random.default_rng(5).integers(0, 256, (20, 30, 3)).astype(np.uint8)
NAMES: dict[str, Any] = {
    "channel_names": ["DAPI", "GFP"],
    "channel_colors": ["#0000FF", "#00FF00"],
    "pixel_size": (1e-7, 2e-7, 5e-7),
    "times": [0.0, 2.5, 4.5],
}
Saved = tuple[Any, dict[str, Any]]


def czi_file(folder: Path) -> Path:
    czi.imwrite(folder / "in.czi", NOISE, axes="STCZYX", **NAMES)
    return folder / "in.czi"


def labelled(folder: Path, take: Callable[[Image], Any]) -> Saved:
    needs("xarray", "xarray")
    with CziImage(czi_file(folder)) as image:
        return take(image), {}


def lazily(folder: Path, take: Callable[[Image], Any]) -> Saved:
    needs("dask.array", "dask")
    return labelled(folder, take)


def opened(folder: Path, name: str) -> Saved:
    """Return an image of a format, of what `NOISE` or `PHOTO` has."""
    path, described = folder / name, dict(NAMES)
    if name == "photo.czi":
        czi.imwrite(path, PHOTO, pixel_size=NAMES["pixel_size"])
    elif name.endswith(".lif"):
        needs("liffile", "convert")
        write_lif(path, {"A1": NOISE[0], "B2": NOISE[1]}, ["DAPI", "GFP"], 0.5)
    elif name.endswith((".png", ".gif")):
        pictures = needs("PIL.Image", "cli")
        frames = [pictures.fromarray(one) for one in (PHOTO, PHOTO[::-1])]
        more = {"save_all": True, "append_images": frames[1:]} if name.endswith("gif") else {}
        frames[0].save(path, **more)
    else:
        save(NOISE, path, "STCZYX", **described)
    return open_image(path), {}


SOURCES: dict[str, Callable[[Path], Saved]] = {
    "numpy": lambda _: (NOISE[0], NAMES),
    "numpy of scenes": lambda _: (NOISE, {"axes": "STCZYX", **NAMES}),
    "colours": lambda _: (PHOTO, {"pixel_size": NAMES["pixel_size"]}),
    "a plane": lambda _: (NOISE[0, 0, 0, 0], {}),
    "dask": lambda _: (needs("dask.array", "dask").from_array(NOISE[0], (1, 1, 2, 20, 10)), NAMES),
    "xarray": lambda folder: labelled(folder, lambda image: image.xarray_data),
    "lazy xarray": lambda folder: lazily(folder, lambda image: image.xarray_dask_data),
    "xarray of a channel": lambda folder: labelled(
        folder, lambda image: image.xarray_data.sel(C="GFP")
    ),
    "xarray of channels turned": lambda folder: labelled(
        folder, lambda image: image.xarray_data.isel(C=[1, 0], X=slice(4, None))
    ),
    "xarray of scenes": lambda folder: labelled(
        folder,
        lambda image: image.get_xarray_stack(scene_character="S").assign_coords(S=["A1", "B2"]),
    ),
    **{
        name: lambda folder, name=name: opened(folder, name)  # type: ignore[misc]
        for name in (
            "in.czi", "photo.czi", "in.ome.tiff", "in.tif", "in.ome.zarr", "in.ozx", "in.lif",
            "in.png", "in.gif",
        )
    },
}  # fmt: skip
#: The facts that each format has a place for; the pixels are in all.
KEPT = {
    "czi": ["names", "colors", "sizes", "times", "scenes"],
    "ome.tiff": ["names", "colors", "sizes", "times", "scenes"],
    "ome.zarr": ["names", "colors", "sizes", "times", "scenes"],
    "ozx": ["names", "colors", "sizes", "times", "scenes"],
    "tif": ["Y and X"],
}


@dataclass
class Facts:
    """The facts that are known of a scene."""

    pixels: NDArray[Any]
    names: list[str]
    colors: list[Any]
    sizes: Any
    times: Any
    scenes: str


def facts_of(image: Image) -> list[Facts]:
    found = []
    for scene in image.scenes:
        image.set_scene(scene)
        found.append(
            Facts(
                image.data,
                image.channel_names,
                image.channel_colors,
                image.physical_pixel_sizes,
                image.time_stamps,
                scene,
            )
        )
    return found


def facts_of_array(array: Any, given: dict[str, Any]) -> list[Facts]:
    """Return what arrays that were made here tell, worked out another way than `save` does."""
    pixels = np.asarray(array)
    axes = "".join(getattr(array, "dims", given.get("axes") or "YX" if pixels.ndim == 2 else ""))
    axes = axes or given.get("axes") or {3: "YXS", 5: "TCZYX"}[pixels.ndim]
    scenes = list(pixels) if axes[0] == "S" else [pixels]
    if axes[0] != "S":
        missing = [at for at, name in enumerate("TCZ") if name not in axes]
        scenes = [np.expand_dims(pixels, missing)]
    names, colors = NAMES["channel_names"], [(0, 0, 255), (0, 255, 0)]
    if "C" in getattr(array, "coords", {}):
        chosen = np.atleast_1d(array.coords["C"].values).tolist()
        colors = [colors[names.index(name)] for name in chosen]
        names = chosen
    elif not given.get("channel_names"):
        names, colors = ["Channel:0"], [None]
    has_sizes = "pixel_size" in given or hasattr(array, "coords")
    z = 0.5 if has_sizes else None
    sizes = (z, 0.2, 0.1) if has_sizes else (None, None, None)
    times = NAMES["times"] if scenes[0].shape[0] > 1 else None
    named = getattr(array, "coords", {}).get("S") if axes[0] == "S" else None
    default = [f"Image:{at}" for at in range(len(scenes))]
    titles = default if named is None else named.values.tolist()
    return [Facts(one, names, colors, sizes, times, name) for one, name in zip(scenes, titles)]


@pytest.mark.parametrize("target", KEPT)
@pytest.mark.parametrize("source", SOURCES)
def test_what_is_saved_comes_back(tmp_path: Path, source: str, target: str) -> None:
    needs("tifffile", "ome-tiff")
    needs("ngff_zarr", "ome-zarr")
    saved, given = SOURCES[source](tmp_path)
    if isinstance(saved, Image):
        with saved as image:
            expected = facts_of(image)
            image.save(tmp_path / f"out.{target}")
    else:
        expected = facts_of_array(saved, given)
        save(saved, tmp_path / f"out.{target}", **given)
    with open_image(tmp_path / f"out.{target}") as image:
        found = facts_of(image)
    assert len(found) == len(expected)
    for new, old in zip(found, expected):
        assert new.pixels.dtype == old.pixels.dtype
        np.testing.assert_array_equal(new.pixels, old.pixels)
        assert_kept(new, old, KEPT[target])


def assert_kept(new: Facts, old: Facts, kept: list[str]) -> None:
    if "names" in kept:
        assert new.names == old.names
        assert new.scenes == old.scenes
        assert new.times == (None if old.times is None else pytest.approx(old.times))
        # an OME-Zarr has a colour for each channel: white, where none is known
        shown = [color or new_one for color, new_one in zip(old.colors, new.colors)]
        assert new.colors == shown
        assert set(new.colors) <= {*old.colors, (255, 255, 255)}
    for at, (size, before) in enumerate(zip(new.sizes, old.sizes)):
        if at > 0 or "sizes" in kept:
            assert size == (None if before is None else pytest.approx(before))


# One plane in a picture


@pytest.mark.parametrize("source", SOURCES)
def test_a_png_holds_one_plane(tmp_path: Path, source: str) -> None:
    needs("PIL.Image", "cli")
    needs("tifffile", "ome-tiff")
    needs("ngff_zarr", "ome-zarr")
    saved, given = SOURCES[source](tmp_path)
    target = tmp_path / "out.png"
    image = saved if isinstance(saved, Image) else None
    axes = given.get("axes", "")
    several = [
        name
        for name, size in (dict(image.sizes) if image else sizes_of(saved, axes)).items()
        if name in "TZ" and size > 1
    ]
    write = image.save if image else lambda dest, **more: save(saved, dest, **given, **more)
    if several:
        with pytest.raises(
            ValueError, match=f"a PNG holds one plane; say which one in {several[0]}"
        ):
            write(target)
        assert not target.exists()
    write(target, plane=dict.fromkeys(several, 0))
    pixels = imread(target)
    assert pixels.shape[:5] == (1, 1, 1, *shape_of(saved, axes))
    if image:
        image.close()
    if source in ("colours", "photo.czi", "in.png", "in.gif"):
        np.testing.assert_array_equal(
            pixels[0, 0, 0], PHOTO if "gif" not in source else pixels[0, 0, 0]
        )


def sizes_of(array: Any, axes: str) -> dict[str, int]:
    names = "".join(getattr(array, "dims", axes or "TCZYX"[-array.ndim :]))
    return {} if array is PHOTO else dict(zip(names, array.shape))


def shape_of(saved: Any, axes: str) -> tuple[int, int]:
    sizes = dict(saved.sizes) if isinstance(saved, Image) else sizes_of(saved, axes)
    return (20, 30) if saved is PHOTO else (sizes["Y"], sizes["X"])


# Pixel types

TYPES = [
    "bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float16",
    "float32", "float64", "complex64", "complex128",
]  # fmt: skip
LACKING = {
    "czi": {*TYPES} - {"bool", "uint8", "uint16", "float32"},
    "ome.tiff": {"int64", "uint64", "float16"},
    "tif": set(),
    "ome.zarr": set(),
}


@pytest.mark.parametrize("samples", [1, 3])
@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("target", LACKING)
@pytest.mark.filterwarnings("ignore:there is no OME-XML")
def test_pixels_of_every_type_are_saved_or_refused(
    tmp_path: Path, target: str, dtype: str, samples: int
) -> None:
    needs("tifffile", "ome-tiff")
    needs("ngff_zarr", "ome-zarr")
    pixels = np.random.default_rng(6).normal(0, 90, (12, 15, samples)).astype(dtype).squeeze()
    path = tmp_path / f"out.{target}"
    is_bits = dtype == "bool" and samples > 1 and "tif" in target
    if dtype in LACKING[target] or is_bits:
        with pytest.raises(UnsupportedDataError, match=f"pixels of type {dtype}"):
            save(pixels, path)
        assert not path.exists()
        return
    save(pixels, path)
    found = imread(path)
    assert found.dtype == ("uint8" if (target, dtype) == ("czi", "bool") else dtype)
    np.testing.assert_array_equal(found[0, 0, 0], pixels)


@pytest.mark.parametrize("target", [*KEPT, "png"])
@pytest.mark.parametrize("mode", ["LA", "RGBA"])
def test_transparency_is_kept_but_in_a_czi(tmp_path: Path, target: str, mode: str) -> None:
    pictures = needs("PIL.Image", "cli")
    needs("tifffile", "ome-tiff")
    needs("ngff_zarr", "ome-zarr")
    pixels = np.random.default_rng(7).integers(0, 256, (20, 30, len(mode))).astype(np.uint8)
    pictures.fromarray(pixels).save(tmp_path / "in.png")
    told = pytest.warns(PixelTypeWarning, match="left out") if target == "czi" else nullcontext()
    with open_image(tmp_path / "in.png") as image, told:
        image.save(tmp_path / f"out.{target}")
    found = imread(tmp_path / f"out.{target}")
    kept = pixels if target != "czi" else pixels[..., :-1]
    np.testing.assert_array_equal(found[0, 0, 0].reshape(kept.shape), kept)


@pytest.mark.parametrize("samples", [2, 4])
def test_an_array_with_transparency_is_refused(tmp_path: Path, samples: int) -> None:
    with pytest.raises(ValueError, match="leave out what is transparency"):
        save(np.zeros((5, 6, samples), np.uint8), tmp_path / "a.tif", "YXS")


def test_what_is_no_array_is_refused(tmp_path: Path) -> None:
    dataset = needs("xarray", "xarray").Dataset({"image": (("Y", "X"), PHOTO[..., 0])})
    with pytest.raises(TypeError, match=r"name that of the dataset: one of 'image'"):
        save(dataset, tmp_path / "a.tif")
    with pytest.raises(TypeError, match=r"convert\('a.czi', ...\) writes a file"):
        save("a.czi", tmp_path / "a.tif")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("order", ["CZTYX", "TCZXY", "XYZCT"])
def test_an_xarray_may_have_its_dimensions_in_any_order(tmp_path: Path, order: str) -> None:
    needs("tifffile", "ome-tiff")
    saved, _ = SOURCES["xarray"](tmp_path)
    save(saved.transpose(*order), tmp_path / "out.ome.tiff")
    with open_image(tmp_path / "out.ome.tiff") as image:
        [found] = facts_of(image)
    [expected] = facts_of_array(saved, {})
    np.testing.assert_array_equal(found.pixels, expected.pixels)
    assert_kept(found, expected, KEPT["ome.tiff"])
