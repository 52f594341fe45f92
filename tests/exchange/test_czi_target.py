"""Images of other formats to CZI: their tiles, and what is left when writing fails."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from czictypes import czi
from czictypes.exchange.czi_target import write_images
from czictypes.exchange.source_image import SourceImage
from czictypes.writing.array_source import ArraySource


def fetching() -> list[str]:
    """Return the names of the threads that fetch pixels ahead."""
    names = [thread.name for thread in threading.enumerate()]
    return [name for name in names if name.startswith("czictypes-fetch")]


@pytest.fixture
def no_collection(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Keep iterations from being closed by the garbage collector, which on PyPy comes late."""
    kept: list[Any] = []
    iterate = ArraySource.__iter__

    def remembered(source: ArraySource) -> Any:
        kept.append(iterate(source))
        return kept[-1]

    monkeypatch.setattr(ArraySource, "__iter__", remembered)
    yield
    for parts in kept:
        parts.close()


@pytest.mark.usefixtures("no_collection")
def test_no_thread_outlives_a_failing_write(tmp_path: Path) -> None:
    image = SourceImage(np.zeros((40, 30, 30), np.uint8), "ZYX", shared=True)
    seen: list[str] = []

    def fail(done: int, total: int) -> None:
        seen.extend(fetching())
        raise OSError("the disk is full")

    with pytest.raises(OSError, match="disk"):
        write_images([image], tmp_path / "out.czi", threads=2, progress=fail)
    assert seen
    deadline = time.monotonic() + 5  # a thread that has done its work needs a moment to be gone
    while fetching() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not fetching()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("axes", "side"), [("YX", 1250), ("YXS", 834)])
def test_tiles_are_large_but_for_colours(tmp_path: Path, axes: str, side: int) -> None:
    shape = (10, 2500, 3) if "S" in axes else (10, 2500)
    write_images([SourceImage(np.zeros(shape, np.uint8), axes)], tmp_path / "out.czi")
    with czi.open_czi(tmp_path / "out.czi") as document:
        assert document.subblocks["w"].max() == side
