"""A document as the root object of OME's data model: images, plate, ROIs."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import count
from types import ModuleType
from typing import TYPE_CHECKING, Any

from czictypes.metadata.annotations import Annotation
from czictypes.metadata.ome_facts import DocumentFacts, ImageFacts
from czictypes.metadata.ome_image import (
    image,
    image_id,
    instrument,
    load_model,
    make,
    measured,
    middle_of_band,
    parts_of,
    within,
)
from czictypes.metadata.scenes import Plate
from czictypes.model.errors import MetadataWarning
from czictypes.model.options import Rgb8Color
from czictypes.model.public import warn_caller

if TYPE_CHECKING:
    from ome_types import OME

# The names that OME's annotation has for the dimensions of a CZI.
_MEANINGS = {
    "H": ("phase", "phases"),
    "V": ("angle", "views"),
    "R": ("angle", "rotations"),
    "I": ("other", "illuminations"),
    "B": ("other", "acquisition blocks"),
}
_NAMESPACE = "openmicroscopy.org/omero/dimension/modulo"
_MOST = 10_000  # rows or columns; a plate that claims more is none


def build_ome(facts: DocumentFacts) -> OME:
    """Return the OME metadata of a document, with ``MetadataOnly`` in place of pixels.

    They are valid against the OME schema 2016-06: a value that it does not allow is left out, with
    a `MetadataWarning`. Raises a MissingExtraError if ome-types is not installed.
    """
    model = load_model()
    parts = parts_of([channel for one in facts.images for channel in one.channels])
    scope = instrument(model, facts.info, parts)
    rois, references = _rois(model, facts.images)
    images = [
        image(model, number, one, facts.info, parts, scope is not None)
        for number, one in enumerate(facts.images)
    ]
    dimensions = []
    for number, (one, image_facts) in enumerate(zip(images, facts.images)):
        found = list(_modulo(model, number, image_facts))
        one.roi_refs = references[number]
        one.annotation_refs = [model.AnnotationRef(id=each.id) for each in found]
        dimensions += found
    ome: OME = make(
        model.OME,
        "the document",
        creator="czictypes",
        instruments=[] if scope is None else [scope],
        images=images,
        plates=_plates(model, facts.plate, facts.images),
        rois=rois,
        structured_annotations=dimensions,
    )
    return ome


def _modulo(model: ModuleType, number: int, facts: ImageFacts) -> Iterator[Any]:
    """Yield an annotation for each of T and C that represents another dimension of the CZI."""
    others = [name for name, size in facts.along_t.items() if size > 1]
    if len(others) == 1 and others[0] in _MEANINGS:
        kind, words = _MEANINGS[others[0]]
        last = facts.along_t[others[0]] - 1
        inner = f'Type="{kind}" TypeDescription="{words}" '
        yield _dimension(model, "T", number, f'{inner}Start="0" End="{last}" Step="1"')
    waves = [middle_of_band(one) for one in facts.channels]
    known = [wave for wave in waves if wave is not None]
    if 2 < facts.sizes.c == len(known) == len(waves) and facts.samples == 1:
        step = (known[-1] - known[0]) / (len(known) - 1)
        even = all(abs(b - a - step) <= 0.05 * abs(step) for a, b in zip(known, known[1:]))
        if step > 0 and even:
            inner = f'Start="{known[0]!r}" End="{known[-1]!r}" Step="{step!r}"'
            yield _dimension(model, "C", number, f'Type="lambda" Unit="nm" {inner}')


def _dimension(model: ModuleType, axis: str, number: int, attributes: str) -> Any:
    schema = "http://www.openmicroscopy.org/Schemas/Additions/2011-09"
    return model.XMLAnnotation(
        id=f"Annotation:Modulo{axis}:{number}",
        namespace=_NAMESPACE,
        value=f'<Modulo namespace="{schema}"><ModuloAlong{axis} {attributes}/></Modulo>',
    )


def _plates(model: ModuleType, plate: Plate | None, images: Sequence[ImageFacts]) -> list[Any]:
    """Return the plate, in a list; an empty one if no scene lies in a well with a position."""
    members: dict[tuple[int, int], list[int]] = {}
    for number, facts in enumerate(images):
        position = _position(facts)
        if position is not None:
            members.setdefault(position, []).append(number)
    if not members:
        return []
    index = count()  # of samples, through the whole plate as the schema has it
    wells = [
        make(
            model.Well,
            f"well {row}, {column}",
            id=f"Well:0:{well}",
            row=row - 1,
            column=column - 1,
            well_samples=[
                _well_sample(model, f"{well}:{sample}", next(index), number, images[number])
                for sample, number in enumerate(numbers)
            ],
        )
        for well, ((row, column), numbers) in enumerate(sorted(members.items()))
    ]
    return [_plate(model, plate, list(members), wells)]


def _position(facts: ImageFacts) -> tuple[int, int] | None:
    well = None if facts.scene is None else facts.scene.well
    if well is None:
        return None
    row = within(well.row, _MOST, f"scene {facts.name!r}", "the row of the well")
    column = within(well.column, _MOST, f"scene {facts.name!r}", "the column of the well")
    return None if row is None or column is None else (row, column)


def _plate(
    model: ModuleType, plate: Plate | None, positions: Sequence[tuple[int, int]], wells: list[Any]
) -> Any:
    rows = None if plate is None else within(plate.rows, _MOST, "the plate", "ShapeRows")
    columns = None if plate is None else within(plate.columns, _MOST, "the plate", "ShapeColumns")
    return make(
        model.Plate,
        "the plate",
        id="Plate:0",
        name=None if plate is None else plate.name,
        rows=rows if rows is None else max(rows, *(row for row, _ in positions)),
        columns=columns if columns is None else max(columns, *(column for _, column in positions)),
        row_naming_convention=model.NamingConvention.LETTER,
        column_naming_convention=model.NamingConvention.NUMBER,
        wells=wells,
    )


def _well_sample(
    model: ModuleType, identifier: str, index: int, number: int, facts: ImageFacts
) -> Any:
    center = None if facts.scene is None else facts.scene.center
    x, y = center or (None, None)
    return make(
        model.WellSample,
        f"scene {facts.name!r}",
        id=f"WellSample:0:{identifier}",
        index=index,
        image_ref=model.ImageRef(id=image_id(number)),
        **measured(model.UnitsLength.MICROMETER, position_x=x, position_y=y),
    )


def _rois(model: ModuleType, images: Sequence[ImageFacts]) -> tuple[list[Any], list[list[Any]]]:
    """Return a ROI for each annotation of each image, and the references of each image."""
    found: list[Any] = []
    references: list[list[Any]] = []
    for facts in images:
        references.append([])
        for one in facts.annotations:
            roi = _roi(model, f"ROI:{len(found)}", one)
            if roi is not None:
                found.append(roi)
                references[-1].append(model.ROIRef(id=roi.id))
    return found, references


def _roi(model: ModuleType, identifier: str, one: Annotation) -> Any:
    """Return an annotation as a ROI; None if its geometry is unknown or not possible in OME."""
    what = f"the annotation {one.name or one.id or one.kind!r}"
    color = one.color
    rgb = None if color is None else (int(color.r), int(color.g), int(color.b))
    common = {
        "text": one.text or one.name,
        "transform": _rotation(model, one),
        "stroke_color": rgb and model.Color(rgb),
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


def _shapes(one: Annotation) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the name and the fields of each OME shape."""
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
    x, y = _middle(one.bounds)
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


def _middle(bounds: tuple[float, float, float, float]) -> tuple[float, float]:
    left, top, right, bottom = bounds
    return (left + right) / 2, (top + bottom) / 2


def annotations_of(image: Any, known: Mapping[str, Any]) -> list[Annotation]:
    """Return the ROIs of an image of ome-types in its pixels; `known` has all by identifier."""
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
        tool = "ClosedPolyline" if kind == "Polygon" else "OpenPolyline"
        return Annotation(tool, kind.lower(), points) if points else None
    return None  # a mask


def _named(one: Annotation, roi: Any, shape: Any) -> Annotation:
    """Add names, colour and position; of a transform the rotation and the shift."""
    color, transform = shape.stroke_color, shape.transform
    rotation = 0.0
    if transform is not None and one.bounds is not None:
        x, y = _middle(one.bounds)
        one = one.moved(
            transform.a00 * x + transform.a01 * y + transform.a02 - x,
            transform.a10 * x + transform.a11 * y + transform.a12 - y,
        )
        rotation = round(math.degrees(math.atan2(transform.a10, transform.a00)), 9)
    rgb = None if color is None else color.as_rgb_tuple(alpha=False)
    return replace(
        one,
        rotation=rotation,
        name=roi.name,
        text=shape.text,
        usage=roi.description,
        color=None if rgb is None else Rgb8Color(*rgb),
    )
