"""Write the instrument: ``Information/Instrument``, and what the image refers to in it."""

from __future__ import annotations

import xml.etree.ElementTree as ET

from czictypes.metadata.content import DocumentContent
from czictypes.metadata.document import Objective
from czictypes.metadata.elements import ensure, put, put_all
from czictypes.metadata.serialize import check_text

__all__ = ["add_instrument"]


def add_instrument(root: ET.Element, content: DocumentContent) -> None:
    """Add microscope, detectors and objective.

    Raises
    ------
    ValueError
        Text with a character that XML cannot store.
    """
    information = ensure(root, "Metadata/Information")
    if content.microscope or content.microscope_type:
        _add_microscope(information, content)
    names = dict.fromkeys(info.detector for info in content.channels if info.detector)
    for name in names:
        parent = ensure(information, "Instrument/Detectors")
        ET.SubElement(parent, "Detector", {"Id": f"Detector:{name}", "Name": name})
    if content.objective is not None:
        _add_objective(information, content.objective)


def _add_microscope(information: ET.Element, content: DocumentContent) -> None:
    attributes = {"Id": "Microscope:1"}
    if content.microscope:
        attributes["Name"] = check_text(content.microscope, "the name of the microscope")
    parent = ensure(information, "Instrument/Microscopes")
    put(ET.SubElement(parent, "Microscope", attributes), "Type", content.microscope_type)
    ensure(information, "Image/MicroscopeRef").set("Id", "Microscope:1")


def _add_objective(information: ET.Element, objective: Objective) -> None:
    attributes = {"Id": "Objective:1"}
    if objective.name:
        attributes["Name"] = check_text(objective.name, "the name of the objective")
    element = ET.SubElement(ensure(information, "Instrument/Objectives"), "Objective", attributes)
    put_all(
        element,
        {
            "LensNA": objective.numerical_aperture,
            "NominalMagnification": objective.magnification,
            "WorkingDistance": objective.working_distance,
            "ImmersionRefractiveIndex": objective.refractive_index,
            "Immersion": objective.immersion,
            "Manufacturer/Model": objective.name,
        },
    )
    settings = ensure(information, "Image/ObjectiveSettings")
    put(settings, "RefractiveIndex", objective.refractive_index)
    put(settings, "Medium", objective.immersion)
    ensure(settings, "ObjectiveRef").set("Id", "Objective:1")
