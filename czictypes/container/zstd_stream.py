"""The content of a zstd frame, decoded as far as it is asked for.

By zstandard, or since Python 3.14 by the standard library, which both have libzstd within.
"""

from __future__ import annotations

import sys
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from czictypes.model.errors import CorruptFileError, MissingExtraError

__all__ = ["ZstdStream"]


class ZstdStream:
    """Decodes the first frame of some data, from its beginning to its end.

    Parameters
    ----------
    frame
        The data.
    where
        The owner of the data, for messages.

    Raises
    ------
    MissingExtraError
        If there is no package that decodes.
    """

    def __init__(self, frame: memoryview, where: str) -> None:
        self._where = where
        self._read = _opened(frame)

    def read_into(self, target: NDArray[np.uint8]) -> None:
        """Fill some memory with what comes next.

        Given room for all of the content at first, libzstd decodes in one go, without a buffer of
        its own in between: that takes a twentieth less time.

        Raises
        ------
        CorruptFileError
            If the data cannot be decoded, or give too little.
        """
        done = 0
        while done < len(target):
            try:
                count = self._read(target[done:].data)  # PyPy takes no slice of `data`
            except MemoryError:
                raise
            except Exception as error:  # each package has its own class
                raise CorruptFileError(
                    f"{self._where} cannot be decompressed ({error}); the file is damaged"
                ) from error
            if not count:
                raise CorruptFileError(
                    f"{self._where} gives {done} bytes in place of {len(target)}; "
                    "the file is damaged"
                )
            done += count


def _opened(frame: memoryview) -> Any:
    """Return what fills memory with the next bytes and tells how many; 0 at the end."""
    if sys.version_info >= (3, 14):
        from compression.zstd import ZstdDecompressor  # in the standard library since 3.14

        decompressor, rest = ZstdDecompressor(), [bytes(frame)]

        def read_into(target: memoryview) -> int:
            if decompressor.eof:
                return 0
            part = decompressor.decompress(rest.pop() if rest else b"", max_length=len(target))
            target[: len(part)] = part
            return len(part)

        return read_into
    zstandard = _zstandard()
    if zstandard is None:
        raise MissingExtraError(
            "sub-blocks in this compression are decoded with zstandard: pip install zstandard"
        )
    # With all of the frame in one piece, the first read can be the only one.
    return zstandard.ZstdDecompressor().stream_reader(frame, read_size=len(frame)).readinto


@cache
def _zstandard() -> Any:
    """Return the package, or None; to look in vain for it takes longer than a small tile."""
    try:
        import zstandard
    except ImportError:
        return None
    return zstandard
