"""Turns one sub-block of the file into an array: checked, decoded, and cached if asked for."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import BytesIO

import numpy as np
from numpy.typing import NDArray

from czictypes.container.attachments import Mask, find_mask
from czictypes.container.byte_source import ByteSource
from czictypes.container.limits import bitmap_size, check_growth
from czictypes.container.payload import Payload
from czictypes.container.pictures import decoded_picture
from czictypes.container.pixels import FilePixels, PixelArray, StackedPixels
from czictypes.container.subblock import (
    SubBlockSegment,
    check_pixels,
    describe_subblock,
    read_attachment_bytes,
    read_data_bytes,
    read_metadata_bytes,
    read_subblock_segment,
)
from czictypes.container.zstd import unpack_zstd
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
from czictypes.reading.tiles import Expectation, SubBlockCache, Tile

__all__ = ["SubBlockDecoder"]

#: So many bytes of sub-blocks with several planes are kept decoded, or a single larger one.
_MOST_KEPT, _LARGEST_KEPT = 256 << 20, 1 << 30
#: Of so many sub-blocks it is known when they were asked for.
_MOST_ASKED = 1 << 16
_JPEG_MODES = {int(PixelType.Gray8): "L", int(PixelType.Bgr24): "RGB"}
#: A mask is enlarged by so much at most.
_MASK_GROWTH = 1024


class SubBlockDecoder:
    """Decodes the sub-blocks of one opened document; safe to use from many threads.

    `tile` takes rows of `PlaneRows`, all else numbers of sub-blocks.

    Parameters
    ----------
    source, rows
        The file's bytes, and the planes that its sub-blocks hold.
    cache
        Where decoded tiles are kept, or None.
    mask_aware
        Whether tiles carry the valid-pixel mask of their sub-block.
    expectation
        Is told beforehand what a read needs, where that pays.
    memory
        Says how large what `pixels` and `mask` return may be.
    """

    def __init__(
        self,
        source: ByteSource,
        rows: PlaneRows,
        *,
        cache: SubBlockCache | None = None,
        cache_uncompressed: bool = False,
        mask_aware: bool = False,
        expectation: Expectation | None = None,
        memory: ResultMemory | None = None,
    ) -> None:
        self._source = source
        self._rows = rows
        self.cache = cache
        self._cache_uncompressed = cache_uncompressed
        self._mask_aware = mask_aware
        self.expectation = expectation
        self._memory = memory or ResultMemory()
        self._stacks = _RecentStacks()

    @contextmanager
    def tile(self, row: int) -> Iterator[Tile]:
        """Give the pixels of a row, valid for the length of the `with` block.

        Raises
        ------
        CorruptFileError
            If the sub-block contradicts the format or cannot be decoded.
        UnsupportedDataError
            If its compression is one that is not decoded.
        """
        kept = None if self.cache is None else self.cache.get(row)
        if kept is not None:
            yield kept
            return
        segment = self.segment(self._rows.sub_block_of(row))
        tile = self._read(row, segment)
        if self._mask_aware:
            tile = tile._replace(mask=self._mask_of(row, segment))
        cache = self._cache_for(row)
        if cache is not None:
            tile = tile._replace(pixels=_own(tile.pixels))
            cache.put(row, tile)
        yield tile

    def segment(self, index: int) -> SubBlockSegment:
        """Read and check the head of a sub-block."""
        return read_subblock_segment(self._source, self._rows.stored, index)

    def pixels(self, index: int) -> NDArray[np.generic]:
        """Return the decoded pixels as they are stored, an array of the caller's own.

        Returns
        -------
        numpy.ndarray
            (planes * height, width, samples): all planes that it holds, one below the other.
        """
        segment = self.segment(index)
        payload = check_pixels(self._source, segment)
        shape = segment.physical_h * payload.planes, segment.physical_w
        pixel = pixel_format(segment.pixel_type).bytes_per_pixel
        self._memory.check(shape, shape[0] * shape[1] * pixel)
        return _own(self._stack(segment, payload))

    def stored_plane(self, row: int) -> NDArray[np.generic]:
        """Return the pixels of a row, (height, width, samples), in the size they are stored in."""
        segment = self.segment(self._rows.sub_block_of(row))
        size = segment.physical_h, segment.physical_w
        return _own(self._plane(row, segment, size))

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

    def mask_of_row(self, row: int) -> NDArray[np.bool_] | None:
        """Return the valid-pixel mask of a row in the size in which it is read, or None."""
        return self._mask_of(row, self.segment(self._rows.sub_block_of(row)))

    def _read(self, row: int, segment: SubBlockSegment) -> Tile:
        if not self._rows.is_special(row):
            return Tile(self._stack(segment, check_pixels(self._source, segment)))
        columns = self._rows.directory
        size = columns.physical_h.item(row), columns.physical_w.item(row)
        return Tile(self._plane(row, segment, size))

    def _plane(self, row: int, segment: SubBlockSegment, size: tuple[int, int]) -> PixelArray:
        """Return the pixels of a row in some height and width."""
        payload = check_pixels(self._source, segment)
        part, height = self._rows.part_of(row), segment.physical_h
        if part and part >= payload.planes:
            raise CorruptFileError(
                f"the entry of {self._name(segment)} claims {segment.planes} planes, but its data "
                f"hold {payload.planes}; the file is damaged, or changed since it was opened"
            )
        stack = self._stacks.get(segment.index)
        if stack is None:
            stack = self._stack(segment, payload)
            if payload.planes > 1 and payload.compression != Compression.Uncompressed:
                layout = pixel_format(segment.pixel_type)
                plane = segment.physical_w * height * layout.bytes_per_pixel
                stack = self._stacks.offer(segment.index, stack, plane * payload.planes)
                if stack is None:
                    stack = self._stack(segment, payload)
        return StackedPixels(stack, part * height, (height, segment.physical_w), size)

    def _stack(self, segment: SubBlockSegment, payload: Payload) -> PixelArray:
        """Return the pixels of all planes that a sub-block holds, one below the other."""
        height, width = segment.physical_h * payload.planes, segment.physical_w
        scheme, name = payload.compression, self._name(segment)
        layout = pixel_format(segment.pixel_type)
        if scheme == Compression.Uncompressed:
            shape, dtype = (height, width, layout.samples), np.dtype(layout.dtype)
            return FilePixels(self._source, segment.data_offset, shape, dtype, _new, name)
        packed = read_data_bytes(self._source, segment)
        if scheme == Compression.Jpg:
            return _decode_jpeg(packed, (height, width), segment.pixel_type, name)
        if scheme in (Compression.Zstd0, Compression.Zstd1):
            with suppress(MissingExtraError):  # zstd need not be in every Python
                return unpack_zstd(packed, scheme, width, height, layout, name, _new)
        return self._decoded_by_libczi(packed, height, scheme, segment)

    def _decoded_by_libczi(
        self, packed: bytes, height: int, scheme: int, segment: SubBlockSegment
    ) -> NDArray[np.generic]:
        decode = decode_apart if decodes_apart() else decoded
        try:
            return decode(packed, segment.physical_w, height, segment.pixel_type, scheme)
        except NativeCallError as error:
            if isinstance(error, MemoryError) or error.__cause__ is not None:
                raise error.__cause__ or error from None  # no fault of the file
            kind = f"{Compression(scheme).name}, {PixelType(segment.pixel_type).name}"
            why = f": {error}" if isinstance(error, HelperEndedError) else "; its data are damaged"
            raise CorruptFileError(
                f"{self._name(segment)} ({kind}) cannot be decoded{why}"
            ) from error

    def _cache_for(self, row: int) -> SubBlockCache | None:
        """Return the cache if it is to keep a row."""
        compressed = self._rows.directory.compression.item(row) != Compression.Uncompressed
        return self.cache if compressed or self._cache_uncompressed else None

    def _mask_of(self, row: int, segment: SubBlockSegment) -> NDArray[np.bool_] | None:
        mask = self._mask(segment)
        if mask is None or not self._rows.is_special(row):
            return mask
        columns = self._rows.directory
        size = columns.physical_h.item(row), columns.physical_w.item(row)
        if size == mask.shape:
            return mask
        check_growth(size[0] * size[1], mask.size, _MASK_GROWTH, self._name(segment))
        whole = StackedPixels(mask[..., np.newaxis], 0, mask.shape, size)
        return whole[:, :][..., 0]

    def _mask(self, segment: SubBlockSegment) -> NDArray[np.bool_] | None:
        if not segment.attachment_size:
            return None
        if not has_chunk_container(read_metadata_bytes(self._source, segment)):
            return None
        where = self._name(segment)
        mask = find_mask(read_attachment_bytes(self._source, segment), where)
        if mask is None:
            return None
        width, height = segment.physical_w, segment.physical_h
        stored = mask.bits.size + segment.data_size
        check_growth(bitmap_size(width, height, 1, where), stored, _MASK_GROWTH, where)
        self._memory.check((height, width), height * width)
        return _fit(mask, width, height)

    def _name(self, segment: SubBlockSegment) -> str:
        return describe_subblock(self._source, segment.index, segment.position)


class _RecentStacks:
    """Keeps the planes of compressed sub-blocks that are asked for again and again.

    To decode one plane, all before it are decoded as well; so at the second request for a sub-block
    all are, and kept. What was not asked for since the first of the two makes room. Safe to use
    from many threads.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._clock = itertools.count(1)
        #: When each sub-block was asked for last, and the planes that are kept; the latest last.
        self._asked: dict[int, int] = {}
        self._kept: dict[int, NDArray[np.generic]] = {}

    def get(self, index: int) -> PixelArray | None:
        """Return what is kept of a sub-block."""
        with self._lock:
            kept = self._kept.pop(index, None)
            if kept is not None:
                self._kept[index] = kept
                self._asked[index] = next(self._clock)
            return kept

    def offer(self, index: int, pixels: PixelArray, size: int) -> PixelArray | None:
        """Take what is being read of a sub-block, of so many bytes; return what to read from.

        None stands for data of which only the first planes can be decoded; `pixels` is used up.
        """
        with self._lock:
            before = self._asked.pop(index, None)
            self._asked[index] = next(self._clock)
            if len(self._asked) > _MOST_ASKED:
                del self._asked[next(iter(self._asked))]
            if before is None and not isinstance(pixels, np.ndarray):
                return pixels
            if not self._make_room(size, before or 0):
                return pixels
        try:
            whole = np.array(pixels[:, :])
        except CorruptFileError:
            return None
        with self._lock:
            self._kept[index] = whole
        return whole

    def _make_room(self, size: int, since: int) -> bool:
        """Let go of what was not asked for since then, until so many bytes fit."""
        taken = sum(pixels.nbytes for pixels in self._kept.values())
        for index in list(self._kept):
            if taken + size <= _MOST_KEPT or self._asked.get(index, 0) > since:
                break
            taken -= self._kept.pop(index).nbytes
        return taken + size <= _MOST_KEPT or (not self._kept and size <= _LARGEST_KEPT)


def _decode_jpeg(
    packed: bytes, shape: tuple[int, int], pixel_type: int, where: str
) -> NDArray[np.generic]:
    """Decode a JPEG of a height and width; its colours come as R, G, B.

    Raises
    ------
    CorruptFileError
        If it cannot be decoded, or is of another size.
    UnsupportedDataError
        For pixels that a JPEG of 8 bits cannot hold.
    MissingExtraError
        If Pillow is not installed.
    """
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


def _new(size: int) -> NDArray[np.uint8]:
    return np.empty(size, np.uint8)


def _own(pixels: PixelArray) -> NDArray[np.generic]:
    """Return all pixels as an array that shares its memory with nothing."""
    found = pixels[:, :]
    return found if found.base is None else found.copy()


def _fit(mask: Mask, width: int, height: int) -> NDArray[np.bool_]:
    """Bring a mask to the bitmap's size; what lies outside the mask counts as invalid."""
    if (mask.width, mask.height) == (width, height):
        return mask.bits
    fitted = np.zeros((height, width), dtype=bool)
    rows, columns = min(height, mask.height), min(width, mask.width)
    fitted[:rows, :columns] = mask.bits[:rows, :columns]
    return fitted
