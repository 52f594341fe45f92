"""Opens what an OME-Zarr is kept in: folders, URLs, stores of zarr."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from czictypes.model.extras import require

__all__ = ["StoreTarget", "ZarrStore", "store_name"]

#: What callers may give: a path, a URL, a UPath, or a store of zarr.
StoreTarget = Any

_EXTRA = "ome-zarr"


class ZarrStore:
    """A store, with the few operations that are needed beside those of zarr's arrays.

    It pickles where zarr's own store does, so that other processes can work on it.

    Parameters
    ----------
    target
        A path, a URL that fsspec knows, a UPath, or a store of zarr.
    storage_options
        What fsspec is to know of a URL.

    Raises
    ------
    MissingExtraError
        If zarr, or fsspec for a URL, is not installed.
    """

    def __init__(
        self,
        target: StoreTarget,
        storage_options: Mapping[str, Any] | None = None,
        *,
        doing: str = "OME-Zarr",
    ) -> None:
        require("zarr", extra=_EXTRA, doing=doing)
        self.name = store_name(target)
        self.zarr = _open(target, storage_options)

    def read(self, key: str) -> bytes | None:
        """Return what is stored under a key, or None."""
        found = self._sync(self.zarr.get(key, self._prototype()))
        return None if found is None else bytes(found.to_bytes())

    def write(self, key: str, data: bytes) -> None:
        """Store bytes under a key, in place of what is there."""
        buffer = self._prototype().buffer.from_bytes(data)
        self._sync(self.zarr.set(key, buffer))

    def delete(self, key: str) -> None:
        """Remove a key; does nothing where there is none."""
        self._sync(self.zarr.delete(key))

    def is_empty(self) -> bool:
        """Whether nothing at all is there."""
        if self.folder is not None:
            return not self.folder.exists() or not any(self.folder.iterdir())
        return bool(self._sync(self.zarr.is_empty("")))

    def is_zarr(self) -> bool:
        """Whether it begins as a group or an array of Zarr does."""
        names = ("zarr.json", ".zgroup", ".zarray", ".zattrs")
        return any(self.read(name) is not None for name in names)

    def clear(self) -> None:
        """Remove all that is there."""
        self._sync(self.zarr.delete_dir(""))

    @property
    def folder(self) -> Path | None:
        """Where it is among the local files; None elsewhere."""
        root = getattr(self.zarr, "root", None)
        return root if isinstance(root, Path) else None

    @property
    def is_plain_folder(self) -> bool:
        """Whether it is a folder whose files anybody may write."""
        storage = require("zarr.storage", extra=_EXTRA, doing="OME-Zarr")
        return type(self.zarr) is storage.LocalStore

    def close(self) -> None:
        """Let go of it."""
        self.zarr.close()

    @staticmethod
    def _sync(coroutine: Any) -> Any:
        return require("zarr.core.sync", extra=_EXTRA, doing="OME-Zarr").sync(coroutine)

    @staticmethod
    def _prototype() -> Any:
        buffers = require("zarr.core.buffer", extra=_EXTRA, doing="OME-Zarr")
        return buffers.default_buffer_prototype()


def store_name(target: StoreTarget) -> str:
    """Return what to call a store in messages."""
    if isinstance(target, (str, os.PathLike)):
        return os.fspath(target) if isinstance(target, Path) else str(target)
    return str(target)


def _open(target: StoreTarget, storage_options: Mapping[str, Any] | None) -> Any:
    storage = require("zarr.storage", extra=_EXTRA, doing="OME-Zarr")
    abc = require("zarr.abc.store", extra=_EXTRA, doing="OME-Zarr")
    if isinstance(target, abc.Store):
        return target
    options = dict(storage_options or {})
    own = getattr(target, "storage_options", None)  # a UPath
    if own is not None and getattr(target, "protocol", "") not in ("", "file"):
        return storage.FsspecStore.from_url(str(target), storage_options={**own, **options})
    if isinstance(target, str) and "://" in target:
        return storage.FsspecStore.from_url(target, storage_options=options)
    if isinstance(target, (str, os.PathLike)):
        return storage.LocalStore(Path(os.fspath(target)).absolute())
    raise TypeError(f"{target!r} is no path, URL or store of zarr")
