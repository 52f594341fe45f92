"""The summaries of an image that bioio has for every format: standard metadata, kinds of axes."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from czictypes.model.lazy import require

if TYPE_CHECKING:
    from czictypes.arrays.image_base import Image

__all__ = ["complete", "dimension_properties", "position_of", "standard_metadata"]

_KINDS = {"T": "time", "C": "channel", "Z": "space", "Y": "space", "X": "space"}
_UNITS = {"time": "second", "space": "micrometer"}


def standard_metadata(image: Image) -> Any:
    """Return what bioio finds in an image, with what it does not look for.

    Returns
    -------
    bioio_base.standard_metadata.StandardMetadata
        Of the current scene.

    Raises
    ------
    MissingExtraError
        Without bioio-base.
    """
    base = require("bioio_base.reader", extra="bioio", doing="bioio's standard metadata")
    found = base.Reader.standard_metadata.fget(image)  # it asks for names that every image has
    complete(found, image)
    times = image.time_stamps
    found.timelapse_interval = image.time_interval
    found.total_time_duration = (
        timedelta(seconds=times[-1] - times[0]) if times and len(times) > 1 else None
    )
    found.position_index = position_of(image.current_scene)
    return found


def complete(found: Any, image: Image) -> None:
    """Add the objective, the user, the date, the well and the place of a scene."""
    info, scene, well = image.document_info, image.scene_info, image.well
    if found.objective is None and image.objective is not None:
        found.objective = image.objective.name
    found.imaged_by = info.user_name or found.imaged_by
    found.imaging_datetime = info.acquisition_date or found.imaging_datetime
    if well is not None:
        found.row = None if well.row is None else str(well.row)
        found.column = None if well.column is None else str(well.column)
    if scene is not None and scene.center is not None:
        found.stage_position_x, found.stage_position_y = scene.center


def position_of(scene: str) -> int | None:
    """Return the number in the name of a scene: 2 of ``P2-D4``."""
    number = scene.split("-")[0][1:]
    return int(number) if number.isdecimal() else None


def dimension_properties(order: str, scale: Any) -> Any:
    """Return the kind of each dimension, and its unit where its step is known.

    Parameters
    ----------
    order
        The dimensions that there are.
    scale
        The step along T, C, Z, Y and X by these names, or None.

    Returns
    -------
    bioio_base.types.DimensionProperties
        None for the kind of a dimension that is not there.

    Raises
    ------
    MissingExtraError
        Without bioio-base.
    """
    types = require("bioio_base.types", extra="bioio", doing="bioio's properties of dimensions")
    return types.DimensionProperties(
        **{
            name: types.DimensionProperty(
                type=kind if name in order else None,
                unit=None if getattr(scale, name) is None else types.ureg.Unit(_UNITS[kind]),
            )
            for name, kind in _KINDS.items()
        }
    )
