"""Finds the lattice on which the tiles of a plane stand, and keeps it."""

from __future__ import annotations

from collections.abc import Mapping

from czictypes.model.geometry import ABSENT, Rectangle
from czictypes.reading.lattice import Lattice, find_lattice
from czictypes.reading.plane_index import PlaneIndex
from czictypes.reading.selection import LEAST_ZOOM, only_scene

__all__ = ["LatticeIndex"]

#: So many planes are kept; to look at the tiles of a plane again takes little.
_KEPT = 4096


class LatticeIndex:
    """The lattices of a document's planes; safe to use from many threads.

    Parameters
    ----------
    index
        The sub-blocks of the document.
    """

    def __init__(self, index: PlaneIndex) -> None:
        self._index = index
        self._found: dict[tuple[object, ...], Lattice | None] = {}

    def find(self, plane: Mapping[str, int], roi: Rectangle, scene: int | None) -> Lattice | None:
        """Return the lattice of all tiles that may contribute to a read at zoom 1.

        Parameters
        ----------
        plane, roi, scene
            As for `select_tiles`.

        Returns
        -------
        Lattice or None
            None where the tiles do not stand on one, or are of several scenes.
        """
        scene = only_scene(self._index.table, roi, scene)
        if scene is None:
            return None
        key = (scene, *plane.items())
        try:
            return self._found[key]
        except KeyError:
            pass
        if len(self._found) >= _KEPT:
            self._found.clear()
        found = self._found[key] = self._look(plane, scene)
        return found

    def _look(self, plane: Mapping[str, int], scene: int) -> Lattice | None:
        table = self._index.table
        members = self._index.members(plane)
        members = members[table.zoom[members] >= LEAST_ZOOM]
        if scene != ABSENT:
            own = table.directory.scene[members]
            members = members[(own == scene) | (own == ABSENT)]
        if not len(members) or not table.is_layer0[members].all():
            return None
        return find_lattice(table.directory, members)
