"""The arguments of `get_image_data`: an order of dimensions and a selection for each.

Dimensions that the order names are kept, also where one index is given. Of others, one index is
taken: the one given, or else the first. A dimension of the format that the image does not have is
of the size 1.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from czictypes.arrays.dimensions import Dimensions
from czictypes.arrays.layout import Selection, indices_of, is_index
from czictypes.model.errors import OutOfBoundsError

__all__ = ["OrderedSelection", "ordered_selection"]

_KNOWN = "VHIRBTCZMYXS"


class OrderedSelection(NamedTuple):
    """A selection, and how to bring its result into an order.

    Attributes
    ----------
    selection
        As `CziImage.read_block` takes it; the dimensions of the order are all kept.
    kept
        The dimensions of the result, in the order of the image.
    order
        The order asked for.
    """

    selection: dict[str, Selection]
    kept: str
    order: str

    def arranged(self, array: Any) -> Any:
        """Bring the result of the selection into the order, with what it lacks of the size 1."""
        array = array.transpose([self.kept.index(name) for name in self.order if name in self.kept])
        sizes = iter(array.shape)
        return array.reshape([next(sizes) if name in self.kept else 1 for name in self.order])


def ordered_selection(
    dims: Dimensions, order: str | None, selections: Mapping[str, Selection]
) -> OrderedSelection:
    """Check an order and selections against the dimensions of an image.

    Raises
    ------
    ValueError
        For a letter that is no dimension or is given twice, or several indices of a dimension
        that the order leaves out.
    OutOfBoundsError
        For an index other than 0 of a dimension that the image does not have.
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
    absent = {name: item for name, item in selections.items() if name not in dims}
    for name, item in absent.items():
        if indices_of(name, item, 1) != range(1):
            raise OutOfBoundsError(f"{name}={item!r}: this image has no dimension {name}")
    chosen = {name: selections.get(name, 0) for name in dims if name not in order}
    chosen.update(
        (name, indices_of(name, selections[name], size))
        for name, size in dims.items()
        if name in order and name in selections
    )
    return OrderedSelection(chosen, "".join(name for name in dims if name in order), order)
