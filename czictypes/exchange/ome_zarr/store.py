"""Opens the store of an OME-Zarr: a folder, a URL, a ZIP archive, a store of zarr."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from czictypes.container.file_source import absolute_path
from czictypes.container.workers import aside
from czictypes.exchange.locations import (
    PathOrUrl,
    is_archive,
    location_name,
    location_text,
    options_of,
)
from czictypes.model.lazy import require
from czictypes.model.public import Closable
from czictypes.remote.open import said_plainly
from czictypes.remote.urls import Redactor, is_url
from czictypes.writing.atomic import remove_folder

#: The key that marks a store as unfinished.
JOURNAL = "czictypes-unfinished.json"

_EXTRA = "ome-zarr"


class ZarrStore(Closable):
    """A store with the few operations that are needed beside those of zarr's arrays.

    The target is a path, a URL that fsspec knows, a UPath, a store of zarr, or a dict. Open stores
    stay open; others are opened when needed, and closed at the end. For writing, nothing is touched
    before `writable`. It pickles if zarr's own store does, so that other processes can work on it.
    """

    def __init__(
        self,
        target: PathOrUrl,
        storage_options: Mapping[str, Any] | None = None,
        *,
        doing: str = "OME-Zarr",
        writing: bool = False,
    ) -> None:
        require("zarr.abc.store", extra=_EXTRA, doing=doing)  # which zarr 2 has not
        self.name = location_name(target)
        self.options = storage_options
        #: The name of a new archive, which is written as a whole.
        self.archive: Any = target if writing and is_archive(target) else None
        #: Whether it takes the place of a folder when it is complete.
        self.is_beside = False
        self.prefix = ""
        self._closed_later: Any = None
        self._unopened: Any = None
        if writing:
            self.zarr = self._to_write(target)
        else:
            self.zarr = self._to_read(target)

    def close(self) -> None:
        """Close what was opened here."""
        if self._closed_later is not None:
            self._closed_later.close()
            self._closed_later = None

    # Opening

    def _to_read(self, target: PathOrUrl) -> Any:
        storage = _storage()
        if isinstance(target, dict):
            buffer = self._prototype().buffer
            target = {
                key: buffer.from_bytes(value) if isinstance(value, bytes) else value
                for key, value in target.items()
            }
        is_stream = hasattr(target, "read") and hasattr(target, "seek")
        found, self.prefix = (None, "") if is_stream else _store_of(target)
        if found is None:
            return self._opened(target)
        if isinstance(found, storage.ZipStore) and not found._is_open:
            # whatever its mode: opened to be written, it would be empty
            self._closed_later = found = storage.ZipStore(found.path, mode="r")
        elif not found.read_only:
            with suppress(NotImplementedError):
                found = found.with_read_only(True)
        if not isinstance(found, storage.LocalStore):  # that makes the folder that is missing
            wait_for(found._ensure_open)
        return found

    def _opened(self, target: PathOrUrl) -> Any:
        """Open a path or URL for reading."""
        storage = _storage()
        if hasattr(target, "seek"):
            opened, self.prefix = _archives().open_archive_object(target, self.name)
        elif _is_url(target):
            if not is_archive(target):
                return _open_url(target, self.options, read_only=True)
            opened, self.prefix = _archives().open_remote_archive(
                location_text(target), options_of(target, self.options)
            )
        else:
            path = _path_of(target)
            archive = next((one for one in (path, *path.parents) if _is_archive_file(one)), None)
            if archive is None and is_archive(path) and not path.exists():
                archive = path  # to say that it is missing
            if archive is None:
                return storage.LocalStore(path, read_only=True)
            inner = path.relative_to(archive).as_posix()
            opened, self.prefix = _archives().open_archive(archive, "" if inner == "." else inner)
        self._closed_later = opened
        return opened

    def _to_write(self, target: PathOrUrl) -> Any:
        storage = _storage()
        if self.archive is not None:
            return storage.MemoryStore()  # nothing is there, until it is begun
        found, self.prefix = _store_of(target)
        if found is None:
            if _is_url(target):
                return _open_url(target, self.options, read_only=False)
            return storage.LocalStore(_path_of(target))
        if found.read_only:
            raise ValueError(f"{self.name} can only be read; open it for writing")
        if isinstance(found, storage.ZipStore) and not found._is_open:
            self._unopened = found
            if found._zmode == "a" and found.path.exists():
                self._closed_later = seen = wait_for(storage.ZipStore.open, found.path, mode="r")
                return seen
            return storage.MemoryStore()  # opened, it would be empty
        return found

    @contextmanager
    def writable(self, version: str, *, overwrite: bool, clear: bool) -> Iterator[None]:
        """Make the store writable within a block, emptied first if `clear` is set.

        A new archive appears at the end of the block.
        """
        self.close()
        if self.archive is not None:
            with _archives().new_archive(
                self.archive, version, overwrite=overwrite, storage_options=self.options
            ) as self.zarr:
                yield
            return
        if self._unopened is not None:
            self.zarr = self._closed_later = self._unopened
            wait_for(self.zarr._ensure_open)
        if clear:
            self._clear()
        if not self.zarr.supports_deletes:
            self.zarr = _archives().WriteOnceStore(self.zarr)
        try:
            yield
        finally:
            self.close()
            if self._unopened is not None:
                self._unopened._zmode = "a"  # opened again, it would be emptied

    @contextmanager
    def beside(self, version: str) -> Iterator[ZarrStore]:
        """Yield a new store beside a folder, while the old one may still be read.

        It replaces the content of the folder if the block succeeds.
        """
        folder = self.folder
        if folder is None:
            raise ValueError(f"{self.name} is no folder")
        with tempfile.TemporaryDirectory(dir=folder.parent) as name:
            new = ZarrStore(Path(name, "new.ome.zarr"), writing=True)
            new.name, new.is_beside = self.name, True
            yield new
            with self.writable(version, overwrite=True, clear=True):
                for file in Path(name, "new.ome.zarr").iterdir():
                    file.rename(folder / file.name)

    def put_documents(self) -> None:
        """Write the documents that were held back because each key can be written only once."""
        put = getattr(self.zarr, "put_documents", None)
        if put is not None:
            wait_for(put, root_first=self.archive is not None)

    # Keys

    def at(self, path: str) -> str:
        """Return the path in the store of a group or array."""
        return f"{self.prefix}/{path}".strip("/")

    def read(self, key: str) -> bytes | None:
        """Return the value of a key, or None."""
        found = wait_for(self.zarr.get, self.at(key), self._prototype())
        return None if found is None else bytes(found.to_bytes())

    def write(self, key: str, data: bytes) -> None:
        """Set the value of a key."""
        buffer = self._prototype().buffer.from_bytes(data)
        wait_for(self.zarr.set, self.at(key), buffer)

    def delete(self, key: str) -> None:
        """Remove a key, if it exists."""
        wait_for(self.zarr.delete, self.at(key))

    def keys(self, path: str) -> list[str]:
        """Return all keys below a path, relative to it."""
        prefix = f"{self.at(path)}/".lstrip("/")
        return [key[len(prefix) :] for key in wait_for(_listed, self.zarr, prefix)]

    # Groups and arrays

    def open_group(self, path: str, mode: str | None = None, **options: Any) -> Any:
        """Open a group with zarr, in its own mode by default."""
        return self._open("open_group", path, mode, options)

    def open_array(self, path: str, mode: str | None = None) -> Any:
        """Open an array with zarr, in its own mode by default."""
        return self._open("open_array", path, mode, {})

    def _open(self, name: str, path: str, mode: str | None, options: Mapping[str, Any]) -> Any:
        function = getattr(require("zarr", extra=_EXTRA, doing="OME-Zarr"), name)
        more = {**options, "path": self.at(path), "mode": mode or self.mode}
        return aside(lambda: function(self.zarr, **more))

    def is_empty(self) -> bool:
        """Return whether there is nothing at all."""
        if self.folder is not None:
            return not self.folder.exists() or not any(self.folder.iterdir())
        return bool(wait_for(self.zarr.is_empty, self.prefix))

    def is_zarr(self) -> bool:
        """Return whether it looks like a group or an array of Zarr.

        An unfinished archive has only chunks.
        """
        names = ("zarr.json", ".zgroup", ".zarray", ".zattrs")
        if self.can_change:
            return any(self.read(name) is not None for name in names)
        last = [key.rpartition("/")[2] for key in wait_for(_listed, self.zarr, "")]
        return any(name in names or name.isdigit() for name in last)

    def _clear(self) -> None:
        """Remove everything; if interrupted, the store is marked as unfinished.

        The folder itself stays, with its permissions.
        """
        if self.folder is not None:
            self.write(JOURNAL, b'{"format": 1, "plan": {}, "done": []}')  # of nothing to resume
            for path in self.folder.iterdir():
                if path.name == JOURNAL:
                    continue
                if path.is_dir() and not path.is_symlink():
                    remove_folder(path)
                else:
                    path.unlink()
            self.delete(JOURNAL)
        elif self.can_change:
            wait_for(self.zarr.delete_dir, self.prefix)
        else:
            wait_for(self.zarr.clear)

    # What it is

    @property
    def can_change(self) -> bool:
        """Whether written values can be changed later, as they cannot in an archive."""
        store = self.zarr if self._unopened is None else self._unopened
        return self.archive is None and bool(store.supports_deletes)

    @property
    def is_shared(self) -> bool:
        """Whether other processes can work on it."""
        storage = _storage()
        store = self.zarr
        while isinstance(store, storage.WrapperStore):
            store = store._store
        protocol = getattr(getattr(store, "fs", None), "protocol", ())
        in_memory = isinstance(store, storage.MemoryStore) or "memory" in protocol
        return self.can_change and not in_memory

    @property
    def mode(self) -> str:
        """The mode in which zarr opens groups and arrays for reading."""
        return "r" if self.zarr.read_only else "r+"

    @property
    def folder(self) -> Path | None:
        """Its folder among the local files; None elsewhere."""
        root = getattr(self.zarr, "root", None)
        return root / self.prefix if isinstance(root, Path) else None

    def stored_bytes(self, enough: int) -> int | None:
        """Return the bytes of its files, or at least `enough`; None if they are not local."""
        archive = getattr(self.zarr, "path", None)
        if isinstance(archive, Path) and archive.is_file():
            return archive.stat().st_size
        if self.folder is None:
            return None
        size = 0
        for folder, _, names in os.walk(self.folder):
            for name in names:
                if size >= enough:
                    return size
                size += Path(folder, name).stat().st_size
        return size

    @property
    def is_plain_folder(self) -> bool:
        """Whether the store is a folder, without another layer of zarr."""
        return type(self.zarr) is _storage().LocalStore

    @staticmethod
    def _prototype() -> Any:
        buffers = require("zarr.core.buffer", extra=_EXTRA, doing="OME-Zarr")
        return buffers.default_buffer_prototype()


def wait_for(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Return the result of an asynchronous function of zarr."""
    sync = require("zarr.core.sync", extra=_EXTRA, doing="OME-Zarr").sync
    return aside(lambda: sync(function(*args, **kwargs)))


def _storage() -> Any:
    return require("zarr.storage", extra=_EXTRA, doing="OME-Zarr")


def _archives() -> Any:
    return require("czictypes.exchange.ome_zarr.zip_store", extra=_EXTRA, doing="ZIP")


async def _listed(store: Any, prefix: str) -> list[str]:
    return [key async for key in store.list_prefix(prefix)]


def _store_of(target: PathOrUrl) -> tuple[Any, str]:
    """Return the store and the group in it that a caller gave; None for a path or URL."""
    storage = _storage()
    abc = require("zarr.abc.store", extra=_EXTRA, doing="OME-Zarr")
    if isinstance(target, abc.Store):
        return target, ""
    if isinstance(target, storage.StorePath):
        return target.store, target.path
    if isinstance(target, dict):
        return storage.MemoryStore(target), ""
    if isinstance(target, MutableMapping) and hasattr(target, "fs"):  # a map of fsspec
        return storage.FsspecStore.from_mapper(target), ""
    if isinstance(target, (str, os.PathLike)) or hasattr(target, "storage_options"):
        return None, ""
    raise TypeError(
        f"{location_name(target)} is not a path, URL, store of zarr, or dict of its buffers"
    )


def _is_url(target: PathOrUrl) -> bool:
    if isinstance(target, str):
        return is_url(target)
    is_upath = getattr(target, "storage_options", None) is not None
    return is_upath and getattr(target, "protocol", "") not in ("", "file")


def _open_url(target: PathOrUrl, options: Mapping[str, Any] | None, *, read_only: bool) -> Any:
    url, given = location_text(target), options_of(target, options)
    if url.startswith(("http://", "https://")) and "?" in url:  # its query is for each key
        url, _, query = url.partition("?")
        given = {"params": dict(parse_qsl(query)), **given}
    return said_plainly(
        lambda: _storage().FsspecStore.from_url(url, storage_options=given, read_only=read_only),
        Redactor(url, given),
    )


def _path_of(target: PathOrUrl) -> Path:
    return Path(absolute_path(os.fspath(target)))


def _is_archive_file(path: Path) -> bool:
    return is_archive(path) and path.is_file()
