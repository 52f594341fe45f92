"""The memory of results: that of one that is gone serves the next one, and no other."""

from __future__ import annotations

import errno
import mmap
import threading
import time
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from czictypes import czi
from czictypes.model.errors import ResultTooLargeError
from czictypes.reading import result_memory
from czictypes.reading.result_memory import ResultMemory, usable_memory

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
def test_results_at_the_same_time_have_places_of_their_own():
    memory = ResultMemory()
    results = [take(memory) for _ in range(3000)]  # in several pieces
    for number, pixels in enumerate(results):
        pixels[:] = number
    spans = sorted((address(pixels), address(pixels) + pixels.nbytes) for pixels in results)
    assert all(end <= begin for (_, end), (begin, _) in zip(spans, spans[1:]))
    assert [pixels.max() for pixels in results] == list(range(3000))


@keeps
def test_places_are_used_again_in_any_order(rng):
    memory = ResultMemory()
    held: dict[int, NDArray[Any]] = {}
    for number in range(2000):
        height = int(rng.integers(40, 65))
        held[number] = take(memory, height=height)
        held[number][:] = number
        for gone in rng.choice(list(held), len(held) // 8, replace=False).tolist():
            assert (held.pop(gone) == gone).all()
    assert all((pixels == number).all() for number, pixels in held.items())


@keeps
def test_the_system_may_have_pages_when_the_last_result_in_them_is_gone(monkeypatch):
    advice: list[int] = []

    class Spy(mmap.mmap):
        def madvise(self, *args: int) -> None:
            advice.append(args[0])
            super().madvise(*args)

    monkeypatch.setattr(mmap, "mmap", Spy)
    monkeypatch.setattr(result_memory, "_PIECE", 4 * 8192)
    memory = ResultMemory()
    results = [take(memory) for _ in range(6)]  # in three pieces
    advice.clear()
    del results[2:5]
    assert advice == []
    del results[1]
    assert advice == [mmap.MADV_FREE]
    results = [*results, take(memory), take(memory)]
    assert len({address(pixels) for pixels in results}) == 4


@keeps
def test_small_pages_do_where_the_system_has_no_large_ones_at_hand(monkeypatch):
    seconds = iter([0.0, 0.01, 1.0, 1.0, 2.0, 2.0])
    monkeypatch.setattr(time, "thread_time", lambda: next(seconds))
    monkeypatch.setattr(result_memory, "_PIECE", 1 << 20)
    memory = ResultMemory()
    pages = [take(memory, height=height).base._place.pages for height in (8192, 4000, 9000)]
    assert [one.large for one in pages] == [False, False, True]  # a large result tries again


@keeps
def test_threads_do_not_get_the_same_place(monkeypatch):
    monkeypatch.setattr(result_memory, "_PIECE", 4 * 8192)
    memory, wrong = ResultMemory(), list[int]()

    def work(number: int) -> None:
        for at in range(400):
            results = [take(memory) for _ in range(at % 7)]
            for pixels in results:
                pixels[:] = number
            wrong.extend(1 for pixels in results if not (pixels == number).all())

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


@keeps
def test_no_more_is_kept_than_the_limit_and_nothing_after_all_is_given_back(monkeypatch):
    monkeypatch.setattr(result_memory, "_MOST", 3 * 8192)
    monkeypatch.setattr(result_memory, "_PIECE", 1)
    memory = ResultMemory()
    results = [take(memory) for _ in range(5)]
    results.clear()
    assert memory.kept == 3 * 8192
    late = take(memory)
    memory.clear()
    del late
    assert memory.kept == 0
    assert take(memory).flags.owndata


@keeps
def test_places_of_another_size_make_room(monkeypatch):
    monkeypatch.setattr(result_memory, "_MOST", 3 * 8192)
    monkeypatch.setattr(result_memory, "_PIECE", 1)
    memory = ResultMemory()
    results = [take(memory) for _ in range(3)]
    results.clear()
    take(memory, height=128)
    assert memory.kept == 2 * 8192


@keeps
def test_memory_that_the_system_cannot_take_back_is_not_kept(monkeypatch):
    def refuse(size: int, *, large: bool) -> None:
        raise OSError(errno.EINVAL, "locked")

    monkeypatch.setattr(result_memory, "_Pages", refuse)
    memory = ResultMemory()
    assert take(memory).flags.owndata
    assert not memory.kept


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


@pytest.mark.parametrize(
    ("told", "limits", "expected"),
    [
        ("0::/a/b", {"a/memory.max": "3000", "a/b/memory.max": "max"}, 3000),
        ("0::/a/b", {"memory.max": "7000", "a/b/memory.max": "4000"}, 4000),
        ("5:cpu,memory:/a\n0::/a", {"memory/a/memory.limit_in_bytes": "5000"}, 5000),
        # in a container: its own group is the outermost one that it sees
        ("4:memory:/pod/1", {"memory/memory.limit_in_bytes": "6000"}, 6000),
        ("1:cpu:/a", {"a/memory.max": "10"}, None),
    ],
)
def test_the_memory_of_a_control_group_is_what_may_be_used(tmp_path, told, limits, expected):
    process, groups = tmp_path / "self", tmp_path / "cgroup"
    process.mkdir()
    (process / "cgroup").write_text(told + "\n")
    for name, limit in limits.items():
        (groups / name).parent.mkdir(parents=True, exist_ok=True)
        (groups / name).write_text(limit + "\n")
    machine = usable_memory(tmp_path / "none", tmp_path / "none")
    assert usable_memory(process, groups) == (expected or machine)


def test_the_memory_of_the_machine_is_known():
    assert 64 << 20 < usable_memory() < 1 << 48


def test_a_result_may_take_half_of_the_usable_memory(monkeypatch):
    monkeypatch.setattr(result_memory, "usable_memory", lambda: 400 << 20)
    memory = ResultMemory("scan.czi")
    memory.check((100 << 10, 1900), 190 << 20)
    with pytest.raises(ResultTooLargeError, match=r"scan.czi takes 210.0 MiB, .* take 200.0 MiB"):
        memory.check((100 << 10, 2100), 210 << 20)
    with pytest.raises(ResultTooLargeError):  # what belongs to each column takes more than pixels
        memory.check((1, 10 << 20), 10 << 20)


def test_small_results_look_nothing_up(monkeypatch):
    monkeypatch.setattr(result_memory, "usable_memory", lambda: pytest.fail("looked up"))
    memory = ResultMemory()
    take(memory)
    memory.check((8000, 8000), 64_000_000)


@pytest.mark.parametrize("shape", [(2**40, 2**20, 1), (2**50, 2**50, 1)])
def test_more_than_there_can_be_is_refused_if_no_limit_is_known(monkeypatch, shape):
    monkeypatch.setattr(result_memory, "usable_memory", lambda: None)
    with pytest.raises(ResultTooLargeError, match="read a region"):
        ResultMemory().take(shape, np.dtype("u1"))
