"""OME metadata: what it says of each file, and that the schema allows it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from described import image_xml, planes, scaling_xml, scenes_xml, write_described
from extras import needs
from files.block import Block
from files.recipes import Made
from files.xml import subblock_xml

from czictypes import CziImage
from czictypes.model.errors import MissingExtraError
from czictypes.writing.imwrite import imwrite

needs("ome_types", "ome")
needs("lxml")


def assert_valid(ome: Any) -> None:
    """Fail where the OME schema does not allow what an object is written as."""
    from ome_types import validate_xml

    validate_xml(ome.to_xml())


class TestAgainstTheSchema:
    def test_every_real_file(self, every_real_file: Path) -> None:
        with CziImage(every_real_file) as image:
            ome = image.ome_metadata
            assert_valid(ome)
            assert [one.name for one in ome.images] == list(image.scenes)

    def test_every_made_file(self, every_made: Made) -> None:
        with CziImage(every_made.path) as image:
            ome = image.ome_metadata
        assert_valid(ome)
        assert len(ome.images) == (max(len(every_made.scenes), 1) if every_made.blocks else 0)

    def test_a_file_written_by_pylibczirw(self, tmp_path: Path, peers: Any) -> None:
        theirs = needs("pylibCZIrw.czi")
        with theirs.create_czi(str(tmp_path / "theirs.czi")) as document:
            for channel in range(2):
                pixels = np.full((8, 9, 1), channel, np.uint16)
                document.write(pixels, plane={"C": channel, "T": 0, "Z": 0}, scene=1)
            document.write_metadata(
                "a title",
                channel_names={0: "DAPI"},
                scale_x=1e-7,
                scale_y=2e-7,
                custom_attributes={"x": 1},
            )
        with CziImage(tmp_path / "theirs.czi") as image:
            ome = image.ome_metadata
        assert_valid(ome)
        pixels = ome.images[0].pixels
        assert pixels.physical_size_x == pytest.approx(0.1)
        assert [channel.name for channel in pixels.channels] == ["DAPI", "Channel:1"]

    def test_a_file_written_by_imwrite(self, tmp_path: Path) -> None:
        array = np.zeros((2, 3, 8, 9, 3), np.uint8)
        imwrite(tmp_path / "ours.czi", array, "TZYXS", pixel_size=1e-6, times=2.5)
        with CziImage(tmp_path / "ours.czi") as image:
            ome = image.ome_metadata
        assert_valid(ome)
        pixels = ome.images[0].pixels
        assert (pixels.size_t, pixels.size_z, pixels.size_c) == (2, 3, 3)
        assert (pixels.time_increment, pixels.time_increment_unit.value) == (2.5, "s")
        assert [channel.samples_per_pixel for channel in pixels.channels] == [3]


class TestContent:
    def test_sizes_are_those_of_the_images(self, every_made: Made) -> None:
        if not every_made.blocks:
            pytest.skip("it has no pixels")
        with CziImage(every_made.path) as image:
            images = image.to_ome(planes=False).images
            for number, name in enumerate(image.scenes):
                image.set_scene(name)
                pixels = images[number].pixels
                sizes, samples = image.sizes, image.sizes.get("S", 1)
                assert (pixels.size_x, pixels.size_y) == (sizes["X"], sizes["Y"])
                assert (pixels.size_z, pixels.size_c) == (sizes["Z"], sizes["C"] * samples)
                planes = np.prod([size for axis, size in sizes.items() if axis not in "ZCYXS"])
                assert pixels.size_t == planes

    def test_pixels_and_channels(self, made: Callable[[str], Made]) -> None:
        with CziImage(made("described").path) as image:
            pixels = image.ome_metadata.images[0].pixels
        assert (pixels.type.value, pixels.dimension_order.value) == ("uint16", "XYZCT")
        assert (pixels.physical_size_x, pixels.physical_size_x_unit.value) == (0.15, "\u00b5m")
        assert (pixels.physical_size_y, pixels.physical_size_z) == (0.2, 1.0)
        assert [channel.name for channel in pixels.channels] == ["DAPI", "Gr\u00fcn"]
        assert pixels.channels[0].color.as_rgb_tuple() == (0, 0, 255)
        assert pixels.metadata_only is not None
        assert not pixels.tiff_data_blocks

    def test_channels_of_a_microscope(self, real_file: Callable[[str], Path]) -> None:
        with CziImage(real_file("nuc_small.czi")) as image:
            ome = image.ome_metadata
        (channel,) = ome.images[0].pixels.channels
        assert (channel.excitation_wavelength, channel.emission_wavelength) == (577, 603)
        assert channel.excitation_wavelength_unit.value == "nm"
        assert (channel.fluor, channel.illumination_type.value) == (
            "Alexa Fluor 568",
            "Epifluorescence",
        )
        (instrument,) = ome.instruments
        (detector,) = instrument.detectors
        assert (detector.model, channel.detector_settings.id) == ("Axiocam 506", detector.id)
        assert channel.detector_settings.binning.value == "1x1"

    def test_the_instrument_is_referred_to(self, real_file: Callable[[str], Path]) -> None:
        with CziImage(real_file("WellD6_S1.czi")) as image:
            ome = image.ome_metadata
        (instrument,), (one,) = ome.instruments, ome.images
        assert (instrument.microscope.model, instrument.microscope.type.value) == (
            "Celldiscoverer 7",
            "Inverted",
        )
        (objective,) = instrument.objectives
        assert (objective.nominal_magnification, objective.lens_na) == (5.0, 0.35)
        assert objective.immersion.value == "Air"
        assert one.instrument_ref.id == instrument.id
        assert one.objective_settings.id == objective.id
        assert one.acquisition_date.isoformat() == "2023-01-06T10:41:51.721758+00:00"

    def test_a_plate_with_its_wells(self, real_file: Callable[[str], Path]) -> None:
        with CziImage(real_file("WellD6_S1.czi")) as image:
            ome = image.ome_metadata
        (plate,) = ome.plates
        assert (plate.rows, plate.columns, plate.name) == (8, 12, "Multichamber 96")
        (well,) = plate.wells
        assert (well.row, well.column) == (3, 5)
        (sample,) = well.well_samples
        assert sample.image_ref.id == ome.images[0].id

    def test_fields_of_one_well_are_its_samples(self, tmp_path: Path) -> None:
        wells = [f"<ArrayName>{name}</ArrayName>" for name in ("B2", "A1", "B2")]
        inner = image_xml(dimensions=scenes_xml(*wells))
        with CziImage(write_described(tmp_path, inner, scenes=3)) as image:
            ome = image.ome_metadata
        assert_valid(ome)
        found = {
            (well.row, well.column): [sample.image_ref.id for sample in well.well_samples]
            for well in ome.plates[0].wells
        }
        assert found == {(0, 0): ["Image:1"], (1, 1): ["Image:0", "Image:2"]}
        indices = [s.index for well in ome.plates[0].wells for s in well.well_samples]
        assert indices == [0, 1, 2]

    def test_without_wells_there_is_no_plate(self, real_file: Callable[[str], Path]) -> None:
        with CziImage(real_file("CellDivision_T3_Z5_CH2_X240_Y170.czi")) as image:
            assert image.plate is not None  # that of the experiment, which no scene refers to
            assert image.ome_metadata.plates == []

    def test_the_other_dimensions_are_counted_along_t(self, made: Callable[[str], Made]) -> None:
        with CziImage(made("many_dimensions").path) as image:
            pixels = image.ome_metadata.images[0].pixels
            flat = image.asarray().reshape(-1, *image.shape[-4:])
        assert pixels.size_t == len(flat) == 16


class TestPlanes:
    def test_time_exposure_and_place(self, tmp_path: Path) -> None:
        state = "&lt;CameraState&gt;&lt;ExposureTime&gt;{}&lt;/ExposureTime&gt;&lt;/CameraState&gt;"

        def tags(plane: dict[str, int]) -> bytes:
            seconds = 10 * plane["T"] + plane["Z"]
            return subblock_xml(
                {
                    "AcquisitionTime": f"2024-05-06T07:08:{seconds:02}Z",
                    "DetectorState": state.format(5_000_000),
                    "StageXPosition": "100.5",
                    "StageYPosition": "-7",
                    "FocusPosition": str(plane["Z"] / 2),
                }
            )

        inner = image_xml(
            more="<AcquisitionDateAndTime>2024-05-06T07:07:00Z</AcquisitionDateAndTime>"
        )
        blocks = planes({"T": 2, "Z": 2}, metadata=tags)
        with CziImage(write_described(tmp_path, inner, blocks=blocks)) as image:
            found = image.ome_metadata.images[0].pixels.planes
        assert [(one.the_t, one.the_z, one.the_c) for one in found] == [
            (0, 0, 0),
            (0, 1, 0),
            (1, 0, 0),
            (1, 1, 0),
        ]
        assert [one.delta_t for one in found] == [60.0, 61.0, 70.0, 71.0]
        assert [one.position_z for one in found] == [0.0, 0.5, 0.0, 0.5]
        assert {(one.exposure_time, one.position_x, one.position_y) for one in found} == {
            (0.005, 100.5, -7.0)
        }

    @pytest.mark.parametrize("axes", ["TZC", "CZT", "HTC"])
    def test_time_stamps_tell_where_tiles_do_not(self, tmp_path: Path, axes: str) -> None:
        sizes = {axis: {"T": 4}.get(axis, 2) for axis in axes}
        path = write_described(
            tmp_path, sizes=sizes, scenes=[0, 3], stamps=[1951.0, 2011.0, 2081.0, 2131.0]
        )
        with CziImage(path) as image:
            images = image.ome_metadata.images
        assert len(images) == 2
        for one in images:
            assert one.pixels.time_increment is None
            assert len(one.pixels.planes) == 16
            for plane in one.pixels.planes:
                assert plane.delta_t == [0.0, 60.0, 130.0, 180.0][plane.the_t % 4]

    def test_fewer_time_stamps_than_t_tell_of_the_first(self, tmp_path: Path) -> None:
        path = write_described(tmp_path, sizes={"T": 4}, stamps=[7.0, 9.0])
        with CziImage(path) as image:
            assert image.time_stamps is None
            found = image.ome_metadata.images[0].pixels.planes
        assert [one.delta_t for one in found] == [0.0, 2.0, None, None]

    def test_a_part_of_a_time_series_keeps_its_times(self, tmp_path: Path) -> None:
        blocks = [Block(np.zeros((4, 6), "u1"), plane={"T": t}, m=0) for t in (2, 3)]
        path = write_described(tmp_path, blocks=blocks, stamps=[5.0, 6.0, 8.0, 15.0])
        with CziImage(path) as image:
            pixels = image.ome_metadata.images[0].pixels
        assert [one.delta_t for one in pixels.planes] == [3.0, 10.0]

    def test_positions_along_t_in_the_xml_tell_as_well(self, tmp_path: Path) -> None:
        offsets = "<T><Positions><List><Offsets>0 1 5</Offsets></List></Positions></T>"
        path = write_described(tmp_path, image_xml(dimensions=offsets), sizes={"T": 3})
        with CziImage(path) as image:
            found = image.ome_metadata.images[0].pixels.planes
        assert [one.delta_t for one in found] == [0.0, 1.0, 5.0]

    def test_what_only_some_tiles_tell_is_filled_from_the_time_stamps(self, tmp_path: Path) -> None:
        def tags(plane: dict[str, int]) -> bytes:
            seconds = 5 + [0, 10, 40][plane["T"]]
            time = f"2024-05-06T07:08:{seconds:02}Z"
            return subblock_xml({} if plane["C"] else {"AcquisitionTime": time})

        inner = image_xml(
            more="<AcquisitionDateAndTime>2024-05-06T07:08:00Z</AcquisitionDateAndTime>"
        )
        blocks = planes({"T": 3, "C": 2}, metadata=tags)
        path = write_described(tmp_path, inner, blocks=blocks, stamps=[100.0, 110.0, 140.0])
        with CziImage(path) as image:
            found = image.ome_metadata.images[0].pixels.planes
        assert [one.delta_t for one in found] == [5.0, 5.0, 15.0, 15.0, 45.0, 45.0]

    @pytest.mark.parametrize("stamps", [None, [0.0, 1.0, 2.5, 10.0, 11.0, 12.5]])
    def test_a_sub_block_of_several_planes_tells_of_the_first(
        self, tmp_path: Path, stamps: list[float] | None
    ) -> None:
        blocks = [
            Block(
                np.zeros((4, 6), "u1"),
                plane={"T": start},
                m=0,
                payload=bytes(3 * 4 * 6),
                sizes={"T": 3},
                metadata=subblock_xml({"AcquisitionTime": f"2024-05-06T07:08:{10 * at:02}Z"}),
            )
            for at, start in enumerate((0, 3))
        ]
        path = write_described(tmp_path, blocks=blocks, stamps=stamps or ())
        with CziImage(path) as image:
            assert image.time_stamps == stamps
            found = image.ome_metadata.images[0].pixels.planes
        expected = stamps or [0.0, None, None, 10.0, None, None]
        assert [one.delta_t for one in found] == expected

    def test_of_many_planes_those_are_listed_that_tell_irregular_times(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("czictypes.arrays.ome._MOST_LISTED", 5)
        for stamps, expected in ([1.0, 2.0, 3.0], []), ([1.0, 2.0, 9.0], [0.0, 1.0, 8.0]):
            path = write_described(tmp_path, sizes={"T": 3, "Z": 4}, stamps=stamps)
            with CziImage(path) as image:
                found = image.ome_metadata.images[0].pixels.planes
            assert [one.delta_t for one in found] == expected
            assert {one.the_z for one in found} <= {0}

    def test_a_mosaic_has_no_place_of_one_tile(self, real_file: Callable[[str], Path]) -> None:
        with CziImage(real_file("mosaic_test.czi")) as image:
            (plane,) = image.ome_metadata.images[0].pixels.planes
        assert plane.position_x is None
        assert plane.position_z == 7856.453
        assert plane.exposure_time == pytest.approx(0.0750316, abs=1e-7)

    def test_what_tiles_do_not_tell_of_exposure_the_channel_does(self, tmp_path: Path) -> None:
        inner = image_xml("<Channel><ExposureTime>3000000</ExposureTime></Channel>")
        with CziImage(write_described(tmp_path, inner)) as image:
            (plane,) = image.ome_metadata.images[0].pixels.planes
        assert (plane.exposure_time, plane.delta_t) == (0.003, None)

    def test_only_planes_that_there_are(self, made: Callable[[str], Made]) -> None:
        with CziImage(made("stack").path) as image:
            found = image.ome_metadata.images[0].pixels.planes
        assert len(found) == 3 * 4 * 2 - 2
        assert (2, 3) not in {(one.the_t, one.the_z) for one in found}

    def test_their_indices_start_at_0(self, made: Callable[[str], Made]) -> None:
        with CziImage(made("negative_planes").path) as image:
            found = image.ome_metadata.images[0].pixels.planes
        assert {(one.the_t, one.the_z) for one in found} == set(np.ndindex(2, 3))

    def test_they_can_be_left_out(self, made: Callable[[str], Made]) -> None:
        with CziImage(made("stack").path) as image:
            assert image.to_ome(planes=False).images[0].pixels.planes == []

    def test_many_are_left_out_unless_asked_for(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("czictypes.arrays.ome._MOST_LISTED", 5)
        with CziImage(write_described(tmp_path, sizes={"Z": 6})) as image:
            assert image.ome_metadata.images[0].pixels.planes == []
            assert len(image.to_ome(planes=True).images[0].pixels.planes) == 6


def test_a_missing_package_is_named(
    made: Callable[[str], Made], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ome_types.model", None)
    with CziImage(made("described").path) as image:
        with pytest.raises(MissingExtraError, match=r"pip install 'czictypes\[ome\]'"):
            image.to_ome()
        assert image.channel_names == ["DAPI", "Gr\u00fcn"]


def test_scaling_as_small_as_can_be_is_left_out(tmp_path: Path) -> None:
    with CziImage(write_described(tmp_path, scaling_xml(X="1e-60", Y="1e-6"))) as image:
        with pytest.warns(match="physical_size_x of the pixels of 'Image:0' is 1e-54"):
            ome = image.ome_metadata
    assert_valid(ome)
    assert ome.images[0].pixels.physical_size_x is None
    assert ome.images[0].pixels.physical_size_y == 1.0
