"""What an image tells of itself: names, colours, sizes, times, places."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from described import (
    display_xml,
    image_xml,
    planes,
    scaling_xml,
    scenes_xml,
    write_described,
)
from files.block import Block
from files.recipes import Made
from files.xml import subblock_xml

from czictypes import CziImage
from czictypes.model.errors import MetadataWarning


class TestChannels:
    def test_names_are_those_of_the_file(self, made: Callable[[str], Made]) -> None:
        with CziImage(made("described").path) as image:
            assert image.channel_names == ["DAPI", "Gr\u00fcn"]

    def test_without_a_name_it_is_the_id_then_the_number(self, tmp_path: Path) -> None:
        inner = image_xml('<Channel Id="Channel:9"/><Channel Id=""/>')
        with CziImage(write_described(tmp_path, inner, sizes={"C": 2})) as image:
            assert image.channel_names == ["Channel:9", "Channel:1"]

    def test_no_two_are_equal(self, tmp_path: Path) -> None:
        names = ["A", "A", "A (2)", "A"]
        inner = image_xml("".join(f'<Channel Name="{name}"/>' for name in names))
        with CziImage(write_described(tmp_path, inner, sizes={"C": 4})) as image:
            assert image.channel_names == ["A", "A (2)", "A (2) (2)", "A (3)"]

    def test_a_channel_that_starts_above_0_has_its_own_number(
        self, made: Callable[[str], Made]
    ) -> None:
        with CziImage(made("gapped_channels").path) as image:
            assert image.channel_names == ["Channel:1"]

    @pytest.mark.parametrize(("listed", "present"), [(1, 3), (3, 1)])
    def test_another_number_of_channels_than_there_are_pixels_of(
        self, tmp_path: Path, listed: int, present: int
    ) -> None:
        inner = image_xml("".join(f'<Channel Name="N{at}"/>' for at in range(listed)))
        with CziImage(write_described(tmp_path, inner, sizes={"C": present})) as image:
            with pytest.warns(MetadataWarning, match=f"list {listed} channels.*of {present}"):
                names = image.channel_names
            assert names == ["N0", "Channel:1", "Channel:2"][:present]
            assert image.channel_names == names  # which warns no more

    def test_colours_are_red_green_blue(self, made: Callable[[str], Made]) -> None:
        with CziImage(made("described").path) as image:
            assert image.channel_colors == [(0, 0, 255), None]

    def test_description_and_all_else_that_is_told(self, tmp_path: Path) -> None:
        inner = image_xml(
            '<Channel Id="Channel:0" Name="A"><Fluor>Cy3</Fluor>'
            "<ExposureTime>2000000</ExposureTime></Channel>"
        )
        inner += display_xml("<Description>the nuclei</Description>")
        with CziImage(write_described(tmp_path, inner)) as image:
            (channel,) = image.channels
            assert (channel.description, channel.dye) == ("the nuclei", "Cy3")
            assert channel.exposure_time == 0.002

    def test_contrast_limits_are_pixel_values(self, made: Callable[[str], Made]) -> None:
        with CziImage(made("described").path) as image:
            assert image.contrast_limits == [(0.1 * 65535, 0.75 * 65535), (0.0, 65535.0)]

    def test_there_are_none_without_display_settings_or_for_floating_point(
        self, tmp_path: Path, made: Callable[[str], Made]
    ) -> None:
        with CziImage(made("stack").path) as image:
            assert image.contrast_limits == [None, None]
        path = write_described(tmp_path, display_xml("<Low>0</Low>"), dtype="f4")
        with CziImage(path) as image:
            assert image.contrast_limits == [None]


class TestSizesAndTimes:
    def test_pixel_sizes_are_micrometres(self, made: Callable[[str], Made]) -> None:
        with CziImage(made("described").path) as image:
            assert image.physical_pixel_sizes == (1.0, 0.2, 0.15)
            assert image.physical_pixel_sizes.Z == 1.0
            assert image.scale == (None, None, 1.0, 0.2, 0.15)

    def test_without_a_scale_they_are_none(self, made: Callable[[str], Made]) -> None:
        with CziImage(made("stack").path) as image:
            assert image.physical_pixel_sizes == (None, None, None)
            assert image.time_interval is None
            assert image.time_stamps is None

    def test_time_stamps_come_first(self, tmp_path: Path) -> None:
        blocks = planes({"T": 3}, metadata=at_second)
        inner = image_xml(dimensions=interval(0, 5))
        path = write_described(tmp_path, inner, blocks=blocks, stamps=[1.5, 2.75, 4.0])
        with CziImage(path) as image:
            assert image.time_stamps == [1.5, 2.75, 4.0]
            assert image.time_interval == timedelta(seconds=1.25)
            assert image.scale.T == 1.25

    @pytest.mark.parametrize("stamps", [(), (1.0, 2.0), (0.0, 0.0, 0.0), (1.0, float("nan"), 2.0)])
    def test_then_the_times_of_the_tiles(self, tmp_path: Path, stamps: Any) -> None:
        blocks = planes({"T": 3}, metadata=at_second)
        inner = image_xml(dimensions=interval(0, 5))
        with CziImage(write_described(tmp_path, inner, blocks=blocks, stamps=stamps)) as image:
            assert image.time_stamps == [0.0, 10.0, 20.0]

    def test_then_the_interval_of_the_document(self, tmp_path: Path) -> None:
        inner = image_xml(dimensions=interval(2, 5))
        with CziImage(write_described(tmp_path, inner, sizes={"T": 3})) as image:
            assert image.time_stamps == [2.0, 7.0, 12.0]

    def test_or_its_list(self, tmp_path: Path) -> None:
        offsets = "<T><Positions><List><Offsets>0 1 5</Offsets></List></Positions></T>"
        inner = image_xml(dimensions=offsets)
        with CziImage(write_described(tmp_path, inner, sizes={"T": 3})) as image:
            assert image.time_stamps == [0.0, 1.0, 5.0]
            assert image.time_interval is None
            assert image.scale.T is None

    @pytest.mark.parametrize(
        ("stamps", "interval"),
        [
            ((7.0, 67.0), 60.0),
            ((0.0, 9.8, 20.1, 30.0), 10.0),  # the clock of a microscope
            ((0.0, 10.0, 20.0, 31.2), None),
            ((0.0, 60.0, 130.0, 180.0), None),
            ((3.0, 2.0, 1.0), None),
            ((0.0, 1.0, 0.5, 1.5), None),
        ],
    )
    def test_only_regular_times_have_an_interval(
        self, tmp_path: Path, stamps: tuple[float, ...], interval: float | None
    ) -> None:
        path = write_described(tmp_path, sizes={"T": len(stamps)}, stamps=stamps)
        with CziImage(path) as image:
            found = image.time_interval
            assert image.time_stamps == list(stamps)
        assert (found and found.total_seconds()) == interval

    @pytest.mark.parametrize(
        ("first", "stamps", "expected"),
        [
            (5, [1.0, 2.0, 4.0], [1.0, 2.0, 4.0]),  # one for each T that there is
            (-1, [1.0, 2.0, 4.0], [1.0, 2.0, 4.0]),
            (1, [0.5, 1.0, 2.0, 4.0, 9.0], [1.0, 2.0, 4.0]),  # those of the whole document
            (1, [1.0, 2.0], None),
        ],
    )
    def test_time_stamps_of_a_document_that_begins_later(
        self, tmp_path: Path, first: int, stamps: list[float], expected: list[float] | None
    ) -> None:
        blocks = [Block(np.zeros((4, 6), "u1"), plane={"T": first + t}, m=0) for t in range(3)]
        with CziImage(write_described(tmp_path, blocks=blocks, stamps=stamps)) as image:
            assert image.time_stamps == expected

    def test_each_scene_has_the_times_of_its_tiles(self, tmp_path: Path) -> None:
        def later(plane: dict[str, int]) -> bytes:
            return at_second({"T": plane["T"] * (1 + plane["S"])})

        blocks = [
            Block(
                np.zeros((4, 6), "u1"),
                10 * s,
                0,
                {"T": t, "S": s},
                metadata=later({"T": t, "S": s}),
            )
            for s in range(2)
            for t in range(2)
        ]
        with CziImage(write_described(tmp_path, blocks=blocks)) as image:
            found = []
            for scene in image.scenes:
                image.set_scene(scene)
                found.append(image.time_stamps)
        assert found == [[0.0, 10.0], [0.0, 20.0]]

    def test_the_index_along_t_counts_where_it_does_not_start_at_0(
        self, made: Callable[[str], Made]
    ) -> None:
        with CziImage(made("negative_planes").path) as image:
            assert image.sizes["T"] == 2
            assert image.coords()["X"].values.tolist() == list(range(9))


class TestCoordinates:
    def test_of_full_resolution(self, made: Callable[[str], Made]) -> None:
        with CziImage(made("described").path) as image:
            coords = image.coords()
        assert list(coords) == ["C", "Z", "Y", "X"]
        assert coords["C"].values.tolist() == ["DAPI", "Gr\u00fcn"]
        np.testing.assert_allclose(coords["X"].values, 0.15 * np.arange(20))
        np.testing.assert_allclose(coords["Y"].values, 0.2 * np.arange(16))
        assert [coords[name].unit for name in "CZYX"] == [None, "um", "um", "um"]

    def test_a_pixel_of_a_level_lies_amid_those_it_stands_for(
        self, made: Callable[[str], Made]
    ) -> None:
        with CziImage(made("multi_scene_pyramid").path) as image:
            assert [level.factor for level in image.levels] == [1.0, 2.0, 4.0]
            full = image.coords()["X"].values
            for level in (1, 2):
                factor = 2**level
                coarse = image.coords(level)["X"].values
                count = len(full) // factor
                means = full[: count * factor].reshape(count, factor).mean(axis=1)
                np.testing.assert_allclose(coarse[:count], means)
                assert len(coarse) == image.levels[level].width

    def test_in_pixels_where_the_scale_is_unknown(self, made: Callable[[str], Made]) -> None:
        with CziImage(made("stack").path) as image:
            coords = image.coords()
        assert coords["X"].unit == "pixel"
        assert coords["Z"].values.tolist() == [0.0, 1.0, 2.0, 3.0]
        assert "T" not in coords

    def test_of_samples_and_other_dimensions(self, made: Callable[[str], Made]) -> None:
        with CziImage(made("rgb").path) as image:
            assert image.coords()["S"].values.tolist() == ["R", "G", "B"]
        with CziImage(made("many_dimensions").path) as image:
            assert image.coords()["H"].values.tolist() == [0, 1]

    def test_they_are_as_long_as_the_array(self, every_made: Made) -> None:
        if not every_made.blocks:
            pytest.skip("it has no pixels")
        with CziImage(every_made.path) as image:
            for name, axis in image.coords().items():
                assert axis.values.shape == (image.sizes[name],)


class TestPlaces:
    def test_wells_and_fields(self, tmp_path: Path) -> None:
        inner = image_xml(
            dimensions=scenes_xml(
                "<ArrayName>B3</ArrayName>",
                "<ArrayName>A1</ArrayName>",
                '<Shape Name="B3" Id="2-3"/>',
                "",
            )
        )
        inner += (
            '<Experiment><Template Name="six"><ShapeRows>2</ShapeRows>'
            "<ShapeColumns>3</ShapeColumns></Template></Experiment>"
        )
        with CziImage(write_described(tmp_path, inner, scenes=4)) as image:
            assert image.well is not None
            assert image.well.row_letters == "B"
            found = []
            for scene in image.scenes:
                image.set_scene(scene)
                well = image.well
                found.append((well and (well.name, well.row, well.column), image.field))
            assert image.plate is not None
            assert (image.plate.rows, image.plate.columns) == (2, 3)
            image.set_scene("all")
            assert (image.well, image.field) == (None, None)
        assert found == [
            (("B3", 2, 3), 0),
            (("A1", 1, 1), 0),
            (("B3", 2, 3), 1),
            (None, None),
        ]

    def test_the_origin_follows_from_the_centre_of_the_scene(self, tmp_path: Path) -> None:
        inner = scaling_xml(X=2e-6, Y=1e-6)
        inner += image_xml(dimensions=scenes_xml("<CenterPosition>100,50</CenterPosition>"))
        with CziImage(write_described(tmp_path, inner, scenes=1)) as image:
            assert image.origin == (100 - 2.5 * 2, 50 - 1.5)

    def test_of_a_part_of_what_was_acquired_from_the_tiles(self, tmp_path: Path) -> None:
        inner = scaling_xml(X=2e-6, Y=1e-6)
        inner += image_xml(
            dimensions=scenes_xml(
                "<CenterPosition>100,50</CenterPosition><ContourSize>1000,4</ContourSize>"
            )
        )
        blocks = [  # the stage moved along one axis only, and the second tile tells of no other
            tile(0, 0, StageXPosition="10", StageYPosition="20"),
            tile(6, 0, StageXPosition="22"),
        ]
        with CziImage(write_described(tmp_path, inner, blocks=blocks)) as image:
            assert image.origin == (10 - 2.5 * 2, 20 - 1.5)

    def test_unknown_without_a_scale_or_a_position(self, tmp_path: Path) -> None:
        blocks = [tile(0, 0, StageXPosition="10", StageYPosition="20")]
        with CziImage(write_described(tmp_path, blocks=blocks)) as image:
            assert image.origin is None
        blocks = [tile(0, 0, StageXPosition="10")]
        with CziImage(write_described(tmp_path, scaling_xml(X=1, Y=1), blocks=blocks)) as image:
            assert image.origin is None

    def test_the_document(self, real_file: Callable[[str], Path]) -> None:
        with CziImage(real_file("nuc_small.czi")) as image:
            assert image.acquisition_date == datetime(
                2016, 7, 4, 14, 52, 8, 447341, tzinfo=timezone.utc
            )
            assert image.objective is not None
            assert image.objective.magnification == 20.0
            assert image.document_info.microscope == "Celldiscoverer 7"
            assert "ImageDocument" in image.metadata

    def test_single_tiles_have_the_origin_of_their_scene(
        self, real_file: Callable[[str], Path]
    ) -> None:
        path = real_file("S3_1Pos_2Mosaic_T2_Z3_CH2_sm.czi")
        with CziImage(path) as whole, CziImage(path, mosaic=False) as tiles:
            assert tiles.origin == whole.origin
            assert tiles.coords()["M"].values.tolist() == list(range(10))


class TestRealFiles:
    @pytest.mark.parametrize(
        ("name", "sizes", "interval"),
        [
            ("CellDivision_T3_Z5_CH2_X240_Y170.czi", (0.32, 0.0905766742, 0.0905766742), 59.995),
            ("LLS7_small.czi", (0.144992, 0.144992, 0.144992), 90.038),
            ("S3_1Pos_2Mosaic_T2_Z3_CH2_sm.czi", (1.0, 1.6, 1.6), 33.412),
            ("RGB-8bit.czi", (None, 1.0833333333, 1.0833333333), None),
            ("DAPI_GFP.czi", (None, None, None), None),
        ],
    )
    def test_sizes_and_interval(
        self, real_file: Callable[[str], Path], name: str, sizes: Any, interval: float | None
    ) -> None:
        with CziImage(real_file(name)) as image:
            assert image.physical_pixel_sizes == pytest.approx(sizes)
            found = image.time_interval
            assert (found and found.total_seconds()) == pytest.approx(interval, abs=1e-3)

    def test_every_file_tells_all_without_a_warning(self, every_real_file: Path) -> None:
        with CziImage(every_real_file) as image:
            for scene in image.scenes:
                image.set_scene(scene)
                assert len(image.channel_names) == image.sizes["C"]
                assert len(image.channel_colors) == len(image.contrast_limits) == image.sizes["C"]
                for limits in image.contrast_limits:
                    assert limits is None or 0 <= limits[0] < limits[1] <= 65535
                json.dumps([image.origin, image.field, image.time_stamps, image.scale])

    def test_neighbouring_scenes_lie_on_one_stage(self, real_file: Callable[[str], Path]) -> None:
        with CziImage(real_file("S3_1Pos_2Mosaic_T2_Z3_CH2_sm.czi")) as image:
            offsets = []
            for number in range(3):
                image.set_scene(number)
                box = image.reader.scenes_bounding_rectangle_no_pyramid[number]
                assert image.origin is not None
                offsets.append(np.array(image.origin) - 1.6 * np.array([box.x, box.y]))
            image.set_scene("all")
            box = image.reader.total_bounding_rectangle_no_pyramid
            assert image.origin is not None
            offsets.append(np.array(image.origin) - 1.6 * np.array([box.x, box.y]))
        assert np.ptp(offsets, axis=0).max() < 1.6  # less than a pixel


def at_second(plane: dict[str, int]) -> bytes:
    """Return the XML of a tile that was acquired ten seconds after the T before."""
    return subblock_xml({"AcquisitionTime": f"2024-05-06T07:08:{10 * plane['T']:02}Z"})


def interval(start: float, increment: float) -> str:
    """Return evenly spaced positions along T."""
    inside = f"<Start>{start}</Start><Increment>{increment}</Increment>"
    return f"<T><Positions><Interval>{inside}</Interval></Positions></T>"


def tile(x: int, y: int, **tags: str) -> Block:
    """Return a tile of scene 0 with these tags."""
    return Block(np.zeros((4, 6), "u1"), x, y, {"C": 0, "S": 0}, m=x, metadata=subblock_xml(tags))
