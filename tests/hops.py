"""Traces calls of czictypes: the files of the package that each goes through.

A reader of the code follows a call through as many files, and goes from one to another as often.
``python tests/hops.py`` prints a table of four journeys; with ``-v`` also the files of each.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from itertools import count
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

import numpy as np

import czictypes
from czictypes import CziImage, convert, czi

__all__ = ["JOURNEYS", "Trace", "trace"]

_PACKAGE = os.path.join(os.path.dirname(czictypes.__file__), "")  # noqa: PTH118, PTH120


class Trace(NamedTuple):
    """What a call went through.

    Attributes
    ----------
    entered
        How often a function of each file was called.
    hops
        How many calls went from one file of the package into another.
    stats
        How often `os.stat` was asked about the source.
    """

    entered: Counter[str]
    hops: int
    stats: int

    @property
    def files(self) -> int:
        """How many files of the package were entered."""
        return len(self.entered)


def trace(call: Callable[[], object], source: Path) -> Trace:
    """Trace a call, and the threads that it starts; it is made once before, as it imports then."""
    call()
    entered: Counter[str] = Counter()
    hops: Counter[str] = Counter()
    asked: list[str] = []

    def note(frame: FrameType, event: str, _: Any) -> None:
        file = frame.f_code.co_filename
        if event != "call" or not file.startswith(_PACKAGE):
            return
        entered[file[len(_PACKAGE) :]] += 1
        caller = frame.f_back
        while caller is not None and not caller.f_code.co_filename.startswith(_PACKAGE):
            caller = caller.f_back
        if caller is not None and caller.f_code.co_filename != file:
            hops[file] += 1

    def stat(path: Any, *args: Any, **options: Any) -> os.stat_result:
        asked.append(os.fspath(path) if isinstance(path, (str, os.PathLike)) else "")
        return original(path, *args, **options)

    original, os.stat = os.stat, stat
    threading.setprofile(note)
    sys.setprofile(note)
    try:
        call()
    finally:
        sys.setprofile(None)
        threading.setprofile(None)  # type: ignore[arg-type]
        os.stat = original
    return Trace(entered, sum(hops.values()), asked.count(os.fspath(source)))


@contextmanager
def _read(folder: Path) -> Iterator[Trace]:
    source = _mosaic(folder)
    with czi.open_czi(source) as document:
        yield trace(lambda: document.read(roi=(90, 90, 64, 64), plane={"C": 1}, zoom=0.5), source)


@contextmanager
def _get_image_data(folder: Path) -> Iterator[Trace]:
    source = _mosaic(folder)
    with CziImage(source) as image:
        yield trace(lambda: image.get_image_data("CYX", T=0, Z=0), source)


@contextmanager
def _convert(folder: Path) -> Iterator[Trace]:
    source = folder / "plane.czi"
    czi.imwrite(source, np.zeros((100, 100), np.uint16), compression="uncompressed:")
    targets = (folder / f"{number}.ome.zarr" for number in count())
    yield trace(lambda: convert(source, next(targets)), source)


@contextmanager
def _write(folder: Path) -> Iterator[Trace]:
    pixels = np.zeros((100, 100, 1), np.uint16)

    def write() -> None:
        with czi.create_czi(folder / "new.czi", overwrite=True) as new:
            new.write(pixels, plane={"C": 0})

    yield trace(write, folder / "new.czi")


def _mosaic(folder: Path) -> Path:
    path = folder / "mosaic.czi"
    with czi.create_czi(path, compression="uncompressed:") as new:
        for channel in range(2):
            for place in [(0, 0), (100, 0), (0, 100), (100, 100)]:
                new.write(np.zeros((100, 100, 1), np.uint16), place, {"C": channel})
    return path


#: Each traced call by name: a context manager that takes a folder and gives the trace.
JOURNEYS: dict[str, Callable[[Path], AbstractContextManager[Trace]]] = {
    "read(roi, zoom), warm": _read,
    "get_image_data, warm": _get_image_data,
    "convert a plane to OME-Zarr": _convert,
    "create_czi, write, close": _write,
}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-v", action="store_true", help="list the files, and calls into each")
    options = parser.parse_args()
    print(f"{'journey':28}{'files':>6}{'hops':>6}{'stats':>6}")
    for name, journey in JOURNEYS.items():
        with tempfile.TemporaryDirectory() as folder, journey(Path(folder)) as found:
            print(f"{name:28}{found.files:6}{found.hops:6}{found.stats:6}")
            if options.v:
                for file, calls in found.entered.most_common():
                    print(f"    {calls:5} {file}")


if __name__ == "__main__":
    main()
