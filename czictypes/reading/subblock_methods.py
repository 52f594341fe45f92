"""The methods of a reader for single sub-blocks: their list, and the content of each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np

from czictypes.model.errors import CorruptFileError, OutOfBoundsError
from czictypes.model.geometry import parse_coordinate
from czictypes.reading.decode import SubBlockDecoder
from czictypes.reading.enumeration import SubBlockInfo, matching, sub_block_info
from czictypes.reading.properties import DocumentProperties
from czictypes.reading.request import Plane, Roi, parse_roi
from czictypes.reading.subblock import SubBlock

__all__ = ["SubBlockMethods"]


class SubBlockMethods(DocumentProperties):
    """The methods of an open document that give sub-blocks, decoded or not."""

    def enumerate_subblocks(self, func: Callable[[int, SubBlockInfo], bool]) -> None:
        """Call ``func(index, info)`` for every sub-block until it returns False."""
        self.enumerate_subblocks_subset(func)

    def enumerate_subblocks_subset(
        self,
        func: Callable[[int, SubBlockInfo], bool],
        plane: str | Plane | None = None,
        roi: Roi | None = None,
        only_layer0: bool = False,
    ) -> None:
        """Call ``func(index, info)`` for some sub-blocks until it returns False.

        Parameters
        ----------
        func
            Receives the index and a `SubBlockInfo`; a false result ends the enumeration.
        plane
            Only sub-blocks at this coordinate: ``"C0Z5T2"`` or a dictionary; S may be in it.
        roi
            Only sub-blocks that meet this rectangle.
        only_layer0
            Leave out the pyramid.
        """
        with self._session.document() as document:
            table = document.table
        rows = matching(
            table,
            coordinate=None if plane is None else parse_coordinate(plane),
            roi=None if roi is None else parse_roi(roi),
            only_layer0=only_layer0,
        )
        for index in np.unique(table.rows.sub_blocks(rows)).tolist():
            if not func(index, sub_block_info(table, index)):
                return

    def read_subblock(self, index: int) -> SubBlock:
        """Return one sub-block; its pixels, metadata and attachment are read when asked for.

        Raises
        ------
        OutOfBoundsError
            If there is no sub-block of that index.
        """
        with self._session.document() as document:
            count = document.directory.count
            if not 0 <= index < count:
                raise OutOfBoundsError(
                    f"there is no sub-block {index} in {document.name}; "
                    + (f"they go from 0 to {count - 1}" if count else "it has none")
                )
            table = document.table
            planes = [table.coordinate(row) for row in table.rows.rows_of(index)]
            info = sub_block_info(table, index)
            return SubBlock(index, info, planes, self._decoder, document.name)

    @contextmanager
    def _decoder(self) -> Iterator[SubBlockDecoder]:
        """Hold the document open while one of its sub-blocks is read."""
        with self._session.document() as document:
            try:
                yield document.decoder
            except CorruptFileError:  # it may be the damage of a file in between
                document.require_unchanged()
                raise
            document.require_unchanged()
