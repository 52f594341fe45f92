"""The store that an OME-Zarr is written to: begun, gone on with, or refused."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from czictypes.exchange.local_file import check_file
from czictypes.exchange.ome_zarr.journal import JOURNAL, read_journal
from czictypes.exchange.ome_zarr.store import ZarrStore

__all__ = ["FoundStore", "check_store", "check_version", "sweep"]


class FoundStore(NamedTuple):
    """The state of a target: empty, in the way, or begun before.

    Parameters
    ----------
    is_empty
        Whether nothing is there.
    done
        What of each pass is done already; None for a store that is begun anew.
    """

    is_empty: bool
    done: list[bytes] | None = None

    @property
    def is_in_the_way(self) -> bool:
        """Whether what is there has to be removed."""
        return not self.is_empty and self.done is None


def check_store(
    store: ZarrStore, plan: Mapping[str, Any], *, overwrite: bool, resume: bool
) -> FoundStore:
    """Look whether a store can take what is planned; nothing is written.

    Parameters
    ----------
    plan
        What is to be written, as JSON has it.
    overwrite
        Whether what is there may be removed.
    resume
        Whether to go on with what an earlier call with the same plan left unfinished.

    Raises
    ------
    FileExistsError
        If something is there that may not be removed.
    ValueError
        If what is unfinished there is something else, or no OME-Zarr is to be overwritten, or
        what cannot be changed is to be gone on with.
    """
    if resume and not store.can_change:
        raise ValueError(
            f"{store.name} cannot be resumed: nothing in an archive can be changed; leave out "
            "resume=True, and replace an existing archive with overwrite=True"
        )
    if store.archive is not None:
        check_version(store, plan["version"])
        check_file(store.archive, overwrite=overwrite, storage_options=store.options)
        return FoundStore(is_empty=True)
    if store.folder is not None and store.folder.is_file():
        raise FileExistsError(f"{store.name} is a file, not a folder that could become a store")
    if store.is_empty():
        return FoundStore(is_empty=True)
    journal = read_journal(store) if resume else None
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


def sweep(store: ZarrStore) -> None:
    """Remove what a killed process has left half written in a folder."""
    if store.folder is not None:
        for pattern in ("*.partial", "*.__lock"):  # of zarr, of tensorstore
            for path in store.folder.rglob(pattern):
                path.unlink(missing_ok=True)
