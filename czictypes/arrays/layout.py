"""The array of a scene over the planes of its document, and selections of it; no pixel is read."""

from __future__ import annotations

import itertools
import math
from collections.abc import ItemsView, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Union

import numpy as np
from numpy.typing import NDArray

from czictypes.container.limits import Bounds
from czictypes.model.errors import CziError, InvalidArgumentError, OutOfBoundsError
from czictypes.model.geometry import Rectangle, whole_number
from czictypes.model.pixel_types import PixelType, pixel_format
from czictypes.reading.levels import LevelGrid

#: The part of one dimension to take: an index (which drops it), a slice, several indices, or a mask
#: (a bool for each index); of the channels also by their names.
Selection = Union[int, str, slice, range, Sequence[Union[int, str]], NDArray[Any]]

#: Which indices along a dimension, none negative.
Indices = Sequence[int]

_KNOWN = "VHIRBTCZMYXS"


class Dimensions:
    """Names and sizes of an array's dimensions, in order.

    A size is an attribute (``dims.X``); several are taken by their names (``dims["Y", "X"]``).

    Parameters
    ----------
    order
        A letter for each dimension, such as ``"TCZYX"``.
    shape
        Their sizes.
    """

    def __init__(self, order: str, shape: Sequence[int]) -> None:
        if len(order) != len(shape):
            raise ValueError(f"{len(order)} dimensions ({order}) have {len(shape)} sizes")
        self._sizes = dict(zip(order, shape))

    @property
    def order(self) -> str:
        """The names, such as ``"TCZYX"``."""
        return "".join(self._sizes)

    @property
    def shape(self) -> tuple[int, ...]:
        """The sizes."""
        return tuple(self._sizes.values())

    def items(self) -> ItemsView[str, int]:
        """Return pairs of name and size."""
        return self._sizes.items()

    def __getitem__(self, names: str | Sequence[str]) -> tuple[int, ...]:
        """Return the sizes of some dimensions, always as a tuple."""
        missing = [name for name in names if name not in self._sizes]
        if missing:
            raise IndexError(f"there is no dimension {', '.join(missing)}; they are {self.order}")
        return tuple(self._sizes[name] for name in names)

    def __getattr__(self, name: str) -> int:
        try:
            return self.__dict__["_sizes"][name]  # type: ignore[no-any-return]
        except KeyError:
            raise AttributeError(f"there is no dimension {name}") from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._sizes)

    def __len__(self) -> int:
        return len(self._sizes)

    def __contains__(self, name: object) -> bool:
        return name in self._sizes

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Dimensions):
            return NotImplemented
        return tuple(self.items()) == tuple(other.items())

    def __hash__(self) -> int:
        return hash(tuple(self.items()))

    def __repr__(self) -> str:
        return f"<Dimensions [{', '.join(f'{name}: {size}' for name, size in self.items())}]>"


def is_index(item: object) -> bool:
    """Tell whether a selection is a single index; an array of numpy is one if it has no axis."""
    return hasattr(item, "__index__") and not getattr(item, "ndim", 0) and not _is_bool(item)


def _is_bool(item: object) -> bool:
    return isinstance(item, (bool, np.bool_))


def one_index(name: str, item: Selection, size: int) -> int:
    """Return the index, from 0 on, where only one can be taken along a dimension."""
    if not is_index(item):
        raise InvalidArgumentError(f"{name} takes one index here, not {item!r}")
    return indices_of(name, item, size)[0]


def indices_of(name: str, item: Selection, size: int) -> Indices:
    """Return the indices, from 0 on, of a selection along one dimension."""
    if isinstance(item, range) and item and min(item) >= 0 and max(item) < size:
        return item
    try:
        if isinstance(item, slice):
            return range(*item.indices(size))
        if is_index(item):
            at = _checked(name, whole_number(item), size)
            return range(at, at + 1)
        indices = _several(name, list(item), item, size)  # type: ignore[arg-type]
    except (TypeError, ValueError) as error:
        if isinstance(error, CziError):
            raise
        raise InvalidArgumentError(_not_taken(name, item)) from None
    if indices and indices == list(range(indices[0], indices[0] + len(indices))):
        return range(indices[0], indices[0] + len(indices))
    return indices


def _several(name: str, values: list[Any], item: Any, size: int) -> list[int]:
    """Return the indices that are listed, or those at which a mask is true."""
    if isinstance(item, str):
        raise TypeError
    if getattr(item, "dtype", "") != "bool" and not any(map(_is_bool, values)):
        return [_checked(name, whole_number(value), size) for value in values]
    if not all(map(_is_bool, values)):
        raise TypeError
    if len(values) != size:
        raise OutOfBoundsError(
            f"the mask of {name} has {len(values)} values, but {name} has {size}; a mask has a "
            "bool for each index"
        )
    return [at for at, is_taken in enumerate(values) if is_taken]


def _not_taken(name: str, item: Any) -> str:
    if name == "C":
        known = "an index or a name, a slice, several indices or names, or a mask (a bool for each)"
        return f"C takes {known}, not {item!r}"
    names = "; only channels (C) have names" if isinstance(item, str) else ""
    known = "an index, a slice, several indices, or a mask (a bool for each)"
    return f"{name} takes {known}, not {item!r}{names}"


def _checked(name: str, at: int, size: int) -> int:
    if not -size <= at < size:
        raise OutOfBoundsError(f"there is no {name}={at}; {name} goes from 0 to {size - 1}")
    return at + size if at < 0 else at


def selection_by_position(key: Any, names: Sequence[str]) -> Mapping[str, Selection]:
    """Return the selection that stands in brackets behind an image with these dimensions."""
    if isinstance(key, Mapping):
        return key
    items = list(key) if isinstance(key, tuple) else [key]
    gaps = [at for at, item in enumerate(items) if item is Ellipsis]
    if any(item is None for item in items):
        raise InvalidArgumentError("None adds no axis here; add it to the result: image[...][None]")
    count = len(items) - len(gaps)
    if count > len(names) or len(gaps) > 1:
        raise OutOfBoundsError(
            f"{count} items and {len(gaps)} ... are chosen, but there are {len(names)} dimensions, "
            f"{', '.join(names)}: give at most one item for each, and one ..."
        )
    rest = [slice(None)] * (len(names) - count)
    at = gaps[0] if gaps else len(items)
    return dict(zip(names, [*items[:at], *rest, *items[at + 1 :]]))


def ordered_selection(
    dims: Dimensions, order: str | None, selections: Mapping[str, Selection]
) -> tuple[dict[str, Selection], str]:
    """Return a selection as `Image.read_block` takes it, and the order of its dimensions.

    Dimensions that the order names are kept, also where one index is given. Of others, one index is
    taken: the one given, or else the first. A dimension that the image does not have is of the
    size 1; `arranged` brings the result into the order.
    """
    order = dims.order if order is None else order
    unknown = [str(name) for name in (*order, *selections) if str(name) not in tuple(_KNOWN)]
    if unknown:
        raise ValueError(
            f"there is no dimension {', '.join(unknown)}; this image has {', '.join(dims)}"
        )
    if len(set(order)) < len(order):
        raise ValueError(f"the order {order!r} names a dimension twice")
    for name, item in selections.items():
        taken = indices_of(name, item, dims[name][0] if name in dims else 1)
        if name not in order and not is_index(item):
            raise ValueError(
                f"{name}={item!r} selects several indices, but {name} is not in the order "
                f"{order!r}; add it, or give one index"
            )
        if name not in dims and taken != range(1):
            raise OutOfBoundsError(f"{name}={item!r}: this image has no dimension {name}")
    chosen = {name: selections.get(name, 0) for name in dims if name not in order}
    for name, size in dims.items():
        if name in order and name in selections:
            chosen[name] = indices_of(name, selections[name], size)
    return chosen, order


def arranged(array: Any, dims: str, order: str) -> Any:
    """Bring the dimensions of an array into an order, with those that it lacks of the size 1."""
    array = array.transpose([dims.index(name) for name in order if name in dims])
    sizes = iter(array.shape)
    return array.reshape([next(sizes) if name in dims else 1 for name in order])


@dataclass(frozen=True)
class Level:
    """One resolution level.

    Attributes
    ----------
    index
        0 is full resolution.
    factor
        How many pixels of full resolution a pixel stands for, along each axis.
    width, height
        The size of the plane in pixels of this level.
    zoom
        The inverse of `factor`.
    stored
        Whether the file has pixels of this level.
    """

    index: int
    factor: float
    width: int
    height: int
    zoom: float
    stored: bool = True


class ArrayRegion(NamedTuple):
    """A box of the array of one level.

    Attributes
    ----------
    grid
        The pixels of the level.
    indices
        The indices along every dimension of the array, in the array's order.
    dropped
        The dimensions given by a single index, which the result does not have.
    order
        The dimensions of the result; None for those of the array.
    """

    grid: LevelGrid
    indices: Mapping[str, Indices]
    dropped: frozenset[str]
    order: str | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the box without the dropped dimensions."""
        return tuple(
            len(indices) for name, indices in self.indices.items() if name not in self.dropped
        )

    @property
    def roi(self) -> Rectangle:
        """The smallest rectangle of a plane with all rows and columns; there is one at least."""
        left, right = _ends(self.indices["X"])
        top, bottom = _ends(self.indices["Y"])
        return Rectangle(left, top, right + 1 - left, bottom + 1 - top)

    def with_dropped(self, array: NDArray[Any]) -> NDArray[Any]:
        """Return a view of an array of this shape that has the dropped dimensions, too."""
        dropped = [axis for axis, name in enumerate(self.indices) if name in self.dropped]
        return np.expand_dims(array, tuple(dropped))

    def arranged(self, array: NDArray[Any]) -> NDArray[Any]:
        """Return an array of this shape with its dimensions in the order asked for."""
        if self.order is None:
            return array
        kept = "".join(name for name in self.indices if name not in self.dropped)
        found: NDArray[Any] = arranged(array, kept, self.order)
        return found


@dataclass(frozen=True)
class Layout:
    """The array of one scene (or of all): names, sizes, and the planes of the document in it.

    Parameters
    ----------
    planes
        The coordinates along each leading dimension, in the order of the array. M, where it is
        there, is the last.
    samples
        How many samples a colour pixel has; 0 for a gray image, which has no dimension S.
    grids
        The pixels of each resolution level, the full resolution first.
    pixel_types
        The pixel type of each channel.
    dtype
        The dtype that holds the pixels of all channels.
    is_opaque
        Whether alpha is 255 in place of what is stored.
    bounds
        The bounds on the document's pixels; None for no bounds.
    rows
        The number of sub-blocks of the document, by which some of the bounds go.
    """

    planes: Mapping[str, range]
    samples: int
    grids: tuple[LevelGrid, ...]
    pixel_types: Mapping[int, PixelType]
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
    def channel_dtypes(self) -> dict[int, np.dtype[Any]]:
        """The dtype of each channel."""
        return {
            channel: np.dtype(pixel_format(pixel_type).dtype)
            for channel, pixel_type in self.pixel_types.items()
        }

    @property
    def order(self) -> str:
        """The letters of the dimensions, such as ``"TCZYX"``."""
        return "".join(self.planes) + ("YXS" if self.samples else "YX")

    def grid(self, index: int) -> LevelGrid:
        """Return the grid of a level by its index; negative ones count from the coarsest."""
        try:
            return self.grids[whole_number(index)]
        except TypeError:
            raise InvalidArgumentError(
                f"a level is a whole number from 0 to {len(self.grids) - 1}, not {index!r}"
            ) from None
        except IndexError:
            raise OutOfBoundsError(
                f"there is no level {index}; the levels go from 0 to {len(self.grids) - 1}"
            ) from None

    def level(self, index: int) -> Level:
        """Return a level by its index; raises what `grid` does."""
        self.grid(index)
        return self.levels[index]

    def check_extent(self) -> None:
        """Raise `SparseDocumentError` if there are far more pixels than the file could fill."""
        if self.bounds is not None:
            count, grid = math.prod(map(len, self.planes.values())), self.grids[0]
            each = count * max(self.samples, 1) * self.dtype.itemsize
            self.bounds.check_bytes([(each, grid.width, grid.height)])

    def places(self, common: str) -> Iterator[dict[str, int]]:
        """Give each combination of indices along the dimensions that another format lacks.

        `common` are the letters of the dimensions that it has. With none beyond, there is one
        combination, without any index. Raises `SparseDocumentError` if there are far more
        combinations than sub-blocks.
        """
        beyond = {name: len(values) for name, values in self.planes.items() if name not in common}
        if self.bounds is not None:
            self.bounds.check_images(math.prod(beyond.values()), self.rows)
        for indices in itertools.product(*map(range, beyond.values())):
            yield dict(zip(beyond, indices))

    def dims(self, level: int = 0) -> Dimensions:
        """Return names and sizes of the array of a level."""
        wanted = self.grid(level)
        sizes = [len(values) for values in self.planes.values()]
        sizes += [wanted.height, wanted.width]
        return Dimensions(self.order, [*sizes, self.samples] if self.samples else sizes)

    def region(self, selection: Mapping[str, Selection], level: int = 0) -> ArrayRegion:
        """Return the box that a selection names; all of a dimension that it does not name."""
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
        return ArrayRegion(self.grid(level), indices, dropped)

    def ordered_region(
        self, order: str | None, selections: Mapping[str, Selection], level: int
    ) -> ArrayRegion:
        """Return the box that `Image.get_image_data` reads, with the order of its dimensions."""
        chosen, order = ordered_selection(self.dims(level), order, selections)
        return self.region(chosen, level)._replace(order=order)

    def coordinates(self, region: ArrayRegion) -> Iterator[tuple[tuple[int, ...], dict[str, int]]]:
        """Give the planes of a region: the position of each in it, and its coordinate."""
        names = list(self.planes)
        positions = [range(len(region.indices[name])) for name in names]
        values = [[self.planes[name][at] for at in region.indices[name]] for name in names]
        for position, coordinate in zip(itertools.product(*positions), itertools.product(*values)):
            yield position, dict(zip(names, coordinate))


def _ends(indices: Indices) -> tuple[int, int]:
    """Return the smallest and the largest index; of a range, without a loop over it."""
    ends = (indices[0], indices[-1]) if isinstance(indices, range) else indices
    return min(ends), max(ends)
