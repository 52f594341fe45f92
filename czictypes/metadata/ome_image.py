"""An image as OME's ``Image``, with pixels, channels, planes, and the instrument they name."""

from __future__ import annotations

import math
from collections.abc import Sequence
from types import ModuleType
from typing import Any, NamedTuple

from czictypes.metadata.channels import ChannelInfo, WavelengthRange
from czictypes.metadata.document import DocumentInfo, Objective
from czictypes.metadata.ome_facts import ImageFacts, PlaneFacts
from czictypes.metadata.ome_make import choice, make, within
from czictypes.model.errors import UnsupportedDataError

__all__ = [
    "INSTRUMENT",
    "Parts",
    "detector_settings",
    "image",
    "image_id",
    "instrument",
    "light_path",
    "middle_of_band",
    "objective_settings",
    "parts_of",
    "planes",
]


_TYPES = {
    "b1": "bit",
    "i1": "int8",
    "i2": "int16",
    "i4": "int32",
    "u1": "uint8",
    "u2": "uint16",
    "u4": "uint32",
    "f4": "float",
    "f8": "double",
    "c8": "complex",
    "c16": "double-complex",
}


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
    """Return one image.

    Parameters
    ----------
    model
        ``ome_types.model``.
    number
        That of the image, for identifiers.
    facts, info
        What is known of it, and of the document.
    parts, has_instrument
        The identifiers of detectors and filters, and whether there is an instrument to refer to.
    """
    reference = model.InstrumentRef(id=INSTRUMENT) if has_instrument else None
    return make(
        model.Image,
        facts.name,
        id=image_id(number),
        name=facts.name,
        acquisition_date=info.acquisition_date,
        description=info.description or info.comment,
        instrument_ref=reference,
        objective_settings=objective_settings(model, info.objective),
        stage_label=_stage_label(model, facts),
        pixels=_pixels(model, number, facts, parts),
    )


def _stage_label(model: ModuleType, facts: ImageFacts) -> Any:
    if facts.scene is None or facts.scene.center is None:
        return None
    x, y = facts.scene.center
    unit = model.UnitsLength.MICROMETER
    return make(
        model.StageLabel,
        f"scene {facts.name!r}",
        name=facts.name,
        x=x,
        y=y,
        x_unit=unit,
        y_unit=unit,
    )


def _pixels(model: ModuleType, number: int, facts: ImageFacts, parts: Parts) -> Any:
    sizes, unit = facts.sizes, model.UnitsLength.MICROMETER
    known = [None if size is None else unit for size in facts.pixel]
    interval = facts.interval
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
        physical_size_x=facts.pixel[0],
        physical_size_y=facts.pixel[1],
        physical_size_z=facts.pixel[2],
        physical_size_x_unit=known[0],
        physical_size_y_unit=known[1],
        physical_size_z_unit=known[2],
        time_increment=interval,
        time_increment_unit=None if interval is None else model.UnitsTime.SECOND,
        channels=[
            _channel(model, f"Channel:{number}:{at}", facts, at, parts) for at in range(sizes.c)
        ],
        metadata_only=model.MetadataOnly(),
        planes=[] if facts.planes is None else planes(model, facts.planes),
    )


def _significant_bits(facts: ImageFacts) -> int | None:
    """Return how many bits the channels use at most; None unless all of them tell."""
    counts = [channel.component_bit_count for channel in facts.channels]
    known = [count for count in counts if count is not None]
    if facts.dtype.kind != "u" or not known or len(known) < len(counts):
        return None
    return within(max(known), 8 * facts.dtype.itemsize, repr(facts.name), "ComponentBitCount")


def _channel(model: ModuleType, identifier: str, facts: ImageFacts, at: int, parts: Parts) -> Any:
    info = facts.channels[at] if at < len(facts.channels) else ChannelInfo(at)
    nanometres = model.UnitsLength.NANOMETER
    color, emission = info.color, info.emission_wavelength or middle_of_band(info)
    return make(
        model.Channel,
        f"channel {facts.channel_names[at]!r}",
        id=identifier,
        name=facts.channel_names[at],
        samples_per_pixel=facts.samples,
        color=None if color is None else model.Color((int(color.r), int(color.g), int(color.b))),
        fluor=info.dye,
        excitation_wavelength=info.excitation_wavelength,
        excitation_wavelength_unit=nanometres if info.excitation_wavelength else None,
        emission_wavelength=emission,
        emission_wavelength_unit=nanometres if emission else None,
        acquisition_mode=choice(model.Channel_AcquisitionMode, info.acquisition_mode),
        contrast_method=choice(model.Channel_ContrastMethod, info.contrast_method),
        illumination_type=choice(model.Channel_IlluminationType, info.illumination_type),
        detector_settings=detector_settings(model, info, parts),
        light_path=light_path(model, info, parts),
    )


def middle_of_band(info: ChannelInfo) -> float | None:
    """Return the middle of the band of a channel that detects a single one, as spectral ones do."""
    bands = info.detection_wavelengths or ()
    if len(bands) != 1 or bands[0].low is None or bands[0].high is None:
        return None
    return (bands[0].low + bands[0].high) / 2


def _type_of(facts: ImageFacts) -> str:
    """Return OME's name of the type of the pixels."""
    try:
        return _TYPES[facts.dtype.str[1:]]
    except KeyError:
        raise UnsupportedDataError(
            f"{facts.name} has pixels of type {facts.dtype}, which OME metadata, and an OME-TIFF, "
            "cannot have; they know bool, int8, int16, int32, uint8, uint16, uint32, float32, "
            "float64, complex64 and complex128. A plain TIFF (.tif) and an OME-Zarr have every type"
        ) from None


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
