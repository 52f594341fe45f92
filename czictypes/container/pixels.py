"""Pixels of a sub-block that are no array yet: only those that are used are fetched or unpacked.

They are indexed as an array (height, width, samples) by rows and columns. `in_bands` gives some
rows at a time, in a buffer that is used again for the next ones and stays in the processor's
cache. To copy large tiles on from there takes as long as to have the system read into each of the
plane's rows (16.0 ms and 15.6 for 128 MB, by two threads), which needs the address of every row.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol, Union

import numpy as np
from numpy.typing import NDArray

from czictypes.container.byte_source import ByteSource
from czictypes.model.errors import CorruptFileError

__all__ = [
    "ROWS_APART",
    "FilePixels",
    "HiLoPixels",
    "PixelArray",
    "StackedPixels",
    "Which",
    "in_bands",
    "loaded",
    "part_of",
    "stored_pixels",
    "stored_rows",
    "use_rows",
]

#: So many bytes at a time stay in the processor's cache; a plane takes a tenth longer with half of
#: them, and a quarter longer with a quarter.
_BAND_BYTES = 2 << 20
#: So many words at a time, whose halves are joined; a plane takes 4 % longer with a quarter.
_HILO_BAND = 256 << 10
#: Of so many samples columns are picked at a time: in what malloc gives again and again. New memory
#: for each copy, which larger ones get, takes twice as long as all else (670 us for 206).
_PICKED_BAND = 64 << 10
#: Rows further apart (bytes) are read one by one; what is between is read in the time of a call.
ROWS_APART = 24 << 10

Which = Union[slice, NDArray[np.intp]]


class PixelArray(Protocol):
    """Pixels that can be indexed by rows and columns, like an array (height, width, samples).

    It may have a method `bands`, which does the work of `in_bands`, and one named `use_rows`.
    """

    @property
    def shape(self) -> tuple[int, ...]:
        """Height, width, samples."""

    def __getitem__(self, which: tuple[Which, Which]) -> NDArray[Any]:
        """Return some rows and columns."""


def in_bands(pixels: PixelArray, rows: Which, columns: Which) -> Iterator[NDArray[Any]]:
    """Give some rows and columns of pixels, as many rows at a time as it pays to have at once.

    Each band is valid until the next one is asked for.
    """
    bands = getattr(pixels, "bands", None)
    if bands is not None:
        yield from bands(rows, columns)
    elif isinstance(columns, slice):
        yield pixels[rows, columns]
    else:
        for some in _parts(rows, pixels.shape, columns, _PICKED_BAND):
            yield _pick(pixels, some, columns)


def use_rows(pixels: PixelArray, end: int) -> None:
    """Say before the first access to pixels that only the rows before `end` will be used."""
    use = getattr(pixels, "use_rows", None)
    if use is not None:
        use(end)


def _joined(pixels: PixelArray, rows: Which, columns: Which) -> NDArray[Any]:
    """Return some rows and columns, whose bands become one array."""
    count = len(range(*rows.indices(pixels.shape[0]))) if isinstance(rows, slice) else len(rows)
    bands, first = in_bands(pixels, rows, columns), 0
    band = next(bands)
    found = np.empty((count, *band.shape[1:]), band.dtype)
    for one in itertools.chain([band], bands):
        found[first : first + len(one)] = one
        first += len(one)
    return found


def _pick(pixels: PixelArray, rows: Which, columns: Which) -> NDArray[Any]:
    """Return some rows and columns of an array; single columns sooner than by an index."""
    if isinstance(columns, slice):
        return pixels[rows, columns]
    span = _span(columns)
    picked: NDArray[Any] = pixels[rows, span].take(columns - span.start, axis=1)
    return picked


def _span(columns: Which) -> slice:
    """Return the columns from the first to the last one."""
    if isinstance(columns, slice):
        return columns
    return slice(columns.item(0), columns.item(-1) + 1)


def _parts(rows: Which, shape: tuple[int, ...], columns: Which, most: int) -> Iterator[Which]:
    """Split rows so that each part spans so many samples at most, or is a single row."""
    numbers = range(*rows.indices(shape[0])) if isinstance(rows, slice) else rows
    width = len(range(*_span(columns).indices(shape[1]))) * shape[2]
    at_once = max(most // max(width, 1), 1)
    for start in range(0, len(numbers), at_once):
        some = numbers[start : start + at_once]
        yield slice(some.start, some.stop, some.step) if isinstance(some, range) else some


class HiLoPixels:
    """16-bit pixels of which all low bytes come first, then all high bytes.

    Parameters
    ----------
    packed
        The bytes.
    shape
        Height, width, samples.
    """

    def __init__(self, packed: NDArray[np.uint8], shape: tuple[int, int, int]) -> None:
        self.shape = shape
        half = len(packed) // 2
        self._low = packed[:half].reshape(shape)
        self._high = packed[half:].reshape(shape)

    def __getitem__(self, which: tuple[Which, Which]) -> NDArray[np.uint16]:
        """Return some rows and columns."""
        pixels: NDArray[np.uint16] = np.multiply(_pick(self._high, *which), 256, dtype="<u2")
        pixels += _pick(self._low, *which)
        return pixels

    def bands(self, rows: Which, columns: Which) -> Iterator[NDArray[np.uint16]]:
        """Give some rows and columns as `in_bands` does; all at once take a third more time."""
        most = _HILO_BAND if isinstance(columns, slice) else _PICKED_BAND
        for some in _parts(rows, self.shape, columns, most):
            yield self[some, columns]


class StackedPixels:
    """One plane of several that lie one below the other, in the size in which it is read.

    Where that size is another one than the stored, a pixel is the stored one at
    ``floor(i * stored / size)``.

    Parameters
    ----------
    pixels
        All planes, one below the other.
    first
        The first row of this one.
    stored
        Its height and width as they are stored.
    size
        Its height and width as it is read.
    """

    def __init__(
        self, pixels: PixelArray, first: int, stored: tuple[int, int], size: tuple[int, int]
    ) -> None:
        self.shape = (*size, pixels.shape[2])
        self._pixels, self._first, self._stored = pixels, first, stored

    def use_rows(self, end: int) -> None:
        """Say before the first access that only the rows before `end` will be used."""
        use_rows(self._pixels, self._row(end - 1) + 1)

    def __getitem__(self, which: tuple[Which, Which]) -> NDArray[Any]:
        """Return some rows and columns."""
        return _joined(self, *which)

    def bands(self, rows: Which, columns: Which) -> Iterator[NDArray[Any]]:
        """Give some rows and columns as `in_bands` does."""
        down = _nearest(rows, self.shape[0], self._stored[0], self._first)
        across = _nearest(columns, self.shape[1], self._stored[1], 0)
        return in_bands(self._pixels, down, across)

    def _row(self, row: int) -> int:
        return self._first + row * self._stored[0] // self.shape[0]

    def stored(self) -> NDArray[Any]:
        """Return the plane as it is stored, which may be far smaller than it is read."""
        return self._pixels[self._first : self._first + self._stored[0], :]

    def stored_rows(self, first: int, end: int) -> tuple[NDArray[Any], int, int]:
        """Return what the function of that name does."""
        begin, stop = self._row(first), self._row(end - 1) + 1
        use_rows(self._pixels, stop)
        return self._pixels[begin:stop, :], begin - self._first, self._stored[0]

    def loaded(self) -> StackedPixels:
        """Return the same plane with its stored pixels in memory."""
        return StackedPixels(np.array(self.stored()), 0, self._stored, self.shape[:2])


def loaded(pixels: PixelArray) -> PixelArray:
    """Return the same pixels, decoded now and in memory of their own."""
    return pixels.loaded() if isinstance(pixels, StackedPixels) else np.array(pixels[:, :])


def stored_rows(pixels: PixelArray, first: int, end: int) -> tuple[NDArray[Any], int, int]:
    """Return the pixels as they are stored that some rows are made of.

    Returns
    -------
    pixels, first, height
        Rows from the `first` one on, and how many there are in all.
    """
    if isinstance(pixels, StackedPixels):
        return pixels.stored_rows(first, end)
    use_rows(pixels, end)
    return pixels[first:end, :], first, pixels.shape[0]


def part_of(pixels: PixelArray, rows: Which, columns: Which) -> NDArray[Any]:
    """Return some rows and columns of pixels."""
    if isinstance(pixels, np.ndarray):
        return pixels[rows][:, columns]
    return _joined(pixels, rows, columns)


def stored_pixels(pixels: PixelArray) -> NDArray[Any]:
    """Return all pixels of a tile as they are stored."""
    return pixels.stored() if isinstance(pixels, StackedPixels) else pixels[:, :]


def _nearest(which: Which, size: int, stored: int, first: int) -> Which:
    """Return which stored pixels stand for some of `size` pixels; `first` is the first of all."""
    if isinstance(which, slice) and size == stored:
        numbers = range(*which.indices(size))
        return slice(numbers.start + first, numbers.stop + first, numbers.step)
    if isinstance(which, slice):
        which = np.arange(*which.indices(size), dtype=np.intp)
    return which * stored // size + first


class FilePixels:
    """Pixels that stay in the file until they are used.

    Parameters
    ----------
    source, offset
        Where they are, row by row.
    shape, dtype
        Height, width, samples, and their type.
    scratch
        Gives a buffer of so many bytes, which is not used for anything else until the next access.
    where
        Says whose pixels they are, for messages.
    """

    def __init__(
        self,
        source: ByteSource,
        offset: int,
        shape: tuple[int, int, int],
        dtype: np.dtype[Any],
        scratch: Callable[[int], NDArray[np.uint8]],
        where: str,
    ) -> None:
        self.shape = shape
        self._source, self._offset, self._dtype = source, offset, dtype
        self._scratch, self._where = scratch, where
        self._row = shape[1] * shape[2] * dtype.itemsize

    def __getitem__(self, which: tuple[Which, Which]) -> NDArray[Any]:
        """Read some rows, and return some columns of them."""
        return _joined(self, *which)

    def bands(self, rows: Which, columns: Which) -> Iterator[NDArray[Any]]:
        """Read some rows, and give some columns of them as `in_bands` does."""
        if not isinstance(columns, slice):
            span = _span(columns)
            for part in _parts(rows, self.shape, columns, _PICKED_BAND):
                for band in self.bands(part, span):
                    yield _pick(band, slice(None), columns - span.start)
            return
        numbers: Sequence[int] = (
            range(*rows.indices(self.shape[0])) if isinstance(rows, slice) else rows.tolist()
        )
        if not numbers:
            yield np.empty((0, *self.shape[1:]), self._dtype)[:, columns]
            return
        apart = self._row * max((numbers[-1] - numbers[0]) // max(len(numbers) - 1, 1), 1)
        far = apart > ROWS_APART
        at_once = max(_BAND_BYTES // (self._row if far else apart), 1)
        for start in range(0, len(numbers), at_once):
            some = numbers[start : start + at_once]
            yield (self._read_each(some) if far else self._read_through(some))[:, columns]

    def read_rows(self, first: int, out: NDArray[Any]) -> None:
        """Read whole rows into an array of their shape and dtype that is contiguous in memory."""
        self._fill(self._offset + first * self._row, out.reshape(-1).view(np.uint8))

    def _read_through(self, numbers: Sequence[int]) -> NDArray[Any]:
        """Read rows, of which one may be wanted twice, and what is between them."""
        first, last = numbers[0], numbers[-1]
        buffer = self._scratch((last + 1 - first) * self._row)
        self._fill(self._offset + first * self._row, buffer)
        pixels = self._as_rows(buffer)
        return (
            pixels[:: numbers.step]
            if isinstance(numbers, range)
            else pixels[np.array(numbers) - first]
        )

    def _read_each(self, numbers: Sequence[int]) -> NDArray[Any]:
        """Read rows without what is between them."""
        buffer = self._scratch(len(numbers) * self._row)
        offsets = [self._offset + number * self._row for number in numbers]
        self._check_found(self._source.read_pieces(offsets, self._row, buffer.data), len(buffer))
        return self._as_rows(buffer)

    def _as_rows(self, buffer: NDArray[np.uint8]) -> NDArray[Any]:
        return buffer.view(self._dtype).reshape(-1, *self.shape[1:])

    def _fill(self, offset: int, buffer: NDArray[np.uint8]) -> None:
        self._check_found(self._source.read_into(offset, buffer.data), len(buffer))

    def _check_found(self, found: int, count: int) -> None:
        if found < count:
            raise CorruptFileError(
                f"{self._where} was cut off while it was read: {count} bytes asked for, "
                f"{found} found"
            )
