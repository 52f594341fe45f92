"""convert: what fits together, what is reported, what is left when it fails."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from extras import needs
from files.recipes import Made

from czictypes import CziImage, convert, imread, imwrite
from czictypes.model.errors import MissingExtraError, UnsupportedDataError

NEEDED = {
    "ome.tiff": ("tifffile", "ome-tiff"),
    "tif": ("tifffile", "ome-tiff"),
    "png": ("PIL.Image", "cli"),
    "ozx": ("zarr.abc", "ome-zarr"),
}


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("out.ome.tif", {"shards": 4096}),
        ("out.ome.tif", {"resume": True}),
        ("out.tif", {"levels": 2}),
        ("out.czi", {"dtype": "uint8"}),
        ("out.png", {"compression": "zlib"}),
        ("out.ome.tif", {"levels": 0}),
    ],
)
def test_an_option_that_the_target_does_not_know_is_refused(
    made: Callable[[str], Made], tmp_path: Path, name: str, options: dict[str, Any]
) -> None:
    with pytest.raises(ValueError, match=next(iter(options))):
        convert(made("stack").path, tmp_path / name, **options)
    assert not list(tmp_path.iterdir())


def test_a_dry_run_tells_and_writes_nothing(made: Callable[[str], Made], tmp_path: Path) -> None:
    source = made("multi_scene_pyramid").path
    planned = convert(source, tmp_path / "out.ome.tif", dry_run=True)
    assert not planned.written
    assert not list(tmp_path.iterdir())
    with CziImage(source) as image:
        assert tuple(one.name for one in planned.images) == image.scenes
        for scene, one in enumerate(planned.images):
            image.set_scene(scene)
            assert one.shape == image.shape
            assert one.axes == image.dims.order
            assert one.levels is not None
            assert one.levels >= len(image.levels)
    assert planned.to_dict()["format"] == "OME-TIFF"


def test_a_dry_run_sees_what_is_in_the_way(made: Callable[[str], Made], tmp_path: Path) -> None:
    (tmp_path / "out.tif").touch()
    with pytest.raises(FileExistsError):
        convert(made("stack").path, tmp_path / "out.tif", dry_run=True)


def test_the_progress_counts_up_to_all(made: Callable[[str], Made], tmp_path: Path) -> None:
    needs("tifffile", "ome-tiff")
    calls: list[tuple[int, int]] = []
    convert(made("stack").path, tmp_path / "out.tif", progress=lambda *call: calls.append(call))
    done, total = zip(*calls)
    assert done == tuple(range(1, len(calls) + 1))
    assert set(total) == {len(calls)}


def test_scenes_of_a_czi_are_copied_without_decoding(
    made: Callable[[str], Made], tmp_path: Path
) -> None:
    source = made("multi_scene_pyramid").path
    convert(source, tmp_path / "out.czi", scenes=[1])
    np.testing.assert_array_equal(imread(tmp_path / "out.czi"), imread(source, scene=1))


def test_to_a_url_and_back(made: Callable[[str], Made], tmp_path: Path) -> None:
    needs("tifffile", "ome-tiff")
    fsspec = needs("fsspec", "remote")
    folder = f"memory://{tmp_path.name}"
    convert(made("stack").path, f"{folder}/out.ome.tif")
    with pytest.raises(FileExistsError):
        convert(made("stack").path, f"{folder}/out.ome.tif")
    convert(f"{folder}/out.ome.tif", f"{folder}/back.czi")
    fsspec.filesystem("memory").get(f"{folder}/back.czi", str(tmp_path / "back.czi"))
    np.testing.assert_array_equal(imread(tmp_path / "back.czi"), imread(made("stack").path))


def test_what_bioio_has_no_reader_for_is_refused_with_advice(tmp_path: Path) -> None:
    needs("bioio", "convert")
    (tmp_path / "in.lxf").write_bytes(b"?")
    with pytest.raises(UnsupportedDataError, match=r"pip install bioio-bioformats"):
        convert(tmp_path / "in.lxf", tmp_path / "out.czi")


def test_a_missing_package_is_named_with_its_extra(
    made: Callable[[str], Made], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "tifffile", None)
    with pytest.raises(MissingExtraError, match=r"czictypes\[ome-tiff\]"):
        convert(made("stack").path, tmp_path / "out.tif")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_to_ome_zarr_and_back(
    made: Callable[[str], Made],
    tmp_path: Path,
    same_pixels: Callable[[Path, Path], None],
    version: str,
) -> None:
    needs("ngff_zarr", "ome-zarr")
    source = made("multi_scene_pyramid").path
    done = convert(source, tmp_path / "out.ome.zarr", version=version)
    assert (done.format, len(done.images)) == ("OME-Zarr", len(made("multi_scene_pyramid").scenes))
    back = convert(tmp_path / "out.ome.zarr", tmp_path / "back.czi")
    assert len(back.images) == len(done.images)
    same_pixels(source, tmp_path / "back.czi")


def test_one_image_of_an_ome_zarr(made: Callable[[str], Made], tmp_path: Path) -> None:
    needs("ngff_zarr", "ome-zarr")
    source = made("multi_scene_pyramid").path
    convert(source, tmp_path / "out.zarr")
    convert(tmp_path / "out.zarr", tmp_path / "one.czi", scenes=1)
    np.testing.assert_array_equal(imread(tmp_path / "one.czi"), imread(source, scene=1))


@pytest.mark.parametrize(
    ("name", "module"), [("out.ome.zarr", "zarr"), ("out.tif", "tifffile"), ("out.png", "PIL")]
)
def test_the_file_is_looked_at_once_and_not_for_each_property(
    made: Callable[[str], Made],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    module: str,
) -> None:
    needs(module, "convert")
    source, looks, stat = made("single").path, [], os.stat

    def counted(path: Any, *args: Any, **options: Any) -> os.stat_result:
        looks.append(path)
        return stat(path, *args, **options)

    monkeypatch.setattr(os, "stat", counted)
    convert(source, tmp_path / name)
    assert 0 < sum(str(path) == str(source) for path in looks) <= 3


@pytest.mark.parametrize("ending", ["czi", "ome.tiff", "tif", "png", "ozx"])
@pytest.mark.parametrize("dry_run", [False, True])
def test_a_write_protected_file_is_not_replaced(tmp_path: Path, ending: str, dry_run: bool) -> None:
    if ending in NEEDED:
        needs(*NEEDED[ending])
    path = tmp_path / f"a.{ending}"
    path.write_bytes(b"an original")
    path.chmod(0o444)
    source = tmp_path.with_name("source.czi")
    imwrite(source, np.zeros((20, 30), np.uint8), overwrite=True)
    with pytest.raises(PermissionError, match=r"write-protected; make it writable.*replaced"):
        convert(source, path, overwrite=True, dry_run=dry_run)
    assert path.read_bytes() == b"an original"
    assert list(tmp_path.iterdir()) == [path]
