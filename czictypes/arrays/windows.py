"""Dask arrays that read small windows by themselves, not whole chunks for dask to cut.

Imported only where dask is installed.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from numbers import Integral
from typing import Any, Union

import dask.array
import dask.array.core
import dask.array.slicing
import dask.blockwise
import numpy as np
from dask.base import tokenize
from dask.highlevelgraph import HighLevelGraph
from dask.layers import ArraySliceDep
from numpy.typing import NDArray

from czictypes.arrays.layout import Selection
from czictypes.arrays.lazy import Chunks
from czictypes.model.errors import FileChangedError

#: Functions of dask without types.
_blockwise: Any = dask.blockwise.blockwise
_normalized: Any = dask.array.slicing.normalize_index
_finalize: Any = dask.array.core.finalize

#: Gives the pixels of a selection, as `CziImage.read_block` takes it; must pickle.
ReadWindow = Callable[[Mapping[str, Selection]], NDArray[Any]]
#: A selection along an axis of the whole array; a number drops the axis.
_Taken = Union[range, list[int], int]


def windowed_array(
    read: ReadWindow,
    order: str,
    chunks: Chunks,
    dtype: np.dtype[Any],
    name: str,
    *,
    is_fresh: bool = False,
) -> WindowedArray:
    """Return a lazy array, whose graph is one layer however many chunks there are.

    `order` has the letters of its dimensions. The name of its tasks is the same for the same
    pixels and chunks. With `is_fresh`, `read` gives each time an array that nobody else has.
    """
    taken = tuple(range(sum(sizes)) for sizes in chunks)
    window = _Window(read, order, chunks, taken, name, is_fresh)
    return WindowedArray.of(window, window.graph(chunks), chunks, dtype)


class WindowedArray(dask.array.Array):  # type: ignore[misc, unused-ignore]
    """A dask array in which an index that uses less than half of its chunks reads only that part.

    Any other index is dask's own, so that several results read a shared chunk once. Both give the
    same pixels and chunks.
    """

    _window: _Window

    @classmethod
    def of(
        cls, window: _Window, graph: HighLevelGraph, chunks: Chunks, dtype: np.dtype[Any]
    ) -> WindowedArray:
        """Return the array of a graph whose tasks read a window."""
        meta = np.empty((0,) * len(chunks), dtype)
        made: WindowedArray = cls(graph, window.name, chunks, dtype=dtype, meta=meta)
        made._window = window
        return made

    def __getitem__(self, index: Any) -> Any:
        """Return a part, as lazy as the whole."""
        parent: Any = super()
        part, window = parent.__getitem__(index), self._window
        if part is self or not part.size or self.name != window.name:  # assigned to since
            return part
        taken = window.narrowed(_normalized(index, self.shape))
        if taken is None or not part.ndim:
            return part
        if not window.is_small(taken):
            return self.of(replace(window, taken=taken, name=part.name), part.dask, *_form(part))
        own = replace(window, taken=taken, name=f"{window.prefix}-{tokenize(self.name, index)}")
        return self.of(own, own.graph(part.chunks), *_form(part))

    def __dask_postcompute__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        """Return what makes a result of chunks."""
        if self._window.is_fresh and self.name == self._window.name:
            return _result, ()
        parent: Any = super()
        found: tuple[Callable[..., Any], tuple[Any, ...]] = parent.__dask_postcompute__()
        return found


def _result(chunks: Any) -> Any:
    """Join chunks; the only one is not copied, as new versions of dask do, unless it is a view."""
    only = chunks
    while isinstance(only, (list, tuple)) and len(only) == 1:
        only = only[0]
    if not isinstance(only, np.ndarray):
        return _finalize(chunks)
    return only.copy() if isinstance(only.base, np.ndarray) or _in_worker() else only


def _in_worker() -> bool:
    """Tell whether a worker of a cluster runs this, which may keep the chunks."""
    distributed = sys.modules.get("distributed")
    try:
        return distributed is not None and distributed.get_worker() is not None
    except ValueError:
        return False


def _form(array: Any) -> tuple[Chunks, np.dtype[Any]]:
    return array.chunks, array.dtype


@dataclass(frozen=True)
class _Window:
    """A part of an array that can be read."""

    read: ReadWindow
    order: str
    chunks: Chunks  # of the whole array
    taken: tuple[_Taken, ...]
    name: str
    is_fresh: bool

    @property
    def prefix(self) -> str:
        """The first word of the names of the tasks."""
        return self.name.split("-")[0]

    def graph(self, chunks: Chunks) -> HighLevelGraph:
        """Return the graph that reads it in chunks."""
        axes = tuple(range(len(chunks)))
        block = _Block(self.read, self.order, self.taken)
        slices: Any = ArraySliceDep(chunks)
        layer: Any = _blockwise(block, self.name, axes, slices, axes, numblocks={})
        graph: HighLevelGraph = HighLevelGraph.from_collections(self.name, layer)
        return graph

    def narrowed(self, index: Sequence[Any]) -> tuple[_Taken, ...] | None:
        """Return the part of the whole array that an index takes; None for an unusual index."""
        if not all(_is_plain(item) for item in index):
            return None
        items = iter(index)
        return tuple(at if isinstance(at, int) else _part(at, next(items)) for at in self.taken)

    def is_small(self, taken: Sequence[_Taken]) -> bool:
        """Tell whether less than half of the pixels of the chunks that are met are used."""
        used = met = 1
        for at, sizes in zip(taken, self.chunks):
            used *= 1 if isinstance(at, int) else len(at)
            met *= int(np.asarray(sizes)[_chunks_met(at, np.cumsum(sizes))].sum())
        return 2 * used < met


def _chunks_met(at: _Taken, ends: NDArray[np.int64]) -> NDArray[np.intp]:
    """Return the chunks along an axis that are met, without a loop over a range."""
    if not isinstance(at, range):
        return np.unique(np.searchsorted(ends, np.atleast_1d(np.asarray(at)), side="right"))
    ascending = at if at.step > 0 else at[::-1]
    before = -((ascending.start - ends) // ascending.step)  # places before each end, rounded up
    return np.flatnonzero(np.diff(before.clip(0, len(at)), prepend=0))


def _is_plain(item: Any) -> bool:
    return isinstance(item, (Integral, slice)) or (
        isinstance(item, (list, np.ndarray)) and np.ndim(item) == 1
    )


def _part(at: range | list[int], item: Any) -> _Taken:
    """Return the part that an index takes of what is taken along an axis."""
    if isinstance(item, (list, np.ndarray)):
        return [at[int(one)] for one in item]
    return at[item if isinstance(item, slice) else int(item)]


class _Block:
    """Reads one chunk of a window."""

    def __init__(self, read: ReadWindow, order: str, taken: tuple[_Taken, ...]) -> None:
        self._read, self._order, self._taken = read, order, taken

    def __call__(self, slices: Sequence[slice]) -> NDArray[Any]:
        parts = iter(slices)
        taken = [at if isinstance(at, int) else at[next(parts)] for at in self._taken]
        pixels = self._read({name: _selection(at) for name, at in zip(self._order, taken)})
        expected = tuple(part.stop - part.start for part in slices)
        if pixels.shape != expected:
            raise FileChangedError(
                f"the file changed since the lazy array was made: a block that had the shape "
                f"{expected} now has the shape {pixels.shape}; make the array again"
            )
        return pixels


def _selection(at: _Taken) -> Selection:
    if isinstance(at, range):
        return slice(at.start, at.stop, at.step) if at.step > 0 else list(at)
    return at
