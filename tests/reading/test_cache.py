"""The sub-block cache: limits, order of leaving, and what a reader keeps in it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from czictypes import czi
from czictypes.reading.tiles import DecodedTile, SubBlockCache


def tile(size: int) -> DecodedTile:
    return DecodedTile(np.zeros((1, size, 1), np.uint8), 0, 1)


def test_without_limits_everything_stays() -> None:
    cache = SubBlockCache(czi.CacheOptions())
    for index in range(100):
        cache.put(index, tile(10))
    assert cache.info() == czi.CacheInfo(elements_count=100, memory_usage=1000)


def test_the_least_recently_used_leaves_first() -> None:
    cache = SubBlockCache(czi.CacheOptions(max_sub_block_count=2))
    cache.put(1, tile(1))
    cache.put(2, tile(1))
    assert cache.get(1) is not None
    cache.put(3, tile(1))
    assert cache.get(2) is None
    assert cache.get(1) is not None
    assert cache.get(3) is not None


def test_a_tile_over_the_memory_limit_is_not_kept() -> None:
    cache = SubBlockCache(czi.CacheOptions(max_memory_usage=10))
    cache.put(1, tile(11))
    assert cache.info() == czi.CacheInfo(0, 0)


def test_masks_count_as_memory() -> None:
    cache = SubBlockCache(czi.CacheOptions())
    cache.put(1, DecodedTile(np.zeros((2, 3, 1), np.uint16), 0, 2, np.ones((2, 3), bool)))
    assert cache.info().memory_usage == 12 + 6


@given(st.lists(st.tuples(st.integers(0, 8), st.integers(1, 40)), max_size=60))
def test_the_limits_hold_at_every_moment(puts: list[tuple[int, int]]) -> None:
    cache = SubBlockCache(czi.CacheOptions(max_memory_usage=64, max_sub_block_count=4))
    for index, size in puts:
        cache.put(index, tile(size))
        info = cache.info()
        assert info.elements_count <= 4
        assert info.memory_usage <= 64
        assert cache.get(index) is not None


def test_a_reader_keeps_compressed_tiles_and_reads_the_same(made) -> None:
    file = made("multi_scene_pyramid")
    with czi.open_czi(file.path) as plain:
        expected = plain.read(scene=1)
        assert plain.get_cache_info() == czi.CacheInfo(0, 0)
    with czi.open_czi(file.path, cache_options=czi.CacheOptions()) as cached:
        first = cached.read(scene=1)
        kept = cached.get_cache_info()
        second = cached.read(scene=1)
        assert kept.elements_count == 4
        assert cached.get_cache_info() == kept
    np.testing.assert_array_equal(first, expected)
    np.testing.assert_array_equal(second, expected)


def test_uncompressed_tiles_of_a_local_file_are_not_kept(made) -> None:
    with czi.open_czi(made("mosaic").path, cache_options=czi.CacheOptions()) as document:
        document.read()
        assert document.get_cache_info().elements_count == 0


def test_all_tiles_of_a_file_object_are_kept(made) -> None:
    options = czi.CacheOptions()
    with (
        made("mosaic").path.open("rb") as file,
        czi.open_czi(file, cache_options=options) as opened,
    ):
        opened.read()
        assert opened.get_cache_info().elements_count == 5


@pytest.mark.parametrize("options", [None, czi.CacheOptions(), czi.CacheOptions(None, 10**9, 2)])
def test_a_closed_reader_tells_what_its_cache_held(made, options: czi.CacheOptions | None) -> None:
    with czi.open_czi(made("compressions").path, cache_options=options) as document:
        for _ in range(2):
            document.read()
            held = document.get_cache_info()
    assert document.get_cache_info() == held
    assert bool(held.elements_count) is (options is not None)
