"""Pixels that are read or unpacked when they are used: bands agree with the whole array."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from czictypes.container import pixels as module
from czictypes.container.pixels import FilePixels, HiLoPixels, PixelArray, in_bands
from czictypes.model.errors import CorruptFileError
from czictypes.remote.open import FileSource, StreamSource

HEIGHT, WIDTH, BEFORE = 40, 9, 13

LIMITS = {
    "all at once": (1 << 20, 1 << 20, 1 << 20),
    "some rows at a time": (3 * WIDTH * 4, 1 << 20, 5 * WIDTH * 2),
    "each row by itself": (3 * WIDTH * 4, 0, 1),
}


@pytest.fixture
def expected(rng) -> NDArray[Any]:
    return rng.integers(0, 65536, (HEIGHT, WIDTH, 2)).astype("<u2")


@pytest.fixture
def file(expected, tmp_path) -> Path:
    path = tmp_path / "pixels"
    path.write_bytes(bytes(BEFORE) + expected.tobytes())
    return path


def pixels_in(source: Any, height: int = HEIGHT) -> FilePixels:
    buffer = np.zeros(1 << 16, np.uint8)
    return FilePixels(
        source,
        BEFORE,
        (height, WIDTH, 2),
        np.dtype("<u2"),
        lambda size: buffer[:size],
        "sub-block 7",
    )


def slices(size: int) -> st.SearchStrategy[slice]:
    return st.tuples(st.integers(0, size - 1), st.integers(1, size), st.integers(1, size)).map(
        lambda three: slice(three[0], min(three[0] + three[1], size), three[2])
    )


def ascending(size: int) -> st.SearchStrategy[NDArray[Any]]:
    """Positions of which one may be there twice, as a tile is shown larger than it is stored."""
    numbers = st.lists(st.integers(0, size - 1), min_size=1, max_size=2 * size)
    return numbers.map(lambda some: np.array(sorted(some), np.intp))


def banded(pixels: PixelArray, rows: Any, columns: Any) -> NDArray[Any]:
    return np.concatenate([band.copy() for band in in_bands(pixels, rows, columns)])


@pytest.mark.parametrize("limits", LIMITS.values(), ids=list(LIMITS))
@pytest.mark.parametrize(
    "opened", [FileSource, lambda path: StreamSource(path.open("rb"), owns=True)]
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=slices(HEIGHT) | ascending(HEIGHT), columns=slices(WIDTH) | ascending(WIDTH))
def test_bands_of_a_file_are_the_rows_and_columns_asked_for(
    expected, file, opened, limits, rows, columns
):
    with pytest.MonkeyPatch.context() as patch, opened(file) as source:
        patch.setattr(module, "_BAND_BYTES", limits[0])
        patch.setattr(module, "ROWS_APART", limits[1])
        patch.setattr(module, "_PICKED_BAND", limits[2])
        pixels = pixels_in(source)
        np.testing.assert_array_equal(banded(pixels, rows, columns), expected[rows][:, columns])
        np.testing.assert_array_equal(pixels[rows, columns], expected[rows][:, columns])


@pytest.mark.parametrize("at_once", [1, 3 * WIDTH * 2, 1 << 20])
@given(rows=slices(HEIGHT) | ascending(HEIGHT), columns=slices(WIDTH) | ascending(WIDTH))
def test_packed_words_are_put_together_for_the_pixels_asked_for(at_once, rows, columns):
    words = np.arange(HEIGHT * WIDTH * 2, dtype="<u2").reshape(HEIGHT, WIDTH, 2) * 401
    packed = np.concatenate([(words & 255).ravel(), (words >> 8).ravel()]).astype(np.uint8)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_HILO_BAND", at_once)
        patch.setattr(module, "_PICKED_BAND", at_once)
        for pixels in (HiLoPixels(packed, words.shape), words):
            np.testing.assert_array_equal(banded(pixels, rows, columns), words[rows][:, columns])


def test_no_rows_are_an_empty_array(file):
    with FileSource(file) as source:
        assert pixels_in(source)[:0, :].shape == (0, WIDTH, 2)
        assert pixels_in(source)[5:5, 2:6].shape == (0, 4, 2)


def test_no_more_than_a_band_is_read_at_a_time(file, monkeypatch):
    monkeypatch.setattr(module, "_BAND_BYTES", 8 * WIDTH * 4)
    with FileSource(file) as source:
        heights = [len(band) for band in in_bands(pixels_in(source), slice(1, 20), slice(0, 4))]
    assert heights == [8, 8, 3]


@pytest.mark.parametrize("apart", [0, 1 << 20], ids=["single rows", "all rows"])
def test_a_file_that_was_cut_off_is_said_with_the_name_of_what_is_missing(file, apart, monkeypatch):
    monkeypatch.setattr(module, "ROWS_APART", apart)
    with (
        FileSource(file) as source,
        pytest.raises(CorruptFileError, match="sub-block 7 was cut off"),
    ):
        list(in_bands(pixels_in(source, HEIGHT + 1), slice(0, HEIGHT + 1, 2), slice(0, 2)))
