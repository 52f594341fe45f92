"""Sub-blocks on their way into a copy: as they are, or encoded anew, renumbered, anonymised."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from czictypes.container.attachments import find_mask
from czictypes.container.jpegxr import bare_jpegxr
from czictypes.container.payload import PAYLOAD_HEAD, scheme_of
from czictypes.container.subblock import check_pixels
from czictypes.container.zstd_frame import (
    HEAD_SIZE,
    ZSTD_MAGIC,
    find_zstd_end,
    parse_zstd_head,
)
from czictypes.metadata.anonymize import Anonymizer
from czictypes.metadata.subblock_tags import has_chunk_container
from czictypes.model.errors import CorruptFileError, MissingExtraError, UnsupportedDataError
from czictypes.model.pixel_types import Compression, PixelType, pixel_format
from czictypes.reading.damage import UNREADABLE, advise
from czictypes.reading.document import OpenDocument
from czictypes.writing.assembly import Block
from czictypes.writing.compression import CompressionOptions, check_codec, encode, parse_compression
from czictypes.writing.copying.anonymized import RemovedPart, strip_jpeg
from czictypes.writing.copying.selection import Layout
from czictypes.writing.tiles import encode_mask
from czictypes.writing.transfer import (
    check_writable,
    make_block,
    read_block,
    stored_sizes,
    transfer_blocks,
)

__all__ = ["BlockPlan", "check_recompression", "copy_blocks", "new_places", "whole_or_planes"]


class BlockPlan(NamedTuple):
    """The plan for the sub-blocks.

    Parameters
    ----------
    rows
        Rows of the document's table: the first one of each sub-block that is copied whole, and each
        plane of the others.
    whole
        Whether each of them stands for its whole sub-block.
    recompress
        How their pixels are encoded anew; None to leave them as they are.
    places
        For each dimension that is numbered anew, the place now by the place before.
    anonymizer
        Cleans their metadata; it has done the document's already.
    """

    rows: np.ndarray
    whole: np.ndarray
    recompress: CompressionOptions | None
    places: Mapping[str, Mapping[int, int]]
    anonymizer: Anonymizer | None


def new_places(layout: Layout) -> dict[str, dict[int, int]]:
    """Return for each dimension that is numbered anew the place now by the place before."""
    return {
        letter: {place: extent.moved(place) for place in extent.places}
        for letter, extent in layout.extents.items()
        if extent.renumbered
    }


def whole_or_planes(
    document: OpenDocument, kept: np.ndarray, options: CompressionOptions | None
) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows by which sub-blocks are copied, and which stand for whole sub-blocks.

    A sub-block that holds several planes stays one if all of them are kept, unless they are to be
    JPEG XR, which other readers expect to show one plane.
    """
    rows = document.rows
    sub_blocks = rows.sub_blocks(kept)
    found, first, counts = np.unique(sub_blocks, return_index=True, return_counts=True)
    held = np.array([len(rows.rows_of(index)) for index in found.tolist()], np.int64)
    is_whole = counts == held
    if options is not None and options.method == Compression.JpegXr:
        is_whole &= held == 1
    whole = is_whole[np.searchsorted(found, sub_blocks)]
    chosen = np.union1d(np.flatnonzero(~whole), first[is_whole])
    return kept[chosen], whole[chosen]


def check_recompression(document: OpenDocument, plan: BlockPlan) -> None:
    """Check that every kind of pixels there is can be encoded, before anything is written.

    Raises
    ------
    ValueError, MissingExtraError
        As for `check_codec`.
    """
    if plan.recompress is None:
        return
    for number in np.unique(document.table.directory.pixel_type[plan.rows]).tolist():
        if number in list(PixelType):  # others are named when they are met
            check_codec(plan.recompress, PixelType(number))


def copy_blocks(
    document: OpenDocument,
    plan: BlockPlan,
    take: Callable[[Block], None],
    skip: Callable[[], None] | None = None,
) -> list[RemovedPart]:
    """Hand the sub-blocks of a document to `take`, ready to be written.

    Parameters
    ----------
    document, plan
        The document, and what is copied of it.
    take
        Called with each block.
    skip
        Called for each sub-block that cannot be read, which is noted in the document's damage; by
        default that is an error.

    Returns
    -------
    list of RemovedPart
        What was removed from them, each once.

    Raises
    ------
    CorruptFileError, UnsupportedDataError
        If a sub-block is damaged, or cannot be decoded where it has to be.
    """
    source, table = document.source, document.table
    removed: set[RemovedPart] = set()

    def finish(block: Block | None) -> None:
        if block is None:
            assert skip is not None
            skip()
            return
        if plan.places:
            block = _renumbered(block, plan.places)
        if plan.anonymizer is not None:
            block = _anonymized(block, plan.anonymizer, removed)
        take(block)

    options = plan.recompress
    whole = dict(zip(plan.rows.tolist(), plan.whole.tolist()))

    def make(row: int) -> Block | None:
        index = document.rows.sub_block_of(row)
        try:
            if not whole[row]:
                return _plane_alone(document, row, options)
            if options is None and skip is not None:
                _check_decodes(document, index)
            if options is None:
                block = read_block(source, document.directory, index)
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
    decodes = options is not None or skip is not None
    if decodes:
        sizes = np.maximum(sizes, _decoded_sizes(document))
    as_they_are = not decodes and bool(plan.whole.all())
    transfer_blocks(
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
    """Raise a `CorruptFileError` for damage within compressed data; of some kinds none is known."""
    segment = document.decoder.segment(index)
    try:
        if check_pixels(document.source, segment).compression != Compression.Uncompressed:
            document.decoder.pixels(index)
    except (UnsupportedDataError, MissingExtraError):  # copied as it is: others may decode it
        pass


def _plane_alone(document: OpenDocument, row: int, options: CompressionOptions | None) -> Block:
    """Return one plane of a sub-block that holds several as a sub-block of its own."""
    source, directory = document.source, document.directory
    segment = document.decoder.segment(document.rows.sub_block_of(row))
    check_writable(source, segment)
    if options is None:
        options = _same_compression(check_pixels(source, segment).compression)
    pixels = document.decoder.stored_plane(row)
    data = encode(pixels, options, PixelType(segment.pixel_type))
    block = make_block(source, directory, segment, data, options.method)
    return block._replace(coordinate=document.table.coordinate(row), sizes={})


def _same_compression(scheme: int) -> CompressionOptions:
    """Return options for planes that are taken out of data in some scheme, without loss."""
    names = {Compression.Uncompressed: "uncompressed:", Compression.Zstd0: "zstd0:"}
    return parse_compression(names.get(Compression(scheme), "zstd1:"))


def _encoded_anew(document: OpenDocument, index: int, options: CompressionOptions) -> Block:
    source, directory = document.source, document.directory
    if directory.compression.item(index) == options.method == Compression.Uncompressed:
        return read_block(source, directory, index)
    segment = document.decoder.segment(index)
    check_writable(source, segment)
    data = encode(document.decoder.pixels(index), options, PixelType(segment.pixel_type))
    return make_block(source, directory, segment, data, options.method)


def _decoded_sizes(document: OpenDocument) -> np.ndarray:
    """Return about how many bytes the pixels of the sub-block of each row take."""
    stored = document.directory
    sizes = stored.physical_w.astype(np.int64) * stored.physical_h * stored.bytes_per_pixel()
    numbers = document.rows.sub_blocks(np.arange(document.table.count))
    return sizes[numbers] * np.bincount(numbers, minlength=stored.count)[numbers]


def _renumbered(block: Block, places: Mapping[str, Mapping[int, int]]) -> Block:
    coordinate = {
        letter: places[letter][place] if letter in places else place
        for letter, place in block.coordinate.items()
    }
    return block._replace(coordinate=coordinate)


def _anonymized(block: Block, anonymizer: Anonymizer, removed: set[RemovedPart]) -> Block:
    """Clean the XML of a sub-block, and leave nothing of its attachment but a mask."""
    try:
        mask = _mask(block)
        metadata = anonymizer.subblock(block.metadata)
    except CorruptFileError:  # it cannot be told what it says
        removed.add(RemovedPart("sub-block metadata"))
        return block._replace(metadata=b"", attachment=b"")
    if block.attachment and mask != block.attachment:
        removed.add(RemovedPart("sub-block attachments", kept="masks"))
    return block._replace(metadata=metadata, attachment=mask)


def _with_bare_data(document: OpenDocument, index: int, block: Block) -> Block:
    """Return a block whose data hold pixels alone: no Exif, nothing behind them.

    Data of compressions that are not known here stay as they are.
    """
    width, height = block.size
    claimed = width * height * pixel_format(block.pixel_type).bytes_per_pixel
    planes = math.prod(block.sizes.values())
    head = bytes(block.data[:PAYLOAD_HEAD])
    scheme = scheme_of(head, block.compression, len(block.data), claimed, planes)
    if scheme not in _BARE:
        return block
    data = _BARE[Compression(scheme)](block.data, claimed, planes)
    if data is not None:
        return block._replace(data=data)
    return _encoded_anew(document, index, parse_compression("zstd1:"))


def _bare_plain(data: Any, claimed: int, planes: int) -> Any:
    return data[: claimed * planes if len(data) >= claimed * planes else claimed]


def _bare_zstd(data: Any, claimed: int, planes: int) -> Any:
    scheme = Compression.Zstd0 if data[:4] == ZSTD_MAGIC else Compression.Zstd1
    head = parse_zstd_head(bytes(data[:HEAD_SIZE]), scheme, "the data of a sub-block")
    if head.content_size not in (claimed, claimed * planes):
        return None
    end = find_zstd_end(data, head)
    return None if end is None else data[:end]


def _bare_jpegxr(data: Any, claimed: int, planes: int) -> Any:
    return bare_jpegxr(bytes(data))


def _bare_jpeg(data: Any, claimed: int, planes: int) -> Any:
    return strip_jpeg(bytes(data))


#: Gives data without what is no pixels, by compression; None if it cannot tell.
_BARE: Mapping[Compression, Callable[[Any, int, int], Any]] = {
    Compression.Uncompressed: _bare_plain,
    Compression.Jpg: _bare_jpeg,
    Compression.JpegXr: _bare_jpegxr,
    Compression.Zstd0: _bare_zstd,
    Compression.Zstd1: _bare_zstd,
}


def _mask(block: Block) -> bytes:
    if not block.attachment or not has_chunk_container(block.metadata):
        return b""
    mask = find_mask(block.attachment)
    return b"" if mask is None else encode_mask(mask.bits)
