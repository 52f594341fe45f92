"""Memory for results: limits their size, and keeps that of large ones for later results.

The size of a plane comes from the file, and one damaged number is enough for an array that makes
the machine swap, or the system kill the process. So a result may take half of the memory that the
process may use; only large results need to look that up.

The system clears the memory that it hands out. For 512 KiB this takes 0.3 ms in pages of 4 KiB,
three times as long as reading them, and a tenth of that in pages of 2 MiB. The C library often
gives memory back, especially after several results at once. So large results have places in memory
that is kept. The system can take it back as soon as no result is left in it (``MADV_FREE``).
"""

from __future__ import annotations

import mmap
import operator
import os
import sys
import time
import weakref
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import cache, partial
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from czictypes.model.errors import ResultTooLargeError

Shape = Sequence[int]
_Array = NDArray[Any]
_Allocate = Callable[[Shape, "np.dtype[Any]"], _Array]

#: Results of these sizes (bytes) get memory that is kept; the second is the limit of all, too.
_LEAST, _MOST = 256 << 10, 256 << 20
#: Memory comes from the system in pieces of so many bytes, or of one result.
_PIECE = 8 << 20
#: The system may search for a large page for longer than clearing small ones takes (seconds).
_SLOW = 0.001
#: Results of these sizes (bytes) are always allowed by default.
_SMALL, _HARMLESS = 1 << 20, 64 << 20
#: Reading takes more bytes for each row and column, which matters for images of one line.
_BYTES_PER_PLACE = 64


class ResultMemory:
    """Allocates arrays for results, with undefined contents; safe to use from many threads.

    Keeps up to 256 MiB without results, on Linux and CPython only: there the system may take
    the pages back, and an array is freed with its last reference. `name` names the document in
    messages; `most` is the size limit in bytes, by default half of `usable_memory`.
    """

    def __init__(self, name: str = "the document", most: int | None = None) -> None:
        self._name, self._most = name, most
        # numpy allocates results up to this size (bytes) without a check: most reads are small.
        self._plain = min(_SMALL if most is None else most, _SMALL, _LEAST - 1)
        self._half = 0  # of the usable memory; 0 until it is looked up
        self._keeps = _can_keep()
        # By size. Without a lock: places may come back while some are being taken.
        self._free: dict[int, deque[_Place]] = {}
        self._latest: _Use | None = None  # so that results one after the other release nothing
        self._large = True  # whether large pages are to be had

    def take(self, shape: tuple[int, int, int], dtype: np.dtype[Any]) -> _Array:
        """Return an array; raise ResultTooLargeError if it exceeds the limit or the memory."""
        height, width, samples = shape
        if height * width * samples * dtype.itemsize <= self._plain:
            return np.empty(shape, dtype)
        return self.make(shape, dtype)

    def make(self, shape: Shape, dtype: np.dtype[Any], allocate: _Allocate | None = None) -> _Array:
        """Return an array of any shape, from `allocate` if it is given; raises as `take`."""
        size = prod(shape) * dtype.itemsize
        self.check(shape, size)
        try:
            if allocate is None and self._keeps and _LEAST <= size <= _MOST:
                # OSError: no memory that can be kept. IndexError: another thread was faster.
                with suppress(OSError, IndexError):
                    return np.asarray(self._lease(size, tuple(shape), dtype.str))
            return (allocate or np.empty)(shape, dtype)
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

    def _lease(self, size: int, shape: tuple[int, ...], typestr: str) -> _Lease:
        step = max(1 << max(size.bit_length() - 4, 0), mmap.PAGESIZE)
        size = -(-size // step) * step  # results of similar sizes have the same places
        places = self._free.get(size)
        if not places:
            places = self._with_more(size)
        place = places.pop()
        use = place.pages.use()
        if place.pages.size <= _PIECE:
            self._latest = use
        return _Lease(place, use, places, shape, typestr)

    def _with_more(self, size: int) -> deque[_Place]:
        """Return places of a size, with new ones, after those of other sizes made room."""
        places = self._free.pop(size, None)
        count = max(_PIECE // size, 1)
        if places is None:
            places, count = deque(maxlen=_MOST // size), 1  # there may be only one at a time
        self._free[size] = places
        for oldest in list(self._free.values()):
            if self.kept + size > _MOST:
                oldest.clear()
        pages = _Pages(count * size, large=self._large or size > _PIECE)
        self._large = pages.large
        for offset in range(pages.size - size, -1, -size):
            place = _Place(pages)
            place.pages, place.offset = pages, offset
            places.append(place)
        return places

    @property
    def kept(self) -> int:
        """The bytes of free places."""
        return sum(size * len(places) for size, places in list(self._free.items()))

    def clear(self) -> None:
        """Release the kept memory, and keep none from now on."""
        self._keeps, self._latest = False, None
        for places in list(self._free.values()):
            places.clear()
        self._free.clear()


class _Pages:
    """Memory from the system, in `large` pages if they are to be had soon.

    Raises OSError if the system gives none that it takes back.
    """

    def __init__(self, size: int, *, large: bool) -> None:
        self.size, self.large = size, large
        memory = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        #: Lets the system take the pages back until they are written to again.
        self.release = partial(memory.madvise, mmap.MADV_FREE)
        self.release()  # an old kernel refuses, and for locked memory every one
        with suppress(OSError):
            memory.madvise(mmap.MADV_HUGEPAGE if large else mmap.MADV_NOHUGEPAGE)
            begun = time.thread_time()
            memory[0] = 0
            if time.thread_time() - begun > _SLOW:
                self.large = False
                memory.madvise(mmap.MADV_NOHUGEPAGE)
        self.address = int(np.frombuffer(memory, np.uint8).ctypes.data)
        #: Holds an item while there is no `_Use`.
        self.released: list[object] = [None]
        self._use: Callable[[], _Use | None] = lambda: None

    def use(self) -> _Use:
        """Return what a result must hold; IndexError if the pages are just being released."""
        use = self._use()
        if use is None:
            self.released.pop()
            use = _Use(self)
            self._use = weakref.ref(use)
        return use


class _Use:
    """Held by all results in the same pages, which are released when it is gone."""

    def __init__(self, pages: _Pages) -> None:
        released = weakref.ref(self, pages.released.append)
        release = _Release(self, operator.methodcaller("release"))
        release.release = pages.release
        self._returns = released, release  # the last one made is called first


class _Lease:
    """The memory of an array and all of its views; its place is free when they are gone."""

    __slots__ = ("__array_interface__", "__weakref__", "_place", "_use")

    def __init__(
        self, place: _Place, use: _Use, places: deque[_Place], shape: Shape, typestr: str
    ) -> None:
        self._use = use
        self._place = again = _Place(self, places.append)
        again.pages, again.offset = place.pages, place.offset
        self.__array_interface__ = {
            "version": 3,
            "shape": shape,
            "typestr": typestr,
            "data": (place.pages.address + place.offset, False),
        }


# The callbacks of these are not Python code: an interrupt in it would be printed and lost.


class _Place(weakref.ref):  # type: ignore[type-arg]
    """A place for a result; free when the lease to which it refers is gone."""

    __slots__ = ("offset", "pages")

    offset: int
    pages: _Pages


class _Release(weakref.ref):  # type: ignore[type-arg]
    """Releases pages when the use to which it refers is gone."""

    __slots__ = ("release",)

    release: Callable[[], object]


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
        import ctypes

        # MEMORYSTATUSEX: its own size and the load, then 7 sizes, of which the 1st is the machine's
        # memory, and the 3rd what all processes may use (with the file to which Windows swaps).
        # The 5th is the address space of this one.
        status = (ctypes.c_uint64 * 8)(64)
        if ctypes.windll.kernel32.GlobalMemoryStatusEx(status):
            yield from (status[1], status[3], status[5])


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


@cache
def _can_keep() -> bool:
    named = all(hasattr(mmap, name) for name in ("MADV_FREE", "MADV_HUGEPAGE", "MAP_PRIVATE"))
    cpython = sys.platform == "linux" and sys.implementation.name == "cpython"
    return named and cpython and _last_is_called_first()


def _last_is_called_first() -> bool:
    """Return whether Python calls the callbacks of two weak references in reverse order."""
    called: list[Any] = []
    thing = _Use.__new__(_Use)
    refs = weakref.ref(thing, called.append), _Release(thing, called.append)
    del thing
    return called == [refs[1], refs[0]]
