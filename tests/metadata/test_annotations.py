"""Annotations, detected wavelengths, and the skew of stacks: read, written, moved."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import replace
from typing import Any

import pytest

from czictypes.metadata.annotations import Annotation, move_annotations, read_annotations
from czictypes.metadata.builder import build_document
from czictypes.metadata.channels import ChannelInfo, WavelengthRange, channels
from czictypes.metadata.document_content import DocumentContent, ImageSummary
from czictypes.metadata.document_info import Skew, skew
from czictypes.model.errors import MetadataWarning
from czictypes.model.options import Rgb8Color

LINE = "<X1>1</X1><Y1>2</Y1><X2>3</X2><Y2>4</Y2>"
BOX = "<Left>10</Left><Top>20.5</Top><Width>5</Width><Height>6</Height>"
ROUND = "<CenterX>7</CenterX><CenterY>8</CenterY>"
NESTED = f"<{{0}}><Geometry>{LINE}</Geometry></{{0}}>"


def layers(kind: str, geometry: str, more: str = "", about: str = "") -> bytes:
    """Return a document with one layer that has one element."""
    return (
        "<ImageDocument><Metadata><Layers><Layer Name='drawn'><Usage>Annotation</Usage>"
        f"{about}<Elements><{kind} Id='4'>{more}<Geometry>{geometry}</Geometry></{kind}></Elements>"
        "</Layer></Layers></Metadata></ImageDocument>"
    ).encode()


def flat(one: Annotation) -> list[float]:
    return [number for point in one.points for number in point]


def approximately(points: Any) -> Any:
    return pytest.approx([number for point in points for number in point])


SHAPES: list[tuple[str, str, str | None, Any, Any]] = [
    ("Rectangle", BOX, "rectangle", ((10, 20.5), (15, 26.5)), None),
    ("RectRoi", BOX, "rectangle", ((10, 20.5), (15, 26.5)), None),
    ("TextBox", BOX, "rectangle", ((10, 20.5), (15, 26.5)), None),
    ("Ellipse", ROUND + "<RadiusX>2</RadiusX><RadiusY>3</RadiusY>", "ellipse", ((7, 8),), (2, 3)),
    ("Circle", ROUND + "<Radius>2.5</Radius>", "ellipse", ((7, 8),), (2.5, 2.5)),
    (
        "ThreePointCircle",
        "<X1>0</X1><Y1>1</Y1><X2>1</X2><Y2>0</Y2><X3>2</X3><Y3>1</Y3>",
        "ellipse",
        ((1, 1),),
        (1, 1),
    ),
    ("Line", LINE, "line", ((1, 2), (3, 4)), None),
    ("OpenArrow", LINE, "line", ((1, 2), (3, 4)), None),
    ("ScaleBar", LINE, "line", ((1, 2), (3, 4)), None),
    ("Caliper", NESTED.format("BaseLine") + "<DeltaX>5</DeltaX>", "line", ((1, 2), (3, 4)), None),
    (
        "Angle",
        NESTED.format("FirstLine") + NESTED.format("SecondLine"),
        "line",
        ((1, 2), (3, 4), (1, 2), (3, 4)),
        None,
    ),
    (
        "OrthoCutLine",
        "<StartX>1</StartX><StartY>2</StartY><Length>9</Length><Orientation>Vertical</Orientation>",
        "line",
        ((1, 2), (1, 11)),
        None,
    ),
    ("Polygon", "<Points>1,2 3,4.5 -5,6</Points>", "polygon", ((1, 2), (3, 4.5), (-5, 6)), None),
    ("ClosedPolyline", "<Points>1,2 3,4</Points>", "polygon", ((1, 2), (3, 4)), None),
    ("Bezier", "<Points>1,2 3,4</Points>", "polygon", ((1, 2), (3, 4)), None),
    ("OpenPolyline", "<Points>1,2 3,4</Points>", "polyline", ((1, 2), (3, 4)), None),
    ("Events", "<Points>1,2 3,4</Points>", "points", ((1, 2), (3, 4)), None),
    ("PointsRelative", "<Points><Points>1,2</Points></Points>", "points", ((1, 2),), None),
    ("Marker", "<X>1</X><Y>2</Y>", "points", ((1, 2),), None),
    ("Cross", ROUND + "<Length>4</Length>", "points", ((7, 8),), None),
    ("Polyline3D", "<Points3D>1,2,3 4,5,6</Points3D>", "polyline", ((1, 2), (4, 5)), None),
    ("Grid", "<Rows>4</Rows>", None, (), None),
    ("SomethingNew", BOX, "rectangle", ((10, 20.5), (15, 26.5)), None),
]


@pytest.mark.parametrize(("kind", "geometry", "shape", "points", "radii"), SHAPES)
def test_every_kind_of_drawing(
    kind: str, geometry: str, shape: str | None, points: Any, radii: Any
) -> None:
    (found,) = read_annotations(layers(kind, geometry))
    assert (found.kind, found.shape, flat(found)) == (kind, shape, approximately(points))
    assert found.radii == (None if radii is None else pytest.approx(radii))
    assert (found.layer, found.usage, found.id, found.unit) == ("drawn", "Annotation", "4", "px")


@pytest.mark.parametrize(("kind", "geometry", "shape", "points", "radii"), SHAPES)
def test_written_ones_read_the_same(
    kind: str, geometry: str, shape: str | None, points: Any, radii: Any
) -> None:
    (one,) = read_annotations(layers(kind, geometry))
    written = build_document(ImageSummary(9, 9), DocumentContent(annotations=[one]))
    found = read_annotations(written)
    assert [point for each in found for point in each.points] == list(one.points)
    assert {each.radii for each in found} <= {one.radii}
    assert {each.shape for each in found} <= {one.shape}


def test_names_texts_colours_and_rotation() -> None:
    more = (
        "<Attributes><Name>cell 1</Name><Rotation>30</Rotation><Stroke>#FF00FF80</Stroke>"
        "</Attributes><TextElements><TextElement Id='Custom'><Text>[m]</Text></TextElement>"
        "<TextElement><Text>a nucleus</Text></TextElement></TextElements>"
    )
    (one,) = read_annotations(layers("Rectangle", BOX, more))
    assert (one.name, one.text, one.rotation) == ("cell 1", "[m]\na nucleus", 30.0)
    assert one.color == Rgb8Color(0, 255, 128)
    again = build_document(ImageSummary(9, 9), DocumentContent(annotations=[one]))
    assert read_annotations(again) == [one]


def test_layers_in_metres() -> None:
    unit = "<CoordinateUnitX>Meter</CoordinateUnitX>"
    (one,) = read_annotations(layers("Circle", ROUND + "<Radius>1</Radius>", about=unit))
    assert (one.unit, one.in_pixels(None, 1.0)) == ("m", None)
    found = one.in_pixels(0.5, 2.0)
    assert found is not None
    assert (found.points, found.radii, found.unit) == (((14.0, 4.0),), (2.0, 0.5), "px")
    again = build_document(ImageSummary(9, 9), DocumentContent(annotations=[one]))
    assert read_annotations(again) == [one]


def test_bounds_of_an_annotation() -> None:
    (one,) = read_annotations(layers("Ellipse", ROUND + "<RadiusX>2</RadiusX><RadiusY>3</RadiusY>"))
    assert one.bounds == (5, 5, 9, 11)
    assert Annotation("Grid").bounds is None


@pytest.mark.parametrize(
    "geometry", ["<Points>1,2 three,4</Points>", "<Left>x</Left><Top>1</Top><Width>1</Width>", ""]
)
def test_a_malformed_geometry_is_unknown(geometry: str) -> None:
    geometry = geometry + "<Height>1</Height>" if "Left" in geometry else geometry
    if not geometry:
        assert read_annotations(layers("Polygon", geometry))[0].shape is None
        return
    with pytest.warns(MetadataWarning, match="taken as missing"):
        (one,) = read_annotations(layers("Polygon", geometry))
    assert (one.shape, one.points) == (None, ())


@pytest.mark.parametrize(("kind", "geometry", "shape", "points", "radii"), SHAPES)
def test_moved_xml_is_a_moved_annotation(
    kind: str, geometry: str, shape: str | None, points: Any, radii: Any
) -> None:
    xml = layers(kind, geometry)
    root = ET.fromstring(xml)
    move_annotations(root, 100, -7)
    (before,), (after,) = read_annotations(xml), read_annotations(ET.tostring(root))
    assert flat(after) == approximately(before.moved(100, -7).points)
    assert replace(after, points=()) == replace(before, points=())


def test_metres_are_not_moved() -> None:
    root = ET.fromstring(layers("Rectangle", BOX, about="<CoordinateUnitX>Meter</CoordinateUnitX>"))
    move_annotations(root, 5, 5)
    assert root.find(".//Left").text == "10"  # type: ignore[union-attr]


# Detected wavelengths


def document(inner: str) -> bytes:
    return (
        "<ImageDocument><Metadata><Information><Image><Dimensions><Channels><Channel>"
        f"{inner}</Channel></Channels></Dimensions></Image></Information></Metadata></ImageDocument>"
    ).encode()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<Ranges>409.668-418.558</Ranges>", [(409.668, 418.558)]),
        ("<Ranges>404-406,487-489</Ranges>", [(404, 406), (487, 489)]),
        ("<Ranges>430.45,440-,-500</Ranges>", [(430.45, 430.45), (440, None), (None, 500)]),
        ("<SinglePeak>385</SinglePeak><Ranges>370-400</Ranges>", [(370, 400)]),
        ("<SinglePeak>385.5</SinglePeak>", [(385.5, 385.5)]),
        ("", None),
        ("<SinglePeak>NaN</SinglePeak>", None),
        ("<Ranges />", None),
    ],
)
def test_bands_of_a_channel(text: str, expected: list[Any] | None) -> None:
    for name, field in (
        ("DetectionWavelength", "detection_wavelengths"),
        ("IlluminationWavelength", "illumination_wavelengths"),
    ):
        (channel,) = channels(document(f"<{name}>{text}</{name}>"))
        found = getattr(channel, field)
        assert found == (None if expected is None else tuple(WavelengthRange(*e) for e in expected))
        again = build_document(
            ImageSummary(4, 4, {"C": 1}, pixel_types={0: 0}),
            DocumentContent(channels=[ChannelInfo(0, **{field: found})]),
        )
        assert getattr(channels(again)[0], field) == found


@pytest.mark.parametrize("text", ["-", "400-500-600", "green", "400,", "400 500"])
def test_bands_that_are_none(text: str) -> None:
    with pytest.warns(MetadataWarning, match="not a list of ranges"):
        (channel,) = channels(
            document(f"<DetectionWavelength><Ranges>{text}</Ranges></DetectionWavelength>")
        )
    assert channel.detection_wavelengths is None


# Skew


def stack(inner: str) -> bytes:
    return (
        "<ImageDocument><Metadata><Information><Image><Dimensions><Z>"
        f"{inner}</Z></Dimensions></Image></Information></Metadata></ImageDocument>"
    ).encode()


@pytest.mark.parametrize(
    ("inner", "expected", "is_skewed"),
    [
        ("<ZAxisShear>Skew60</ZAxisShear>", Skew("Skew60", 60.0), True),
        ("<ZAxisShear>Skew45</ZAxisShear>", Skew("Skew45", 45.0), True),
        (
            "<ZAxisShear>None</ZAxisShear><CustomAttributes><zscale>1.375</zscale>"
            "</CustomAttributes><XYZHandedness>LeftHanded</XYZHandedness>"
            "<ZAxisDirection>FromObjectiveToSpecimen</ZAxisDirection>",
            Skew("None", 0.0, 1.375, "LeftHanded", "FromObjectiveToSpecimen"),
            False,
        ),
    ],
)
def test_skew_of_a_stack(inner: str, expected: Skew, *, is_skewed: bool) -> None:
    found = skew(stack(inner))
    assert (found, expected.is_skewed) == (expected, is_skewed)
    assert skew(build_document(ImageSummary(4, 4), DocumentContent(skew=found))) == expected


def test_a_shear_without_a_known_angle() -> None:
    assert skew(stack("<StartPosition>1</StartPosition>")) is None
    with pytest.warns(MetadataWarning, match="whose angle is unknown"):
        found = skew(stack("<ZAxisShear>Oblique</ZAxisShear>"))
    assert found == Skew("Oblique")
    assert found.is_skewed
