"""The plan of an OME-Zarr: images, their levels, and the chunks of these."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from czictypes.arrays.image_base import Image
from czictypes.exchange.ome_zarr.chunking import Chunking
from czictypes.exchange.ome_zarr.frame import Frame, frame_of

__all__ = ["ImagePlan", "LevelPlan", "plan_image", "planes_of"]

_FIVE = "TCZYXS"


@dataclass(frozen=True)
class LevelPlan:
    """One array.

    Parameters
    ----------
    path
        Its name in the group of the image.
    shape
        Along t, c, z, y and x.
    frame
        Where its pixels lie.
    chunking
        How it is cut.
    stored
        The index of the level of the CZI that it is read from; None for one that is computed.
    factor
        How many times it is smaller than the level before; 0 where that does not matter.
    """

    path: str
    shape: tuple[int, ...]
    frame: Frame
    chunking: Chunking
    stored: int | None
    factor: int = 0


@dataclass(frozen=True)
class ImagePlan:
    """One image: a scene at one place of the dimensions that OME-Zarr does not have.

    Parameters
    ----------
    path
        Its group; empty for the root.
    name
        That of the scene, and the place.
    scene
        The position of the scene in `Image.scenes`.
    plane
        The index in V, H, I, R and B, where the file has them.
    samples
        How many channels here are one channel of the CZI.
    levels
        Its arrays, the full resolution first.
    dtype
        Of its pixels.
    """

    path: str
    name: str
    scene: int
    plane: dict[str, int]
    samples: int
    levels: tuple[LevelPlan, ...]
    dtype: np.dtype[Any]

    def array_path(self, level: int) -> str:
        """Return the path of an array in the store."""
        return f"{self.path}/{self.levels[level].path}".lstrip("/")


def planes_of(image: Image) -> Iterator[dict[str, int]]:
    """Give each place of the dimensions beyond t, c, z, y and x; one, empty, without any."""
    return image._layout.places(_FIVE)


def plan_image(
    image: Image,
    path: str,
    plane: dict[str, int],
    chunking: Chunking,
    levels: int | None,
) -> ImagePlan:
    """Plan one image of the scene that an image is set to.

    Parameters
    ----------
    levels
        How many there are to be; None for those of the file and further ones, each as many times
        smaller as in the file (or 2), until one fits into a chunk.
    """
    image._layout.check_extent()
    sizes = image.sizes
    samples = sizes.get("S", 1)
    leading = (sizes["T"], sizes["C"] * samples, sizes["Z"])
    frame = frame_of(image)
    made = [
        LevelPlan(
            str(level.index),
            (*leading, level.height, level.width),
            frame if level.index == 0 else frame.reduced(level.factor),
            chunking.fitted((*leading, level.height, level.width)),
            level.index,
        )
        for level in image.levels[:levels]
    ]
    factors = [level.factor for level in image.levels]
    step = _step(factors)
    total = factors[len(made) - 1]
    while _wants_more(made, levels, step):
        total *= step
        height, width = (size // step for size in made[-1].shape[-2:])
        shape = (*leading, height, width)
        made.append(
            LevelPlan(
                str(len(made)), shape, frame.reduced(total), chunking.fitted(shape), None, step
            )
        )
    name = " ".join([image.current_scene, *(f"{key}={at}" for key, at in plane.items())])
    scene = image.current_scene_index
    return ImagePlan(
        path, name, -1 if scene is None else scene, plane, samples, tuple(made), image.dtype
    )


def _step(factors: Sequence[float]) -> int:
    """Return how much smaller each further level is: as in the file, else 2."""
    if len(factors) < 2:
        return 2
    return max(round(factors[-1] / factors[-2]), 2)


def _wants_more(made: Sequence[LevelPlan], levels: int | None, step: int) -> bool:
    height, width = made[-1].shape[-2:]
    if min(height, width) < step:
        return False
    if levels is not None:
        return len(made) < levels
    chunk = made[0].chunking.chunk
    longest = max(height / max(chunk[-2], 256), width / max(chunk[-1], 256))
    return not math.isclose(longest, 1.0) and longest > 1.0
