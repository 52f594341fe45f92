"""The xarray backend: datasets and trees that read pixels when they are indexed."""

from __future__ import annotations

import asyncio
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import leaks
import numpy as np
import pytest
from extras import needs
from files.recipes import Made
from hypothesis import given
from hypothesis import strategies as st

from czictypes import czi
from czictypes.arrays.image import CziImage
from czictypes.model.errors import OutOfBoundsError

xr = needs("xarray", "xarray")
needs("dask.array", "dask")
ENGINE = needs("czictypes.plugins.xarray", "xarray").CziBackendEntrypoint


def test_a_scene_is_a_dataset_with_coordinates(
    real_file: Callable[[str], Path],
) -> None:
    path = real_file("S3_1Pos_2Mosaic_T2_Z3_CH2_sm.czi")
    with (
        xr.open_dataset(path, engine=ENGINE, scene="TR2") as dataset,
        CziImage(path, 2) as image,
    ):
        np.testing.assert_array_equal(dataset.image, image.data)
        labelled = image.to_xarray()
        for name in labelled.coords:
            xr.testing.assert_identical(dataset[name].variable, labelled[name].variable)
        assert dataset.image.dims == labelled.dims
        assert dataset.attrs["scene"] == "TR2"
        assert list(dataset.C.values) == ["DAPI", "EGFP"]


def test_nothing_is_read_before_it_is_indexed(
    made: Callable[[str], Made], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[dict[str, Any]] = []
    real = CziImage.read_block

    def watched(self: CziImage, selection: Any, **more: Any) -> Any:
        asked.append({name: np.asarray(item, object).tolist() for name, item in selection.items()})
        return real(self, selection, **more)

    monkeypatch.setattr(CziImage, "read_block", watched)
    with xr.open_dataset(made("stack").path, engine=ENGINE) as dataset:
        part = dataset.image.isel(T=1, C=0, Y=slice(3, 9))
        assert not asked
        assert part.values.shape == (4, 6, 21)
    assert len(asked) == 1
    assert (asked[0]["T"], asked[0]["Y"]) == (1, slice(3, 9, 1))


def slices(size: int) -> st.SearchStrategy[slice]:
    """Give slices; of empty ones with a step below 0 xarray itself makes an error."""
    return st.slices(size).filter(lambda one: (one.step or 1) > 0 or range(size)[one])


_KEYS = {
    "T": st.one_of(st.integers(-3, 2), slices(3)),
    "Z": st.one_of(st.integers(-4, 3), slices(4), st.lists(st.integers(0, 3), max_size=5)),
    "Y": st.one_of(st.integers(-15, 14), slices(15), st.lists(st.integers(0, 14), max_size=9)),
    "X": st.one_of(slices(21), st.lists(st.integers(-21, 20), max_size=9)),
}


@given(selection=st.fixed_dictionaries({}, optional=_KEYS))
def test_any_selection_is_that_of_the_array(
    made: Callable[[str], Made], selection: dict[str, Any]
) -> None:
    path = made("stack").path
    with xr.open_dataset(path, engine=ENGINE) as dataset, CziImage(path) as image:
        whole = xr.DataArray(image.data, dims=tuple("TCZYX"))
        np.testing.assert_array_equal(dataset.image.isel(selection), whole.isel(selection))


def test_points_and_coordinates(made: Callable[[str], Made]) -> None:
    path = made("stack").path
    with xr.open_dataset(path, engine=ENGINE) as dataset, CziImage(path) as image:
        y, x = xr.DataArray([1, 5, 14], dims="p"), xr.DataArray([20, 0, 7], dims="p")
        points = dataset.image.isel(Y=y, X=x, T=0, Z=2)
        np.testing.assert_array_equal(points, image.data[0, :, 2, [1, 5, 14], [20, 0, 7]].T)
        near = dataset.image.sel(X=3.2, method="nearest").sel(C="B")
        np.testing.assert_array_equal(near, image.data[:, 1, :, :, 3])


def test_chunks_make_it_a_dask_array(made: Callable[[str], Made]) -> None:
    path = made("mosaic").path
    with (
        xr.open_dataset(path, engine=ENGINE, chunks={}) as dataset,
        CziImage(path) as image,
    ):
        native = image.native_chunks()
        assert dict(zip(dataset.image.dims, dataset.image.data.chunksize)) == native
        np.testing.assert_array_equal(dataset.image.data.compute(), image.data)
    with pytest.warns(UserWarning, match="separate the stored chunks"):
        halved = xr.open_dataset(path, engine=ENGINE, chunks={"Y": 10})
    assert halved.image.chunks[-2][:2] == (10, 10)
    halved.close()


def test_a_level_and_the_tiles(made: Callable[[str], Made]) -> None:
    path = made("multi_scene_pyramid").path
    with CziImage(path, 1) as image:
        with xr.open_dataset(path, engine=ENGINE, scene=1, level=2) as dataset:
            np.testing.assert_array_equal(dataset.image, image.asarray(2))
        with xr.open_dataset(path, engine=ENGINE, scene=1, mosaic=False) as dataset:
            assert dataset.image.sizes["M"] == 4
        with pytest.raises(OutOfBoundsError):
            xr.open_dataset(path, engine=ENGINE, scene=1, level=3)


def test_variables_may_be_left_out(made: Callable[[str], Made]) -> None:
    path = made("stack").path
    with xr.open_dataset(path, engine=ENGINE, drop_variables=["image", "C"]) as dataset:
        assert "image" not in dataset
        assert "C" not in dataset.coords
        assert "X" in dataset.coords


def test_a_tree_has_every_level_of_every_scene(made: Callable[[str], Made]) -> None:
    path = made("multi_scene_pyramid").path
    with xr.open_datatree(path, engine=ENGINE) as tree, CziImage(path) as image:
        assert list(tree) == list(image.scenes)
        for index, name in enumerate(image.scenes):
            image.set_scene(index)
            for level in image.levels:
                found = tree[f"{name}/scale{level.index}/image"]
                np.testing.assert_array_equal(found, image.asarray(level.index))


def test_a_tree_of_one_scene_is_that_of_the_image(made: Callable[[str], Made]) -> None:
    path = made("multi_scene_pyramid").path
    with CziImage(path, 2) as image:
        expected = image.to_datatree()
        with xr.open_datatree(path, engine=ENGINE, scene=2) as tree:
            assert tree.groups == expected.groups
            np.testing.assert_array_equal(tree["scale1/image"], expected["scale1/image"])
    groups = xr.open_groups(path, engine=ENGINE, scene=2)
    assert list(groups) == ["/", "/scale0", "/scale1", "/scale2"]
    for dataset in groups.values():
        dataset.close()


def test_a_tree_opens_the_file_once_and_pickles(made: Callable[[str], Made]) -> None:
    path = made("multi_scene_pyramid").path
    with xr.open_datatree(path, engine=ENGINE) as tree:
        assert leaks.snapshot()[f"file {path}"] == 1
        level = tree["Image:1/scale1/image"]
        with pickle.loads(pickle.dumps(tree)) as again:
            np.testing.assert_array_equal(again["Image:1/scale1/image"], level)


def test_an_open_reader_gives_a_tree_too_and_stays_open(made: Callable[[str], Made]) -> None:
    with czi.open_czi(made("multi_scene_pyramid").path) as document:
        with xr.open_datatree(document, engine=ENGINE) as tree:  # type: ignore[arg-type]
            assert list(tree) == list(CziImage(document).scenes)
        assert not document.closed


def test_a_dataset_pickles(made: Callable[[str], Made]) -> None:
    with xr.open_dataset(made("stack").path, engine=ENGINE) as dataset:
        with pickle.loads(pickle.dumps(dataset)) as again:
            np.testing.assert_array_equal(again.image, dataset.image)


def test_pixels_are_loaded_in_coroutines(made: Callable[[str], Made]) -> None:
    async def load(dataset: Any) -> Any:
        return await dataset.image.isel(T=2, Y=slice(4, 9)).load_async()

    path = made("stack").path
    with xr.open_dataset(path, engine=ENGINE) as dataset, CziImage(path) as image:
        np.testing.assert_array_equal(asyncio.run(load(dataset)), image.data[2, :, :, 4:9])


def test_a_copy_reads_from_the_same_file(made: Callable[[str], Made]) -> None:
    with xr.open_dataset(made("stack").path, engine=ENGINE) as dataset:
        np.testing.assert_array_equal(dataset.copy(deep=True).image, dataset.image)


def test_a_url_is_opened(made: Callable[[str], Made]) -> None:
    fs = needs("fsspec", "remote").filesystem("memory")
    fs.pipe("/xarray/stack.czi", made("stack").path.read_bytes())
    with xr.open_dataset("memory://xarray/stack.czi", engine=ENGINE) as dataset:
        with CziImage(made("stack").path) as image:
            np.testing.assert_array_equal(dataset.image, image.data)
    fs.rm("/xarray", recursive=True)


def test_xarray_knows_what_is_a_czi() -> None:
    engine = ENGINE()
    for name in (
        "a.czi",
        Path("b.CZI"),
        "https://host/c.czi?token=1.x",
        "s3://bucket/d.czi",
    ):
        assert engine.guess_can_open(name)
    for other in ("a.zarr", b"ZISRAWFILE", 3):
        assert not engine.guess_can_open(other)
