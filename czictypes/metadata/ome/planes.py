"""The planes of an image as OME's ``Plane``."""

from __future__ import annotations

import math
from types import ModuleType
from typing import Any

from czictypes.metadata.ome.make import make
from czictypes.metadata.ome.values import PlaneFacts

__all__ = ["planes"]

# attribute of `PlaneFacts`, field of Plane, kind of unit
_MEASURED = (
    ("time", "delta_t", "UnitsTime"),
    ("exposure", "exposure_time", "UnitsTime"),
    ("stage_x", "position_x", "UnitsLength"),
    ("stage_y", "position_y", "UnitsLength"),
    ("focus_z", "position_z", "UnitsLength"),
)


def planes(model: ModuleType, facts: PlaneFacts) -> list[Any]:
    """Return all planes of an image, in the order of the arrays."""
    units = {"UnitsTime": model.UnitsTime.SECOND, "UnitsLength": model.UnitsLength.MICROMETER}
    columns = [getattr(facts, name).tolist() for name, _, _ in _MEASURED]
    found = []
    for z, c, t, *values in zip(facts.z.tolist(), facts.c.tolist(), facts.t.tolist(), *columns):
        fields: dict[str, Any] = {"the_z": z, "the_c": c, "the_t": t}
        for (_, name, kind), value in zip(_MEASURED, values):
            if not math.isnan(value):
                fields[name] = value
                fields[f"{name}_unit"] = units[kind]
        found.append(make(model.Plane, f"the plane Z{z} C{c} T{t}", **fields))
    return found
