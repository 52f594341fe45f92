"""Tiles that are stored oddly, and the same pixels stored plainly: a reader must see no difference.

A tile may hold several planes, be stored in another size than it covers, have a wrong label, and
a mask. Stored plainly it is one sub-block for each plane, with each pixel that is read.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from czictypes.model.pixel_types import Compression
from files.block import Block
from files.encode import encode

__all__ = ["OddTile", "at_size"]


def at_size(pixels: NDArray[Any], width: int, height: int) -> NDArray[Any]:
    """Return pixels at the size that they cover, by the formula that ZEN's exports follow."""
    rows = [y * pixels.shape[0] // height for y in range(height)]
    columns = [x * pixels.shape[1] // width for x in range(width)]
    return pixels[rows][:, columns]


@dataclass(frozen=True)
class OddTile:
    """A tile with planes (count, h, w, samples) of any stored size.

    Parameters
    ----------
    planes
        The pixels as they are stored.
    x, y, w, h
        The place that it covers.
    plane, m
        The coordinate of the first plane, and the M-index.
    sizes
        The size along each dimension in which there are several planes, the fastest first.
    compression, hilo, label, mask, metadata
        As for `Block`; the mask has the stored size.
    """

    planes: NDArray[Any]
    x: int
    y: int
    w: int
    h: int
    plane: Mapping[str, int]
    m: int | None = None
    sizes: Mapping[str, int] = field(default_factory=dict)
    compression: Compression = Compression.Uncompressed
    hilo: bool = False
    label: int | None = None
    mask: NDArray[np.bool_] | None = None
    metadata: bytes = b""

    def block(self) -> Block:
        """Return it as the sub-block that it is."""
        packing: dict[str, Any] = {"compression": self.compression, "hilo": self.hilo}
        stack = self.planes.reshape(-1, *self.planes.shape[2:])
        return Block(
            self.planes[0], self.x, self.y, self.plane, self.m, logical=(self.w, self.h),
            payload=encode(Block(stack, **packing)), sizes=self.sizes, mask=self.mask,
            metadata=self.metadata, label=self.label, pyramid_type=0, **packing,
        )  # fmt: skip

    def plain(
        self,
        magnified: tuple[float, float] = (1.0, 1.0),
        everywhere: Mapping[str, Sequence[int]] = MappingProxyType({}),
    ) -> list[Block]:
        """Return it as plain sub-blocks, one for each plane.

        Parameters
        ----------
        magnified
            How many pixels one of the file's coordinate system is to be, in x and in y.
        everywhere
            The places in dimensions that it lacks, at each of which it is to be.
        """
        (x, w), (y, h) = (
            (round(start * scale), round((start + size) * scale) - round(start * scale))
            for start, size, scale in zip((self.x, self.y), (self.w, self.h), magnified)
        )
        mask = None if self.mask is None else at_size(self.mask, w, h)
        lacking = {name: at for name, at in everywhere.items() if name not in self.plane}
        found = []
        for number, pixels in enumerate(self.planes):
            place, rest = dict(self.plane), number
            for letter, size in self.sizes.items():
                place[letter] += rest % size
                rest //= size
            shown = at_size(pixels, w, h)
            for where in itertools.product(*lacking.values()):
                plane = {**place, **dict(zip(lacking, where))}
                found.append(Block(shown, x, y, plane, self.m, metadata=self.metadata, mask=mask))
        return found
