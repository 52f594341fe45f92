"""The largest extent of the bytes of sub-blocks, from the directory alone.

A sub-block's head tells exactly, but to wait for it costs a remote read a round trip.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from czictypes.container.byte_source import Range
from czictypes.container.directory import Directory
from czictypes.container.segments import FileHeader
from czictypes.model.pixel_types import Compression, PixelType, pixel_format

__all__ = ["SubBlockExtents"]

#: What comes before the pixels, where the metadata of a sub-block are not unusually long.
_HEAD = 288
_METADATA_ROOM = 4096
#: Packed pixels are hardly ever longer than pixels.
_PACKED_ROOM = 16 << 10
#: Of tiles up to this size all is read: their rows are not worth a request of their own.
_SMALL = 256 << 10

_PIXEL_SIZES = {int(kind): pixel_format(kind).bytes_per_pixel for kind in PixelType}


class SubBlockExtents:
    """Tells how far sub-blocks reach, and which ranges of the file to fetch for their pixels.

    Parameters
    ----------
    directory
        The sub-block directory.
    size
        The file's size in bytes.
    header
        The file header; what it names ends the sub-block before it as well.
    """

    def __init__(self, directory: Directory, size: int, header: FileHeader | None = None) -> None:
        self._directory = directory
        ends = [size]
        if header is not None:
            ends += [
                header.directory_position,
                header.metadata_position,
                header.attachment_directory_position,
            ]
        found = np.concatenate([directory.file_position, np.array(ends, np.int64)])
        self._ends: NDArray[np.int64] = np.unique(found[found > 0])

    def room(self, indices: NDArray[np.intp] | slice) -> NDArray[np.int64]:
        """Return how many bytes there are for each sub-block up to where something else begins."""
        begins = self._directory.file_position[indices]
        places = np.searchsorted(self._ends, begins, side="right")
        ends = self._ends[np.minimum(places, len(self._ends) - 1)]
        room: NDArray[np.int64] = np.maximum(ends - begins, 0)
        return room

    def whole(self, indices: NDArray[np.intp]) -> list[Range]:
        """Return the range of each sub-block, up to where something else begins."""
        begins = self._directory.file_position[indices]
        return list(zip(begins.tolist(), self.room(indices).tolist()))

    def pixels(self, indices: NDArray[np.intp], rows: list[tuple[int, int]]) -> list[Range]:
        """Return the ranges with head and pixels of sub-blocks, one or two for each.

        Parameters
        ----------
        indices
            The sub-blocks.
        rows
            Which rows of pixels of each are needed, the end excluded.
        """
        found: list[Range] = []
        columns = self._directory
        packed = (columns.compression[indices] != Compression.Uncompressed.value).tolist()
        kinds = columns.pixel_type[indices].tolist()
        sizes = zip(columns.physical_w[indices].tolist(), columns.physical_h[indices].tolist())
        for (begin, room), kind, (width, height), is_packed, (first, end) in zip(
            self.whole(indices), kinds, sizes, packed, rows
        ):
            row = max(width, 0) * _PIXEL_SIZES.get(kind, 1)
            claimed = row * max(height, end)  # a sub-block may hold several planes
            most = _HEAD + _METADATA_ROOM + claimed
            if is_packed or claimed <= _SMALL or (end - first) * row > claimed - _SMALL:
                found.append((begin, min(room, most + (_PACKED_ROOM if is_packed else 0))))
                continue
            start = min(_HEAD + first * row, room)
            stop = min(_HEAD + _METADATA_ROOM + end * row, room)
            found += [(begin, min(_HEAD + _METADATA_ROOM, room)), (begin + start, stop - start)]
        return found
