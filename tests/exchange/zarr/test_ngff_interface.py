"""ngff-zarr's interface under czictypes' name: arrays to images, multiscales, stores and back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from extras import needs

import czictypes as nz
from czictypes import imread, open_image, save, write_ome_zarr

ngff = needs("ngff_zarr", "ome-zarr")
STACK = np.arange(16 * 100 * 128, dtype=np.uint16).reshape(16, 100, 128)


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
    """An array of another package, of which only the standard is known."""

    def __init__(self, pixels: Any) -> None:
        self._pixels = pixels
        self.shape, self.dtype, self.ndim = pixels.shape, pixels.dtype, pixels.ndim

    def __dlpack__(self, **options: Any) -> Any:
        return self._pixels.__dlpack__(**options)

    def __dlpack_device__(self) -> Any:
        return self._pixels.__dlpack_device__()


def test_arrays_of_every_kind_become_images(tmp_path: Path) -> None:
    zarr, dask = needs("zarr", "ome-zarr"), needs("dask.array", "dask")
    for array in (STACK, dask.from_array(STACK), zarr.array(STACK), Foreign(STACK)):
        made = nz.to_ngff_image(array, dims=("z", "y", "x"))
        assert (tuple(made.dims), made.name) == (("z", "y", "x"), "image")
        np.testing.assert_array_equal(made.data.compute(), STACK)


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


def test_one_version_becomes_another_without_a_czi(multiscales: Any, tmp_path: Path) -> None:
    names = [tmp_path / f"{number}.ome.zarr" for number in range(3)]
    nz.to_ngff_zarr(names[0], multiscales, version="0.4")
    nz.to_ngff_zarr(names[1], nz.from_ngff_zarr(names[0]), version="0.5")
    nz.to_ngff_zarr(names[2], nz.from_ngff_zarr(names[1]), version="0.4")
    for name in names:
        np.testing.assert_array_equal(imread(name)[0, 0], STACK)
    assert (names[1] / "zarr.json").exists()
    assert (names[2] / ".zattrs").exists()


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


def test_stores_of_zarr_and_mappings_are_read_and_written(multiscales: Any, tmp_path: Path) -> None:
    zarr = needs("zarr", "ome-zarr")
    store: dict[str, Any] = {}
    write_ome_zarr(STACK, store)
    np.testing.assert_array_equal(imread(store)[0, 0], STACK)
    with zarr.storage.ZipStore(tmp_path / "a.zip", mode="w") as archive:
        write_ome_zarr(multiscales, archive)
    np.testing.assert_array_equal(imread(tmp_path / "a.zip")[0, 0], STACK)
