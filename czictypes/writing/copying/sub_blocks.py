"""Sub-blocks on their way into a copy: as they are, cut, encoded anew, renumbered, anonymised."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import NamedTuple

import numpy as np

from czictypes.container.attachments import MASK_GUID, iter_chunks
from czictypes.container.limits import check_growth
from czictypes.container.subblock import SubBlockSegment, check_pixels, describe_subblock
from czictypes.metadata.anonymize import Anonymizer
from czictypes.metadata.subblock_tags import move_stage
from czictypes.model.errors import CorruptFileError, MissingExtraError, UnsupportedDataError
from czictypes.model.geometry import Rectangle, Size
from czictypes.model.pixel_types import Compression, PixelType
from czictypes.reading.damage import UNREADABLE, advise
from czictypes.reading.document import OpenDocument
from czictypes.writing.array_tiles import encode_chunk, encode_mask
from czictypes.writing.compression import CompressionOptions, check_codec, encode, parse_compression
from czictypes.writing.copying.anonymized import RemovedPart, anonymized_sub_block, bare_data
from czictypes.writing.copying.copy_selection import Layout, reach_beyond
from czictypes.writing.new_segments import EncodedSubBlock
from czictypes.writing.transfer import (
    check_writable,
    decoded_sizes,
    read_encoded,
    reencoded,
    stored_sizes,
    transfer_sub_blocks,
)

#: The largest factor by which the pixels of a tile become more when it is cut.
_GROWTH = 1024


class SubBlockPlan(NamedTuple):
    """The plan for the sub-blocks."""

    #: Rows of the document's table: the first one of each sub-block that is copied whole, and each
    #: plane of the others.
    rows: np.ndarray
    whole: np.ndarray  # of bool: whether each of them stands for its whole sub-block
    compression: CompressionOptions | None  # None to leave pixels as they are
    renumbered: Mapping[str, Mapping[int, int]]  # by dimension, the new index by the old one
    anonymizer: Anonymizer | None  # which has done the document's metadata already
    crop: Rectangle | None = None  # what all tiles are cut to
    pixel: tuple[float, float] | None = None  # its size in micrometres, where known
    left_out: Collection[str] = ()  # the dimensions that the copy does not have


def new_indices(layout: Layout) -> dict[str, dict[int, int]]:
    """Return, for each dimension that is numbered anew, the new index by the old one."""
    return {
        letter: {index: extent.moved(index) for index in extent.indices}
        for letter, extent in layout.extents.items()
        if extent.renumbered
    }


def whole_or_planes(
    document: OpenDocument,
    kept: np.ndarray,
    options: CompressionOptions | None,
    crop: Rectangle | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows by which sub-blocks are copied, and which stand for whole sub-blocks.

    A sub-block that holds several planes stays one if all of them are kept, unless they are to be
    JPEG XR, which other readers expect to show one plane; none if it is cut to `crop`.
    """
    rows = document.rows
    sub_blocks = rows.sub_blocks(kept)
    found, first, counts = np.unique(sub_blocks, return_index=True, return_counts=True)
    held = np.array([len(rows.rows_of(index)) for index in found.tolist()], np.int64)
    is_whole = counts == held
    if options is not None and options.method == Compression.JpegXr:
        is_whole &= held == 1
    if crop is not None:
        is_whole &= ~reach_beyond(document.table, kept[first], crop)
    whole = is_whole[np.searchsorted(found, sub_blocks)]
    chosen = np.union1d(np.flatnonzero(~whole), first[is_whole])
    return kept[chosen], whole[chosen]


def check_recompression(document: OpenDocument, plan: SubBlockPlan) -> None:
    """Check that all pixel types of the document can be encoded, before anything is written."""
    if plan.compression is None:
        return
    for number in np.unique(document.table.directory.pixel_type[plan.rows]).tolist():
        if number in list(PixelType):  # others are named when they are met
            check_codec(plan.compression, PixelType(number))


def copy_sub_blocks(
    document: OpenDocument,
    plan: SubBlockPlan,
    take: Callable[[EncodedSubBlock], None],
    skip: Callable[[], None] | None = None,
) -> list[RemovedPart]:
    """Hand the sub-blocks of a document to `take`, ready to be written.

    `skip` is called for each that cannot be read, which is noted in the document's damage; by
    default that is an error. Returned is what was removed from them, each once.
    """
    source, table = document.source, document.table
    removed: set[RemovedPart] = set()

    def finish(block: EncodedSubBlock | None) -> None:
        if block is None:
            assert skip is not None
            skip()
            return
        if plan.renumbered:
            block = _renumbered(block, plan.renumbered)
        if plan.left_out:
            block = _without(block, plan.left_out)
        if plan.anonymizer is not None:
            block = anonymized_sub_block(block, plan.anonymizer, removed)
        take(block)

    options = plan.compression
    whole = dict(zip(plan.rows.tolist(), plan.whole.tolist()))

    def make(row: int) -> EncodedSubBlock | None:
        index = document.rows.sub_block_of(row)
        try:
            if not whole[row]:
                return _plane_alone(document, row, plan)
            if options is None and skip is not None:
                _check_decodes(document, index)
            if options is None:
                block = read_encoded(source, document.directory, index)
            else:
                block = _encoded_anew(document, index, options)
            return block if plan.anonymizer is None else _with_bare_data(document, index, block)
        except UNREADABLE as error:
            if skip is None:
                if isinstance(error, (CorruptFileError, UnsupportedDataError)):
                    advise(error)
                raise
            document.damage.note(index, error)
            return None

    sizes = stored_sizes(source, table.directory)
    decodes = options is not None or skip is not None or plan.crop is not None
    if decodes:
        sizes = np.maximum(sizes, _decoded_sizes(document))
    as_they_are = not decodes and bool(plan.whole.all())
    transfer_sub_blocks(
        source,
        table.directory,
        plan.rows,
        finish,
        threads=document.pool.threads,
        make=make,
        in_turn=as_they_are,
        sizes=sizes,
    )
    return sorted(removed, key=str)


def _check_decodes(document: OpenDocument, index: int) -> None:
    """Raise a `CorruptFileError` if compressed data are damaged, where that can be told."""
    segment = document.decoder.segment(index)
    try:
        if check_pixels(document.source, segment).compression != Compression.Uncompressed:
            document.decoder.pixels(index)
    except (UnsupportedDataError, MissingExtraError):  # copied as it is: others may decode it
        pass


def _plane_alone(document: OpenDocument, row: int, plan: SubBlockPlan) -> EncodedSubBlock:
    """Return one plane of a sub-block as a sub-block of its own, cut to what is copied."""
    source, directory, options = document.source, document.directory, plan.compression
    segment = document.decoder.segment(document.rows.sub_block_of(row))
    check_writable(source, segment)
    if options is None:
        options = _same_compression(check_pixels(source, segment).compression)
    where = describe_subblock(source, segment.index, segment.position)
    cut = None if plan.crop is None else _Cut.of(segment, plan.crop, where)
    pixels = document.decoder.stored_plane(row)
    pixels = pixels if cut is None else cut.taken(pixels)
    data = encode(pixels, options, PixelType(segment.pixel_type))
    block = reencoded(source, directory, segment, data, options.method)
    block = block._replace(coordinate=document.table.directory.coordinate(row), sizes={})
    if cut is None:
        return block
    mask = document.decoder.mask(segment.index)
    size = Size(pixels.shape[1], pixels.shape[0])
    return cut.placed(block, plan.pixel)._replace(
        size=size,
        attachment=block.attachment if mask is None else _with_mask(block, cut.taken(mask)),
    )


class _Cut(NamedTuple):
    """A tile that is cut: its rectangle and what is left of it, and the stored pixels to take."""

    before: Rectangle
    after: Rectangle
    columns: np.ndarray
    rows: np.ndarray

    @classmethod
    def of(cls, segment: SubBlockSegment, crop: Rectangle, where: str) -> _Cut | None:
        """Return how a tile is cut; None if all of it is left. `where` names it in an error.

        One that is stored in more or fewer pixels than it covers keeps these where the cut goes
        between them; otherwise it is stored in full resolution, as it reads.
        """
        entry = segment.entry
        before = Rectangle(entry.x, entry.y, entry.w, entry.h)
        after = before.intersection(crop)
        if after == before:
            return None
        across = after.x - before.x, after.w, before.w, segment.stored_w
        down = after.y - before.y, after.h, before.h, segment.stored_h
        keep = all(_goes_between(*axis) for axis in (across, down))
        if not keep:
            stored = segment.stored_w * segment.stored_h
            check_growth(after.w * after.h, stored, _GROWTH, where)
        return cls(before, after, _stored(*across, keep=keep), _stored(*down, keep=keep))

    def taken(self, pixels: np.ndarray) -> np.ndarray:
        """Return the pixels (or a mask) that are left."""
        return np.ascontiguousarray(pixels[self.rows[:, np.newaxis], self.columns])

    def placed(self, block: EncodedSubBlock, pixel: tuple[float, float] | None) -> EncodedSubBlock:
        """Return the block in its new place, on the stage too."""
        block = block._replace(rectangle=self.after, pyramid_type=0)
        if pixel is None:
            return block
        x, y = (
            (new - old) * size
            for new, old, size in zip(self.after.center, self.before.center, pixel)
        )
        return block._replace(metadata=move_stage(block.metadata, (x, y)))


def _goes_between(first: int, count: int, size: int, stored: int) -> bool:
    """Return whether both ends of a cut through `size` pixels lie between stored ones."""
    return first * stored % size == 0 and (first + count) * stored % size == 0


def _stored(first: int, count: int, size: int, stored: int, *, keep: bool) -> np.ndarray:
    """Return the stored pixels of `count` from `first` on of `size`: all, or one for each."""
    if keep:
        return np.arange(first * stored // size, (first + count) * stored // size)
    found: np.ndarray = np.arange(first, first + count, dtype=np.int64) * stored // size
    return found


def _with_mask(block: EncodedSubBlock, mask: np.ndarray) -> bytes:
    """Return the attachment of a block with another mask."""
    return b"".join(
        encode_mask(mask) if guid == MASK_GUID else encode_chunk(guid, bytes(payload))
        for guid, payload in iter_chunks(bytes(block.attachment))
    )


def _same_compression(scheme: int) -> CompressionOptions:
    """Return options for planes that are taken out of data in some scheme, without loss."""
    names = {Compression.Uncompressed: "uncompressed:", Compression.Zstd0: "zstd0:"}
    return parse_compression(names.get(Compression(scheme), "zstd1:"))


def _encoded_anew(
    document: OpenDocument, index: int, options: CompressionOptions
) -> EncodedSubBlock:
    source, directory = document.source, document.directory
    if directory.compression.item(index) == options.method == Compression.Uncompressed:
        return read_encoded(source, directory, index)
    segment = document.decoder.segment(index)
    check_writable(source, segment)
    data = encode(document.decoder.pixels(index), options, PixelType(segment.pixel_type))
    return reencoded(source, directory, segment, data, options.method)


def _with_bare_data(document: OpenDocument, index: int, block: EncodedSubBlock) -> EncodedSubBlock:
    data = bare_data(block)
    if data is None:
        return _encoded_anew(document, index, parse_compression("zstd1:"))
    return block._replace(data=data)


def _decoded_sizes(document: OpenDocument) -> np.ndarray:
    """Return about how many bytes the pixels of the sub-block of each row take."""
    sizes = decoded_sizes(document.directory)
    numbers = document.rows.sub_blocks(np.arange(document.table.count))
    return sizes[numbers] * np.bincount(numbers, minlength=len(sizes))[numbers]


def _renumbered(block: EncodedSubBlock, new: Mapping[str, Mapping[int, int]]) -> EncodedSubBlock:
    coordinate = {
        letter: new[letter][index] if letter in new else index
        for letter, index in block.coordinate.items()
    }
    return block._replace(coordinate=coordinate)


def _without(block: EncodedSubBlock, letters: Collection[str]) -> EncodedSubBlock:
    coordinate = {name: at for name, at in block.coordinate.items() if name not in letters}
    sizes = {name: size for name, size in block.sizes.items() if name not in letters}
    return block._replace(coordinate=coordinate, sizes=sizes)
