"""The OME-Zarr of a CZI as a zarr store, whose chunks are read on demand."""

from __future__ import annotations

import asyncio
import itertools
import json
import math
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from zarr.abc.store import (
    ByteRequest,
    OffsetByteRequest,
    RangeByteRequest,
    Store,
    SuffixByteRequest,
)
from zarr.core.buffer import Buffer, BufferPrototype
from zarr.core.buffer.core import default_buffer_prototype

from czictypes.arrays.image import CziImage
from czictypes.exchange.ome_zarr.group_attributes import image_attributes, lay_out, omero
from czictypes.exchange.ome_zarr.image_plan import (
    AXES,
    Chunking,
    ChunkSizes,
    FiveAxes,
    ImagePlan,
    LevelPlan,
    make_chunking,
    plan_image,
)
from czictypes.reading.reader import open_document_of

_Document = dict[str, Any]

#: The version of OME-Zarr; its format is Zarr 3.
_VERSION = "0.5"


class CziStore(Store):  # type: ignore[misc, unused-ignore]
    """A read-only zarr store (Zarr 3, OME-Zarr 0.5) over a CZI.

    `aszarr` makes it; the options are those of `CziImage`.
    """

    supports_writes = False
    supports_deletes = False
    supports_partial_writes = False
    supports_listing = True

    def __init__(
        self,
        source: Any,
        scene: int | str | None = None,
        chunks: ChunkSizes = None,
        plate: bool | None = None,
        *,
        read_only: bool = True,
        **options: Any,
    ) -> None:
        super().__init__(read_only=True)
        if not read_only:
            self._check_writable()
        self._arguments, self._options = (source, scene, chunks, plate), options
        self._image = CziImage(source, empty_alpha="drop", **options)
        try:
            scenes = _scenes(self._image, scene)
            if scene is not None and plate is None:
                plate = False
            plans, groups = _plan_images(self._image, scenes, chunks, plate)
            documents = _group_documents(self._image, plans, groups)
            self._levels = dict(level for plan in plans for level in self._levels_of(plan))
            documents.update({path: level.document for path, level in self._levels.items()})
            self._documents = _encoded(documents)
        except BaseException:
            self._image.close()
            raise

    def _levels_of(self, plan: ImagePlan) -> Iterator[tuple[str, _Level]]:
        image = CziImage(self._image.reader, plan.scene, empty_alpha="drop")
        for level in plan.levels:
            path = f"{plan.path}/{level.path}".lstrip("/")
            yield path, _Level(FiveAxes(image, plan, level.stored or 0), level)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the arguments."""
        return partial(type(self), **self._options), self._arguments

    def __copy__(self) -> CziStore:
        """Return the store itself: it never changes, and a copy would open the file again."""
        return self

    def __deepcopy__(self, memo: object) -> CziStore:
        """Return the store itself."""
        return self

    def __dask_tokenize__(self) -> tuple[Any, ...]:
        """Return what dask hashes: the arguments and the state of the file."""
        with open_document_of(self._image.reader) as document:
            state = document.source.opened_identity() or id(self)
        return type(self).__name__, state, repr(self._opened)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, CziStore) and self._opened == other._opened

    def __hash__(self) -> int:
        return hash(repr(self._opened))

    @property
    def _opened(self) -> tuple[Any, ...]:
        return self._arguments, self._options

    def __repr__(self) -> str:
        return f"<CziStore of {self._image.reader!r}>"

    __str__ = __repr__

    def with_read_only(self, read_only: bool = False) -> CziStore:
        """Return the store itself; NotImplementedError for one that can be written."""
        if not read_only:
            super().with_read_only(read_only)
        return self

    def close(self) -> None:
        """Close the file, unless the caller opened it."""
        self._image.close()
        super().close()

    @property
    def mapping(self) -> Mapping[str, bytes]:
        """The store as a mapping from keys to bytes, as ngff-zarr and fsspec take it."""
        return _Mapping(self)

    # Reading

    def read(self, key: str, byte_range: ByteRequest | None = None) -> bytes | None:
        """Return the bytes of a key, or a part of them; None where there is no such key."""
        document = self._documents.get(key)
        if document is not None:
            first, end = _span(byte_range, len(document))
            return document[first:end]
        found = self._chunk(key)
        if found is None:
            return None
        level, index = found
        return level.read(index, *_span(byte_range, level.nbytes))

    def size_of(self, key: str) -> int | None:
        """Return how many bytes a key has, or None; no pixel is read."""
        document = self._documents.get(key)
        if document is not None:
            return len(document)
        found = self._chunk(key)
        return None if found is None else found[0].nbytes

    def _chunk(self, key: str) -> tuple[_Level, tuple[int, ...]] | None:
        path, separator, rest = key.rpartition("/c/")
        level = self._levels.get(path) if separator else None
        index = None if level is None else level.index(rest)
        return None if level is None or index is None else (level, index)

    async def get(
        self,
        key: str,
        prototype: BufferPrototype | None = None,
        byte_range: ByteRequest | None = None,
    ) -> Buffer | None:
        """Return the value of a key; chunks are read in a thread of their own."""
        return await asyncio.to_thread(
            self.get_sync, key, prototype=prototype, byte_range=byte_range
        )

    def get_sync(
        self,
        key: str,
        *,
        prototype: BufferPrototype | None = None,
        byte_range: ByteRequest | None = None,
    ) -> Buffer | None:
        """Return the value of a key, read in the caller's thread."""
        data = self.read(key, byte_range)
        wanted = default_buffer_prototype() if prototype is None else prototype
        return None if data is None else wanted.buffer.from_bytes(data)

    async def get_partial_values(
        self,
        prototype: BufferPrototype,
        key_ranges: Iterable[tuple[str, ByteRequest | None]],
    ) -> list[Buffer | None]:
        """Return several values, or parts of them."""
        asked = [self.get(key, prototype, byte_range) for key, byte_range in key_ranges]
        return list(await asyncio.gather(*asked))

    async def exists(self, key: str) -> bool:
        """Return whether there is such a key."""
        return self.size_of(key) is not None

    async def getsize(self, key: str) -> int:
        """Return how many bytes a key has."""
        size = self.size_of(key)
        if size is None:
            raise FileNotFoundError(key)
        return size

    # Listing

    def keys(self) -> Iterator[str]:
        """Yield every key: the documents, then the chunks of each array."""
        yield from self._documents
        for path, level in self._levels.items():
            for key in level.chunk_keys():
                yield f"{path}/{key}"

    async def list(self) -> AsyncIterator[str]:
        """Yield every key."""
        for key in self.keys():
            yield key

    async def list_prefix(self, prefix: str) -> AsyncIterator[str]:
        """Yield every key with a prefix."""
        for key in self.keys():
            if key.startswith(prefix):
                yield key

    async def list_dir(self, prefix: str) -> AsyncIterator[str]:
        """Yield the names directly below a prefix; ``c`` stands for all chunks of an array."""
        start = f"{prefix.strip('/')}/".lstrip("/")
        keys = self.keys() if "/c/" in f"/{start}" else iter(self._documents)
        names = {key[len(start) :].split("/")[0] for key in keys if key.startswith(start)}
        if start.rstrip("/") in self._levels:
            names.add("c")
        for name in sorted(names):
            yield name

    # Nothing is written

    async def set(self, key: str, value: Buffer) -> None:
        """Raise ValueError: the store can only be read."""
        self._check_writable()

    async def set_partial_values(self, key_start_values: Any) -> None:
        """Raise ValueError: the store can only be read; zarr 3.0 wants a store to have this."""
        self._check_writable()

    async def delete(self, key: str) -> None:
        """Raise ValueError: the store can only be read."""
        self._check_writable()


class _Mapping(Mapping[str, bytes]):
    """The keys and values of a store; values are read on demand."""

    def __init__(self, store: CziStore) -> None:
        self._store = store

    def __getitem__(self, key: str) -> bytes:
        data = self._store.read(key)
        if data is None:
            raise KeyError(key)
        return data

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and self._store.size_of(key) is not None

    def __iter__(self) -> Iterator[str]:
        return self._store.keys()

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __repr__(self) -> str:
        return f"<ZarrMapping of {self._store!r}>"


class _Level:
    """An array, one resolution level of an image; its chunks are read on demand."""

    def __init__(self, pixels: FiveAxes, plan: LevelPlan) -> None:
        self._pixels = pixels
        self.shape = plan.shape
        self.chunk = plan.chunking.chunk
        self.dtype: np.dtype[Any] = pixels.dtype.newbyteorder("<")
        self._counts = [-(-size // step) for size, step in zip(self.shape, self.chunk)]
        #: The size of every chunk in bytes.
        self.nbytes = math.prod(self.chunk) * self.dtype.itemsize

    @property
    def document(self) -> _Document:
        """The document of the array; its chunks are not compressed."""
        return {
            "zarr_format": 3,
            "node_type": "array",
            "shape": list(self.shape),
            "data_type": self.dtype.name,
            "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": list(self.chunk)}},
            "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
            "fill_value": 0 if self.dtype.kind in "ui" else 0.0,
            "codecs": [{"name": "bytes", "configuration": {"endian": "little"}}],
            "attributes": {},
            "dimension_names": list(AXES),
        }

    def index(self, key: str) -> tuple[int, ...] | None:
        """Return the index of a chunk in the grid from the end of its key, ``0/1/0/3/2``."""
        numbers = key.split("/")
        # Only the one way of writing a number is a key: no sign, no zero before it.
        if not all(one.isascii() and one.isdigit() and str(int(one)) == one for one in numbers):
            return None
        index = tuple(int(one) for one in numbers)
        is_inside = all(one < count for one, count in zip(index, self._counts))
        return index if len(index) == len(self._counts) and is_inside else None

    def chunk_keys(self) -> Iterator[str]:
        """Yield the key of every chunk."""
        for index in itertools.product(*map(range, self._counts)):
            yield "/".join(["c", *map(str, index)])

    def read(self, index: tuple[int, ...], first: int, end: int) -> bytes:
        """Return the bytes of a chunk from `first` to `end`, which is excluded.

        Only the rows of the chunk that these touch are read from the file.
        """
        row = self.chunk[-1] * self.dtype.itemsize
        rows = (0, self.chunk[-2])
        if math.prod(self.chunk[:-2]) == 1:
            rows = first // row, -(-end // row)
        start = first - rows[0] * row
        return self._filled(index, rows).tobytes()[start : start + end - first]

    def _filled(self, index: tuple[int, ...], rows: tuple[int, int]) -> NDArray[Any]:
        """Return some rows of a chunk in its full size, 0 beyond the edge of the array."""
        starts = [one * step for one, step in zip(index, self.chunk)]
        ends = [start + step for start, step in zip(starts, self.chunk)]
        starts[-2], ends[-2] = starts[-2] + rows[0], starts[-2] + rows[1]
        region = [
            (min(start, size), min(end, size)) for start, end, size in zip(starts, ends, self.shape)
        ]
        pixels = np.zeros([end - start for start, end in zip(starts, ends)], self.dtype)
        if all(end > start for start, end in region):
            pixels[tuple(slice(end - start) for start, end in region)] = self._pixels.read(region)
        return pixels


def _plan_images(
    image: CziImage, scenes: Sequence[int] | None, chunks: ChunkSizes, plate: bool | None
) -> tuple[list[ImagePlan], Mapping[str, Mapping[str, Any]]]:
    """Return the images of a store with the levels that the file has, and its other groups.

    The scenes are indices, or None for all scenes stitched.
    """
    layout = lay_out(image, scenes, _VERSION, plate=plate)
    plans = []
    for place in layout.places:
        image.set_scene(place.scene)
        chunking = _chunking(image, chunks)
        plans.append(plan_image(image, place.path, place.plane, chunking, len(image.levels)))
    return plans, layout.groups


def _group_documents(
    image: CziImage, plans: Sequence[ImagePlan], groups: Mapping[str, Mapping[str, Any]]
) -> dict[str, _Document]:
    """Return the document of every group by its path."""
    attributes: dict[str, Mapping[str, Any]] = {"": {}, **groups}
    for plan in plans:
        image.set_scene(plan.scene)
        attributes[plan.path] = image_attributes(plan, omero(image, _VERSION), _VERSION)
    return {
        path: {"zarr_format": 3, "node_type": "group", "attributes": one}
        for path, one in attributes.items()
    }


def _encoded(documents: Mapping[str, _Document]) -> dict[str, bytes]:
    """Return the documents as JSON by their keys in the store.

    That of the root has all others in it ("consolidated metadata", as zarr-python writes them),
    so that a reader need not ask for each. They are sorted: zarr-python does not find those of a
    group if others stand between them.
    """
    inner = {path: _with(one, {}) for path, one in sorted(documents.items()) if path}
    return {
        f"{path}/zarr.json".lstrip("/"): json.dumps(one if path else _with(one, inner)).encode()
        for path, one in documents.items()
    }


def _with(document: _Document, inner: Mapping[str, _Document]) -> _Document:
    """Return the document of a group with the documents of its members."""
    if document["node_type"] != "group":
        return document
    consolidated = {"kind": "inline", "must_understand": False, "metadata": inner}
    return {**document, "consolidated_metadata": consolidated}


def _chunking(image: CziImage, chunks: ChunkSizes) -> Chunking:
    if chunks is None:
        native = image.native_chunks()
        # The samples of a colour pixel are decoded together, so they share a chunk.
        chunks = {"y": native["Y"], "x": native["X"], "c": image.sizes.get("S", 1)}
    return make_chunking(chunks, None, _VERSION)


def _scenes(image: CziImage, scene: int | str | None) -> list[int] | None:
    """Return the indices of the scenes that are wanted; None for all in one plane."""
    if scene is None:
        return list(range(len(image.scenes)))
    image.set_scene(scene)
    index = image.current_scene_index
    return None if index is None else [index]


def _span(byte_range: ByteRequest | None, size: int) -> tuple[int, int]:
    """Return the first byte of a request and its end, both within the value."""
    if isinstance(byte_range, RangeByteRequest):
        return min(byte_range.start, size), min(byte_range.end, size)
    if isinstance(byte_range, OffsetByteRequest):
        return min(byte_range.offset, size), size
    if isinstance(byte_range, SuffixByteRequest):
        return max(size - byte_range.suffix, 0), size
    if byte_range is not None:
        raise TypeError(
            f"Unexpected byte_range, got {byte_range!r}; it is a RangeByteRequest, an "
            "OffsetByteRequest or a SuffixByteRequest of zarr.abc.store"
        )
    return 0, size
