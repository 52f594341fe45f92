"""The owner of one libCZI object: released exactly once, and never while it is in use.

libCZI cannot tell a released handle from a live one, so a second release, or a call on a released
handle, is memory corruption. Release functions are therefore called here and nowhere else.
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
from czictypes.model.closable import Closable
from czictypes.model.errors import ClosedError, CziError

_serial = itertools.count(1)


class _Ownership:
    """The native object behind a `Handle`; it outlives the handle, for the finaliser's sake.

    After a fork the child leaves the object alone: its locks may be held by threads that the
    child does not have, and closing a stream there could write the parent's buffers twice.
    """

    def __init__(self, library: Library, raw: int, release: str, label: str) -> None:
        self.library = library
        self.raw = raw
        self.release = release
        self.label = label
        self.process = os.getpid()
        self.uses = Uses()
        # The handle to release; taken out by the very step that releases it.
        self._to_release = {"raw": raw}
        self.serial = next(_serial)
        library.live[self.serial] = self

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self.uses.ended

    @property
    def released(self) -> bool:
        """Whether nothing is left to do."""
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
        """Wait for the calls in flight, then release; calls after the first do nothing."""
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
        # at exit a daemon thread may still be in a call: better to leak than to pull it away
        if self.uses.idle():
            self.close()

    def forget(self) -> None:
        """Take the object off the list of live ones."""
        self.library.live.pop(self.serial, None)


class Borrow:
    """A use of a handle, as a context manager that gives the native handle (see `Use`)."""

    __slots__ = ("__exit__", "_handle", "_lock", "_ownership")

    __exit__: Callable[..., None]

    def __init__(self, handle: Handle, ownership: _Ownership) -> None:
        self._handle = handle  # not collected, hence not released, meanwhile
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
    """One libCZI object, owned.

    It is released by `close`, at the end of a ``with`` block, when it is collected as garbage or
    at interpreter exit, whichever comes first, and only once. `close` waits for calls in flight.
    Methods may be called from any thread.

    Parameters
    ----------
    library
        The library that made the object; the handle stays with it.
    raw
        The native handle, not 0.
    name
        The file it is of, for messages.
    owns
        Handles that this one closes after itself.
    """

    #: The C function that releases an object of this kind.
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
        """Use the native handle: ``with handle.borrow() as raw`` keeps `close` waiting.

        Raises
        ------
        ClosedError
            On entering, when the handle is closed or was inherited by a fork.
        """
        return Borrow(self, self._ownership)

    def close(self) -> None:
        """Wait for calls in flight, release the object, then what it owns.

        Does nothing the second time.

        Raises
        ------
        CziError
            If the calling thread itself is in a call on this handle; it stays open.
        """
        try:
            self._ownership.close()
        finally:
            if self._ownership.released:
                self._finalizer.detach()
                for handle in self._owns:
                    handle.close()

    def _call(self, function: str, *args: Any, what: str) -> None:
        """Call a C function on this object, guarded."""
        with Borrow(self, self._ownership) as raw:
            self.library.call(function, raw, *args, what=what, file=self.name)

    def _create(self, function: str, *args: Any, what: str) -> int:
        """Call a C function on this object that makes another; return that one's handle."""
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
    """Return a description of each libCZI object that is not released yet, oldest first."""
    here = os.getpid()
    return [
        ownership.label
        for library in loaded_libraries()
        for ownership in library.live.copy().values()
        if ownership.process == here
    ]
