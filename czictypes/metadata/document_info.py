"""The metadata of the document as a whole: description, objective, attributes, pixel size, axes."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import datetime
from numbers import Real
from typing import NamedTuple, Union

from czictypes.metadata.fields import Node, NodeSource, root_node
from czictypes.model.errors import MetadataWarning
from czictypes.model.public import warn_caller


@dataclass
class GeneralDocumentInfoDto:
    """The general description of a document; None for fields that it does not have.

    Parameters
    ----------
    name, title, user_name, description, comment, keywords
        Free text. `keywords` are separated by semicolons.
    rating
        A whole number.
    creation_date_time
        The text as stored, such as ``2016-02-12T10:41:02.5655647+01:00``.
    """

    name: str | None = None
    title: str | None = None
    user_name: str | None = None
    description: str | None = None
    comment: str | None = None
    keywords: str | None = None
    rating: int | float | None = None
    creation_date_time: str | None = None


#: The elements of ``Information/Document`` with the texts of the description, by field.
DESCRIPTION_TAGS = {
    "name": "Name",
    "title": "Title",
    "user_name": "UserName",
    "description": "Description",
    "comment": "Comment",
    "keywords": "Keywords",
}


def general_document_info(source: NodeSource) -> GeneralDocumentInfoDto:
    """Return ``Metadata/Information/Document``; text is exactly as stored, ``""`` when empty."""
    node = root_node(source).child("Metadata/Information/Document")
    return GeneralDocumentInfoDto(
        **{field: node.raw_text(tag) for field, tag in DESCRIPTION_TAGS.items()},
        rating=node.integer("Rating"),
        creation_date_time=node.raw_text("CreationDate"),
    )


@dataclass(frozen=True)
class Objective:
    """The objective that took the image; None for values that the file does not have.

    Parameters
    ----------
    id, name
        The identifier in the XML, and the name, ``Plan-Apochromat 20x/0.95``.
    magnification, numerical_aperture
        The nominal magnification and the NA.
    immersion, refractive_index
        ``Air``, ``Water``, ``Oil``, and the index of refraction of that medium.
    working_distance
        In micrometres.
    """

    id: str | None = None
    name: str | None = None
    magnification: float | None = None
    numerical_aperture: float | None = None
    immersion: str | None = None
    refractive_index: float | None = None
    working_distance: float | None = None


def _objective(information: Node) -> Objective | None:
    settings = information.child("Image/ObjectiveSettings")
    node = _in_use(information, "Objective", settings.child("ObjectiveRef"))
    if not node:
        return None
    index = node.number("ImmersionRefractiveIndex")
    return Objective(
        id=node.attribute("Id"),
        name=node.attribute("Name") or node.text("Manufacturer/Model"),
        magnification=node.number("NominalMagnification"),
        numerical_aperture=node.number("LensNA"),
        immersion=node.text("Immersion") or settings.text("Medium"),
        refractive_index=settings.number("RefractiveIndex") if index is None else index,
        working_distance=node.number("WorkingDistance"),
    )


def _in_use(information: Node, name: str, reference: Node) -> Node:
    """Return the part of the instrument that the image refers to, else the first of its kind."""
    parts = information.child(f"Instrument/{name}s").children(name)
    wanted = reference.attribute("Id")
    matching = [part for part in parts if wanted and part.attribute("Id") == wanted]
    return next(iter(matching or parts), Node(None, f"{information.path}/{name}"))


@dataclass(frozen=True)
class DocumentInfo:
    """The metadata of a document; None for fields that are missing.

    Parameters
    ----------
    name, title, user_name, description, comment, keywords, rating
        As in `GeneralDocumentInfoDto`, but None when empty.
    creation_date, acquisition_date
        The time at which the document was made, and the time of its first pixel.
    application, application_version
        The program that wrote the file.
    microscope, microscope_type
        The name of the stand, and ``Inverted`` or ``Upright``.
    objective
        The objective.
    """

    name: str | None = None
    title: str | None = None
    user_name: str | None = None
    description: str | None = None
    comment: str | None = None
    keywords: str | None = None
    rating: int | None = None
    creation_date: datetime | None = None
    acquisition_date: datetime | None = None
    application: str | None = None
    application_version: str | None = None
    microscope: str | None = None
    microscope_type: str | None = None
    objective: Objective | None = None


def document_info(source: NodeSource) -> DocumentInfo:
    """Return texts, dates, application, microscope and objective."""
    information = root_node(source).child("Metadata/Information")
    document = information.child("Document")
    microscope = _in_use(information, "Microscope", information.child("Image/MicroscopeRef"))
    return DocumentInfo(
        **{field: document.text(tag) for field, tag in DESCRIPTION_TAGS.items()},
        rating=document.integer("Rating"),
        creation_date=document.moment("CreationDate"),
        acquisition_date=information.moment("Image/AcquisitionDateAndTime"),
        application=information.text("Application/Name"),
        application_version=information.text("Application/Version"),
        microscope=microscope.attribute("Name"),
        microscope_type=microscope.text("Type"),
        objective=_objective(information),
    )


CustomValue = Union[bool, int, float, str]

_PATH = "Metadata/Information/CustomAttributes/KeyValue"


def custom_attributes(source: NodeSource) -> dict[str, CustomValue] | None:
    """Return the custom attributes by key; None when the document has no list of them.

    The ``Type`` attribute decides: Boolean, Int32, Double and Float, String. A value that its
    type does not fit, or a type that is none of these, is returned as the text it is, with a
    warning. When a key stands twice the first one counts, as in libCZI.
    """
    list_node = root_node(source).child(_PATH)
    if list_node.element is None:
        return None
    found: dict[str, CustomValue] = {}
    for element in list_node.element:
        if isinstance(element.tag, str) and element.tag not in found:
            found[element.tag] = _value(Node(element, f"{list_node.path}/{element.tag}"))
    return found


def custom_attribute(source: NodeSource, key: str) -> CustomValue | None:
    """Return one custom attribute; None when there is none with that key."""
    node = root_node(source).child(_PATH).child(key)
    return _value(node) if node else None


def _value(node: Node) -> CustomValue:
    type_name = node.attribute("Type")
    value: CustomValue | None = None
    if type_name == "Boolean":
        value = node.boolean()
    elif type_name == "Int32":
        value = node.integer()
    elif type_name in ("Double", "Float"):
        value = _floating(node)
    elif type_name not in ("String", None):
        node.warn(f"{node.path} has the unknown type {type_name!r}; it is taken as text")
    return node.raw_text() or "" if value is None else value


def _floating(node: Node) -> float | None:
    # Unlike other fields, a custom attribute may be meant to be infinite or no number.
    text = (node.text() or "").lower()
    return float(text) if text.lstrip("+-") in ("nan", "inf", "infinity") else node.number()


_SKEW = re.compile(r"Skew(\d{1,2})", re.ASCII)


class Scaling(NamedTuple):
    """The size of a pixel along each axis in metres; None if unknown."""

    x: float | None = None
    y: float | None = None
    z: float | None = None


#: From this size on, in metres, a pixel of a microscope is most likely meant in another unit.
LARGEST_PIXEL = 0.01


def unit_doubt(name: str, metres: float) -> str:
    """Return the advice about a size from `LARGEST_PIXEL` on, which `name` gives."""
    text = f"{metres:g}"
    meant = f"{metres * 1e-6:g}" if "e" in text else f"{text}e-6"
    return (
        f"{name} is in metres, so {text} would be {metres * 100:g} cm; for {text} micrometres "
        f"write {meant}"
    )


def warn_of_large_pixels(sizes: Scaling) -> None:
    """Warn of the size of a pixel that can hardly be meant in metres."""
    for letter, size in zip("xyz", sizes):
        if isinstance(size, Real) and LARGEST_PIXEL <= float(size) < math.inf:
            warn_caller(unit_doubt(f"the size of a pixel along {letter}", size), MetadataWarning)


@dataclass
class ScalingInfoDto:
    """The size of a pixel in metres, with the names that pylibCZIrw uses.

    Parameters
    ----------
    scale_x, scale_y, scale_z
        None means unknown when read, and "leave it as it is" when edited.
    """

    scale_x: float | None = None
    scale_y: float | None = None
    scale_z: float | None = None


def scaling(source: NodeSource) -> Scaling:
    """Return the pixel size in metres.

    It is in ``Metadata/Scaling/Items/Distance[Id="X"]/Value``. A value of 0 or below counts as
    unknown, because pylibCZIrw writes 0 without a scale. So does ``Items/Pixel``, with which ZEN
    marks an axis without a physical scale.
    """
    items = root_node(source).child("Metadata/Scaling/Items")
    found: dict[str, float | None] = {}
    for distance in items.children("Distance"):
        axis = distance.attribute("Id")
        if axis in ("X", "Y", "Z") and axis not in found:
            value = distance.number("Value")
            found[axis] = value if value is not None and value > 0 else None
    return Scaling(found.get("X"), found.get("Y"), found.get("Z"))


@dataclass(frozen=True)
class Axis:
    """The positions along T (in seconds) or Z (in micrometres); None for unknown ones.

    Parameters
    ----------
    start, increment
        The first position and the distance between neighbours, for evenly spaced planes.
    offsets
        The position of each plane, if they are not evenly spaced, relative to `start_time` or
        `start_position`.
    attachment
        The name of the attachment that has the positions instead, such as ``TimeStamps``.
    start_time
        The time at which T begins.
    start_position
        The position at which Z begins, in micrometres.
    """

    start: float | None = None
    increment: float | None = None
    offsets: tuple[float, ...] | None = None
    attachment: str | None = None
    start_time: datetime | None = None
    start_position: float | None = None

    def step(self) -> float | None:
        """Return the distance between neighbouring planes; for a list, the mean distance."""
        if self.increment is not None:
            return self.increment
        if self.offsets and len(self.offsets) > 1:
            return (self.offsets[-1] - self.offsets[0]) / (len(self.offsets) - 1)
        return None


@dataclass(frozen=True)
class Skew:
    """The shift of the planes of a lattice light-sheet stack along Y.

    Parameters
    ----------
    shear
        ZEN's name: ``Skew60``, or ``None`` (the text) for an upright stack, such as a deskewed one.
    angle
        The angle between the light sheet and the normal of the cover glass in degrees: 60.0 for
        ``Skew60``, so the sheet is tilted by 30 degrees from the glass; 0.0 for an upright stack;
        None for an unknown name.
    factor
        The step of the stage over the size of a pixel, as it was before a stack was deskewed. In a
        skewed stack it is the size of a pixel along Z over that along Y.
    handedness, z_direction
        ``LeftHanded`` or ``RightHanded``; ``FromObjectiveToSpecimen`` or the other way.
    """

    shear: str
    angle: float | None = None
    factor: float | None = None
    handedness: str | None = None
    z_direction: str | None = None

    @property
    def is_skewed(self) -> bool:
        """True for a stack that is still to be deskewed."""
        return self.angle != 0.0


def skew(source: NodeSource) -> Skew | None:
    """Return the skew of the stack; None if the metadata have none."""
    node = root_node(source).child("Metadata/Information/Image/Dimensions/Z")
    shear = node.text("ZAxisShear")
    if shear is None:
        return None
    match = _SKEW.fullmatch(shear)
    if match is None and shear != "None":
        node.warn(f"{node.path}/ZAxisShear is {shear!r}, whose angle is unknown")
    return Skew(
        shear,
        float(match.group(1)) if match else 0.0 if shear == "None" else None,
        node.number("CustomAttributes/zscale"),
        node.text("XYZHandedness"),
        node.text("ZAxisDirection"),
    )


def axis(source: NodeSource, letter: str) -> Axis | None:
    """Return the positions along ``"T"`` or ``"Z"``; None if the metadata has none."""
    if letter not in ("T", "Z"):
        raise ValueError(f"{letter!r} has no positions in the metadata; ask for 'T' or 'Z'")
    node = root_node(source).child(f"Metadata/Information/Image/Dimensions/{letter}")
    if node.element is None:
        return None
    offsets = node.numbers("Positions/List/Offsets")
    return Axis(
        start=node.number("Positions/Interval/Start"),
        increment=node.number("Positions/Interval/Increment"),
        offsets=None if offsets is None else tuple(offsets),
        attachment=node.text("Positions/BinaryList/AttachmentName"),
        start_time=node.moment("StartTime"),
        start_position=node.number("StartPosition"),
    )
