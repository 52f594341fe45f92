"""The pyramid of a document that is being written, made when all its pixels are there."""

from __future__ import annotations

from czictypes.writing.assembly import Assembly
from czictypes.writing.compression import CompressionOptions
from czictypes.writing.pyramid.build import build_pyramid, open_document
from czictypes.writing.pyramid.options import PyramidOptions
from czictypes.writing.pyramid.plan import plan_pyramid

__all__ = ["write_pyramid"]


def write_pyramid(
    assembly: Assembly,
    options: PyramidOptions,
    *,
    threads: int,
    preferred: CompressionOptions | None = None,
) -> None:
    """Add a pyramid of the sub-blocks that an assembly has.

    They are read back from the file under assembly, so it does not matter in which order they
    came, and memory does not depend on the size of the images.

    Parameters
    ----------
    assembly
        Made with `read_back`, all its sub-blocks in full resolution.
    options
        What the pyramid is like.
    threads
        The number of threads.
    preferred
        How to compress where the full resolution has that method.

    Raises
    ------
    OSError
        If the file cannot be read back or written.
    """
    document = open_document(assembly.written())
    try:
        plans = plan_pyramid(document.table, options)
        build_pyramid(document, plans, options, assembly.add, threads=threads, preferred=preferred)
    finally:
        document.close()
