"""The summary of a conversion: its plan, and its result."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from czictypes.arrays.scene_layout import claimed_array
from czictypes.exchange.choice import Choice, choose
from czictypes.exchange.level_rows import level_sizes
from czictypes.exchange.series import image_series
from czictypes.exchange.source_image import SourceImage
from czictypes.reading.plane_reads import open_document_of

if TYPE_CHECKING:
    from czictypes.arrays.image import CziImage
    from czictypes.arrays.image_base import Image

__all__ = [
    "Conversion",
    "ConvertedImage",
    "images_of",
    "images_of_sources",
    "images_of_sparse_czi",
]


@dataclass(frozen=True)
class ConvertedImage:
    """One image of a conversion.

    Parameters
    ----------
    name
        The scene's name.
    axes, shape, dtype
        Of the array in full resolution.
    levels
        How many resolutions are written; None where that depends on the size of the document.
    """

    name: str | None
    axes: str
    shape: tuple[int, ...]
    dtype: str
    levels: int | None

    @property
    def nbytes(self) -> int:
        """The size of its pixels in full resolution, in bytes."""
        return math.prod(self.shape) * np.dtype(self.dtype).itemsize


@dataclass(frozen=True)
class Conversion:
    """The result of `convert`, or the plan of a dry run.

    Parameters
    ----------
    source, dest
        The names.
    format
        The format of the target: CZI, OME-Zarr, OME-TIFF, TIFF or picture.
    images
        The images in it.
    written
        False after a dry run.
    seconds
        The time that it took.
    damaged
        The sub-blocks of a CZI that ``on_error="blank"`` left out, by their numbers, and the
        fault of each.
    """

    source: str
    dest: str
    format: str
    images: tuple[ConvertedImage, ...]
    written: bool
    seconds: float
    damaged: dict[int, str] = field(default_factory=dict)

    @property
    def nbytes(self) -> int:
        """The size of all pixels in full resolution, in bytes."""
        return sum(image.nbytes for image in self.images)

    def to_dict(self) -> dict[str, Any]:
        """Return the same as plain values, for JSON."""
        images = [
            {**vars(image), "shape": list(image.shape), "nbytes": image.nbytes}
            for image in self.images
        ]
        return {**vars(self), "images": images, "nbytes": self.nbytes}


def images_of(
    image: Image, scenes: Choice, levels: int | None, *, pyramid: bool
) -> tuple[ConvertedImage, ...]:
    """Return the images that scenes give in another format.

    Parameters
    ----------
    image
        The file; it is at another scene afterwards.
    scenes, levels
        As in `convert`.
    pyramid
        Whether the format has levels.
    """
    found = []
    for one in image_series(image, scenes):
        sizes = {name: size for name, size in image.sizes.items() if name not in one.place}
        count = len(level_sizes(image, levels)) if pyramid else 1
        shape = tuple(sizes.values())
        found.append(ConvertedImage(one.name, "".join(sizes), shape, image.dtype.name, count))
    return tuple(found)


def images_of_sparse_czi(image: CziImage, scenes: Choice) -> tuple[ConvertedImage, ...]:
    """Return what scenes of a CZI claim to hold that is far from full; no levels are planned."""
    found = []
    with open_document_of(image.reader) as document:
        numbers: list[int | None] = [*document.table.scene_rectangles] or [None]
        for at in choose(image.scenes, scenes, "scene"):
            axes, shape, dtype = claimed_array(document.table, numbers[at])
            found.append(ConvertedImage(image.scenes[at], axes, shape, dtype.name, None))
    return tuple(found)


def images_of_sources(
    images: Sequence[SourceImage], dtype: Any, levels: int | None
) -> tuple[ConvertedImage, ...]:
    """Return what images of another format give in a CZI."""
    return tuple(
        ConvertedImage(
            image.name,
            image.axes,
            tuple(int(size) for size in image.pixels.shape),
            np.dtype(dtype or image.pixels.dtype).name,
            levels,
        )
        for image in images
    )
