"""Microscope, objective and detectors as OME's ``Instrument``."""

from __future__ import annotations

from collections.abc import Iterable
from types import ModuleType
from typing import Any

from czictypes.metadata.channels import ChannelInfo
from czictypes.metadata.document import DocumentInfo, Objective
from czictypes.metadata.ome.make import choice, make

__all__ = ["INSTRUMENT", "detector_ids", "detector_settings", "instrument", "objective_settings"]

INSTRUMENT = "Instrument:0"
_OBJECTIVE = "Objective:0"


def detector_ids(channels: Iterable[ChannelInfo]) -> dict[str, str]:
    """Return an identifier for each detector by its name."""
    names = dict.fromkeys(channel.detector for channel in channels if channel.detector)
    return {name: f"Detector:{number}" for number, name in enumerate(names) if name}


def instrument(model: ModuleType, info: DocumentInfo, detectors: dict[str, str]) -> Any:
    """Return the instrument; None where nothing is known of it."""
    microscope = None
    if info.microscope or info.microscope_type:
        microscope = make(
            model.Microscope,
            "the microscope",
            model=info.microscope,
            type=choice(model.Microscope_Type, info.microscope_type),
        )
    if microscope is None and info.objective is None and not detectors:
        return None
    return make(
        model.Instrument,
        "the instrument",
        id=INSTRUMENT,
        microscope=microscope,
        detectors=[
            make(model.Detector, f"the detector {name!r}", id=identifier, model=name)
            for name, identifier in detectors.items()
        ],
        objectives=[] if info.objective is None else [_objective(model, info.objective)],
    )


def _objective(model: ModuleType, objective: Objective) -> Any:
    distance = objective.working_distance
    return make(
        model.Objective,
        "the objective",
        id=_OBJECTIVE,
        model=objective.name,
        lens_na=objective.numerical_aperture,
        nominal_magnification=objective.magnification,
        immersion=choice(model.Objective_Immersion, objective.immersion),
        working_distance=distance,
        working_distance_unit=None if distance is None else model.UnitsLength.MICROMETER,
    )


def objective_settings(model: ModuleType, objective: Objective | None) -> Any:
    """Return what an image refers to the objective with; None without one."""
    if objective is None:
        return None
    return make(
        model.ObjectiveSettings,
        "the objective",
        id=_OBJECTIVE,
        medium=choice(model.ObjectiveSettings_Medium, objective.immersion),
        refractive_index=objective.refractive_index,
    )


def detector_settings(model: ModuleType, channel: ChannelInfo, detectors: dict[str, str]) -> Any:
    """Return what a channel refers to its detector with; None without one."""
    if channel.detector not in detectors:
        return None
    binning = None if channel.binning is None else channel.binning.replace(",", "x")
    return make(
        model.DetectorSettings,
        f"channel {channel.index}",
        id=detectors[channel.detector],
        binning=choice(model.Binning, binning),
    )
