"""What the machine can do at best: nobody who does all of the work can be faster."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from czictypes import czi
from czictypes.reading.threads import thread_count

__all__ = ["copying", "decoding", "reading"]

Shape = tuple[int, int]


def copying(shape: Shape) -> Callable[[], Any]:
    """Return a call that copies as many 16-bit pixels."""
    source, target = np.ones(shape, np.uint16), np.ones(shape, np.uint16)
    return lambda: np.copyto(target, source)


def reading(path: Path, shape: Shape) -> Callable[[], Any]:
    """Return a call that reads as many bytes of a file into a new array."""

    def read() -> Any:
        target = np.empty(shape, np.uint16)
        view, done = memoryview(target).cast("B"), 0
        with path.open("rb", buffering=0) as file:
            while done < len(view) and (count := file.readinto(view[done:])):
                done += count
        return target

    return read


def decoding(path: Path) -> Callable[[], Any]:
    """Return a call that decompresses the zstd data of all sub-blocks, on all CPUs."""
    import zstandard

    frames = []
    with czi.open_czi(os.fspath(path)) as document:
        indices: list[int] = []
        document.enumerate_subblocks(lambda index, _: indices.append(index) is None)
        for index in indices:
            data = document.read_subblock(index).raw_data
            frames.append(data[data.index(b"\x28\xb5\x2f\xfd") :])
    batches = [frames[start :: thread_count()] for start in range(thread_count())]

    def decode_some(some: list[bytes]) -> None:
        target = bytearray(1 << 21)
        for frame in some:
            reader = zstandard.ZstdDecompressor().stream_reader(frame, read_size=len(frame))
            reader.readinto(target)

    def decode() -> None:
        with ThreadPoolExecutor(len(batches)) as pool:
            list(pool.map(decode_some, batches))

    return decode
