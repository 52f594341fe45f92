"""ngff-zarr's interface under czictypes' name: arrays to images, multiscales, stores and back.

The code of its page "Python Interface" stands here as it is there; its import line alone is another
one.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from extras import needs

import czictypes as nz
from czictypes import convert, imread, open_image, save, write_ome_zarr
from czictypes.metadata.document_content import DocumentContent
from czictypes.metadata.scenes import Acquisition, Plate, SceneInfo, Well
from czictypes.model.errors import UnsupportedDataError
from czictypes.writing.writer import create_czi

ngff = needs("ngff_zarr", "ome-zarr")
VERSIONS = ("0.4", "0.5", "0.6", "0.9.dev1")
STACK = np.arange(16 * 100 * 128, dtype=np.uint16).reshape(16, 100, 128)

# by itkwasm, with which ngff-zarr makes levels; numpy 2.5 warns of it
pytestmark = pytest.mark.filterwarnings("ignore:Setting the shape on a NumPy array")


@pytest.fixture
def image() -> Any:
    """An image of ngff-zarr with real units."""
    return nz.to_ngff_image(
        STACK,
        dims=["z", "y", "x"],
        scale={"z": 2.0, "y": 0.5, "x": 0.5},
        translation={"z": 0.0, "y": 10.0, "x": 20.0},
        name="cells",
        axes_units=dict.fromkeys("zyx", "micrometer"),
    )


@pytest.fixture
def multiscales(image: Any) -> Any:
    # the default method keeps a file of its own open
    method = ngff.Methods.DASK_BIN_SHRINK
    return nz.to_multiscales(image, scale_factors=[2, 4], chunks=32, method=method)


class Foreign:
    """An array of another package, of which only the standard is known: no type of numpy's."""

    dtype = "foreign.uint16"

    def __init__(self, pixels: Any) -> None:
        self._pixels = pixels
        self.shape, self.ndim = pixels.shape, pixels.ndim

    def __getitem__(self, key: Any) -> Foreign:
        return Foreign(self._pixels[key])

    def __dlpack__(self, **options: Any) -> Any:
        return self._pixels.__dlpack__(**options)

    def __dlpack_device__(self) -> Any:
        return self._pixels.__dlpack_device__()


class Dataset:
    """An array as h5py has it: a shape, a type, slices, and dimensions without names."""

    def __init__(self, pixels: Any) -> None:
        self._pixels = pixels
        self.shape, self.ndim, self.dtype = pixels.shape, pixels.ndim, pixels.dtype
        self.dims = [SimpleNamespace(label="") for _ in pixels.shape]

    def __getitem__(self, key: Any) -> Any:
        return self._pixels[key]


def arrays() -> dict[str, Any]:
    xarray, dask = needs("xarray", "xarray"), needs("dask.array", "dask")
    return {
        "numpy": STACK,
        "another byte order": STACK.astype(">u2"),
        "a view": STACK[::-1][::-1],
        "dask": dask.from_array(STACK, chunks=32),
        "zarr": needs("zarr", "ome-zarr").array(STACK),
        "xarray": xarray.DataArray(STACK, dims=("z", "y", "x")),
        "array API": Foreign(STACK),
        "h5py": Dataset(STACK),
    }


KINDS = ["numpy", "another byte order", "a view", "dask", "zarr", "xarray", "array API", "h5py"]


@pytest.mark.parametrize("kind", KINDS)
def test_arrays_of_every_kind_become_images_and_are_written(kind: str, tmp_path: Path) -> None:
    needs("tifffile", "ome-tiff")
    array = arrays()[kind]
    made = nz.to_ngff_image(
        array,
        dims=("z", "y", "x"),
        scale={"z": 2.0, "y": 0.5, "x": 0.5},
        translation={"z": 0.0, "y": 1.0, "x": 3.0},
        name="cells",
        axes_units={"x": "micrometer"},
    )
    assert (tuple(made.dims), made.name, made.axes_units) == (
        ("z", "y", "x"), "cells", {"x": "micrometer"}
    )  # fmt: skip
    assert (made.scale["z"], made.translation["x"]) == (2.0, 3.0)
    np.testing.assert_array_equal(made.data.compute(), STACK)
    write_ome_zarr(array, tmp_path / "a.ome.zarr")
    save(array, tmp_path / "a.ome.tiff")
    for name in ("a.ome.zarr", "a.ome.tiff"):
        np.testing.assert_array_equal(imread(tmp_path / name)[0, 0], STACK)


@pytest.mark.parametrize(
    ("scale_factors", "sizes", "chunks", "cut"),
    [
        ([2, 4], [100, 50, 25], 32, (16, 32, 32)),
        ([{"z": 1, "y": 2, "x": 2}], [100, 50], (4, 16, 32), (4, 16, 32)),
        ([2], [100, 50], (50, 64), (1, 50, 64)),
        (50, [100, 50], {"z": 2, "y": 25, "x": 16}, (2, 25, 16)),
        ([{"z": 2, "y": 2, "x": 1}], [100, 50], {"x": 16}, (16, 100, 16)),
    ],
)
def test_levels_and_chunks_are_those_that_are_asked_for(
    scale_factors: Any, sizes: list[int], chunks: Any, cut: tuple[int, ...]
) -> None:
    for source in (STACK, nz.to_ngff_image(STACK), Foreign(STACK)):
        made = nz.to_multiscales(
            source,
            scale_factors=scale_factors,
            chunks=chunks,
            method=ngff.Methods.DASK_BIN_SHRINK,
        )
        found = [one.data.shape[1] for one in made.images]
        assert found[: len(sizes)] == sizes
        assert made.images[0].data.chunksize == cut
        np.testing.assert_array_equal(made.images[0].data.compute(), STACK)


@pytest.mark.parametrize(
    ("chunks", "told"),
    [({"q": 3}, "the axis 'q'; the axes are t, c, z, y, x"), ((1, 2, 3, 4), "4 lengths")],
)
def test_chunks_of_axes_that_are_not_there_are_refused(chunks: Any, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        nz.to_multiscales(STACK, scale_factors=[2], chunks=chunks)


def test_the_coordinates_of_an_xarray_are_scale_and_units() -> None:
    xarray = needs("xarray", "xarray")
    coords = {"y": ("y", np.arange(100) * 0.5, {"units": "um"})}
    made = nz.to_ngff_image(xarray.DataArray(STACK, dims=("z", "y", "x"), coords=coords, name="n"))
    assert (made.name, made.scale["y"], made.axes_units["y"]) == ("n", 0.5, "micrometer")


def test_multiscales_are_computed_by_ngff_zarr(multiscales: Any) -> None:
    assert [one.data.shape for one in multiscales.images] == [
        (16, 100, 128), (8, 50, 64), (4, 25, 32)
    ]  # fmt: skip
    plain = nz.to_multiscales(STACK, scale_factors=[2], method=ngff.Methods.DASK_BIN_SHRINK)
    assert len(plain.images) == 2


@pytest.mark.parametrize(
    "options",
    [
        {}, {"version": "0.4"}, {"version": "0.5", "chunks_per_shard": 2},
        {"version": "0.5", "chunks_per_shard": (2, 2, 4)},
        {"version": "0.5", "chunks_per_shard": {"z": 4, "y": 2, "x": 2}},
    ],
)  # fmt: skip
def test_multiscales_are_written_and_read_and_validated(
    multiscales: Any, tmp_path: Path, options: dict[str, Any]
) -> None:
    needs("jsonschema")
    nz.to_ngff_zarr(tmp_path / "a.ome.zarr", multiscales, **options)
    found = nz.from_ngff_zarr(tmp_path / "a.ome.zarr", validate=True)
    np.testing.assert_array_equal(found.images[0].data.compute(), STACK)
    np.testing.assert_array_equal(imread(tmp_path / "a.ome.zarr")[0, 0], STACK)


@pytest.mark.filterwarnings("ignore:use_tensorstore is deprecated")  # ngff-zarr 0.50 and later
def test_tensorstore_writes_the_same(multiscales: Any, tmp_path: Path) -> None:
    needs("tensorstore", "tensorstore")
    options: dict[str, Any]
    for number, options in enumerate(({}, {"version": "0.5", "chunks_per_shard": 2})):
        path = tmp_path / f"{number}.ome.zarr"
        nz.to_ngff_zarr(path, multiscales, use_tensorstore=True, **options)
        np.testing.assert_array_equal(imread(path)[0, 0], STACK)


@pytest.mark.parametrize("before", VERSIONS)
@pytest.mark.parametrize("after", VERSIONS)
def test_one_version_becomes_another_without_a_czi(
    image: Any, tmp_path: Path, before: str, after: str
) -> None:
    first, second, third = (tmp_path / f"{number}.ome.zarr" for number in range(3))
    flat = [{"z": 1, "y": factor, "x": factor} for factor in (2, 4)]
    method = ngff.Methods.DASK_BIN_SHRINK
    made = nz.to_multiscales(image, scale_factors=flat, chunks=32, method=method)
    nz.to_ngff_zarr(first, made, version=before)
    nz.to_ngff_zarr(second, nz.from_ngff_zarr(first), version=after)
    convert(first, third, version=after)
    for name in (second, third):
        assert (name / (".zattrs" if after == "0.4" else "zarr.json")).exists()
        found = nz.from_ngff_zarr(name)
        np.testing.assert_array_equal(found.images[0].data.compute().reshape(STACK.shape), STACK)
        with open_image(name) as image:
            np.testing.assert_array_equal(image.data[0, 0], STACK)
            assert image.physical_pixel_sizes == pytest.approx((2.0, 0.5, 0.5))
            assert image.origin == pytest.approx((20.0, 10.0))
            assert [level.height for level in image.levels] == [100, 50, 25]


STORES: dict[str, Callable[[Path], Any]] = {
    "path": lambda folder: folder / "a.ome.zarr",
    "text": lambda folder: str(folder / "a.ome.zarr"),
    "LocalStore": lambda folder: storage().LocalStore(folder / "a.ome.zarr"),
    "path in LocalStore": lambda folder: storage().StorePath(
        storage().LocalStore(folder), "in/a.ome.zarr"
    ),
    "dict": lambda folder: {},
    "MemoryStore": lambda folder: storage().MemoryStore(),
    "path in MemoryStore": lambda folder: storage().StorePath(storage().MemoryStore(), "a/b"),
    "ZipStore": lambda folder: storage().ZipStore(folder / "a.zip", mode="w"),
    "zip": lambda folder: folder / "a.zip",
    "ozx": lambda folder: folder / "a.ozx",
    "URL": lambda folder: f"memory://{folder}/a.ome.zarr",
    "UPath": lambda folder: needs("upath").UPath(f"memory://{folder}/a.ome.zarr"),
    "FsspecStore": lambda folder: storage().FsspecStore.from_url(f"memory://{folder}/a.ome.zarr"),
    "fsspec map": lambda folder: needs("fsspec").get_mapper(f"memory://{folder}/a.ome.zarr"),
}


def storage() -> Any:
    return needs("zarr.storage", "ome-zarr")


@pytest.mark.parametrize("options", [{"version": "0.4"}, {"chunks_per_shard": 2}])
@pytest.mark.parametrize("kind", STORES)
def test_any_store_is_written_and_read(
    multiscales: Any, tmp_path: Path, kind: str, options: dict[str, Any]
) -> None:
    store = STORES[kind](tmp_path)
    if kind == "ozx" and options.get("version") == "0.4":
        with pytest.raises(ValueError, match="cannot hold OME-Zarr"):
            nz.to_ngff_zarr(store, multiscales, **options)
        return
    nz.to_ngff_zarr(store, nz.to_multiscales(STACK[:4], scale_factors=[]), **options)
    nz.to_ngff_zarr(store, multiscales, **options)  # in place of what is there
    found = nz.from_ngff_zarr(store)
    assert [one.data.shape for one in found.images] == [(16, 100, 128), (8, 50, 64), (4, 25, 32)]
    np.testing.assert_array_equal(found.images[0].data.compute(), STACK)
    np.testing.assert_array_equal(imread(store)[0, 0], STACK)


def test_metadata_that_break_their_schema_are_an_error(multiscales: Any) -> None:
    jsonschema, zarr = needs("jsonschema"), needs("zarr", "ome-zarr")
    store = storage().MemoryStore()
    nz.to_ngff_zarr(store, multiscales)
    attributes = zarr.open_group(store, mode="r+").attrs
    attributes["ome"] = {**attributes["ome"], "multiscales": [{"axes": 3}]}
    with pytest.raises(jsonschema.ValidationError):
        nz.from_ngff_zarr(store, validate=True)


@pytest.mark.parametrize(
    "options",
    [
        {}, {"version": "0.4"}, {"chunks_per_shard": 2}, {"chunks_per_shard": (2, 2, 4)},
        {"chunks_per_shard": {"z": 4, "y": 2, "x": 2}}, {"use_tensorstore": False},
    ],
)  # fmt: skip
def test_write_ome_zarr_takes_arrays_images_and_multiscales(
    image: Any, multiscales: Any, tmp_path: Path, options: dict[str, Any]
) -> None:
    needs("jsonschema")
    chunks = {"z": 4, "y": 32, "x": 32}
    for number, source in enumerate((STACK, image, multiscales)):
        path = tmp_path / f"{number}.ome.zarr"
        write_ome_zarr(source, path, chunks=chunks, validate=True, **options)
        with open_image(path) as found:
            np.testing.assert_array_equal(found.data[0, 0], STACK)
            if number:
                assert found.physical_pixel_sizes == pytest.approx((2.0, 0.5, 0.5))
                assert found.origin == pytest.approx((20.0, 10.0))
    if counts := options.get("chunks_per_shard"):
        assert ngff is not None
        zarr = needs("zarr", "ome-zarr")
        shards = zarr.open(tmp_path / "0.ome.zarr/0", mode="r").shards
        expected = {2: (2, 2, 2), (2, 2, 4): (2, 2, 4)}.get(
            counts if not isinstance(counts, dict) else None, (4, 2, 2)
        )
        assert shards[2:] == tuple(c * n for c, n in zip((4, 32, 32), expected))


def test_shards_are_named_in_one_way(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="shards and chunks_per_shard say the same"):
        write_ome_zarr(STACK, tmp_path / "a.ome.zarr", shards=2048, chunks_per_shard=2)


@pytest.mark.parametrize("target", ["a.czi", "a.ome.tif"])
def test_multiscales_are_saved_in_other_formats(
    multiscales: Any, tmp_path: Path, target: str
) -> None:
    needs("tifffile", "ome-tiff")
    save(multiscales, tmp_path / target)
    with open_image(tmp_path / target) as found:
        np.testing.assert_array_equal(found.data[0, 0], STACK)
        assert found.scenes == ("cells",)
        assert found.physical_pixel_sizes == pytest.approx((2.0, 0.5, 0.5))
    with pytest.raises(ValueError, match="describes itself"):
        save(multiscales, tmp_path / target, "ZYX", overwrite=True)


# Plates


@pytest.fixture
def plate(tmp_path: Path) -> Path:
    """A plate of two wells that nz wrote, with two acquisitions."""
    wells = [("B", 2, 2, 0), ("A", 1, 1, 0), ("A", 1, 1, 5), ("A", 1, 1, 5), ("B", 2, 2, 5)]
    scenes = [
        SceneInfo(at, f"P{at}", well=Well(f"{row}{column}", number, column), acquisition=of)
        for at, (row, number, column, of) in enumerate(wells)
    ]
    rounds = (Acquisition(0, "first"), Acquisition(5, "after a day", "with drug", 10, 20))
    with create_czi(tmp_path / "plate.czi") as document:
        for at in range(5):
            for c in range(2):
                pixels = STACK[at + 5 * c, :40, :50]
                document.write(pixels, (at * 100, 0), {"C": c}, scene=at)
        known = Plate("screen", 2, 3, acquisitions=rounds)
        content = DocumentContent(scenes=scenes, plate=known)
        document.write_metadata("plate", {0: "A", 1: "B"}, 2e-7, 2e-7, content=content)
    write_ome_zarr(tmp_path / "plate.czi", tmp_path / "screening_plate.ome.zarr")
    return tmp_path / "screening_plate.ome.zarr"


def check_plate(path: Path) -> None:
    """Compare scene by scene with what was written."""
    with open_image(path.parent / "plate.czi") as before, open_image(path) as after:
        assert after.plate == before.plate
        assert sorted(after.scenes) == list(before.scenes)
        for name in before.scenes:
            before.set_scene(name)
            after.set_scene(name)
            assert (after.well, after.field) == (before.well, before.field)
            assert after.acquisition == before.acquisition
            assert after.channel_names == before.channel_names
            assert after.physical_pixel_sizes[1:] == pytest.approx(before.physical_pixel_sizes[1:])
            np.testing.assert_array_equal(after.data, before.data)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_plate_becomes_a_plate_of_any_version(plate: Path, version: str) -> None:
    first, *others = (plate.with_name(f"{number}.ome.zarr") for number in range(5))
    convert(plate, first, version=version)
    convert(first, others[0])
    with open_image(first) as image:
        image.save(others[1], version=version)
    save(nz.from_hcs_zarr(first), others[2], version=version)
    write_ome_zarr(nz.from_hcs_zarr(first), others[3], version=version)
    for path in (first, *others):
        check_plate(path)
        well = nz.from_hcs_zarr(path).get_well("A", "1")
        found = well.get_image_by_acquisition(acquisition_id=5, field_index=1)
        np.testing.assert_array_equal(
            found.images[0].data.compute().reshape(2, 40, 50), STACK[[3, 8], :40, :50]
        )
        assert well.get_image_by_acquisition(5, 2) is None


def test_a_plate_becomes_a_czi_and_a_plate_again(plate: Path) -> None:
    convert(plate, plate.with_name("converted.czi"))
    with open_image(plate) as image:
        image.save(plate.with_name("saved.czi"))
    save(nz.from_hcs_zarr(plate), plate.with_name("object.czi"))
    for name in ("converted.czi", "saved.czi", "object.czi"):
        check_plate(plate.with_name(name))
        convert(plate.with_name(name), plate.with_name("again.ome.zarr"), overwrite=True)
        check_plate(plate.with_name("again.ome.zarr"))


@pytest.mark.parametrize("kind", STORES)
def test_a_plate_is_read_from_any_store(plate: Path, tmp_path: Path, kind: str) -> None:
    needs("jsonschema")
    store = STORES[kind](tmp_path)
    convert(plate, store)
    found = nz.from_hcs_zarr(store, validate=True)
    assert [one.path for one in found.wells] == ["A/1", "B/2"]
    well = found.get_well("B", "2")
    assert well is found.get_well_by_indices(1, 1)
    assert found.get_well("H", "12") is None
    pixels = well.get_image_by_acquisition(5).images[0].data.compute()
    np.testing.assert_array_equal(pixels.reshape(2, 40, 50), STACK[[4, 9], :40, :50])
    assert well.get_image(2) is None


def test_a_plate_without_images_is_told(tmp_path: Path) -> None:
    empty = ngff.HCSPlate(str(tmp_path), ngff.Plate([], [], [], name="nothing"))
    with pytest.raises(UnsupportedDataError, match="nothing has no images"):
        save(empty, tmp_path / "a.czi")
    rows, columns = [ngff.PlateRow("A")], [ngff.PlateColumn("1")]
    begun = ngff.Plate(columns, rows, [ngff.PlateWell("A/1", 0, 0)], name="begun", version="0.5")
    ngff.to_hcs_zarr(ngff.HCSPlate(str(tmp_path / "b"), begun), str(tmp_path / "b.ome.zarr"))
    with pytest.raises(UnsupportedDataError, match="begun lists the well A/1, which is not there"):
        save(nz.from_hcs_zarr(tmp_path / "b.ome.zarr"), tmp_path / "a.czi")
    with pytest.raises(FileNotFoundError, match="A/1"):
        open_image(tmp_path / "b.ome.zarr")


# The page


FIRST = """
from imageio.v3 import imread
data = imread('cthead1.png')
print(type(data))
import czictypes as nz
image = nz.to_ngff_image(data,
                             dims=['y', 'x'],
                             scale={'y': 1.0, 'x': 1.0},
                             translation={'y': 0.0, 'x': 0.0})
print(image)
multiscales = nz.to_multiscales(image,
                                    scale_factors=[2,4],
                                    chunks=64)
print(multiscales)
nz.to_ngff_zarr('cthead1.ome.zarr', multiscales)
multiscales = nz.from_ngff_zarr('cthead1.ome.zarr')
multiscales = nz.from_ngff_zarr('cthead1.ome.zarr', validate=True)
nz.to_ngff_zarr('cthead1.ome.zarr', multiscales, use_tensorstore=True)
"""
SHARDS = """
version = '0.5'
nz.to_ngff_zarr('lightsheet.ome.zarr',
                multiscales,
                chunks_per_shard=2,
                version=version)
nz.to_ngff_zarr('lightsheet.ome.zarr',
                multiscales,
                chunks_per_shard=(2, 2, 4),
                version=version)
nz.to_ngff_zarr('lightsheet.ome.zarr',
                multiscales,
                chunks_per_shard={'z':4, 'y':2, 'x':2},
                version=version)
nz.to_ngff_zarr('lightsheet.ome.zarr',
                multiscales,
                chunks_per_shard={'z':4, 'y':2, 'x':2},
                use_tensorstore=True,
                version=version)
"""
PLATES = """
# Load an HCS plate
plate = nz.from_hcs_zarr('screening_plate.ome.zarr')

print(f"Plate: {plate.metadata.name}")
print(f"Wells: {len(plate.metadata.wells)}")

# Access a specific well
well = plate.get_well("A", "1")  # Row A, Column 1
if well:
    print(f"Well A/1 has {len(well.images)} field(s)")

    # Get the first field image
    image = well.get_image(0)
    if image:
        print(f"Image shape: {image.images[0].data.shape}")
well = plate.get_well("B", "2")
for field_idx in range(len(well.images)):
    image = well.get_image(field_idx)
    if image:
        # Each field is a standard multiscale image
        ngff_image = image.images[0]  # First scale level
        print(f"Field {field_idx}: {ngff_image.data.shape}")
if plate.metadata.acquisitions:
    for acq in plate.metadata.acquisitions:
        print(f"Acquisition {acq.id}: {acq.name}")

    # Get image from specific acquisition
    well = plate.get_well("A", "1")
    image = well.get_image_by_acquisition(acquisition_id=0, field_index=0)
# Validate against HCS schema
plate = nz.from_hcs_zarr('plate.ome.zarr', validate=True)
"""
CONVERSION = """
# Convert from 0.4 to 0.5
multiscales = from_ngff_zarr('cthead1.ome.zarr')
to_ngff_zarr('cthead1_zarr3.ome.zarr', multiscales, version='0.5')
# Convert from 0.5 to 0.4
multiscales = from_ngff_zarr('cthead1.ome.zarr')
to_ngff_zarr('cthead1_zarr2.ome.zarr', multiscales, version='0.4')
"""

# "tensorstore is no longer used", since ngff-zarr 0.50
without_tensorstore = pytest.mark.filterwarnings("ignore:use_tensorstore is deprecated")


@pytest.fixture(scope="module")
def loaded() -> None:
    """Load what ngff-zarr's default method keeps open to the end of the process."""
    nz.to_multiscales(STACK[0], scale_factors=[2], chunks=32).images[1].data.compute()


@pytest.fixture
def here(loaded: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Give the names that the page knows, in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    return {"nz": nz, "from_ngff_zarr": nz.from_ngff_zarr, "to_ngff_zarr": nz.to_ngff_zarr}


@without_tensorstore
def test_the_first_steps_of_the_page(
    here: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    needs("imageio.v3", "imageio")
    needs("jsonschema")
    pixels = (np.arange(256 * 256) % 251).astype(np.uint8).reshape(256, 256)
    save(pixels, "cthead1.png")
    exec(FIRST, here)
    printed = "".join(capsys.readouterr().out.split())
    for told in (
        "<class'numpy.ndarray'>",
        "NgffImage(data=dask.array<array,shape=(256,256),dtype=uint8,chunksize=(256,256)",
        "dims=['y','x'],scale={'y':1.0,'x':1.0},translation={'y':0.0,'x':0.0},name='image'",
        "shape=(128,128),dtype=uint8,chunksize=(64,64)",
        "scale={'y':4.0,'x':4.0},translation={'y':1.5,'x':1.5},name='image',axes_units=None",
        "Axis(name='y',type='space',unit=None",
        "Dataset(path='scale1/image',coordinateTransformations=[",
        "type='scale',scale=[2.0,2.0])",
        "type='translation',translation=[0.5,0.5])",
        "scale_factors=[2,4],method=<Methods.ITKWASM_GAUSSIAN:'itkwasm_gaussian'>",
        "chunks={'y':64,'x':64}",
    ):
        assert told in printed
    np.testing.assert_array_equal(imread("cthead1.ome.zarr")[0, 0, 0], pixels)
    exec(CONVERSION, here)
    for name in ("cthead1_zarr3.ome.zarr/zarr.json", "cthead1_zarr2.ome.zarr/.zattrs"):
        assert Path(name).exists()
        np.testing.assert_array_equal(imread(Path(name).parent)[0, 0, 0], pixels)


@without_tensorstore
@pytest.mark.parametrize("at", range(4))
def test_the_shards_of_the_page(here: dict[str, Any], at: int) -> None:
    zarr = needs("zarr", "ome-zarr")
    stack = (np.arange(256 * 128 * 256) % 251).astype(np.uint8).reshape(256, 128, 256)
    here["multiscales"] = nz.to_multiscales(stack, scale_factors=[], chunks=64)
    first, *calls = ast.parse(SHARDS).body
    exec(compile(ast.Module([first, calls[at]], []), "page", "exec"), here)
    array = zarr.open_array("lightsheet.ome.zarr/scale0/image", mode="r")
    assert array.chunks == (64, 64, 64)
    assert array.shards == [(128, 128, 128), (128, 128, 256), (256, 128, 128), (256, 128, 128)][at]
    np.testing.assert_array_equal(array[:], stack)


def test_the_plates_of_the_page(
    plate: Path, here: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    needs("jsonschema")
    convert(plate, "plate.ome.zarr", version="0.4")
    exec(PLATES, here)
    assert capsys.readouterr().out.splitlines() == [
        "Plate: screen", "Wells: 2", "Well A/1 has 3 field(s)", "Image shape: (1, 2, 1, 40, 50)",
        "Field 0: (1, 2, 1, 40, 50)", "Field 1: (1, 2, 1, 40, 50)",
        "Acquisition 0: first", "Acquisition 5: after a day",
    ]  # fmt: skip
    np.testing.assert_array_equal(
        here["image"].images[0].data.compute()[0, :, 0], STACK[[1, 6], :40, :50]
    )


@pytest.mark.parametrize("scale_factors", [None, [2]])
def test_dim_pixels_without_limits_get_a_window_of_what_they_have(
    tmp_path: Path, scale_factors: list[int] | None
) -> None:
    pixels = np.zeros((2, 200, 300), np.uint16)
    pixels[0], pixels[1] = np.linspace(300, 700, 300), np.linspace(0, 65535, 300)
    with create_czi(tmp_path / "dim.czi") as document:
        for channel, plane in enumerate(pixels):
            document.write(plane, plane={"C": channel})
    made = nz.to_multiscales(tmp_path / "dim.czi", scale_factors=scale_factors)
    dim, bright = (channel.window for channel in made.metadata.omero.channels)
    assert 290 <= dim.start <= 310
    assert 690 <= dim.end <= 710
    assert bright.end > 65000
