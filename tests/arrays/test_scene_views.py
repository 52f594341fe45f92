"""A scene can be named in every call, or read from a view: neither changes the image."""

from __future__ import annotations

import copy
import gc
import json
import pickle
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from extras import needs

from czictypes import CziImage, Image, convert, czi, open_image, write_ome_zarr
from czictypes.model.errors import ClosedError, OutOfBoundsError

CELLS = np.random.default_rng(5).integers(0, 4096, (3, 2, 2, 4, 90, 110)).astype(np.uint16)
NAMES = ["A1", "B1", "B2"]
SIZES = [(90, 110), (70, 100), (50, 60)]
NEEDED = {"ome.tiff": ("tifffile", "ome-tiff"), "ome.zarr": ("ngff_zarr", "ome-zarr")}


def write_scenes(folder: Path) -> Path:
    """Write three scenes of different sizes; the last one has no pyramid."""
    path = folder / "plate.czi"
    content = czi.DocumentContent(
        scenes=[czi.SceneInfo(at, name=name) for at, name in enumerate(NAMES)]
    )
    with czi.create_czi(path, pyramid=czi.PyramidOptions(tile=32, until=60)) as new:
        for scene, (height, width) in enumerate(SIZES):
            for t, c, z in np.ndindex(2, 2, 4):
                pixels = CELLS[scene, t, c, z, :height, :width]
                plane = {"T": t, "C": c, "Z": z}
                new.write(pixels, (scene * 300, 0), plane, scene=scene)
        new.write_metadata(channel_names={0: "DAPI", 1: "GFP"}, content=content)
    return path


@pytest.fixture(scope="module", params=["czi", *NEEDED])
def path(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The three scenes, in a CZI and as other formats."""
    written = write_scenes(tmp_path_factory.mktemp("scenes"))
    if request.param == "czi":
        return written
    needs(*NEEDED[request.param])
    other = written.with_suffix(f".{request.param}")
    convert(written, other)
    return other


@pytest.fixture
def image(path: Path) -> Iterator[Image]:
    with open_image(path) as opened:
        yield opened


def part(scene: int, *where: Any) -> np.ndarray:
    height, width = SIZES[scene]
    return CELLS[scene, ..., :height, :width][where]


READS: dict[str, Callable[..., Any]] = {
    "asarray": lambda image, **scene: image.asarray(**scene),
    "read_block": lambda image, **scene: image.read_block({"C": "GFP", "Y": [3, 1]}, **scene),
    "get_image_data": lambda image, **scene: image.get_image_data("XYZ", T=1, C="GFP", **scene),
    "get_image_dask_data": lambda image, **scene: image.get_image_dask_data("ZY", T=1, **scene),
    "to_dask": lambda image, **scene: image.to_dask(**scene),
    "to_xarray": lambda image, **scene: image.to_xarray(**scene),
    "lazy to_xarray": lambda image, **scene: image.to_xarray(dask=True, **scene),
    "to_datatree": lambda image, **scene: image.to_datatree(**scene)["scale0/image"],
    "coords": lambda image, **scene: image.coords(**scene)["X"].values,
    "as_content": lambda image, **scene: image.as_content(**scene).scenes[0].name,
    "to_rgb": lambda image, **scene: image.to_rgb(T=1, **scene),
}


@pytest.mark.parametrize("read", READS)
def test_every_read_takes_a_scene_by_name_or_index(image: Image, read: str) -> None:
    if "dask" in read:
        needs("dask.array", "dask")
    if "xarray" in read or "tree" in read:
        needs("xarray", "xarray")
        needs("dask.array", "dask")
    for index, name in enumerate(image.scenes):
        with open_image(image.path) as other:
            other.set_scene(index)
            expected = np.asarray(READS[read](other))
        for scene in (index, name, index - 3, np.int64(index)):
            np.testing.assert_array_equal(READS[read](image, scene=scene), expected)
        np.testing.assert_array_equal(READS[read](image.scene(name)), expected)
    assert image.current_scene_index == 0


def test_a_labelled_scene_has_its_own_name(image: Image) -> None:
    needs("xarray", "xarray")
    labelled = image.to_xarray(scene=1)
    assert (labelled.name, labelled.attrs["scene"]) == (image.scenes[1], image.scenes[1])


def test_valid_pixels_and_chunks_take_a_scene(tmp_path: Path) -> None:
    with CziImage(write_scenes(tmp_path)) as image:
        assert image.valid_pixels({"T": 0, "C": "DAPI", "Z": 0}, scene="B2").shape == SIZES[2]
        needs("dask.array", "dask")
        assert image.native_chunks(scene=1)["Y"] == SIZES[1][0]


def test_tiles_take_a_scene(tmp_path: Path) -> None:
    path = tmp_path / "mosaics.czi"
    with czi.create_czi(path) as new:
        for scene, count in enumerate((2, 3)):
            for m in range(count):
                new.write(CELLS[0, 0, 0, 0], (900 * scene + 110 * m, 0), scene=scene)
    with CziImage(path, mosaic=False) as image:
        assert len(image.get_mosaic_tile_positions()) == 2
        assert len(image.get_mosaic_tile_positions(scene=1)) == 3
        assert image.get_mosaic_tile_position(2, scene=1) == (0, 1120)
        assert image.scene(1).dims.M == 3


def test_all_scenes_can_be_named_as_one_plane(tmp_path: Path) -> None:
    with CziImage(write_scenes(tmp_path)) as image:
        whole = image.read_block({"T": 1, "C": 0, "Z": 3}, scene="all")
        assert whole.shape == (90, 660)
        np.testing.assert_array_equal(whole[:50, 600:], part(2, 1, 0, 3))
        assert image.scene("all").current_scene == "all"


def test_iterating_over_the_scenes_gives_views(image: Image) -> None:
    for at, scene in enumerate(image.scenes):
        assert scene.current_scene == scene
        assert scene.shape == image.scene(at).shape
        np.testing.assert_array_equal(scene.data, part(at))
        np.testing.assert_array_equal(scene.read_block({"C": "GFP"}), part(at, slice(None), 1))
        assert type(scene.view) is type(image)
    assert image.current_scene_index == 0


def test_a_scene_of_an_iteration_is_its_name_as_well(image: Image) -> None:
    names = tuple(map(str, image.scenes))
    assert image.scenes == names
    assert [f"{scene}.tiff" for scene in image.scenes] == [f"{name}.tiff" for name in names]
    for at, scene in enumerate(image.scenes):
        assert json.loads(json.dumps({scene: scene})) == {names[at]: names[at]}
        assert (scene[0], scene[-1], scene[1:]) == (names[at][0], names[at][-1], names[at][1:])
        image.set_scene(scene)
        assert image.current_scene_index == image.scenes.index(scene) == at


def test_the_current_scene_is_only_a_name(image: Image) -> None:
    assert type(image.current_scene) is str


def test_places_and_slices_of_the_scenes_are_views(image: Image) -> None:
    scenes = image.scenes
    for scene in (scenes[1], scenes[1:2][0], sorted(scenes)[1], list(reversed(scenes))[1]):
        np.testing.assert_array_equal(scene.data, part(1))


def test_brackets_of_a_scene_that_cannot_mean_letters_read(image: Image) -> None:
    scene = image.scenes[2]
    np.testing.assert_array_equal(scene[0, "GFP", ..., :9], part(2, 0, 1, ..., slice(9)))
    np.testing.assert_array_equal(scene[{"C": 1}], part(2, slice(None), 1))
    np.testing.assert_array_equal(scene[...], part(2))


def test_what_is_set_of_a_scene_of_an_iteration_stays_there(tmp_path: Path) -> None:
    with CziImage(write_scenes(tmp_path)) as image:
        scene = image.scenes[1]
        scene.set_resolution_level(1)
        assert (scene.shape[-2:], image.shape[-2:]) == ((35, 50), SIZES[0])


def test_a_scene_that_is_copied_or_pickled_is_only_a_name(image: Image) -> None:
    for again in (pickle.loads(pickle.dumps(image.scenes)), copy.deepcopy(image.scenes)):
        assert again == image.scenes
        assert {type(name) for name in again} == {str}
    assert type(copy.copy(image.scenes[1])) is str


def test_packages_of_arrays_take_a_scene_for_its_name(image: Image) -> None:
    xarray = needs("xarray", "xarray")
    names = list(image.scenes)
    counts = xarray.DataArray(np.arange(3), coords={"scene": names}, dims="scene")
    assert [counts.sel(scene=scene).item() for scene in image.scenes] == [0, 1, 2]
    assert np.array(image.scenes).tolist() == [str(name) for name in names]


def test_a_scene_is_a_name_when_its_image_is_closed(image: Image) -> None:
    scenes = image.scenes
    image.close()
    assert scenes == tuple(map(str, scenes))
    assert "data" in dir(scenes[1])
    with pytest.raises(ClosedError):
        print(scenes[1].data)


def test_a_scene_has_the_attributes_of_its_view_and_no_others(image: Image) -> None:
    scene = image.scenes[1]
    assert {"read_block", "dims", "upper"} <= set(dir(scene))
    with pytest.raises(AttributeError, match="has no attribute 'read_blok'"):
        print(scene.read_blok)
    with pytest.raises(AttributeError, match="has no attribute '_reader'"):
        print(scene._reader)


def test_a_view_is_its_own(image: Image) -> None:
    view, other = image.scene(1), image.scene(1)
    view.set_scene(2)
    assert [one.current_scene_index for one in (image, view, other)] == [0, 2, 1]


def test_a_view_keeps_the_level_of_the_image(tmp_path: Path) -> None:
    with CziImage(write_scenes(tmp_path)) as image:
        image.set_resolution_level(1)
        assert image.scene("B1").shape[-2:] == (35, 50)
        image.scene("B1").set_resolution_level(0)
        assert image.current_resolution_level == 1
        with pytest.raises(OutOfBoundsError, match="scene 'B2' has no resolution level 1"):
            image.scene("B2")


def test_threads_get_the_patches_of_their_scene(image: Image) -> None:
    corner = {"T": 1, "Z": 2, "C": "GFP", "Y": slice(8, 40), "X": slice(4, 50)}

    def is_right(at: int) -> bool:
        scene = at % 3
        expected = part(scene, 1, 1, 2, slice(8, 40), slice(4, 50))
        by_view = image.scene(scene).read_block(corner)
        by_call = image.get_image_data("YX", scene=image.scenes[scene], **corner)
        return np.array_equal(by_view, expected) and np.array_equal(by_call, expected)

    with ThreadPoolExecutor(4) as threads:
        assert all(threads.map(is_right, range(90)))


def test_each_thread_reads_the_scene_that_it_set(image: Image) -> None:
    corner = {"T": 1, "Z": 2, "C": 1, "Y": slice(8, 40), "X": slice(4, 50)}

    def is_right(at: int) -> bool:
        image.set_scene(at % 3)
        sizes = image.dims.Y, image.dims.X
        expected = part(at % 3, 1, 1, 2, slice(8, 40), slice(4, 50))
        return sizes == SIZES[at % 3] and np.array_equal(image.read_block(corner), expected)

    with ThreadPoolExecutor(4) as threads:
        assert all(threads.map(is_right, range(300)))


def in_a_thread(act: Callable[[], Any]) -> Any:
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(act).result()


def test_a_thread_that_sets_no_scene_reads_the_last_one_that_was_set(image: Image) -> None:
    assert in_a_thread(lambda: image.current_scene_index) == 0
    image.set_scene(1)
    assert in_a_thread(lambda: image.current_scene_index) == 1
    in_a_thread(lambda: image.set_scene(2))
    assert in_a_thread(lambda: image.current_scene_index) == 2
    assert image.current_scene_index == 1


def test_an_image_opened_in_one_thread_is_set_in_another(path: Path) -> None:
    with open_image(path) as image:
        in_a_thread(lambda: image.set_scene(2))
        assert image.current_scene_index == 2


def test_each_thread_reads_the_level_that_it_set(tmp_path: Path) -> None:
    with CziImage(write_scenes(tmp_path)) as image:
        image.set_resolution_level(0)
        in_a_thread(lambda: image.set_resolution_level(1))
        assert image.shape[-2:] == SIZES[0]
        assert in_a_thread(lambda: image.shape[-2:]) == (45, 55)


def saved(image: Image, folder: Path) -> np.ndarray:
    convert(image, folder / "one.czi", scenes=[image.current_scene_index], overwrite=True)
    with CziImage(folder / "one.czi") as again:
        return again.data


def pickled_scene(image: Image) -> str:
    with pickle.loads(pickle.dumps(image)) as again:
        return again.current_scene


WHOLE: dict[str, Callable[..., Any]] = {
    **READS,
    "threads": lambda image: image.read_block({}, threads=4),
    "data": lambda image: image.data,
    "dask": lambda image: image.get_image_dask_data("ZYX", T=1).compute(scheduler="threads"),
    "numpy": np.asarray,
    "view": lambda image: image.scene(image.current_scene).data,
    "thumbnail": lambda image: image.thumbnail(64),
    "to_rgb": lambda image: image.to_rgb(contrast="auto"),
    "content": lambda image: image.as_content().scenes[0].name,
    "pickle": lambda image: pickled_scene(image),
}


@pytest.mark.parametrize("read", WHOLE)
def test_a_scene_set_elsewhere_does_not_reach_a_read(image: Image, read: str) -> None:
    if any(name in read for name in ("dask", "xarray", "tree")):
        needs("xarray", "xarray")
        needs("dask.array", "dask")
    image.set_scene(1)
    expected = WHOLE[read](image)
    in_a_thread(lambda: image.set_scene(2))
    np.testing.assert_array_equal(WHOLE[read](image), expected)


def test_a_scene_set_elsewhere_does_not_reach_a_file(image: Image, tmp_path: Path) -> None:
    image.set_scene(1)
    in_a_thread(lambda: image.set_scene(2))
    np.testing.assert_array_equal(saved(image, tmp_path), part(1))


@pytest.mark.parametrize("ending", ["czi", *NEEDED])
def test_a_view_is_saved_alone(image: Image, tmp_path: Path, ending: str) -> None:
    if ending in NEEDED:
        needs(*NEEDED[ending])
    for at, scene in enumerate(image.scenes):
        scene.save(tmp_path / f"{scene}.{ending}")
        convert(image.scene(at), tmp_path / f"{scene} again.{ending}")
        for name in (f"{scene}.{ending}", f"{scene} again.{ending}"):
            with open_image(tmp_path / name) as again:
                assert len(again.scenes) == 1
                np.testing.assert_array_equal(again.data, part(at))
    image.save(tmp_path / f"all.{ending}")
    with open_image(tmp_path / f"all.{ending}") as again:
        assert len(again.scenes) == 3


def test_scenes_that_are_named_win_over_the_view(image: Image, tmp_path: Path) -> None:
    image.scene(1).save(tmp_path / "two.czi", select_scenes=[0, 2])
    with CziImage(tmp_path / "two.czi") as again:
        assert again.scenes == ("A1", "B2")


def test_a_store_of_a_view_has_one_image(image: Image, tmp_path: Path) -> None:
    needs(*NEEDED["ome.zarr"])
    write_ome_zarr(image.scene(2), tmp_path / "one.ome.zarr")
    with open_image(tmp_path / "one.ome.zarr") as again:
        np.testing.assert_array_equal(again.data, part(2))


def test_the_table_of_a_view_has_its_tiles(tmp_path: Path) -> None:
    with CziImage(write_scenes(tmp_path)) as image:
        tables = [scene.tiles(pandas=False) for scene in image.scenes]
        assert [set(table["scene"]) for table in tables] == [{"A1"}, {"B1"}, {"B2"}]
        assert len(image.tiles(pandas=False)["scene"]) == sum(len(one["scene"]) for one in tables)
        assert set(image.scene("all").tiles(pandas=False)["scene"]) == set(NAMES)
        assert set(image.scene(0).tiles("B2", pandas=False)["scene"]) == {"B2"}


def test_closing_a_view_leaves_the_image_open(image: Image) -> None:
    with image.scene(1) as view:
        pass
    view.close()
    assert not view.closed
    np.testing.assert_array_equal(view.data, part(1))
    np.testing.assert_array_equal(image.data, part(0))


def test_a_view_is_closed_with_its_image(image: Image) -> None:
    view = image.scene(1)
    inner = view.scene(2)
    image.close()
    assert view.closed
    assert inner.closed
    with pytest.raises(ClosedError):
        view.read_block({})


def test_a_view_outlives_an_image_that_nobody_closes(tmp_path: Path) -> None:
    view = CziImage(write_scenes(tmp_path)).scene("B1")
    gc.collect()
    np.testing.assert_array_equal(view.data, part(1))
    view.reader.close()


def test_a_view_pickles_as_an_image_of_its_scene(image: Image) -> None:
    with pickle.loads(pickle.dumps(image.scene(1))) as again:
        assert again.current_scene_index == 1
        np.testing.assert_array_equal(again.data, part(1))


@pytest.mark.parametrize("scene", [3, -4, "C9", 1.0, True, None, [0, 1], b"A1", np.True_])
def test_a_scene_that_is_none_is_refused_in_the_words_of_the_caller(
    image: Image, scene: Any
) -> None:
    for choose in (image.scene, image.set_scene):
        with pytest.raises(ValueError, match="scene"):
            choose(scene)
    if scene is not None:
        with pytest.raises(ValueError, match="scene"):
            image.get_image_data("YX", scene=scene)
