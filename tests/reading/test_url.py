"""Reading from a URL, through fsspec."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from files.recipe import Made

from czictypes import czi


@pytest.fixture
def url(made: Callable[[str], Made]) -> Any:
    """Give the URL of a file that lies in fsspec's own memory."""
    reason = "fsspec is missing: pip install 'czictypes[remote]'"
    memory = pytest.importorskip("fsspec", reason=reason).filesystem("memory")
    memory.pipe_file("/mosaic.czi", made("mosaic").path.read_bytes())
    yield "memory://mosaic.czi"
    memory.rm_file("/mosaic.czi")


def test_a_url_gives_the_pixels_of_the_file(url: str, made: Callable[[str], Made]) -> None:
    with czi.open_czi(url, czi.ReaderFileInputTypes.Curl) as document:
        pixels = document.read(plane={"C": 1}, zoom=0.5)
    with czi.open_czi(made("mosaic").path) as document:
        assert np.array_equal(pixels, document.read(plane={"C": 1}, zoom=0.5))


def test_a_cache_keeps_uncompressed_tiles_of_a_url_too(url: str) -> None:
    options = czi.CacheOptions()
    with czi.open_czi(url, czi.ReaderFileInputTypes.Curl, options) as document:
        document.read()
        assert document.get_cache_info().elements_count == 5


def test_nothing_at_a_url(url: str) -> None:
    with pytest.raises(FileNotFoundError):
        czi.open_czi(url + "x", czi.ReaderFileInputTypes.Curl)
