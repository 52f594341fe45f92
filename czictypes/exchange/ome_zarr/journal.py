"""The journal of the complete parts of an OME-Zarr, kept beside it until it can be dropped."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from czictypes.exchange.ome_zarr.store import ZarrStore

__all__ = ["EMPTY_JOURNAL", "JOURNAL", "Journal", "read_journal"]

#: The key that marks a store as unfinished.
JOURNAL = "czictypes-unfinished.json"

_FORMAT = 1
#: The journal of what nobody can go on with.
EMPTY_JOURNAL = json.dumps({"format": _FORMAT, "plan": {}, "done": []}).encode()
_SECONDS = 2.0


class Journal:
    """The list of tasks that are done. One process keeps it; others only do tasks.

    A task that was done and is not noted is done again, which changes nothing: tasks write whole
    objects, each of them the same at any time.

    Parameters
    ----------
    store
        Where it is kept.
    plan
        What is written, in values that JSON has. Only the same plan is gone on with.
    counts
        How many tasks each pass has.
    done
        Which are done already, as `read_journal` gave them.
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
        """Return the tasks of a pass that are not done."""
        return [int(task) for task in np.flatnonzero(~self._done[number])]

    @property
    def count_done(self) -> int:
        """How many tasks are done."""
        return sum(int(flags.sum()) for flags in self._done)

    @property
    def is_kept(self) -> bool:
        """Whether the store has a journal, though maybe not of all that is done."""
        return bool(self._written > -np.inf)

    def mark(self, number: int, task: int) -> None:
        """Note a task as done; writes the journal every few seconds."""
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
        """Say that all is complete."""
        self._store.delete(JOURNAL)


def read_journal(store: ZarrStore) -> tuple[dict[str, Any], list[bytes]] | None:
    """Return the plan of an unfinished store, and what of each pass is done; None without journal.

    Raises
    ------
    ValueError
        If it is none that this version of czictypes writes.
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
