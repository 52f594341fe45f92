"""Parse the entries of the sub-block directory into numpy columns.

Entries differ in length (20 bytes per dimension), so entries of equal length are parsed together
as a structured array.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from czictypes.container.columns import Columns
from czictypes.container.layout import (
    DIMENSION,
    DIMENSION_SIZE,
    ENTRY,
    ENTRY_SIZE,
    MAX_DIMENSIONS,
    entry_type,
)
from czictypes.model.errors import CorruptFileError, UnsupportedDataError
from czictypes.model.geometry import ABSENT, DIMENSION_INDEX, DIMENSIONS

_CHUNK = 1 << 16  # entries handled at once, to limit memory


class Located(NamedTuple):
    """The start of each entry in the entries' bytes (int64), and its number of dimensions."""

    offsets: NDArray[np.int64]
    dimension_counts: NDArray[np.int32]


def locate_entries(data: memoryview, count: int, name: str, *, strict: bool) -> Located:
    """Find the start of each entry.

    If all entries have the same length, no loop is needed. Unless `strict`, two bytes that are no
    known schema count as an entry and are skipped, as in libCZI.

    Raises
    ------
    CorruptFileError, UnsupportedDataError
        As `read_directory`.
    """
    return _locate_uniform(data, count) or _locate_each(data, count, name, strict)


def _locate_uniform(data: memoryview, count: int) -> Located | None:
    if count == 0:
        return Located(np.zeros(0, np.int64), np.zeros(0, np.int32))
    if len(data) < ENTRY_SIZE:
        return None
    dimensions = ENTRY.unpack_from(data)[-1]
    if not 0 <= dimensions <= MAX_DIMENSIONS:
        return None
    size = ENTRY_SIZE + DIMENSION_SIZE * dimensions
    if count * size > len(data):
        return None
    entries = np.frombuffer(data, entry_type(dimensions), count)
    if not ((entries["schema"] == b"DV") & (entries["dimension_count"] == dimensions)).all():
        return None
    offsets = np.arange(0, count * size, size, dtype=np.int64)
    return Located(offsets, np.full(count, dimensions, np.int32))


def _locate_each(data: memoryview, count: int, name: str, strict: bool) -> Located:
    offsets: list[int] = []
    dimension_counts: list[int] = []
    # PyPy copies the whole memoryview at each access.
    raw = bytes(data)
    position, end = 0, len(raw)
    unpack = ENTRY.unpack_from
    for entry in range(count):
        if position + ENTRY_SIZE <= end:
            schema, *_, dimensions = unpack(raw, position)
            if schema == b"DV":
                _check_dimension_count(dimensions, name, entry)
                offsets.append(position)
                dimension_counts.append(dimensions)
                position += ENTRY_SIZE + DIMENSION_SIZE * dimensions
                continue
        _check_schema(raw[position : position + 2], name, entry, strict)
        position += 2
    if position > end:
        raise _cut_off(name, count - 1)
    return Located(np.array(offsets, np.int64), np.array(dimension_counts, np.int32))


def _check_schema(schema: bytes, name: str, entry: int, strict: bool) -> None:
    """Refuse the schemas that libCZI refuses."""
    if len(schema) < 2 or schema == b"DV":
        raise _cut_off(name, entry)
    if schema == b"DE":
        raise UnsupportedDataError(
            f"entry {entry} of the sub-block directory of {name} has the schema DE of the oldest "
            "CZI files, which libCZI does not read"
        )
    if strict:
        raise _damaged(name, entry, f"has the unknown schema {schema!r}")


def _check_dimension_count(dimensions: int, name: str, entry: int) -> None:
    if not 0 <= dimensions <= MAX_DIMENSIONS:
        raise _damaged(
            name, entry, f"has {dimensions} dimensions, at most {MAX_DIMENSIONS} are possible"
        )


def _damaged(name: str, entry: int, problem: str) -> CorruptFileError:
    return CorruptFileError(
        f"entry {entry} of the sub-block directory of {name} {problem}; the file is damaged"
    )


def _cut_off(name: str, entry: int) -> CorruptFileError:
    return _damaged(name, entry, "goes beyond the end of the directory")


def fill_columns(
    columns: Columns, data: memoryview, located: Located, checks: StrictChecks | None
) -> None:
    """Fill the columns with the located entries.

    Raises
    ------
    CorruptFileError
        If a dimension is unknown, or a position in it impossible.
    """
    for rows, entries in _chunks(data, located):
        _fill_fixed_part(columns, rows, entries)
        dimensions = entries["dimensions"]
        for number in range(dimensions.shape[1]):
            _fill_dimension(columns, rows, dimensions[:, number], checks)


def _chunks(data: memoryview, located: Located) -> Iterator[tuple[NDArray[np.int64], NDArray[Any]]]:
    """Yield row numbers and entries, in chunks of entries with the same number of dimensions."""
    if not len(located.offsets):
        return
    everything = np.frombuffer(data, np.uint8)
    for dimensions in np.flatnonzero(np.bincount(located.dimension_counts)).tolist():
        rows = np.flatnonzero(located.dimension_counts == dimensions)
        windows = sliding_window_view(everything, ENTRY_SIZE + DIMENSION_SIZE * dimensions)
        for start in range(0, len(rows), _CHUNK):
            chunk = rows[start : start + _CHUNK]
            copied = np.ascontiguousarray(windows[located.offsets[chunk]])
            yield chunk, copied.view(entry_type(dimensions))[:, 0]


def _fill_fixed_part(columns: Columns, rows: NDArray[np.int64], entries: NDArray[Any]) -> None:
    for field in ("pixel_type", "compression", "file_part", "file_position", "pyramid_type"):
        columns.plain[field][rows] = entries[field]


def _fill_dimension(
    columns: Columns,
    rows: NDArray[np.int64],
    found: NDArray[Any],
    checks: StrictChecks | None,
) -> None:
    """Store the n-th dimension of each entry; if a dimension is repeated, the last one wins."""
    letters = np.ascontiguousarray(found["letter"])
    for code in np.flatnonzero(np.bincount(letters)).tolist():
        here = letters == code
        whole = bool(here.all())
        some_rows, some = (rows, found) if whole else (rows[here], found[here])
        letter = chr(code).upper() if code < 128 else ""
        _fill_letter(columns, letter, some_rows, some)
        if checks is not None:
            checks.dimension(letter, some_rows, some)


def _fill_letter(
    columns: Columns, letter: str, rows: NDArray[np.int64], found: NDArray[Any]
) -> None:
    if letter in ("X", "Y"):
        start, size = ("x", "w") if letter == "X" else ("y", "h")
        columns.plain[start][rows] = found["start"]
        columns.plain[size][rows] = found["size"]
        columns.plain["stored_" + size][rows] = found["stored_size"]
    elif letter == "M":
        columns.plain["m"][rows] = found["start"]
    elif letter in DIMENSION_INDEX:
        _refuse(columns.name, rows, found["start"] == ABSENT, f"has no usable place in {letter}")
        columns.coordinate(letter)[rows] = found["start"]
        columns.set_sizes(letter, rows, found["size"])
    else:
        code = int(found["letter"][0])
        known = ", ".join(("X", "Y", "M", *DIMENSIONS))
        everywhere = np.ones(len(rows), bool)
        _refuse(
            columns.name,
            rows,
            everywhere,
            f"has the unknown dimension {bytes([code])!r}; a CZI has {known}",
        )


def _refuse(name: str, rows: NDArray[np.int64], bad: NDArray[np.bool_], problem: str) -> None:
    if bad.any():
        raise CorruptFileError(
            f"sub-block {int(rows[bad][0])} of {name} {problem}; the file is damaged"
        )


class StrictChecks:
    """The strict checks; they raise an error for the first invalid sub-block.

    `ignore_sizem_for_pyramid` allows any size of M in sub-blocks whose stored size differs from
    their logical size.
    """

    def __init__(self, columns: Columns, ignore_sizem_for_pyramid: bool) -> None:
        self._columns = columns
        self._ignore_sizem_for_pyramid = ignore_sizem_for_pyramid
        self._odd_m = np.zeros(columns.count, bool)
        self._problems: dict[int, str] = {}

    def dimension(self, letter: str, rows: NDArray[np.int64], found: NDArray[Any]) -> None:
        """Check the sizes of some entries in one dimension."""
        if letter in ("X", "Y"):
            return
        odd = found["size"] != 1
        if letter == "M":
            self._odd_m[rows[odd]] = True
            return
        self._note(rows, odd, f"a size other than 1 in dimension {letter}")
        self._note(rows, found["stored_size"] != 1, f"a stored size other than 1 in {letter}")

    def finish(self) -> None:
        """Make the checks that need whole entries; raise CorruptFileError if any check failed."""
        plain = self._columns.plain
        rows = np.arange(self._columns.count)
        for letter, size in (("X", "w"), ("Y", "h")):
            self._note(rows, plain[size] == ABSENT, f"no {letter}")
        odd = self._odd_m
        if self._ignore_sizem_for_pyramid:
            same_size = plain["w"] == plain["stored_w"]
            odd = odd & same_size & (plain["h"] == plain["stored_h"])
        self._note(rows, odd, "a size other than 1 in dimension M")
        if self._problems:
            index = min(self._problems)
            raise CorruptFileError(
                f"sub-block {index} of {self._columns.name} has {self._problems[index]}, which "
                "the strict checks refuse; open it with "
                "ReaderOptions(lax_subblock_coordinate_checks=True) to read it all the same"
            )

    def _note(self, rows: NDArray[np.int64], bad: NDArray[np.bool_], problem: str) -> None:
        if bad.any():
            self._problems.setdefault(int(rows[bad][0]), problem)


_Extent = tuple[int, int, int]  # start, size, stored size
_NOWHERE: _Extent = (ABSENT, ABSENT, ABSENT)


class SubBlockEntry(NamedTuple):
    """A directory entry; `coordinate` has the plane dimensions and S, `m` may be `ABSENT`.

    A stored size of 0 means the logical size, and is replaced by it.
    """

    pixel_type: int
    file_position: int
    file_part: int
    compression: int
    pyramid_type: int
    x: int
    y: int
    w: int
    h: int
    stored_w: int
    stored_h: int
    m: int
    coordinate: dict[str, int]
    size: int  # in bytes
    letters: str = ""  # the dimensions in the order in which the entry lists them


def parse_entry(data: bytes, where: str) -> SubBlockEntry:
    """Read the entry at the start of `data`.

    Raises
    ------
    CorruptFileError
        If there is no entry, it has an unknown dimension, or it extends past the end of `data`.
    """
    schema, pixel_type, position, part, compression, pyramid, count = ENTRY.unpack_from(data)
    if schema != b"DV":
        raise CorruptFileError(f"{where} has the schema {schema!r}, libCZI reads b'DV' alone")
    if not 0 <= count <= MAX_DIMENSIONS:
        raise CorruptFileError(
            f"{where} has {count} dimensions, at most {MAX_DIMENSIONS} are possible; the file is "
            "damaged"
        )
    size = ENTRY_SIZE + DIMENSION_SIZE * count
    if size > len(data):
        raise CorruptFileError(f"{where} is cut off inside its dimensions; the file is truncated")
    extents = _parse_dimensions(data[ENTRY_SIZE:size], where)
    letters = "".join(extents)
    x, w, stored_w = extents.pop("X", _NOWHERE)
    y, h, stored_h = extents.pop("Y", _NOWHERE)
    m, _, _ = extents.pop("M", _NOWHERE)
    coordinate = {letter: extents[letter][0] for letter in DIMENSION_INDEX if letter in extents}
    return SubBlockEntry(
        pixel_type, position, part, compression, pyramid,
        x, y, w, h, stored_w or w, stored_h or h, m, coordinate, size, letters,
    )  # fmt: skip


def _parse_dimensions(data: bytes, where: str) -> dict[str, _Extent]:
    extents: dict[str, _Extent] = {}
    for code, start, size, _, stored_size in DIMENSION.iter_unpack(data):
        letter = code.upper().decode("latin-1")
        if letter not in DIMENSION_INDEX and letter not in ("X", "Y", "M"):
            raise CorruptFileError(
                f"{where} has the unknown dimension {code!r}; the file is damaged"
            )
        extents[letter] = (start, size, stored_size)
    return extents
