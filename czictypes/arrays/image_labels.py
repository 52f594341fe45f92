"""The labels of an image: channels, sizes, times, places, and the file that it is of."""

from __future__ import annotations

from abc import abstractmethod
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from czictypes.arrays.labels import (
    PhysicalPixelSizes,
    Scale,
    channel_colors,
    dimension_properties,
    regular_interval,
)
from czictypes.arrays.layout import Dimensions
from czictypes.arrays.scene_views import SceneMethods
from czictypes.metadata.annotations import Annotation
from czictypes.metadata.channels import ChannelInfo
from czictypes.metadata.document_info import DocumentInfo, Objective
from czictypes.metadata.scenes import Acquisition, Plate, SceneInfo, Well
from czictypes.reading.names import channel_names
from czictypes.remote.urls import local_path, short_name

if TYPE_CHECKING:
    from bioio_base.types import DimensionProperties
    from ome_types import OME


class ImageLabels(SceneMethods):
    """The labels of an image: what its file tells of the current scene, in real units."""

    #: The source as it was opened: a path, a URL, a file object or a store; None for an array.
    _opened: Any = None

    @property
    def dims(self) -> Dimensions:
        """Names and sizes: ``dims.order``, ``dims.X``, ``dims["Y", "X"]``."""
        return self._layout.dims(self._level)

    @property
    def sizes(self) -> dict[str, int]:
        """The size of each dimension by its name."""
        return dict(self.dims.items())

    # Channels

    @property
    @abstractmethod
    def channels(self) -> list[ChannelInfo]:
        """The metadata of each channel: name, colour, wavelengths, exposure, description..."""

    @property
    def channel_names(self) -> list[str]:
        """A name for each channel; no two are equal.

        It is the name in the metadata, else the Id there, else ``"Channel:0"``; the second
        channel called DAPI is ``"DAPI (2)"``.
        """
        return channel_names(self.channels)

    @property
    def channel_colors(self) -> list[tuple[int, int, int] | None]:
        """The colour of each channel: red, green, blue from 0 to 255, or None."""
        return channel_colors(self.channels)

    @property
    @abstractmethod
    def contrast_limits(self) -> list[tuple[float, float] | None]:
        """The pixel values shown as black and as white, by channel; None where not known."""

    @property
    @abstractmethod
    def annotations(self) -> list[Annotation]:
        """The regions, measurements and texts drawn on the image, in pixels."""

    # Sizes and times

    @abstractmethod
    def _pixel_sizes(self, factor: float = 1.0) -> PhysicalPixelSizes:
        """Return the size of a pixel that is so many pixels of the full resolution wide."""

    @abstractmethod
    def _times(self) -> NDArray[np.float64] | None:
        """Return the time of each T, in seconds; None where that is not known."""

    @property
    def physical_pixel_sizes(self) -> PhysicalPixelSizes:
        """The size of a pixel in micrometres: Z, Y, X; None where unknown.

        It is that of a pixel of the current resolution level.
        """
        level = self._level
        return self._pixel_sizes(self._layout.level(level).factor if level else 1.0)

    @property
    def physical_pixel_size(self) -> PhysicalPixelSizes:
        """The size of a pixel as `physical_pixel_sizes`; AICSImageIO has both names."""
        return self.physical_pixel_sizes

    @property
    def time_stamps(self) -> list[float] | None:
        """The time of each T in seconds; None if the file does not have it.

        A CZI has the time stamps attached to the document, on its own clock. Without them the times
        are those at which the tiles of this scene were acquired, since the first T, or else the
        positions along T in the XML.
        """
        times = self._times()
        return None if times is None else [float(time) for time in times]

    @property
    def time_interval(self) -> timedelta | None:
        """The mean time from one T to the next; None for less than two, or if it is unknown.

        It is also None if the times are irregular, that is, if an interval differs from the mean
        by more than a twentieth; use `time_stamps` then.
        """
        return regular_interval(self._times())

    @property
    def scale(self) -> Scale:
        """The distance of neighbours along T (seconds), Z, Y and X (micrometres), or None."""
        interval, sizes = self.time_interval, self.physical_pixel_sizes
        return Scale(None if interval is None else interval.total_seconds(), None, *sizes)

    @property
    def dimension_properties(self) -> DimensionProperties:
        """The kind and the unit of each dimension, as bioio has them: ``dimension_properties.T``.

        Raises
        ------
        MissingExtraError
            Without bioio-base.
        """
        return dimension_properties(self.dims.order, self.scale)

    # The scene

    @property
    @abstractmethod
    def scene_info(self) -> SceneInfo | None:
        """The metadata of the scene: name, centre, contour, well."""

    @property
    @abstractmethod
    def origin(self) -> tuple[float, float] | None:
        """Where on the stage the centre of the first pixel lies (x, y), in micrometres, or None."""

    @property
    @abstractmethod
    def field(self) -> int | None:
        """The number of the scene within its well, from 0 on; None without a well."""

    @property
    @abstractmethod
    def plate(self) -> Plate | None:
        """The plate with its numbers of rows and columns, or None."""

    @property
    def well(self) -> Well | None:
        """The well of the scene (its row and column are counted from 1), or None."""
        return None if self.scene_info is None else self.scene_info.well

    @property
    def acquisition(self) -> Acquisition | None:
        """The acquisition of the plate that the scene belongs to; None if it is unknown."""
        info, plate = self.scene_info, self.plate
        if info is None or plate is None:
            return None
        return next((one for one in plate.acquisitions if one.id == info.acquisition), None)

    # The file

    @property
    def path(self) -> Path | None:
        """The path of the local file or folder; None for a URL, a file object, or an array."""
        return local_path(self._opened)

    @property
    def name(self) -> str:
        """The name of the file without its folder, such as ``"cells.czi"``, and no credentials."""
        return short_name(self._opened)

    @property
    def reader(self) -> Any:
        """The open `CziReader` of a CZI; for another format, this image.

        It has the names that the readers of AICSImageIO and bioio have, such as
        ``reader.mosaic_data``.
        """
        return self

    @property
    @abstractmethod
    def document_info(self) -> DocumentInfo:
        """Title, author, dates, application, microscope and objective."""

    @property
    def acquisition_date(self) -> datetime | None:
        """The time at which the first pixel was taken."""
        return self.document_info.acquisition_date

    @property
    def objective(self) -> Objective | None:
        """The objective."""
        return self.document_info.objective

    @property
    @abstractmethod
    def metadata(self) -> Any:
        """The metadata as stored in the file: dictionaries, objects or text, by its format."""

    @property
    def ome_metadata(self) -> OME:
        """The metadata of all scenes as OME objects (ome-types), one image for each scene.

        See `to_ome`.
        """
        return self.to_ome()

    @abstractmethod
    def to_ome(self) -> OME:
        """Return the metadata of all scenes as OME objects, valid against the OME schema.

        Returns
        -------
        ome_types.OME
            An image for each scene, in the order of `scenes`.

        Raises
        ------
        MissingExtraError
            If ome-types is not installed.
        """
