"""Checks of the sub-blocks: heads, XML, pixels and masks."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from xml.parsers import expat

import numpy as np
from numpy.typing import NDArray

from czictypes.checking.described import bit_counts
from czictypes.checking.findings import Finding, Severity
from czictypes.checking.view import REPAIR, FileView, noted
from czictypes.container.batch import HEAD_ROOM
from czictypes.container.subblock import (
    SubBlockSegment,
    check_pixels,
    describe_subblock,
    read_metadata_bytes,
    read_subblock_segment,
)
from czictypes.metadata.xml import parse
from czictypes.model.defence import Defence
from czictypes.model.errors import (
    CorruptFileError,
    CziError,
    FileChangedError,
    LibraryNotFoundError,
    MissingExtraError,
    MissingPartError,
    UnsupportedDataError,
)
from czictypes.model.geometry import ABSENT
from czictypes.model.pixel_types import Compression, PixelType
from czictypes.reading.decode import SubBlockDecoder
from czictypes.reading.plane_rows import PlaneRows
from czictypes.reading.threads import ThreadPool, each

__all__ = ["bitmaps", "heads"]

_AT_ONCE = 256
_LARGEST_XML = 16 << 20
_RAW = "read_subblock(...).raw_data gives its bytes as they are stored"
_SIXTEEN_BIT = (PixelType.Gray16, PixelType.Bgr48)


def heads(view: FileView) -> Iterator[Finding]:
    """Compare the head of each sub-block with its entry, its data's first bytes, and its XML."""
    order = np.argsort(view.columns.file_position, kind="stable")
    ends = np.zeros(view.columns.count, np.int64)
    for some in _pieces(view, order):
        ranges = [(at, HEAD_ROOM) for at in view.columns.file_position[some].tolist() if at >= 0]
        with view.source.read_ahead(ranges):
            for row in some:
                yield from _head(view, row, ends)
        view.step(len(some))
    yield from _run_together(view, order, ends)


def _pieces(view: FileView, order: NDArray[np.intp]) -> Iterator[list[int]]:
    for start in range(0, len(order), _AT_ONCE):
        yield order[start : start + _AT_ONCE].tolist()


def _head(view: FileView, row: int, ends: NDArray[np.int64]) -> Iterator[Finding]:
    try:
        segment = read_subblock_segment(view.source, view.columns, row)
        ends[row] = segment.attachment_offset + segment.attachment_size
        if segment.attachment_size:
            view.masked.add(row)
        yield from _xml(view, row, segment)
        stored = check_pixels(view.source, segment).compression
        if stored != segment.compression:
            yield _mislabelled(view, row, stored, segment.compression)
    except MissingPartError:  # `file_parts` tells
        view.unreadable.add(row)
    except (CziError, OSError) as error:
        if not _is_of_tile(view, error):
            raise
        view.unreadable.add(row)
        yield _unreadable(view, row, "subblksegmentsvalid", error)


def _mislabelled(view: FileView, row: int, stored: int, label: int) -> Finding:
    """Tell that data are not of the compression that the directory names."""
    return Finding(
        "subblksegmentsvalid",
        "warning",
        message=f"it is labelled {_scheme(label)}, but its data are {_scheme(stored)}; czictypes "
        "reads it by its data, and other programs may not",
        remedy='czi.copy(..., recompress="zstd1:") writes data and label anew',
        **view.about(row),
    )


def _scheme(number: int) -> str:
    return Compression(number).name if number in list(Compression) else f"as {number}"


def _is_of_tile(view: FileView, error: Exception) -> bool:
    """Tell whether an error tells of one sub-block; a server that fails, fails for all."""
    if isinstance(error, (FileChangedError, LibraryNotFoundError)):
        return False
    return not isinstance(error, OSError) or not view.source.is_remote


def _unreadable(view: FileView, row: int, check: str, error: Exception) -> Finding:
    """Tell why a sub-block cannot be read; one that is not damaged gives a warning."""
    severity: Severity = "error"
    named = describe_subblock(view.source, row, int(view.columns.file_position[row]))
    message = str(error) or type(error).__name__
    remedy = REPAIR
    if message.startswith(named) and not message.startswith(f"{named} ("):  # the place says that
        message = "it" + message[len(named) :]
    if isinstance(error, MissingExtraError):
        severity, remedy = "info", "install the extra, and check again"
    elif isinstance(error, MemoryError):
        severity, remedy = "warning", "check it with more memory, or with threads=1"
    elif isinstance(error, UnsupportedDataError):
        severity, remedy = "warning", _RAW
    return Finding(check, severity, message=message, remedy=remedy, **view.about(row))


def _xml(view: FileView, row: int, segment: SubBlockSegment) -> Iterator[Finding]:
    if not 0 < segment.metadata_size <= _LARGEST_XML:
        return
    messages: list[str] = []
    xml = read_metadata_bytes(view.source, segment)
    if _is_well_formed(xml):
        return
    try:
        noted(lambda: parse(xml), into=messages)
    except CorruptFileError as error:
        messages.append(str(error))
    for message in messages:
        yield Finding(
            "subblkmetadata",
            "warning",
            message=message,
            remedy="its pixels can be read; positions and times of this tile may be unknown",
            **view.about(row),
        )


def _is_well_formed(xml: bytes) -> bool:
    """Tell whether XML is without fault, in a tenth of the time that a tree of it takes."""
    if b"<!" in xml:
        return False
    try:
        expat.ParserCreate().Parse(xml, True)
    except (expat.ExpatError, ValueError, LookupError):
        return False
    return True


def _run_together(
    view: FileView, order: NDArray[np.intp], ends: NDArray[np.int64]
) -> Iterator[Finding]:
    """Look for sub-blocks that reach into the next one."""
    begins = view.columns.file_position[order]
    reach = ends[order]
    into = (reach[:-1] > begins[1:]) & (begins[1:] > begins[:-1])
    for at in np.flatnonzero(into).tolist():
        yield Finding(
            "subblksegmentsvalid",
            "error",
            message=f"it reaches {reach[at] - begins[at + 1]} bytes into sub-block {order[at + 1]}",
            remedy=REPAIR,
            **view.about(int(order[at])),
        )


def bitmaps(view: FileView) -> Iterator[Finding]:
    """Decode the pixels and the mask of each sub-block whose head is whole."""
    columns = view.columns
    decoder = SubBlockDecoder(view.source, PlaneRows(columns, columns))
    failures, lock = dict[int, Exception](), threading.Lock()
    bits = _TooWide(view)

    def decode(row: int) -> None:
        try:
            with Defence(view.main.name):
                bits.look(row, decoder.pixels(row))
                if row in view.masked:
                    noted(lambda: decoder.mask(row))
        except (CziError, OSError, MemoryError) as error:
            if not _is_of_tile(view, error):
                raise
            with lock:
                failures[row] = error

    order = np.argsort(columns.file_position, kind="stable")
    pool = ThreadPool(view.threads)
    try:
        for some in _pieces(view, order):
            whole = [row for row in some if row not in view.unreadable]
            _decode_all(view, whole, decode, pool)
            for row in filter(failures.__contains__, whole):
                yield _unreadable(view, row, "subblkbitmapvalid", failures.pop(row))
            view.step(len(some))
    finally:
        pool.close()
    yield from bits.findings()


def _decode_all(
    view: FileView, rows: Sequence[int], decode: Callable[[int], None], pool: ThreadPool
) -> None:
    positions = view.columns.file_position[list(rows)].tolist()
    with view.source.read_ahead([(at, HEAD_ROOM) for at in positions if at >= 0]):
        each(rows, decode, view.threads, pool.workers)


class _TooWide:
    """Compares the values of pixels with the number of bits that the XML tells of each channel."""

    def __init__(self, view: FileView) -> None:
        self._view, self._counts = view, bit_counts(view)
        self._found: dict[int, tuple[int, int]] = {}  # by channel: the largest value, and where

    def look(self, row: int, pixels: NDArray[np.generic]) -> None:
        """Look at the pixels of a sub-block; from any thread."""
        columns = self._view.columns
        column = columns.coordinates.get("C")
        channel = 0 if column is None or column[row] == ABSENT else int(column[row])
        count = self._counts.get(channel)
        if count is None or columns.pixel_type.item(row) not in _SIXTEEN_BIT or not pixels.size:
            return
        largest = int(pixels.max())
        if largest >> count and largest > self._found.get(channel, (0, 0))[0]:
            self._found[channel] = largest, row

    def findings(self) -> Iterator[Finding]:
        """Tell of each channel whose pixels need more bits."""
        for channel, (largest, row) in sorted(self._found.items()):
            yield Finding(
                "bitcount",
                "warning",
                message=f"a pixel of channel {channel} is {largest}, more than the "
                f"{self._counts[channel]} bits that the XML tells (ComponentBitCount) can hold",
                remedy="set the display range by the pixels; czi.edit_czi changes the metadata",
                **self._view.about(row),
            )
