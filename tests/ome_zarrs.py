"""Looks into stores of OME-Zarr without the code under test."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from extras import needs
from numpy.typing import NDArray

from czictypes.arrays.image import CziImage

__all__ = ["array", "five_axes", "journal", "ome", "stored"]

needs("zarr.abc.store", "ome-zarr")  # zarr 3
zarr = needs("zarr", "ome-zarr")


def five_axes(image: CziImage, level: int = 0, plane: dict[str, int] | None = None) -> NDArray[Any]:
    """Return a scene as OME-Zarr has it: t, c, z, y, x; samples are channels."""
    pixels = image.read_block(plane or {}, level=level)
    if "S" in image.dims:
        pixels = np.moveaxis(pixels, -1, 2)
        pixels = pixels.reshape(len(pixels), -1, *pixels.shape[3:])
    return pixels


def ome(path: Path, group: str = "") -> dict[str, Any]:
    """Return what a group says of itself, in both versions."""
    attributes = dict(zarr.open_group(str(path), path=group, mode="r").attrs)
    return dict(attributes.get("ome", attributes))


def array(path: Path, name: str) -> Any:
    """Open an array of a store."""
    return zarr.open_array(str(path), path=name, mode="r")


def stored(path: Path) -> dict[str, bytes]:
    """Return all files of a store by their keys."""
    return {
        file.relative_to(path).as_posix(): file.read_bytes()
        for file in path.rglob("*")
        if file.is_file()
    }


def journal(path: Path) -> dict[str, Any]:
    """Return the journal of an unfinished store."""
    content: dict[str, Any] = json.loads((path / "czictypes-unfinished.json").read_text())
    return content
