"""Request ranges of a remote file, and repeat failed requests.

Subclasses in `http`, `s3` and `fsspec` make the requests. They also compare each answer with the
first one, to ensure that all ranges are from the same version of the file.
"""

from __future__ import annotations

import asyncio
import errno
import logging
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import Any, NamedTuple, TypeVar

from czictypes.container.workers import Outcome
from czictypes.model.errors import (
    CziError,
    FileChangedError,
    RemoteAccessError,
    RemoteError,
    RemoteNotFoundError,
    RemoteTimeoutError,
)
from czictypes.model.options import RemoteOptions
from czictypes.remote.urls import Redactor

T = TypeVar("T")

#: Called with the data of a successful request, or with the error of a failed one.
Complete = Callable[[T], object]
Fail = Callable[[BaseException], object]

_LOG = logging.getLogger(__name__)

_LONGEST_WAIT = 8.0  # seconds between two attempts
_BUSY = {errno.EBUSY, errno.EAGAIN, errno.ETIMEDOUT, errno.ECONNRESET, errno.EPIPE}


class Opening(NamedTuple):
    """The properties of a remote file after the first request.

    `identity` changes with the content; `data` are the first bytes, or all bytes if `whole`.
    """

    size: int
    identity: tuple[Any, ...]
    data: bytes
    whole: bool = False


class Failure(NamedTuple):
    """The error of a failed request, without credentials; whether to retry it, and when."""

    error: Exception
    again: bool = False
    wait: float | None = None


class AttemptError(Exception):
    """The internal error for a failed request; callers never see it."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(str(failure.error))
        self.failure = failure


class Transport(ABC):
    """A remote file that is read by ranges, several at the same time.

    `redact` has the file's name, and removes credentials from messages.
    """

    def __init__(self, redact: Redactor, options: RemoteOptions) -> None:
        self.redact = redact
        self.name = redact.name
        self.options = options

    @abstractmethod
    def open(self, count: int) -> Opening:
        """Fetch at least the first `count` bytes, or the whole file if it is smaller.

        Raises
        ------
        RemoteError
            If the file does not exist or cannot be read.
        """

    @abstractmethod
    def submit(self, start: int, end: int, complete: Complete[bytes], fail: Fail) -> None:
        """Fetch exactly the bytes from `start` to `end`, then call `complete` or `fail`.

        The call is made in another thread, safe from interrupts.
        """

    def wake(self) -> None:
        """Wake the thread that makes the requests, in case an interrupt has prevented that."""
        return

    def identity(self) -> tuple[Any, ...] | None:
        """Return the current identity if that takes no request, else None."""
        return None

    @abstractmethod
    def close(self) -> None:
        """Cancel pending requests."""

    def log_retry(self, failure: Failure, wait: float) -> None:
        """Log that a failed request is repeated after `wait` seconds."""
        _LOG.info("%s; trying again in %.2g s", failure.error, wait)

    def failure(self, error: BaseException) -> Failure:
        """Translate an exception of fsspec or of the network.

        The text of an exception may contain credentials, so it is neither raised nor chained.
        """
        if isinstance(error, AttemptError):
            return error.failure
        if isinstance(error, CziError):
            return Failure(error)
        said = self.redact(f"{type(error).__name__}: {error}".rstrip(": "))
        if isinstance(error, FileNotFoundError):
            return self.missing()
        if isinstance(error, PermissionError):
            return self.forbidden(said)
        if type(error).__name__ == "FileExpired":
            return self.changed("another version is there")
        if isinstance(error, (asyncio.TimeoutError, TimeoutError)):
            return self.late()
        again = isinstance(error, (ConnectionError, EOFError))
        again = again or (isinstance(error, OSError) and error.errno in _BUSY)
        return Failure(RemoteError(f"{self.name} cannot be read: {said}"), again)

    def missing(self) -> Failure:
        """Return the failure for a file that does not exist."""
        return Failure(RemoteNotFoundError(f"there is no file at {self.name}; check the URL"))

    def forbidden(self, said: str) -> Failure:
        """Return the failure for missing permissions."""
        return Failure(
            RemoteAccessError(
                f"the server does not let us read {self.name} ({said}); credentials go into the "
                "URL or into storage_options"
            )
        )

    def late(self) -> Failure:
        """Return the failure for a server that does not answer in time."""
        return Failure(
            RemoteTimeoutError(
                f"{self.name}: no answer in {self.options.timeout:g} s; try again, or set "
                "storage_options={'czictypes': {'timeout': ...}}"
            ),
            True,
        )

    def changed(self, how: str) -> Failure:
        """Return the failure for a file that changed after it was opened."""
        return Failure(
            FileChangedError(
                f"{self.name} changed on the server while it was open ({how}); what was read "
                "before does not fit; read again, which opens the new file"
            )
        )

    def short(self, start: int, end: int, found: int) -> Failure:
        """Return the failure for an answer with too few bytes."""
        return Failure(
            RemoteError(
                f"{self.name}: the server sent {found} of the {end - start} bytes from {start} on"
            ),
            True,
        )


class AsyncTransport(Transport):
    """A transport that uses the event loop of an asynchronous filesystem of fsspec."""

    def __init__(self, fs: Any, redact: Redactor, options: RemoteOptions) -> None:
        super().__init__(redact, options)
        self.fs = fs
        self._loop: asyncio.AbstractEventLoop = fs.loop
        self._places: asyncio.Semaphore | None = None
        self._pending: set[asyncio.Task[Any]] = set()
        self._closed = False

    @abstractmethod
    async def first(self, count: int) -> Opening:
        """Make the first request."""

    @abstractmethod
    async def fetch(self, start: int, end: int) -> bytes:
        """Make a request; `failure` translates any exception."""

    def open(self, count: int) -> Opening:
        """Fetch the first bytes."""
        opening: Outcome[Opening] = Outcome(self.wake)
        try:
            self._submit(lambda: self.first(count), opening.succeed, opening.fail)
            return opening.result()
        except BaseException:
            self.close()
            raise

    def submit(self, start: int, end: int, complete: Complete[bytes], fail: Fail) -> None:
        """Fetch a range."""
        self._submit(lambda: self._whole(start, end), complete, fail)

    def wake(self) -> None:
        """Wake the event loop."""
        self._loop.call_soon_threadsafe(_nothing)

    def close(self) -> None:
        """Cancel all pending requests."""
        self._closed = True
        with suppress(RuntimeError):  # a loop that has ended
            self._loop.call_soon_threadsafe(self._cancel)

    def _cancel(self) -> None:
        for task in self._pending.copy():
            task.cancel()

    def _submit(
        self,
        act: Callable[[], Awaitable[T]],
        complete: Complete[T],
        fail: Fail,
    ) -> None:
        """Start in the loop's own thread, because Futures are not safe against interrupts here."""
        if _running_loop() is self._loop:
            raise RuntimeError(f"{self.name} cannot be read by the thread that fetches its bytes")
        self._loop.call_soon_threadsafe(self._begin, act, complete, fail)

    def _begin(
        self,
        act: Callable[[], Awaitable[T]],
        complete: Complete[T],
        fail: Fail,
    ) -> None:
        task = self._loop.create_task(self._attempts(act))
        self._pending.add(task)
        task.add_done_callback(partial(self._ended, complete, fail))
        if self._closed:
            task.cancel()

    def _ended(
        self,
        complete: Complete[T],
        fail: Fail,
        task: asyncio.Task[T],
    ) -> None:
        self._pending.discard(task)
        error = _closed() if task.cancelled() else task.exception()
        if error is None:
            complete(task.result())
        else:
            fail(error.with_traceback(None))  # the message is enough

    async def _whole(self, start: int, end: int) -> bytes:
        data = await self.fetch(start, end)
        if len(data) != end - start:
            raise AttemptError(self.short(start, end, len(data)))
        return data

    async def _attempts(self, act: Callable[[], Awaitable[T]]) -> T:
        """Try repeatedly; raise errors without a cause or context that may have credentials."""
        if self._places is None:
            self._places = asyncio.Semaphore(self.options.max_concurrency)
        pause = self.options.backoff
        for left in range(int(self.options.retries), -1, -1):
            async with self._places:
                result, failure = await self._once(act)
            if failure is None:
                return result  # type: ignore[return-value]
            if not (failure.again and left):
                break
            asked = min(failure.wait or 0.0, self.options.timeout)
            wait = max(min(pause, _LONGEST_WAIT), asked)
            self.log_retry(failure, wait)
            await asyncio.sleep(wait)
            pause *= 2
        assert failure is not None
        raise failure.error

    async def _once(self, act: Callable[[], Awaitable[T]]) -> tuple[T | None, Failure | None]:
        try:
            return await act(), None
        except asyncio.CancelledError:
            raise
        except Exception as error:
            return None, self.failure(error)


def _closed() -> BaseException:
    return ConnectionError("the file was closed while it was read")


def _nothing() -> None:
    pass


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
