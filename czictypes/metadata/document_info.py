"""The metadata of the document as a whole: description, objective, custom attributes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Union

from czictypes.metadata.fields import Node, NodeSource, root_node


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
