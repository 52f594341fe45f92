"""Reads and writes the arrays of a store, with zarr or with tensorstore, which is faster."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from czictypes.container.workers import aside
from czictypes.exchange.ome_zarr.store import ZarrStore
from czictypes.model.lazy import require

__all__ = ["ArrayAccess", "is_fast", "may_be_fast", "open_array"]

Slices = tuple[slice, ...]


class ArrayAccess:
    """An array that is there already: regions of whole chunks go in, any come out.

    Parameters
    ----------
    read, write
        Functions of slices, and of slices and pixels.
    """

    def __init__(
        self,
        read: Callable[[Slices], NDArray[Any]],
        write: Callable[[Slices, NDArray[Any]], Any],
    ) -> None:
        self._read, self._write = read, write

    def read(self, slices: Slices) -> NDArray[Any]:
        """Return a region."""
        return aside(lambda: self._read(slices))

    def write(self, slices: Slices, pixels: NDArray[Any]) -> None:
        """Write a region of whole chunks."""
        aside(lambda: self._write(slices, pixels))


def may_be_fast(wanted: bool | None, store: ZarrStore) -> bool:
    """Return whether tensorstore is to be tried.

    Parameters
    ----------
    wanted
        None to use it where it is installed and knows the store.

    Raises
    ------
    MissingExtraError
        If it is wanted and not installed.
    ValueError
        If it is wanted and does not know the store.
    """
    if wanted is False or (wanted is None and find_spec("tensorstore") is None):
        return False
    require("tensorstore", extra="tensorstore", doing="writing with tensorstore")
    if wanted and not store.is_plain_folder:
        raise ValueError(f"tensorstore writes to folders only, and {store.name} is none")
    return store.is_plain_folder


def is_fast(wanted: bool | None, store: ZarrStore, version: str, path: str) -> bool:
    """Return whether tensorstore knows an array, which is there already.

    Raises
    ------
    ValueError
        If it is wanted and does not.
    """
    try:
        open_array(store, version, path, fast=True)
    except (ValueError, NotImplementedError) as error:
        if wanted:
            raise ValueError(f"tensorstore cannot write {store.name}: {error}") from error
        return False
    return True


def open_array(store: ZarrStore, version: str, path: str, *, fast: bool) -> ArrayAccess:
    """Open an array for reading and writing; `fast` with tensorstore."""
    if fast:
        tensorstore = require("tensorstore", extra="tensorstore", doing="writing with tensorstore")
        opened = aside(lambda: _open_tensorstore(tensorstore, store, version, path))
        return ArrayAccess(
            lambda slices: np.asarray(opened[slices].read().result()),
            lambda slices, pixels: opened[slices].write(pixels).result(),
        )
    array = store.open_array(path, "r+")
    return ArrayAccess(array.__getitem__, array.__setitem__)


def _open_tensorstore(tensorstore: Any, store: ZarrStore, version: str, path: str) -> Any:
    assert store.folder is not None
    driver = "zarr" if version == "0.4" else "zarr3"
    place = {"driver": "file", "path": (store.folder / path).as_posix()}
    return tensorstore.open({"driver": driver, "kvstore": place}, read=True, write=True).result()
