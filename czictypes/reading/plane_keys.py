"""One number for each plane of a document, and which planes show in a plane that is read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from czictypes.container.columns import unique_rows
from czictypes.container.directory import Directory
from czictypes.model.geometry import ABSENT

__all__ = ["PlaneKeys", "ShownPlane"]

_MOST = 1 << 62
#: What shows in so many planes is remembered.
_KEPT = 4096


class ShownPlane(NamedTuple):
    """A plane whose tiles show in a read: its key, and its rank; lower ones are painted first."""

    key: int
    rank: int


class PlaneKeys:
    """The planes of the tiles of a document.

    Dimensions of one place do not tell planes apart: tiles need not have them.

    Parameters
    ----------
    columns
        The tiles.
    bounds
        Start and size of each plane dimension.

    Attributes
    ----------
    keys
        A number for each tile, equal for those of the same plane.
    """

    def __init__(self, columns: Directory, bounds: Mapping[str, tuple[int, int]]) -> None:
        several = {name: one for name, one in bounds.items() if one[1] > 1}
        places = [columns.coordinates[name] for name in several]
        self._steps: dict[str, tuple[int, int]] = {}
        self._several = several
        step = 1
        for name, (start, size) in several.items():
            self._steps[name] = start - 1, step
            step *= size + 1
        self._numbers: dict[tuple[int, ...], int] | None = None
        if step < _MOST:
            self.keys = np.zeros(columns.count, np.int64)
            for column, (least, width) in zip(places, self._steps.values()):
                place = np.where(column == ABSENT, 0, column.astype(np.int64) - least)
                self.keys += place * width
        else:
            planes, self.keys = unique_rows(np.column_stack(places))
            self._numbers = {tuple(plane): at for at, plane in enumerate(planes.tolist())}
        self._lacking = self._combinations(places)
        self._found: dict[tuple[Any, ...], list[ShownPlane]] = {}

    @property
    def is_mixed(self) -> bool:
        """Whether a tile lacks a dimension in which others lie at several places."""
        return bool(self._lacking)

    def _combinations(self, places: list[NDArray[np.int32]]) -> list[frozenset[str]]:
        """Return which dimensions are lacking together in some tile, most dimensions first."""
        lacked = [
            (name, column == ABSENT)
            for name, column in zip(self._steps, places)
            if column.min(initial=0) == ABSENT
        ]
        if not lacked:
            return []
        names = np.array([name for name, _ in lacked])
        patterns = unique_rows(np.column_stack([absent for _, absent in lacked]))[0]
        found = [frozenset(names[pattern].tolist()) for pattern in patterns if pattern.any()]
        return sorted(found, key=lambda one: (-len(one), sorted(one)))

    def shown(self, plane: Mapping[str, int], *, by_lacking: bool = False) -> list[ShownPlane]:
        """Return the planes whose tiles show in a plane.

        A tile that lacks a dimension (one channel without Z beside a stack) shows at every place in
        it, below those that lie at that place.

        Parameters
        ----------
        plane
            A place in each dimension in which the document has a choice.
        by_lacking
            Whether tiles that lack as many dimensions have one rank.
        """
        asked = (by_lacking, *plane.items())
        found = self._found.get(asked)
        if found is None:
            if len(self._found) >= _KEPT:
                self._found.clear()
            found = self._found[asked] = self._shown(plane, by_lacking)
        return found

    def _shown(self, plane: Mapping[str, int], by_lacking: bool) -> list[ShownPlane]:
        found: list[ShownPlane] = []
        for names in (*self._lacking, frozenset[str]()):
            places = [ABSENT if name in names else plane.get(name, ABSENT) for name in self._steps]
            rank = -places.count(ABSENT) if by_lacking else len(found)
            key = self._key(places)
            if key is not None and all(one.key != key for one in found):
                found.append(ShownPlane(key, rank))
        return found

    def _key(self, places: list[int]) -> int | None:
        if self._numbers is not None:
            return self._numbers.get(tuple(places))
        key = 0
        for at, (least, step), (_, size) in zip(
            places, self._steps.values(), self._several.values()
        ):
            if at != ABSENT:
                if not 0 < at - least <= size:
                    return None
                key += (at - least) * step
        return key
