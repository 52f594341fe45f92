"""Random reads give the pixels that pylibCZIrw and libCZI's own accessor give, bit for bit."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from files.recipe import Made
from files.recipes import RECIPES
from peers import assert_same_pixels, open_accessor, open_pylibczirw
from reads import compared, facts_of, random_read
from real_files import real_file_names

from czictypes import czi

#: At least so many in a run, for the real files and for those made here, and with each peer.
READS = int(os.environ.get("CZICTYPES_TEST_READS", "500"))

PEERED = sorted(name for name, recipe in RECIPES.items() if not recipe.no_peer)


def per_file(files: int) -> int:
    return -(-READS // max(files, 1))


@pytest.fixture(params=PEERED)
def peered(request: pytest.FixtureRequest, made: object) -> Made:
    """Give every made file whose pixels the peers read rightly."""
    file: Made = made(request.param)  # type: ignore[operator]
    return file


def compare_with_pylibczirw(path: Path, rng: np.random.Generator, count: int) -> None:
    with open_pylibczirw(path) as peer, czi.open_czi(path) as document:
        facts = facts_of(document)
        for _ in range(count):
            read = random_read(rng, facts)
            theirs = peer.read(**{**read.arguments, "roi": facts.roi_of(read)})
            assert_same_pixels(document.read(**read.arguments), theirs, read)
            compared["pylibCZIrw"] += 1


def compare_with_accessor(path: Path, rng: np.random.Generator, count: int) -> None:
    with open_accessor(path) as accessor, czi.open_czi(path) as document:
        facts = facts_of(document)
        for _ in range(count):
            read = random_read(rng, facts).for_accessor()
            theirs = accessor.read(read)
            assert_same_pixels(document.read(**read.arguments), theirs, read)
            compared["libCZI's accessor"] += 1


def test_real_files_read_as_with_pylibczirw(
    every_real_file: Path, rng: np.random.Generator
) -> None:
    compare_with_pylibczirw(every_real_file, rng, per_file(len(real_file_names())))


@pytest.mark.filterwarnings("ignore::czictypes.model.errors.PixelTypeWarning")
def test_made_files_read_as_with_pylibczirw(peered: Made, rng: np.random.Generator) -> None:
    compare_with_pylibczirw(peered.path, rng, per_file(len(PEERED)))


def test_real_files_read_as_with_libczis_accessor(
    every_real_file: Path, rng: np.random.Generator
) -> None:
    compare_with_accessor(every_real_file, rng, per_file(len(real_file_names())))


@pytest.mark.filterwarnings("ignore::czictypes.model.errors.PixelTypeWarning")
def test_made_files_read_as_with_libczis_accessor(peered: Made, rng: np.random.Generator) -> None:
    compare_with_accessor(peered.path, rng, per_file(len(PEERED)))
