"""The rectangles that lie wholly under others, found for many at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["hidden_below"]

#: Above so many cells it is cheaper to let the visible parts be worked out.
_MOST_CELLS = 4_000_000


def hidden_below(boxes: NDArray[np.int64], above: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Tell which boxes are wholly covered by others together.

    Parameters
    ----------
    boxes, above
        Rectangles (left, top, right, bottom), none empty.

    Returns
    -------
    numpy.ndarray
        True for those that certainly are; False may be wrong where there are very many corners.
    """
    hidden = np.zeros(len(boxes), bool)
    if not len(boxes) or not len(above):
        return hidden
    # The lines through all edges make cells, each of which is wholly covered or not at all.
    x, y = np.unique(above[:, [0, 2]]), np.unique(above[:, [1, 3]])
    if len(x) * len(y) > _MOST_CELLS:
        return hidden
    holes = _summed(_covered(above, x, y) == 0)
    left = np.searchsorted(x, boxes[:, 0], side="right") - 1
    top = np.searchsorted(y, boxes[:, 1], side="right") - 1
    right, bottom = np.searchsorted(x, boxes[:, 2]), np.searchsorted(y, boxes[:, 3])
    inside = (left >= 0) & (top >= 0) & (right < len(x)) & (bottom < len(y))
    left, top, right, bottom = (at[inside] for at in (left, top, right, bottom))
    count = holes[bottom, right] - holes[top, right] - holes[bottom, left] + holes[top, left]
    hidden[inside] = count == 0
    return hidden


def _covered(
    above: NDArray[np.int64], x: NDArray[np.int64], y: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return how many rectangles cover each cell, (rows, columns)."""
    left, right = (np.searchsorted(x, above[:, at]) for at in (0, 2))
    top, bottom = (np.searchsorted(y, above[:, at]) for at in (1, 3))
    changes = np.zeros((len(y), len(x)), np.int64)
    for rows, change in ((top, 1), (bottom, -1)):
        np.add.at(changes, (rows, left), change)
        np.add.at(changes, (rows, right), -change)
    return changes.cumsum(axis=0).cumsum(axis=1)[:-1, :-1]


def _summed(cells: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return the sums of all cells above and left of each corner."""
    sums = np.zeros((cells.shape[0] + 1, cells.shape[1] + 1), np.int64)
    sums[1:, 1:] = cells.cumsum(axis=0).cumsum(axis=1)
    return sums
