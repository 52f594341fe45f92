"""The work of filling the arrays: regions, each of them read once and written to its levels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from czictypes.exchange.ome_zarr.pixels import Region
from czictypes.exchange.ome_zarr.plan import ImagePlan

__all__ = ["Pass", "plan_passes"]

#: Bytes of pixels that a task reads at once, unless a single unit of the store is larger.
_AT_ONCE = 16 << 20


@dataclass(frozen=True)
class Pass:
    """A walk over one level of one image, region by region.

    A region is written to its level, unless that was done by an earlier pass, and reduced to the
    levels that follow. It begins and ends where objects of the store do, on every one of these
    levels, so no two tasks ever write to the same object.

    Parameters
    ----------
    image, level
        Numbers of the image in the plan, and of the level that is read.
    writes
        Whether the level itself is written. Else it is read back from the store.
    depth
        How many levels are made of it.
    shape, step
        The shape of the level, and the lengths of a region along each axis.
    """

    image: int
    level: int
    writes: bool
    depth: int
    shape: tuple[int, ...]
    step: tuple[int, ...]

    @property
    def grid(self) -> tuple[int, ...]:
        """How many regions there are along each axis."""
        return tuple(-(-size // step) for size, step in zip(self.shape, self.step))

    def __len__(self) -> int:
        """Return how many regions there are."""
        return math.prod(self.grid)

    def region(self, number: int) -> Region:
        """Return a region by its number."""
        places = []
        for count in reversed(self.grid):
            number, place = divmod(number, count)
            places.append(place)
        return [
            (place * step, min((place + 1) * step, size))
            for place, step, size in zip(reversed(places), self.step, self.shape)
        ]


def plan_passes(images: Sequence[ImagePlan], itemsize: int) -> list[list[Pass]]:
    """Plan the work: each list needs what those before it have written.

    Parameters
    ----------
    itemsize
        Bytes of a sample.
    """
    stages: list[list[Pass]] = []
    for number, image in enumerate(images):
        for stage, one in _passes(number, image, itemsize):
            while len(stages) <= stage:
                stages.append([])
            stages[stage].append(one)
    return stages


def _passes(number: int, image: ImagePlan, itemsize: int) -> list[tuple[int, Pass]]:
    stored = sum(level.stored is not None for level in image.levels)
    found = [(0, _pass(number, image, level, True, 0, itemsize)) for level in range(stored - 1)]
    level, stage = stored - 1, 0
    while True:
        depth = _depth(image, level, itemsize)
        found.append((stage, _pass(number, image, level, stage == 0, depth, itemsize)))
        level, stage = level + depth, stage + 1
        if level == len(image.levels) - 1:
            return found


def _pass(
    number: int, image: ImagePlan, level: int, writes: bool, depth: int, itemsize: int
) -> Pass:
    step = _step(image, level, depth, itemsize)
    return Pass(number, level, writes, depth, image.levels[level].shape, step)


def _depth(image: ImagePlan, level: int, itemsize: int) -> int:
    """Return how many levels are made at once of what is read at once: as many as fit."""
    further = len(image.levels) - 1 - level
    depth = min(further, 1)
    while depth < further and _bytes(_base(image, level, depth + 1), itemsize) <= _AT_ONCE:
        depth += 1
    return depth


def _base(image: ImagePlan, level: int, depth: int) -> list[int]:
    """Return the smallest region that is made of whole units on all levels."""
    unit = _unit(image, level)
    for further in range(depth):
        factor = image.levels[level + further + 1].factor
        unit[-2:] = (length * factor for length in unit[-2:])
    return unit


def _unit(image: ImagePlan, level: int) -> list[int]:
    """Return the lengths of what the store holds as one object; all samples of a channel."""
    unit = list(image.levels[0].chunking.unit)
    if image.levels[level].stored is not None and image.samples > 1:
        unit[1] = math.lcm(unit[1], image.samples)
    return unit


def _step(image: ImagePlan, level: int, depth: int, itemsize: int) -> tuple[int, ...]:
    """Return the lengths of a region: as wide as fits, then as high, then through many planes."""
    step = _base(image, level, depth)
    shape = image.levels[level].shape
    for axis in (4, 3, 2, 1, 0):
        while step[axis] < shape[axis] and _bytes(_grown(step, axis), itemsize) <= _AT_ONCE:
            step = _grown(step, axis)
    return tuple(step)


def _grown(step: Sequence[int], axis: int) -> list[int]:
    return [length * (2 if at == axis else 1) for at, length in enumerate(step)]


def _bytes(region: Sequence[int], itemsize: int) -> int:
    return math.prod(region) * itemsize
