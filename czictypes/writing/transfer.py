"""Moves sub-blocks and attachments of an open document into a new file as they stand.

Nothing is decoded: the pixel data, metadata and attachment of a sub-block are the same bytes
afterwards. Each part is checked on the way as for reading, so a damaged file is not spread.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from czictypes.container.attachments import AttachmentEntry, read_attachment_data
from czictypes.container.byte_source import ByteSource
from czictypes.container.directory import Directory, SubBlockExtents
from czictypes.container.file_source import FileSource
from czictypes.container.subblock import (
    SubBlockSegment,
    check_pixels,
    describe_subblock,
    read_attachment_bytes,
    read_metadata_bytes,
    read_subblock_segment,
)
from czictypes.model.errors import CorruptFileError, UnsupportedDataError
from czictypes.model.geometry import ABSENT, NO_M, Rectangle, Size
from czictypes.model.pixel_types import Compression, PixelType
from czictypes.writing.assembly import Assembly, OrderedPipeline
from czictypes.writing.new_segments import EncodedSubBlock

_IN_MEMORY = 256 << 20  # bytes of sub-blocks that are read ahead, at most
_WORTH_A_THREAD = 1 << 16  # bytes
_LONGEST_NAME, _LONGEST_TYPE = 79, 8
_KNOWN_TYPES = frozenset(map(int, PixelType))
_DECODABLE = frozenset(
    map(int, (Compression.Uncompressed, Compression.JpegXr, Compression.Zstd0, Compression.Zstd1))
)


def transfer_sub_blocks(
    source: ByteSource,
    directory: Directory,
    indices: Sequence[int] | NDArray[Any],
    consume: Callable[[Any], None],
    *,
    threads: int = 1,
    make: Callable[[int], Any] | None = None,
    in_turn: bool | None = None,
    sizes: NDArray[np.int64] | None = None,
) -> None:
    """Move sub-blocks, in the order in which they stand in the source.

    `make` makes the sub-block of a row, in any thread (`read_encoded` by default); `consume` takes
    it in the caller's thread. `in_turn` says that `make` only reads, which for local files one
    thread does best; by default it is so for `read_encoded`. Memory is bounded: sub-blocks are read
    ahead up to 256 MiB, by their `sizes` (`stored_sizes` by default), and a larger one alone.
    """
    # A local file's bytes come as fast as one thread can write them; in threads, each with memory
    # of its own, copying 128 MiB takes 121 ms in place of 61.
    in_turn = (make is None if in_turn is None else in_turn) and isinstance(source, FileSource)
    make = make or partial(read_encoded, source, directory)
    sizes = stored_sizes(source, directory) if sizes is None else sizes
    chosen = np.asarray(indices, np.int64)
    chosen = chosen[np.argsort(directory.file_position[chosen], kind="stable")]
    pipeline: OrderedPipeline[Any] = OrderedPipeline(threads, consume)
    ahead = _IN_MEMORY // (2 * threads + 1)
    try:
        for index, size in zip(chosen.tolist(), sizes[chosen].tolist()):
            if size > ahead:
                pipeline.drain()
            if in_turn or size < _WORTH_A_THREAD or size > ahead:
                pipeline.put(make(index))
            else:
                pipeline.submit(partial(make, index))
        pipeline.drain()
    finally:
        pipeline.close()


def stored_sizes(source: ByteSource, directory: Directory) -> NDArray[np.int64]:
    """Return for each row of the directory how many bytes there are up to the next sub-block."""
    return SubBlockExtents(directory, source.size()).room(slice(None))


def bounding_box(directory: Directory, rows: NDArray[Any]) -> Rectangle:
    """Return the box around some rows of a directory, of which there is at least one."""
    x, y = directory.x[rows].astype(np.int64), directory.y[rows].astype(np.int64)
    left, top = int(x.min()), int(y.min())
    right, bottom = int((x + directory.w[rows]).max()), int((y + directory.h[rows]).max())
    return Rectangle(left, top, right - left, bottom - top)


def decoded_sizes(directory: Directory) -> NDArray[np.int64]:
    """Return for each row of the directory about how many bytes its pixels take when decoded."""
    pixels = directory.stored_w.astype(np.float64) * directory.stored_h  # of damaged files too
    return np.minimum(pixels * directory.bytes_per_pixel(), 2.0**62).astype(np.int64)


def read_encoded(source: ByteSource, directory: Directory, index: int) -> EncodedSubBlock:
    """Return a sub-block as it stands in the file, ready for `Assembly.add`.

    A CorruptFileError says that it contradicts the format, an UnsupportedDataError that libCZI
    writes no such pixel type.
    """
    segment = read_subblock_segment(source, directory, index)
    _check_movable(source, segment)
    metadata, data, attachment = _read_parts(source, segment)
    return _block(directory, segment, data, segment.compression, metadata, attachment)


def _read_parts(source: ByteSource, segment: SubBlockSegment) -> tuple[bytes, memoryview, bytes]:
    """Return metadata, pixel data and attachment, which lie one behind the other, in one read."""
    size = segment.metadata_size + segment.data_size + segment.attachment_size
    whole = memoryview(source.read_at(segment.metadata_offset, size))
    if len(whole) < size:
        raise CorruptFileError(
            f"{_where(source, segment)} was cut off while it was read: {size} bytes asked for, "
            f"{len(whole)} found"
        )
    first = segment.metadata_size
    last = first + segment.data_size
    return bytes(whole[:first]), whole[first:last], bytes(whole[last:])


def _check_movable(source: ByteSource, segment: SubBlockSegment) -> None:
    """Check a sub-block as for reading, but let compressions pass that libCZI does not decode."""
    check_writable(source, segment)
    if not segment.data_size:
        raise CorruptFileError(f"{_where(source, segment)} has no pixels; the file is damaged")
    if segment.compression in _DECODABLE:
        check_pixels(source, segment)


def check_writable(source: ByteSource, segment: SubBlockSegment) -> None:
    """Check that libCZI writes sub-blocks of such a size and pixel type."""
    entry = segment.entry
    if entry.pixel_type not in _KNOWN_TYPES:
        raise UnsupportedDataError(
            f"{_where(source, segment)} has the pixel type {entry.pixel_type}, which libCZI does "
            "not know"
        )
    if min(entry.w, entry.h, entry.stored_w, entry.stored_h) <= 0:
        raise CorruptFileError(f"{_where(source, segment)} has no pixels; the file is damaged")


def _where(source: ByteSource, segment: SubBlockSegment) -> str:
    return describe_subblock(source, segment.index, segment.position)


def reencoded(
    source: ByteSource,
    directory: Directory,
    segment: SubBlockSegment,
    data: Any,
    compression: int,
) -> EncodedSubBlock:
    """Return the block of a segment with other pixel data, all else as it stands."""
    metadata = read_metadata_bytes(source, segment)
    attachment = read_attachment_bytes(source, segment)
    return _block(directory, segment, data, compression, metadata, attachment)


def _block(
    directory: Directory,
    segment: SubBlockSegment,
    data: Any,
    compression: int,
    metadata: bytes,
    attachment: bytes,
) -> EncodedSubBlock:
    entry = segment.entry
    sizes = directory.sizes_of(segment.index)
    return EncodedSubBlock(
        coordinate=entry.coordinate,
        rectangle=Rectangle(entry.x, entry.y, entry.w, entry.h),
        size=Size(entry.stored_w, entry.stored_h),
        pixel_type=PixelType(entry.pixel_type),
        compression=compression,
        data=data,
        m_index=None if entry.m in (ABSENT, NO_M) else entry.m,
        pyramid_type=int(directory.pyramid_type[segment.index]),
        metadata=metadata,
        attachment=attachment,
        sizes={letter: sizes[letter] for letter in sorted(sizes, key=entry.letters.find)},
    )


def transfer_attachments(
    source: ByteSource, entries: Iterable[AttachmentEntry], assembly: Assembly
) -> None:
    """Move attachments with their names, types and GUIDs."""
    for entry in entries:
        data = read_attachment_data(source, entry)
        assembly.add_attachment(*stored_names(entry), data, entry.guid)


def stored_names(entry: AttachmentEntry) -> tuple[str, str]:
    """Return the name and the type of an attachment, as long as libCZI writes them.

    Characters that stand for wrong bytes may have made them longer.
    """
    fields = (entry.name, _LONGEST_NAME), (entry.content_file_type, _LONGEST_TYPE)
    name, kind = (text.encode()[:room].decode(errors="ignore") for text, room in fields)
    return name, kind
