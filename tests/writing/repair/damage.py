"""Files damaged at random, with a record of what is whole in them.

Beside the bytes of a file goes an array that tells where each came from, or -1 where it was
overwritten. A segment is whole if its bytes still come from where they were, in one piece.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from files.block import Block
from files.builder import AttachmentSpec, write_czi
from files.patterns import noise
from files.xml import document_xml
from numpy.typing import NDArray

from czictypes.model.pixel_types import Compression, PixelType

__all__ = [
    "Content", "Damaged", "Stored", "contents_of", "damage", "segments_of", "write_source",
]  # fmt: skip

_NESTED = PixelType.Bgr24


@dataclass(frozen=True)
class Stored:
    """A sub-block as it stands in the file: the entry without its place, then its parts."""

    start: int
    end: int
    entry: bytes
    metadata: bytes
    data: bytes
    attachment: bytes

    @property
    def content(self) -> tuple[bytes, bytes, bytes, bytes]:
        """Everything but the place in the file."""
        return self.entry, self.metadata, self.data, self.attachment


@dataclass(frozen=True)
class Content:
    """The XML or the data of an attachment as they stand in the file."""

    start: int
    end: int
    data: bytes


def segments_of(data: bytes) -> list[Stored]:
    """Return the sub-blocks of a whole file."""
    found = []
    for position, used in _walk(data, b"ZISRAWSUBBLOCK"):
        metadata, attachment, size = struct.unpack_from("<iiq", data, position + 32)
        (dimensions,) = struct.unpack_from("<i", data, position + 48 + 28)
        entry = bytearray(data[position + 48 : position + 80 + 20 * dimensions])
        entry[6:18] = bytes(12)  # file position and part
        entry[23:28] = bytes(5)  # reserved: they mean nothing
        at = position + max(288, 48 + len(entry))
        ends = np.cumsum([at, metadata, size, attachment]).tolist()
        parts = [data[first:last] for first, last in zip(ends, ends[1:])]
        found.append(Stored(position, position + 32 + used, bytes(entry), *parts))
    return found


def contents_of(data: bytes) -> list[Content]:
    """Return the XML and the attachments of a whole file."""
    found = []
    for identifier, size in ((b"ZISRAWMETADATA", "<i"), (b"ZISRAWATTACH", "<q")):
        for position, _ in _walk(data, identifier):
            end = position + 288 + struct.unpack_from(size, data, position + 32)[0]
            found.append(Content(position, end, data[position + 288 : end]))
    return found


def _walk(data: bytes, identifier: bytes) -> Iterator[tuple[int, int]]:
    """Give where the segments of a kind begin, and their used sizes."""
    position = 0
    while position + 32 <= len(data):
        allocated, used = struct.unpack_from("<qq", data, position + 16)
        if data[position : position + 16] == identifier.ljust(16, b"\0"):
            yield position, used
        position += 32 + max(allocated, used)


def write_source(path: Path, rng: np.random.Generator) -> Path:
    """Write a file of some tiles: plain and packed ones, masks, a pyramid, attachments."""
    nested = path.with_suffix(".label.czi")
    write_czi(nested, [Block(noise(_NESTED, 5, 7, 1), plane={"C": 0})], metadata=document_xml())
    schemes = (Compression.Uncompressed, Compression.Zstd0, Compression.Zstd1)
    blocks = []
    for number in range(int(rng.integers(3, 9))):
        height, width = rng.integers(6, 40, 2).tolist()
        plane = {"C": number % 2, "T": number // 2}
        mask = rng.random((height, width)) < 0.5 if rng.random() < 0.3 else None
        scheme = schemes[int(rng.integers(len(schemes)))]
        pixels = noise(PixelType.Gray16, height, width, int(rng.integers(1 << 30)))
        blocks.append(Block(pixels, 40 * number, 0, plane, m=number, compression=scheme, mask=mask))
    reduced = noise(PixelType.Gray16, 6, 9, 5)
    blocks.append(Block(reduced, plane={"C": 0, "T": 0}, logical=(18, 12)))
    label = AttachmentSpec("Label", "CZI", nested.read_bytes())
    notes = AttachmentSpec("Notes", "TXT", b"free")
    return write_czi(
        path,
        blocks,
        metadata=document_xml(channels=["A", "B"]),
        attachments=[label, notes] if rng.random() < 0.7 else [],
        reserved=12 if rng.random() < 0.4 else None,
    )


@dataclass
class Damaged:
    """A damaged file, and where its bytes came from."""

    data: bytearray
    origin: NDArray[np.int64]

    def is_whole(self, start: int, end: int) -> bool:
        """Whether some bytes of the file before are still there, one behind the other."""
        wanted = np.arange(start, end)
        places = np.flatnonzero(self.origin == start)
        return any(np.array_equal(self.origin[at : at + end - start], wanted) for at in places)

    def overwrite(self, start: int, content: bytes) -> None:
        """Put other bytes in place of some."""
        self.data[start : start + len(content)] = content
        self.origin[start : start + len(content)] = -1

    def cut(self, start: int, end: int) -> None:
        """Take some bytes out."""
        del self.data[start:end]
        self.origin = np.delete(self.origin, np.s_[start:end])


def damage(data: bytes, rng: np.random.Generator) -> Damaged:
    """Cut or overwrite a file at random, in one to three places."""
    found = Damaged(bytearray(data), np.arange(len(data)))
    for _ in range(int(rng.choice([1, 1, 2, 3]))):
        ways = [_overwrite, _overwrite, _copy, _truncate, _lose_segment, _cut_out, _lose_front]
        chances = [0.3, 0.1, 0.1, 0.15, 0.2, 0.1, 0.05]
        way: Callable[..., Any] = ways[int(rng.choice(len(ways), p=chances))]
        if len(found.data) > 600:
            way(found, rng)
    return found


def _piece(found: Damaged, rng: np.random.Generator) -> tuple[int, int]:
    size = min(int(2 ** rng.uniform(0, 12)), len(found.data) // 2)
    return int(rng.integers(len(found.data) - size)), size


def _overwrite(found: Damaged, rng: np.random.Generator) -> None:
    start, size = _piece(found, rng)
    filling = [rng.bytes(size), bytes(size), b"\xff" * size][int(rng.integers(3))]
    found.overwrite(start, filling)


def _copy(found: Damaged, rng: np.random.Generator) -> None:
    start, size = _piece(found, rng)
    source = int(rng.integers(len(found.data) - size))
    found.overwrite(start, bytes(found.data[source : source + size]))


def _truncate(found: Damaged, rng: np.random.Generator) -> None:
    found.cut(int(rng.integers(600, len(found.data) + 1)), len(found.data))


def _lose_segment(found: Damaged, rng: np.random.Generator) -> None:
    """Overwrite the head of a segment: the file's, a directory's, a tile's..."""
    heads = [at for at in range(0, len(found.data), 32) if found.data[at : at + 6] == b"ZISRAW"]
    start = heads[int(rng.integers(len(heads)))] if heads else 0
    size = min(int(rng.choice([4, 16, 40, 200])), len(found.data) - start)
    found.overwrite(start, rng.bytes(size))


def _cut_out(found: Damaged, rng: np.random.Generator) -> None:
    start, size = _piece(found, rng)
    found.cut(start, start + size)


def _lose_front(found: Damaged, rng: np.random.Generator) -> None:
    found.cut(0, int(rng.integers(len(found.data) // 2)))
