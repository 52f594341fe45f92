"""Read ranges of a file on a web server, with the session of fsspec's HTTP filesystem.

Each request names the version of the file that it needs (If-Match or If-Unmodified-Since), and
each answer is compared with the first one: ETag, Last-Modified and size (RFC 9110, 13 and 14).
Thus, no additional requests are needed to notice changes.
"""

from __future__ import annotations

import asyncio
import re
import time
import weakref
from typing import Any

from czictypes.model.errors import RangesNotSupportedError, RemoteError, RemoteTimeoutError
from czictypes.model.options import RemoteOptions
from czictypes.remote.transport import AsyncTransport, AttemptError, Failure, Opening
from czictypes.remote.urls import Redactor

_CONTENT_RANGE = re.compile(r"bytes\s+(\d+)-(\d+)/(\d+)", re.IGNORECASE)
_QUOTED = re.compile(r"(?:[A-Za-z0-9:/?#\[\]@!$&'()*+,;=._~-]|%[0-9A-Fa-f]{2})+")
_PASSING = {408, 425, 429, 500, 502, 503, 504}  # temporary failures
_REDIRECTS = {301, 302, 303, 307, 308}
_MOST_REDIRECTS = 10
_CHUNK = 1 << 20
# A request that is slower than this many bytes a second is given up after its time-out.
_SLOWEST = 1 << 10
# Options that concern the connection. All others may be secret and go only to the URL's host.
_NO_SECRETS = {"allow_redirects", "timeout", "ssl", "trust_env", "proxy", "read_bufsize"}


class HttpTransport(AsyncTransport):
    """A file on a web server.

    `fs` is fsspec's HTTPFileSystem; its headers and authentication are sent with each request.
    """

    def __init__(self, fs: Any, url: str, redact: Redactor, options: RemoteOptions) -> None:
        super().__init__(fs, redact, options)
        self._url = url
        self._size = -1
        self._etag: str | None = None
        self._date: str | None = None
        self._conditional = True
        self._other: Any = None

    async def first(self, count: int) -> Opening:
        """Fetch the first bytes; the answer has the size and the version."""
        async with await self._get({"Range": f"bytes=0-{count - 1}"}) as response:
            self._remember(response)
            if response.status == 206 and not _is_packed(response):
                found = self._content_range(response)
                data = await self._body(response, count)
                if len(data) != min(count, found[2]):
                    raise AttemptError(self.short(0, min(count, found[2]), len(data)))
                self._size = found[2]
                return Opening(self._size, self._identity(), data)
            if response.status == 416 and self._is_empty(response):
                return Opening(0, self._identity(), b"", whole=True)
            if response.status == 200:
                return await self._take_whole(response)
            if response.status != 206:
                raise AttemptError(self._refused(response))
        async with await self._get({}) as response:  # a range of compressed bytes is useless
            if response.status != 200:
                raise AttemptError(self._refused(response))
            return await self._take_whole(response)

    async def fetch(self, start: int, end: int) -> bytes:
        """Fetch a range of the version that was opened."""
        headers = {"Range": f"bytes={start}-{end - 1}"}
        condition = self._condition() if self._conditional else {}
        async with await self._get({**headers, **condition}) as response:
            if not (response.status == 412 and condition):
                return await self._take(response, start, end)
        # Some servers misjudge conditions; without one, the answer itself shows the version.
        async with await self._get(headers) as response:
            data = await self._take(response, start, end)
            if not (response.headers.get("ETag") or response.headers.get("Last-Modified")):
                raise AttemptError(self.changed("the server says that it was modified"))
        self._conditional = False
        return data

    async def _get(self, headers: dict[str, str]) -> Any:
        """Send a request and follow redirects; credentials go only to the host of the URL."""
        patience = self._patience()
        options = {**self.fs.kwargs, "allow_redirects": False, **patience}
        # The time for connecting and for the complete head, which may come byte by byte.
        patience_for_head = 2 * self.options.timeout if patience else None
        ours = {**headers, "Accept-Encoding": "identity"}
        more = {**options.pop("headers", {}), **ours}
        session, address = await self.fs.set_session(), self._address(self._url)
        first = address.origin()
        for _ in range(_MOST_REDIRECTS + 1):
            head = session.get(address, headers=more, **options)
            response = await asyncio.wait_for(head, patience_for_head)
            place = response.headers.get("Location")
            if response.status not in _REDIRECTS or not place:
                return response
            response.release()
            address = address.join(self._address(place))
            if address.scheme not in ("http", "https"):
                break
            if not _is_trusted(first, address.origin()):
                session, more = await self._strangers(), ours
                options = {key: value for key, value in options.items() if key in _NO_SECRETS}
        said = f"{self.name} cannot be read: the server redirects too often, or to another protocol"
        raise AttemptError(Failure(RemoteError(said)))

    def _patience(self) -> dict[str, Any]:
        import aiohttp

        if "timeout" in self.fs.kwargs or "timeout" in self.fs.client_kwargs:
            return {}
        wait = self.options.timeout
        return {"timeout": aiohttp.ClientTimeout(total=None, sock_connect=wait, sock_read=wait)}

    async def _strangers(self) -> Any:
        """Return a session for other hosts, without headers, cookies and passwords."""
        if self._other is None:
            kept = {
                key: value for key, value in self.fs.client_kwargs.items() if key in _NO_SECRETS
            }
            import aiohttp

            self._other = aiohttp.ClientSession(loop=self.fs.loop, **kept)
            weakref.finalize(self, self.fs.close_session, self.fs.loop, self._other)
        return self._other

    def _address(self, url: str) -> Any:
        """Return a URL, unchanged if it is valid, because a signature may depend on each letter."""
        if not _QUOTED.fullmatch(url):
            return self.fs.encode_url(url)
        import yarl

        return yarl.URL(url, encoded=True)

    async def _take(self, response: Any, start: int, end: int) -> bytes:
        """Return the range in an answer, after checking the range and the version."""
        if response.status == 200:
            self._check_version(response, None)
            return (await self._take_whole(response)).data[start:end]
        if response.status == 416:
            raise AttemptError(self.changed(f"it has no byte {end - 1} any more"))
        if response.status != 206:
            raise AttemptError(self._refused(response))
        if _is_packed(response):
            raise AttemptError(Failure(RemoteError(f"{self.name}: the server packs ranges")))
        first, last, size = self._content_range(response)
        self._check_version(response, size)
        if first != start or last >= end:
            raise AttemptError(
                Failure(
                    RemoteError(
                        f"{self.name}: the server sent bytes {first} to {last} when {start} to "
                        f"{end - 1} were asked for"
                    )
                )
            )
        return await self._body(response, end - start)

    async def _take_whole(self, response: Any) -> Opening:
        """Read the whole file, if it is small, from a server that does not send ranges."""
        limit = self.options.largest_download
        length = int(response.headers.get("Content-Length") or 0)
        data = b"" if length > limit else await self._body(response, limit + 1)
        if length > limit or len(data) > limit:
            size = f"{length} bytes" if length else f"more than {limit} bytes"
            raise AttemptError(
                Failure(
                    RangesNotSupportedError(
                        f"the server of {self.name} gives no ranges but the whole file, and that "
                        f"has {size}; download it first, or allow it with "
                        "storage_options={'czictypes': {'largest_download': ...}}"
                    )
                )
            )
        if not _is_packed(response) and len(data) < length:
            raise AttemptError(self.short(0, length, len(data)))
        self._size = len(data) if self._size < 0 else self._size
        if len(data) != self._size:
            raise AttemptError(self.changed(f"it has {len(data)} bytes, not {self._size}"))
        return Opening(self._size, self._identity(), data, whole=True)

    async def _body(self, response: Any, limit: int) -> bytes:
        """Read the body of an answer, up to about `limit` bytes."""
        parts, count, begun = [], 0, time.monotonic()
        while count < limit:
            part = await response.content.read(min(_CHUNK, limit - count))
            if time.monotonic() - begun > self.options.timeout + count / _SLOWEST:
                raise AttemptError(self._crawls())
            if not part:
                break
            parts.append(part)
            count += len(part)
        else:
            await _finish(response)
        return b"".join(parts)

    def _crawls(self) -> Failure:
        return Failure(
            RemoteTimeoutError(
                f"{self.name}: the server sends less than {_SLOWEST} bytes a second; try later"
            )
        )

    def _remember(self, response: Any) -> None:
        self._etag = response.headers.get("ETag")
        self._date = response.headers.get("Last-Modified")

    def _identity(self) -> tuple[Any, ...]:
        return self._size, self._etag, self._date

    def _condition(self) -> dict[str, str]:
        if self._etag and not self._etag.startswith("W/"):  # weak ETags never match
            return {"If-Match": self._etag}
        return {"If-Unmodified-Since": self._date} if self._date else {}

    def _check_version(self, response: Any, size: int | None) -> None:
        etag, date = response.headers.get("ETag"), response.headers.get("Last-Modified")
        if size is not None and size != self._size:
            raise AttemptError(self.changed(f"it has {size} bytes, not {self._size}"))
        if etag and self._etag:
            if etag.replace("W/", "", 1) != self._etag.replace("W/", "", 1):
                raise AttemptError(self.changed("it has another ETag"))
        elif date and self._date and date != self._date:
            raise AttemptError(self.changed(f"it is of {date}, not of {self._date}"))

    def _content_range(self, response: Any) -> tuple[int, int, int]:
        text = response.headers.get("Content-Range", "")
        match = _CONTENT_RANGE.match(text)
        if match is None:
            raise AttemptError(
                Failure(RemoteError(f"{self.name}: the server answers with the range {text!r}"))
            )
        first, last, size = match.groups()
        return int(first), int(last), int(size)

    def _is_empty(self, response: Any) -> bool:
        return str(response.headers.get("Content-Range", "bytes */0")).strip().endswith("/0")

    def _refused(self, response: Any) -> Failure:
        status, reason = response.status, self.redact(str(response.reason or ""))
        said = f"HTTP status {status} {reason}".rstrip()
        if status in (404, 410):
            return self.missing()
        if status in (401, 403, 407):
            return self.forbidden(said)
        wait = response.headers.get("Retry-After", "")
        seconds = float(wait) if wait.isdigit() else None
        error = RemoteError(f"{self.name} cannot be read: {said}")
        return Failure(error, status in _PASSING, seconds)

    def failure(self, error: BaseException) -> Failure:
        """Translate an exception; retry after those of aiohttp that may be temporary."""
        import aiohttp

        found = super().failure(error)
        if found.again or not isinstance(error, aiohttp.ClientError):
            return found
        lasting = (
            aiohttp.ClientSSLError,
            aiohttp.InvalidURL,
            aiohttp.TooManyRedirects,
            aiohttp.ContentTypeError,
        )
        return Failure(found.error, not isinstance(error, lasting))


def _is_trusted(first: Any, other: Any) -> bool:
    """Return whether an origin may get the credentials: the first one, or the same with TLS."""
    is_safer = (first.scheme, other.scheme) == ("http", "https") and first.host == other.host
    return bool(first == other or (is_safer and first.is_default_port()))


def _is_packed(response: Any) -> bool:
    return str(response.headers.get("Content-Encoding", "")).lower() not in ("identity", "")


async def _finish(response: Any) -> None:
    """Close the connection unless the answer is complete, so that it can be reused."""
    if not response.content.at_eof():
        response.close()
