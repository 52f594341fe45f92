"""An image of another format for a CZI: pixels that can be sliced, and metadata."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from czictypes.arrays.layout import Layout
from czictypes.arrays.scenes import PLANE_ORDER
from czictypes.exchange.pixel_view import PixelView
from czictypes.metadata.annotations import Annotation
from czictypes.metadata.channels import ChannelInfo
from czictypes.metadata.document_info import Objective, Scaling
from czictypes.metadata.scenes import Plate, Well
from czictypes.model.errors import UnsupportedDataError
from czictypes.model.geometry import Location, Rectangle
from czictypes.model.options import ChannelDisplaySettingsDataClass
from czictypes.reading.levels import LevelGrid

#: The letters that axes may take whose meaning is not known, the last ones first.
_FREE = "BVHIRTCZ"


@dataclass(frozen=True)
class SourceImage:
    """One image, which becomes a scene; what is None or empty is not known."""

    pixels: Any  # anything with shape, dtype and slices: numpy, dask, zarr, `PixelView`...
    axes: str  # a letter for each axis: Y and X, any of TCZRIHVB, and S at the end for colours
    name: str | None = None
    channels: Sequence[ChannelInfo] = ()
    scaling: Scaling = field(default_factory=Scaling)
    times: Sequence[float] = ()  # of each T, in seconds
    display_settings: dict[int, ChannelDisplaySettingsDataClass] = field(default_factory=dict)
    #: Where the corner of the top left pixel lies on the stage (x, y), in micrometres.
    origin: tuple[float, float] | None = None
    well: Well | None = None
    plate: Plate | None = None
    acquisition: int | None = None  # its id in the plate
    acquisition_date: datetime | None = None
    objective: Objective | None = None
    description: str | None = None
    levels: Sequence[Any] = ()  # lower resolutions with the same axes, the finest first
    #: The number of the scene, by default that among the images. Those of one differ in planes.
    scene: int | None = None
    location: Location | None = None  # of the top left pixel in the CZI
    shared: bool = False  # whether several threads may read `pixels` and `levels` at once
    annotations: Sequence[Annotation] = ()  # in its pixels
    #: The coordinates of the first plane, also in dimensions that `axes` does not have; else 0.
    first: Mapping[str, int] = field(default_factory=dict)
    #: Of an excerpt: the numbers that its planes have in the file, by dimension.
    numbers: Mapping[str, Sequence[int]] = field(default_factory=dict)
    metadata: Callable[[], Any] = dict  # returns those of the file in its own form
    ome: Callable[[], Any] | None = None  # returns its own ``ome_types.OME``, if it has one
    #: The package that decodes the pixels, where it may not know every file of its format.
    reader: str | None = None

    @property
    def sizes(self) -> dict[str, int]:
        """The extent along each axis by its letter."""
        return {letter: int(size) for letter, size in zip(self.axes, self.pixels.shape)}


def axis_letters(dims: Sequence[str], meanings: Mapping[str, str] | None = None) -> str:
    """Return the letters of a CZI for the axes of another format.

    T, C, Z, Y, X and S mean the same everywhere. An axis with another known meaning takes the first
    free one of its letters in `meanings`. All others take the last free letters, in order, as in
    `imwrite` without ``axes=``: a stack is Z, and two unknown axes are C and Z.
    """
    found = [name if name in tuple("TCZYXS") else "" for name in dims]
    for at, name in enumerate(dims):
        wanted = (meanings or {}).get(name, "")
        found[at] = found[at] or next((one for one in wanted if one not in found), "")
    free = [letter for letter in _FREE if letter not in found]
    unknown = found.count("")
    if unknown > len(free):
        raise UnsupportedDataError(f"axes {', '.join(dims)} are more than a CZI has")
    rest = iter(free[len(free) - unknown :])
    return "".join(letter or next(rest) for letter in found)


def with_flat_levels(source: SourceImage) -> SourceImage:
    """Leave out levels that are smaller along other axes than X and Y, and all coarser ones."""
    others = [at for at, letter in enumerate(source.axes) if letter not in "YX"]

    def is_flat(pixels: Any) -> bool:
        return all(pixels.shape[at] == source.pixels.shape[at] for at in others)

    return replace(source, levels=list(itertools.takewhile(is_flat, source.levels)))


def layout_of(source: SourceImage) -> Layout:
    """Return the layout of an image, which always has T, C and Z."""
    sizes = source.sizes
    samples = sizes.get("S", 1)
    planes = {
        name: range(sizes.get(name, 1))
        for name in PLANE_ORDER
        if sizes.get(name, 1) > 1 or name in "TCZ"
    }
    shapes = [
        tuple(int(size) for size in pixels.shape) for pixels in (source.pixels, *source.levels)
    ]
    at = source.axes.index("Y"), source.axes.index("X")
    box = Rectangle(0, 0, sizes["X"], sizes["Y"])
    grids = []
    for number, shape in enumerate(shapes):
        height, width = (shape[axis] for axis in at)
        factor = _factor((sizes["Y"], sizes["X"]), (height, width))
        grids.append(LevelGrid(number, factor, box, width, height))
    dtype = np.dtype(source.pixels.dtype).newbyteorder("=")
    return Layout(planes, samples if samples > 1 else 0, tuple(grids), {}, dtype)


def _factor(full: tuple[int, int], reduced: tuple[int, int]) -> float:
    """Return how many times smaller a level is, a whole number if its size allows one.

    A power of two is the most likely: 90 x 70 pixels reduced to 11 x 8 are 8 times smaller.
    """
    ratios = [whole / part for whole, part in zip(full, reduced)]
    whole_ones = [
        near
        for near in range(max(math.floor(min(ratios)), 1), math.ceil(max(ratios)) + 1)
        if all(abs(whole / near - part) < 1 for whole, part in zip(full, reduced))
    ]
    powers = [near for near in whole_ones if near & (near - 1) == 0]
    nearest = sorted(powers or whole_ones, key=lambda near: abs(near - max(ratios)))
    return float(nearest[0]) if nearest else max(ratios)


def chunk_sizes(pixels: Any, axes: str) -> dict[str, int]:
    """Return the size of a chunk along each axis, if the array has chunks."""
    sizes = {}
    for letter, chunk in zip(axes, getattr(pixels, "chunks", None) or ()):
        sizes[letter] = int(chunk[0] if isinstance(chunk, tuple) else chunk)
    return sizes


def selected(
    view: PixelView, axes: str, order: str, indices: Mapping[str, Sequence[int]]
) -> NDArray[Any]:
    """Return some indices along each dimension, in the given order.

    One box is read, or a box for each of planes that lie far apart.
    """
    for letter in axes:
        if letter in "YXS" or letter not in indices:
            continue
        planes, places = np.unique(np.asarray(indices[letter], np.intp), return_inverse=True)
        if len(planes) > 1 and np.ptp(planes) > 2 * len(planes):
            ones = [
                selected(view, axes, order, {**indices, letter: [at]}) for at in planes.tolist()
            ]
            whole = np.concatenate(ones, order.index(letter))
            return np.take(whole, places, order.index(letter))
    keys, picks = [], []
    for letter, size in zip(axes, view.shape):
        wanted = np.asarray(indices.get(letter, range(size)), np.intp)
        low, high = int(wanted.min()), int(wanted.max()) + 1
        keys.append(slice(low, high))
        picks.append(wanted - low)
    found = view[tuple(keys)]
    for axis, picked in enumerate(picks):
        if not np.array_equal(picked, np.arange(found.shape[axis])):
            found = np.take(found, picked, axis)
    found = found.transpose([axes.index(letter) for letter in order if letter in axes] + [
        at for at, letter in enumerate(axes) if letter not in order
    ])  # fmt: skip
    sizes = iter(found.shape)
    shape = [next(sizes) if letter in axes else 1 for letter in order]
    found = found.reshape(shape)
    for axis, letter in enumerate(order):
        if letter not in axes and len(indices[letter]) != 1:
            found = np.repeat(found, len(indices[letter]), axis)
    return found
