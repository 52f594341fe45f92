"""Tells a remote source beforehand what a read is going to need, so that it comes together."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager

import numpy as np

from czictypes.container.byte_source import ByteSource
from czictypes.container.directory import SubBlockExtents
from czictypes.container.segments import FileHeader
from czictypes.reading.cache import SubBlockCache
from czictypes.reading.plane_rows import PlaneRows

__all__ = ["Expectation", "Wanted"]

#: A row of `PlaneRows`, and which rows of its pixels are needed, the end excluded.
Wanted = tuple[int, int, int]


class Expectation:
    """Knows where the bytes of sub-blocks are, for a source that takes long to answer.

    Parameters
    ----------
    source, rows, header
        The file, and the planes that its sub-blocks hold.
    cache
        Has tiles whose bytes are not needed.
    masks
        Whether the attachments of sub-blocks are read too.
    """

    def __init__(
        self,
        source: ByteSource,
        rows: PlaneRows,
        header: FileHeader,
        *,
        cache: SubBlockCache | None = None,
        masks: bool = False,
    ) -> None:
        self._source = source
        self._rows = rows
        self._extents = SubBlockExtents(rows.stored, source.size(), header)
        self._cache = cache
        self._masks = masks

    def of(self, wanted: Sequence[Wanted]) -> AbstractContextManager[None]:
        """Have the bytes of sub-blocks fetched for the length of a `with` block."""
        if self._cache is not None:
            wanted = [one for one in wanted if one[0] not in self._cache]
        indices = self._rows.sub_blocks(np.array([row for row, _, _ in wanted], np.intp))
        if self._masks:
            return self._source.read_ahead(self._extents.whole(indices))
        stored = [self._as_stored(*one) for one in wanted]
        return self._source.read_ahead(self._extents.pixels(indices, stored))

    def room(self, sub_block: int) -> int:
        """Return how many bytes there are for a sub-block up to where something else begins."""
        return int(self._extents.room(np.array([sub_block]))[0])

    def _as_stored(self, row: int, first: int, end: int) -> tuple[int, int]:
        """Return which rows of pixels as they are stored are needed for some as they are read."""
        if not self._rows.is_special(row):
            return first, end
        height = self._rows.directory.physical_h.item(row)
        stored = max(self._rows.stored.physical_h.item(self._rows.sub_block_of(row)), 0)
        start = self._rows.part_of(row) * stored
        return start + first * stored // height, start + (end - 1) * stored // height + 1
