"""How a document is opened never changes its pixels; only masks do, when asked for."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from files.recipe import Made
from peers import assert_same_pixels, open_pylibczirw, pylibczirw
from reads import facts_of, random_read

from czictypes import czi
from czictypes.model.errors import UnsupportedDataError

FILES = ["multi_scene_pyramid", "overlapping", "jpegxr", "odd_pyramid", "overlapping_scenes"]

OPTIONS: dict[str, dict[str, Any]] = {
    "one thread": {"threads": 1},
    "five threads": {"threads": 5},
    "cache": {"cache_options": czi.CacheOptions()},
    "small cache": {"cache_options": czi.CacheOptions(max_sub_block_count=2)},
    "tiny cache": {"cache_options": czi.CacheOptions(max_memory_usage=1000)},
    "no visibility check": {
        "reader_options": czi.ReaderOptions(enable_visibility_check_optimization=False)
    },
    "strict": {"reader_options": czi.ReaderOptions(lax_subblock_coordinate_checks=False)},
    "mask aware": {"reader_options": czi.ReaderOptions(enable_mask_awareness=True)},
}


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
@pytest.mark.parametrize("name", FILES)
def test_options_do_not_change_the_pixels(
    name: str, options: dict[str, Any], made: Callable[[str], Made], rng: np.random.Generator
) -> None:
    path = made(name).path
    with czi.open_czi(path) as plain, czi.open_czi(path, **options) as document:
        facts = facts_of(plain)
        for _ in range(15):
            read = random_read(rng, facts)
            expected = plain.read(**read.arguments)
            assert_same_pixels(document.read(**read.arguments), expected, read)


@pytest.mark.parametrize("name", FILES)
def test_a_file_object_gives_the_pixels_of_the_file(
    name: str, made: Callable[[str], Made], rng: np.random.Generator
) -> None:
    path = made(name).path
    stream = io.BytesIO(path.read_bytes())
    with czi.open_czi(path) as plain, czi.open_czi(stream) as document:
        facts = facts_of(plain)
        for _ in range(15):
            read = random_read(rng, facts)
            expected = plain.read(**read.arguments)
            assert_same_pixels(document.read(**read.arguments), expected, read)


@pytest.mark.parametrize("name", FILES)
def test_out_receives_the_pixels(
    name: str, made: Callable[[str], Made], rng: np.random.Generator
) -> None:
    with czi.open_czi(made(name).path) as document:
        facts = facts_of(document)
        for _ in range(15):
            read = random_read(rng, facts)
            expected = document.read(**read.arguments)
            height, width, samples = expected.shape
            room = np.full((2 * height, width + 3, samples), 99, expected.dtype)
            out = room[::2, 1 : width + 1]
            assert document.read(**read.arguments, out=out) is out
            assert_same_pixels(out.copy(), expected, read)
            assert (room[1::2] == 99).all()
            assert (room[:, [0, -1, -2]] == 99).all()


def test_masks_show_what_they_show_with_pylibczirw(
    made: Callable[[str], Made], rng: np.random.Generator
) -> None:
    path = made("masked_first_chunk").path
    theirs = pylibczirw().ReaderOptions(enable_mask_awareness=True)
    ours = czi.ReaderOptions(enable_mask_awareness=True)
    with czi.open_czi(path, reader_options=ours) as document:
        facts = facts_of(document)
        with open_pylibczirw(path, reader_options=theirs) as peer:
            for _ in range(60):
                read = random_read(rng, facts)
                if read.zoom in (None, 1.0):
                    read = read.for_accessor()  # converting at zoom 1, libCZI errs with masks
                expected = peer.read(**{**read.arguments, "roi": facts.roi_of(read)})
                assert_same_pixels(document.read(**read.arguments), expected, read)


def test_the_cache_holds_the_sub_blocks_that_pylibczirw_holds(every_real_file: Path) -> None:
    theirs = pylibczirw()
    limit = {"max_sub_block_count": 3}
    with (
        open_pylibczirw(every_real_file, cache_options=theirs.CacheOptions(**limit)) as peer,
        czi.open_czi(every_real_file, cache_options=czi.CacheOptions(**limit)) as document,
    ):
        for reader in (peer, document):
            reader.read(zoom=0.5)
            reader.read()
        expected = peer.get_cache_info()
        assert document.get_cache_info().elements_count == expected.elements_count


@pytest.mark.parametrize("kind", ["Gray8", "Gray16", "Gray32", "Bgr24", "Bgra32"])
def test_a_conversion_that_there_is_not_is_refused(kind: str, made: Callable[[str], Made]) -> None:
    with (
        czi.open_czi(made("gray32float").path) as document,
        pytest.raises(UnsupportedDataError, match=kind),
    ):
        document.read(pixel_type=kind)
