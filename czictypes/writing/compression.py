"""The strings that say how pixels are compressed, as libCZI knows them.

``method:key=value;key=value``, letters in any case, spaces around the parts allowed. A key
that a method has no use for is ignored (``PreProcess`` with `zstd0`); an unknown key, which
libCZI would ignore too, is an error here, since it is nearly always a slip of the pen.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from czictypes.model.errors import InvalidArgumentError
from czictypes.model.pixel_types import Compression

__all__ = ["UNCOMPRESSED", "CompressionOptions", "parse_compression", "resolve_compression"]

#: zstd's own bounds; libCZI clips a level to them.
_MIN_LEVEL, _MAX_LEVEL = -131072, 22
_MAX_QUALITY = 1000
_INT32 = range(-(2**31), 2**31)

_METHODS = {
    "uncompressed": Compression.Uncompressed,
    "zstd0": Compression.Zstd0,
    "zstd1": Compression.Zstd1,
    "jpgxr": Compression.JpegXr,
}
_VALID = (
    "'uncompressed:', 'zstd0:ExplicitLevel=N' (N from -131072 to 22, 0 or none for the default), "
    "'zstd1:ExplicitLevel=N;PreProcess=HiLoByteUnpack' (PreProcess packs 16-bit pixels better), "
    "'jpgxr:' (lossless; 'jpgxr:Quality=N' with N from 0 to 999 loses detail)"
)
_WHOLE = re.compile(r"\s*([a-zA-Z0-9]+)\s*:(.*)", re.DOTALL)
_PART = re.compile(r"\s*([a-zA-Z0-9]+)\s*=\s*([a-zA-Z0-9.+-]+)\s*")
_NUMBER = re.compile(r"[+-]?[0-9]{1,18}")


class CompressionOptions(NamedTuple):
    """The compression of the pixels of a sub-block.

    Parameters
    ----------
    method
        The scheme; one of `Uncompressed`, `Zstd0`, `Zstd1`, `JpegXr`.
    level
        zstd's level, 0 for its default.
    hilo
        Whether `Zstd1` packs the low bytes of 16-bit pixels apart from the high ones.
    quality
        JPEG XR's quality, 0 to 1000; 1000 is lossless.
    """

    method: Compression
    level: int = 0
    hilo: bool = False
    quality: int = _MAX_QUALITY


UNCOMPRESSED = CompressionOptions(Compression.Uncompressed)


def parse_compression(text: str) -> CompressionOptions:
    """Turn one of libCZI's compression strings into options.

    Raises
    ------
    InvalidArgumentError
        For text of another form, an unknown method or key, or a value out of range; the
        message lists the valid strings.
    TypeError
        If `text` is no string.
    """
    if not isinstance(text, str):
        raise TypeError(f"compression options are a string such as {_VALID}; not {text!r}")
    match = _WHOLE.fullmatch(text)
    if match is None:
        raise _error(text, "it is not of the form 'method:key=value;key=value'")
    method = _METHODS.get(match.group(1).lower())
    if method is None:
        raise _error(text, f"there is no method {match.group(1)!r}")
    options = CompressionOptions(method)
    for part in match.group(2).split(";"):
        if part.strip():
            options = _with_part(options, part, text)
    return options


def resolve_compression(
    text: str | None, default: CompressionOptions = UNCOMPRESSED
) -> CompressionOptions:
    """Return the options of `text`, or `default` for None and the empty string."""
    return parse_compression(text) if text else default


def _with_part(options: CompressionOptions, part: str, text: str) -> CompressionOptions:
    match = _PART.fullmatch(part)
    if match is None:
        raise _error(text, f"{part.strip()!r} is not of the form 'key=value'")
    key, value = match.group(1).lower(), match.group(2)
    if key == "explicitlevel":
        level = _number(value, text)
        if level not in _INT32:
            raise _error(text, f"the level {value} is out of range")
        return options._replace(level=min(max(level, _MIN_LEVEL), _MAX_LEVEL))
    if key == "preprocess":
        if value.lower() != "hilobyteunpack":
            raise _error(text, f"there is no preprocessing {value!r}")
        return options._replace(hilo=True)
    if key == "quality":
        return options._replace(quality=min(max(_number(value, text), 0), _MAX_QUALITY))
    raise _error(text, f"there is no key {match.group(1)!r}")


def _number(value: str, text: str) -> int:
    if _NUMBER.fullmatch(value) is None:
        raise _error(text, f"{value!r} is not a whole number")
    return int(value)


def _error(text: str, reason: str) -> InvalidArgumentError:
    return InvalidArgumentError(f"compression options {text!r}: {reason}; valid are {_VALID}")
