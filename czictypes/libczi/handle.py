"""The owner of a libCZI object, which is released exactly once and never while it is in use.

libCZI cannot distinguish a released handle from a live one: a second release, or a call on a
released handle, corrupts memory. Therefore release functions are only called in this module.
"""

from __future__ import annotations

import itertools
import os
import threading
import weakref
from collections.abc import Callable
from typing import Any, ClassVar, NoReturn

from czictypes.container.uses import Uses
from czictypes.libczi.library import Library, loaded_libraries
from czictypes.model.errors import ClosedError, CziError
from czictypes.model.public import Closable

_serial = itertools.count(1)


class _Ownership:
    """The native object behind a `Handle`, separate from it for the finalizer.

    After a fork, the child does not touch the object: its locks may be held by threads that do not
    exist in the child, and closing a stream could write the parent's buffers twice.
    """

    def __init__(self, library: Library, raw: int, release: str, label: str) -> None:
        self.library = library
        self.raw = raw
        self.release = release
        self.label = label
        self.process = os.getpid()
        self.uses = Uses()
        # The handle to release; removed in the same step that releases it.
        self._to_release = {"raw": raw}
        self.serial = next(_serial)
        library.live[self.serial] = self

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self.uses.ended

    @property
    def released(self) -> bool:
        """Whether nothing is left to be released."""
        return not self._to_release or self.process != os.getpid()

    def enter(self, lock: Any) -> int:
        """Return the native handle, which stays valid until the lock is released."""
        if self.process != os.getpid():
            raise ClosedError(
                f"{self.label} was opened before this process was forked; open the file again here"
            )
        if not self.uses.add(lock):
            raise ClosedError(f"{self.label} is closed")
        return self.raw

    def close(self) -> None:
        """Wait for pending calls, then release the object; a second call does nothing."""
        if self.process != os.getpid():
            self.uses.end()
            self.forget()
            return
        if self.uses.here():
            raise CziError(f"{self.label} cannot be closed by the call that is using it")
        self.uses.end()
        self.uses.wait()
        try:
            self.library.call_once(self.release, self._to_release, what=f"release {self.label}")
        finally:
            if not self._to_release:
                self.forget()

    def abandon(self) -> None:
        """Release at garbage collection or interpreter exit."""
        # At exit, a daemon thread may still be in a call: a leak is better than a crash.
        if self.uses.idle():
            self.close()

    def forget(self) -> None:
        """Remove the object from the list of live ones."""
        self.library.live.pop(self.serial, None)


class Borrow:
    """A use of a handle: a context manager that returns the native handle (see `Use`)."""

    __slots__ = ("__exit__", "_handle", "_lock", "_ownership")

    __exit__: Callable[..., None]

    def __init__(self, handle: Handle, ownership: _Ownership) -> None:
        self._handle = handle  # keeps it from being collected, hence from being released
        self._ownership = ownership
        self._lock = lock = threading.Lock()
        lock.acquire()
        self.__exit__ = lock.__exit__

    def __enter__(self) -> int:
        try:
            return self._ownership.enter(self._lock)
        except BaseException:
            self._lock.release()
            raise


class Handle(Closable):
    """The owner of a libCZI object.

    The object is released once: by `close`, at the end of a ``with`` block, at garbage collection
    or at interpreter exit. `close` waits for pending calls. Methods are thread-safe.

    Parameters
    ----------
    library
        The library that made the object.
    raw
        The native handle, not 0.
    name
        The name of the file, for messages.
    owns
        Handles that this one closes after itself.
    """

    #: The C function that releases the object.
    _release: ClassVar[str] = ""

    #: The name of the kind in messages.
    _kind: ClassVar[str] = "handle"

    def __init__(
        self,
        library: Library,
        raw: int,
        name: str,
        *,
        owns: tuple[Handle, ...] = (),
    ) -> None:
        self.library = library
        self.name = name
        self._owns = owns
        self._ownership = _Ownership(library, raw, self._release, f"the {self._kind} of {name}")
        self._finalizer = weakref.finalize(self, self._ownership.abandon)

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._ownership.closed

    def borrow(self) -> Borrow:
        """Use the native handle: `close` waits for the end of ``with handle.borrow() as raw``.

        Raises
        ------
        ClosedError
            On entry, if the handle is closed or was inherited by a fork.
        """
        return Borrow(self, self._ownership)

    def close(self) -> None:
        """Wait for pending calls, then release the object and what it owns.

        A second call does nothing.

        Raises
        ------
        CziError
            If the calling thread itself is in a call on this handle, which then stays open.
        """
        try:
            self._ownership.close()
        finally:
            if self._ownership.released:
                self._finalizer.detach()
                for handle in self._owns:
                    handle.close()

    def _call(self, function: str, *args: Any, what: str) -> None:
        """Call a C function on this object while keeping it open."""
        with Borrow(self, self._ownership) as raw:
            self.library.call(function, raw, *args, what=what, file=self.name)

    def _create(self, function: str, *args: Any, what: str) -> int:
        """Call a C function on this object that creates another one; return its native handle."""
        out = self.library.ffi.new("ObjectHandle *")
        self._call(function, *args, out, what=what)
        return int(out[0])

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            f"{self._ownership.label} lives in this process only: it cannot be copied or pickled"
        )

    def __repr__(self) -> str:
        state = " (closed)" if self.closed else ""
        return f"<{type(self).__name__} of {self.name}{state}>"


def live_handles() -> list[str]:
    """Return a description of each libCZI object that is not yet released, oldest first."""
    here = os.getpid()
    return [
        ownership.label
        for library in loaded_libraries()
        for ownership in library.live.copy().values()
        if ownership.process == here
    ]
