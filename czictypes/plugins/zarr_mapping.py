"""A zarr store as a mapping from keys to bytes, for what reads zarr without the zarr package."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from czictypes.plugins.zarr_store import CziStore

__all__ = ["ZarrMapping"]


class ZarrMapping(Mapping[str, bytes]):
    """The keys and values of a store; each value is made when it is asked for."""

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
