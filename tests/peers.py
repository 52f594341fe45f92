"""The other readers of CZI, as oracles.

A test that needs one that is missing is skipped; with CZICTYPES_TEST_REQUIRE_PEERS set, it fails.
Pixels are given as (y, x, samples), colours as B, G, R.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from libczi.oracle import AccessorOptions, FullReader
from numpy.typing import NDArray
from reads import Read

from czictypes.libczi.streams import InputStream
from czictypes.model.geometry import Rectangle

__all__ = [
    "Accessor",
    "aicspylibczi",
    "assert_same_pixels",
    "czifile",
    "open_accessor",
    "open_pylibczirw",
    "pylibczirw",
]

_REQUIRED = "CZICTYPES_TEST_REQUIRE_PEERS"


def pylibczirw() -> Any:
    """Return pylibCZIrw's module `czi`."""
    return _module("pylibCZIrw.czi", "pylibCZIrw==6.1.0")


def aicspylibczi() -> Any:
    """Return the module aicspylibczi."""
    return _module("aicspylibczi", "aicspylibczi")


def czifile() -> Any:
    """Return the module czifile."""
    return _module("czifile", "czifile<2020")


def _module(name: str, package: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        reason = f"{package.split('=')[0]} is an oracle; pip install {package} (CPython only)"
        if os.environ.get(_REQUIRED):
            pytest.fail(f"{_REQUIRED} is set, but: {reason} ({error})")
        pytest.skip(reason)


@contextmanager
def open_pylibczirw(path: Path, **options: Any) -> Iterator[Any]:
    """Open a document with pylibCZIrw; `options` are its ``open_czi``'s."""
    with pylibczirw().open_czi(str(path), **options) as document:
        yield document


class Accessor:
    """libCZI's own tile accessor, called through the C API."""

    def __init__(self, reader: FullReader) -> None:
        self._reader = reader
        self._ranges = reader.statistics().dimensions
        self._box = reader.statistics().bounding_box

    def read(self, read: Read, *, mask_aware: bool = False) -> NDArray[Any]:
        """Return the pixels of a read; its scene and pixel type are not looked at."""
        blue, green, red = read.background_pixel or (0.0, 0.0, 0.0)
        options = AccessorOptions((red, green, blue), mask_aware=mask_aware)
        roi = self._box if read.roi is None else Rectangle(*read.roi)
        with self._reader.tile_accessor() as accessor:
            zoom = 1.0 if read.zoom is None else read.zoom
            with accessor.get(self._plane(read), roi, zoom, options) as bitmap:
                return bitmap.to_numpy()

    def _plane(self, read: Read) -> dict[str, int]:
        """Return the dimensions that the accessor wants to know: C, and where there is a choice."""
        return {
            name: read.plane.get(name, interval.start)
            for name, interval in self._ranges.items()
            if name != "S" and (name == "C" or interval.size > 1)
        }


@contextmanager
def open_accessor(path: Path) -> Iterator[Accessor]:
    """Open libCZI's accessor on a file."""
    with FullReader.open(InputStream.from_path(path)) as reader:
        yield Accessor(reader)


def assert_same_pixels(ours: NDArray[Any], theirs: NDArray[Any], what: object) -> None:
    """Fail unless two pictures are equal in shape, type and every bit; say where they differ."""
    assert ours.shape == theirs.shape, what
    assert ours.dtype == theirs.dtype, what
    if ours.tobytes() == theirs.tobytes():
        return
    places = np.argwhere((ours != theirs).any(axis=2))
    first = tuple(int(value) for value in places[0]) if len(places) else (0, 0)
    pytest.fail(
        f"{len(places)} of {ours.shape[0] * ours.shape[1]} pixels differ, the first at (y, x) = "
        f"{first}: {ours[first]} instead of {theirs[first]}; {what}"
    )
