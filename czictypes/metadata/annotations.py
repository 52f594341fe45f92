"""Annotations of an image: regions of interest, measurements, texts (ZEN's graphic layers)."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from czictypes.metadata.fields import (
    Node,
    NodeSource,
    ensure,
    format_color,
    format_number,
    put,
    root_node,
    set_name,
)
from czictypes.metadata.xml import check_text
from czictypes.model.options import Rgb8Color

Point = tuple[float, float]

_RECTANGLES = {"Rectangle", "RectRoi", "TextBox", "Text", "SFRoi"}
_LINES = {"Line", "OpenArrow", "ClosedArrow", "Arrow", "ScaleBar"}
_POLYLINES = {
    *("Polygon", "Bezier", "OpenBezier", "ClosedBezier", "ArrowBezier", "Polyline"),
    *("ArrowPolyline", "OpenPolyline", "ClosedPolyline", "ActivePolygon", "ActivePolyline"),
}
_CLOSED = {
    *("Polygon", "Polygon3D", "ActivePolygon", "Prism", "ClosedPolyline"),
    *("Bezier", "ClosedBezier", "BezierCylinder"),
}
_SCATTERED = {"Events", "PointsRelative"}
_CIRCLES = {"Circle", "InOutCircle", "OutInCircle", "PointsCircle", "Cylinder"}
_X_TAGS = {"Left", "CenterX", "X", "X1", "X2", "X3", "StartX", "DeltaX"}
_Y_TAGS = {"Top", "CenterY", "Y", "Y1", "Y2", "Y3", "StartY", "DeltaY"}


@dataclass(frozen=True)
class Annotation:
    """A shape that was drawn on an image, or a text.

    Parameters
    ----------
    kind
        ZEN's name of the tool: ``Rectangle``, ``Circle``, ``ClosedPolyline``, ``ScaleBar``...
    shape
        ``"rectangle"``, ``"ellipse"``, ``"line"``, ``"polyline"``, ``"polygon"`` or ``"points"``;
        None if the geometry is unknown.
    points
        x and y of the top left and the bottom right corner of a rectangle, of the centre of an
        ellipse, of both ends of each line (an angle has several), of the nodes of a Bezier curve,
        of the vertices of the rest. They are counted from the top left corner of the layer-0
        bounding box (`CziReader.to_pixel_coordinates`).
    radii
        The radii of an ellipse along x and y.
    rotation
        Clockwise about the centre, in degrees.
    unit
        The unit of `points`, `radii` and `z`: ``"px"`` or ``"m"``.
    z
        Lower and upper end of a body, or a value for each of the points of a line in space.
    id, name, text
        The identifier, the name, and the text beside the shape, with ZEN's wildcards (``[m]`` for
        a measurement).
    layer, usage
        The name of the layer, and its purpose: ``Annotation``, ``Acquisition``...
    color
        The colour of the lines.
    """

    kind: str
    shape: str | None = None
    points: tuple[Point, ...] = ()
    radii: tuple[float, float] | None = None
    rotation: float = 0.0
    unit: str = "px"
    z: tuple[float, ...] = ()
    id: str | None = None
    name: str | None = None
    text: str | None = None
    layer: str | None = None
    usage: str | None = None
    color: Rgb8Color | None = None

    @property
    def bounds(self) -> tuple[float, float, float, float] | None:
        """The left, top, right and bottom edge without the rotation; None without points."""
        if not self.points:
            return None
        x, y = zip(*self.points)
        wide, high = self.radii or (0.0, 0.0)
        return min(x) - wide, min(y) - high, max(x) + wide, max(y) + high

    def moved(self, x: float, y: float) -> Annotation:
        """Return the annotation moved by `x` and `y`, in its `unit`."""
        return replace(self, points=tuple((a + x, b + y) for a, b in self.points))

    def magnified(self, x: float, y: float) -> Annotation:
        """Return the annotation for an image with `x` times the columns and `y` times the rows."""
        if self.unit != "px":
            return self
        radii = self.radii and (self.radii[0] * x, self.radii[1] * y)
        return replace(self, points=tuple((a * x, b * y) for a, b in self.points), radii=radii)

    def in_pixels(self, width: float | None, height: float | None) -> Annotation | None:
        """Return the annotation in pixels, given their size in metres; None if that is unknown."""
        if self.unit == "px":
            return self
        if not width or not height:
            return None
        radii = self.radii and (self.radii[0] / width, self.radii[1] / height)
        points = tuple((x / width, y / height) for x, y in self.points)
        return replace(self, points=points, radii=radii, unit="px", z=())


def read_annotations(source: NodeSource) -> list[Annotation]:
    """Return the annotations of the image, in file order."""
    metadata = root_node(source).child("Metadata")
    nodes = metadata.child("MetadataNodes").children("MetadataNode")
    found = []
    for layers in [*metadata.children("Layers"), *(node.child("Layers") for node in nodes)]:
        for layer in layers.children("Layer"):
            found += [_annotation(layer, element) for element in _elements(layer)]
    return found


def _elements(layer: Node) -> Iterator[Node]:
    listed = layer.child("Elements")
    for position, element in enumerate(listed.element if listed.element is not None else ()):
        if isinstance(element.tag, str):
            yield Node(element, f"{listed.path}/{element.tag}[{position}]")


def _annotation(layer: Node, node: Node) -> Annotation:
    attributes = node.child("Attributes")
    texts = [one.text("Text") for one in node.child("TextElements").children("TextElement")]
    known = Annotation(
        kind=node.element.tag if node.element is not None else "",
        rotation=attributes.number("Rotation") or 0.0,
        unit="m" if layer.text("CoordinateUnitX") == "Meter" else "px",
        id=node.attribute("Id"),
        name=attributes.text("Name"),
        text="\n".join(text for text in texts if text) or None,
        layer=layer.attribute("Name"),
        usage=layer.text("Usage"),
        color=attributes.color("Stroke"),
    )
    geometry = node.child("Geometry")
    for names, read in _GEOMETRIES:
        numbers = _numbers(geometry, names)
        found = None if numbers is None else read(known, geometry, *numbers)
        if found is not None:
            return found
    return known


def _numbers(node: Node, names: str) -> list[float] | None:
    """Return the numbers in child elements; None unless all exist."""
    listed = names.split()
    if not all(node.child(name) for name in listed):
        return None
    found = [node.number(name) for name in listed]
    return None if None in found else [one for one in found if one is not None]


def _heights(node: Node) -> tuple[float, ...]:
    return tuple(_numbers(node, "Z1 Z2") or ())


def _rectangle(
    known: Annotation, node: Node, x: float, y: float, width: float, height: float
) -> Annotation:
    corners = ((x, y), (x + width, y + height))
    return replace(known, shape="rectangle", points=corners, z=_heights(node))


def _ellipse(
    known: Annotation, node: Node, x: float, y: float, across: float, down: float | None = None
) -> Annotation:
    radii = (across, across if down is None else down)
    return replace(known, shape="ellipse", points=((x, y),), radii=radii, z=_heights(node))


def _circle_of_three(known: Annotation, _: Node, *coordinates: float) -> Annotation | None:
    points = np.reshape(coordinates, (3, 2))
    try:  # the centre has the same distance to all three
        sums = (points**2).sum(axis=1)
        center = np.linalg.solve(2 * (points[1:] - points[0]), sums[1:] - sums[0])
    except np.linalg.LinAlgError:
        return None
    radius = float(np.hypot(*(points[0] - center)))
    middle = (float(center[0]), float(center[1]))
    return replace(known, shape="ellipse", points=(middle,), radii=(radius, radius))


def _lines(known: Annotation, node: Node) -> Annotation | None:
    nested = [node.child(name) for name in ("BaseLine", "FirstLine", "SecondLine")]
    nested += node.child("ReferenceLines").children("ReferenceLine")
    ends: list[Point] = []
    for one in (node, *(line.child("Geometry") for line in nested)):
        found = _numbers(one, "X1 Y1 X2 Y2")
        if found is not None:
            ends += [(found[0], found[1]), (found[2], found[3])]
    return replace(known, shape="line", points=tuple(ends)) if ends else None


def _cut_line(known: Annotation, node: Node, x: float, y: float, length: float) -> Annotation:
    upright = node.text("Orientation") == "Vertical"
    end = (x, y + length) if upright else (x + length, y)
    return replace(known, shape="line", points=((x, y), end))


def _point(known: Annotation, _: Node, x: float, y: float) -> Annotation:
    return replace(known, shape="points", points=((x, y),))


def _vertices(known: Annotation, node: Node) -> Annotation | None:
    if node.child("Points3D"):
        in_space = node.points("Points3D", 3) or []
        points = tuple((x, y) for x, y, _ in in_space)
        heights = tuple(one[2] for one in in_space)
    else:
        inner = node.child("Points/Points")
        points = tuple((x, y) for x, y in (inner or node.child("Points")).points() or ())
        heights = _heights(node)
    if not points:
        return None
    shape = "polygon" if known.kind in _CLOSED else "polyline"
    shape = "points" if known.kind in _SCATTERED else shape
    return replace(known, shape=shape, points=points, z=heights)


# The numbers of a geometry, and the function that takes them; the first result is used.
_GEOMETRIES: tuple[tuple[str, Callable[..., Annotation | None]], ...] = (
    ("Left Top Width Height", _rectangle),
    ("CenterX CenterY RadiusX RadiusY", _ellipse),
    ("CenterX CenterY Radius", _ellipse),
    ("X1 Y1 X2 Y2 X3 Y3", _circle_of_three),
    ("", _lines),
    ("StartX StartY Length", _cut_line),
    ("X Y", _point),
    ("CenterX CenterY", _point),
    ("", _vertices),
)


def add_annotations(root: ET.Element, drawn: Sequence[Annotation]) -> None:
    """Write annotations, grouped by layer.

    A tool with a special geometry, such as an angle, is written as the shape that it drew.
    Raises a ValueError for text that XML cannot store, and for an unknown shape.
    """
    layers: dict[tuple[str | None, str | None, str], ET.Element] = {}
    for one in drawn:
        key = one.layer, one.usage, one.unit
        if key not in layers:
            layers[key] = _add_layer(root, *key)
        for kind, geometry in _written(one):
            element = ET.SubElement(layers[key], kind)
            element.set("Id", check_text(one.id or str(len(layers[key])), "an annotation"))
            put(element, "Attributes/Name", one.name)
            put(element, "Attributes/Rotation", one.rotation or None)
            color = None if one.color is None else format_color(one.color)
            put(element, "Attributes/Stroke", color)
            put(element, "TextElements/TextElement/Text", one.text)
            for name, value in geometry.items():
                put(element, f"Geometry/{name}", value)


def _add_layer(root: ET.Element, name: str | None, usage: str | None, unit: str) -> ET.Element:
    layer = ET.SubElement(ensure(root, "Metadata/Layers"), "Layer")
    set_name(layer, name, "a layer")
    put(layer, "Usage", usage)
    if unit == "m":
        put(layer, "CoordinateUnitX", "Meter")
        put(layer, "CoordinateUnitY", "Meter")
    return ensure(layer, "Elements")


def _written(one: Annotation) -> Iterator[tuple[str, dict[str, float | str]]]:
    """Yield the name and geometry of each element of an annotation."""
    if one.shape == "rectangle":
        (left, top), (right, bottom) = one.points
        kind = one.kind if one.kind in _RECTANGLES else "Rectangle"
        yield kind, {"Left": left, "Top": top, "Width": right - left, "Height": bottom - top}
    elif one.shape == "ellipse":
        center = {"CenterX": one.points[0][0], "CenterY": one.points[0][1]}
        x, y = one.radii or (0.0, 0.0)
        if one.kind in _CIRCLES and x == y:
            yield one.kind, {**center, "Radius": x}
        else:
            yield "Ellipse", {**center, "RadiusX": x, "RadiusY": y}
    elif one.shape == "line":
        kind = one.kind if one.kind in _LINES else "Line"
        for (x1, y1), (x2, y2) in zip(one.points[::2], one.points[1::2]):
            yield kind, {"X1": x1, "Y1": y1, "X2": x2, "Y2": y2}
    elif one.shape == "points":
        for x, y in one.points:
            yield "Marker", {"X": x, "Y": y}
    elif one.shape in ("polyline", "polygon"):
        closed = one.shape == "polygon"
        kind = one.kind if one.kind in _POLYLINES else "OpenPolyline"
        if closed != (kind in _CLOSED):
            kind = "ClosedPolyline" if closed else "OpenPolyline"
        points = (f"{format_number(x)},{format_number(y)}" for x, y in one.points)
        yield kind, {"Points": " ".join(points)}
    elif one.shape is not None:
        raise ValueError(f"an annotation cannot have the shape {one.shape!r}")


def move_annotations(root: ET.Element, x: float, y: float) -> None:
    """Move everything drawn in pixels by a vector, for an image with another origin."""
    layers = root.findall("Metadata/Layers/Layer")
    for layer in [*layers, *root.findall("Metadata/MetadataNodes/MetadataNode/Layers/Layer")]:
        unit, drawn = layer.find("CoordinateUnitX"), layer.find("Elements")
        if drawn is None or (unit is not None and (unit.text or "").strip() == "Meter"):
            continue
        for element in drawn.iter():
            if element.tag in _X_TAGS:
                _shift(element, [x])
            elif element.tag in _Y_TAGS:
                _shift(element, [y])
            elif element.tag in ("Points", "Position"):
                _shift(element, [x, y])
            elif element.tag == "Points3D":
                _shift(element, [x, y, 0.0])


def _shift(element: ET.Element, by: Sequence[float]) -> None:
    """Add a vector to each point in an element; leave other text unchanged."""
    if len(element) or not (element.text or "").strip():
        return
    points = [part.split(",") for part in (element.text or "").split()]
    try:
        moved = [[float(a) + b for a, b in zip(point, by)] for point in points]
    except ValueError:
        return
    if all(len(point) == len(by) for point in points):
        element.text = " ".join(",".join(map(format_number, point)) for point in moved)
