"""The requests for some ranges of a file: one for close ranges, several for a long one."""

from __future__ import annotations

from collections.abc import Iterable

from czictypes.container.byte_source import Range

__all__ = ["blocks_of", "runs_of"]


def blocks_of(ranges: Iterable[Range], block: int, size: int) -> list[int]:
    """Return the numbers of the blocks that ranges touch, each once, as they come first.

    Parameters
    ----------
    ranges
        Offsets and counts; what lies outside the file is left out.
    block, size
        The size of a block and of the file in bytes.
    """
    found: dict[int, None] = {}
    for offset, count in ranges:
        first, end = max(offset, 0), min(offset + count, size)
        if first < end:
            found.update(dict.fromkeys(range(first // block, (end - 1) // block + 1)))
    return list(found)


def runs_of(blocks: Iterable[int], gap: int, most: int) -> list[range]:
    """Join blocks into runs, each of which is fetched by one request.

    Parameters
    ----------
    blocks
        Numbers of blocks in any order.
    gap
        So many blocks that nobody asked for are fetched along to spare a request.
    most
        The length of a run in blocks.
    """
    runs: list[range] = []
    for number in sorted(blocks):
        last = runs[-1] if runs else None
        if last is not None and number - last.stop <= gap and number - last.start < most:
            runs[-1] = range(last.start, number + 1)
        else:
            runs.append(range(number, number + 1))
    return runs
