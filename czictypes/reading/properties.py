"""The properties and sub-blocks of an open document."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import numpy as np
from numpy.typing import NDArray

from czictypes.container.limits import most_planes
from czictypes.metadata.annotations import Annotation
from czictypes.metadata.channels import ChannelInfo, display_settings
from czictypes.metadata.document_content import DocumentContent, read_content
from czictypes.metadata.document_info import (
    DocumentInfo,
    Scaling,
    Skew,
    custom_attributes,
    document_info,
    skew,
)
from czictypes.metadata.scenes import Plate, SceneInfo, plate
from czictypes.model.errors import (
    CorruptFileError,
    OutOfBoundsError,
    UnsupportedDataError,
)
from czictypes.model.geometry import (
    DIMENSION_INDEX,
    PLANE_DIMENSIONS,
    Location,
    Rectangle,
    parse_coordinate,
    whole_number,
)
from czictypes.model.options import ChannelDisplaySettingsDataClassWithNameAndDescription
from czictypes.model.pixel_types import PixelType
from czictypes.model.public import former_name
from czictypes.reading.decode import SubBlockDecoder
from czictypes.reading.document import Session
from czictypes.reading.levels import PyramidLevel, needs_pyramid, pyramid_levels
from czictypes.reading.names import NamedList, channel_names, numbered_plane, numbers_of
from czictypes.reading.request import Plane, Roi, check_scene, parse_roi, type_of_all
from czictypes.reading.subblock import (
    STANDARD_FIELDS,
    SubBlock,
    SubBlockInfo,
    matching,
    read_columns,
    sub_block_info,
)
from czictypes.reading.table import SubBlockTable

T = TypeVar("T")


class DocumentProperties:
    """The properties and sub-blocks of an open document, as the file is now on disk."""

    CZI_DIMS: ClassVar[dict[str, int]] = {name: DIMENSION_INDEX[name] for name in PLANE_DIMENSIONS}

    def __init__(self, session: Session) -> None:
        self._session = session

    @property
    def closed(self) -> bool:
        """Whether the reader is closed."""
        return self._session.closed

    def close(self) -> None:
        """Close the file after the reads in flight; closing twice is allowed."""
        self._session.close()

    @property
    def _table(self) -> SubBlockTable:
        with self._session.document() as document:
            return document.table

    # Boxes

    @property
    def total_bounding_box(self) -> dict[str, tuple[int, int]]:
        """The range of every dimension as (start, end), the end excluded.

        X and Y are in pixels. T, Z, C, X and Y are always present; other dimensions only if the
        file has them.
        """
        table = self._table
        return _bounding_box(table, table.total_rectangle)

    @property
    def total_bounding_box_no_pyramid(self) -> dict[str, tuple[int, int]]:
        """The range of every dimension as (start, end), with X and Y of layer 0 only."""
        table = self._table
        return _bounding_box(table, table.total_rectangle_no_pyramid)

    @property
    def total_bounding_rectangle(self) -> Rectangle:
        """The rectangle in pixels that holds all sub-blocks; also after `close`."""
        remains = self._session.remains
        return (self._table if remains is None else remains.table).total_rectangle

    @property
    def total_bounding_rectangle_no_pyramid(self) -> Rectangle:
        """The rectangle in pixels that holds the sub-blocks of layer 0; also after `close`."""
        remains = self._session.remains
        return (self._table if remains is None else remains.table).total_rectangle_no_pyramid

    @property
    def scenes_bounding_rectangle(self) -> dict[int, Rectangle]:
        """The rectangle of each scene in pixels, by scene number; empty without scenes."""
        return dict(self._table.scene_rectangles)

    @property
    def scenes_bounding_rectangle_no_pyramid(self) -> dict[int, Rectangle]:
        """The rectangle of each scene's layer 0 in pixels, by number; empty without scenes."""
        return dict(self._table.scene_rectangles_no_pyramid)

    def to_pixel_coordinates(self, x: int, y: int) -> Location:
        """Convert a position in the raw-sub-block coordinate system to CZI pixel coordinates.

        Their origin is the top left of the layer-0 bounding box.
        """
        return self._moved(x, y, -1)

    def from_pixel_coordinates(self, x: int, y: int) -> Location:
        """Convert CZI pixel coordinates to a position in the raw-sub-block coordinate system."""
        return self._moved(x, y, 1)

    def _moved(self, x: int, y: int, sign: int) -> Location:
        origin = self.total_bounding_rectangle_no_pyramid
        try:
            return Location(x + sign * origin.x, y + sign * origin.y)
        except TypeError:
            raise TypeError(f"x and y must be numbers, not {x!r} and {y!r}") from None

    @property
    def magnification(self) -> tuple[float, float]:
        """The pixels of this reader per pixel of the file, along x and y.

        (1.0, 1.0), except with ``ReaderOptions(stored_resolution=True)``. There, rectangles,
        regions and annotations are larger by these factors than in other readers and in `czi.copy`.
        """
        with self._session.document() as document:
            return document.rows.magnification

    # Pixels

    def get_channel_pixel_type(self, channel_index: int | str | None = None) -> str:
        """Return the pixel type of a channel's first sub-block.

        Parameters
        ----------
        channel_index
            The channel's number, or its name; by default the lowest number, or 0 in a document
            without channels.

        Returns
        -------
        str
            A name such as ``"Gray8"``, or ``"Invalid"`` if there is no such sub-block. A document
            without channels has one type for every number.

        Raises
        ------
        OutOfBoundsError, InvalidArgumentError
            If no channel has the name, or several have it.
        """
        with self._session.document() as document:
            table = document.table
            number = table.channel_pixel_type(_channel(table, channel_index))
        return "Invalid" if number is None else _pixel_type_name(number)

    @property
    def pixel_types(self) -> dict[int, str]:
        """The pixel type of each channel's first sub-block, by channel number.

        `all_pixel_types` has the types of all sub-blocks.
        """
        table = self._table
        start, size = table.plane_bounds.get("C", (0, 1))
        found = {}
        # One damaged number makes the range huge; then only existing channels count.
        dense = size <= most_planes(table.count)
        for channel in range(start, start + size) if dense else sorted(table.channel_pixel_types):
            number = table.channel_pixel_type(channel)
            found[channel] = "Invalid" if number is None else _pixel_type_name(number)
        return found

    @property
    def all_pixel_types(self) -> dict[int, tuple[str, ...]]:
        """All pixel types of each channel's sub-blocks, by channel number.

        They are in the order of the file's directory, so the first one is that of `pixel_types`. A
        channel without sub-blocks has none.
        """
        table = self._table
        return {
            channel: tuple(_pixel_type_name(number) for number in table.pixel_types_of(channel))
            for channel in self.pixel_types
        }

    def common_pixel_type(
        self, channel: int | str | None = None, scene: int | str | None = None
    ) -> str | None:
        """Return the smallest pixel type that holds all pixels of a channel exactly.

        Parameters
        ----------
        channel
            The channel's number or name; by default the lowest number.
        scene
            The number or name of the only scene that counts; by default all count.

        Returns
        -------
        str or None
            A type for `read`: ``read(scene=1, pixel_type=common_pixel_type(scene=1))`` loses no
            bits, whatever types the channel has. None in a document without sub-blocks.

        Raises
        ------
        UnsupportedDataError
            If no pixel type holds all types of the channel.
        OutOfBoundsError
            If the scene does not exist.
        """
        with self._session.document() as document:
            table = document.table
            try:
                kind = type_of_all(table, _channel(table, channel), check_scene(table, scene))
            except (OutOfBoundsError, UnsupportedDataError) as error:
                raise type(error)(f"{self._session.name}: {error}") from None
        return None if kind is None else kind.name

    @property
    def subblocks(self) -> NDArray[np.void]:
        """A structured array with a row for each plane of each sub-block, in directory order.

        Almost every sub-block has one plane; line scans have several. The fields are index (the
        number of the sub-block, as for `read_subblock`), the dimensions Z C T R I H V B, scene, M,
        x, y, w, h (the logical rectangle in pixels), stored_w, stored_h (the stored size in
        pixels), pixel_type, compression (numbers of the file format), level (0 is full resolution),
        file_part (the number of the file, as in `parts`) and file_position (in bytes, in that
        file). A missing coordinate is -2147483648.
        """
        with self._session.document() as document:
            return document.sub_blocks

    @property
    def damaged_subblocks(self) -> dict[int, str]:
        """The sub-blocks that reads have left blank so far, with the fault of each.

        See `ReaderOptions.on_error`. The dictionary starts empty again if the file changes.
        """
        with self._session.document() as document:
            return document.damage.found()

    @property
    def parts(self) -> dict[int, str | None]:
        """The other files of a document of several, by part number; None for a missing one.

        Empty if the document is a single file. Reading this looks for the files that are not open
        yet.
        """
        with self._session.document() as document:
            return document.parts

    @property
    def needs_pyramid(self) -> bool:
        """Whether layer 0 is wider or higher than 4096 pixels and the file stores no pyramid."""
        return needs_pyramid(self._table)

    def pyramid_levels(self, scene: int | str | None = None) -> list[PyramidLevel]:
        """Return the stored resolution levels, full resolution first.

        Parameters
        ----------
        scene
            The number or name of a scene; by default the levels of all scenes.

        Raises
        ------
        OutOfBoundsError
            If the scene does not exist.
        """
        with self._session.document() as document:
            table = document.table
            return pyramid_levels(table, check_scene(table, scene))

    # Metadata

    @property
    def raw_metadata(self) -> str:
        """The document's XML as text."""
        with self._session.document() as document:
            return document.xml_text

    @property
    def metadata(self) -> dict[str, Any]:
        """The document's XML as nested dictionaries; parsed once."""
        with self._session.document() as document:
            return document.metadata

    @property
    def custom_attributes_metadata(self) -> dict[str, Any] | None:
        """The custom attributes by name (bool, int, float or str), or None if there are none."""
        return self.read_metadata(custom_attributes)

    @property
    def scaling(self) -> Scaling:
        """The size of a pixel along X, Y and Z in metres; None for each that is unknown."""
        with self._session.document() as document:
            return document.scaling

    @property
    def channels(self) -> NamedList[ChannelInfo]:
        """The metadata of each channel: name, colour, wavelengths; also ``channels["DAPI"]``."""
        with self._session.document() as document:
            return NamedList(document.channels, "channel", channel_names(document.channels))

    @property
    def channel_names(self) -> list[str | None]:
        """The names of the channels; None for each that has no name."""
        return [channel.name for channel in self.channels]

    @property
    def display_settings(
        self,
    ) -> dict[int, ChannelDisplaySettingsDataClassWithNameAndDescription]:
        """The display settings of each channel, by channel number."""
        return self.read_metadata(display_settings)

    def as_content(self) -> DocumentContent:
        """Return the metadata as a new file takes them, with the numbers of channels and scenes.

        `imwrite` and `create_czi` take the reader itself with ``like=``, and leave out what does
        not fit.
        """
        with self._session.document() as document:
            start = document.table.plane_bounds.get("C", (0, 1))[0]
            content = document.read_metadata(lambda root: read_content(root, start))
            return replace(content, scenes=document.scenes)

    @property
    def document_info(self) -> DocumentInfo:
        """The title, author, dates and objective of the document."""
        return self.read_metadata(document_info)

    @property
    def scenes(self) -> NamedList[SceneInfo]:
        """The name, centre and well of each scene, from the metadata; also ``scenes["B1"]``.

        The `index` of a scene is the S of its sub-blocks, even in a part of a split document whose
        XML numbers the scenes differently. Scenes without sub-blocks are included.
        """
        with self._session.document() as document:
            names = [scene.name or f"Image:{scene.index or 0}" for scene in document.scenes]
            return NamedList(document.scenes, "scene", names)

    @property
    def annotations(self) -> list[Annotation]:
        """The regions of interest, measurements and texts drawn on the image, in pixels."""
        with self._session.document() as document:
            return document.annotations

    @property
    def skew(self) -> Skew | None:
        """The skew of a lattice light-sheet stack, its angle in degrees; None for other files."""
        return self.read_metadata(skew)

    @property
    def plate(self) -> Plate | None:
        """The plate with its rows and columns, or None if there is none."""
        return self.read_metadata(plate)

    def read_metadata(self, read: Callable[[ET.Element], T]) -> T:
        """Return the result of a function that reads the document's XML.

        Parameters
        ----------
        read
            Receives the root element. It is called once for each state of the file, so pass a
            function of a module, not a ``lambda``.

        Raises
        ------
        CorruptFileError
            If the XML is not well-formed.
        """
        if not callable(read):
            raise TypeError(f"read must be a function that takes the root element, not {read!r}")
        with self._session.document() as document:
            return document.read_metadata(read)

    if not TYPE_CHECKING:
        described = former_name("described", "read_metadata")

    def subblock_metadata(
        self,
        names: str | Sequence[str] = STANDARD_FIELDS,
        *,
        plane: str | Plane | None = None,
        roi: Roi | None = None,
        only_layer0: bool = True,
        indices: Sequence[int] | None = None,
    ) -> dict[str, NDArray[Any]]:
        """Return metadata fields of many sub-blocks without reading their pixels.

        Parameters
        ----------
        names
            One or several of ``stage_x``, ``stage_y``, ``focus_z``, ``roi_center_offset_x`` and
            ``..._y`` (float64, in micrometres), ``exposure_time`` (float64, in seconds),
            ``acquisition_time`` (datetime64[us], UTC) or ``xml`` (the whole XML as text). Any other
            name stands for the text of the tag with that name.
        plane, roi, only_layer0
            The choice of sub-blocks, as for `enumerate_subblocks_subset`.
        indices
            The numbers of the sub-blocks, instead of a choice by the other arguments.

        Returns
        -------
        dict of numpy.ndarray
            ``index``, the positions in the sub-block directory, and a column for each name. It has
            NaN, NaT or None where a sub-block lacks the field or is damaged (with a warning).

        Raises
        ------
        ValueError
            For a name that no tag can have, or `indices` together with another choice.
        OutOfBoundsError
            If a sub-block of `indices` does not exist.
        """
        if indices is not None and (plane is not None or roi is not None):
            raise ValueError("give indices, or plane and roi, but not both")
        with self._session.document() as document:
            rows: Any = indices
            if rows is None:
                table = document.table
                found = matching(
                    table,
                    coordinate=_coordinate(table, plane),
                    roi=None if roi is None else parse_roi(roi),
                    only_layer0=only_layer0,
                )
                rows = np.unique(table.rows.sub_blocks(found))
            return read_columns(document, rows, names)

    def enumerate_subblocks(self, func: Callable[[int, SubBlockInfo], bool]) -> None:
        """Call ``func(index, info)`` for every sub-block until it returns a false value.

        `info` is a `SubBlockInfo`.
        """
        self.enumerate_subblocks_subset(func)

    def enumerate_subblocks_subset(
        self,
        func: Callable[[int, SubBlockInfo], bool],
        plane: str | Plane | None = None,
        roi: Roi | None = None,
        only_layer0: bool = False,
    ) -> None:
        """Call ``func(index, info)`` for some sub-blocks until it returns a false value.

        Parameters
        ----------
        func
            Receives the index and a `SubBlockInfo`.
        plane
            Only sub-blocks at this coordinate, such as ``"C0Z5T2"`` or ``{"C": "DAPI"}``; S is
            allowed.
        roi
            Only sub-blocks that meet this rectangle (x, y, w, h) in pixels.
        only_layer0
            Leave out the pyramid.

        Raises
        ------
        ValueError
            If the plane or roi is malformed.
        """
        with self._session.document() as document:
            table = document.table
            coordinate = _coordinate(table, plane)
        rows = matching(
            table,
            coordinate=coordinate,
            roi=None if roi is None else parse_roi(roi),
            only_layer0=only_layer0,
        )
        for index in np.unique(table.rows.sub_blocks(rows)).tolist():
            if not func(index, sub_block_info(table, index)):
                return

    def read_subblock(self, index: int) -> SubBlock:
        """Return a sub-block; its pixels, metadata and attachment are read on demand.

        Parameters
        ----------
        index
            The position in the sub-block directory, from 0.

        Raises
        ------
        OutOfBoundsError
            If the sub-block does not exist.
        """
        index = whole_number(index, "the index of a sub-block")
        with self._session.document() as document:
            count = document.directory.count
            if not 0 <= index < count:
                raise OutOfBoundsError(
                    f"there is no sub-block {index} in {document.name}; "
                    + (f"they go from 0 to {count - 1}" if count else "it has none")
                )
            table = document.table
            planes = [table.directory.coordinate(row) for row in table.rows.rows_of(index)]
            info = sub_block_info(table, index)
            return SubBlock(index, info, planes, self._decoder, document.name)

    @contextmanager
    def _decoder(self) -> Iterator[SubBlockDecoder]:
        """Hold the document open while one of its sub-blocks is read."""
        with self._session.document() as document:
            try:
                yield document.decoder
            except CorruptFileError:  # the file may have been changing
                document.require_unchanged()
                raise
            document.require_unchanged()


def _bounding_box(table: SubBlockTable, rectangle: Rectangle) -> dict[str, tuple[int, int]]:
    box = {"T": (0, 1), "Z": (0, 1), "C": (0, 1)}
    for name, (start, size) in table.plane_bounds.items():
        box[name] = (start, start + size)
    box["X"] = (rectangle.x, rectangle.x + rectangle.w)
    box["Y"] = (rectangle.y, rectangle.y + rectangle.h)
    return box


def _coordinate(table: SubBlockTable, plane: str | Plane | None) -> dict[str, int] | None:
    if plane is None:
        return None
    return parse_coordinate(numbered_plane(table, plane) if isinstance(plane, Mapping) else plane)


def _channel(table: SubBlockTable, channel: int | str | None) -> int:
    """Return the number of a channel; by default the lowest one, or 0 where there are none."""
    if channel is None:
        return table.plane_bounds.get("C", (0, 1))[0]
    try:
        return whole_number(numbers_of(table, "C", channel))
    except TypeError:
        raise TypeError(
            f"a channel is given by its number or its name, not by {channel!r}"
        ) from None


def _pixel_type_name(number: int) -> str:
    return PixelType(number).name if number in list(PixelType) else "Invalid"
