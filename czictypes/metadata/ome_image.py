"""An image as OME's ``Image``, with pixels, channels, planes, and the instrument they name.

Values that OME does not allow are left out, with a warning.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime, timezone
from enum import Enum
from types import ModuleType
from typing import Any, NamedTuple

from czictypes.metadata.channels import ChannelInfo, WavelengthRange
from czictypes.metadata.document_info import DocumentInfo, Objective
from czictypes.metadata.ome_facts import ImageFacts, PlaneFacts
from czictypes.metadata.xml import storable
from czictypes.model.errors import MetadataWarning, UnsupportedDataError
from czictypes.model.lazy import require
from czictypes.model.public import warn_caller

# The schema's numbers are of 32 bits; smaller ones would count as 0, larger as infinite.
_SMALLEST, _LARGEST = 1.2e-38, 3.4e38
_LARGEST_INT = 2**31 - 1


def load_model() -> ModuleType:
    """Return ``ome_types.model``; raise a MissingExtraError if ome-types is not installed."""
    module: ModuleType = require("ome_types.model", extra="ome", doing="OME metadata")
    return module


def make(kind: type[Any], what: str, **fields: Any) -> Any:
    """Return an object of ome-types that describes `what`, with the fields that OME allows.

    A field that is None is not known. Raises an UnsupportedDataError if OME needs a field that it
    does not allow.
    """
    known = {}
    for name, value in fields.items():
        usable = None if value is None else _usable(value)
        if usable is not None:
            known[name] = usable
        elif value is not None:
            _warn(what, name, value)
    try:
        return kind(**known)
    except ValueError as error:
        for name in _refused(error, known):
            _warn(what, name, known.pop(name))
    try:
        return kind(**known)
    except ValueError as error:
        reason = "; ".join(str(error).splitlines()[:3])
        raise UnsupportedDataError(f"OME metadata cannot describe {what}: {reason}") from error


def measured(unit: Any, **values: float | None) -> dict[str, Any]:
    """Return fields for `make`: values, and the unit of each that is known."""
    units = {f"{name}_unit": unit for name, value in values.items() if value is not None}
    return {**values, **units}


def choice(kind: type[Enum], value: str | None) -> Any:
    """Return the member of an enumeration of OME with that value, else ``Other``; None for None."""
    if value is None:
        return None
    members = {str(member.value).lower(): member for member in kind}
    return members.get(value.lower()) or kind("Other")


def within(value: int | None, most: int, what: str, name: str) -> int | None:
    """Return a number from 1 to `most`; for another one None, with a warning."""
    if value is None or 1 <= value <= most:
        return value
    _warn(what, name, value)
    return None


def _usable(value: Any) -> Any:
    """Return a value in a form that the schema allows; None if there is none."""
    if isinstance(value, (bool, Enum)):
        return value
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, int):
        return value if abs(value) <= _LARGEST_INT else None
    if isinstance(value, float):
        return value if value == 0 or _SMALLEST <= abs(value) <= _LARGEST else None
    if isinstance(value, datetime) and value.tzinfo is not None:
        try:  # time zones beyond 14 hours, which the schema does not know, go as well
            return value.astimezone(timezone.utc)
        except OverflowError:
            return None
    return value


def _refused(error: ValueError, known: dict[str, Any]) -> Sequence[str]:
    """Return the names of the fields that an error of pydantic is about."""
    errors = getattr(error, "errors", None)
    names = {entry["loc"][0]: None for entry in errors() if entry["loc"]} if errors else {}
    return [str(name) for name in names if name in known]


def _warn(what: str, name: str, value: Any) -> None:
    shown = repr(value)
    warn_caller(
        f"metadata: {name} of {what} is {shown if len(shown) <= 60 else shown[:57] + '...'}, which "
        "OME does not allow; it is left out",
        MetadataWarning,
    )


_INSTRUMENT = "Instrument:0"
_OBJECTIVE = "Objective:0"
# OME's names of the types of pixels, by numpy's.
_TYPES = {
    **{name: name for name in ("int8", "int16", "int32", "uint8", "uint16", "uint32")},
    **{"bool": "bit", "float32": "float", "float64": "double"},
    **{"complex64": "complex", "complex128": "double-complex"},
}
# Columns of `PlaneFacts`, the fields of OME, and their units.
_MEASURED = (
    ("time", "delta_t", "UnitsTime"),
    ("exposure", "exposure_time", "UnitsTime"),
    ("stage_x", "position_x", "UnitsLength"),
    ("stage_y", "position_y", "UnitsLength"),
    ("focus_z", "position_z", "UnitsLength"),
)


def image_id(number: int) -> str:
    """Return the identifier of an image by its number."""
    return f"Image:{number}"


def image(
    model: ModuleType,
    number: int,
    facts: ImageFacts,
    info: DocumentInfo,
    parts: Parts,
    has_instrument: bool,
) -> Any:
    """Return an image that refers to the parts of the instrument, if there is one."""
    reference = model.InstrumentRef(id=_INSTRUMENT) if has_instrument else None
    return make(
        model.Image,
        facts.name,
        id=image_id(number),
        name=facts.name,
        acquisition_date=info.acquisition_date,
        description=info.description or info.comment,
        instrument_ref=reference,
        objective_settings=_objective_settings(model, info.objective),
        stage_label=_stage_label(model, facts),
        pixels=_pixels(model, number, facts, parts),
    )


def _stage_label(model: ModuleType, facts: ImageFacts) -> Any:
    if facts.scene is None or facts.scene.center is None:
        return None
    x, y = facts.scene.center
    position = measured(model.UnitsLength.MICROMETER, x=x, y=y)
    return make(model.StageLabel, f"scene {facts.name!r}", name=facts.name, **position)


def _pixels(model: ModuleType, number: int, facts: ImageFacts, parts: Parts) -> Any:
    sizes, (width, height, depth) = facts.sizes, facts.pixel
    return make(
        model.Pixels,
        f"the pixels of {facts.name!r}",
        id=f"Pixels:{number}",
        dimension_order=model.Pixels_DimensionOrder("XYZCT"),
        type=model.PixelType(_type_of(facts)),
        big_endian=False,
        interleaved=True if facts.samples > 1 else None,
        significant_bits=_significant_bits(facts),
        size_x=sizes.x,
        size_y=sizes.y,
        size_z=sizes.z,
        size_c=sizes.c * facts.samples,
        size_t=sizes.t,
        **measured(
            model.UnitsLength.MICROMETER,
            physical_size_x=width,
            physical_size_y=height,
            physical_size_z=depth,
        ),
        **measured(model.UnitsTime.SECOND, time_increment=facts.interval),
        channels=[_channel(model, number, facts, position, parts) for position in range(sizes.c)],
        metadata_only=model.MetadataOnly(),
        planes=[] if facts.planes is None else _planes(model, facts.planes),
    )


def _significant_bits(facts: ImageFacts) -> int | None:
    """Return the largest number of bits that a channel uses; None unless all are known."""
    counts = [channel.component_bit_count for channel in facts.channels]
    known = [count for count in counts if count is not None]
    if facts.dtype.kind != "u" or not known or len(known) < len(counts):
        return None
    return within(max(known), 8 * facts.dtype.itemsize, repr(facts.name), "ComponentBitCount")


def _channel(model: ModuleType, number: int, facts: ImageFacts, position: int, parts: Parts) -> Any:
    known, name = facts.channels, facts.channel_names[position]
    info = known[position] if position < len(known) else ChannelInfo(position)
    color = info.color
    return make(
        model.Channel,
        f"channel {name!r}",
        id=f"Channel:{number}:{position}",
        name=name,
        samples_per_pixel=facts.samples,
        color=None if color is None else model.Color((int(color.r), int(color.g), int(color.b))),
        fluor=info.dye,
        **measured(
            model.UnitsLength.NANOMETER,
            excitation_wavelength=info.excitation_wavelength,
            emission_wavelength=info.emission_wavelength or middle_of_band(info),
        ),
        acquisition_mode=choice(model.Channel_AcquisitionMode, info.acquisition_mode),
        contrast_method=choice(model.Channel_ContrastMethod, info.contrast_method),
        illumination_type=choice(model.Channel_IlluminationType, info.illumination_type),
        detector_settings=_detector_settings(model, info, parts),
        light_path=_light_path(model, info, parts),
    )


def middle_of_band(info: ChannelInfo) -> float | None:
    """Return the middle of the only band that a channel detects; None for several or open ones."""
    band = _only_band(info)
    if band is None or band.low is None or band.high is None:
        return None
    return (band.low + band.high) / 2


def _type_of(facts: ImageFacts) -> str:
    """Return OME's name of the type of the pixels."""
    try:
        return _TYPES[facts.dtype.name]
    except KeyError:
        raise UnsupportedDataError(
            f"{facts.name} has pixels of type {facts.dtype}, which OME metadata, and an OME-TIFF, "
            "cannot have; they know bool, int8, int16, int32, uint8, uint16, uint32, float32, "
            "float64, complex64 and complex128. A plain TIFF (.tif) and an OME-Zarr have every type"
        ) from None


def _planes(model: ModuleType, facts: PlaneFacts) -> list[Any]:
    """Return the planes of an image, in the order of the arrays."""
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


class Parts(NamedTuple):
    """The identifiers of the parts that channels refer to: detectors by name, filters by band."""

    detectors: dict[str, str]
    filters: dict[WavelengthRange, str]


def parts_of(channels: Sequence[ChannelInfo]) -> Parts:
    """Return an identifier for each detector, and for each single band of a channel."""
    names = dict.fromkeys(channel.detector for channel in channels if channel.detector)
    bands = dict.fromkeys(filter(None, map(_only_band, channels)))
    return Parts(
        {name: f"Detector:{number}" for number, name in enumerate(names) if name},
        {band: f"Filter:{number}" for number, band in enumerate(bands)},
    )


def _only_band(channel: ChannelInfo) -> WavelengthRange | None:
    """Return the band of a channel; None for several, which OME cannot describe."""
    bands = channel.detection_wavelengths or ()
    return bands[0] if len(bands) == 1 else None


def _light_path(model: ModuleType, channel: ChannelInfo, parts: Parts) -> Any:
    """Return the path of the light with the filter of the channel's band; None without one."""
    band = _only_band(channel)
    if band is None:
        return None
    return model.LightPath(emission_filters=[model.FilterRef(id=parts.filters[band])])


def instrument(model: ModuleType, info: DocumentInfo, parts: Parts) -> Any:
    """Return the instrument; None if nothing is known of it."""
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
        id=_INSTRUMENT,
        microscope=microscope,
        detectors=[
            make(model.Detector, f"the detector {name!r}", id=identifier, model=name)
            for name, identifier in parts.detectors.items()
        ],
        filters=[_filter(model, identifier, band) for band, identifier in parts.filters.items()],
        objectives=[] if info.objective is None else [_objective(model, info.objective)],
    )


def _filter(model: ModuleType, identifier: str, band: WavelengthRange) -> Any:
    what = f"the detected band {band.low} to {band.high}"
    limits = measured(model.UnitsLength.NANOMETER, cut_in=band.low, cut_out=band.high)
    ends = make(model.TransmittanceRange, what, **limits)
    return make(model.Filter, what, id=identifier, transmittance_range=ends)


def _objective(model: ModuleType, objective: Objective) -> Any:
    return make(
        model.Objective,
        "the objective",
        id=_OBJECTIVE,
        model=objective.name,
        lens_na=objective.numerical_aperture,
        nominal_magnification=objective.magnification,
        immersion=choice(model.Objective_Immersion, objective.immersion),
        **measured(model.UnitsLength.MICROMETER, working_distance=objective.working_distance),
    )


def _objective_settings(model: ModuleType, objective: Objective | None) -> Any:
    """Return the reference of an image to the objective; None without one."""
    if objective is None:
        return None
    return make(
        model.ObjectiveSettings,
        "the objective",
        id=_OBJECTIVE,
        medium=choice(model.ObjectiveSettings_Medium, objective.immersion),
        refractive_index=objective.refractive_index,
    )


def _detector_settings(model: ModuleType, channel: ChannelInfo, parts: Parts) -> Any:
    """Return the reference of a channel to its detector; None without one."""
    if channel.detector not in parts.detectors:
        return None
    binning = None if channel.binning is None else channel.binning.replace(",", "x")
    return make(
        model.DetectorSettings,
        f"channel {channel.index}",
        id=parts.detectors[channel.detector],
        binning=choice(model.Binning, binning),
    )
