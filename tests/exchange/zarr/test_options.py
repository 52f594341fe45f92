"""Options of write_ome_zarr: scenes, levels, chunks, shards, compressors, stores."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from extras import needs
from files.recipes import Made
from ome_zarrs import array, five_axes, ome, stored

from czictypes import write_ome_zarr
from czictypes.arrays.image import CziImage
from czictypes.model.errors import MissingExtraError, OutOfBoundsError
from czictypes.writing.pyramid.reduce import reduce_pixels

needs("zarr.abc.store", "ome-zarr")  # zarr 3
zarr = needs("zarr", "ome-zarr")

pytestmark = pytest.mark.filterwarnings(
    "ignore::czictypes.model.errors.MetadataWarning"  # the recipes' XML is not complete
)


@pytest.mark.parametrize("recipe", ["rgb", "multi_scene_pyramid", "negative_planes", "gray32float"])
@pytest.mark.parametrize(
    "options",
    [
        {"chunks": 16},
        {"chunks": (1, 2, 2, 32, 16), "version": "0.4"},
        {"chunks": 16, "shards": 48},
        {"chunks": {"c": 3, "x": 20}, "compression": "lz4"},
        {"compression": "none", "scheduler": "synchronous"},
        {"compression": "gzip:1", "version": "0.4", "threads": 3},
    ],
)
def test_pixels_do_not_depend_on_options(
    made: Callable[[str], Made],
    dest: Path,
    open_czi: Callable[..., CziImage],
    recipe: str,
    options: dict[str, Any],
) -> None:
    image = open_czi(made(recipe).path)
    plan = write_ome_zarr(made(recipe).path, dest, **options)
    for one in plan.images:
        image.set_scene(one.scene)
        for level in one.levels:
            found = array(dest, f"{one.path}/{level.path}")
            assert found.chunks == level.chunking.chunk
            if level.stored is not None:
                assert np.array_equal(found[:], five_axes(image, level.stored), equal_nan=True)


def test_coarser_levels_are_means(
    mosaic_czi: Path, dest: Path, open_czi: Callable[..., CziImage]
) -> None:
    plan = write_ome_zarr(mosaic_czi, dest, chunks=64, levels=5)
    assert [level.shape[-2:] for level in plan.images[0].levels] == [
        (700, 900), (350, 450), (175, 225), (87, 112), (43, 56),
    ]  # fmt: skip
    expected = five_axes(open_czi(mosaic_czi))
    for number in range(1, 5):
        planes = expected.reshape(-1, *expected.shape[-2:])
        small = [reduce_pixels(plane[..., np.newaxis], 2, "mean")[..., 0] for plane in planes]
        expected = np.stack(small).reshape(*expected.shape[:3], *small[0].shape)
        assert np.array_equal(array(dest, str(number))[:], expected)


def test_levels_of_the_file_come_before_computed_ones(
    made: Callable[[str], Made], dest: Path
) -> None:
    plan = write_ome_zarr(made("large_pyramid").path, dest, chunks=64, levels=5)
    assert [level.stored for level in plan.images[0].levels] == [0, 1, 2, 3, None]


def test_one_level_is_enough(mosaic_czi: Path, dest: Path) -> None:
    write_ome_zarr(mosaic_czi, dest, chunks=64, levels=1)
    assert len(ome(dest)["multiscales"][0]["datasets"]) == 1


@pytest.mark.parametrize("scenes", [1, [2, 0], "all"])
def test_the_scenes_asked_for_are_written(
    made: Callable[[str], Made], dest: Path, open_czi: Callable[..., CziImage], scenes: Any
) -> None:
    image = open_czi(made("multi_scene_pyramid").path)
    plan = write_ome_zarr(image, dest, scenes=scenes)
    wanted = range(3) if scenes == "all" else [scenes] if isinstance(scenes, int) else scenes
    assert [one.scene for one in plan.images] == list(wanted)
    paths = ["0", "1", "2"][: len(wanted)] if len(wanted) > 1 else [""]
    assert [one.path for one in plan.images] == paths
    assert not image.closed
    assert image.current_scene_index == 0


def test_scenes_are_known_by_their_names(
    made: Callable[[str], Made], dest: Path, open_czi: Callable[..., CziImage]
) -> None:
    image = open_czi(made("multi_scene_pyramid").path)
    plan = write_ome_zarr(image, dest, scenes=[image.scenes[1]])
    assert ome(dest)["multiscales"][0]["name"] == image.scenes[1] == plan.images[0].name


def test_an_open_reader_stays_open(
    made: Callable[[str], Made], dest: Path, open_czi: Callable[..., CziImage]
) -> None:
    reader = open_czi(made("stack").path).reader
    write_ome_zarr(reader, dest)
    assert not reader.closed


@pytest.mark.parametrize(
    ("options", "error", "what"),
    [
        ({"version": "0.3"}, ValueError, "one of '0.5', '0.4', '0.6'"),
        ({"levels": 0}, ValueError, "at least one"),
        ({"compression": "zip"}, ValueError, "no compressor"),
        ({"compression": "zstd:x"}, ValueError, "no compressor"),
        ({"scheduler": "processes"}, ValueError, "scheduler is"),
        ({"scheduler": "distributed"}, ValueError, "needs a client"),
        ({"scenes": 7}, OutOfBoundsError, "scene 7"),
        ({"scenes": []}, ValueError, "no scene"),
        ({"scenes": [0, 0]}, ValueError, "one twice"),
        ({"plate": True}, ValueError, "no plate"),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_is_written(
    made: Callable[[str], Made], dest: Path, options: dict[str, Any], error: Any, what: str
) -> None:
    with pytest.raises(error, match=what):
        write_ome_zarr(made("single").path, dest, **options)
    assert not dest.exists()


def test_a_plan_tells_what_would_be_written(mosaic_czi: Path, dest: Path) -> None:
    plan = write_ome_zarr(mosaic_czi, dest, chunks=256, dry_run=True)
    assert not dest.exists()
    assert plan == write_ome_zarr(mosaic_czi, dest, chunks=256)
    assert plan.nbytes == sum(array(dest, level.path).nbytes for level in plan.images[0].levels)


def test_any_store_of_zarr_will_do(mosaic_czi: Path, dest: Path) -> None:
    memory = zarr.storage.MemoryStore()
    write_ome_zarr(mosaic_czi, memory, chunks=256)
    write_ome_zarr(mosaic_czi, dest, chunks=256)
    there = {key: value.to_bytes() for key, value in memory._store_dict.items()}
    assert there == stored(dest)


def test_the_progress_counts_up_to_all(mosaic_czi: Path, dest: Path) -> None:
    calls: list[tuple[int, int]] = []
    write_ome_zarr(mosaic_czi, dest, progress=lambda *counts: calls.append(counts), chunks=64)
    assert calls[-1][0] == calls[-1][1]
    assert [done for done, _ in calls] == sorted(done for done, _ in calls)


def test_metadata_are_kept_beside(
    made: Callable[[str], Made], dest: Path, open_czi: Callable[..., CziImage]
) -> None:
    ome_types = needs("ome_types", "ome-zarr")
    image = open_czi(made("described").path)
    write_ome_zarr(image, dest)
    # Of a series in a group of its own; of a single image where no reader looks for images.
    folder = dest / ("OME" if len(image.scenes) > 1 else "0")
    assert (folder / "METADATA.czi.xml").read_text() == image.reader.raw_metadata
    assert ome_types.from_xml((folder / "METADATA.ome.xml").read_text()) == image.ome_metadata


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_a_single_image_is_a_group_of_arrays_alone(
    mosaic_czi: Path, dest: Path, version: str
) -> None:
    zarr = needs("zarr", "ome-zarr")
    with CziImage(mosaic_czi) as image:
        write_ome_zarr(image, dest, scenes=0, version=version)
    members = dict(zarr.open_group(dest, mode="r").members())
    assert all(isinstance(one, zarr.Array) for one in members.values())


def test_metadata_without_ome_xml_take_no_pixels_down(
    mosaic_czi: Path, dest: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(image: CziImage) -> Any:
        raise ValueError("odd metadata")

    monkeypatch.setattr(CziImage, "ome_metadata", property(broken))
    with pytest.warns(UserWarning, match="no OME-XML of .*odd metadata"):
        write_ome_zarr(mosaic_czi, dest)
    assert not (dest / "OME" / "METADATA.ome.xml").exists()
    assert ome(dest)["multiscales"]


@pytest.mark.parametrize("package", ["zarr", "zarr.abc", "ome_types"])  # zarr 2 has no zarr.abc
def test_a_missing_package_is_told_before_the_work(
    mosaic_czi: Path, dest: Path, monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    for name in [one for one in sys.modules if f"{one}.".startswith(f"{package}.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtraError, match=r"czictypes\[ome-zarr\]"):
        write_ome_zarr(mosaic_czi, dest)
    assert not dest.exists()
