"""Where libCZI leaves open which of two tiles lies on top, only their seams differ.

It sorts tiles of one pyramid level, and tiles without M-index, in no stable way. At most zooms two
neighbours claim the same line of output pixels, and the one painted last has it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from files.block import Block
from files.recipe import Made
from numpy.typing import NDArray
from peers import open_accessor
from reads import Facts, Read, facts_of, random_read

from czictypes import czi


def near_seams(positions: set[int], start: int, zoom: float, length: int) -> NDArray[np.bool_]:
    """Tell which output lines lie next to one of these tile borders."""
    near = np.zeros(length, dtype=bool)
    for position in positions:
        line = int((position - start) * zoom)
        near[max(line - 2, 0) : max(line + 3, 0)] = True
    return near


def seams(blocks: Sequence[Block], read: Read, facts: Facts, shape: tuple[int, ...]) -> Any:
    x, y, _, _ = facts.roi_of(read)
    zoom = read.zoom or 1.0
    tiles = [block.rectangle for block in blocks]
    columns = near_seams({edge for r in tiles for edge in (r.x, r.x + r.w)}, x, zoom, shape[1])
    rows = near_seams({edge for r in tiles for edge in (r.y, r.y + r.h)}, y, zoom, shape[0])
    return rows[:, np.newaxis] | columns


def test_tiles_of_equal_rank_differ_from_libczi_at_most_at_their_seams(
    made: Callable[[str], Made], rng: np.random.Generator
) -> None:
    file = made("large_pyramid")
    coarse = [block for block in file.blocks if not block.is_layer0]
    with open_accessor(file.path) as accessor, czi.open_czi(file.path) as document:
        facts = facts_of(document)
        for _ in range(100):
            read = random_read(rng, facts).for_accessor()
            ours, theirs = document.read(**read.arguments), accessor.read(read)
            assert ours.shape == theirs.shape, read
            different = (ours != theirs).any(axis=2)
            assert not (different & ~seams(coarse, read, facts, ours.shape)).any(), read
