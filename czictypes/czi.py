"""The API of pylibCZIrw: open a CZI, read it, close it.

``from czictypes import czi`` takes the place of ``from pylibCZIrw import czi``.
"""

from __future__ import annotations

from czictypes.model.display import (
    ChannelDisplaySettingsDataClass,
    ChannelDisplaySettingsDataClassWithNameAndDescription,
    Rgb8Color,
    TintingMode,
)
from czictypes.model.geometry import Color, Location, Rectangle
from czictypes.model.options import (
    CacheInfo,
    CacheOptions,
    CacheType,
    ReaderFileInputTypes,
    ReaderOptions,
)
from czictypes.reading.reader import CziReader, Source

__all__ = [
    "CacheInfo",
    "CacheOptions",
    "CacheType",
    "ChannelDisplaySettingsDataClass",
    "ChannelDisplaySettingsDataClassWithNameAndDescription",
    "Color",
    "CziReader",
    "Location",
    "ReaderFileInputTypes",
    "ReaderOptions",
    "Rectangle",
    "Rgb8Color",
    "TintingMode",
    "open_czi",
]


def open_czi(
    filepath: Source,
    file_input_type: ReaderFileInputTypes = ReaderFileInputTypes.Standard,
    cache_options: CacheOptions | None = None,
    *,
    reader_options: ReaderOptions | None = None,
    threads: int | None = None,
) -> CziReader:
    """Open a CZI for reading.

    Use the result in a `with` block, or call its `close`. The parameters and errors are those
    of `CziReader`.

    Examples
    --------
    >>> with open_czi("image.czi") as document:  # doctest: +SKIP
    ...     pixels = document.read(plane={"C": 0})
    """
    return CziReader(filepath, file_input_type, cache_options, reader_options, threads=threads)
