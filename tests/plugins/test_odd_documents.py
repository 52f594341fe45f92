"""Documents that are stored oddly, through every plug-in and format: as if stored plainly."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from extras import needs
from files.builder import write_czi
from files.odd import OddTile
from files.patterns import noise
from files.xml import document_xml

from czictypes import CziImage, CziSlide, DeepZoomTiles, convert, czi
from czictypes.model.options import ReaderOptions
from czictypes.model.pixel_types import Compression, PixelType

STORED = {"stored_resolution": True}
#: Kind, compression, the letter of the stack, and how many times as many pixels a tile has.
VARIANTS = {
    "Gray8": (PixelType.Gray8, Compression.Uncompressed, "Z", (10, 10)),
    "Gray16": (PixelType.Gray16, Compression.Zstd1, "T", (1, 4)),
    "Bgr24": (PixelType.Bgr24, Compression.Zstd0, "Z", (3, 2)),
    "Gray32Float": (PixelType.Gray32Float, Compression.Uncompressed, "T", (5, 1)),
}

Pair = tuple[Path, Path, dict[str, Any]]


@pytest.fixture(params=["larger", "stored resolution", "lacking"])
def pair(request: pytest.FixtureRequest, tmp_path: Path) -> Pair:
    """Give an odd document, a plain one that shows the same, and the options for the odd one."""
    return made(tmp_path, request.param, "Gray16")


def made(folder: Path, oddity: str, variant: str) -> Pair:
    kind, compression, letter, (across, down) = VARIANTS[variant]
    places = {letter: range(3)}
    lacks = oddity == "lacking"
    if lacks:
        across = down = 1
    tiles = []
    for m in range(2):
        fine = noise(kind, 20 * down, 30 * across, 60 + m)[np.newaxis]
        plane = {"C": 0} if lacks else {"C": 0, letter: 0}
        for at in range(1 if lacks else 3):
            place = plane if lacks else {**plane, letter: at}
            tiles.append(OddTile(fine, 30 * m, 5, 30, 20, place, m, compression=compression))
        for at in range(3):
            pixels = noise(kind, 20, 30, 70 + 3 * m + at)[np.newaxis]
            tiles.append(OddTile(pixels, 30 * m, 5, 30, 20, {"C": 1, letter: at}, m))
    scale = (across, down) if oddity == "stored resolution" else (1, 1)
    odd = [tile.block() for tile in tiles]
    plain = [block for tile in tiles for block in tile.plain(scale, places)]
    return (
        write_czi(folder / "odd.czi", odd, metadata=described(1, 1)),
        write_czi(folder / "plain.czi", plain, metadata=described(*scale)),
        STORED if oddity == "stored resolution" else {},
    )


def described(across: int, down: int) -> bytes:
    scaling = {"X": 1e-6 / across, "Y": 2e-6 / down, "Z": 3e-6}
    return document_xml(channels=["odd", "plain"], scaling=scaling)


def opened(options: dict[str, Any]) -> dict[str, Any]:
    return {"reader_options": ReaderOptions(**options)}


def slide(path: Path, **options: Any) -> list[Any]:
    needs("PIL.Image", "cli")
    with CziSlide(path, **options) as one, pickle.loads(pickle.dumps(one)) as again:
        tiles = DeepZoomTiles(one, 16)
        tile = tiles.get_tile(tiles.level_count - 2, (0, 0))
        found = [one.read_region((2, 3), 0, (40, 15)), again.get_thumbnail((20, 20)), tile]
        return [*map(np.asarray, found), one.dimensions, float(one.properties["openslide.mpp-x"])]


def composite(path: Path, **options: Any) -> list[Any]:
    with czi.open_czi(path, **opened(options)) as document:
        last = {name: end - 1 for name, (_, end) in document.total_bounding_box.items()}
        plane = {name: at for name, at in last.items() if name in "TZ"}
        return [document.composite(plane=plane), document.composite(plane=plane, zoom=0.4)]


def xarrays(path: Path, **options: Any) -> list[Any]:
    needs("dask.array", "dask")
    xr = needs("xarray", "xarray")
    engine = needs("czictypes.plugins.xarray", "xarray").CziBackendEntrypoint
    with xr.open_dataset(path, engine=engine, **options) as dataset:
        found = [dataset["image"].values, dataset["X"].values]
    groups = engine().open_groups_as_dict(path, **options)
    found += [group["image"].values for group in groups.values() if "image" in group]
    groups["/"].close()
    return found


def imageio(path: Path, **options: Any) -> list[Any]:
    iio = needs("imageio.v3", "imageio")
    from czictypes.plugins.imageio import CziPlugin

    with iio.imopen(path, "r", plugin=CziPlugin, **options) as image:
        return [image.read(), image.properties().spacing]


def bioio(path: Path, **options: Any) -> list[Any]:
    needs("bioio_base", "bioio")
    needs("dask.array", "dask")
    from czictypes.plugins.bioio import Reader

    reader = pickle.loads(pickle.dumps(Reader(path, **opened(options))))
    return [reader.data, np.asarray(reader.mosaic_data), tuple(reader.physical_pixel_sizes)]


def zarr_store(path: Path, **options: Any) -> list[Any]:
    needs("zarr.abc.store", "ome-zarr")
    import zarr

    from czictypes import aszarr

    first = aszarr(path, **options)
    store = pickle.loads(pickle.dumps(first))
    try:
        group = zarr.open_group(store, mode="r")
        return [group["0"][...], group.attrs["ome"]["multiscales"][0]["datasets"]]
    finally:
        store.close()
        first.close()


def ngff_image(path: Path, **options: Any) -> list[Any]:
    needs("ngff_zarr", "ome-zarr")
    from czictypes import to_ngff_image

    with CziImage(path, **options) as image:
        found = to_ngff_image(image)
        return [np.asarray(found.data), found.scale]


def napari(path: Path) -> list[Any]:
    needs("dask.array", "napari")
    from czictypes.plugins.napari import read_layers

    return [[np.asarray(data), settings["scale"]] for data, settings, _ in read_layers(str(path))]


def ome_zarr(path: Path, **options: Any) -> list[Any]:
    needs("zarr.abc.store", "ome-zarr")
    return [there_and_back(path, f"{version}.ome.zarr", options, version=version) for version in V]


V = ("0.4", "0.5")


def ome_tiff(path: Path, **options: Any) -> list[Any]:
    needs("tifffile", "ome-tiff")
    return [there_and_back(path, "x.ome.tif", options)]


def png(path: Path, **options: Any) -> list[Any]:
    pillow = needs("PIL.Image", "cli")
    target = path.with_suffix(".png")
    with CziImage(path, **options) as image:
        plane = {name: image.sizes[name] - 1 for name in "TZ" if image.sizes[name] > 1}
        convert(image, target, plane={**plane, "C": 0})
    with pillow.open(target) as picture:
        return [np.array(picture)]


def there_and_back(path: Path, name: str, options: Any, **more: Any) -> list[Any]:
    target, back = path.with_name(f"{path.stem}.{name}"), path.with_suffix(".back.czi")
    with CziImage(path, **options) as image:
        shape = convert(image, target, **more).images[0].shape
    convert(target, back, overwrite=True)
    with CziImage(back) as image:
        return [shape, image.data, tuple(image.physical_pixel_sizes)]


WAYS: list[Callable[..., list[Any]]] = [
    slide, composite, xarrays, imageio, bioio, zarr_store, ngff_image, ome_zarr, ome_tiff, png,
]  # fmt: skip


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_every_way_shows_what_is_there(way: Callable[..., list[Any]], pair: Pair) -> None:
    odd, plain, options = pair
    assert_equal(way(odd, **options), way(plain))


def test_napari_shows_what_is_there(pair: Pair) -> None:
    odd, plain, options = pair
    if not options:  # it takes none
        assert_equal(napari(odd), napari(plain))


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("oddity", ["larger", "stored resolution", "lacking"])
def test_every_pixel_type_and_compression(oddity: str, variant: str, tmp_path: Path) -> None:
    odd, plain, options = made(tmp_path, oddity, variant)
    for way in (composite, png):
        assert_equal(way(odd, **options), way(plain))
    with CziImage(odd, **options) as ours, CziImage(plain) as expected:
        assert_equal(ours.data, expected.data)
        assert tuple(ours.physical_pixel_sizes) == pytest.approx(expected.physical_pixel_sizes)


def assert_equal(found: Any, expected: Any) -> None:
    if isinstance(found, np.ndarray):
        assert found.dtype == expected.dtype
        np.testing.assert_array_equal(found, expected)
    elif isinstance(found, (list, tuple)):
        assert len(found) == len(expected)
        for one, other in zip(found, expected):
            assert_equal(one, other)
    elif isinstance(found, dict):
        assert found.keys() == expected.keys()
        assert_equal(list(found.values()), list(expected.values()))
    else:
        assert found == (pytest.approx(expected) if isinstance(found, float) else expected)
