"""The work: every object of a store is written once, by one task, of whole units."""

from __future__ import annotations

import itertools
from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from czictypes.exchange.ome_zarr.image_plan import (
    Chunking,
    CoordinateTransform,
    ImagePlan,
    LevelPlan,
    make_chunking,
    reduced_region,
)
from czictypes.exchange.ome_zarr.tasks import plan_sweeps


def planned(
    shape: tuple[int, ...], chunking: Chunking, factors: list[int], stored: int, samples: int
) -> ImagePlan:
    levels = [LevelPlan("0", shape, CoordinateTransform(), chunking.fitted(shape), 0)]
    for number, factor in enumerate(factors, 1):
        height, width = (size // factor for size in levels[-1].shape[-2:])
        if not height or not width:
            break
        smaller = (*shape[:3], height, width)
        source = number if number < stored else None
        levels.append(
            LevelPlan(
                str(number),
                smaller,
                CoordinateTransform(),
                chunking.fitted(smaller),
                source,
                factor,
            )
        )
    return ImagePlan("", "image", 0, {}, samples, tuple(levels), np.dtype("u2"))


@given(data=st.data())
def test_each_object_is_written_by_one_task_whole(data: Any) -> None:
    samples = data.draw(st.sampled_from([1, 3]))
    leading = [data.draw(st.integers(1, 5)) for _ in range(3)]
    leading[1] *= samples
    shape = (*leading, *(data.draw(st.integers(1, 90)) for _ in range(2)))
    chunk = [data.draw(st.integers(1, 3)) for _ in range(3)]
    chunk += [data.draw(st.integers(4, 20)) for _ in range(2)]
    shard = [c * data.draw(st.integers(1, 3)) for c in chunk] if data.draw(st.booleans()) else None
    factor = data.draw(st.sampled_from([2, 3]))
    count = data.draw(st.integers(0, 3))
    image = planned(
        shape,
        make_chunking(chunk, shard, "0.5"),
        [factor] * count,
        data.draw(st.integers(1, count + 1)),
        samples,
    )
    written: Counter[Any] = Counter()
    for stage in plan_sweeps([image], 2):
        before = {name for name, _ in written}
        for work in stage:
            assert work.writes or work.level in before
            for task in range(len(work)):
                region = work.region(task)
                for level in range(work.level, work.level + work.depth + 1):
                    if level > work.level:
                        region = reduced_region(region, image.levels[level].factor)
                    if level > work.level or work.writes:
                        written.update((level, key) for key in objects(image.levels[level], region))
    every = {
        (number, key)
        for number, level in enumerate(image.levels)
        for key in objects(level, [(0, size) for size in level.shape])
    }
    assert written == Counter(every)


def objects(level: LevelPlan, region: Any) -> list[tuple[int, ...]]:
    """Return the objects in a region, which has all pixels of each."""
    unit = level.chunking.unit
    ends = []
    for (first, end), length, size in zip(region, unit, level.shape):
        end = min(end, size)
        if first >= end:
            return []
        assert first % length == 0
        assert end % length == 0 or end == size
        ends.append(range(first // length, -(-end // length)))
    return list(itertools.product(*ends))


def test_a_task_reads_no_more_than_some_chunks() -> None:
    image = planned((1, 1, 1, 60_000, 50_000), make_chunking(None, None, "0.5"), [2] * 6, 1, 1)
    (first,), *_ = plan_sweeps([image], 2)
    sizes = [(end - start) for start, end in first.region(0)]
    assert sizes[3] * sizes[4] * 2 <= 16 << 20
    assert sizes[3] >= 2048


def test_small_planes_are_read_many_at_once() -> None:
    image = planned((10, 2, 50, 64, 64), make_chunking(None, None, "0.5"), [], 1, 1)
    (only,) = plan_sweeps([image], 2)
    assert [len(work) for work in only] == [1]


@pytest.mark.parametrize(
    ("chunks", "shards", "version", "what"),
    [
        (0, None, "0.5", "at least one pixel"),
        ((1, 2), None, "0.5", "2 lengths"),
        ({"q": 3}, None, "0.5", "'q'"),
        ({"y": 1.5}, None, "0.5", "no whole number"),
        (256, 300, "0.5", "whole chunks"),
        (256, 512, "0.4", "Zarr format 2"),
    ],
)
def test_what_cannot_be_chunks_is_refused(
    chunks: Any, shards: Any, version: str, what: str
) -> None:
    with pytest.raises(ValueError, match=what):
        make_chunking(chunks, shards, version)
