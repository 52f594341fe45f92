"""Turns sub-blocks of the file into arrays: checks them, decodes them and fills the cache."""

from __future__ import annotations

import threading
from contextlib import suppress
from io import BytesIO

import numpy as np
from numpy.typing import NDArray

from czictypes.container.attachments import Mask, find_mask
from czictypes.container.byte_source import ByteSource
from czictypes.container.limits import bitmap_size, check_growth
from czictypes.container.payload import Payload
from czictypes.container.pictures import decoded_picture
from czictypes.container.subblock import (
    SubBlockSegment,
    check_pixels,
    describe_subblock,
    read_attachment_bytes,
    read_data_bytes,
    read_metadata_bytes,
    read_subblock_segment,
)
from czictypes.container.workers import aside
from czictypes.container.zstd import decode_zstd
from czictypes.metadata.subblock_tags import has_chunk_container
from czictypes.model.errors import (
    CorruptFileError,
    MissingExtraError,
    NativeCallError,
    UnsupportedDataError,
)
from czictypes.model.pixel_types import Compression, PixelType, pixel_format
from czictypes.reading.jpegxr_process import HelperEndedError, decode_apart, decodes_apart
from czictypes.reading.native_reader import decoded
from czictypes.reading.planes import PlaneRows
from czictypes.reading.result_memory import ResultMemory
from czictypes.reading.tiles import DecodedTile, Prefetcher, SubBlockCache

#: The bytes of decoded sub-blocks with several planes that are kept, or of a single larger one.
_MOST_KEPT, _LARGEST_KEPT = 256 << 20, 1 << 30
_JPEG_MODES = {int(PixelType.Gray8): "L", int(PixelType.Bgr24): "RGB"}
#: Decoding so many pixels may take longer than an interrupt may wait.
_LONG = 4 << 20
#: The largest factor by which a mask may be enlarged.
_MASK_GROWTH = 1024


class SubBlockDecoder:
    """Decodes the sub-blocks of one open document; safe to use from many threads.

    Methods take the numbers of sub-blocks, except those that take a `row` of `PlaneRows`.
    `prefetcher` fetches bytes ahead of a read, and `memory` limits the arrays that `pixels` and
    `mask` return.
    """

    def __init__(
        self,
        source: ByteSource,
        rows: PlaneRows,
        *,
        cache: SubBlockCache | None = None,
        cache_uncompressed: bool = False,
        mask_aware: bool = False,
        prefetcher: Prefetcher | None = None,
        memory: ResultMemory | None = None,
    ) -> None:
        self._source = source
        self._rows = rows
        self.cache = cache
        self._cache_uncompressed = cache_uncompressed
        self._mask_aware = mask_aware
        self.prefetcher = prefetcher
        self._memory = memory or ResultMemory()
        self._stacks = _RecentStacks()

    def tile(self, row: int, first: int = 0, end: int | None = None) -> DecodedTile:
        """Return a row of the table, decoded at least from pixel row `first` up to `end`.

        Raises CorruptFileError if the sub-block contradicts the format or cannot be decoded, and
        UnsupportedDataError if czictypes does not decode its compression.
        """
        kept = None if self.cache is None else self.cache.get(row)
        if kept is not None:
            return kept
        segment = self.segment(self._rows.sub_block_of(row))
        cache = self._cache_for(row)
        height, stored = self._rows.directory.stored_h.item(row), segment.stored_h
        needed = begin, stop = 0, stored
        if end is not None and height:
            needed = first * stored // height, (end - 1) * stored // height + 1
            if cache is None:
                begin, stop = needed
        try:
            pixels = self._plane(row, segment, begin, stop)
        except CorruptFileError:
            if needed == (begin, stop):
                raise
            cache, (begin, stop) = None, needed  # the rest may be damaged
            pixels = self._plane(row, segment, begin, stop)
        mask = self._mask_of(row, segment) if self._mask_aware else None
        tile = DecodedTile(pixels, begin, stored, mask)
        if cache is not None:
            cache.put(row, tile)
        return tile

    def segment(self, index: int) -> SubBlockSegment:
        """Read and check the head of a sub-block."""
        return read_subblock_segment(self._source, self._rows.stored, index)

    def pixels(self, index: int) -> NDArray[np.generic]:
        """Return all planes as stored, (planes * height, width, samples), in a new array."""
        segment = self.segment(index)
        payload = check_pixels(self._source, segment)
        shape = segment.stored_h * payload.planes, segment.stored_w
        pixel = pixel_format(segment.pixel_type).bytes_per_pixel
        self._memory.check(shape, shape[0] * shape[1] * pixel)
        pixels = self._stack(segment, payload)
        return pixels if pixels.flags.writeable and pixels.flags.c_contiguous else pixels.copy()

    def stored_plane(self, row: int) -> NDArray[np.generic]:
        """Return the pixels of a row in their stored size, (height, width, samples)."""
        segment = self.segment(self._rows.sub_block_of(row))
        return self._plane(row, segment, 0, segment.stored_h)

    def data(self, index: int) -> bytes:
        """Return the pixel data as stored in the file."""
        return read_data_bytes(self._source, self.segment(index))

    def metadata(self, index: int) -> bytes:
        """Return the XML of a sub-block as stored in the file; empty if there is none."""
        return read_metadata_bytes(self._source, self.segment(index))

    def attachment(self, index: int) -> bytes:
        """Return the attachment of a sub-block; empty if there is none."""
        return read_attachment_bytes(self._source, self.segment(index))

    def mask(self, index: int) -> NDArray[np.bool_] | None:
        """Return the valid-pixel mask of a sub-block in its stored size, or None."""
        return self._mask(self.segment(index))

    def mask_of_row(self, row: int) -> NDArray[np.bool_] | None:
        """Return the valid-pixel mask of a row in the size in which the row is read, or None."""
        return self._mask_of(row, self.segment(self._rows.sub_block_of(row)))

    def _plane(
        self, row: int, segment: SubBlockSegment, first: int, end: int
    ) -> NDArray[np.generic]:
        """Return some pixel rows of a row of the table, as they are stored."""
        payload = check_pixels(self._source, segment)
        part, height = self._rows.part_of(row), segment.stored_h
        if part and part >= payload.planes:
            raise CorruptFileError(
                f"the entry of {self._name(segment)} claims {segment.planes} planes, but its data "
                f"hold {payload.planes}; the file is damaged, or changed since it was opened"
            )
        above = part * height
        if payload.compression == Compression.Uncompressed:
            return self._stored_rows(segment, above + first, above + end)
        if payload.planes == 1:
            return self._stack(segment, payload, end)[first:end]
        stack = self._stacks.get(segment.index)
        if stack is None:
            stack = self._stack(segment, payload)
            self._stacks.keep(segment.index, stack)
        return stack[above + first : above + end]

    def _stored_rows(self, segment: SubBlockSegment, first: int, end: int) -> NDArray[np.generic]:
        """Read pixel rows that are not compressed."""
        layout = pixel_format(segment.pixel_type)
        pixels = np.empty((end - first, segment.stored_w, layout.samples), layout.dtype)
        offset = segment.data_offset + first * segment.stored_w * layout.bytes_per_pixel
        found = self._source.read_into(offset, pixels.reshape(-1).view(np.uint8).data)
        if found < pixels.nbytes:
            raise CorruptFileError(
                f"{self._name(segment)} was cut off while it was read: {pixels.nbytes} bytes "
                f"asked for, {found} found"
            )
        return pixels

    def _stack(
        self, segment: SubBlockSegment, payload: Payload, rows: int | None = None
    ) -> NDArray[np.generic]:
        """Return the pixels of all planes of a sub-block, one plane below the other.

        Or at least the first `rows`: what follows these in zstd data may be damaged.
        """
        height, width = segment.stored_h * payload.planes, segment.stored_w
        scheme, name = payload.compression, self._name(segment)
        if scheme == Compression.Uncompressed:
            return self._stored_rows(segment, 0, height)
        packed = read_data_bytes(self._source, segment)

        def unpack() -> NDArray[np.generic]:
            if scheme == Compression.Jpg:
                return _decode_jpeg(packed, (height, width), segment.pixel_type, name)
            layout = pixel_format(segment.pixel_type)
            if scheme in (Compression.Zstd0, Compression.Zstd1):
                with suppress(MissingExtraError):  # libCZI decodes most of it, too
                    return decode_zstd(packed, scheme, width, height, layout, name, rows)
            return self._decoded_by_libczi(packed, height, scheme, segment)

        return aside(unpack, patience=0) if height * width > _LONG else unpack()

    def _decoded_by_libczi(
        self, packed: bytes, height: int, scheme: int, segment: SubBlockSegment
    ) -> NDArray[np.generic]:
        decode = decode_apart if decodes_apart() else decoded
        try:
            return decode(packed, segment.stored_w, height, segment.pixel_type, scheme)
        except NativeCallError as error:
            if isinstance(error, MemoryError) or error.__cause__ is not None:
                raise error.__cause__ or error from None  # not a fault of the file
            kind = f"{Compression(scheme).name}, {PixelType(segment.pixel_type).name}"
            why = f": {error}" if isinstance(error, HelperEndedError) else "; its data are damaged"
            raise CorruptFileError(
                f"{self._name(segment)} ({kind}) cannot be decoded{why}"
            ) from error

    def _cache_for(self, row: int) -> SubBlockCache | None:
        """Return the cache if it may keep this row."""
        compressed = self._rows.directory.compression.item(row) != Compression.Uncompressed
        return self.cache if compressed or self._cache_uncompressed else None

    def _mask_of(self, row: int, segment: SubBlockSegment) -> NDArray[np.bool_] | None:
        mask = self._mask(segment)
        if mask is None or not self._rows.is_special(row):
            return mask
        columns = self._rows.directory
        size = columns.stored_h.item(row), columns.stored_w.item(row)
        if size == mask.shape:
            return mask
        check_growth(size[0] * size[1], mask.size, _MASK_GROWTH, self._name(segment))
        down, across = (
            np.arange(n, dtype=np.int64) * stored // n for n, stored in zip(size, mask.shape)
        )
        found: NDArray[np.bool_] = mask[down[:, np.newaxis], across]
        return found

    def _mask(self, segment: SubBlockSegment) -> NDArray[np.bool_] | None:
        if not segment.attachment_size:
            return None
        if not has_chunk_container(read_metadata_bytes(self._source, segment)):
            return None
        where = self._name(segment)
        mask = find_mask(read_attachment_bytes(self._source, segment), where)
        if mask is None:
            return None
        width, height = segment.stored_w, segment.stored_h
        stored = mask.bits.size + segment.data_size
        check_growth(bitmap_size(width, height, 1, where), stored, _MASK_GROWTH, where)
        self._memory.check((height, width), height * width)
        return _fit(mask, width, height)

    def _name(self, segment: SubBlockSegment) -> str:
        return describe_subblock(self._source, segment.index, segment.position)


class _RecentStacks:
    """Keeps decoded sub-blocks of several planes, because decoding one plane decodes them all."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: dict[int, NDArray[np.generic]] = {}  # the most recently used is last

    def get(self, index: int) -> NDArray[np.generic] | None:
        """Return the planes kept of a sub-block, or None."""
        with self._lock:
            kept = self._kept.pop(index, None)
            if kept is not None:
                self._kept[index] = kept
            return kept

    def keep(self, index: int, pixels: NDArray[np.generic]) -> None:
        """Keep the planes of a sub-block; drop the least recently used to make room."""
        if pixels.nbytes > _LARGEST_KEPT:
            return
        with self._lock:
            self._kept[index] = pixels
            taken = sum(one.nbytes for one in self._kept.values())
            while taken > _MOST_KEPT and len(self._kept) > 1:
                taken -= self._kept.pop(next(iter(self._kept))).nbytes


def _decode_jpeg(
    packed: bytes, shape: tuple[int, int], pixel_type: int, where: str
) -> NDArray[np.generic]:
    """Decode a JPEG of this (height, width); colours come as R, G, B."""
    if pixel_type not in _JPEG_MODES:
        name = PixelType(pixel_type).name
        raise UnsupportedDataError(
            f"{where} holds {name} pixels as JPEG, which czictypes does not decode"
        )
    what, doing = f"{where}, a JPEG,", "reading sub-blocks stored as JPEG"
    try:
        with decoded_picture(BytesIO(packed), ["JPEG"], what, extra="jpeg", doing=doing) as picture:
            if (picture.height, picture.width) != shape:
                raise CorruptFileError(
                    f"{where} holds a JPEG of {picture.width} x {picture.height} pixels, but its "
                    f"entry says {shape[1]} x {shape[0]}; the file is damaged"
                )
            pixels = np.array(picture.convert(_JPEG_MODES[pixel_type]))
    except UnsupportedDataError as error:
        raise CorruptFileError(str(error)) from error
    return pixels[..., np.newaxis] if pixels.ndim == 2 else pixels[..., ::-1]


def _fit(mask: Mask, width: int, height: int) -> NDArray[np.bool_]:
    """Crop or extend a mask to the size of the bitmap; pixels outside the mask are invalid."""
    if (mask.width, mask.height) == (width, height):
        return mask.bits
    fitted = np.zeros((height, width), dtype=bool)
    rows, columns = min(height, mask.height), min(width, mask.width)
    fitted[:rows, :columns] = mask.bits[:rows, :columns]
    return fitted
