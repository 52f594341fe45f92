"""Pyramids made plainly: what the tiles of a file must hold, whatever way they were made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from files.block import Block
from files.painted import box_of, paint
from numpy.typing import NDArray

from czictypes.model.geometry import Rectangle
from czictypes.reading.reader import CziReader

__all__ = ["StoredTile", "assert_right_pyramid", "block_mean", "level_sizes", "stored_tiles"]


class StoredTile(NamedTuple):
    """A sub-block of a file."""

    plane: tuple[tuple[str, int], ...]
    rectangle: Rectangle
    size: tuple[int, int]
    m: int | None
    compression: int
    pixels: NDArray[Any]

    @property
    def is_reduced(self) -> bool:
        return (self.rectangle.w, self.rectangle.h) != self.size


def stored_tiles(path: Path) -> list[StoredTile]:
    """Return all sub-blocks of a file."""
    found: list[StoredTile] = []
    with CziReader(path) as document:
        for index in range(len(document.subblocks)):
            one = document.read_subblock(index)
            info = one.info
            found.append(
                StoredTile(
                    tuple(sorted(info.coordinate.items())),
                    info.logicalRect,
                    tuple(info.physicalSize),
                    info.mIndex if info.is_mindex_valid() else None,
                    info.compressionModeRaw,
                    one.pixels(),
                )
            )
    return found


def block_mean(pixels: NDArray[Any], factor: int, kind: str = "mean") -> NDArray[Any]:
    """Reduce (h, w, samples): means rounded halves up, or the top left pixels."""
    height, width, samples = pixels.shape
    height, width = height // factor, width // factor
    whole = pixels[: height * factor, : width * factor]
    blocks = whole.reshape(height, factor, width, factor, samples)
    if kind == "nearest":
        return blocks[:, 0, :, 0]
    if pixels.dtype.kind in "fc":
        wide = np.complex128 if pixels.dtype.kind == "c" else np.float64
        return blocks.astype(wide).mean(axis=(1, 3)).astype(pixels.dtype)
    sums = blocks.astype(object).sum(axis=(1, 3))  # Python's own whole numbers
    count = factor * factor
    return np.asarray((2 * sums + count) // (2 * count)).astype(pixels.dtype)


def level_sizes(box: Rectangle, factor: int, until: int) -> list[tuple[int, int]]:
    """Return width and height of every level above the full resolution."""
    sizes = []
    width, height = box.w, box.h
    while max(width, height) > until:
        width, height = width // factor, height // factor
        if not min(width, height):
            break
        sizes.append((width, height))
    return sizes


def assert_right_pyramid(
    path: Path,
    blocks: Sequence[Block],
    *,
    factor: int = 2,
    tile: int = 1024,
    until: int = 1024,
    kind: str = "mean",
) -> None:
    """Check that a file has the pyramid of these tiles in full resolution, and nothing else."""
    reduced = [one for one in stored_tiles(path) if one.is_reduced]
    places: dict[str, set[int]] = {}
    for name, at in (pair for block in blocks for pair in block.plane.items()):
        places.setdefault(name, set()).add(at)

    def plane_of(coordinate: Mapping[str, int]) -> frozenset[tuple[str, int]]:
        """Return what tells planes apart: a dimension of one place may be lacking."""
        items = coordinate.items()
        return frozenset((name, at) for name, at in items if name == "S" or len(places[name]) > 1)

    planes = {plane_of(block.plane) for block in blocks}
    assert {plane_of(dict(one.plane)) for one in reduced} <= planes
    for plane in planes:
        members = [block for block in blocks if plane_of(block.plane) == plane]
        same_scene = [one for one in blocks if one.plane.get("S") == dict(plane).get("S")]
        tiles = [one for one in reduced if plane_of(dict(one.plane)) == plane]
        _assert_right_plane(members, box_of(same_scene), tiles, factor, tile, until, kind)


def _assert_right_plane(
    blocks: Sequence[Block],
    box: Rectangle,
    tiles: Sequence[StoredTile],
    factor: int,
    tile: int,
    until: int,
    kind: str,
) -> None:
    picture = paint(blocks, box, {})
    side = max(tile // factor, 1) * factor
    left = {(one.rectangle, one.size): one for one in tiles}
    assert len(left) == len(tiles), "a tile is stored twice"
    cells: set[tuple[int, int, int]] = set()
    for level, (width, height) in enumerate(level_sizes(box, factor, until), 1):
        picture, scale = block_mean(picture, factor, kind), factor**level
        assert picture.shape[:2] == (height, width)
        for y in range(0, height, side):
            for x in range(0, width, side):
                # a tile begins with the edges of its neighbours, where there are such
                first_x = x - ((level, x - side, y) in cells)
                first_y = y - ((level, x, y - side) in cells)
                expected = picture[first_y : y + side, first_x : x + side]
                size = expected.shape[1], expected.shape[0]
                area = Rectangle(
                    box.x + first_x * scale,
                    box.y + first_y * scale,
                    size[0] * scale,
                    size[1] * scale,
                )
                found = left.pop((area, size), None)
                if found is None:
                    area = Rectangle(
                        box.x + x * scale,
                        box.y + y * scale,
                        (min(x + side, width) - x) * scale,
                        (min(y + side, height) - y) * scale,
                    )
                    assert not any(_meet(area, block) for block in blocks), (level, area)
                    continue
                cells.add((level, x, y))
                whole = Rectangle(box.x + x * scale, box.y + y * scale, side * scale, side * scale)
                assert any(_meet(whole, block) for block in blocks), (level, area)
                assert found.m is None
                assert found.pixels.dtype == picture.dtype
                assert np.array_equal(found.pixels, expected), (level, area)
    assert not left, "tiles where there should be none"


def _meet(area: Rectangle, block: Block) -> bool:
    return not area.intersect(block.rectangle).is_empty
