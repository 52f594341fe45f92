"""Stores of every kind for ngff-zarr, which itself knows folders and bytes by their keys."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

import dask.array
import ngff_zarr

from czictypes.exchange.locations import PathOrUrl
from czictypes.exchange.ome_zarr.journal import check_version
from czictypes.exchange.ome_zarr.parse import image_path, is_plate
from czictypes.exchange.ome_zarr.store import ZarrStore

#: The codecs that ngff-zarr decodes in a mapping.
_KNOWN_CODECS = {"bytes", "gzip", "zstd", "blosc"}


class Documents(Mapping[str, bytes]):
    """A group of an open store as a mapping of bytes.

    ngff-zarr reads its metadata; zarr reads the pixels.
    """

    def __init__(self, store: ZarrStore, path: str = "") -> None:
        self.store, self.path = store, path

    def __getitem__(self, key: str) -> bytes:
        found = self.store.read(self._at(key))
        if found is None:
            raise KeyError(key)
        return _plain(found) if key.rpartition("/")[2] == "zarr.json" else found

    def __iter__(self) -> Iterator[str]:
        return iter(self.store.keys(self.path))

    def __len__(self) -> int:
        return len(self.store.keys(self.path))

    def __str__(self) -> str:
        return self.store.name

    def at(self, path: str) -> Documents:
        """Return a group of the store."""
        return Documents(self.store, self._at(path))

    def pixels(self, path: str) -> Any:
        """Return an array of zarr, lazily."""
        found: Any = self.store.open_array(self._at(path))
        from_array: Any = dask.array.from_array
        # without a name, dask would open some stores again to find one
        return from_array(found, chunks=found.shards or found.chunks, name=False)

    def _at(self, path: str) -> str:
        return f"{self.path}/{path}".strip("/")


def _plain(document: bytes) -> bytes:
    """Return the document of an array without codecs such as shards, which ngff-zarr lacks."""
    content = json.loads(document)
    codecs = {one.get("name") for one in content.get("codecs", ())}
    if content.get("node_type") != "array" or codecs <= _KNOWN_CODECS:
        return document
    return json.dumps({**content, "codecs": [{"name": "bytes"}]}).encode()


def readable(target: PathOrUrl, options: Mapping[str, Any] | None) -> Any:
    """Return the path of a folder, or a mapping of any other store, for ngff-zarr."""
    if isinstance(target, Mapping) and not isinstance(target, dict) and not hasattr(target, "fs"):
        return target  # bytes by their keys, as `Documents` are
    store = ZarrStore(target, options, doing="reading OME-Zarr")
    return Documents(store) if store.folder is None else str(store.folder)


def read_multiscales(source: str | Documents, **options: Any) -> Any:
    """Return multiscales from ngff-zarr; outside of folders, zarr reads their pixels."""
    found: Any = ngff_zarr.from_ngff_zarr(cast(Any, source), **options)
    if isinstance(source, Documents) and isinstance(found, ngff_zarr.NgffMultiscales):
        group = source.at(image_path(source.store, source.path))
        datasets: Any = found.metadata.datasets
        for image, dataset in zip(found.images, datasets):
            image.data = group.pixels(dataset.path)
    return found


def as_version_05(source: Documents) -> dict[str, Any]:
    """Return the multiscales of an image of any version in the form of 0.5."""
    found: Any = ngff_zarr.from_ngff_zarr(cast(Any, source))
    return asdict(found.metadata.to_version("0.5"))


def check_metadata(
    target: PathOrUrl, options: Mapping[str, Any] | None, paths: Iterable[str]
) -> None:
    """Let ngff-zarr validate the images at some paths, and their plate."""
    with ZarrStore(target, options, doing="reading OME-Zarr") as store:
        documents = Documents(store)
        for path in paths:
            ngff_zarr.from_ngff_zarr(cast(Any, documents.at(path)), validate=True)
        if is_plate(store):
            plate = ngff_zarr.from_hcs_zarr(documents, validate=True)
            for well in plate.wells:
                plate.get_well(*well.path.split("/"))


@contextmanager
def new_folder(
    target: PathOrUrl, options: Mapping[str, Any] | None, **arguments: Any
) -> Iterator[Path]:
    """Yield the folder that ngff-zarr writes, given its arguments.

    For other stores it is a temporary one, whose files are copied there.
    """
    store = ZarrStore(target, options, doing="writing OME-Zarr", writing=True)
    own = store.folder
    overwrite, version = arguments.get("overwrite", True), arguments.get("version") or "0.5"
    if own is not None and (not overwrite or store.is_empty()):
        yield own
        return
    check_version(store, version)
    if own is not None and not store.is_zarr():
        raise ValueError(f"{store.name} is no Zarr store, so it is not overwritten")
    if own is not None:
        with store.beside(version) as new:
            yield Path(new.zarr.root)
        return
    with tempfile.TemporaryDirectory() as name, store:
        folder = Path(name, "new.ome.zarr")
        yield folder
        clear = overwrite and not store.is_empty()
        with store.writable(version, overwrite=overwrite, clear=clear):
            for file in sorted(folder.rglob("*")):
                if file.is_file():
                    store.write(file.relative_to(folder).as_posix(), file.read_bytes())
                    file.unlink()
            store.put_documents()


def read_plate(source: str | Documents, **options: Any) -> Any:
    """Return a plate from ngff-zarr, whose wells read images from any store."""
    found = ngff_zarr.from_hcs_zarr(source, **options)
    return (
        StoredPlate(source, found.metadata, **options) if isinstance(source, Documents) else found
    )


class StoredPlate(ngff_zarr.HCSPlate):  # type: ignore[misc, unused-ignore]
    """A plate in any store; ngff-zarr's own class reads folders and archives only."""

    def __init__(self, store: Documents, metadata: Any, **options: Any) -> None:
        super().__init__(store, metadata, **options)
        self._known: dict[str, StoredWell] = {}

    def get_well(self, row_name: str, column_name: str) -> Any:
        """Return a well by the names of its row and column; None if there is none."""
        path = f"{row_name}/{column_name}"
        if path not in self._known:
            well = super().get_well(row_name, column_name)
            if well is None:
                return None
            self._known[path] = StoredWell(self.store, path, well.plate_metadata, well.metadata)
        return self._known[path]


class StoredWell(ngff_zarr.HCSWell):  # type: ignore[misc, unused-ignore]
    """A well of a plate in any store."""

    def get_image(self, field_index: int = 0) -> Any:
        """Return a field as multiscales; None if there is none."""
        if not 0 <= field_index < len(self.images):
            return None
        return read_multiscales(self.store.at(f"{self.path}/{self.images[field_index].path}"))
