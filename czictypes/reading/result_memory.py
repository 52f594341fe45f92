"""Memory for results: limits their size, and keeps the memory of a large one for the next.

The size of a plane comes from the file, and one damaged number is enough for an array that makes
the machine swap, or the system kill the process. So a result may take half of the memory that the
process may use; only large results need to look that up.

The system clears the memory that it hands out. For a plane of 128 MB that takes 12 ms of CPU time
beside 27 ms for reading and copying, and up to 40 ms on a virtual machine whose host hands out new
pages. The system can take kept memory back at any time (``MADV_FREE``).
"""

from __future__ import annotations

import mmap
import operator
import os
import sys
import weakref
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from czictypes.model.errors import ResultTooLargeError

Shape = Sequence[int]
_Array = NDArray[Any]
_Allocate = Callable[[Shape, "np.dtype[Any]"], _Array]

#: The C library keeps the memory of smaller results (bytes); larger ones return theirs.
_LEAST, _MOST = 16 << 20, 256 << 20
#: Results of these sizes (bytes) are always allowed by default.
_SMALL, _HARMLESS = 1 << 20, 64 << 20
#: Reading takes more bytes for each row and column, which matters for images of one line.
_BYTES_PER_PLACE = 64


class ResultMemory:
    """Allocates arrays for results, with undefined contents; safe to use from many threads.

    Keeps at most one piece of memory, of up to 256 MiB, on Linux and CPython only: there the system
    may take the pages back, and an array is freed with its last reference. `name` names the
    document in messages; `most` is the size limit in bytes, by default half of `usable_memory`.
    """

    def __init__(self, name: str = "the document", most: int | None = None) -> None:
        self._name, self._most = name, most
        # numpy allocates results up to this size (bytes) without a check: most reads are small.
        self._plain = min(_SMALL if most is None else most, _SMALL, _LEAST - 1)
        self._half = 0  # of the usable memory; 0 until it is looked up
        # Without a lock: memory may come back while some is being taken.
        self._kept: deque[_Return] = deque(maxlen=1 if _can_keep() else 0)

    def take(self, shape: tuple[int, int, int], dtype: np.dtype[Any]) -> _Array:
        """Return an array; raise ResultTooLargeError if it exceeds the limit or the memory."""
        height, width, samples = shape
        if height * width * samples * dtype.itemsize <= self._plain:
            return np.empty(shape, dtype)
        return self.make(shape, dtype, self._reused)

    def make(self, shape: Shape, dtype: np.dtype[Any], allocate: _Allocate = np.empty) -> _Array:
        """Return an array from `allocate`, of memory that is not kept; raises as `take`."""
        size = prod(shape) * dtype.itemsize
        self.check(shape, size)
        try:
            return allocate(shape, dtype)
        except (MemoryError, ValueError):  # the latter beyond numpy's largest size
            raise self._refusal(shape, size, "there is not enough memory now") from None

    def check(self, shape: Shape, size: int) -> None:
        """Raise ResultTooLargeError if a result may not take `size` bytes; nothing is allocated."""
        if self._most is None and size <= _SMALL:
            return
        taken = size
        if self._most is None:
            taken += _BYTES_PER_PLACE * max(shape)
            if taken <= _HARMLESS:
                return
            self._half = self._half or (usable_memory() or sys.maxsize) // 2
            most, why = self._half, "half of the memory that this process may use"
        else:
            most, why = self._most, "max_result_bytes"
        if taken > most:
            raise self._refusal(shape, size, f"a result may take {_in_words(most)} ({why})")

    def _refusal(self, shape: Shape, size: int, why: str) -> ResultTooLargeError:
        pixels = " x ".join(map(str, shape))
        return ResultTooLargeError(
            f"an array of {pixels} values from {self._name} takes {_in_words(size)}, but {why}; "
            "read a region (roi=), a smaller picture (zoom= or level=), one plane at a time "
            "(read_block) or lazily (to_dask), or set ReaderOptions(max_result_bytes=)"
        )

    def _reused(self, shape: Shape, dtype: np.dtype[Any]) -> _Array:
        size = prod(shape) * dtype.itemsize
        if not self._kept.maxlen or not _LEAST <= size <= _MOST:
            return np.empty(shape, dtype)
        try:
            pages: _Pages | None = self._kept.pop().pages
        except IndexError:
            pages = None
        if pages is None or not size <= pages.size <= size + size // 4:
            del pages  # before new ones are allocated
            pages = _Pages(size)
        return np.asarray(_Lease(pages, self._kept, shape, dtype))

    def clear(self) -> None:
        """Release the kept memory, and keep none from now on."""
        self._kept.clear()
        self._kept = deque(maxlen=0)


class _Pages:
    """Memory from the system, in large pages if possible."""

    def __init__(self, size: int) -> None:
        self.size = size
        try:
            self._map = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        except OSError as error:
            raise MemoryError(str(error)) from None
        self._advise(mmap.MADV_HUGEPAGE)
        #: Whether the system may take the pages back until they are written to again.
        self.may_be_kept = self._advise(mmap.MADV_FREE)
        self.madvise = self._map.madvise
        self.address = int(np.frombuffer(self._map, np.uint8).ctypes.data)

    def _advise(self, advice: int) -> bool:
        try:
            self._map.madvise(advice)
        except OSError:  # an old kernel, or locked memory
            return False
        return True


class _Lease:
    """The memory of an array and all of its views; its pages are kept when they are gone."""

    def __init__(self, pages: _Pages, kept: deque[_Return], shape: Shape, dtype: Any) -> None:
        self._pages = pages
        if pages.may_be_kept:
            keep = _Return(self, kept.append)
            keep.pages = pages
            free = _Return(self, operator.methodcaller("madvise", mmap.MADV_FREE))
            free.madvise = pages.madvise
            self._returns = keep, free  # the last one made is called first
        self.__array_interface__ = {
            "version": 3,
            "shape": shape,
            "typestr": dtype.str,
            "data": (pages.address, False),
        }


class _Return(weakref.ref):  # type: ignore[type-arg]
    """Notices the end of a `_Lease` with callbacks that are not Python code.

    An interrupt during Python code in such a callback would be printed and lost.
    """

    __slots__ = ("madvise", "pages")

    madvise: Callable[[int], None]
    pages: _Pages


def usable_memory(
    process: Path = Path("/proc/self"), groups: Path = Path("/sys/fs/cgroup")
) -> int | None:
    """Return the bytes of memory that this process may use; None if unknown.

    That is the least of the machine's memory, the limits of its control groups (versions 1 and 2),
    and the remainder of the process limits (``RLIMIT_AS``, ``RLIMIT_DATA``). The parameters are the
    folders in which Linux describes this process and the control groups.
    """
    found = [*_of_machine(), *_of_groups(process, groups), *_of_limits(process)]
    return min(found, default=None)


def _of_machine() -> Iterator[int]:
    with suppress(AttributeError, ValueError, OSError):
        yield os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if sys.platform == "win32":
        from ctypes import byref, c_ulonglong, windll

        kilobytes = c_ulonglong()
        if windll.kernel32.GetPhysicallyInstalledSystemMemory(byref(kilobytes)):
            yield kilobytes.value << 10


def _of_groups(process: Path, groups: Path) -> Iterator[int]:
    """Yield the limits of the process's groups and of the groups around them.

    In a container the outermost visible group has another name than the process knows.
    """
    for line in _lines(process / "cgroup"):
        _, controllers, path = line.split(":", 2)
        if controllers and "memory" not in controllers.split(","):
            continue
        top = groups / "memory" if controllers else groups
        name = "memory.limit_in_bytes" if controllers else "memory.max"
        own = top / path.lstrip("/")
        for folder in (own, *own.parents):
            for text in _lines(folder / name):
                if text.isdigit():  # not "max"
                    yield int(text)
            if folder == top:
                break


def _of_limits(process: Path) -> Iterator[int]:
    try:
        import resource
    except ImportError:  # Windows
        return
    used = [line.split() for line in _lines(process / "statm")]  # in pages: all, ..., data
    for name, column in (("RLIMIT_AS", 0), ("RLIMIT_DATA", 5)):
        limit = resource.getrlimit(getattr(resource, name))[0]
        if limit != resource.RLIM_INFINITY:
            now = int(used[0][column]) * resource.getpagesize() if used else 0
            yield max(limit - now, 0)


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text().split("\n")[:-1]
    except (OSError, UnicodeDecodeError):
        return []


def _in_words(size: int) -> str:
    return f"{size / 2**30:.1f} GiB" if size >= 2**30 else f"{size / 2**20:.1f} MiB"


def _can_keep() -> bool:
    named = all(hasattr(mmap, name) for name in ("MADV_FREE", "MADV_HUGEPAGE", "MAP_PRIVATE"))
    cpython = sys.platform == "linux" and sys.implementation.name == "cpython"
    return named and cpython and _last_is_called_first()


def _last_is_called_first() -> bool:
    """Return whether Python calls the callbacks of two weak references in reverse order."""
    called: list[Any] = []
    thing = _Lease.__new__(_Lease)
    refs = _Return(thing, called.append), _Return(thing, called.append)
    del thing
    return called == [refs[1], refs[0]]
