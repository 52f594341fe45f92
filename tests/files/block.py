"""What one sub-block of a test file is to be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from czictypes.model.geometry import Rectangle
from czictypes.model.pixel_types import Compression, PixelType, pixel_format
from files.masks import CHUNK_CONTAINER_XML, mask_chunk

__all__ = ["Block", "pixel_type_of"]


def pixel_type_of(pixels: NDArray[Any]) -> PixelType:
    """Return the pixel type that an array (h, w, samples) stands for."""
    for pixel_type in PixelType:
        layout = pixel_format(pixel_type)
        if (np.dtype(layout.dtype), layout.samples) == (pixels.dtype, pixels.shape[2]):
            return pixel_type
    raise ValueError(f"no pixel type has {pixels.shape[2]} samples of {pixels.dtype}")


@dataclass(frozen=True)
class Block:
    """One sub-block: its pixels (h, w) or (h, w, samples in the order B, G, R) and their place.

    Parameters
    ----------
    pixels, x, y
        The bitmap, and where its top-left pixel lies.
    plane
        The coordinate, S included: ``{"C": 0, "S": 1}``.
    m
        The M-index, or None.
    logical
        Width and height in layer-0 pixels; those of the bitmap by default. A larger size makes
        a pyramid tile.
    compression, hilo
        How the pixels are stored; `hilo` packs 16-bit words by bytes (zstd1 only).
    payload
        The stored bytes, where they are not to be made from `pixels`.
    mask
        The valid-pixel mask (any height and width), stored in the attachment.
    sizes
        The sizes that the entry claims in other dimensions than X and Y, where they are not 1.
    stored
        The stored width and height that the entry names, where these are not the bitmap's.
    label
        The compression that the entry names, where it is not the true one.
    pyramid_type
        That of the entry; by default 2 for what is smaller than its logical size.
    """

    pixels: NDArray[Any]
    x: int = 0
    y: int = 0
    plane: Mapping[str, int] = field(default_factory=lambda: {"C": 0})
    m: int | None = None
    logical: tuple[int, int] | None = None
    compression: Compression = Compression.Uncompressed
    hilo: bool = False
    payload: bytes | None = None
    metadata: bytes = b""
    attachment: bytes = b""
    mask: NDArray[np.bool_] | None = None
    sizes: Mapping[str, int] = field(default_factory=dict)
    stored: tuple[int, int] | None = None
    label: int | None = None
    pyramid_type: int | None = None

    def __post_init__(self) -> None:
        if self.pixels.ndim == 2:
            object.__setattr__(self, "pixels", self.pixels[:, :, np.newaxis])
        if self.mask is not None:
            object.__setattr__(self, "attachment", self.attachment + mask_chunk(self.mask))
            object.__setattr__(self, "metadata", self.metadata or CHUNK_CONTAINER_XML)

    @property
    def pixel_type(self) -> PixelType:
        """The pixel type, taken from the array."""
        return pixel_type_of(self.pixels)

    @property
    def physical(self) -> tuple[int, int]:
        """Width and height of the bitmap."""
        return self.pixels.shape[1], self.pixels.shape[0]

    @property
    def rectangle(self) -> Rectangle:
        """The area covered, in layer-0 pixels."""
        return Rectangle(self.x, self.y, *(self.logical or self.physical))

    @property
    def is_layer0(self) -> bool:
        """Whether the tile is stored in full resolution."""
        return self.logical in (None, self.physical)

    @property
    def entry_pyramid_type(self) -> int:
        """The pyramid type that the entry names."""
        if self.pyramid_type is not None:
            return self.pyramid_type
        return 0 if self.is_layer0 else 2

    def is_in(self, plane: Mapping[str, int]) -> bool:
        """Whether the tile has all these coordinates."""
        return all(self.plane.get(name) == value for name, value in plane.items())
