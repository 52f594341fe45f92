"""A dry run refuses what the run would, in the same words, and writes nothing."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from extras import needs
from files.recipes import Made

from czictypes import convert
from czictypes.model.errors import IncompleteOutputError, MissingExtraError

fsspec = needs("fsspec", "remote")

KINDS = {
    "czi": ("fsspec", "remote"),
    "ome.tif": ("tifffile", "ome-tiff"),
    "tif": ("tifffile", "ome-tiff"),
    "png": ("PIL", "cli"),
    "ome.zarr": ("ngff_zarr", "ome-zarr"),
}


@pytest.fixture(params=["folder", "memory"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A folder, once on the disk and once at a URL."""
    if request.param == "folder":
        yield str(tmp_path)
        return
    yield f"memory:/{tmp_path}"
    files = fsspec.filesystem("memory")
    if files.exists(str(tmp_path)):
        files.rm(str(tmp_path), recursive=True)


def contents(place: str) -> dict[str, bytes]:
    files, root = fsspec.url_to_fs(place)
    return {name: files.cat_file(name) for name in files.find(root)}


def assert_refused_alike(*names: Any, **options: Any) -> None:
    with pytest.raises((OSError, ValueError)) as planned:
        convert(*names, dry_run=True, **options)
    with pytest.raises(planned.type) as run:
        convert(*names, **options)
    assert str(planned.value) == str(run.value)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_there_is_in_the_way(made: Callable[[str], Made], place: str, kind: str) -> None:
    needs(*KINDS[kind])
    source, target = made("stack").path, f"{place}/out.{kind}"
    options = {"plane": {"T": 0, "C": 0, "Z": 0}} if kind == "png" else {}
    assert not convert(source, target, dry_run=True, **options).written
    assert contents(place) == {}
    convert(source, target, **options)
    before = contents(place)
    assert_refused_alike(source, target, **options)
    assert not convert(source, target, overwrite=True, dry_run=True, **options).written
    assert contents(place) == before


def test_a_czi_is_in_the_way_of_another_format(made: Callable[[str], Made], place: str) -> None:
    needs(*KINDS["tif"])
    convert(made("stack").path, f"{place}/a.tif")
    convert(f"{place}/a.tif", f"{place}/a.czi")
    assert_refused_alike(f"{place}/a.tif", f"{place}/a.czi")


def test_a_folder_is_no_file_to_replace(made: Callable[[str], Made], tmp_path: Path) -> None:
    (tmp_path / "out.czi").mkdir()
    assert_refused_alike(made("stack").path, tmp_path / "out.czi", overwrite=True)


def test_an_empty_folder_takes_an_ome_zarr(made: Callable[[str], Made], tmp_path: Path) -> None:
    needs(*KINDS["ome.zarr"])
    (tmp_path / "out.zarr").mkdir()
    assert not convert(made("stack").path, tmp_path / "out.zarr", dry_run=True).written


def test_what_is_no_zarr_is_not_removed(made: Callable[[str], Made], place: str) -> None:
    needs(*KINDS["ome.zarr"])
    files, path = fsspec.url_to_fs(f"{place}/out.zarr/thesis.txt")
    files.makedirs(files._parent(path))
    files.pipe_file(path, b"years of work")
    assert_refused_alike(made("stack").path, f"{place}/out.zarr", overwrite=True)


def test_what_is_unfinished_is_gone_on_with_as_it_was_begun(
    made: Callable[[str], Made], place: str
) -> None:
    needs(*KINDS["ome.zarr"])
    source, target = made("stack").path, f"{place}/out.zarr"

    def stop(done: int, total: int) -> None:
        raise RuntimeError("the network is gone")

    with pytest.raises(IncompleteOutputError):
        convert(source, target, progress=stop)
    before = contents(place)
    assert not convert(source, target, resume=True, dry_run=True).written
    assert contents(place) == before
    assert_refused_alike(source, target)
    assert_refused_alike(source, target, resume=True, chunks=16)
    convert(source, target, resume=True)
    assert_refused_alike(source, target, resume=True)


def test_a_plan_needs_no_zarr(
    made: Callable[[str], Made], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ["zarr", *(name for name in sys.modules if name.startswith("zarr."))]:
        monkeypatch.setitem(sys.modules, name, None)
    names = made("stack").path, tmp_path / "out.ome.zarr"
    assert convert(*names, dry_run=True).images[0].axes == "TCZYX"
    with pytest.raises(MissingExtraError, match="ome-zarr"):
        convert(*names)
