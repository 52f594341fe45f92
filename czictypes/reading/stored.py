"""Tiles without libCZI: of sub-blocks that are stored as they are, or in zstd."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from czictypes.container.batch import BatchReader, StoredData
from czictypes.container.byte_source import ByteSource
from czictypes.container.directory import Directory
from czictypes.container.payload import PAYLOAD_HEAD, scheme_of
from czictypes.container.pixels import FilePixels, PixelArray
from czictypes.container.subblock import describe_subblock
from czictypes.container.zstd import unpack_zstd
from czictypes.model.errors import CorruptFileError, MissingExtraError
from czictypes.model.pixel_types import Compression, PixelFormat, PixelType, pixel_format
from czictypes.reading.scratch import Scratch
from czictypes.reading.tile import Tile

__all__ = ["StoredTiles"]

# By the number of a pixel type.
_LAYOUTS = {int(kind): pixel_format(kind) for kind in PixelType}
_DTYPES = {kind: np.dtype(layout.dtype) for kind, layout in _LAYOUTS.items()}


class StoredTiles:
    """Reads tiles from the file straight; safe to use from many threads.

    Parameters
    ----------
    source, directory
        The file's bytes, and its sub-block directory.
    """

    def __init__(self, source: ByteSource, directory: Directory) -> None:
        self._source = source
        self._directory = directory
        self.batches = BatchReader(source, directory)
        # What the bytes of a tile are read into, and what they are decoded into.
        self._packed, self._pixels = Scratch(), Scratch()

    def find(self, indices: Sequence[int]) -> list[StoredData | None]:
        """Find where the pixels of some sub-blocks are; None for those that libCZI has to read."""
        return self.batches.read(indices)

    def tile(self, index: int, data: StoredData, *, lasting: bool = False) -> Tile | None:
        """Return the tile; None where libCZI has to decode it after all.

        Its pixels, where they are no array, are valid until the thread asks for others. Those of a
        `lasting` tile are an array in memory of their own.

        Raises
        ------
        CorruptFileError
            If zstd data cannot be decoded.
        """
        layout = _LAYOUTS[data.pixel_type]
        shape = data.height, data.width, layout.samples
        pixels: PixelArray
        if data.compression != Compression.Uncompressed:
            try:
                unpacked = self._unpacked(index, data, layout, lasting)
            except MissingExtraError:  # zstd need not be in every Python
                return None
            if unpacked is None:
                return None
            pixels = unpacked
        elif data.buffer is not None:
            part = np.ndarray(shape, _DTYPES[data.pixel_type], data.buffer, data.start)
            pixels = part.copy() if lasting else part
        else:
            scratch, name = self._pixels.take, self._name(index)
            dtype = _DTYPES[data.pixel_type]
            pixels = FilePixels(self._source, data.offset, shape, dtype, scratch, name)
        return Tile(pixels[:, :] if lasting else pixels)

    def _unpacked(
        self, index: int, data: StoredData, layout: PixelFormat, lasting: bool
    ) -> PixelArray | None:
        """Return the pixels of data that are labelled as zstd; None where libCZI has to.

        Real files give this label to plain pixels, too.
        """
        name = self._name(index)
        if data.buffer is not None:
            packed = memoryview(data.buffer)[data.start : data.start + data.size]
        else:
            packed = (_new if lasting else self._packed.take)(data.size).data
            packed = packed[: self._source.read_into(data.offset, packed)]
        if len(packed) < data.size:
            raise CorruptFileError(f"{name} was cut off while it was read")
        claimed = data.width * data.height * layout.bytes_per_pixel
        scheme = scheme_of(bytes(packed[:PAYLOAD_HEAD]), data.compression, data.size, claimed)
        if scheme == Compression.Uncompressed:
            shape = data.height, data.width, layout.samples
            plain: PixelArray = np.ndarray(shape, layout.dtype, packed)
            return plain
        if scheme not in (Compression.Zstd0, Compression.Zstd1):
            return None
        buffer = _new if lasting else self._pixels.take
        return unpack_zstd(packed, scheme, data.width, data.height, layout, name, buffer)

    def _name(self, index: int) -> str:
        return describe_subblock(self._source, index, int(self._directory.file_position[index]))


def _new(size: int) -> NDArray[np.uint8]:
    return np.empty(size, np.uint8)
