"""aszarr: a CZI for every reader of zarr, without conversion."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from czictypes.exchange.ome_zarr.chunking import ChunkSizes
from czictypes.model.defence import defended
from czictypes.model.lazy import require
from czictypes.reading.damage import OnError
from czictypes.remote.part_files import Parts
from czictypes.remote.urls import describe_target

if TYPE_CHECKING:
    from czictypes.plugins.zarr_store import CziStore

__all__ = ["aszarr"]


@defended(describe_target)
def aszarr(
    source: Any,
    scene: int | str | None = None,
    chunks: ChunkSizes = None,
    *,
    plate: bool | None = None,
    storage_options: Mapping[str, Any] | None = None,
    threads: int | None = None,
    parts: Parts | None = None,
    stored_resolution: bool = False,
    on_error: OnError = "raise",
) -> CziStore:
    """Return a zarr store (Zarr 3, OME-Zarr 0.5) over a CZI; each chunk is read when asked for.

    A scene is an image with the axes t, c, z, y and x, and an array for each level that the file
    stores; red, green and blue are channels. With one scene the image stands at the root,
    ``"0"``, ``"1"``... being its levels; with several, in a group for each, numbered, or in the
    wells of a plate where each scene tells its well.

    Parameters
    ----------
    source
        A path, a URL, a binary file object, or a `CziReader`, which stays the caller's to close.
    scene
        The index or the name of a scene; ``"all"`` for all scenes in one plane; None for all
        scenes apart.
    chunks
        One length for y and x, a length for each axis, or lengths by axis; by default what the
        file's tiles make cheap.
    plate
        Whether to show a plate; None shows one where all scenes are shown and tell their wells.
    storage_options, threads, parts, stored_resolution, on_error
        As for `CziImage`.

    Returns
    -------
    zarr.abc.store.Store
        Read only, safe to use from many threads; it pickles as its source and options.

    Raises
    ------
    OutOfBoundsError
        If there is no such scene.
    MissingExtraError
        If zarr is not installed.

    Examples
    --------
    >>> zarr.open_group(aszarr("image.czi"), mode="r")["0"]  # doctest: +SKIP
    """
    require("zarr.abc.store", extra="ome-zarr", doing="a CZI as a zarr store")  # not of zarr 2
    from czictypes.plugins.zarr_store import CziStore

    opening = (storage_options, threads, parts, stored_resolution, on_error)
    return CziStore(source, scene, chunks, plate, *opening)
