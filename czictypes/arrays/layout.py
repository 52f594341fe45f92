"""The layout of an image's array over the planes of its document; no pixel is read here."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import index as as_integer
from typing import Any, NamedTuple, Union

import numpy as np
from numpy.typing import NDArray

from czictypes.arrays.dimensions import Dimensions
from czictypes.arrays.levels import Level
from czictypes.container.limits import Bounds
from czictypes.model.errors import OutOfBoundsError
from czictypes.model.pixel_types import PixelType
from czictypes.reading.levels import LevelGrid

__all__ = ["Block", "Indices", "Layout", "Selection", "check_output", "indices_of", "is_index"]

#: What is taken of one dimension: an index (which drops it), a slice, or several indices.
Selection = Union[int, slice, range, Sequence[int]]

#: Which indices along a dimension, none negative.
Indices = Sequence[int]


class Block(NamedTuple):
    """A box of the array of one level.

    Attributes
    ----------
    grid
        The level whose pixels are meant.
    indices
        The indices along every dimension of the array, in the array's order.
    dropped
        The dimensions given by a single index, which the result does not have.
    """

    grid: LevelGrid
    indices: Mapping[str, Indices]
    dropped: frozenset[str]

    @property
    def full_shape(self) -> tuple[int, ...]:
        """The shape with the dropped dimensions, each of the size 1."""
        return tuple(len(indices) for indices in self.indices.values())

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the result."""
        return tuple(
            len(indices) for name, indices in self.indices.items() if name not in self.dropped
        )


@dataclass(frozen=True)
class Layout:
    """The array of one scene (or of all): names, sizes, and where each plane lies in the document.

    Parameters
    ----------
    planes
        The coordinates along each leading dimension, in the order of the array. M, where it is
        there, is the last.
    samples
        How many samples a colour pixel has; 0 for a gray image, which has no dimension S.
    grids
        The pixels of each resolution level, the full resolution first.
    kinds
        The pixel type of each channel.
    dtype
        What holds the pixels of all channels.
    is_opaque
        Whether alpha is 255 in place of what is stored.
    bounds
        How many pixels the document may have; None for no bounds.
    rows
        The number of sub-blocks of the document, by which some of the bounds go.
    """

    planes: Mapping[str, range]
    samples: int
    grids: tuple[LevelGrid, ...]
    kinds: Mapping[int, PixelType]
    dtype: np.dtype[Any]
    is_opaque: bool = False
    bounds: Bounds | None = None
    rows: int = 0

    @property
    def levels(self) -> tuple[Level, ...]:
        """The resolution levels, the full resolution first."""
        return tuple(
            Level(index, grid.factor, grid.width, grid.height, 1 / grid.factor)
            for index, grid in enumerate(self.grids)
        )

    @property
    def order(self) -> str:
        """The letters of the dimensions, such as ``"TCZYX"``."""
        return "".join(self.planes) + ("YXS" if self.samples else "YX")

    def grid(self, index: int) -> LevelGrid:
        """Return the grid of a level by its index; negative ones count from the coarsest.

        Raises
        ------
        OutOfBoundsError
            If there is no such level.
        """
        try:
            return self.grids[as_integer(index)]
        except IndexError:
            raise OutOfBoundsError(
                f"there is no level {index}; the levels go from 0 to {len(self.grids) - 1}"
            ) from None

    def level(self, index: int) -> Level:
        """Return a level by its index; raises what `grid` does."""
        self.grid(index)
        return self.levels[index]

    def check_extent(self) -> None:
        """Check that work on all pixels takes no longer than the size of the file lets expect.

        Raises
        ------
        SparseDocumentError
            If there are far more pixels than the file could fill.
        """
        if self.bounds is not None:
            count, grid = math.prod(map(len, self.planes.values())), self.grids[0]
            each = count * max(self.samples, 1) * self.dtype.itemsize
            self.bounds.check_bytes([(each, grid.width, grid.height)])

    def places(self, common: str) -> Iterator[dict[str, int]]:
        """Give each place along the dimensions that others than these make: one without any.

        Parameters
        ----------
        common
            The letters of the dimensions that an image of another format has.

        Raises
        ------
        SparseDocumentError
            If there are far more than sub-blocks.
        """
        beyond = {name: len(values) for name, values in self.planes.items() if name not in common}
        if self.bounds is not None:
            self.bounds.check_images(math.prod(beyond.values()), self.rows)
        for place in itertools.product(*map(range, beyond.values())):
            yield dict(zip(beyond, place))

    def dims(self, level: int = 0) -> Dimensions:
        """Return names and sizes of the array of a level."""
        wanted = self.grid(level)
        sizes = [len(values) for values in self.planes.values()]
        sizes += [wanted.height, wanted.width]
        return Dimensions(self.order, [*sizes, self.samples] if self.samples else sizes)

    def block(self, selection: Mapping[str, Selection], level: int = 0) -> Block:
        """Return the box that a selection names; all of what it does not name.

        Raises
        ------
        ValueError
            For a dimension that the array does not have, or something that selects nothing.
        OutOfBoundsError
            For an index beyond the array.
        """
        dims = self.dims(level)
        unknown = [str(name) for name in selection if name not in dims]
        if unknown:
            raise ValueError(
                f"there is no dimension {', '.join(unknown)}; they are {', '.join(dims)}"
            )
        indices = {
            name: indices_of(name, selection.get(name, slice(None)), size)
            for name, size in dims.items()
        }
        dropped = frozenset(name for name, item in selection.items() if is_index(item))
        return Block(self.grid(level), indices, dropped)

    def coordinates(self, block: Block) -> Iterator[tuple[tuple[int, ...], dict[str, int]]]:
        """Give the planes of a block: the place of each in it, and its coordinate."""
        names = list(self.planes)
        places = [range(len(block.indices[name])) for name in names]
        values = [[self.planes[name][at] for at in block.indices[name]] for name in names]
        for place, coordinate in zip(itertools.product(*places), itertools.product(*values)):
            yield place, dict(zip(names, coordinate))


def is_index(item: object) -> bool:
    """Tell whether a selection is a single index; an array of numpy is one if it has no axis."""
    return hasattr(item, "__index__") and not getattr(item, "ndim", 0)


def indices_of(name: str, item: Selection, size: int) -> Indices:
    """Return what a selection along one dimension takes, as indices from 0 on."""
    if isinstance(item, slice):
        return range(*item.indices(size))
    if is_index(item):
        at = _checked(name, as_integer(item), size)  # type: ignore[arg-type]
        return range(at, at + 1)
    try:
        wanted = [as_integer(value) for value in item]  # type: ignore[union-attr]
    except TypeError:
        raise ValueError(
            f"{name} takes an index, a slice or several indices, not {item!r}"
        ) from None
    return _as_range([_checked(name, value, size) for value in wanted])


def _checked(name: str, at: int, size: int) -> int:
    if not -size <= at < size:
        raise OutOfBoundsError(f"there is no {name}={at}; {name} goes from 0 to {size - 1}")
    return at + size if at < 0 else at


def _as_range(indices: list[int]) -> Indices:
    """Return adjacent ascending indices as a range."""
    adjacent = indices and indices == list(range(indices[0], indices[0] + len(indices)))
    return range(indices[0], indices[0] + len(indices)) if adjacent else indices


def check_output(out: NDArray[Any], shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
    """Check an array that a caller gave for a result.

    Raises
    ------
    ValueError
        If it has another form, or cannot be written to.
    """
    if not isinstance(out, np.ndarray):
        raise ValueError(f"out must be a numpy array, not {type(out).__name__}")
    if out.shape != shape or out.dtype != dtype:
        raise ValueError(
            f"out must have shape {shape} and dtype {dtype}, not {out.shape} and {out.dtype}"
        )
    if not out.flags.writeable:
        raise ValueError("out is read-only; give an array that can be written to")
