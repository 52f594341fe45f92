"""The plan of an image as OME-Zarr has it: five axes, coordinates, chunks, levels."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Union

import numpy as np
from numpy.typing import NDArray

from czictypes.arrays.image_base import Image, layout_of
from czictypes.model.geometry import whole_number
from czictypes.writing.pyramid.reduce import reduce_pixels

#: The axes of every image written, in the order that OME-Zarr wants.
AXES = "tczyx"


@dataclass(frozen=True)
class CoordinateTransform:
    """Scale and translation from indices in an array to coordinates, along `AXES`.

    An axis whose step is not known has no unit and the step 1. The translation is the coordinate of
    the centre of the first pixel.
    """

    scale: tuple[float, ...] = (1.0,) * len(AXES)
    translation: tuple[float, ...] = (0.0,) * len(AXES)
    units: Mapping[str, str] = field(default_factory=dict)

    def reduced(self, factor: float) -> CoordinateTransform:
        """Return the transform of a level whose pixels are means of `factor` by `factor` pixels.

        The centre of the first one lies in the middle of those.
        """
        factors = (1.0, 1.0, 1.0, factor, factor)
        scale = tuple(step * each for step, each in zip(self.scale, factors))
        translation = tuple(
            start + step * (each - 1) / 2
            for start, step, each in zip(self.translation, self.scale, factors)
        )
        return replace(self, scale=scale, translation=translation)


def transform_of(image: Image) -> CoordinateTransform:
    """Return the transform of an image in full resolution, in micrometres and seconds.

    Irregular times have no step; the sidecar keeps them. The translation is the stage position of
    the scene, if it is known.
    """
    sizes, interval, origin = image.physical_pixel_sizes, image.time_interval, image.origin
    seconds = 0.0 if interval is None else max(interval.total_seconds(), 0.0)
    steps = {"t": seconds, "c": None, "z": sizes.Z, "y": sizes.Y, "x": sizes.X}
    units = {axis: "second" if axis == "t" else "micrometer" for axis in AXES if steps[axis]}
    x, y = origin if origin is not None and sizes.X and sizes.Y else (0.0, 0.0)
    scale = tuple(float(steps[axis] or 1.0) for axis in AXES)
    return CoordinateTransform(scale, (0.0, 0.0, 0.0, float(y), float(x)), units)


#: One length for y and x, a length for each axis, or lengths by axis.
ChunkSizes = Union[int, Sequence[int], Mapping[str, int], None]

_DEFAULT = {"t": 1, "c": 1, "z": 1, "y": 1024, "x": 1024}


@dataclass(frozen=True)
class Chunking:
    """The lengths of chunks and shards along all axes; a shard consists of whole chunks."""

    chunk: tuple[int, ...]
    shard: tuple[int, ...] | None

    @property
    def unit(self) -> tuple[int, ...]:
        """The lengths of an object of the store, the smallest unit that is written."""
        return self.shard or self.chunk

    def fitted(self, shape: Sequence[int]) -> Chunking:
        """Return the chunking of an array, no longer than necessary."""
        if self.shard is None:
            return Chunking(tuple(min(c, max(n, 1)) for c, n in zip(self.chunk, shape)), None)
        chunk, shard = [], []
        for size, long, length in zip(shape, self.shard, self.chunk):
            short = min(length, max(size, 1))
            chunk.append(short)
            shard.append(min(long // length, -(-max(size, 1) // short)) * short)
        return Chunking(tuple(chunk), tuple(shard))


def make_chunking(
    chunks: ChunkSizes, shards: ChunkSizes, version: str, per_shard: ChunkSizes = None
) -> Chunking:
    """Return a chunking from the arguments of `write_ome_zarr`; ValueError if they do not fit.

    `per_shard` is `chunks_per_shard`, numbers of chunks in place of `shards`.
    """
    chunk = _lengths("chunks", chunks, _DEFAULT)
    if per_shard is not None:
        if shards is not None:
            raise ValueError("shards and chunks_per_shard say the same; give one of them")
        counts = _counts(per_shard)
        shards = tuple(length * count for length, count in zip(chunk, counts))
    if shards is None:
        return Chunking(chunk, None)
    if version == "0.4":
        raise ValueError('shards need version="0.5": Zarr format 2, that of 0.4, has none')
    shard = _lengths("shards", shards, dict(zip(AXES, chunk)))
    wrong = [axis for axis, s, c in zip(AXES, shard, chunk) if s % c]
    if wrong:
        raise ValueError(
            f"a shard of {shard} does not consist of whole chunks of {chunk} along "
            f"{', '.join(wrong)}"
        )
    return Chunking(chunk, shard)


def _lengths(name: str, given: ChunkSizes, default: Mapping[str, int]) -> tuple[int, ...]:
    if isinstance(given, (str, bytes)):
        raise ValueError(
            f"{name}={given!r} is no size: give a number of pixels for y and x, a number for each "
            f"of {', '.join(AXES)}, or a mapping such as {{'z': 1, 'y': 512, 'x': 512}}"
        )
    if given is None:
        found: dict[str, int] = dict(default)
    elif isinstance(given, Mapping):
        unknown = [axis for axis in given if axis not in tuple(AXES)]
        if unknown:
            raise ValueError(f"{name} has the axis {unknown[0]!r}; the axes are {', '.join(AXES)}")
        found = {**default, **given}
    elif isinstance(given, Sequence):
        if len(given) != len(AXES):
            raise ValueError(f"{name} has {len(given)} lengths for the axes {', '.join(AXES)}")
        found = dict(zip(AXES, given))
    else:
        found = {**default, "y": given, "x": given}
    return tuple(_length(name, axis, found[axis]) for axis in AXES)


def _counts(given: ChunkSizes) -> tuple[int, ...]:
    if isinstance(given, int):
        given = [given] * len(AXES)
    elif isinstance(given, Sequence) and len(given) < len(AXES):
        given = [*[1] * (len(AXES) - len(given)), *given]
    return _lengths("chunks_per_shard", given, dict.fromkeys(AXES, 1))


def _length(name: str, axis: str, value: object) -> int:
    try:
        length = whole_number(value)
    except TypeError:
        raise ValueError(f"{name}: {value!r} along {axis} is no whole number") from None
    if length < 1:
        raise ValueError(f"{name}: {length} along {axis}, but a chunk has at least one pixel")
    return length


@dataclass(frozen=True)
class LevelPlan:
    """One array: a level of an image."""

    path: str  # in the group of the image
    shape: tuple[int, ...]
    transform: CoordinateTransform
    chunking: Chunking
    stored: int | None  # the level of the source that it is read from; None if it is computed
    factor: int = 0  # how many times it is smaller than the level before, if it is computed


@dataclass(frozen=True)
class ImagePlan:
    """One image: a scene at one place of the dimensions that OME-Zarr lacks."""

    path: str  # its group, empty for the root
    name: str
    scene: int | str  # as `Image.set_scene` takes it
    plane: dict[str, int]  # the index in V, H, I, R and B, where the file has them
    samples: int  # how many channels here are one channel of the source
    levels: tuple[LevelPlan, ...]
    dtype: np.dtype[Any]

    def array_path(self, level: int) -> str:
        """Return the path of an array in the store."""
        return f"{self.path}/{self.levels[level].path}".lstrip("/")


def planes_of(image: Image) -> Iterator[dict[str, int]]:
    """Yield each place of the dimensions beyond t, c, z, y and x; one empty place without any."""
    return layout_of(image).places("TCZYXS")


def plan_image(
    image: Image, path: str, plane: dict[str, int], chunking: Chunking, levels: int | None
) -> ImagePlan:
    """Plan an image of the current scene.

    By default, the levels of the file are followed by further ones, reduced by the same factor (or
    2), until one fits into a chunk.
    """
    layout_of(image).check_extent()
    sizes, transform = image.sizes, transform_of(image)
    samples = sizes.get("S", 1)
    made: list[LevelPlan] = []

    def add(height: int, width: int, total: float, stored: int | None, factor: int = 0) -> None:
        shape = (sizes["T"], sizes["C"] * samples, sizes["Z"], height, width)
        made.append(
            LevelPlan(
                str(len(made)),
                shape,
                transform.reduced(total),
                chunking.fitted(shape),
                stored,
                factor,
            )
        )

    known = image.levels
    for level in known[:levels]:
        add(level.height, level.width, level.factor, level.index)
    total = known[len(made) - 1].factor
    # further levels are as many times smaller as those of the file, else 2 times
    step = max(round(known[-1].factor / known[-2].factor), 2) if len(known) > 1 else 2
    while _wants_more(made, levels, step):
        total *= step
        height, width = (size // step for size in made[-1].shape[-2:])
        add(height, width, total, None, step)
    name = " ".join([image.current_scene, *(f"{key}={at}" for key, at in plane.items())])
    index = image.current_scene_index
    scene = "all" if index is None else index
    return ImagePlan(path, name, scene, plane, samples, tuple(made), image.dtype)


def _wants_more(made: Sequence[LevelPlan], levels: int | None, step: int) -> bool:
    height, width = made[-1].shape[-2:]
    if min(height, width) < step:
        return False
    if levels is not None:
        return len(made) < levels
    chunk = made[0].chunking.chunk
    longest = max(height / max(chunk[-2], 256), width / max(chunk[-1], 256))
    return not math.isclose(longest, 1.0) and longest > 1.0


#: First and end along each axis.
Region = Sequence[tuple[int, int]]


class FiveAxes:
    """A level of an image with exactly the axes t, c, z, y and x.

    The samples of a colour pixel are consecutive channels: red, green, blue. The image must be set
    to the planned scene.
    """

    def __init__(self, image: Image, plan: ImagePlan, level: int) -> None:
        self._image, self._plane, self._level = image, plan.plane, level
        self._samples, self.dtype = plan.samples, plan.dtype

    def read(self, region: Region) -> NDArray[Any]:
        """Return a region, which may start and end within the samples of a channel."""
        t, c, z, y, x = (slice(*span) for span in region)
        first, end = c.start // self._samples, -(-c.stop // self._samples)
        wanted: dict[str, Any] = {
            **self._plane,
            "T": t,
            "C": slice(first, end),
            "Z": z,
            "Y": y,
            "X": x,
        }
        found = self._image.read_block(wanted, level=self._level)
        if self._samples == 1:
            return found
        apart = np.moveaxis(found, -1, 2)
        joined = apart.reshape(len(apart), -1, *apart.shape[3:])
        return joined[:, c.start - first * self._samples : c.stop - first * self._samples]


def reduce_block(block: NDArray[Any], factor: int) -> NDArray[Any]:
    """Return a block `factor` times smaller along y and x; whole numbers are rounded means."""
    planes = block.reshape(-1, *block.shape[-2:])
    height, width = block.shape[-2] // factor, block.shape[-1] // factor
    small = np.empty((len(planes), height, width), block.dtype)
    for plane, target in zip(planes, small):
        target[...] = reduce_pixels(plane[..., np.newaxis], factor, "mean")[..., 0]
    return small.reshape(*block.shape[:-2], height, width)


def reduced_region(region: Region, factor: int) -> list[tuple[int, int]]:
    """Return the region in the level that is `factor` times smaller."""
    return [*region[:-2], *((first // factor, end // factor) for first, end in region[-2:])]
