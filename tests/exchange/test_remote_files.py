"""Sources and targets at URLs: with options of their own, and as UPath."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from extras import needs
from files.recipes import Made
from lif_file import write_lif

from czictypes import convert, imread, open_image

fsspec = needs("fsspec", "remote")

KINDS = {
    "czi": ("fsspec", "remote"),
    "ome.tif": ("tifffile", "ome-tiff"),
    "tif": ("tifffile", "ome-tiff"),
    "ome.zarr": ("ngff_zarr", "ome-zarr"),
}


@pytest.fixture
def locked() -> tuple[str, dict[str, Any]]:
    """A folder that opens for a password alone, and the options that have it."""
    memory = type(fsspec.filesystem("memory"))

    class Locked(memory):  # type: ignore[misc, valid-type]
        protocol = "locked"
        store: ClassVar[dict[str, Any]] = {}
        pseudo_dirs: ClassVar[list[str]] = [""]

        def __init__(self, password: str = "", **options: Any) -> None:
            if password != "right":
                raise PermissionError("the password is not right")
            super().__init__(**options)

        @classmethod
        def _strip_protocol(cls, path: str) -> str:
            return str(memory._strip_protocol(path.replace("locked://", "memory://")))

    fsspec.register_implementation("locked", Locked, clobber=True)
    return "locked://folder", {"password": "right"}


@pytest.mark.parametrize("kind", KINDS)
def test_source_and_target_have_options_of_their_own(
    made: Callable[[str], Made], tmp_path: Path, locked: tuple[str, dict[str, Any]], kind: str
) -> None:
    needs(*KINDS[kind])
    (folder, options), source = locked, made("stack").path
    convert(source, f"{folder}/there.{kind}", storage_options=options)
    with pytest.raises(PermissionError):
        convert(f"{folder}/there.{kind}", tmp_path / "back.czi")
    convert(f"{folder}/there.{kind}", tmp_path / "back.czi", source_options=options)
    np.testing.assert_array_equal(imread(tmp_path / "back.czi"), imread(source))


def test_a_scene_of_a_czi_on_a_server(
    made: Callable[[str], Made], tmp_path: Path, locked: tuple[str, dict[str, Any]]
) -> None:
    (folder, options), source = locked, made("multi_scene_pyramid").path
    system, path = fsspec.url_to_fs(f"{folder}/a.czi", **options)
    system.pipe_file(path, source.read_bytes())
    convert(f"{folder}/a.czi", tmp_path / "one.czi", scenes=1, source_options=options)
    np.testing.assert_array_equal(imread(tmp_path / "one.czi"), imread(source, scene=1))


def test_what_bioio_reads_has_options_too(
    tmp_path: Path, rng: np.random.Generator, locked: tuple[str, dict[str, Any]]
) -> None:
    needs("bioio", "convert")
    needs("bioio_lif")
    folder, options = locked
    pixels = rng.integers(0, 65535, (1, 1, 1, 20, 30), np.uint16)
    write_lif(tmp_path / "a.lif", {"image": pixels}, ["Green"], micrometres=0.5)
    system, path = fsspec.url_to_fs(f"{folder}/a.lif", **options)
    system.pipe_file(path, (tmp_path / "a.lif").read_bytes())
    convert(f"{folder}/a.lif", tmp_path / "out.czi", source_options=options)
    np.testing.assert_array_equal(imread(tmp_path / "out.czi"), pixels)


@pytest.mark.filterwarnings("ignore:UPath 'locked':UserWarning")  # universal_pathlib's
@pytest.mark.parametrize("kind", KINDS)
def test_a_upath_is_a_url_with_options(
    made: Callable[[str], Made], tmp_path: Path, locked: tuple[str, dict[str, Any]], kind: str
) -> None:
    needs(*KINDS[kind])
    path = needs("upath").UPath
    (folder, options), source = locked, made("stack").path
    there = path(f"{folder}/there.{kind}", **options)
    assert convert(source, there).dest == str(there)
    convert(there, tmp_path / "back.czi")
    np.testing.assert_array_equal(imread(tmp_path / "back.czi"), imread(source))


@pytest.mark.parametrize("name", ["storage_options", "fs_kwargs"])
def test_errors_show_no_option_of_a_url(name: str) -> None:
    memory = type(fsspec.filesystem("memory"))

    class Talkative(memory):  # type: ignore[misc, valid-type]
        def __init__(self, password: str) -> None:
            raise PermissionError(f"{password} is not right")

    fsspec.register_implementation("talkative", Talkative, clobber=True)
    with pytest.raises(PermissionError) as caught:
        open_image("talkative://a/b.tif", **{name: {"password": "s3cr3t-Pa55"}})
    assert "s3cr3t" not in str(caught.value)
