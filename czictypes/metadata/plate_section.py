"""Write the sample carrier: the ``Template`` of the experiment's ``SampleHolder``."""

from __future__ import annotations

import xml.etree.ElementTree as ET

from czictypes.metadata.elements import ensure, put_all
from czictypes.metadata.scenes import Plate
from czictypes.metadata.serialize import check_text

__all__ = ["add_plate"]

_PATH = (
    "Metadata/Experiment/ExperimentBlocks/AcquisitionBlock/SubDimensionSetups/RegionsSetup/"
    "SampleHolder/Template"
)


def add_plate(root: ET.Element, plate: Plate | None) -> None:
    """Add a plate, where ZEN has that of the experiment.

    Raises
    ------
    ValueError
        A plate has no rows or columns, or text has a character that XML cannot store.
    """
    if plate is None:
        return
    if plate.rows < 1 or plate.columns < 1:
        raise ValueError(f"a plate has rows and columns, not {plate.rows} and {plate.columns}")
    element = ensure(root, _PATH)
    if plate.name:
        element.set("Name", check_text(plate.name, "the name of the plate"))
    put_all(
        element,
        {
            "ShapeRows": plate.rows,
            "ShapeColumns": plate.columns,
            **_two("ShapeDistance{}", plate.well_distance),
            **_two("Shape{}", plate.well_size, ("Width", "Height")),
        },
    )


def _two(
    name: str, values: tuple[float, float] | None, parts: tuple[str, str] = ("X", "Y")
) -> dict[str, float]:
    return {} if values is None else {name.format(part): one for part, one in zip(parts, values)}
