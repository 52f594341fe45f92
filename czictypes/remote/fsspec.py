"""Read ranges of a file in any filesystem of fsspec, asynchronous or not, and of an object in S3.

Most filesystems do not reveal the version of the file that a range comes from. Therefore the
description of the file is compared after each request with that at opening. Requests to S3, or to a
store with the same protocol, have an If-Match header with the ETag of the first answer, so that the
server refuses ranges of another version.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, BinaryIO, Optional, TypeVar

from czictypes.container.byte_source import ByteSource
from czictypes.container.workers import Task, Workers
from czictypes.model.errors import RangesNotSupportedError, RemoteError
from czictypes.model.options import RemoteOptions
from czictypes.remote.transport import (
    AsyncTransport,
    AttemptError,
    Complete,
    Fail,
    Failure,
    Opening,
    Transport,
)
from czictypes.remote.urls import Redactor

T = TypeVar("T")

# The filesystem's description of the file, or the reason why it could not be read.
Info = tuple[Optional[dict[str, Any]], Optional[Failure]]
Asking = asyncio.Future[Info]

#: The keys by which filesystems describe the version of a file.
_VERSION_KEYS = (
    *("ETag", "etag", "generation", "md5Hash", "content_md5", "checksum", "VersionId", "sha"),
    *("LastModified", "last_modified", "updated", "mtime", "modified", "created", "Last-Modified"),
)


def _identity(info: dict[str, Any]) -> tuple[Any, ...]:
    told = tuple((name, str(info[name])) for name in _VERSION_KEYS if info.get(name) is not None)
    return (info.get("size"), *told)


def _size(transport: Transport, info: dict[str, Any]) -> int:
    if info.get("type") == "directory":
        raise AttemptError(Failure(RemoteError(f"{transport.name} is a directory, not a CZI file")))
    if info.get("size") is None:
        raise AttemptError(
            Failure(RemoteError(f"{transport.name}: the filesystem does not tell the file's size"))
        )
    return int(info["size"])


class AsyncFsTransport(AsyncTransport):
    """A file in an asynchronous filesystem."""

    def __init__(self, fs: Any, path: str, redact: Redactor, options: RemoteOptions) -> None:
        super().__init__(fs, redact, options)
        self._path = path
        self._opened: tuple[Any, ...] = ()
        self._asking: Asking | None = None
        self._next: Asking | None = None

    async def first(self, count: int) -> Opening:
        """Request the size, then the first bytes."""
        info = await self._info()
        size = _size(self, info)
        self._opened = _identity(info)
        data = await self._part(0, min(count, size)) if size else b""
        await self._check()
        if len(data) != min(count, size):
            raise AttemptError(self.short(0, min(count, size), len(data)))
        return Opening(size, self._opened, data)

    async def fetch(self, start: int, end: int) -> bytes:
        """Fetch a range, then check that the file has not changed."""
        data = await self._part(start, end)
        await self._check()
        return data

    async def _part(self, start: int, end: int) -> bytes:
        wanted = self.fs._cat_file(self._path, start=start, end=end)
        data: bytes = await asyncio.wait_for(wanted, self.options.timeout)
        return data

    async def _info(self) -> dict[str, Any]:
        self.fs.invalidate_cache(self.fs._parent(self._path))
        info: dict[str, Any] = await asyncio.wait_for(
            self.fs._info(self._path), self.options.timeout
        )
        return info

    async def _check(self) -> None:
        """Check that the file is unchanged; ranges that arrive meanwhile share the next check."""
        if self._asking is not None and not self._asking.done():
            if self._next is None:
                self._next = asyncio.ensure_future(self._after(self._asking))
            task = self._next
        else:
            task = self._asking = asyncio.ensure_future(self._once(self._info))
        info, failure = await asyncio.shield(task)
        if failure is not None:
            raise AttemptError(failure)
        if _identity(info or {}) != self._opened:
            raise AttemptError(self.changed("size, version or date is another"))

    async def _after(self, before: Asking) -> Info:
        await asyncio.wait([before])
        self._asking, self._next = self._next, None
        return await self._once(self._info)


class SyncFsTransport(Transport):
    """A file in a synchronous filesystem.

    A separate thread makes the requests, so that reading ahead works here, too. `owned` is the
    archive that contains the filesystem; it is closed with the transport.
    """

    def __init__(
        self,
        fs: Any,
        path: str,
        redact: Redactor,
        options: RemoteOptions,
        owned: ByteSource | None = None,
    ) -> None:
        super().__init__(redact, options)
        self._fs, self._path, self._owned = fs, path, owned
        self._stream: BinaryIO | None = None
        self._worker = Workers(1, "czictypes-remote")
        self._closed = False
        self._opened: tuple[Any, ...] = ()
        self._direct = _has_own(fs, "cat_file")

    def open(self, count: int) -> Opening:
        """Request the size and the first bytes."""
        opening = Task(lambda: self._attempts(lambda: self._first(count)))
        try:
            self._worker.submit(opening)
            return opening.result()
        except BaseException:
            opening.stop()
            self.close()
            raise

    def submit(self, start: int, end: int, complete: Complete[bytes], fail: Fail) -> None:
        """Fetch a range."""

        def fetch() -> None:
            try:
                data = self._attempts(lambda: self._fetch(start, end))
            except BaseException as error:
                fail(error.with_traceback(None))  # the message is enough
            else:
                complete(data)

        self._worker.submit(Task(fetch))

    def wake(self) -> None:
        """Make the thread look for requests."""
        self._worker.look()

    def identity(self) -> tuple[Any, ...] | None:
        """Return the identity if the filesystem is in the memory of this process."""
        return self._current() if _is_memory(self._fs) else None

    def close(self) -> None:
        """Close the file and end the thread."""
        self._closed = True
        self._worker.submit(Task(self._close_stream))
        self._worker.close()
        if self._owned is not None:
            self._owned.close()

    def _first(self, count: int) -> Opening:
        self._opened = self._current()
        size = self._opened[0]
        return Opening(size, self._opened, self._fetch(0, min(count, size)) if size else b"")

    def _fetch(self, start: int, end: int) -> bytes:
        data = self._part(start, end)
        if self._current() != self._opened:
            raise AttemptError(self.changed("size, version or date is another"))
        if len(data) != end - start:
            raise AttemptError(self.short(start, end, len(data)))
        return data

    def _part(self, start: int, end: int) -> bytes:
        if self._direct:
            data: bytes = self._fs.cat_file(self._path, start=start, end=end)
            return data
        if self._stream is None:
            self._stream = self._fs.open(self._path, "rb")
        assert self._stream is not None
        self._stream.seek(start)
        parts = []
        while start < end:
            part = self._stream.read(end - start)
            if not part:
                break
            parts.append(part)
            start += len(part)
        return b"".join(parts)

    def _current(self) -> tuple[Any, ...]:
        info = self._fs.info(self._path)
        size = _size(self, info)
        if _is_memory(self._fs):
            with suppress(NotImplementedError):  # of old versions of fsspec
                info = {**info, "modified": self._fs.modified(self._path)}
        return (size, *_identity(info)[1:])

    def _close_stream(self) -> None:
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.close()

    def _attempts(self, act: Callable[[], T]) -> T:
        pause = self.options.backoff
        for left in range(int(self.options.retries), -1, -1):
            if self._closed:  # no one waits for the result any more
                raise ConnectionError("the file was closed while it was read")
            result, failure = self._once(act)
            if failure is None:
                return result  # type: ignore[return-value]
            if not (failure.again and left):
                break
            self._close_stream()
            wait = min(pause, 8.0)
            self.log_retry(failure, wait)
            time.sleep(wait)
            pause *= 2
        assert failure is not None
        raise failure.error

    def _once(self, act: Callable[[], T]) -> tuple[T | None, Failure | None]:
        try:
            return act(), None
        except Exception as error:
            return None, self.failure(error)


def _is_memory(fs: Any) -> bool:
    return bool(fs.protocol == "memory")


def _has_own(fs: Any, method: str) -> bool:
    """Return whether a filesystem overrides a method of fsspec's base class."""
    from fsspec import AbstractFileSystem

    own, base = getattr(type(fs), method, None), getattr(AbstractFileSystem, method)
    return own is not base


_TOTAL = re.compile(r"bytes\s+\d+-\d+/(\d+)", re.IGNORECASE)


class S3Transport(AsyncTransport):
    """An object in S3.

    `fs` is the S3FileSystem of s3fs, which also repeats failed requests itself; `path` is the
    bucket and the key.
    """

    def __init__(self, fs: Any, path: str, redact: Redactor, options: RemoteOptions) -> None:
        super().__init__(fs, redact, options)
        bucket, key, version = fs.split_path(path)
        self._object = {"Bucket": bucket, "Key": key}
        if version:
            self._object["VersionId"] = version
        self._size = -1
        self._etag = ""

    async def first(self, count: int) -> Opening:
        """Fetch the first bytes; the answer has the size and the version."""
        if not self._object["Key"]:
            raise AttemptError(self.missing())
        try:
            answer = await self._get(Range=f"bytes=0-{count - 1}")
        except OSError as error:
            if "InvalidRange" not in f"{error} {_code(error)}":
                raise
            return Opening(0, (0, ""), b"", whole=True)
        total = _TOTAL.match(answer.get("ContentRange") or "")
        size = int(total.group(1)) if total else int(answer["ContentLength"])
        if total is None and size > self.options.largest_download:
            answer["Body"].close()
            raise AttemptError(
                Failure(RangesNotSupportedError(f"the server of {self.name} gives no ranges"))
            )
        self._size, self._etag = size, answer.get("ETag") or ""
        data = await self._body(answer)
        if total is not None and len(data) != min(count, size):
            raise AttemptError(self.short(0, min(count, size), len(data)))
        identity = size, self._etag, str(answer.get("LastModified"))
        return Opening(size, identity, data, whole=total is None)

    async def fetch(self, start: int, end: int) -> bytes:
        """Fetch a range of the version that was opened."""
        condition = {"IfMatch": self._etag} if self._etag else {}
        try:
            answer = await self._get(Range=f"bytes={start}-{end - 1}", **condition)
        except OSError as error:
            code = _code(error)
            if code in ("PreconditionFailed", "412"):
                raise AttemptError(self.changed("it has another ETag")) from None
            if code in ("InvalidRange", "416"):
                raise AttemptError(self.changed(f"it has no byte {end - 1} any more")) from None
            raise
        total = _TOTAL.match(answer.get("ContentRange") or "")
        if answer.get("ETag", self._etag) != self._etag:
            answer["Body"].close()
            raise AttemptError(self.changed("it has another ETag"))
        if total is not None and int(total.group(1)) != self._size:
            answer["Body"].close()
            raise AttemptError(self.changed(f"it has {total.group(1)} bytes, not {self._size}"))
        data = await self._body(answer)
        return data if total is not None else data[start:end]

    async def _get(self, **options: Any) -> Any:
        return await self.fs._call_s3("get_object", **self._object, **options)

    async def _body(self, answer: Any) -> bytes:
        try:
            data: bytes = await answer["Body"].read()
            return data
        finally:
            answer["Body"].close()

    def failure(self, error: BaseException) -> Failure:
        """Translate an exception; retry if the connection broke."""
        found = super().failure(error)
        broken = type(error).__module__.partition(".")[0] in ("aiohttp", "aiobotocore", "botocore")
        known = isinstance(error, (FileNotFoundError, PermissionError, AttemptError))
        return found._replace(again=found.again or (broken and not known))


def _code(error: BaseException) -> str:
    """Return the error code of S3, which s3fs keeps in the cause."""
    response = getattr(error.__cause__, "response", None) or getattr(error, "response", None) or {}
    return str(response.get("Error", {}).get("Code", ""))
