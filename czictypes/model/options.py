"""The settings that callers choose: how a document is opened, fetched and displayed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import Enum
from typing import Any, Union


class ReaderFileInputTypes(Enum):
    """The kind of source of a document: a local file (or file object), or a URL."""

    Standard = "standard"
    Curl = "curl"


class CacheType(Enum):
    """The kinds of sub-block cache; there is one."""

    Standard = 1


@dataclass
class CacheOptions:
    """The limits of a sub-block cache, which drops the least recently used sub-blocks first.

    Parameters
    ----------
    type
        The kind of cache.
    max_memory_usage
        The largest number of bytes of decoded pixels to keep; None for no limit.
    max_sub_block_count
        The largest number of sub-blocks to keep; None for no limit.
    """

    type: CacheType = CacheType.Standard
    max_memory_usage: int | None = None
    max_sub_block_count: int | None = None


@dataclass(frozen=True)
class CacheInfo:
    """The contents of a cache: the number of sub-blocks, and the bytes of their pixels."""

    elements_count: int
    memory_usage: int


@dataclass
class ReaderOptions:
    """The checks of a document, and the rules for reading its tiles.

    Parameters
    ----------
    enable_mask_awareness
        Leave out pixels that the mask of a sub-block marks as invalid.
    enable_visibility_check_optimization
        Skip tiles that others cover; this never changes the pixels.
    lax_subblock_coordinate_checks
        Accept directory entries with odd sizes, as old files have them.
    ignore_sizem_for_pyramid_subblocks
        With strict checks: accept any size of M in pyramid sub-blocks.
    stored_resolution
        Read every stored pixel of tiles that have more stored pixels than they cover (PALM).
        Coordinates, sizes and the pixel size then refer to pixels of the finest tile. By default,
        such a tile is read at the size that it covers, as ZEN exports it.
    on_error
        ``"raise"``, or ``"blank"`` to leave tiles that cannot be read as background, with a
        `DamagedTileWarning` for each; `CziReader.damaged_subblocks` lists them.
    max_result_bytes
        The most bytes that czictypes allocates for one result; a larger result raises
        `ResultTooLargeError` before any memory is allocated. The default is half of the memory
        that this process may use. An array that you pass (``out=``) may have any size.
    allow_sparse
        Accept a document that claims far more planes or pixels than its sub-blocks could fill,
        which may be the effect of a single damaged coordinate. Processing the whole document may
        then take very long. By default, such a document can only be read plane by plane
        (`CziReader.read`).
    """

    enable_mask_awareness: bool = False
    enable_visibility_check_optimization: bool = True
    lax_subblock_coordinate_checks: bool = True
    ignore_sizem_for_pyramid_subblocks: bool = False
    stored_resolution: bool = False
    on_error: str = "raise"
    max_result_bytes: int | None = None
    allow_sparse: bool = False


@dataclass(frozen=True)
class RemoteOptions:
    """How remote files are read: time limits, parallel requests, and the cache of their bytes.

    Pass it as ``storage_options={"czictypes": RemoteOptions(...)}``, or pass a dictionary of some
    of its fields instead.

    Parameters
    ----------
    timeout
        Seconds without a single byte after which a request is given up. A request to a web server
        is also given up after this time if it has brought less than 1 kB a second.
    retries
        How many times a failed request is sent again.
    backoff
        Seconds before the first retry; each further retry waits twice as long, up to 8 s. The
        Retry-After header of a server is obeyed, up to `timeout`.
    max_concurrency
        The largest number of requests at the same time.
    cache_bytes
        The largest number of bytes kept in memory; a quarter of it is for reading ahead.
    block_bytes
        The unit, in bytes, in which the file is fetched and kept.
    gap_bytes
        Ranges at most this many bytes apart are fetched by one request.
    request_bytes
        Ranges of more bytes are fetched by several requests in parallel.
    largest_download
        The most bytes of a file that is fetched whole from a server that cannot send parts of it.

    Raises
    ------
    ValueError
        If a value is too small or not a number.
    """

    timeout: float = 60.0
    retries: int = 4
    backoff: float = 0.25
    max_concurrency: int = 16
    cache_bytes: int = 128 << 20
    block_bytes: int = 32 << 10
    gap_bytes: int = 64 << 10
    request_bytes: int = 1 << 20
    largest_download: int = 64 << 20

    def __post_init__(self) -> None:
        least = {"timeout": 1e-3, "max_concurrency": 1, "block_bytes": 512}
        for field in fields(self):
            value, minimum = getattr(self, field.name), least.get(field.name, 0)
            if isinstance(value, bool) or not isinstance(value, (int, float)) or value < minimum:
                raise ValueError(f"RemoteOptions: {field.name}={value!r} is less than {minimum}")

    @classmethod
    def parse(cls, value: Any) -> RemoteOptions:
        """Return the options that a caller gave: None, a dictionary of fields, or options."""
        if value is None:
            return cls()
        if isinstance(value, cls):
            return value
        if isinstance(value, Mapping):
            known = {field.name for field in fields(cls)}
            unknown = sorted(set(value) - known)
            if unknown:
                raise TypeError(
                    f"RemoteOptions has no {', '.join(map(str, unknown))}; it has "
                    f"{', '.join(sorted(known))}"
                )
            return cls(**value)
        raise TypeError(
            "storage_options['czictypes'] must be RemoteOptions or a dictionary of its fields, "
            f"not {type(value).__name__}"
        )


class TintingMode(Enum):
    """Whether a channel is shown in its own values (`none`) or in a false colour (`Color`)."""

    none = 0
    Color = 1


#: The colours that several channels without a colour of their own are shown in, in turn.
DEFAULT_COLORS = (
    (0, 255, 0),
    (255, 0, 255),
    (0, 255, 255),
    (255, 255, 0),
    (255, 0, 0),
    (0, 0, 255),
)


@dataclass
class Rgb8Color:
    """A colour with components from 0 to 255 (int or ``numpy.uint8``)."""

    r: int
    g: int
    b: int


@dataclass
class ChannelDisplaySettingsDataClass:
    """The display settings of one channel.

    Parameters
    ----------
    is_enabled
        Whether the channel takes part in a multi-channel picture.
    tinting_mode, tinting_color
        The false colour; the colour counts only with ``TintingMode.Color``.
    black_point, white_point
        The window that is stretched to the full range, as fractions (0 to 1) of the range of
        the channel's pixel type.
    """

    is_enabled: bool
    tinting_mode: TintingMode
    tinting_color: Rgb8Color
    black_point: float = 0.0
    white_point: float = 1.0


@dataclass
class ChannelDisplaySettingsDataClassWithNameAndDescription(ChannelDisplaySettingsDataClass):
    """The display settings of one channel with its name and description, None where missing."""

    name: str | None = None
    description: str | None = None


#: Settings of channels by their numbers, or by their names.
DisplaySettings = Union[
    Mapping[int, ChannelDisplaySettingsDataClass], Mapping[str, ChannelDisplaySettingsDataClass]
]
