"""The planes of a document being written: their coordinates, and what stands in each already."""

from __future__ import annotations

import operator
from collections.abc import Mapping
from typing import Any

from czictypes.model.dimensions import (
    ABSENT,
    DIMENSION_INDEX,
    DIMENSIONS,
    checked_plane,
    format_coordinate,
)
from czictypes.model.geometry import Rectangle
from czictypes.model.pixel_types import PixelType
from czictypes.writing.overlap import OccupiedArea

__all__ = ["PlaneRecord", "PlaneRecords"]

#: What every plane has, as those of ZEISS software do.
_ALWAYS_THERE = ("Z", "C", "T")
_LARGEST_M = 2**31 - 2  # one more would mean "no M-index"


class PlaneRecord:
    """The pixels written to one plane of one scene."""

    def __init__(self, coordinate: dict[str, int], *, watch_overlaps: bool) -> None:
        self.coordinate = coordinate
        self.pixel_type: PixelType | None = None
        self.bounds: Rectangle | None = None
        self._next_m = 0
        self._area = OccupiedArea() if watch_overlaps else None

    @property
    def _where(self) -> str:
        return f"plane {format_coordinate(self.coordinate)}"

    def check(self, rectangle: Rectangle, pixel_type: PixelType, tiles: int) -> None:
        """Check that pixels may be written here; nothing changes.

        Raises
        ------
        ValueError
            If they overlap what is there, have another pixel type, or are too many tiles.
        """
        if self.pixel_type not in (None, pixel_type):
            assert self.pixel_type is not None
            raise ValueError(
                f"{self._where} holds {self.pixel_type.name} pixels already; it cannot take "
                f"{pixel_type.name} ones"
            )
        if self._next_m + tiles > _LARGEST_M:
            raise ValueError(f"{self._where} holds {self._next_m} tiles; a CZI cannot hold more")
        if self._area is None:
            return
        found = self._area.find_overlap(rectangle)
        if found is not None:
            raise ValueError(
                f"the pixels at {tuple(rectangle)} (x, y, w, h) overlap those at {tuple(found)}, "
                f'written before to {self._where}; overlap="allow" accepts that'
            )

    def check_reduced(self, rectangle: Rectangle, pixel_type: PixelType) -> None:
        """Check that a tile of a pyramid may be written here: it shows pixels that are there.

        Raises
        ------
        ValueError
            If it reaches beyond them, or has another pixel type.
        """
        where = f"plane {format_coordinate(self.coordinate)}"
        if self.bounds is None or self.bounds.intersect(rectangle) != rectangle:
            there = "nothing" if self.bounds is None else f"only {tuple(self.bounds)}"
            raise ValueError(
                f"the reduced pixels stand for {tuple(rectangle)} (x, y, w, h), but {where} holds "
                f"{there} in full resolution; write that first"
            )
        if self.pixel_type != pixel_type:
            assert self.pixel_type is not None
            raise ValueError(
                f"{where} holds {self.pixel_type.name} pixels; it cannot take reduced ones of "
                f"{pixel_type.name}"
            )

    def add(self, rectangle: Rectangle, pixel_type: PixelType, tiles: int) -> int:
        """Note that pixels are being written; return the M-index of the first of their tiles."""
        if self._area is not None:
            self._area.add(rectangle)
        self.pixel_type = pixel_type
        self.bounds = rectangle if self.bounds is None else self.bounds.union(rectangle)
        first = self._next_m
        self._next_m += tiles
        return first


class PlaneRecords:
    """All planes of a document.

    Parameters
    ----------
    watch_overlaps
        Whether pixels that overlap earlier ones of their plane and scene are refused.
    only_named
        Whether a plane has those dimensions alone that it is given, and S.
    """

    def __init__(self, *, watch_overlaps: bool, only_named: bool = False) -> None:
        self._watch_overlaps = watch_overlaps
        self._given: dict[str, Any] = {} if only_named else dict.fromkeys(_ALWAYS_THERE, 0)
        self._records: dict[tuple[int, ...], PlaneRecord] = {}
        self._found: dict[Any, PlaneRecord] = {}
        self._letters: tuple[str, ...] | None = None

    def find(self, plane: Mapping[str, int] | None, scene: int | None) -> PlaneRecord:
        """Return the record of a plane and scene.

        Parameters
        ----------
        plane
            Z, C and T are 0 unless given; S may stand here instead of in `scene`.
        scene
            None for 0.

        Raises
        ------
        TypeError
            If the plane is no mapping.
        ValueError
            For an unknown dimension, a number that no CZI can hold, or other dimensions than
            those of the writes before: a reader would never find such a plane.
        """
        plane = checked_plane(plane)
        asked = _key(plane, scene)
        found = self._found.get(asked)
        if found is not None:
            return found
        coordinate = _complete(self._given, plane, scene)
        letters = tuple(coordinate)
        if self._letters not in (None, letters):
            assert self._letters is not None
            raise ValueError(
                f"plane {format_coordinate(coordinate)} has the dimensions {', '.join(letters)}, "
                f"those written before have {', '.join(self._letters)}; all need the same"
            )
        record = self._records.get(tuple(coordinate.values()))
        if record is None:
            return PlaneRecord(coordinate, watch_overlaps=self._watch_overlaps)
        if asked is not None:
            self._found[asked] = record
        return record

    def keep(self, record: PlaneRecord) -> None:
        """Keep a record that `find` made: something is being written there."""
        self._letters = tuple(record.coordinate)
        self._records[tuple(record.coordinate.values())] = record


def _key(plane: Mapping[str, int], scene: int | None) -> Any:
    """Return what a plane may be remembered by: how it was asked for, if in plain numbers."""
    items = tuple(plane.items())
    plain = scene is None or type(scene) is int
    if plain and items:
        plain = all(type(value) is int for _, value in items)
    return (items, scene) if plain else None


def _complete(
    given: Mapping[str, Any], plane: Mapping[str, int], scene: int | None
) -> dict[str, int]:
    given = dict(given)
    for letter, value in plane.items():
        if letter not in DIMENSION_INDEX:
            raise ValueError(
                f"{letter!r} is not a dimension of a plane; use some of {', '.join(DIMENSIONS)}"
            )
        given[letter] = value
    if scene not in (None, given.get("S", scene)):
        raise ValueError(f"scene {scene} and S = {given['S']} in the plane contradict each other")
    given.setdefault("S", 0 if scene is None else scene)
    return {letter: _place(letter, given[letter]) for letter in DIMENSIONS if letter in given}


def _place(letter: str, value: Any) -> int:
    try:
        number = operator.index(value)
    except TypeError:
        raise ValueError(f"{letter} = {value!r} is not a whole number") from None
    if not ABSENT < number < 2**31:
        raise ValueError(f"{letter} = {number} is out of range: a CZI holds 32 bits")
    if letter == "S" and number < 0:
        raise ValueError(f"scene {number} is no scene; they are counted from 0")
    return number
