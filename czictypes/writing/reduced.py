"""Tiles of a pyramid that the caller has made."""

from __future__ import annotations

import operator
from typing import Any

from czictypes.model.geometry import Rectangle
from czictypes.writing.codecs import check_codec
from czictypes.writing.compression import CompressionOptions
from czictypes.writing.extras import make_extras
from czictypes.writing.planes import PlaneRecord
from czictypes.writing.tile_writer import TileSource
from czictypes.writing.tiles import Tile, check_location, cut, pixel_type_of, to_pixels

__all__ = ["reduced_tiles"]


def reduced_tiles(
    data: Any,
    location: tuple[int, int],
    factor: int,
    record: PlaneRecord,
    options: CompressionOptions,
) -> tuple[list[Tile], TileSource]:
    """Return the tiles of reduced pixels, checked against the plane that they are of.

    Raises
    ------
    ValueError
        For pixels that cannot be written, a factor below 2, or a place where the plane has
        nothing in full resolution.
    """
    if operator.index(factor) < 2:
        raise ValueError(f"the factor of reduced pixels is at least 2, not {factor}")
    pixels = to_pixels(data)
    pixel_type = pixel_type_of(pixels)
    check_codec(options, pixel_type)
    height, width = (size * factor for size in pixels.shape[:2])
    place = check_location(location, width, height)
    record.check_reduced(Rectangle(*place, width, height), pixel_type)
    tiles = list(cut(pixels))
    extras = make_extras(pixels, len(tiles), None, None, None)
    source = TileSource(record.coordinate, place, 0, pixel_type, options, extras, factor)
    return tiles, source
