"""The copy of its directory entry that each sub-block carries, and how it must agree."""

from __future__ import annotations

import struct
from typing import NamedTuple

from czictypes.container.directory import Directory
from czictypes.container.entries import DIMENSION_SIZE, ENTRY_SIZE, MAX_DIMENSIONS
from czictypes.model.errors import CorruptFileError
from czictypes.model.geometry import ABSENT, DIMENSION_INDEX, format_coordinate

__all__ = ["SubBlockEntry", "differences", "parse_entry"]

_FIXED = struct.Struct("<2siqiiB5xi")
_DIMENSION = struct.Struct("<c3xii4xi")
_LARGEST_INT = 2**31 - 1

_Extent = tuple[int, int, int]  # start, size, stored size
_NOWHERE: _Extent = (ABSENT, ABSENT, ABSENT)


class SubBlockEntry(NamedTuple):
    """A directory entry; `coordinate` has the plane dimensions and S, `m` may be `ABSENT`.

    A stored size of 0 stands for the logical one, and is given as that.
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
    physical_w: int
    physical_h: int
    m: int
    coordinate: dict[str, int]
    size: int  # in bytes
    letters: str = ""  # the dimensions in the order in which the entry lists them


def parse_entry(data: bytes, where: str) -> SubBlockEntry:
    """Read the entry at the start of `data`.

    Raises
    ------
    CorruptFileError
        If it is none, has a dimension that no CZI has, or goes beyond `data`.
    """
    schema, pixel_type, position, part, compression, pyramid, count = _FIXED.unpack_from(data)
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
    x, w, physical_w = extents.pop("X", _NOWHERE)
    y, h, physical_h = extents.pop("Y", _NOWHERE)
    m, _, _ = extents.pop("M", _NOWHERE)
    coordinate = {letter: extents[letter][0] for letter in DIMENSION_INDEX if letter in extents}
    return SubBlockEntry(
        pixel_type, position, part, compression, pyramid,
        x, y, w, h, physical_w or w, physical_h or h, m, coordinate, size, letters,
    )  # fmt: skip


def _parse_dimensions(data: bytes, where: str) -> dict[str, _Extent]:
    extents: dict[str, _Extent] = {}
    for code, start, size, stored_size in _DIMENSION.iter_unpack(data):
        letter = code.upper().decode("latin-1")
        if letter not in DIMENSION_INDEX and letter not in ("X", "Y", "M"):
            raise CorruptFileError(
                f"{where} has the unknown dimension {code!r}; the file is damaged"
            )
        extents[letter] = (start, size, stored_size)
    return extents


def differences(entry: SubBlockEntry, directory: Directory, index: int) -> str:
    """Say in what an entry differs from its row of the directory, empty where in nothing.

    What is compared is what libCZI compares before it reads a sub-block.
    """
    fields = ("pixel_type", "compression", "x", "y", "w", "h", "physical_w", "physical_h")
    found = []
    for name in fields:
        own, listed = getattr(entry, name), int(getattr(directory, name)[index])
        if own != listed:
            found.append(f"{name} {own}, there {listed}")
    own_m, listed_m = _valid_m(entry.m), _valid_m(int(directory.m[index]))
    if own_m != listed_m:
        found.append(f"M {own_m}, there {listed_m}")
    listed_place = directory.coordinate(index)
    if entry.coordinate != listed_place:
        own_text, listed_text = map(format_coordinate, (entry.coordinate, listed_place))
        found.append(f"coordinate {own_text}, there {listed_text}")
    return "; ".join(found)


def _valid_m(m: int) -> int | None:
    return None if m in (ABSENT, _LARGEST_INT) else m
