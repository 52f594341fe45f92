"""The files that are measured; each is made once and kept in a folder."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from czictypes import czi

__all__ = ["Files"]

_TILE = 1024
_VERSION = 2  # of what is in the files: those of another one are not taken
_HEAD = np.dtype(
    [("id", "S16"), ("allocated", "<i8"), ("used", "<i8"), ("metadata", "<i4"),
     ("attachment", "<i4"), ("data", "<i8"), ("entry", "V112"), ("fill", "V96")]
)  # fmt: skip
_ENTRY = np.dtype(
    [("schema", "S2"), ("pixel_type", "<i4"), ("position", "<i8"), ("part", "<i4"),
     ("compression", "<i4"), ("pyramid", "u1"), ("spare", "V5"), ("count", "<i4"),
     ("dimensions", [("letter", "S4"), ("start", "<i4"), ("size", "<i4"), ("at", "<f4"),
                     ("stored", "<i4")], 4)]
)  # fmt: skip


class Files:
    """Makes files in a folder, at the first use of each.

    Parameters
    ----------
    folder
        Where they are kept.
    quick
        Make them small.
    """

    def __init__(self, folder: Path, quick: bool) -> None:
        self.folder = folder
        self.quick = quick
        self.tiles = 3 if quick else 8

    def mosaic(self, compression: str = "uncompressed:", *, pyramid: bool = False) -> Path:
        """Return a gray16 mosaic of square tiles of 1024 pixels."""

        def make(path: Path) -> None:
            with czi.create_czi(path, compression=compression) as writer:
                for row in range(self.tiles):
                    for column in range(self.tiles):
                        place = column * _TILE, row * _TILE
                        writer.write(picture(row + column), location=place)
                _scale(writer)
            if pyramid:
                czi.add_pyramid(path)

        name = re.sub(r"\W+", "-", compression).strip("-")
        return self._made(name + ("-pyramid" if pyramid else ""), make)

    def overlapping(self, compression: str) -> Path:
        """Return a gray16 mosaic of 900 tiles of 256 pixels that overlap by a tenth, in a snake."""
        side, step = (10 if self.quick else 30), 230

        def make(path: Path) -> None:
            with czi.create_czi(path, compression=compression, overlap="allow") as writer:
                for row in range(side):
                    for column in range(side)[:: 1 - 2 * (row % 2)]:
                        pixels = picture(row + column)[:256, :256]
                        writer.write(pixels, location=(column * step, row * step))
                _scale(writer)

        return self._made("overlapping-" + re.sub(r"\W+", "-", compression).strip("-"), make)

    def stack(self, side: int = _TILE) -> Path:
        """Return square planes along Z, one tile each."""

        def make(path: Path) -> None:
            with czi.create_czi(path) as writer:
                for z in range(50 if self.quick else 200):
                    writer.write(picture(z)[:side, :side], plane={"Z": z})
                _scale(writer)

        return self._made("stack" if side == _TILE else f"stack-{side}", make)

    def many(self, count: int, tile: int) -> Path:
        """Return a square mosaic of so many small gray8 tiles."""
        return self._made(f"many-{count}-{tile}", lambda path: _write_many(path, count, tile))

    def _made(self, name: str, make: Callable[[Path], None]) -> Path:
        path = self.folder / f"{name}-{_VERSION}{'-quick' if self.quick else ''}.czi"
        if not path.exists():
            self.folder.mkdir(parents=True, exist_ok=True)
            unfinished = path.with_suffix(".part")
            unfinished.unlink(missing_ok=True)
            make(unfinished)
            unfinished.rename(path)
        return path


def picture(number: int) -> NDArray[np.uint16]:
    """Return a tile of camera noise, which compresses as a real one does."""
    noise = np.random.default_rng(1).normal(1000, 30, (_TILE, _TILE))
    return noise.astype(np.uint16) + np.uint16(number)


def _scale(writer: czi.CziWriter) -> None:
    writer.write_metadata(scale_x=1e-7, scale_y=1e-7, scale_z=1e-6)  # bioio-czi reads none without


def _write_many(path: Path, count: int, tile: int) -> None:
    """Lay out a file by hand, since a million calls of a writer take long."""
    side = round(count**0.5)
    if side * side != count or tile * tile % 32:
        raise ValueError("the count must be a square, the tile's size in bytes a multiple of 32")
    entries = _entries(side, tile)
    segment = np.dtype([("head", _HEAD), ("data", "u1", tile * tile)])
    entries["position"] = 544 + np.arange(count) * segment.itemsize
    directory = 544 + count * segment.itemsize
    with path.open("wb") as file:
        header = struct.pack(
            "<ii8x16s16siqqiq", 1, 0, b"\1" * 16, b"\1" * 16, 0, directory, 0, 0, 0
        )
        file.write(struct.pack("<16sqq512s", b"ZISRAWFILE", 512, 512, header))
        for first in range(0, count, 1 << 14):
            part = entries[first : first + (1 << 14)]
            rows = np.zeros(len(part), segment)
            rows["head"]["id"] = b"ZISRAWSUBBLOCK"
            rows["head"]["allocated"] = rows["head"]["used"] = segment.itemsize - 32
            rows["head"]["data"] = tile * tile
            rows["head"]["entry"] = part.view("V112")
            rows["data"] = np.arange(first, first + len(part))[:, np.newaxis] + np.arange(tile**2)
            file.write(rows.tobytes())
        size = 128 + entries.nbytes
        file.write(struct.pack("<16sqq", b"ZISRAWDIRECTORY", size, size))
        file.write(struct.pack("<i124x", count) + entries.tobytes())


def _entries(side: int, tile: int) -> NDArray[np.void]:
    entries = np.zeros(side * side, _ENTRY)
    entries["schema"], entries["count"] = b"DV", 4
    dimensions = entries["dimensions"]
    dimensions["letter"] = [b"X", b"Y", b"C", b"M"]
    dimensions["size"] = dimensions["stored"] = [tile, tile, 1, 1]
    number = np.arange(side * side)
    dimensions["start"][:, 0] = number % side * tile
    dimensions["start"][:, 1] = number // side * tile
    dimensions["start"][:, 3] = number
    return entries
