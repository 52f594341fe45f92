"""Sets fields that the C API's writer has no argument for, in the finished file.

The writer marks every sub-block as uncompressed (libczi-facts.md, fact 1) and as no pyramid
tile. A file has the fields twice: in each sub-block's segment and in the directory.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path

from files.block import Block

__all__ = ["mark_blocks", "name_pixel_type"]

_DIRECTORY_POSITION = 84
_FIRST_ENTRY = 32 + 128  # after the segment's header and the directory's own
_ENTRY, _DIMENSION = 32, 20  # bytes of an entry, and more for each of its dimensions
# within an entry
_PIXEL_TYPE, _FILE_POSITION, _COMPRESSION, _PYRAMID, _DIMENSION_COUNT = 2, 6, 18, 22, 28
_SIZE, _STORED_SIZE = 8, 16  # within the part of a dimension
_ENTRY_IN_SEGMENT = 48


def mark_blocks(path: Path, blocks: Sequence[Block]) -> None:
    """Set compression and pyramid type of every sub-block; `blocks` as they were written."""
    data = bytearray(path.read_bytes())
    for (position, entry), block in zip(_positions(data, len(blocks)), blocks):
        for place in (entry, position + _ENTRY_IN_SEGMENT):
            label = block.compression if block.label is None else block.label
            struct.pack_into("<i", data, place + _COMPRESSION, label)
            struct.pack_into("<B", data, place + _PYRAMID, block.entry_pyramid_type)
            _set_dimensions(data, place, block)
    path.write_bytes(data)


def name_pixel_type(path: Path, number: int, pixel_type: int) -> None:
    """Have the entries of a sub-block (by its number in the file) name another pixel type."""
    data = bytearray(path.read_bytes())
    position, entry = _positions(data, number + 1)[number]
    for place in (entry, position + _ENTRY_IN_SEGMENT):
        struct.pack_into("<i", data, place + _PIXEL_TYPE, pixel_type)
    path.write_bytes(data)


def _positions(data: bytearray, count: int) -> list[tuple[int, int]]:
    """Return where the first sub-blocks begin, and their entries in the directory."""
    (directory,) = struct.unpack_from("<q", data, _DIRECTORY_POSITION)
    entry = directory + _FIRST_ENTRY
    by_position = []
    for _ in range(count):
        (position,) = struct.unpack_from("<q", data, entry + _FILE_POSITION)
        by_position.append((position, entry))
        (dimensions,) = struct.unpack_from("<i", data, entry + _DIMENSION_COUNT)
        entry += _ENTRY + dimensions * _DIMENSION
    return sorted(by_position)


def _set_dimensions(data: bytearray, entry: int, block: Block) -> None:
    stored = dict(zip("XY", block.stored)) if block.stored else {}
    (dimensions,) = struct.unpack_from("<i", data, entry + _DIMENSION_COUNT)
    for place in range(entry + _ENTRY, entry + _ENTRY + dimensions * _DIMENSION, _DIMENSION):
        letter = chr(data[place])
        if letter in block.sizes:
            struct.pack_into("<i", data, place + _SIZE, block.sizes[letter])
        if letter in stored or letter in block.sizes:
            size = stored.get(letter, block.sizes.get(letter))
            struct.pack_into("<i", data, place + _STORED_SIZE, size)
