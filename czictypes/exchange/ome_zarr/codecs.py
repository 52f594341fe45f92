"""The compression of the chunks of an OME-Zarr."""

from __future__ import annotations

from typing import Any

from czictypes.model.lazy import require

__all__ = ["COMPRESSORS", "DEFAULT_COMPRESSOR", "make_compressor"]

#: The names that a compressor may be given by.
COMPRESSORS = ("lz4", "zstd", "blosc", "gzip", "none")

#: Blosc with lz4: the least work of those that every reader knows, and what bioformats2raw takes.
DEFAULT_COMPRESSOR = "lz4"

_ZSTD_LEVEL, _GZIP_LEVEL = 1, 5


def make_compressor(given: Any, version: str) -> Any:
    """Return what `zarr.create_array` takes.

    Parameters
    ----------
    given
        None for the default, a name with or without a level (``"zstd"``, ``"zstd:5"``), or what
        zarr takes: a codec of `zarr.codecs` for 0.5, of `numcodecs` for 0.4, or a dict.

    Raises
    ------
    ValueError
        For another name.
    """
    if given is not None and not isinstance(given, str):
        return given
    name, _, level = (given or DEFAULT_COMPRESSOR).partition(":")
    if name not in COMPRESSORS or (level and not level.lstrip("-").isdigit()):
        raise ValueError(
            f"{given!r} is no compressor; use {', '.join(COMPRESSORS)}, with a level if you like "
            '("zstd:5"), or a codec of zarr'
        )
    if name == "none":
        return None
    number = int(level) if level else None
    return _make_v2(name, number) if version == "0.4" else _make_v3(name, number)


def _make_v3(name: str, level: int | None) -> Any:
    codecs = require("zarr.codecs", extra="ome-zarr", doing="writing OME-Zarr")
    if name == "zstd":
        return codecs.ZstdCodec(level=_ZSTD_LEVEL if level is None else level)
    if name == "gzip":
        return codecs.GzipCodec(level=_GZIP_LEVEL if level is None else level)
    kind = "zstd" if name == "blosc" else "lz4"
    return codecs.BloscCodec(cname=kind, clevel=3 if level is None else level, shuffle="shuffle")


def _make_v2(name: str, level: int | None) -> Any:
    codecs = require("numcodecs", extra="ome-zarr", doing="writing OME-Zarr")
    if name == "zstd":
        return codecs.Zstd(level=_ZSTD_LEVEL if level is None else level)
    if name == "gzip":
        return codecs.GZip(level=_GZIP_LEVEL if level is None else level)
    kind = "zstd" if name == "blosc" else "lz4"
    return codecs.Blosc(cname=kind, clevel=3 if level is None else level, shuffle=1)
