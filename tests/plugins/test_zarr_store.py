"""`aszarr`: a CZI as the OME-Zarr that zarr, ngff-zarr, ome-zarr-models and tensorstore read."""

from __future__ import annotations

import asyncio
import json
import pickle
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from extras import needs
from files.recipes import Made
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from czictypes import aszarr, from_hcs_zarr, from_ngff_zarr, open_image
from czictypes.arrays.image import CziImage
from czictypes.metadata.document_content import DocumentContent
from czictypes.metadata.scenes import Plate, SceneInfo, Well
from czictypes.model.errors import OutOfBoundsError
from czictypes.writing.writer import create_czi

zarr = needs("zarr", "ome-zarr")
abc = needs("zarr.abc.store", "ome-zarr")
PROTOTYPE = needs("zarr.core.buffer.core", "ome-zarr").default_buffer_prototype()


def five_axes(image: CziImage, level: int = 0) -> NDArray[Any]:
    """Return a level as t, c, z, y, x; red, green and blue follow each other along c."""
    pixels = image.asarray(level)
    if "S" not in image.dims:
        return pixels
    apart = np.moveaxis(pixels, -1, 2)
    return apart.reshape(len(apart), -1, *apart.shape[3:])


@pytest.mark.parametrize("name", ["multi_scene_pyramid", "rgb", "stack", "odd_pyramid", "bgr48"])
def test_zarr_finds_the_pixels_of_every_level(made: Callable[[str], Made], name: str) -> None:
    path = made(name).path
    with aszarr(path, scene=0, chunks=17) as store, CziImage(path) as image:
        group = zarr.open_group(store, mode="r")
        levels = group.attrs["ome"]["multiscales"][0]["datasets"]
        assert [one["path"] for one in levels] == [str(level.index) for level in image.levels]
        for level in image.levels:
            array = group[str(level.index)]
            assert array.metadata.dimension_names == ("t", "c", "z", "y", "x")
            np.testing.assert_array_equal(array[...], five_axes(image, level.index))


def test_real_files(every_real_file: Path) -> None:
    with aszarr(every_real_file, scene=0) as store, CziImage(every_real_file) as image:
        array = zarr.open_array(store, path="0", mode="r")
        np.testing.assert_array_equal(array[...], five_axes(image))


@given(data=st.data())
def test_any_part_is_that_of_the_array(made: Callable[[str], Made], data: st.DataObject) -> None:
    path = made("mosaic").path
    chunks = data.draw(st.tuples(*(st.integers(1, n) for n in (1, 3, 1, 50, 80))))
    with aszarr(path, chunks=chunks) as store, CziImage(path) as image:
        array = zarr.open_array(store, path="0", mode="r")
        part = tuple(
            data.draw(st.slices(size).filter(lambda one: (one.step or 1) > 0))
            for size in array.shape
        )
        np.testing.assert_array_equal(array[part], image.data[part])


@given(first=st.integers(0, 900), count=st.integers(1, 900), chunk=st.integers(5, 40))
def test_parts_of_a_chunk_are_parts_of_its_bytes(
    made: Callable[[str], Made], first: int, count: int, chunk: int
) -> None:
    with aszarr(made("mosaic").path, chunks=chunk) as store:
        whole = store.read("0/c/0/1/0/1/1")
        assert whole is not None
        assert len(whole) == 2 * chunk * chunk
        first = min(first, len(whole) - 1)
        asked = [
            (abc.RangeByteRequest(first, first + count), whole[first : first + count]),
            (abc.OffsetByteRequest(first), whole[first:]),
            (abc.SuffixByteRequest(count), whole[-count:]),
        ]
        for request, expected in asked:
            assert store.read("0/c/0/1/0/1/1", request) == expected


def test_of_a_part_of_a_chunk_only_its_rows_are_read(
    made: Callable[[str], Made], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []
    real = CziImage.read_block

    def watched(self: CziImage, selection: Any, **more: Any) -> Any:
        asked.append(selection["Y"])
        return real(self, selection, **more)

    monkeypatch.setattr(CziImage, "read_block", watched)
    with aszarr(made("mosaic").path, chunks={"y": 40, "x": 73}) as store:
        row = 73 * 2
        store.read("0/c/0/0/0/0/0", abc.RangeByteRequest(10 * row + 4, 12 * row))
    assert asked == [slice(10, 12)]


def test_without_a_choice_chunks_are_those_of_the_tiles(made: Callable[[str], Made]) -> None:
    with CziImage(made("rgb").path) as image, aszarr(made("rgb").path) as store:
        array = zarr.open_array(store, path="0", mode="r")
        native = image.native_chunks()
        assert array.chunks == (1, 3, 1, native["Y"], native["X"])


def test_it_is_read_by_the_functions_of_ngff_zarr(made: Callable[[str], Made]) -> None:
    needs("jsonschema")
    with aszarr(made("stack").path) as store, CziImage(made("stack").path) as image:
        for source in (store, store.mapping):
            found = from_ngff_zarr(source, validate=True)
            np.testing.assert_array_equal(found.images[0].data.compute(), image.data)


# Several scenes


def test_scenes_are_a_series(made: Callable[[str], Made]) -> None:
    path = made("multi_scene_pyramid").path
    with aszarr(path) as store, CziImage(path) as image:
        group = zarr.open_group(store, mode="r")
        assert group.attrs["ome"]["bioformats2raw.layout"] == 3
        assert group["OME"].attrs["ome"]["series"] == ["0", "1", "2"]
        for index in range(3):
            image.set_scene(index)
            np.testing.assert_array_equal(group[f"{index}/1"][...], image.asarray(1))


def test_all_scenes_in_one_plane(made: Callable[[str], Made]) -> None:
    path = made("multi_scene_pyramid").path
    with aszarr(path, scene="all") as store, CziImage(path, "all") as image:
        np.testing.assert_array_equal(zarr.open_array(store, path="0", mode="r"), image.data)


def test_wells_are_a_plate(real_file: Callable[[str], Path]) -> None:
    models = needs("ome_zarr_models.v05")
    with aszarr(real_file("WellD6_S1.czi")) as store:
        plate = models.HCS.from_zarr(zarr.open_group(store, mode="r"))
        assert [well.path for well in plate.ome_attributes.plate.wells] == ["D/6"]
    with aszarr(real_file("WellD6_S1.czi"), plate=False) as store:
        assert "multiscales" in zarr.open_group(store, mode="r").attrs["ome"]


def test_the_fields_of_wells_may_come_in_any_order(tmp_path: Path) -> None:
    wells = [Well("B2", 2, 2), Well("A1", 1, 1), Well("B2", 2, 2), Well("A1", 1, 1)]
    scenes = [SceneInfo(at, f"P{at}", well=well) for at, well in enumerate(wells)]
    with create_czi(tmp_path / "plate.czi") as document:
        for at in range(4):
            document.write(np.full((30, 40), at, np.uint8), (at * 100, 0), scene=at)
        content = DocumentContent(scenes=scenes, plate=Plate("of 6", 2, 3))
        document.write_metadata("plate", content=content)
    with aszarr(tmp_path / "plate.czi") as store:
        group = zarr.open_group(store, mode="r")
        for at, path in enumerate(("B/2/0", "A/1/0", "B/2/1", "A/1/1")):
            assert (group[f"{path}/0"][...] == at).all()
        plate = from_hcs_zarr(store, validate=True)
        found = plate.get_well("A", "1").get_image(1)
        assert (found.images[0].data.compute() == 3).all()
        with open_image(store) as image:
            assert image.scenes == ("P0", "P1", "P2", "P3")


def test_the_root_tells_of_everything(real_file: Callable[[str], Path]) -> None:
    """So that a reader, over HTTP above all, need not ask for each document."""
    with aszarr(real_file("WellD6_S1.czi")) as store:
        opened = zarr.open_consolidated(store, mode="r")
        members = dict(opened.members(max_depth=None))
        assert set(members) == {"D", "D/6", "D/6/0", "D/6/0/0", "D/6/0/1", "OME"}
        for name, member in members.items():
            plain = zarr.open(store, path=name, mode="r", use_consolidated=False)
            assert member.attrs.asdict() == plain.attrs.asdict()


def test_a_scene_that_is_not_there(made: Callable[[str], Made]) -> None:
    with pytest.raises(OutOfBoundsError, match="no scene 'nowhere'"):
        aszarr(made("stack").path, scene="nowhere")


# What others make of it


def test_ome_zarr_models_finds_it_valid(real_file: Callable[[str], Path]) -> None:
    models = needs("ome_zarr_models.v05")
    with aszarr(real_file("WellD6_S1.czi"), scene=0) as store:
        image = models.Image.from_zarr(zarr.open_group(store, mode="r"))
    (multiscale,) = image.ome_attributes.multiscales
    assert [axis.unit for axis in multiscale.axes] == [None, None, None, "micrometer", "micrometer"]
    assert len(multiscale.datasets) == 2


def test_ngff_zarr_reads_and_validates_it(real_file: Callable[[str], Path]) -> None:
    ngff_zarr = needs("ngff_zarr", "ome-zarr")
    path = real_file("WellD6_S1.czi")
    with aszarr(path, scene=0) as store, CziImage(path) as image:
        multiscales = ngff_zarr.from_ngff_zarr(store.mapping, validate=True)
        for level, found in enumerate(multiscales.images):
            np.testing.assert_array_equal(found.data, image.asarray(level))


def test_xarray_opens_it(made: Callable[[str], Made]) -> None:
    xr = needs("xarray", "xarray")
    path = made("stack").path
    with aszarr(path) as store, CziImage(path) as image:
        dataset = xr.open_zarr(store)
        np.testing.assert_array_equal(dataset["0"].isel(z=2), image.data[:, :, 2])


# The store itself


@pytest.fixture
def store(made: Callable[[str], Made]) -> Iterator[Any]:
    with aszarr(made("multi_scene_pyramid").path, scene=2, chunks=50) as opened:
        yield opened


def test_every_key_that_is_listed_is_there(store: Any) -> None:
    async def listed() -> list[str]:
        return [key async for key in store.list()]

    keys = asyncio.run(listed())
    assert len(keys) == len(set(keys)) == 1 + 3 + 2 * (3 * 2 + 2 * 1 + 1)
    for key in keys:
        value = asyncio.run(store.get(key, PROTOTYPE))
        assert asyncio.run(store.exists(key))
        assert asyncio.run(store.getsize(key)) == len(value) == len(store.mapping[key])
    assert sorted(store.mapping) == sorted(keys)


def test_listing_by_prefix_and_by_folder(store: Any) -> None:
    async def everything(found: Any) -> list[str]:
        return sorted([one async for one in found])

    assert asyncio.run(everything(store.list_dir(""))) == ["0", "1", "2", "zarr.json"]
    assert asyncio.run(everything(store.list_dir("1"))) == ["c", "zarr.json"]
    assert asyncio.run(everything(store.list_dir("0/c/0/1/0/"))) == ["0", "1"]
    assert asyncio.run(everything(store.list_prefix("2/"))) == [
        "2/c/0/0/0/0/0",
        "2/c/0/1/0/0/0",
        "2/zarr.json",
    ]


@pytest.mark.parametrize(
    "key",
    ["nothing", "0/c/0/0/0/0/3", "0/c/0/0/0/0", "0/c/0/0/0/0/00", "0/c/0/0/0/0/-1", "3/zarr.json"],
)
def test_a_key_that_is_not_there(store: Any, key: str) -> None:
    assert asyncio.run(store.get(key, PROTOTYPE)) is None
    assert not asyncio.run(store.exists(key))
    assert key not in store.mapping
    with pytest.raises(FileNotFoundError):
        asyncio.run(store.getsize(key))


def test_several_parts_at_once(store: Any) -> None:
    asked = [("0/zarr.json", None), ("0/c/0/0/0/0/0", abc.RangeByteRequest(2, 8)), ("none", None)]
    document, part, missing = asyncio.run(store.get_partial_values(PROTOTYPE, asked))
    assert json.loads(document.to_bytes())["shape"] == [1, 2, 1, 64, 128]
    assert part.to_bytes() == store.read("0/c/0/0/0/0/0")[2:8]
    assert missing is None


def test_nothing_can_be_written(store: Any) -> None:
    assert store.read_only
    with pytest.raises(ValueError, match="read-only"):
        asyncio.run(store.set("0/zarr.json", PROTOTYPE.buffer.from_bytes(b"")))
    with pytest.raises(ValueError, match="read-only"):
        asyncio.run(store.delete("0/zarr.json"))
    with pytest.raises(ValueError, match="read-only"):
        zarr.open_group(store, mode="r+").attrs["new"] = 1


def test_many_threads_read_at_once(store: Any, made: Callable[[str], Made]) -> None:
    array = zarr.open_array(store, path="0", mode="r")
    with ThreadPoolExecutor(8) as pool, CziImage(made("multi_scene_pyramid").path, 2) as image:
        parts = list(pool.map(lambda row: array[..., row, :], range(64)))
        np.testing.assert_array_equal(np.stack(parts, axis=-2), image.data)


def test_it_pickles(store: Any) -> None:
    with pickle.loads(pickle.dumps(store)) as again:
        assert again == store
        assert again.read("2/c/0/0/0/0/0") == store.read("2/c/0/0/0/0/0")
