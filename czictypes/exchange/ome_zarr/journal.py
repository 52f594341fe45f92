"""The state of a store: empty, complete, or unfinished with a journal of what is done."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from czictypes.exchange.locations import check_dest
from czictypes.exchange.ome_zarr.store import JOURNAL, ZarrStore
from czictypes.model.errors import NotFolderError

_FORMAT = 1
_SECONDS = 2.0


class Journal:
    """The list of finished tasks, kept by one process; others only do tasks.

    A finished task that was not recorded is done again, which is harmless: tasks write whole
    objects with always the same content. `counts` are the numbers of tasks in each sweep, `plan` is
    the plan as JSON, and `done` comes from `_read_journal`.
    """

    def __init__(
        self,
        store: ZarrStore,
        plan: Mapping[str, Any],
        counts: Sequence[int],
        done: Sequence[bytes] | None = None,
    ) -> None:
        self._store, self._plan = store, dict(plan)
        self._done = [np.zeros(count, np.bool_) for count in counts]
        for flags, packed in zip(self._done, done or ()):
            bits = np.unpackbits(np.frombuffer(packed, np.uint8))[: len(flags)]
            flags[: len(bits)] = bits
        self._written = -np.inf

    def open_tasks(self, number: int) -> list[int]:
        """Return the tasks of a sweep that are still to be done."""
        return [int(task) for task in np.flatnonzero(~self._done[number])]

    @property
    def count_done(self) -> int:
        """How many tasks are done."""
        return sum(int(flags.sum()) for flags in self._done)

    @property
    def is_kept(self) -> bool:
        """Whether the store has a journal, perhaps an older one."""
        return bool(self._written > -np.inf)

    def mark(self, number: int, task: int) -> None:
        """Record a task as done; the journal is written every few seconds."""
        self._done[number][task] = True
        if time.monotonic() - self._written > _SECONDS:
            self.write()

    def write(self) -> None:
        """Write the journal."""
        packed = [base64.b64encode(np.packbits(flags).tobytes()).decode() for flags in self._done]
        content = {"format": _FORMAT, "plan": self._plan, "done": packed}
        self._store.write(JOURNAL, json.dumps(content).encode())
        self._written = time.monotonic()

    def remove(self) -> None:
        """Remove the journal, as the store is complete."""
        self._store.delete(JOURNAL)


def _read_journal(store: ZarrStore) -> tuple[dict[str, Any], list[bytes]] | None:
    """Return the plan of an unfinished store and the finished tasks of each sweep; else None.

    Raises ValueError for a journal of another version.
    """
    data = store.read(JOURNAL)
    if data is None:
        return None
    try:
        content = json.loads(data)
        if content["format"] != _FORMAT:
            raise ValueError(f"format {content['format']}")
        return dict(content["plan"]), [base64.b64decode(one) for one in content["done"]]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{store.name} is unfinished, but its journal {JOURNAL} cannot be read ({error}); "
            "write it anew with overwrite=True"
        ) from error


class FoundStore(NamedTuple):
    """The state of a target: whether it is empty, and the finished tasks of each sweep."""

    is_empty: bool
    done: list[bytes] | None = None

    @property
    def is_in_the_way(self) -> bool:
        """Whether the content must be removed."""
        return not self.is_empty and self.done is None


def check_store(
    store: ZarrStore, plan: Mapping[str, Any], *, overwrite: bool, resume: bool
) -> FoundStore:
    """Check that a store can take the plan, without writing anything.

    Raises FileExistsError for content that may not be removed, NotFolderError for a file, and
    ValueError for a store that cannot be resumed or is no OME-Zarr to be replaced.
    """
    if resume and not store.can_change:
        raise ValueError(
            f"{store.name} cannot be resumed: nothing in an archive can be changed; leave out "
            "resume=True, and replace an existing archive with overwrite=True"
        )
    if store.archive is not None:
        check_version(store, plan["version"])
        check_dest(store.archive, overwrite=overwrite, storage_options=store.options)
        return FoundStore(is_empty=True)
    if store.folder is not None and store.folder.is_file():
        raise NotFolderError(f"{store.name} is a file, not a folder that could become a store")
    if store.is_empty():
        return FoundStore(is_empty=True)
    journal = _read_journal(store) if resume else None
    if journal is not None:
        _check_same(store, journal[0], plan)
        return FoundStore(is_empty=False, done=journal[1])
    if not overwrite:
        raise FileExistsError(f"{store.name} exists{_advice(store, resume)}")
    if not store.is_zarr() and store.read(JOURNAL) is None:
        raise ValueError(f"{store.name} is no Zarr store, so it is not overwritten")
    return FoundStore(is_empty=False)


def check_version(store: ZarrStore, version: str) -> None:
    """Refuse an archive that cannot hold a version of OME-Zarr."""
    if store.name.lower().endswith(".ozx") and version == "0.4":
        raise ValueError(
            f"{store.name} cannot hold OME-Zarr 0.4, which has no .ozx; write version 0.5, or .zip"
        )


def _advice(store: ZarrStore, resume: bool) -> str:
    if resume:
        return " and is complete; overwrite=True writes it anew"
    if store.read(JOURNAL) is not None:
        return " and is unfinished; resume=True finishes it, overwrite=True begins anew"
    return "; overwrite=True replaces it"


def _check_same(store: ZarrStore, found: Mapping[str, Any], plan: Mapping[str, Any]) -> None:
    wanted = json.loads(json.dumps(plan))
    if found == wanted:
        return
    other = [key for key in wanted if found.get(key) != wanted[key]]
    raise ValueError(
        f"{store.name} is unfinished, but it was begun with another {', '.join(other)}; call it "
        "as before, or begin anew with overwrite=True"
    )


def remove_leftovers(store: ZarrStore) -> None:
    """Remove the temporary files of a killed process from a folder."""
    if store.folder is not None:
        for pattern in ("*.partial", "*.__lock"):  # of zarr, of tensorstore
            for path in store.folder.rglob(pattern):
                path.unlink(missing_ok=True)
