"""The dimensions of an array, and what callers select along them."""

from __future__ import annotations

from collections.abc import ItemsView, Iterator, Mapping, Sequence
from operator import index as as_integer
from typing import Any, Union

from czictypes.model.errors import OutOfBoundsError

#: What is taken of one dimension: an index (which drops it), a slice, or several indices; of the
#: channels also by their names.
Selection = Union[int, str, slice, range, Sequence[Union[int, str]]]

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
    return hasattr(item, "__index__") and not getattr(item, "ndim", 0)


def indices_of(name: str, item: Selection, size: int) -> Indices:
    """Return the indices, from 0 on, of a selection along one dimension."""
    if isinstance(item, slice):
        return range(*item.indices(size))
    if is_index(item):
        at = _checked(name, as_integer(item), size)  # type: ignore[arg-type]
        return range(at, at + 1)
    if isinstance(item, range) and item and min(item) >= 0 and max(item) < size:
        return item
    try:
        wanted = [as_integer(value) for value in item]  # type: ignore[union-attr, arg-type]
    except TypeError:
        raise ValueError(
            f"{name} takes an index, a slice or several indices, not {item!r}"
        ) from None
    indices = [_checked(name, value, size) for value in wanted]
    if indices and indices == list(range(indices[0], indices[0] + len(indices))):
        return range(indices[0], indices[0] + len(indices))
    return indices


def _checked(name: str, at: int, size: int) -> int:
    if not -size <= at < size:
        raise OutOfBoundsError(f"there is no {name}={at}; {name} goes from 0 to {size - 1}")
    return at + size if at < 0 else at


def ordered_selection(
    dims: Dimensions, order: str | None, selections: Mapping[str, Selection]
) -> tuple[dict[str, Selection], str]:
    """Return a selection as `Image.read_block` takes it, and the order of its dimensions.

    Dimensions that the order names are kept, also where one index is given. Of others, one index is
    taken: the one given, or else the first. A dimension that the image does not have is of the
    size 1; `arranged` brings the result into the order.
    """
    order = dims.order if order is None else order
    unknown = [str(name) for name in (*order, *selections) if name not in _KNOWN or len(name) != 1]
    if unknown:
        raise ValueError(
            f"there is no dimension {', '.join(unknown)}; this image has {', '.join(dims)}"
        )
    if len(set(order)) < len(order):
        raise ValueError(f"the order {order!r} names a dimension twice")
    for name, item in selections.items():
        if name not in order and not is_index(item):
            raise ValueError(
                f"{name}={item!r} selects several indices, but {name} is not in the order "
                f"{order!r}; add it, or give one index"
            )
        if name not in dims and indices_of(name, item, 1) != range(1):
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
