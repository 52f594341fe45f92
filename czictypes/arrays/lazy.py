"""Dask arrays of a document, whose tasks open it by themselves and read a block each."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import astuple
from typing import Any
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from czictypes.arrays.chunking import normalized_chunks
from czictypes.arrays.layout import Selection
from czictypes.arrays.opened import open_readers
from czictypes.arrays.view import ArrayView
from czictypes.model.errors import ClosedError
from czictypes.model.lazy import require
from czictypes.reading.plane_reads import open_document_of
from czictypes.reading.reader import CziReader, ReaderArguments, reopen

__all__ = ["hand_over", "lazy_array", "take_lazily"]

_DOING = "lazy arrays"


def lazy_array(
    reader: CziReader, view: ArrayView, level: int, chunks: Any, native: Mapping[str, int]
) -> Any:
    """Return a level of a document as a dask array.

    Parameters
    ----------
    reader, view, level
        What the array shows.
    chunks
        As dask has it, or a mapping from names of dimensions; None for the native ones.
    native
        The native chunk size along each dimension.
    """
    require("dask.array", extra="dask", doing=_DOING)
    tokenize = require("dask.base", extra="dask", doing=_DOING).tokenize
    from czictypes.arrays.windows import windowed_array  # needs dask

    with open_document_of(reader) as document:
        layout = view.layout(document)
        layout.check_extent()
        dims, dtype = layout.dims(level), layout.dtype
        source = document.source
        identity = source.opened_identity() or uuid4().hex, source.size(), document.name
    sizes = normalized_chunks(dims, dtype, chunks, native)
    opened = reader.arguments
    options = opened.file_input_type, opened.cache_options, opened.reader_options, opened.parts
    read = _WindowRead(opened, _key(opened), view, level, reader)
    hashed = [np.array(along) for along in sizes]  # by their bytes: there may be very many
    name = f"czi-{tokenize(identity, options, astuple(view), level, hashed)}"
    return windowed_array(read, dims.order, sizes, dtype, name)


class _WindowRead:
    """Reads a part of an array; pickles as what is to be opened, and how.

    Where it was made it uses the reader of the image as long as that is open.
    """

    def __init__(
        self,
        opened: ReaderArguments,
        key: str,
        view: ArrayView,
        level: int,
        reader: CziReader | None = None,
    ) -> None:
        self._opened, self._key, self._view, self._level = opened, key, view, level
        self._reader: Callable[[], CziReader | None] = lambda: None
        if reader is None:
            return
        if _is_file_object(opened):
            self._reader = lambda: reader  # nobody can open it once more
        else:
            self._reader = weakref.ref(reader)
            open_readers().hold(key, self)

    def __reduce__(self) -> tuple[Any, ...]:
        if _is_file_object(self._opened):
            raise TypeError(
                "a lazy array of a file object works only in the process that made it, as the "
                "object cannot be sent to another; open the CZI by its path or URL, or compute "
                "with threads"
            )
        return _WindowRead, (self._opened, self._key, self._view, self._level)

    def __call__(self, selection: Mapping[str, Selection]) -> NDArray[Any]:
        """Return pixels, read in the calling thread alone: others have tasks of their own."""
        reader = self._reader()
        if reader is not None and not reader.closed:
            try:
                return self._view.read_block(reader, selection, self._level, threads=1)
            except ClosedError:
                if _is_file_object(self._opened):
                    raise
        with self._shared() as shared:
            return self._view.read_block(shared, selection, self._level, threads=1)

    @contextmanager
    def _shared(self) -> Iterator[CziReader]:
        if _is_file_object(self._opened):
            raise ClosedError("the image of this lazy array was closed, and its file object")
        with open_readers().use(self._key, lambda: reopen(self._opened)) as reader:
            yield reader


def hand_over(reader: CziReader) -> None:
    """Leave a reader to the lazy arrays made of it; it is closed with the last of them.

    One of a file object of the caller simply stays open: nothing else can be read from.
    """
    if not _is_file_object(reader.arguments):
        open_readers().adopt(_key(reader.arguments), reader)


def _key(opened: ReaderArguments) -> str:
    """Return a key that all readers share that are opened alike."""
    if _is_file_object(opened):
        return uuid4().hex
    key: str = require("dask.base", extra="dask", doing=_DOING).tokenize(opened)
    return key


def _is_file_object(opened: ReaderArguments) -> bool:
    return hasattr(opened.filepath, "read") and hasattr(opened.filepath, "seek")


def take_lazily(array: Any, order: str, selection: Mapping[str, Selection]) -> Any:
    """Return part of a dask array; a selection as `CziImage.read_block` takes it."""
    for axis, name in reversed(list(enumerate(order))):
        item = selection.get(name, slice(None))
        if isinstance(item, range):
            item = slice(item.start, item.stop, item.step) if item.step > 0 else list(item)
        array = array[(slice(None),) * axis + (item,)]
    return array
