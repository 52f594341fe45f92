"""The chunks of an array, and the shards that several of them share."""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Union

from czictypes.exchange.ome_zarr.frame import AXES

__all__ = ["ChunkSizes", "Chunking", "make_chunking"]

#: One length for y and x, a length for each axis, or lengths by axis.
ChunkSizes = Union[int, Sequence[int], Mapping[str, int], None]

_DEFAULT = {"t": 1, "c": 1, "z": 1, "y": 1024, "x": 1024}


@dataclass(frozen=True)
class Chunking:
    """The way in which arrays are cut.

    Parameters
    ----------
    chunk, shard
        Lengths along all axes; a shard consists of whole chunks. None for no shards.
    """

    chunk: tuple[int, ...]
    shard: tuple[int, ...] | None

    @property
    def unit(self) -> tuple[int, ...]:
        """The least that is written at once: one object of the store."""
        return self.shard or self.chunk

    def fitted(self, shape: Sequence[int]) -> Chunking:
        """Return the same for one array: no chunk is longer than it has to be."""
        if self.shard is None:
            return Chunking(tuple(min(c, max(n, 1)) for c, n in zip(self.chunk, shape)), None)
        chunk, shard = [], []
        for size, long, length in zip(shape, self.shard, self.chunk):
            short = min(length, max(size, 1))
            chunk.append(short)
            shard.append(min(long // length, -(-max(size, 1) // short)) * short)
        return Chunking(tuple(chunk), tuple(shard))


def make_chunking(
    chunks: ChunkSizes, shards: ChunkSizes, version: str, per_shard: ChunkSizes = None
) -> Chunking:
    """Return the chunking that a caller asks for.

    `per_shard` are numbers of chunks, in place of `shards`: one for all axes, one for each of the
    last axes, or by axis.

    Raises
    ------
    ValueError
        For lengths that are none, shards that do not consist of whole chunks, or shards in
        OME-Zarr 0.4, whose Zarr format has none.
    """
    chunk = _lengths("chunks", chunks, _DEFAULT)
    if per_shard is not None:
        if shards is not None:
            raise ValueError("shards and chunks_per_shard say the same; give one of them")
        counts = _counts(per_shard)
        shards = tuple(length * count for length, count in zip(chunk, counts))
    if shards is None:
        return Chunking(chunk, None)
    if version == "0.4":
        raise ValueError('shards need version="0.5": Zarr format 2, that of 0.4, has none')
    shard = _lengths("shards", shards, dict(zip(AXES, chunk)))
    wrong = [axis for axis, s, c in zip(AXES, shard, chunk) if s % c]
    if wrong:
        raise ValueError(
            f"a shard of {shard} does not consist of whole chunks of {chunk} along "
            f"{', '.join(wrong)}"
        )
    return Chunking(chunk, shard)


def _lengths(name: str, given: ChunkSizes, default: Mapping[str, int]) -> tuple[int, ...]:
    if given is None:
        found: dict[str, int] = dict(default)
    elif isinstance(given, Mapping):
        unknown = [axis for axis in given if axis not in AXES]
        if unknown:
            raise ValueError(f"{name} has the axis {unknown[0]!r}; the axes are {', '.join(AXES)}")
        found = {**default, **given}
    elif isinstance(given, Sequence):
        if len(given) != len(AXES):
            raise ValueError(f"{name} has {len(given)} lengths for the axes {', '.join(AXES)}")
        found = dict(zip(AXES, given))
    else:
        found = {**default, "y": given, "x": given}
    return tuple(_length(name, axis, found[axis]) for axis in AXES)


def _counts(given: ChunkSizes) -> tuple[int, ...]:
    if isinstance(given, int):
        given = [given] * len(AXES)
    elif isinstance(given, Sequence) and len(given) < len(AXES):
        given = [*[1] * (len(AXES) - len(given)), *given]
    return _lengths("chunks_per_shard", given, dict.fromkeys(AXES, 1))


def _length(name: str, axis: str, value: object) -> int:
    try:
        length = operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        raise ValueError(f"{name}: {value!r} along {axis} is no whole number") from None
    if length < 1:
        raise ValueError(f"{name}: {length} along {axis}, but a chunk has at least one pixel")
    return length
