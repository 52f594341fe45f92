"""The directory entry of a sub-block, in pylibCZIrw's terms."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from czictypes.model.geometry import ABSENT, DIMENSION_INDEX, Coordinate, Rectangle, Size
from czictypes.model.pixel_types import PixelType
from czictypes.reading.table import SubBlockTable

__all__ = ["CompressionMode", "SubBlockCoordinate", "SubBlockInfo", "matching", "sub_block_info"]


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
    """One entry of the sub-block directory; the names are those of pylibCZIrw."""

    compressionModeRaw: int  # noqa: N815
    pixelType: PixelType | int  # noqa: N815
    coordinate: SubBlockCoordinate
    logicalRect: Rectangle  # noqa: N815
    physicalSize: Size  # noqa: N815
    mIndex: int  # noqa: N815

    def get_compression_mode(self) -> CompressionMode:
        """Return the compression scheme; `compressionModeRaw` has the number of an unknown one."""
        known = self.compressionModeRaw in list(CompressionMode)
        return CompressionMode(self.compressionModeRaw) if known else CompressionMode.Invalid

    def get_zoom(self) -> float:
        """Return physical over logical size along the longer side: 1 on layer 0."""
        physical, logical = self.physicalSize, self.logicalRect
        if physical.w > physical.h:
            return physical.w / logical.w
        return physical.h / logical.h

    def is_mindex_valid(self) -> bool:
        """Tell whether the sub-block has an M-index."""
        return self.mIndex != ABSENT


def sub_block_info(table: SubBlockTable, index: int) -> SubBlockInfo:
    """Return what the file's directory says of one sub-block; its place as reads have it."""
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
        physicalSize=Size(int(rows.physical_w[index]), int(rows.physical_h[index])),
        mIndex=int(rows.m[index]),
    )


def matching(
    table: SubBlockTable,
    *,
    coordinate: Coordinate | None,
    roi: Rectangle | None,
    only_layer0: bool,
) -> NDArray[np.intp]:
    """Return the rows that lie in a plane and meet a rectangle.

    A coordinate names some of the dimensions; a row that lies elsewhere in one of them is left
    out. A row that lacks a dimension in which others lie is at each place in it, as for a read, but
    is in no scene.
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
        wanted &= _meets(table, roi)
    return np.flatnonzero(wanted)


def _at(positions: NDArray[np.int32], value: int, start: int, size: int) -> NDArray[np.bool_]:
    found: NDArray[np.bool_] = positions == value
    return found | (positions == ABSENT) if start <= value < start + size else found


def _meets(table: SubBlockTable, roi: Rectangle) -> NDArray[np.bool_]:
    rows = table.directory
    right = rows.x.astype(np.int64) + rows.w
    bottom = rows.y.astype(np.int64) + rows.h
    met: NDArray[np.bool_] = (
        (rows.x < roi.x + roi.w) & (right > roi.x) & (rows.y < roi.y + roi.h) & (bottom > roi.y)
    )
    return met
