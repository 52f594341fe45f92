"""One sub-block: pixels, raw bytes, metadata, attachment and mask, each read on demand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from enum import IntEnum
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from czictypes.container.subblock import read_many_metadata
from czictypes.metadata.subblock_tags import (
    SubBlockColumns,
    SubBlockMetadata,
    read_subblock_metadata,
)
from czictypes.metadata.xml import to_dict, to_text
from czictypes.model.errors import OutOfBoundsError
from czictypes.model.geometry import ABSENT, DIMENSION_INDEX, Coordinate, Rectangle, Size
from czictypes.model.lazy import cached_property
from czictypes.model.pixel_types import PixelType
from czictypes.model.public import defended
from czictypes.reading.decode import SubBlockDecoder
from czictypes.reading.table import SubBlockTable

if TYPE_CHECKING:
    from czictypes.reading.document import OpenDocument


class SubBlockCoordinate(dict[str, int]):
    """The plane coordinate of a sub-block: a dictionary from dimension to position."""

    def to_dict(self) -> dict[str, int]:
        """Return a plain dictionary."""
        return dict(self)

    def try_get_position(self, dimension: object) -> int | None:
        """Return the position in a dimension (its letter, or an enum of that name), or None."""
        return self.get(str(getattr(dimension, "name", dimension)))


class CompressionMode(IntEnum):
    """The compression schemes that pylibCZIrw knows, by its names."""

    UnCompressed = 0
    Jpg = 1
    JpgXr = 4
    Zstd0 = 5
    Zstd1 = 6
    Invalid = 255


class SubBlockInfo(NamedTuple):
    """One entry of the sub-block directory, with the names of pylibCZIrw.

    Attributes
    ----------
    compressionModeRaw
        The number of the compression scheme; see `get_compression_mode`.
    pixelType
        The pixel type, or its number if it is unknown.
    coordinate
        The position in each dimension that the sub-block has.
    logicalRect
        The rectangle that it covers, in pixels of the raw-sub-block coordinate system.
    physicalSize
        The size of the stored bitmap in pixels.
    mIndex
        The M-index; see `is_mindex_valid`.
    """

    compressionModeRaw: int  # noqa: N815
    pixelType: PixelType | int  # noqa: N815
    coordinate: SubBlockCoordinate
    logicalRect: Rectangle  # noqa: N815
    physicalSize: Size  # noqa: N815
    mIndex: int  # noqa: N815

    def get_compression_mode(self) -> CompressionMode:
        """Return the compression scheme; Invalid if `compressionModeRaw` is an unknown number."""
        known = self.compressionModeRaw in list(CompressionMode)
        return CompressionMode(self.compressionModeRaw) if known else CompressionMode.Invalid

    def get_zoom(self) -> float:
        """Return physical over logical size along the longer side: 1 on layer 0."""
        physical, logical = self.physicalSize, self.logicalRect
        if physical.w > physical.h:
            return physical.w / logical.w
        return physical.h / logical.h

    def is_mindex_valid(self) -> bool:
        """Return whether the sub-block has an M-index."""
        return self.mIndex != ABSENT


def sub_block_info(table: SubBlockTable, index: int) -> SubBlockInfo:
    """Return a sub-block's entry in the file's directory, with its rectangle as reads see it."""
    rows = table.rows.stored
    coordinate = SubBlockCoordinate(
        (name, int(rows.coordinates[name][index]))
        for name in DIMENSION_INDEX
        if name in rows.coordinates and rows.coordinates[name][index] != ABSENT
    )
    number = int(rows.pixel_type[index])
    return SubBlockInfo(
        compressionModeRaw=int(rows.compression[index]),
        pixelType=PixelType(number) if number in list(PixelType) else number,
        coordinate=coordinate,
        logicalRect=table.rectangle(table.rows.rows_of(index).start),
        physicalSize=Size(int(rows.stored_w[index]), int(rows.stored_h[index])),
        mIndex=int(rows.m[index]),
    )


def matching(
    table: SubBlockTable,
    *,
    coordinate: Coordinate | None,
    roi: Rectangle | None,
    only_layer0: bool,
) -> NDArray[np.intp]:
    """Return the rows that lie at a coordinate and meet a rectangle.

    The coordinate names some of the dimensions. A row that lacks a dimension of other rows is at
    every position in it, as for a read; but a row without S is in no scene.
    """
    wanted: NDArray[np.bool_] = np.ones(table.count, dtype=bool)
    rows = table.directory
    for name, value in (coordinate or {}).items():
        start, size = table.plane_bounds.get(name, (0, 0))
        positions = rows.coordinates.get(name)
        wanted &= False if positions is None else _at(positions, value, start, size)
    if only_layer0:
        wanted &= table.is_layer0
    if roi is not None:
        wanted &= table.meets(roi)
    return np.flatnonzero(wanted)


def _at(positions: NDArray[np.int32], value: int, start: int, size: int) -> NDArray[np.bool_]:
    found: NDArray[np.bool_] = positions == value
    return found | (positions == ABSENT) if start <= value < start + size else found


#: The default fields.
STANDARD_FIELDS = ("stage_x", "stage_y", "focus_z", "acquisition_time")

_AT_ONCE = 4096  # the number of sub-blocks whose XML is in memory at a time


def read_columns(
    document: OpenDocument, indices: Sequence[int] | NDArray[np.intp], names: str | Sequence[str]
) -> dict[str, NDArray[Any]]:
    """Return ``index`` and a column for each name; see `CziReader.subblock_metadata`."""
    rows = _numbers(indices)
    count = document.directory.count
    outside = rows[(rows < 0) | (rows >= count)]
    if len(outside):
        raise OutOfBoundsError(
            f"there is no sub-block {outside[0]} in {document.name}, which has {count}"
        )
    columns = SubBlockColumns(names)
    for first in range(0, len(rows), _AT_ONCE):
        some = rows[first : first + _AT_ONCE].tolist()
        found = read_many_metadata(document.source, document.directory, some)
        for index, xml in zip(some, found):
            if isinstance(xml, bytes):
                columns.add(index, xml)
            else:
                columns.miss(index, xml)
    return {"index": rows, **columns.arrays()}


def _numbers(indices: Any) -> NDArray[np.int64]:
    try:
        rows = np.asarray(indices, None if np.size(indices) else np.int64)
    except ValueError:  # lists of unequal lengths
        rows = np.array(None)
    if rows.dtype.kind not in "iu":
        raise TypeError(f"indices must be whole numbers, those of sub-blocks, not {indices!r}")
    return rows.astype(np.int64).reshape(-1)


_Decoder = Callable[[], "AbstractContextManager[SubBlockDecoder]"]


@defended(lambda sub_block: sub_block._file)
class SubBlock:
    """A sub-block of an open document; reading from it requires the reader to stay open.

    Attributes
    ----------
    index
        The position in the sub-block directory.
    info
        The entry in the directory, a `SubBlockInfo`.
    planes
        The coordinate of each of its planes, S included. Almost always there is one; line scans
        have many, at consecutive positions in T.
    """

    def __init__(
        self,
        index: int,
        info: SubBlockInfo,
        planes: list[dict[str, int]],
        decoder: _Decoder,
        file: str,
    ) -> None:
        self.index = index
        self.info = info
        self.planes = planes
        self._decoder = decoder
        self._file = file

    def __repr__(self) -> str:
        x, y, w, h = self.info.logicalRect
        plane = ", ".join(f"{name}={value}" for name, value in self.info.coordinate.items())
        return f"<SubBlock {self.index}: {w} x {h} at ({x}, {y}), {plane}>"

    def pixels(self) -> NDArray[np.generic]:
        """Return the bitmap as it is stored, unscaled.

        Returns
        -------
        numpy.ndarray
            (height, width, samples) in the dtype of the sub-block's pixel type; colour samples are
            in the order B, G, R. A sub-block with several planes returns (planes, height, width,
            samples) in the order of `planes`.

        Raises
        ------
        CorruptFileError
            If the data cannot be decoded.
        UnsupportedDataError
            If czictypes does not decode the compression.
        """
        with self._decoder() as decoder:
            pixels = decoder.pixels(self.index)
        count = len(self.planes)
        if count == 1:
            return pixels
        return pixels.reshape(count, pixels.shape[0] // count, *pixels.shape[1:])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """Return `pixels()`, for ``numpy.asarray(sub_block)``."""
        pixels = self.pixels()
        return pixels if dtype is None else pixels.astype(dtype)

    @property
    def raw_data(self) -> bytes:
        """The pixel data as stored in the file, compressed or not."""
        with self._decoder() as decoder:
            return decoder.data(self.index)

    @cached_property
    def raw_metadata(self) -> str:
        """The sub-block's XML; empty if it has none."""
        with self._decoder() as decoder:
            return to_text(decoder.metadata(self.index))

    @property
    def metadata(self) -> dict[str, Any]:
        """The sub-block's XML as nested dictionaries; empty if it has none."""
        return to_dict(self.raw_metadata) if self.raw_metadata else {}

    @cached_property
    def _described(self) -> SubBlockMetadata:
        return read_subblock_metadata(self.raw_metadata)

    @property
    def stage_position(self) -> tuple[float | None, float | None, float | None]:
        """Stage x, stage y and focus z in micrometres; None for each that is not recorded."""
        described = self._described
        return described.stage_x, described.stage_y, described.focus_z

    @property
    def acquisition_time(self) -> datetime | None:
        """The time at which the pixels were acquired, or None if it is not recorded."""
        return self._described.acquisition_time

    @property
    def tags(self) -> dict[str, str]:
        """The text of every tag in the sub-block's metadata, by name."""
        return self._described.tags

    @property
    def attachment(self) -> bytes:
        """The sub-block's attachment; empty if it has none."""
        with self._decoder() as decoder:
            return decoder.attachment(self.index)

    @property
    def mask(self) -> NDArray[np.bool_] | None:
        """The mask of valid pixels, (height, width) of bool, or None if the file stores none."""
        with self._decoder() as decoder:
            return decoder.mask(self.index)
