"""OME-Zarr in ZIP archives, `.ozx` (RFC-9 of OME-Zarr) and `.zip`: stores written only once."""

from __future__ import annotations

import json
import zipfile
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

from zarr.abc.store import ByteRequest, Store
from zarr.core.buffer import Buffer, BufferPrototype
from zarr.storage import FsspecStore, MemoryStore, WrapperStore, ZipStore

from czictypes.exchange.locations import staged_output
from czictypes.exchange.ome_zarr.store import JOURNAL, wait_for
from czictypes.model.errors import UnsupportedDataError
from czictypes.remote.open import said_plainly
from czictypes.remote.urls import Redactor
from czictypes.writing.atomic import AtomicFile

_DOCUMENTS = ("zarr.json", ".zgroup", ".zarray", ".zattrs")
_MADE_BY_FINDERS = "__MACOSX"
#: The largest unpacked file in bytes, unless it was packed to no less than a 100th.
_MOST_OF_PACKED, _MOST_TIMES = 64 << 20, 100


class WriteOnceStore(WrapperStore[Store]):  # type: ignore[misc, unused-ignore]
    """Makes a store writable in which nothing can be changed or deleted.

    Chunks pass through, because each is written once. Documents, which are written repeatedly, stay
    in memory until `put_documents`, so nothing looks like an image before.
    """

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self._documents = MemoryStore()

    async def put_documents(self, *, root_first: bool) -> None:
        """Write the documents, outer groups first, but for the mark of an unfinished store.

        Without `root_first`, those of the root come last, when everything that they describe
        exists.
        """
        listed = [key async for key in self._documents.list() if key.rpartition("/")[2] != JOURNAL]
        kept = self._documents._store_dict
        for key in sorted(
            listed, key=lambda key: ("/" not in key and not root_first, *_order(key))
        ):
            await self._store.set(key, kept.pop(key))

    async def get(
        self, key: str, prototype: BufferPrototype, byte_range: ByteRequest | None = None
    ) -> Buffer | None:
        """Return what is stored under a key."""
        found = await self._documents.get(key, prototype, byte_range)
        return await self._store.get(key, prototype, byte_range) if found is None else found

    async def exists(self, key: str) -> bool:
        """Tell whether there is such a key."""
        found: bool = await self._documents.exists(key) or await self._store.exists(key)
        return found

    async def set(self, key: str, value: Buffer) -> None:
        """Store a chunk, or keep a document."""
        await (self._documents if _is_document(key) else self._store).set(key, value)

    async def set_if_not_exists(self, key: str, value: Buffer) -> None:
        """Store what is not there yet."""
        if not await self.exists(key):
            await self.set(key, value)

    async def delete(self, key: str) -> None:
        """Forget a document; a chunk that is there stays."""
        if _is_document(key):
            await self._documents.delete(key)

    async def list(self) -> AsyncIterator[str]:
        """Give every key."""
        for store in (self._documents, self._store):
            async for key in store.list():
                yield key

    async def list_prefix(self, prefix: str) -> AsyncIterator[str]:
        """Give every key that begins so."""
        async for key in self.list():
            if key.startswith(prefix):
                yield key


def _is_document(key: str) -> bool:
    """Return whether a key is not that of a chunk, whose name is numbers, perhaps after a c."""
    return not key.rpartition("/")[2].replace(".", "").isdigit()


def _order(key: str) -> tuple[bool, int, str]:
    """Return the sort key of RFC-9: documents of Zarr first, outer groups before inner ones."""
    path = PurePosixPath(key)
    return path.name not in _DOCUMENTS, len(path.parts), key


def open_archive(path: Path, inner: str = "") -> tuple[Store, str]:
    """Open an archive for reading; return its store and the path of the OME-Zarr in it.

    Without an `inner` path, it may be in the only folder, because programs pack the folder itself.
    """
    _check_archive(path, str(path))
    store = wait_for(ZipStore.open, path, mode="r")
    return store, inner or wait_for(_only_folder, store)


def _check_archive(file: Path | BinaryIO, path: str) -> None:
    """Refuse other files, and archives with a file that expands far beyond its packed size.

    Each file is read as a whole.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            listed = archive.infolist()
    except zipfile.BadZipFile as error:
        raise UnsupportedDataError(f"{path} is not a readable ZIP archive: {error}") from None
    for one in listed:
        if one.file_size > max(_MOST_OF_PACKED, _MOST_TIMES * one.compress_size):
            raise UnsupportedDataError(
                f"{path} has a file {one.filename} of {one.file_size} bytes in "
                f"{one.compress_size}; so much is not unpacked"
            )


def open_archive_object(stream: BinaryIO, name: str) -> tuple[Store, str]:
    """Open an archive in a file object, which stays open, as `open_archive` does."""
    _check_archive(stream, name)
    store = FsspecStore.from_url("zip://", storage_options={"fo": stream}, read_only=True)
    return store, wait_for(_only_folder, store)


def open_remote_archive(url: str, options: Mapping[str, Any]) -> tuple[Store, str]:
    """Open an archive at a URL for reading, as `open_archive` does."""
    protocol = url.partition("://")[0]
    given = {protocol: dict(options)}
    store = said_plainly(
        lambda: FsspecStore.from_url(f"zip://::{url}", storage_options=given, read_only=True),
        Redactor(url, options),
    )
    return store, wait_for(_only_folder, store)


async def _only_folder(store: Store) -> str:
    """Return the folder that everything is in; empty where the root is an OME-Zarr itself."""
    names = {name.strip("/") async for name in store.list_dir("")} - {_MADE_BY_FINDERS}
    return names.pop() if len(names) == 1 and not names & set(_DOCUMENTS) else ""


@contextmanager
def new_archive(
    dest: Any, version: str, *, overwrite: bool, storage_options: Mapping[str, Any] | None
) -> Iterator[WriteOnceStore]:
    """Yield a store that becomes an archive if the block succeeds.

    Following RFC-9, its central directory is sorted, and its comment says so.
    """
    with staged_output(dest, overwrite=overwrite, storage_options=storage_options) as path:
        file = AtomicFile(path, overwrite=overwrite)
        try:
            store = wait_for(ZipStore.open, file.temporary, mode="w")
            try:
                yield WriteOnceStore(store)
            finally:
                store.close()
            _finish(file.temporary, version)
            file.commit()
        except BaseException:
            file.abort()
            raise


def _finish(path: Path, version: str) -> None:
    if version == "0.4":  # RFC-9 is of later ones
        return
    content = {"version": version, "zipFile": {"centralDirectory": {"jsonFirst": True}}}
    with zipfile.ZipFile(path, "a") as file:
        file.infolist().sort(key=lambda one: _order(one.filename))
        file.comment = json.dumps({"ome": content}).encode()
