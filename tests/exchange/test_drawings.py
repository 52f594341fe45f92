"""Annotations, detected bands and skew of an image: in OME, through other formats, in copies."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from described import image_xml, planes, scaling_xml, write_described
from extras import needs
from files.block import Block

from czictypes import CziImage, convert, czi
from czictypes.cli.main import main

BOX = "<Left>{}</Left><Top>1</Top><Width>2</Width><Height>1.5</Height>"
ROTATED = (
    "<Attributes><Name>cell</Name><Rotation>90</Rotation><Stroke>#FF00FF00</Stroke></Attributes>"
)
CHANNEL = "<Channel><DetectionWavelength><Ranges>{}</Ranges></DetectionWavelength></Channel>"


def drawn(folder: Path, *lefts: float, scenes: Any = 0, more: str = "", **options: Any) -> Path:
    """Write a file with a rectangle at each place along X, and an ellipse in metres."""
    boxes = "".join(
        f"<Rectangle Id='{at}'>{ROTATED}<Geometry>{BOX.format(left)}</Geometry></Rectangle>"
        for at, left in enumerate(lefts)
    )
    layer = f"<Layer Name='L'><Usage>Annotation</Usage><Elements>{boxes}</Elements></Layer>"
    inner = f"<Layers>{layer}{more}</Layers>" + scaling_xml(X=1e-6, Y=1e-6)
    return write_described(folder, inner, scenes=scenes, **options)


def corners(image: CziImage) -> list[tuple[float, float]]:
    return [one.points[0] for one in image.annotations]


class TestOme:
    def test_an_annotation_is_a_roi(self, tmp_path: Path) -> None:
        ome_types = needs("ome_types", "ome")
        with CziImage(drawn(tmp_path, 3)) as image:
            ome = image.ome_metadata
        (roi,), (box,) = ome.rois, ome.rois[0].union
        assert [one.id for one in ome.images[0].roi_refs] == [roi.id]
        assert (roi.name, roi.description, box.text) == ("cell", "Annotation", "cell")
        assert (box.x, box.y, box.width, box.height) == (3, 1, 2, 1.5)
        assert box.stroke_color.as_rgb_tuple(alpha=False) == (0, 255, 0)
        turn = box.transform
        moved = [turn.a00 * 3 + turn.a01 * 1 + turn.a02, turn.a10 * 3 + turn.a11 * 1 + turn.a12]
        assert moved == pytest.approx([4.75, 0.75])  # a quarter about 4, 1.75, clockwise
        needs("lxml")
        ome_types.validate_xml(ome.to_xml())

    def test_each_scene_has_those_on_it_in_its_own_pixels(self, tmp_path: Path) -> None:
        needs("ome_types", "ome")
        source = drawn(tmp_path, 1, 11, 12, 500, scenes=[0, 1])  # scenes begin at 0 and 10
        with CziImage(source) as image:
            ome = image.ome_metadata
        boxes = {roi.id: roi.union[0].x for roi in ome.rois}
        found = [[boxes[one.id] for one in image.roi_refs] for image in ome.images]
        assert found == [[1], [1, 2]]

    def test_places_count_from_the_corner_of_the_tiles(self, tmp_path: Path) -> None:
        needs("ome_types", "ome")
        blocks = [Block(planes()[0].pixels, x, -40, {"S": s}, m=0) for s, x in ((0, 90), (1, 100))]
        with CziImage(drawn(tmp_path, 2, 13, blocks=blocks)) as image:
            ome = image.ome_metadata
        assert [roi.union[0].x for roi in ome.rois] == [2, 3]
        assert [roi.union[0].y for roi in ome.rois] == [1, 1]

    @pytest.mark.filterwarnings("ignore::czictypes.model.errors.MetadataWarning")
    def test_what_is_beyond_all_bounds_is_left_out(self, tmp_path: Path) -> None:
        needs("ome_types", "ome")
        with CziImage(drawn(tmp_path, 1e300, 2)) as image:
            assert [roi.union[0].x for roi in image.ome_metadata.rois] == [2]

    def test_a_detected_band_is_a_filter(self, tmp_path: Path) -> None:
        needs("ome_types", "ome")
        bands = ["410-420", "420-430", "410-420", "500-550,600-650", "700-"]
        listed = "".join(CHANNEL.format(band) for band in bands)
        with CziImage(write_described(tmp_path, image_xml(listed), sizes={"C": 5})) as image:
            ome = image.ome_metadata
        ranges = {
            one.id: (one.transmittance_range.cut_in, one.transmittance_range.cut_out)
            for one in ome.instruments[0].filters
        }
        assert list(ranges.values()) == [(410, 420), (420, 430), (700, None)]
        paths = [one.light_path for one in ome.images[0].pixels.channels]
        found = [path and ranges[path.emission_filters[0].id] for path in paths]
        assert found == [(410, 420), (420, 430), (410, 420), None, (700, None)]
        waves = [one.emission_wavelength for one in ome.images[0].pixels.channels]
        assert waves == [415, 425, 415, None, None]


class TestModulo:
    @pytest.mark.parametrize(
        ("sizes", "expected"),
        [
            ({"H": 5}, 'ModuloAlongT Type="phase" TypeDescription="phases" Start="0" End="4"'),
            ({"R": 2, "C": 2}, 'ModuloAlongT Type="angle" TypeDescription="rotations" Start="0"'),
            ({"H": 5, "T": 2}, None),  # T is the fastest, and OME wants the phases to be
            ({"H": 2, "V": 2}, None),
            ({"T": 3}, None),
        ],
    )
    def test_t_that_is_another_dimension(
        self, tmp_path: Path, sizes: dict[str, int], expected: str | None
    ) -> None:
        ome_types = needs("ome_types", "ome")
        with CziImage(write_described(tmp_path, sizes=sizes)) as image:
            ome = image.ome_metadata
        xml = ome.to_xml()
        assert (expected or "<Image") in xml
        assert ("Modulo" in xml) == (expected is not None)
        assert len(ome.images[0].annotation_refs) == (expected is not None)
        needs("lxml")
        ome_types.validate_xml(xml)

    @pytest.mark.parametrize(
        ("bands", "expected"),
        [
            (["410-420", "420-430", "430-440"], 'Unit="nm" Start="415.0" End="435.0" Step="10.0"'),
            (["410-420", "420-430", "430-480"], None),
            (["410-420", "420-430", "430-"], None),
            (["450-650", "400-450", "450-460"], None),
        ],
    )
    def test_c_that_is_a_spectrum(
        self, tmp_path: Path, bands: list[str], expected: str | None
    ) -> None:
        needs("ome_types", "ome")
        listed = image_xml("".join(CHANNEL.format(band) for band in bands))
        with CziImage(write_described(tmp_path, listed, sizes={"C": 3})) as image:
            xml = image.ome_metadata.to_xml()
        assert (expected or "<Image") in xml
        assert ("Modulo" in xml) == (expected is not None)

    def test_images_of_an_ome_tiff_have_time_alone(self, tmp_path: Path, tifffile: Any) -> None:
        convert(write_described(tmp_path, sizes={"H": 3}), tmp_path / "out.ome.tif")
        with tifffile.TiffFile(tmp_path / "out.ome.tif") as file:
            assert len(file.series) == 3
            assert "Modulo" not in file.ome_metadata
            needs("lxml")
            needs("ome_types", "ome").validate_xml(file.ome_metadata)


@pytest.mark.parametrize("name", ["out.ome.tif", "out.ome.zarr"])
class TestThereAndBack:
    @pytest.fixture
    def back(self, tmp_path: Path, tifffile: Any, name: str) -> Callable[..., CziImage]:
        needs("zarr.abc.store", "ome-zarr")

        def run(source: Path, **options: Any) -> CziImage:
            convert(source, tmp_path / name, **options)
            convert(tmp_path / name, tmp_path / "back.czi")
            return CziImage(tmp_path / "back.czi")

        return run

    def test_annotations(self, tmp_path: Path, back: Callable[..., CziImage]) -> None:
        source = drawn(tmp_path, 3)
        with CziImage(source) as before, back(source) as after:
            (one,), (other,) = before.annotations, after.annotations
        assert [number for point in other.points for number in point] == pytest.approx(
            [number for point in one.points for number in point]
        )
        for field in ("shape", "rotation", "name", "usage", "color"):
            assert getattr(one, field) == getattr(other, field)

    def test_annotations_of_one_scene(self, tmp_path: Path, back: Callable[..., CziImage]) -> None:
        with back(drawn(tmp_path, 1, 11, 12, scenes=[0, 1]), scenes=1) as image:
            assert [x for x, _ in corners(image)[-2:]] == pytest.approx([1, 2])

    def test_bands(self, tmp_path: Path, back: Callable[..., CziImage]) -> None:
        inner = image_xml(CHANNEL.format("410.5-420"))
        with back(write_described(tmp_path, inner)) as image:
            (channel,) = image.channels
        assert channel.detection_wavelengths == ((410.5, 420.0),)


def test_skew_comes_back_from_ome_zarr(tmp_path: Path) -> None:
    needs("zarr.abc.store", "ome-zarr")
    inner = image_xml(dimensions="<Z><ZAxisShear>Skew60</ZAxisShear></Z>")
    convert(write_described(tmp_path, inner, sizes={"Z": 2}), tmp_path / "out.zarr")
    convert(tmp_path / "out.zarr", tmp_path / "back.czi")
    with CziImage(tmp_path / "back.czi") as image:
        assert image.skew == czi.Skew("Skew60", 60.0)


def test_skew_of_a_lattice_light_sheet_stack(real_file: Callable[[str], Path]) -> None:
    with CziImage(real_file("LLS7_small.czi")) as image:
        skew, channels = image.skew, image.channels
    assert skew is not None
    assert (skew.shear, skew.angle, skew.is_skewed) == ("None", 0.0, False)
    assert (skew.factor, skew.handedness) == (pytest.approx(1.379386), "LeftHanded")
    assert channels[0].detection_wavelengths == (
        czi.WavelengthRange(404, 406),
        czi.WavelengthRange(487, 489),
        czi.WavelengthRange(560, 562),
        czi.WavelengthRange(641, 643),
    )


def test_an_annotation_of_a_microscope(real_file: Callable[[str], Path]) -> None:
    with CziImage(real_file("nuc_small.czi")) as image:
        (one,) = image.annotations
    assert (one.kind, one.shape, one.text) == ("FrequentAnnotations", "rectangle", "[a]")
    assert one.name == "Carrier Container Name"


class TestCopies:
    def test_of_a_part_move_what_is_drawn(self, tmp_path: Path) -> None:
        source = drawn(tmp_path, 1, 11, scenes=[0, 1])
        czi.copy(source, tmp_path / "copy.czi", scenes=1)
        with CziImage(tmp_path / "copy.czi") as image:
            assert [x for x, _ in corners(image)] == [-9, 1]

    def test_of_the_same_corner_leave_it_where_it_is(self, tmp_path: Path) -> None:
        source = drawn(tmp_path, 1, 11, scenes=[0, 1])
        czi.copy(source, tmp_path / "copy.czi", scenes=0)
        with CziImage(tmp_path / "copy.czi") as image:
            assert [x for x, _ in corners(image)] == [1, 11]


def test_a_new_document_has_annotations(tmp_path: Path) -> None:
    one = czi.Annotation("Circle", "ellipse", ((5.0, 6.0),), (2.0, 2.0), name="cell")
    with czi.create_czi(tmp_path / "new.czi") as document:
        document.write(planes()[0].pixels)
        document.write_metadata(content=czi.DocumentContent(annotations=[one]))
    with CziImage(tmp_path / "new.czi") as image:
        (found,) = image.annotations
    assert (found.kind, found.points, found.radii, found.name) == (
        *("Circle", one.points, one.radii, "cell"),
    )


def test_info_tells_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    inner = image_xml(
        CHANNEL.format("410-420"), dimensions="<Z><ZAxisShear>Skew60</ZAxisShear></Z>"
    )
    layer = f"<Layers><Layer><Elements><Rectangle><Geometry>{BOX.format(1)}</Geometry></Rectangle>"
    source = write_described(tmp_path, f"{inner}{layer}</Elements></Layer></Layers>")
    assert main(["info", "--json", str(source)]) == 0
    (found,) = json.loads(capsys.readouterr().out)
    assert found["channels"][0]["detection_wavelengths"] == [[410.0, 420.0]]
    assert found["skew"]["angle"] == 60.0
    assert found["annotations"][0]["points"] == [[1.0, 1.0], [3.0, 2.5]]
