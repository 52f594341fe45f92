"""tensorstore or zarr: the pixels are the same; what one cannot do, the other does."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from extras import needs
from files.recipes import Made
from ome_zarrs import array, five_axes

from czictypes import write_ome_zarr
from czictypes.arrays.image import CziImage
from czictypes.exchange.ome_zarr import tasks
from czictypes.model.errors import MissingExtraError

needs("zarr.abc.store", "ome-zarr")  # zarr 3
zarr = needs("zarr", "ome-zarr")
needs("tensorstore", "tensorstore")

pytestmark = pytest.mark.filterwarnings("ignore::czictypes.model.errors.MetadataWarning")


@pytest.mark.parametrize("tensorstore", [True, False])
@pytest.mark.parametrize("recipe", ["rgb", "stack", "gray32float", "negative"])
@pytest.mark.parametrize(
    "options",
    [
        {"version": "0.4", "chunks": 16, "levels": 3},
        {"version": "0.4", "compression": "zstd", "chunks": (2, 3, 2, 16, 16)},
        {"chunks": 8, "shards": 24, "levels": 3, "compression": "gzip"},
        {"compression": "none", "levels": 2},
    ],
)
def test_pixels_are_the_same(
    made: Callable[[str], Made],
    dest: Path,
    open_czi: Callable[..., CziImage],
    recipe: str,
    tensorstore: bool,
    options: dict[str, Any],
) -> None:
    image = open_czi(made(recipe).path)
    plan = write_ome_zarr(image, dest, tensorstore=tensorstore, **options)
    assert np.array_equal(array(dest, "0")[:], five_axes(image), equal_nan=True)
    other = dest.with_name("other.zarr")
    write_ome_zarr(image, other, scheduler="synchronous", tensorstore=not tensorstore, **options)
    for level in plan.images[0].levels[1:]:
        first, second = array(dest, level.path)[:], array(other, level.path)[:]
        assert np.array_equal(first, second, equal_nan=True)


def test_it_is_taken_for_folders_alone(
    mosaic_czi: Path, dest: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = []
    opened = tasks.open_array

    def watched(store: Any, version: str, path: str, *, fast: bool) -> Any:
        taken.append(fast)
        return opened(store, version, path, fast=fast)

    monkeypatch.setattr("czictypes.exchange.ome_zarr.tasks.open_array", watched)
    write_ome_zarr(mosaic_czi, dest, levels=1)
    write_ome_zarr(mosaic_czi, zarr.storage.MemoryStore(), levels=1)
    assert taken == [True, True, False]  # to see whether it can write there, and to write


def test_what_it_cannot_do_is_told_only_if_it_is_wanted(mosaic_czi: Path, dest: Path) -> None:
    lzma = needs("numcodecs").LZMA(preset=0)
    write_ome_zarr(mosaic_czi, dest, version="0.4", compression=lzma, levels=1)
    with pytest.raises(OSError, match="tensorstore cannot write"):
        write_ome_zarr(
            mosaic_czi,
            dest,
            version="0.4",
            compression=lzma,
            levels=1,
            overwrite=True,
            tensorstore=True,
        )
    with pytest.raises(ValueError, match="folders only"):
        write_ome_zarr(mosaic_czi, zarr.storage.MemoryStore(), tensorstore=True)


def test_it_is_missed_only_if_it_is_wanted(
    mosaic_czi: Path, dest: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tensorstore", None)
    monkeypatch.setattr(tasks, "find_spec", lambda _: None)
    write_ome_zarr(mosaic_czi, dest, levels=1)
    with pytest.raises(MissingExtraError, match=r"czictypes\[tensorstore\]"):
        write_ome_zarr(mosaic_czi, dest, overwrite=True, tensorstore=True)
