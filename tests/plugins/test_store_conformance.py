"""zarr's own tests of stores, on the store that `aszarr` gives."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Iterator
from functools import wraps
from pathlib import Path
from typing import Any, ClassVar

import pytest
from extras import needs
from files.recipes import Made

from czictypes import aszarr

testing = needs("zarr.testing.store", "ome-zarr")
cpu = needs("zarr.core.buffer.cpu", "ome-zarr")
store_class = needs("czictypes.plugins.zarr_store", "ome-zarr").CziStore


class FilledStore(store_class):  # type: ignore[misc, valid-type]
    """The store with what the tests put into it, in place of what the CZI gives.

    Everything but that is the store's own: reading, ranges, sizes, listing.
    """

    supports_writes = supports_deletes = True
    opened: ClassVar[list[FilledStore]] = []

    def __init__(self, source: Any, *, read_only: bool = False) -> None:
        super().__init__(source)
        self._arguments = (source,)
        self._read_only = read_only
        self._documents.clear()
        self._levels.clear()
        self.opened.append(self)

    def keys(self) -> Iterator[str]:
        return iter(list(super().keys()))  # some go while others are listed

    async def set(self, key: str, value: Any) -> None:
        await super().set(key, value)
        self.set_sync(key, value)

    async def delete(self, key: str) -> None:
        await super().delete(key)
        self.delete_sync(key)

    def set_sync(self, key: str, value: Any) -> None:
        self._documents[key] = value.to_bytes()

    def delete_sync(self, key: str) -> None:
        self._documents.pop(key, None)


def in_a_loop(test: Callable[..., Any]) -> Callable[..., None]:
    """Make a test of a coroutine."""

    @wraps(test)
    def run(*args: Any, **kwargs: Any) -> None:
        asyncio.run(test(*args, **kwargs))

    return run


class TestConformance(testing.StoreTests):  # type: ignore[misc, name-defined]
    store_cls = FilledStore
    buffer_cls = cpu.Buffer

    for _name, _test in inspect.getmembers(testing.StoreTests, inspect.iscoroutinefunction):
        if _name.startswith("test_"):
            locals()[_name] = in_a_loop(_test)

    @pytest.fixture
    def store_kwargs(self, made: Callable[[str], Made]) -> Iterator[dict[str, Any]]:
        yield {"source": made("single").path}
        while FilledStore.opened:
            FilledStore.opened.pop().close()

    @pytest.fixture
    def store_not_open(self, store_kwargs: dict[str, Any]) -> Any:
        return self.store_cls(**store_kwargs)

    @pytest.fixture
    def store(self, store_not_open: Any) -> Any:
        asyncio.run(store_not_open._open())
        return store_not_open

    async def set(self, store: Any, key: str, value: Any) -> None:
        store._documents[key] = value.to_bytes()

    async def get(self, store: Any, key: str) -> Any:
        return self.buffer_cls.from_bytes(store._documents[key])

    def test_store_repr(self, store: Any) -> None:
        assert repr(store).startswith("<CziStore of ")

    def test_store_supports_writes(self, store: Any) -> None:
        assert not store_class.supports_writes
        assert not store_class.supports_deletes

    def test_store_supports_listing(self, store: Any) -> None:
        assert store.supports_listing


class TestReadOnly:
    """The store as it is, not filled: opened as zarr opens stores, and never written."""

    @pytest.fixture
    def source(self, made: Callable[[str], Made]) -> Path:
        return made("multi_scene_pyramid").path

    def test_it_is_opened_for_reading(self, source: Path) -> None:
        with asyncio.run(store_class.open(source, read_only=True)) as store:
            assert store._is_open
            assert store.read_only
            with pytest.raises(ValueError, match="already open"):
                asyncio.run(store._open())
        assert not store._is_open

    def test_it_is_not_opened_for_writing(self, source: Path) -> None:
        with pytest.raises(ValueError, match="read-only mode"):
            asyncio.run(store_class.open(source, read_only=False))

    def test_there_is_none_of_it_that_can_be_written(self, source: Path) -> None:
        with aszarr(source) as store:
            assert store.with_read_only(True) is store
            with pytest.raises(NotImplementedError, match="with_read_only is not implemented for"):
                store.with_read_only(False)

    @pytest.mark.parametrize("key", ["zarr.json", "0/0/c/0/0/0/0/0", "nothing"])
    @pytest.mark.parametrize("byte_range", [(0, 2), slice(0, 2), 2])
    def test_a_range_is_one_of_those_of_zarr(self, source: Path, key: str, byte_range: Any) -> None:
        with aszarr(source) as store:
            if key == "nothing":
                assert store.get_sync(key, byte_range=byte_range) is None
                return
            with pytest.raises(TypeError, match="Unexpected byte_range, got"):
                store.get_sync(key, byte_range=byte_range)
