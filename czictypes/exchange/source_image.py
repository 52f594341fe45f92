"""An image of another format for a CZI: pixels that can be sliced, and metadata."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from czictypes.metadata.annotations import Annotation
from czictypes.metadata.axes import Scaling
from czictypes.metadata.channels import ChannelInfo
from czictypes.metadata.document_info import Objective
from czictypes.metadata.scenes import Plate, Well
from czictypes.model.errors import UnsupportedDataError
from czictypes.model.geometry import Location
from czictypes.model.options import ChannelDisplaySettingsDataClass

__all__ = ["SourceImage", "axis_letters"]

#: The letters that axes may take whose meaning is not known, the last ones first.
_FREE = "BVHIRTCZ"


@dataclass(frozen=True)
class SourceImage:
    """One image, which becomes a scene; what is None or empty is not known.

    Parameters
    ----------
    pixels
        Anything with shape, dtype and slices (numpy, dask, zarr, `PixelView`).
    axes
        A letter for each axis of `pixels`: Y and X, any of T C Z R I H V B, and S at the end for
        red, green and blue (in this order).
    name
        The name of the scene.
    channels
        Names, colours, wavelengths, by their `index`.
    scaling
        The size of a pixel in metres.
    times
        When each T was, in seconds.
    display_settings
        How channels are shown, by C index.
    origin
        Where the corner of the top left pixel lies on the stage (x, y), in micrometres.
    well, plate
        The well that the image was taken in, and the plate that it belongs to.
    acquisition
        The id of the acquisition of the plate that it is of.
    acquisition_date
        When the first pixel was taken.
    objective
        What it was taken with.
    description
        Free text.
    levels
        The same image in lower resolutions, the finest first; axes as those of `pixels`.
    scene
        The number of the scene; by default that of the image among the others. Images of one
        scene lie in different planes.
    location
        Where the top left pixel goes in the CZI, where that is known.
    shared
        Whether several threads may read `pixels` and `levels` at once.
    annotations
        The annotations on it, in its pixels.
    first
        The places of the first planes along the axes, and in dimensions that `axes` does not
        have; 0 for those that are not named.
    metadata
        Returns the metadata of the file in its own form.
    ome
        Returns its own OME metadata (``ome_types.OME``); None for a file that has none.
    reader
        The package that decodes the pixels, where it may not know every file of its format.
    """

    pixels: Any
    axes: str
    name: str | None = None
    channels: Sequence[ChannelInfo] = ()
    scaling: Scaling = field(default_factory=Scaling)
    times: Sequence[float] = ()
    display_settings: dict[int, ChannelDisplaySettingsDataClass] = field(default_factory=dict)
    origin: tuple[float, float] | None = None
    well: Well | None = None
    plate: Plate | None = None
    acquisition: int | None = None
    acquisition_date: datetime | None = None
    objective: Objective | None = None
    description: str | None = None
    levels: Sequence[Any] = ()
    scene: int | None = None
    location: Location | None = None
    shared: bool = False
    annotations: Sequence[Annotation] = ()
    first: Mapping[str, int] = field(default_factory=dict)
    metadata: Callable[[], Any] = dict
    ome: Callable[[], Any] | None = None
    reader: str | None = None

    @property
    def sizes(self) -> dict[str, int]:
        """The extent along each axis by its letter."""
        return {letter: int(size) for letter, size in zip(self.axes, self.pixels.shape)}


def axis_letters(dims: Sequence[str], meanings: Mapping[str, str] | None = None) -> str:
    """Return the letters of a CZI for the axes of another format.

    T, C, Z, Y, X and S mean the same everywhere. An axis with another known meaning takes the
    first of its letters that is free. All others take the last letters that are free, in their
    order, as those of an array do that is written without ``axes=``: a stack is Z, and two unknown
    axes are C and Z.

    Parameters
    ----------
    dims
        The name of each axis.
    meanings
        The letters that an axis may take, by its name.

    Raises
    ------
    UnsupportedDataError
        If there are more axes than letters.
    """
    found = [name if name in tuple("TCZYXS") else "" for name in dims]
    for at, name in enumerate(dims):
        wanted = (meanings or {}).get(name, "")
        found[at] = found[at] or next((one for one in wanted if one not in found), "")
    free = [letter for letter in _FREE if letter not in found]
    unknown = found.count("")
    if unknown > len(free):
        raise UnsupportedDataError(f"axes {', '.join(dims)} are more than a CZI has")
    rest = iter(free[len(free) - unknown :])
    return "".join(letter or next(rest) for letter in found)
