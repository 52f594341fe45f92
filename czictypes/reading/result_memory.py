"""The memory of large results, of which that of one that nobody uses any more is kept.

The system clears memory that it hands out: for a plane of 128 MB that takes 12 ms of CPU time
where reading and copying take 27, on a virtual machine whose host hands out pages anew up to 40.
What is kept stays the system's to take back as soon as it has a use for it (``MADV_FREE``).
"""

from __future__ import annotations

import mmap
import sys
from collections import deque
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["ResultMemory"]

Shape = tuple[int, int, int]

#: Smaller results (bytes) have memory that the C library keeps; larger ones give theirs back.
_LEAST, _MOST = 16 << 20, 256 << 20


class ResultMemory:
    """Gives arrays for results, whose contents are undefined; safe to use from many threads.

    At most one piece of memory is kept, of 256 MiB at most, and only where the system can be told
    that it may take the pages back, and arrays go with their last reference: Linux and CPython.
    """

    def __init__(self) -> None:
        # Needs no lock, which memory that comes back while some is taken would wait for.
        self._kept: deque[_Pages] = deque(maxlen=1 if _can_keep() else 0)

    def take(self, shape: Shape, dtype: np.dtype[Any]) -> NDArray[Any]:
        """Return an array.

        Raises
        ------
        MemoryError
            If the machine cannot hold it.
        """
        size = shape[0] * shape[1] * shape[2] * dtype.itemsize
        if not self._kept.maxlen or not _LEAST <= size <= _MOST:
            return np.empty(shape, dtype)
        try:
            pages = self._kept.pop()
        except IndexError:
            pages = None
        if pages is None or not size <= pages.size <= size + size // 4:
            del pages  # before there are others
            pages = _Pages(size)
        return np.asarray(_Lease(pages, self._kept, shape, dtype))

    def clear(self) -> None:
        """Give back what is kept, now and from now on."""
        self._kept.clear()
        self._kept = deque(maxlen=0)


class _Pages:
    """Memory of the system's, in large pages where it has any."""

    def __init__(self, size: int) -> None:
        self.size = size
        try:
            self._map = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        except OSError as error:
            raise MemoryError(str(error)) from None
        self._advise(mmap.MADV_HUGEPAGE)
        self.address = int(np.frombuffer(self._map, np.uint8).ctypes.data)

    def release(self) -> bool:
        """Let the system take the pages until they are written to again; False if it cannot."""
        return self._advise(mmap.MADV_FREE)

    def _advise(self, advice: int) -> bool:
        try:
            self._map.madvise(advice)
        except OSError:  # an old kernel, or locked memory
            return False
        return True


class _Lease:
    """What an array and all views of it hold; when they are gone the pages are kept."""

    def __init__(
        self, pages: _Pages, kept: deque[_Pages], shape: Shape, dtype: np.dtype[Any]
    ) -> None:
        self._pages, self._kept = pages, kept
        self.__array_interface__ = {
            "version": 3,
            "shape": shape,
            "typestr": dtype.str,
            "data": (pages.address, False),
        }

    def __del__(self) -> None:
        if self._pages.release():
            self._kept.append(self._pages)


def _can_keep() -> bool:
    named = all(hasattr(mmap, name) for name in ("MADV_FREE", "MADV_HUGEPAGE", "MAP_PRIVATE"))
    return named and sys.platform == "linux" and sys.implementation.name == "cpython"
