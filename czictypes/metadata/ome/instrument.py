"""Microscope, objective and detectors as OME's ``Instrument``."""

from __future__ import annotations

from collections.abc import Sequence
from types import ModuleType
from typing import Any, NamedTuple

from czictypes.metadata.channels import ChannelInfo, WavelengthRange
from czictypes.metadata.document import DocumentInfo, Objective
from czictypes.metadata.ome.make import choice, make

__all__ = [
    "INSTRUMENT",
    "Parts",
    "detector_settings",
    "instrument",
    "light_path",
    "objective_settings",
    "parts_of",
]

INSTRUMENT = "Instrument:0"
_OBJECTIVE = "Objective:0"


class Parts(NamedTuple):
    """The parts that channels refer to: ids of detectors by name, and of filters by band."""

    detectors: dict[str, str]
    filters: dict[WavelengthRange, str]


def parts_of(channels: Sequence[ChannelInfo]) -> Parts:
    """Return an identifier for each detector, and for each band that is a channel's only one."""
    names = dict.fromkeys(channel.detector for channel in channels if channel.detector)
    bands = dict.fromkeys(band for channel in channels for band in _only_band(channel))
    return Parts(
        {name: f"Detector:{number}" for number, name in enumerate(names) if name},
        {band: f"Filter:{number}" for number, band in enumerate(bands)},
    )


def _only_band(channel: ChannelInfo) -> tuple[WavelengthRange, ...]:
    """Return the band of a channel; none for several, of which OME has no notion."""
    bands = channel.detection_wavelengths or ()
    return bands if len(bands) == 1 else ()


def light_path(model: ModuleType, channel: ChannelInfo, parts: Parts) -> Any:
    """Return the way of the light to a channel, with the filter of its band; None without one."""
    bands = _only_band(channel)
    if not bands or bands[0] not in parts.filters:
        return None
    return model.LightPath(emission_filters=[model.FilterRef(id=parts.filters[bands[0]])])


def instrument(model: ModuleType, info: DocumentInfo, parts: Parts) -> Any:
    """Return the instrument; None where nothing is known of it."""
    microscope = None
    if info.microscope or info.microscope_type:
        microscope = make(
            model.Microscope,
            "the microscope",
            model=info.microscope,
            type=choice(model.Microscope_Type, info.microscope_type),
        )
    if microscope is None and info.objective is None and not any(parts):
        return None
    return make(
        model.Instrument,
        "the instrument",
        id=INSTRUMENT,
        microscope=microscope,
        detectors=[
            make(model.Detector, f"the detector {name!r}", id=identifier, model=name)
            for name, identifier in parts.detectors.items()
        ],
        filters=[_filter(model, identifier, band) for band, identifier in parts.filters.items()],
        objectives=[] if info.objective is None else [_objective(model, info.objective)],
    )


def _filter(model: ModuleType, identifier: str, band: WavelengthRange) -> Any:
    what, unit = f"the detected band {band.low} to {band.high}", model.UnitsLength.NANOMETER
    ends = make(
        model.TransmittanceRange,
        what,
        cut_in=band.low,
        cut_in_unit=None if band.low is None else unit,
        cut_out=band.high,
        cut_out_unit=None if band.high is None else unit,
    )
    return make(model.Filter, what, id=identifier, transmittance_range=ends)


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


def detector_settings(model: ModuleType, channel: ChannelInfo, parts: Parts) -> Any:
    """Return what a channel refers to its detector with; None without one."""
    if channel.detector not in parts.detectors:
        return None
    binning = None if channel.binning is None else channel.binning.replace(",", "x")
    return make(
        model.DetectorSettings,
        f"channel {channel.index}",
        id=parts.detectors[channel.detector],
        binning=choice(model.Binning, binning),
    )
