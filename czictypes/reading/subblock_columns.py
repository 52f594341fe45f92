"""Reads chosen fields of the metadata of many sub-blocks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from czictypes.container.batch_metadata import read_many_metadata
from czictypes.metadata.subblock_columns import SubBlockColumns
from czictypes.model.errors import OutOfBoundsError

if TYPE_CHECKING:
    from czictypes.reading.document import OpenDocument

__all__ = ["STANDARD_FIELDS", "read_columns"]

#: What is mostly wanted.
STANDARD_FIELDS = ("stage_x", "stage_y", "focus_z", "acquisition_time")

_AT_ONCE = 4096  # the XML of so many sub-blocks are in memory together


def read_columns(
    document: OpenDocument, indices: Sequence[int] | NDArray[np.intp], names: Sequence[str]
) -> dict[str, NDArray[Any]]:
    """Return ``index`` and a column for each name; see `CziReader.subblock_metadata`.

    Raises
    ------
    ValueError
        For a name that no tag can have.
    OutOfBoundsError
        If there is no sub-block of an index.
    """
    rows = np.asarray(indices, np.int64).reshape(-1)
    count = document.directory.count
    outside = rows[(rows < 0) | (rows >= count)]
    if len(outside):
        raise OutOfBoundsError(
            f"there is no sub-block {outside[0]} in {document.name}, which has {count}"
        )
    columns = SubBlockColumns(names)
    for first in range(0, len(rows), _AT_ONCE):
        some = rows[first : first + _AT_ONCE].tolist()
        found = read_many_metadata(document.source, document.directory, some)
        for index, xml in zip(some, found):
            if isinstance(xml, bytes):
                columns.add(index, xml)
            else:
                columns.miss(index, xml)
    return {"index": rows, **columns.arrays()}
