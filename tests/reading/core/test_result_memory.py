"""The memory of results: that of one that is gone serves the next one, and no other."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from czictypes import czi
from czictypes.reading import result_memory
from czictypes.reading.result_memory import ResultMemory

keeps = pytest.mark.skipif(
    not result_memory._can_keep(), reason="memory is kept on Linux with CPython alone"
)
SHAPE = 64, 64, 1  # 8 KiB of uint16


@pytest.fixture(autouse=True)
def _of_any_size(monkeypatch):
    monkeypatch.setattr(result_memory, "_LEAST", 1)


def address(pixels: NDArray[Any]) -> int:
    return int(pixels.__array_interface__["data"][0])


def take(memory: ResultMemory, *, height: int = 64) -> NDArray[Any]:
    return memory.take((height, 64, 1), np.dtype("<u2"))


@pytest.mark.parametrize("dtype", ["u1", "<u2", "<f4", "<c8"])
def test_a_result_has_its_shape_and_dtype_and_can_be_written_to(dtype):
    pixels = ResultMemory().take((5, 7, 3), np.dtype(dtype))
    pixels[:] = 1
    assert (pixels.shape, pixels.dtype, pixels.sum()) == ((5, 7, 3), np.dtype(dtype), 105)
    assert pixels.flags.c_contiguous


@keeps
def test_the_memory_of_a_result_that_is_gone_is_used_again():
    memory = ResultMemory()
    pixels = take(memory)
    before = address(pixels)
    del pixels
    assert address(take(memory)) == before


@keeps
def test_a_view_holds_the_memory():
    memory = ResultMemory()
    pixels = take(memory)
    pixels[:] = 7
    view = pixels[::2].view(np.uint8)
    del pixels
    take(memory)[:] = 9
    assert set(view.ravel().tolist()) == {0, 7}


@keeps
@pytest.mark.parametrize("height", [40, 65])
def test_memory_of_a_very_different_size_is_given_back(height):
    memory = ResultMemory()
    pixels = take(memory)
    del pixels
    other = take(memory, height=height)
    assert not memory._kept
    assert other.shape[0] == height


@keeps
def test_one_piece_of_memory_is_kept_and_none_after_all_is_given_back():
    memory = ResultMemory()
    results = [take(memory) for _ in range(3)]
    results.clear()
    assert len(memory._kept) == 1
    late = take(memory)
    memory.clear()
    del late
    assert not memory._kept


@keeps
def test_memory_that_the_system_cannot_take_back_is_not_kept(monkeypatch):
    monkeypatch.setattr(result_memory._Pages, "release", lambda pages: False)
    memory = ResultMemory()
    take(memory)
    assert not memory._kept


def test_small_and_very_large_results_are_numpys_own(monkeypatch):
    monkeypatch.setattr(result_memory, "_LEAST", 8193)
    assert take(ResultMemory()).flags.owndata
    monkeypatch.setattr(result_memory, "_LEAST", 1)
    monkeypatch.setattr(result_memory, "_MOST", 8191)
    assert take(ResultMemory()).flags.owndata


def test_reads_do_not_change_results_that_are_in_use(made, rng):
    path = made("overlapping").path
    with czi.open_czi(path) as document:
        left, top, width, height = document.total_bounding_rectangle
        rois = [(left, top, width - n % 5, height - n % 3) for n in range(30)]
        wanted = [document.read(roi=roi).copy() for roi in rois]
        held: dict[int, NDArray[Any]] = {}
        for number in rng.integers(0, len(rois), 100).tolist():
            held[number] = document.read(roi=rois[number])
            held.pop(int(rng.integers(0, len(rois))), None)
            for one, pixels in held.items():
                np.testing.assert_array_equal(pixels, wanted[one])
    for one, pixels in held.items():
        np.testing.assert_array_equal(pixels, wanted[one])
