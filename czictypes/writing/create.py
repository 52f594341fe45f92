"""create_czi: begin a new document."""

from __future__ import annotations

import uuid

from czictypes.writing.pyramid.options import PyramidChoice
from czictypes.writing.targets import Target
from czictypes.writing.writer import CziWriter

__all__ = ["create_czi"]


def create_czi(
    filepath: Target,
    exist_ok: bool = False,
    compression_options: str | None = None,
    *,
    threads: int | None = None,
    overlap: str | None = None,
    thumbnail: bool = True,
    file_guid: uuid.UUID | None = None,
    pyramid: PyramidChoice = None,
    only_named_dimensions: bool = False,
) -> CziWriter:
    """Create a CZI; it appears under its name when it is closed, all or nothing.

    Use the result in a ``with`` block, or call its `close`. The parameters and errors are those
    of `CziWriter`.

    Examples
    --------
    >>> with create_czi("new.czi", compression_options="zstd1:") as document:  # doctest: +SKIP
    ...     document.write(pixels, location=(0, 0), plane={"C": 0})
    ...     document.write_metadata(channel_names={0: "DAPI"}, scale_x=1e-7, scale_y=1e-7)
    """
    return CziWriter(
        filepath,
        compression_options,
        exist_ok=exist_ok,
        threads=threads,
        overlap=overlap,
        thumbnail=thumbnail,
        file_guid=file_guid,
        pyramid=pyramid,
        only_named_dimensions=only_named_dimensions,
    )
