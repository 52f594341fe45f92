"""Documents of several files are copied to one, and what cannot be done to them is said."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from container.czi_bytes import AttachedFile, Tile, build_parts, write_parts
from extras import needs
from files.patterns import noise

from czictypes import CziImage, convert, czi, imread
from czictypes.container.file_source import FileSource
from czictypes.container.segments import read_file_header
from czictypes.model.errors import (
    DamagedTileWarning,
    MetadataWarning,
    MissingPartError,
    UnsupportedDataError,
)
from czictypes.model.pixel_types import PixelType

PLANES = [noise(PixelType.Gray8, 40, 50, seed) for seed in range(3)]


@pytest.fixture
def master(tmp_path: Path) -> Path:
    """Give a document of three files, a T in each, and an attachment in the second."""
    tiles = [
        [Tile(w=50, h=40, coordinates={"T": t}, data=plane.tobytes())]
        for t, plane in enumerate(PLANES)
    ]
    attached = [AttachedFile(b"Note", b"TXT", b"words")]
    return write_parts(tmp_path / "scan.czi", build_parts(*tiles, attachments=attached))


def assert_one_file(path: Path) -> None:
    """Check that a file has all planes, and needs no other."""
    with FileSource(path) as source:
        assert read_file_header(source).file_part == 0
    with czi.open_czi(path) as document:
        assert document.parts == {}
        assert not document.subblocks["file_part"].any()
        for t, plane in enumerate(PLANES):
            np.testing.assert_array_equal(document.read(plane={"T": t}), plane)
        assert document.attachments["Note"].data == b"words"


@pytest.mark.parametrize("recompress", [None, "zstd1:"])
def test_a_copy_is_one_file(master: Path, tmp_path: Path, recompress: str | None) -> None:
    copied = tmp_path / "copied" / "copy.czi"
    assert czi.copy(master, copied, compression=recompress).sub_blocks == 3
    assert_one_file(copied)
    convert(master, tmp_path / "converted" / "scan.czi")
    assert_one_file(tmp_path / "converted" / "scan.czi")


def test_a_copy_of_what_is_there(master: Path, tmp_path: Path) -> None:
    elsewhere = master.with_name("scan (1).czi").rename(tmp_path / "elsewhere.czi")
    czi.copy(master, tmp_path / "some.czi", planes={"T": [0, 2]}, attachments=())
    with czi.open_czi(tmp_path / "some.czi") as document:
        np.testing.assert_array_equal(document.read(plane={"T": 2}), PLANES[2])
    with pytest.raises(MissingPartError):
        czi.copy(master, tmp_path / "all.czi")
    assert not (tmp_path / "all.czi").exists()
    for number, wanted in enumerate(({1: elsewhere}, [elsewhere])):
        czi.copy(master, tmp_path / f"{number}.czi", parts=wanted)
        assert_one_file(tmp_path / f"{number}.czi")
    convert(master, tmp_path / "converted.czi", parts=[elsewhere])
    assert_one_file(tmp_path / "converted.czi")


def test_a_pyramid_goes_to_another_file(master: Path, tmp_path: Path) -> None:
    before = master.read_bytes()
    with pytest.raises(UnsupportedDataError, match="one file of a document of several"):
        czi.add_pyramid(master)
    assert master.read_bytes() == before
    options = czi.PyramidOptions(tile=16, until=16)
    assert czi.add_pyramid(master, options, dest=tmp_path / "pyramid.czi") > 0
    assert_one_file(tmp_path / "pyramid.czi")
    elsewhere = master.with_name("scan (1).czi").rename(tmp_path / "elsewhere.czi")
    with pytest.raises(MissingPartError, match="part 1"):
        czi.add_pyramid(master, options, dest=tmp_path / "other.czi")
    czi.add_pyramid(master, options, dest=tmp_path / "other.czi", parts=[elsewhere])
    assert_one_file(tmp_path / "other.czi")


def test_each_tile_of_a_missing_part_is_warned_of(master: Path) -> None:
    master.with_name("scan (1).czi").unlink()
    with pytest.warns(DamagedTileWarning, match="left blank: sub-block 1: .* part 1 is missing"):
        assert not imread(master, on_error="blank")[1].any()


def test_the_metadata_of_the_master_are_edited(master: Path) -> None:
    with czi.edit_czi(master) as editor, editor.edit_session() as builder:
        builder.set_general_document_info(title="Three files")
    with czi.open_czi(master) as document:
        assert document.document_info.title == "Three files"
        np.testing.assert_array_equal(document.read(plane={"T": 2}), PLANES[2])


@pytest.mark.parametrize("name", ["scan.ome.tif", "scan.ome.zarr"])
def test_other_formats_have_all_planes(master: Path, tmp_path: Path, name: str) -> None:
    if name.endswith("tif"):
        tifffile = needs("tifffile", "ome-tiff")
        needs("ome_types", "ome")
        convert(master, tmp_path / name)
        found = tifffile.imread(tmp_path / name)
    else:
        needs("zarr.abc.store", "ome-zarr")
        zarr = needs("zarr", "ome-zarr")
        convert(master, tmp_path / name)
        found = zarr.open(tmp_path / name)["0"][:, 0, 0]
    np.testing.assert_array_equal(found, np.stack(PLANES)[..., 0])


def test_a_part_that_is_missing_stops_a_conversion(master: Path, tmp_path: Path) -> None:
    needs("tifffile", "ome-tiff")
    needs("ome_types", "ome")
    master.with_name("scan (2).czi").unlink()
    needed = pytest.raises(MissingPartError, match="part 2")
    with pytest.warns(MetadataWarning, match="part 2"), needed:
        convert(master, tmp_path / "scan.ome.tif")
    with CziImage(master) as image:
        np.testing.assert_array_equal(
            image.read_block({"T": 1})[..., 0, :, :].squeeze(), PLANES[1][..., 0]
        )
