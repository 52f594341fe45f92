"""`open_czi`, the way to a reader that most callers take."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from czictypes.model.options import CacheOptions, ReaderFileInputTypes, ReaderOptions
from czictypes.reading.reader import CziReader, Source
from czictypes.remote.part_files import Parts

__all__ = ["open_czi"]


def open_czi(
    filepath: Source,
    file_input_type: ReaderFileInputTypes = ReaderFileInputTypes.Standard,
    cache_options: CacheOptions | None = None,
    *,
    reader_options: ReaderOptions | None = None,
    threads: int | None = None,
    storage_options: Mapping[str, Any] | None = None,
    parts: Parts | None = None,
) -> CziReader:
    """Open a CZI for reading.

    Use the result in a `with` block, or call its `close`. The parameters and errors are those
    of `CziReader`.

    Examples
    --------
    >>> with open_czi("image.czi") as document:  # doctest: +SKIP
    ...     pixels = document.read(plane={"C": 0})
    >>> with open_czi("s3://bucket/image.czi", storage_options={"anon": True}) as document:
    ...     corner = document.read(roi=(0, 0, 512, 512))  # doctest: +SKIP
    """
    return CziReader(
        filepath,
        file_input_type,
        cache_options,
        reader_options,
        threads=threads,
        storage_options=storage_options,
        parts=parts,
    )
