"""The metadata of OME-Zarr as JSON has them: multiscales, channels, plates, wells, series.

As in the specifications of OME-Zarr 0.4 and 0.5, and bioformats2raw.layout 3; ngff-zarr makes of
them what later versions have.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

import czictypes
from czictypes.arrays.image_base import Image
from czictypes.exchange.ome_zarr.frame import AXES, AXIS_TYPES, Frame
from czictypes.exchange.ome_zarr.plan import ImagePlan
from czictypes.model.lazy import require

__all__ = [
    "channel_look",
    "image_attributes",
    "namespaced",
    "ngff_metadata",
    "omero",
    "window_range",
]

_SAMPLES = {
    2: ("gray", "alpha"),
    3: ("red", "green", "blue"),
    4: ("red", "green", "blue", "alpha"),
}
_SAMPLE_COLORS = ("FF0000", "00FF00", "0000FF", "FFFFFF")


def namespaced(attributes: Mapping[str, Any], version: str) -> dict[str, Any]:
    """Return attributes of a group as a version wants them: in 0.5 they stand under ``ome``."""
    if version == "0.4":
        return dict(attributes)
    return {"ome": {"version": version, **attributes}}


def image_attributes(plan: ImagePlan, channels: Any, version: str) -> dict[str, Any]:
    """Return the attributes of the group of an image.

    Parameters
    ----------
    channels
        As `omero` returns it.
    """
    entry: dict[str, Any] = {
        "name": plan.name,
        "axes": axes(plan.levels[0].frame),
        "datasets": [
            {"path": level.path, "coordinateTransformations": transformations(level.frame)}
            for level in plan.levels
        ],
    }
    entry["type"] = "mean"
    entry["metadata"] = {"method": "czictypes.write_ome_zarr", "version": czictypes.__version__}
    if version == "0.4":
        entry["version"] = version
    if version not in ("0.4", "0.5"):
        entry = _later(entry, version)
    return namespaced({"multiscales": [entry], "omero": channels}, version)


def ngff_metadata(entry: Mapping[str, Any]) -> Any:
    """Return multiscales of 0.5 as the object that ngff-zarr has for them."""
    ngff = require("ngff_zarr", extra="ome-zarr", doing="OME-Zarr")
    models = require("ngff_zarr.v05.zarr_metadata", extra="ome-zarr", doing="OME-Zarr")
    datasets = [
        ngff.Dataset(
            one["path"],
            [
                ngff.Scale(one["coordinateTransformations"][0]["scale"]),
                ngff.Translation(one["coordinateTransformations"][1]["translation"]),
            ],
        )
        for one in entry["datasets"]
    ]
    listed = [ngff.Axis(**axis) for axis in entry["axes"]]
    return models.Metadata(listed, datasets, None, name=entry["name"])


def _later(entry: Mapping[str, Any], version: str) -> dict[str, Any]:
    """Return multiscales as a later version has them."""
    made = asdict(ngff_metadata(entry).to_version(version), dict_factory=_told)
    return {**made, "type": entry["type"], "metadata": entry["metadata"]}


def _told(fields: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """Return the fields of an object that it has values for."""
    return {name: value for name, value in fields if value is not None and value != {}}


def axes(frame: Frame) -> list[dict[str, str]]:
    """Return names, types and units of the axes."""
    listed = []
    for name in AXES:
        axis = {"name": name, "type": AXIS_TYPES[name]}
        if name in frame.units:
            axis["unit"] = frame.units[name]
        listed.append(axis)
    return listed


def transformations(frame: Frame) -> list[dict[str, Any]]:
    """Return scale and translation."""
    return [
        {"type": "scale", "scale": frame.scales()},
        {"type": "translation", "translation": frame.translations()},
    ]


def omero(image: Image, version: str) -> dict[str, Any]:
    """Return how channels are shown: names, colours, windows of pixel values."""
    looks = channel_look(image)
    found: dict[str, Any] = {"channels": looks}
    if version == "0.4":
        found["version"] = version
    return found


def channel_look(image: Image) -> list[dict[str, Any]]:
    """Return label, colour and window of every channel; a colour image has one for each sample."""
    samples = image.sizes.get("S", 1)
    shown = image._display_settings
    listed = []
    for at, (name, color, limits) in enumerate(
        zip(image.channel_names, image.channel_colors, image.contrast_limits)
    ):
        window = _window(limits, image.dtype)
        active = at not in shown or shown[at].is_enabled
        for sample in range(samples):
            look: dict[str, Any] = {"active": active, "window": dict(window)}
            if samples == 1:
                look["label"], look["color"] = name, _hexadecimal(color)
            else:
                known = _SAMPLES.get(samples, range(samples))
                look["label"] = f"{name} {known[sample]}"
                look["color"] = _SAMPLE_COLORS[sample] if samples in (3, 4) else "FFFFFF"
            listed.append(look)
    return listed


def window_range(dtype: np.dtype[Any]) -> tuple[float, float]:
    """Return the smallest and the largest value of pixels; 0 and 1 for floats, as in a CZI."""
    if dtype.kind in "ui":
        return float(np.iinfo(dtype).min), float(np.iinfo(dtype).max)
    return 0.0, 1.0


def _window(limits: Sequence[float] | None, dtype: np.dtype[Any]) -> dict[str, float]:
    least, most = window_range(dtype)
    start, end = (least, most) if limits is None else (float(limits[0]), float(limits[1]))
    return {"min": min(least, start), "max": max(most, end), "start": start, "end": end}


def _hexadecimal(color: Sequence[int] | None) -> str:
    return "FFFFFF" if color is None else "{:02X}{:02X}{:02X}".format(*(int(c) for c in color[:3]))
