"""Annotations as OME's ``ROI``, and back."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from types import ModuleType
from typing import Any

from czictypes.metadata.annotations import Annotation
from czictypes.metadata.ome.make import make
from czictypes.metadata.ome.values import ImageFacts
from czictypes.metadata.warning import MetadataWarning
from czictypes.model.display import Rgb8Color
from czictypes.model.warn import warn_caller

__all__ = ["annotations_of", "rois"]


def rois(model: ModuleType, images: Sequence[ImageFacts]) -> tuple[list[Any], list[list[Any]]]:
    """Return a ROI for each annotation of each image, and the references to them by image."""
    found: list[Any] = []
    references: list[list[Any]] = []
    for image in images:
        references.append([])
        for one in image.annotations:
            roi = _roi(model, f"ROI:{len(found)}", one)
            if roi is not None:
                found.append(roi)
                references[-1].append(model.ROIRef(id=roi.id))
    return found, references


def _roi(model: ModuleType, identifier: str, one: Annotation) -> Any:
    """Return an annotation as a ROI; None for a geometry that is unknown, or beyond all bounds."""
    what = f"the annotation {one.name or one.id or one.kind!r}"
    common = {
        "text": one.text or one.name,
        "transform": _rotation(model, one),
        "stroke_color": None if one.color is None else model.Color(tuple(map(int, _rgb(one)))),
    }
    try:
        shapes = [
            make(getattr(model, kind), what, id=f"Shape:{identifier[4:]}:{at}", **fields, **common)
            for at, (kind, fields) in enumerate(_shapes(one))
        ]
    except ValueError as error:
        warn_caller(f"metadata: {what} is left out: {error}", MetadataWarning)
        return None
    if not shapes:
        return None
    name, usage = one.name or one.kind, one.usage or one.layer
    return make(model.ROI, what, id=identifier, name=name, description=usage, union=shapes)


def _rgb(one: Annotation) -> tuple[float, float, float]:
    assert one.color is not None
    return one.color.r, one.color.g, one.color.b


def _shapes(one: Annotation) -> Iterator[tuple[str, dict[str, Any]]]:
    """Give name and fields of each shape of OME."""
    if one.shape == "rectangle":
        (left, top), (right, bottom) = one.points
        yield "Rectangle", {"x": left, "y": top, "width": right - left, "height": bottom - top}
    elif one.shape == "ellipse" and one.radii is not None:
        (x, y), (wide, high) = one.points[0], one.radii
        yield "Ellipse", {"x": x, "y": y, "radius_x": wide, "radius_y": high}
    elif one.shape == "line":
        for (x1, y1), (x2, y2) in zip(one.points[::2], one.points[1::2]):
            yield "Line", {"x1": x1, "y1": y1, "x2": x2, "y2": y2}
    elif one.shape == "points":
        for x, y in one.points:
            yield "Point", {"x": x, "y": y}
    elif one.shape is not None:
        points = " ".join(f"{x!r},{y!r}" for x, y in one.points)
        yield one.shape.capitalize(), {"points": points}


def _rotation(model: ModuleType, one: Annotation) -> Any:
    """Return the rotation about the centre; None without one."""
    if not one.rotation or one.bounds is None:
        return None
    left, top, right, bottom = one.bounds
    x, y = (left + right) / 2, (top + bottom) / 2
    angle = math.radians(one.rotation)
    cosine, sine = math.cos(angle), math.sin(angle)
    return model.AffineTransform(
        a00=cosine,
        a10=sine,
        a01=-sine,
        a11=cosine,
        a02=x - cosine * x + sine * y,
        a12=y - sine * x - cosine * y,
    )


def annotations_of(image: Any, known: Mapping[str, Any]) -> list[Annotation]:
    """Return what the ROIs of an image are, in its pixels.

    Parameters
    ----------
    image
        An ``ome_types.model.Image``.
    known
        All ROIs by their identifier.
    """
    found = []
    for reference in image.roi_refs:
        roi = known.get(reference.id)
        for shape in roi.union if roi is not None else ():
            one = _annotation(shape)
            if one is not None:
                found.append(_named(one, roi, shape))
    return found


def _annotation(shape: Any) -> Annotation | None:
    kind = type(shape).__name__
    if kind == "Rectangle":
        corners = (shape.x, shape.y), (shape.x + shape.width, shape.y + shape.height)
        return Annotation("Rectangle", "rectangle", corners)
    if kind == "Ellipse":
        radii = shape.radius_x, shape.radius_y
        return Annotation("Ellipse", "ellipse", ((shape.x, shape.y),), radii)
    if kind == "Line":
        return Annotation("Line", "line", ((shape.x1, shape.y1), (shape.x2, shape.y2)))
    if kind in ("Point", "Label"):
        return Annotation("Marker", "points", ((shape.x, shape.y),))
    if kind in ("Polygon", "Polyline"):
        try:
            pairs = [part.split(",") for part in shape.points.split()]
            points = tuple((float(x), float(y)) for x, y in pairs)
        except ValueError:
            return None
        closed = kind == "Polygon"
        tool = "ClosedPolyline" if closed else "OpenPolyline"
        return Annotation(tool, kind.lower(), points) if points else None
    return None  # a mask


def _named(one: Annotation, roi: Any, shape: Any) -> Annotation:
    """Add names, colour and place; a transform counts as the rotation and the shift that it is."""
    color, transform = shape.stroke_color, shape.transform
    rotation = 0.0
    if transform is not None and one.bounds is not None:
        left, top, right, bottom = one.bounds
        x, y = (left + right) / 2, (top + bottom) / 2
        one = one.moved(
            transform.a00 * x + transform.a01 * y + transform.a02 - x,
            transform.a10 * x + transform.a11 * y + transform.a12 - y,
        )
        rotation = round(math.degrees(math.atan2(transform.a10, transform.a00)), 9)
    rgb = None if color is None else color.as_rgb_tuple(alpha=False)
    return Annotation(
        one.kind,
        one.shape,
        one.points,
        one.radii,
        rotation,
        name=roi.name,
        text=shape.text,
        usage=roi.description,
        color=None if rgb is None else Rgb8Color(*rgb),
    )
