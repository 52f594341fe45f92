"""Turns one sub-block of the file into an array: checked, decoded, and cached if asked for."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray

from czictypes.container.byte_source import ByteSource
from czictypes.container.directory import Directory
from czictypes.container.file_source import FileSource
from czictypes.container.masks import Mask, find_mask
from czictypes.container.subblock import (
    SubBlockSegment,
    check_pixels,
    describe_subblock,
    read_attachment_bytes,
    read_data_bytes,
    read_metadata_bytes,
    read_subblock_segment,
)
from czictypes.container.zstd import decode_zstd, needs_own_decoder
from czictypes.metadata.subblock import has_chunk_container
from czictypes.model.errors import CorruptFileError, NativeCallError
from czictypes.model.pixel_types import Compression, PixelType, pixel_format
from czictypes.reading.cache import SubBlockCache
from czictypes.reading.expectation import Expectation
from czictypes.reading.grid_runs import GridRuns
from czictypes.reading.native_reader import NativeReader
from czictypes.reading.stored import StoredTiles
from czictypes.reading.tile import Tile

__all__ = ["SubBlockDecoder"]


class SubBlockDecoder:
    """Decodes the sub-blocks of one opened document; safe to use from many threads.

    Parameters
    ----------
    source, directory, reader
        The file's bytes, its sub-block directory, and libCZI's reader on it.
    cache
        Where decoded tiles are kept, or None.
    mask_aware
        Whether tiles carry the valid-pixel mask of their sub-block.
    expectation
        Is told beforehand what a read needs, where that pays.
    """

    def __init__(
        self,
        source: ByteSource,
        directory: Directory,
        reader: NativeReader,
        *,
        cache: SubBlockCache | None = None,
        cache_uncompressed: bool = False,
        mask_aware: bool = False,
        expectation: Expectation | None = None,
    ) -> None:
        self._source = source
        self._directory = directory
        self._reader = reader
        self._cache = cache
        self._cache_uncompressed = cache_uncompressed
        self._mask_aware = mask_aware
        self.expectation = expectation
        self._stored = StoredTiles(source, directory)
        #: Whether to read bytes twice takes next to no time.
        self.is_local = isinstance(source, FileSource)
        #: Paints many small tiles at once; None where the cache is to keep them.
        self.grids: GridRuns | None = None
        if self.is_local and not cache_uncompressed:
            self.grids = GridRuns(source, directory, self._stored.batches)

    @contextmanager
    def tile(self, index: int) -> Iterator[Tile]:
        """Give the pixels of a sub-block, valid for the length of the `with` block.

        Raises
        ------
        CorruptFileError
            If the sub-block contradicts the format or cannot be decoded.
        UnsupportedDataError
            If its compression is one that libCZI does not decode.
        """
        kept = None if self._cache is None else self._cache.get(index)
        if kept is not None:
            yield kept
            return
        segment = self.segment(index)
        mask = self._mask(segment) if self._mask_aware else None
        with self._pixels(segment) as pixels:
            cache = self._cache_for(index)
            if cache is None:
                yield Tile(pixels, mask)
                return
            kept = Tile(pixels.copy(), mask)
        cache.put(index, kept)
        yield kept

    def tiles(self, indices: Sequence[int]) -> Generator[Tile, None, None]:
        """Give the pixels of several sub-blocks, each valid until the next one is asked for.

        What is stored as it is, or in zstd, is read without libCZI, and many small sub-blocks at
        a time; of large ones only the pixels that are used. Raises what `tile` raises.
        """
        kept = self._kept(indices)
        missing = [] if self._mask_aware else [index for index in indices if index not in kept]
        found = dict(zip(missing, self._stored.find(missing))) if missing else {}
        for index in indices:
            tile = kept.get(index)
            data = found.get(index)
            if tile is None and data is not None:
                cache = self._cache_for(index)
                tile = self._stored.tile(index, data, lasting=cache is not None)
                if tile is not None and cache is not None:
                    cache.put(index, tile)
            if tile is not None:
                yield tile
            else:
                with self.tile(index) as tile:
                    yield tile

    def are_at_hand(self, indices: Sequence[int]) -> bool:
        """Whether tiles need no decoding: those in the cache, and those stored as they are."""
        compression = self._directory.compression
        return all(
            (self._cache is not None and index in self._cache)
            or (self.is_local and compression.item(index) == Compression.Uncompressed)
            for index in indices
        )

    def _kept(self, indices: Sequence[int]) -> dict[int, Tile]:
        if self._cache is None:
            return {}
        looked_up = {index: self._cache.get(index) for index in indices}
        return {index: tile for index, tile in looked_up.items() if tile is not None}

    def segment(self, index: int) -> SubBlockSegment:
        """Read and check the head of a sub-block."""
        return read_subblock_segment(self._source, self._directory, index)

    def pixels(self, index: int) -> NDArray[np.generic]:
        """Return the decoded pixels as an array of the caller's own, (height, width, samples)."""
        with self._pixels(self.segment(index)) as pixels:
            copied: NDArray[np.generic] = pixels.copy()
            return copied

    def data(self, index: int) -> bytes:
        """Return the pixel data as they stand in the file."""
        return read_data_bytes(self._source, self.segment(index))

    def metadata(self, index: int) -> bytes:
        """Return the XML of a sub-block as it stands in the file, empty where there is none."""
        return read_metadata_bytes(self._source, self.segment(index))

    def attachment(self, index: int) -> bytes:
        """Return the attachment of a sub-block, empty where there is none."""
        return read_attachment_bytes(self._source, self.segment(index))

    def mask(self, index: int) -> NDArray[np.bool_] | None:
        """Return the valid-pixel mask of a sub-block in the size of its bitmap, or None."""
        return self._mask(self.segment(index))

    @contextmanager
    def _pixels(self, segment: SubBlockSegment) -> Iterator[NDArray[np.generic]]:
        check_pixels(self._source, segment)
        if needs_own_decoder(self._source, segment):
            yield self._decode_here(segment)
            return
        try:
            sub_block = self._reader.handle.read_sub_block(segment.index)
        except NativeCallError as error:
            raise self._undecodable(segment, error) from error
        with sub_block:
            try:
                bitmap = sub_block.create_bitmap()
            except NativeCallError as error:
                raise self._undecodable(segment, error) from error
            with bitmap, bitmap.locked() as pixels:
                yield pixels

    def _decode_here(self, segment: SubBlockSegment) -> NDArray[np.generic]:
        data, layout = read_data_bytes(self._source, segment), pixel_format(segment.pixel_type)
        width, height = segment.physical_w, segment.physical_h
        if segment.compression == Compression.Uncompressed:
            pixels: NDArray[np.generic] = np.ndarray(
                (height, width, layout.samples), layout.dtype, data
            )
            return pixels
        where = describe_subblock(self._source, segment.index, segment.position)
        return decode_zstd(data, segment.compression, width, height, layout, where)

    def _cache_for(self, index: int) -> SubBlockCache | None:
        """Return the cache if it is to keep a sub-block."""
        compressed = self._directory.compression[index] != Compression.Uncompressed
        return self._cache if compressed or self._cache_uncompressed else None

    def _mask(self, segment: SubBlockSegment) -> NDArray[np.bool_] | None:
        if not segment.attachment_size:
            return None
        if not has_chunk_container(read_metadata_bytes(self._source, segment)):
            return None
        mask = find_mask(
            read_attachment_bytes(self._source, segment),
            describe_subblock(self._source, segment.index, segment.position),
        )
        return None if mask is None else _fit(mask, segment.physical_w, segment.physical_h)

    def _undecodable(self, segment: SubBlockSegment, error: NativeCallError) -> BaseException:
        if isinstance(error, MemoryError) or error.__cause__ is not None:
            return error.__cause__ or error  # the source could not be read: no fault of the file
        where = describe_subblock(self._source, segment.index, segment.position)
        kind = f"{Compression(segment.compression).name}, {PixelType(segment.pixel_type).name}"
        return CorruptFileError(f"{where} ({kind}) cannot be decoded; its data are damaged")


def _fit(mask: Mask, width: int, height: int) -> NDArray[np.bool_]:
    """Bring a mask to the bitmap's size; what lies outside the mask counts as invalid."""
    if (mask.width, mask.height) == (width, height):
        return mask.bits
    fitted = np.zeros((height, width), dtype=bool)
    rows, columns = min(height, mask.height), min(width, mask.width)
    fitted[:rows, :columns] = mask.bits[:rows, :columns]
    return fitted
