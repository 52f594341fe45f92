"""The metadata of an image, in the units and under the names that its users expect."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from czictypes.arrays import channel_labels
from czictypes.arrays.alpha import EmptyAlpha
from czictypes.arrays.image_base import Image
from czictypes.arrays.pixel_sizes import PhysicalPixelSizes, pixel_sizes
from czictypes.arrays.scene_infos import field_numbers, scene_infos
from czictypes.arrays.stage import stage_origin
from czictypes.arrays.times import times_along
from czictypes.arrays.tolerant import told
from czictypes.metadata.annotations import Annotation
from czictypes.metadata.axes import Skew
from czictypes.metadata.channels import ChannelInfo
from czictypes.metadata.document_info import DocumentInfo
from czictypes.metadata.scenes import Plate, SceneInfo
from czictypes.model.options import ChannelDisplaySettingsDataClass
from czictypes.reading.attachments import Attachments
from czictypes.reading.plane_reads import open_document_of
from czictypes.reading.reader import CziReader

if TYPE_CHECKING:
    from ome_types import OME

__all__ = ["ImageDescription"]


class ImageDescription(Image):
    """The described side of a `CziImage`.

    A field of the metadata that is missing or makes no sense is None, the latter with a
    `MetadataWarning` that names it; no field takes another one down.
    """

    @property
    @abstractmethod
    def reader(self) -> CziReader:
        """The open document."""

    @property
    @abstractmethod
    def scene_index(self) -> int | None:
        """The number of the scene, or None where there is none or all are meant."""

    @property
    @abstractmethod
    def _empty_alpha(self) -> EmptyAlpha:
        """The treatment of an alpha that is 0 everywhere."""

    # Channels

    @property
    def channels(self) -> list[ChannelInfo]:
        """All that the metadata tell of each channel: wavelengths, exposure, description..."""
        return channel_labels.channel_infos(self.reader, self._layout.planes["C"])

    @property
    def contrast_limits(self) -> list[tuple[float, float] | None]:
        """The pixel values shown as black and as white, by channel.

        They are those of ZEN's display settings; None where it has none, or for floating point.
        """
        return channel_labels.contrast_limits(self.reader, self._layout.kinds)

    @property
    def annotations(self) -> list[Annotation]:
        """The regions, measurements and texts drawn on the document, of all scenes.

        Their points count pixels from the top left corner of all scenes.
        """
        nothing: list[Annotation] = []
        return told(self.reader, lambda reader: reader.annotations, nothing)

    # Sizes and times

    def _pixel_sizes(self, factor: float = 1.0) -> PhysicalPixelSizes:
        return pixel_sizes(self.reader, factor)

    def _times(self) -> NDArray[np.float64] | None:
        return times_along(self.reader, self.scene_index, self._layout.planes["T"])

    @property
    def skew(self) -> Skew | None:
        """The skew of the planes along Z of a lattice light-sheet stack; None for other files."""
        return told(self.reader, lambda reader: reader.skew, None)

    @property
    def time_stamps(self) -> list[float] | None:
        """When each T was, in seconds; None where the file does not tell.

        The time stamps attached to the document count, on its own clock; else when the tiles of
        this scene were acquired, since the first T; else the positions along T in the XML.
        """
        return super().time_stamps

    @property
    def _display_settings(self) -> Mapping[int, ChannelDisplaySettingsDataClass]:
        return self.reader.display_settings

    @property
    def _identity(self) -> str:
        with open_document_of(self.reader) as document:
            return str(document.header.file_guid)

    # The scene

    @property
    def scene_info(self) -> SceneInfo | None:
        """The metadata of the scene: name, centre, contour, well."""
        return self._scenes.get(self.scene_index)

    @property
    def origin(self) -> tuple[float, float] | None:
        """Where on the stage the centre of the first pixel lies (x, y), in micrometres, or None.

        It is the first pixel of the whole scene, for the single tiles of a mosaic as well.
        The offset of the camera's region of interest and the camera's rotation are not regarded.
        """
        sizes, number = pixel_sizes(self.reader), self.scene_index
        if sizes.X is None or sizes.Y is None:
            return None
        pixel = (sizes.X, sizes.Y)
        with open_document_of(self.reader) as document:
            return document.once(
                f"origin of {number}",
                lambda: stage_origin(self.reader, number, self._scenes, pixel),
            )

    @property
    def field(self) -> int | None:
        """The number of the scene within its well, from 0 on; None without a well."""
        with open_document_of(self.reader) as document:
            fields = document.once("fields", lambda: field_numbers(self._scenes))
        return fields.get(self.scene_index)

    @property
    def plate(self) -> Plate | None:
        """The plate with its numbers of rows and columns, or None."""
        return told(self.reader, lambda reader: reader.plate, None)

    @property
    def _scenes(self) -> dict[int | None, SceneInfo]:
        with open_document_of(self.reader) as document:
            return document.once("scenes by number", lambda: scene_infos(self.reader))

    # The document

    @property
    def document_info(self) -> DocumentInfo:
        """Title, author, dates, application, microscope and objective."""
        return told(self.reader, lambda reader: reader.document_info, DocumentInfo())

    @property
    def attachments(self) -> Attachments:
        """The document's attachments: label, preview, thumbnail, time stamps and others."""
        return self.reader.attachments

    @property
    def metadata(self) -> dict[str, Any]:
        """The document's XML as nested dictionaries, parsed once.

        Raises
        ------
        CorruptFileError
            If it is not well-formed.
        """
        return self.reader.metadata

    def to_ome(self, *, planes: bool | None = None) -> OME:
        """Return the metadata of all scenes as OME objects, valid against the OME schema.

        Parameters
        ----------
        planes
            Whether each plane is listed with its time, exposure and place, which is read from the
            metadata of its first tile; by default up to 10,000 planes.

        Returns
        -------
        ome_types.OME
            An image for each scene, in the order of `scenes`. Its size along T is the product of
            T and the dimensions before it (V, H, I, R, B), as in ``array.reshape(-1, C, Z, Y, X)``.

        Raises
        ------
        MissingExtraError
            If ome-types is not installed.
        UnsupportedDataError
            If an image has more pixels than OME metadata can say.
        """
        from czictypes.arrays.ome import ome_of

        return ome_of(self.reader, planes, empty_alpha=self._empty_alpha)
