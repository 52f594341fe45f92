"""CZI to OME-Zarr to CZI: pixels bit for bit, and the metadata that both know."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from described import display_xml, write_described
from extras import needs
from files.block import Block
from files.recipes import RECIPES, Made

from czictypes import czi, from_ome_zarr, write_ome_zarr
from czictypes.arrays.image import CziImage
from czictypes.model.errors import UnsupportedDataError

needs("zarr.abc.store", "ome-zarr")  # zarr 3
zarr = needs("zarr", "ome-zarr")

pytestmark = pytest.mark.filterwarnings("ignore::czictypes.model.errors.MetadataWarning")

#: A CZI with these pixels is not written.
NOT_WRITTEN = {"all_pixel_types"}
#: Levels that are not 2 or 3 times smaller each.
OTHER_LEVELS = {"odd_pyramid"}


def assert_same_pixels(one: CziImage, other: CziImage, *, levels: bool = True) -> None:
    assert len(one.scenes) == len(other.scenes)
    for scene in range(len(one.scenes)):
        one.set_scene(scene)
        other.set_scene(scene)
        assert one.sizes == other.sizes
        assert one.dtype == other.dtype
        assert np.array_equal(one.asarray(), other.asarray(), equal_nan=one.dtype.kind == "f")
        for level in range(1, len(one.levels) if levels else 1):
            found = other.asarray(level)
            # a row or column of fewer pixels of full resolution is not in a pyramid that is made
            expected = one.asarray(level)[tuple(slice(size) for size in found.shape)]
            assert all(a - b in (0, 1) for a, b in zip(one.asarray(level).shape, found.shape))
            assert np.array_equal(found, expected)


@pytest.mark.parametrize("version", ["0.5", "0.4"])
def test_a_real_file_comes_back(
    every_real_file: Path,
    dest: Path,
    tmp_path: Path,
    version: str,
    open_czi: Callable[..., CziImage],
) -> None:
    write_ome_zarr(every_real_file, dest, version=version, chunks=300)
    from_ome_zarr(dest, tmp_path / "back.czi")
    before, after = open_czi(every_real_file), open_czi(tmp_path / "back.czi")
    assert_same_pixels(before, after)
    assert before.scenes == after.scenes
    for scene in range(len(before.scenes)):
        before.set_scene(scene)
        after.set_scene(scene)
        assert_same_description(before, after)
    first, second = before.reader, after.reader
    assert first.scaling == second.scaling
    assert first.display_settings == second.display_settings
    assert first.custom_attributes_metadata == second.custom_attributes_metadata
    assert first.scenes == second.scenes
    assert without_ids(first.document_info) == without_ids(second.document_info)
    assert first.total_bounding_box_no_pyramid == second.total_bounding_box_no_pyramid


def assert_same_description(before: CziImage, after: CziImage) -> None:
    for name in (
        "channel_names",
        "channel_colors",
        "contrast_limits",
        "physical_pixel_sizes",
        "time_interval",
        "well",
        "field",
        "plate",
    ):
        assert getattr(before, name) == getattr(after, name), name
    assert after.origin == (None if before.origin is None else pytest.approx(before.origin))
    told = [replace(one, id=None) for one in before.channels]
    bits = [one.component_bit_count for one in after.channels]  # it is written where it is missing
    assert [replace(one, component_bit_count=None, id=None) for one in after.channels] == [
        replace(one, component_bit_count=None) for one in told
    ]
    assert all(one.component_bit_count in (None, bit) for one, bit in zip(told, bits))


def without_ids(info: Any) -> Any:
    """Leave out numbers that are given anew, and the program where the file named none."""
    objective = info.objective and replace(info.objective, id=None)
    if info.application == "czictypes":
        info = replace(info, application=None, application_version=None)
    return replace(info, objective=objective)


@pytest.mark.parametrize("name", sorted(set(RECIPES) - {"empty"} - NOT_WRITTEN))
def test_a_made_file_comes_back(
    made: Callable[[str], Made],
    dest: Path,
    tmp_path: Path,
    name: str,
    open_czi: Callable[..., CziImage],
) -> None:
    write_ome_zarr(made(name).path, dest, chunks=32)
    from_ome_zarr(dest, tmp_path / "back.czi")
    before, after = open_czi(made(name).path), open_czi(tmp_path / "back.czi")
    assert_same_pixels(before, after, levels=name not in OTHER_LEVELS)
    boxes = before.reader.scenes_bounding_rectangle_no_pyramid
    if boxes:
        assert after.reader.scenes_bounding_rectangle_no_pyramid == boxes


def test_pixels_that_no_czi_writes_are_refused(
    made: Callable[[str], Made], dest: Path, tmp_path: Path
) -> None:
    write_ome_zarr(made("all_pixel_types").path, dest)
    with pytest.raises(UnsupportedDataError, match="complex128"):
        from_ome_zarr(dest, tmp_path / "back.czi")
    assert not (tmp_path / "back.czi").exists()


def test_what_was_changed_in_the_zarr_is_in_the_czi(
    real_file: Callable[[str], Path],
    dest: Path,
    tmp_path: Path,
    open_czi: Callable[..., CziImage],
) -> None:
    write_ome_zarr(real_file("WellD6_S1.czi"), dest)
    group = zarr.open_group(str(dest), path="D/6/0", mode="r+")
    attributes = group.attrs.asdict()
    look = attributes["ome"]["omero"]["channels"][0]
    look |= {"label": "new name", "color": "0102FF", "active": False}
    look["window"] |= {"start": 6553.5, "end": 13107.0}
    for dataset in attributes["ome"]["multiscales"][0]["datasets"]:
        dataset["coordinateTransformations"][0]["scale"][3:] = [0.5, 0.5]
        dataset["coordinateTransformations"][1]["translation"][3:] = [7.0, 9.0]
    group.attrs.put(attributes)
    from_ome_zarr(dest, tmp_path / "back.czi")
    image = open_czi(tmp_path / "back.czi")
    assert image.channel_names == ["new name"]
    assert image.channel_colors == [(1, 2, 255)]
    assert image.contrast_limits == [pytest.approx((6553.5, 13107.0))]
    assert not image.reader.display_settings[0].is_enabled
    assert image.physical_pixel_sizes[1:] == (0.5, 0.5)
    assert image.origin == pytest.approx((9.0, 7.0))
    assert image.well is not None
    assert image.well.name == "D6"


def test_some_images_come_back_alone(
    made: Callable[[str], Made], dest: Path, tmp_path: Path, open_czi: Callable[..., CziImage]
) -> None:
    write_ome_zarr(made("multi_scene_pyramid").path, dest)
    from_ome_zarr(dest, tmp_path / "back.czi", scenes=["2", 1])
    before, after = open_czi(made("multi_scene_pyramid").path), open_czi(tmp_path / "back.czi")
    numbers = list(before.reader.scenes_bounding_rectangle)
    assert list(after.reader.scenes_bounding_rectangle) == numbers[1:]
    for at in (1, 2):
        before.set_scene(at)
        after.set_scene(at - 1)
        assert np.array_equal(before.asarray(), after.asarray())


def test_there_are_only_the_images_that_there_are(mosaic_czi: Path, dest: Path) -> None:
    write_ome_zarr(mosaic_czi, dest)
    with pytest.raises(ValueError, match="'7'"):
        from_ome_zarr(dest, dest.with_suffix(".czi"), scenes="7")


@pytest.mark.parametrize(("pyramid", "count"), [(None, 3), (False, 1), (True, 1)])
def test_levels_are_taken_left_or_made(
    mosaic_czi: Path,
    dest: Path,
    tmp_path: Path,
    pyramid: bool | None,
    count: int,
    open_czi: Callable[..., CziImage],
) -> None:
    write_ome_zarr(mosaic_czi, dest, levels=3)
    from_ome_zarr(dest, tmp_path / "back.czi", pyramid=pyramid)
    assert len(open_czi(tmp_path / "back.czi").levels) == count


def test_a_file_that_is_there_is_not_replaced(mosaic_czi: Path, dest: Path, tmp_path: Path) -> None:
    write_ome_zarr(mosaic_czi, dest)
    (tmp_path / "back.czi").write_text("there")
    with pytest.raises(FileExistsError):
        from_ome_zarr(dest, tmp_path / "back.czi")
    from_ome_zarr(dest, tmp_path / "back.czi", overwrite=True)


class TestWindows:
    """The windows in which viewers show channels whose limits no file has."""

    @pytest.fixture
    def dim(self, tmp_path: Path) -> Path:
        """Two channels of 12 bits and less, without display settings."""
        return write_described(tmp_path, blocks=self.blocks())

    @staticmethod
    def blocks() -> list[Block]:
        ramp = np.linspace(100, 1100, 3000).reshape(50, 60, 1)
        return [Block((ramp * (1, 3)[at]).astype("u2"), plane={"C": at}) for at in range(2)]

    @staticmethod
    def looks(dest: Path) -> list[dict[str, float]]:
        attributes = zarr.open_group(str(dest), mode="r").attrs.asdict()
        return [one["window"] for one in attributes["ome"]["omero"]["channels"]]

    def test_they_are_those_of_the_pixels(self, dim: Path, dest: Path) -> None:
        write_ome_zarr(dim, dest)
        for window, factor in zip(self.looks(dest), (1, 3)):
            assert (window["min"], window["max"]) == (0, 65535)
            assert window["start"] == pytest.approx(100 * factor, abs=5 * factor)
            assert window["end"] == pytest.approx(1100 * factor, abs=5 * factor)

    def test_a_new_czi_has_the_limits_of_all_its_pixels_instead(
        self, dest: Path, tmp_path: Path
    ) -> None:
        stack = np.stack([np.full((50, 60), 900 * z + 100, "u2") for z in range(3)])
        blocks = [Block(pixels[..., np.newaxis], plane={"Z": z}) for z, pixels in enumerate(stack)]
        write_ome_zarr(write_described(tmp_path, blocks=blocks), dest)
        assert self.looks(dest)[0]["end"] == 1000  # in the middle of Z
        from_ome_zarr(dest, tmp_path / "back.czi")
        with czi.open_czi(tmp_path / "back.czi") as document:
            assert document.display_settings[0].white_point == pytest.approx(1900 / 65535)

    def test_a_window_that_was_changed_comes_back(
        self, dim: Path, dest: Path, tmp_path: Path, open_czi: Callable[..., CziImage]
    ) -> None:
        write_ome_zarr(dim, dest)
        group = zarr.open_group(str(dest), mode="r+")
        attributes = group.attrs.asdict()
        attributes["ome"]["omero"]["channels"][1]["window"]["end"] = 6553.5
        group.attrs.put(attributes)
        from_ome_zarr(dest, tmp_path / "back.czi")
        limits = open_czi(tmp_path / "back.czi").contrast_limits[1]
        assert limits is not None
        assert limits[1] == pytest.approx(6553.5)

    def test_limits_of_the_file_are_kept(self, dest: Path, tmp_path: Path) -> None:
        inner = display_xml("<Low>0.1</Low><High>0.5</High>", "")
        write_ome_zarr(write_described(tmp_path, inner, blocks=self.blocks()), dest)
        first, second = self.looks(dest)
        assert (first["start"], first["end"]) == pytest.approx((6553.5, 32767.5))
        assert second["end"] < 4000

    def test_an_8_bit_photograph_is_shown_as_it_is(self, dest: Path, tmp_path: Path) -> None:
        photograph = Block(np.full((30, 40, 3), 9, "u1"))
        write_ome_zarr(write_described(tmp_path, blocks=[photograph]), dest)
        assert {(one["start"], one["end"]) for one in self.looks(dest)} == {(0, 255)}
