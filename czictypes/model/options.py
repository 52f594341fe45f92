"""The options of opening a document."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

__all__ = ["CacheInfo", "CacheOptions", "CacheType", "ReaderFileInputTypes", "ReaderOptions"]


class ReaderFileInputTypes(Enum):
    """The kind of source of a document: a local file (or file object), or a URL."""

    Standard = "standard"
    Curl = "curl"


class CacheType(Enum):
    """The kinds of sub-block cache; there is one."""

    Standard = 1


@dataclass
class CacheOptions:
    """The limits of a sub-block cache; what was used least recently leaves first.

    Parameters
    ----------
    type
        The kind of cache.
    max_memory_usage
        Bytes of decoded pixels to keep at most; None for no limit.
    max_sub_block_count
        Sub-blocks to keep at most; None for no limit.
    """

    type: CacheType = CacheType.Standard
    max_memory_usage: int | None = None
    max_sub_block_count: int | None = None


@dataclass(frozen=True)
class CacheInfo:
    """The size of a cache: sub-blocks, and bytes of decoded pixels."""

    elements_count: int
    memory_usage: int


@dataclass
class ReaderOptions:
    """The checks of a document, and the rules by which its tiles are read.

    Parameters
    ----------
    enable_mask_awareness
        Leave out the pixels that a sub-block's own mask calls invalid.
    enable_visibility_check_optimization
        Skip tiles that others cover; never changes the pixels.
    lax_subblock_coordinate_checks
        Accept directory entries with odd sizes, as old files have them.
    ignore_sizem_for_pyramid_subblocks
        With strict checks: accept any size of M in pyramid sub-blocks.
    stored_resolution
        Read every stored pixel of tiles that are stored in more pixels than they cover (PALM):
        coordinates, sizes and the pixel size then count in pixels of the finest tile. By default
        such a tile is read at the size that it covers, as ZEN exports it.
    on_error
        ``"raise"``, or ``"blank"`` to leave tiles that cannot be read as background, with a
        `DamagedTileWarning` for each; `CziReader.damaged_subblocks` lists them.
    max_result_bytes
        The most bytes that one array may take which czictypes makes for a result; more raises
        `ResultTooLargeError` before the memory is taken. By default half of the memory that this
        process may use. An array that you give (``out=``) may have any size.
    allow_sparse
        Accept a document whose planes or pixels are far more than its sub-blocks could fill, as
        one damaged coordinate makes it: work on the whole of it then takes as long as its numbers
        say. By default such a document is read only plane by plane (`CziReader.read`).
    """

    enable_mask_awareness: bool = False
    enable_visibility_check_optimization: bool = True
    lax_subblock_coordinate_checks: bool = True
    ignore_sizem_for_pyramid_subblocks: bool = False
    stored_resolution: bool = False
    on_error: str = "raise"
    max_result_bytes: int | None = None
    allow_sparse: bool = False
