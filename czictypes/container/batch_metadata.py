"""Reads the XML of many sub-blocks at once.

`subblock.read_subblock_segment` checks all that libCZI relies on. Here libCZI takes no part, so
no more is checked than where the XML lies; whatever is unusual goes through that function, which
says what is wrong.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from typing import Union

import numpy as np
from numpy.typing import NDArray

from czictypes.container.byte_source import ByteSource
from czictypes.container.directory import Directory
from czictypes.container.layout import DIMENSION_SIZE, ENTRY_SIZE, MAX_DIMENSIONS, SUBBLOCK
from czictypes.container.subblock import read_metadata_bytes, read_subblock_segment
from czictypes.model.errors import CorruptFileError, MissingPartError

__all__ = ["StoredXml", "read_many_metadata"]

#: The bytes of an XML, or what is wrong with its sub-block.
StoredXml = Union[bytes, CorruptFileError, MissingPartError]

_HEAD = struct.Struct("<16sqqiiq")  # segment header, sizes of metadata, attachment and data
_SCHEMA = _HEAD.size
_COUNT = _HEAD.size + ENTRY_SIZE - 4
_LEAST_SIZE = 32 + 256
_ROOM = 2048  # nearly all sub-blocks have less XML than this
_MARK = SUBBLOCK.encode()
_GAP = 16 << 10  # reading so many bytes for nothing takes less time than another call
_LONGEST = 1 << 20


def read_many_metadata(
    source: ByteSource, directory: Directory, indices: Sequence[int]
) -> list[StoredXml]:
    """Return the XML of some sub-blocks as it is stored, empty where there is none.

    Instead of the XML of a damaged sub-block its error is returned.
    """
    rows = np.asarray(indices, np.intp)
    rows = rows[directory.file_position[rows].argsort(kind="stable")]
    found: dict[int, StoredXml] = {}
    for index, head in zip(rows.tolist(), _heads(source, directory.file_position[rows])):
        found[index] = _metadata_in(head, source, directory, index)
    return [found[index] for index in indices]


def _heads(source: ByteSource, ascending: NDArray[np.int64]) -> Iterator[bytes]:
    """Give the first bytes of segments; of those one behind the other, many are read at once."""
    size = source.size()
    outside = (ascending < 0) | (ascending >= size)
    positions = np.where(outside, 0, ascending).tolist()
    spans = np.where(outside, 0, _LEAST_SIZE + _ROOM).tolist()
    parts = list(_runs(positions, spans)) if positions else []
    ranges = [(positions[first], length) for first, _, length in parts]
    for (first, end, _), data in zip(parts, source.read_ranges(ranges)):
        begin = positions[first]
        for position, span in zip(positions[first:end], spans[first:end]):
            yield data[position - begin : position - begin + span]


def _metadata_in(head: bytes, source: ByteSource, directory: Directory, index: int) -> StoredXml:
    """Take the XML out of the beginning of a segment, if it is all there."""
    if len(head) >= _LEAST_SIZE:
        mark, _, _, length, _, _ = _HEAD.unpack_from(head)
        count = int.from_bytes(head[_COUNT : _COUNT + 4], "little")
        usual = mark.rstrip(b"\0") == _MARK and head[_SCHEMA : _SCHEMA + 2] == b"DV"
        start = max(_LEAST_SIZE, _HEAD.size + ENTRY_SIZE + DIMENSION_SIZE * count)
        if usual and count <= MAX_DIMENSIONS and 0 <= length <= len(head) - start:
            return head[start : start + length]
    try:
        return read_metadata_bytes(source, read_subblock_segment(source, directory, index))
    except (CorruptFileError, MissingPartError) as error:
        return error


def _runs(positions: list[int], spans: list[int]) -> Iterator[tuple[int, int, int]]:
    """Give runs of ascending positions that are read by one call: first, end, length."""
    first, reach = 0, positions[0] + spans[0]
    for number in range(1, len(positions)):
        position = positions[number]
        end = position + spans[number]
        if position > reach + _GAP or end - positions[first] > _LONGEST:
            yield first, number, reach - positions[first]
            first, reach = number, end
        reach = max(reach, end)
    yield first, len(positions), reach - positions[first]
