"""The suite's own guards work: what is left open is noticed, seeds repeat random input."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import leaks
import pytest
import seeds
from files.recipe import Made

from czictypes.libczi.streams import InputStream


def test_an_open_handle_is_noticed(made: Callable[[str], Made]) -> None:
    before = leaks.snapshot()
    with InputStream.from_path(made("single").path):
        left = leaks.left_since(before)
    assert [name for name in left if name.startswith("handle")]
    assert not leaks.left_since(before)


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="the system has no /proc/self/fd")
def test_an_open_file_is_noticed(tmp_path: Path) -> None:
    before = leaks.snapshot()
    with (tmp_path / "file").open("wb") as file:
        assert leaks.left_since(before) == [f"file {file.name}"]
    assert not leaks.left_since(before)


def test_a_decoding_thread_is_noticed() -> None:
    before = leaks.snapshot()
    done = threading.Event()
    thread = threading.Thread(target=done.wait, name="czictypes-decode_0")
    thread.start()
    try:
        assert leaks.snapshot() - before == {"thread czictypes-decode_0": 1}
    finally:
        done.set()
        thread.join()
    assert not leaks.left_since(before)


def test_a_seed_brings_back_the_random_numbers_of_a_test(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(seeds.VARIABLE, "17")
    first = seeds.generator_for("a test").random(3)
    assert (seeds.generator_for("a test").random(3) == first).all()
    assert (seeds.generator_for("another test").random(3) != first).any()
