"""A CZI as OME-Zarr, without conversion: as a zarr store, or over HTTP."""

from __future__ import annotations

import io
import logging
import re
import socket
import sys
import threading
import time
from collections.abc import Collection, Mapping
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import unquote, urlsplit

from czictypes.exchange.ome_zarr.image_plan import ChunkSizes
from czictypes.model.lazy import require
from czictypes.model.public import Closable, defended
from czictypes.reading.damage import OnError
from czictypes.remote.part_files import Parts
from czictypes.remote.urls import describe_target

if TYPE_CHECKING:
    from czictypes.plugins.zarr_store import CziStore


@defended(describe_target)
def aszarr(
    source: Any,
    scene: int | str | None = None,
    chunks: ChunkSizes = None,
    *,
    plate: bool | None = None,
    storage_options: Mapping[str, Any] | None = None,
    threads: int | None = None,
    parts: Parts | None = None,
    stored_resolution: bool = False,
    on_error: OnError = "raise",
) -> CziStore:
    """Return a zarr store (Zarr 3, OME-Zarr 0.5) over a CZI; chunks are read on demand.

    A scene is an image with the axes t, c, z, y and x, and an array for each level that the file
    stores; red, green and blue are channels. With one scene the image stands at the root,
    ``"0"``, ``"1"``... being its levels; with several, in a group for each, numbered, or in the
    wells of a plate where each scene tells its well.

    Parameters
    ----------
    source
        A path, a URL, a binary file object, or a `CziReader`, which stays the caller's to close.
    scene
        The index or the name of a scene; ``"all"`` for all scenes in one plane; None for all
        scenes apart.
    chunks
        One length for y and x, a length for each axis, or lengths by axis, in pixels; by default
        the file's tiles.
    plate
        Whether to show a plate; None shows one where all scenes are shown and tell their wells.
    storage_options
        The options of fsspec for a URL.
    threads
        How many threads decode; by default CZICTYPES_THREADS, or the CPUs of this process.
    parts
        The other files of a document of several, where they are not beside it: a list, or a
        mapping from their numbers.
    stored_resolution
        Whether every stored pixel is read of tiles that have more of them than they cover; all
        others are magnified to match.
    on_error
        ``"blank"`` leaves out tiles that cannot be read, with a warning; ``"raise"`` stops.

    Returns
    -------
    zarr.abc.store.Store
        Read only, safe to use from many threads; it pickles as its source and options.

    Raises
    ------
    OutOfBoundsError
        If there is no such scene.
    MissingExtraError
        If zarr is not installed.

    Examples
    --------
    >>> zarr.open_group(aszarr("image.czi"), mode="r")["0"]  # doctest: +SKIP
    """
    require("zarr.abc.store", extra="ome-zarr", doing="a CZI as a zarr store")  # not of zarr 2
    from czictypes.plugins.zarr_store import CziStore

    return CziStore(
        source,
        scene,
        chunks,
        plate,
        storage_options=storage_options,
        threads=threads,
        parts=parts,
        stored_resolution=stored_resolution,
        on_error=on_error,
    )


_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+$")  # the name of a header
_RANGE = re.compile(r"bytes=(\d{0,19})-(\d{0,19})$")
#: A connection that has not asked for anything in so many seconds is closed, and one that has not
#: taken so many bytes of an answer.
_IDLE, _PIECE = 10, 1 << 18
#: So many connections are served at a time; each has a thread.
_MOST_CONNECTIONS = 128


class ZarrServer(Closable):
    """A web server on this machine for one CZI; `url` is the root of the OME-Zarr.

    `close`, or the end of a ``with`` block, stops it. It answers GET and HEAD, with byte ranges,
    and lets pages of any origin read from it, as viewers in a browser need. It serves at most 128
    connections at a time, and closes those that ask for nothing in 10 seconds. Errors go to the
    logger "czictypes" alone.

    Parameters
    ----------
    source
        A path, a URL, a binary file object, or a `CziReader`, which stays the caller's to close.
    host, port
        Where it listens; by default on the loopback address, at a port that is free.
    names
        Host names by which clients may ask for it, such as that of this machine. ``localhost``, the
        `host` and, where that is no loopback address, all IP addresses need not be named. All other
        names are refused: a web page could make one of its own stand for this machine.
    **options
        As for `aszarr`: scene, chunks, plate, storage_options, threads, parts,
        stored_resolution, on_error.

    Examples
    --------
    >>> with ZarrServer("slide.czi") as server:  # doctest: +SKIP
    ...     print(server.url)
    """

    def __init__(
        self,
        source: Any,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        names: Collection[str] = (),
        **options: Any,
    ) -> None:
        self._store = aszarr(source, **options)
        known = {name.lower() for name in (host, "localhost", *names)}
        state = {"store": self._store, "names": known, "any_address": not _is_loopback(host)}
        try:
            self._server = _Server((host, port), type("ZarrHandler", (_Handler,), state))
        except BaseException:
            self._store.close()
            raise
        self._thread = threading.Thread(
            target=self._server.serve_forever, name="czictypes zarr server", daemon=True
        )
        self._thread.start()

    @property
    def url(self) -> str:
        """The URL of the root group, which ends in a slash."""
        host, port = self._server.server_address[:2]
        return f"http://[{host!s}]:{port}/" if ":" in str(host) else f"http://{host!s}:{port}/"

    def close(self) -> None:
        """Stop serving and close the file; closing twice is no error."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
            self._server.server_close()
            self._store.close()

    def __repr__(self) -> str:
        return f"<ZarrServer at {self.url}>"


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    # On Windows, a second server would get the port of the first.
    allow_reuse_address = sys.platform != "win32"

    def __init__(self, address: tuple[str, int], handler: Any) -> None:
        self._free = threading.Semaphore(_MOST_CONNECTIONS)
        if ":" in address[0]:
            self.address_family = socket.AF_INET6
        super().__init__(address, handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        if self._free.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Log an error; the base class prints a traceback."""
        _LOG.debug("a connection of %s failed", client_address, exc_info=True)


_LOG = logging.getLogger(__name__)
_UNSATISFIABLE = HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE
_ALWAYS = {
    "Content-Length": "0",
    "Accept-Ranges": "bytes",
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Headers": "Range",
    "Access-Control-Expose-Headers": "Content-Range, Content-Length",
}


class _Requests(io.RawIOBase):
    """The bytes that a client sends; each request has a time limit as a whole."""

    def __init__(self, connection: Any) -> None:
        self._connection, self._end = connection, 0.0

    def begin(self) -> None:
        """Start the time limit of the next request."""
        self._end = time.monotonic() + _IDLE

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Receive the bytes that have arrived."""
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError("the request takes too long")
        self._connection.settimeout(left)
        try:
            count: int = self._connection.recv_into(buffer)
        finally:
            self._connection.settimeout(_IDLE)  # for the answer
        return count


class _Handler(BaseHTTPRequestHandler):
    """Answers requests for the keys of a store; each server makes a subclass with its store."""

    protocol_version = "HTTP/1.1"
    timeout = _IDLE
    store: ClassVar[Any]
    names: ClassVar[Collection[str]]
    any_address: ClassVar[bool]

    def version_string(self) -> str:
        """Return the name of the server, without a version."""
        return "czictypes"

    def setup(self) -> None:
        """Read requests with a time limit for each."""
        super().setup()
        self._requests = _Requests(self.connection)
        self.rfile = io.BufferedReader(self._requests)

    def handle_one_request(self) -> None:
        """Answer the next request."""
        self._requests.begin()
        super().handle_one_request()

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def do_OPTIONS(self) -> None:
        self._send(HTTPStatus.NO_CONTENT)

    def log_message(self, format: str, *args: Any) -> None:
        """Write nothing."""

    def parse_request(self) -> bool:
        """Refuse requests for other hosts, and bodies, which would be read as the next request."""
        if not super().parse_request():
            return False
        if self.request_version == "HTTP/0.9":  # which has no headers, and an answer without status
            self.close_connection = True
            return False
        refusal = None
        hosts = self.headers.get_all("Host", ["localhost"])
        lengths = self.headers.get_all("Content-Length", [])
        if not self._is_known(hosts[0]):
            refusal = HTTPStatus.MISDIRECTED_REQUEST
        if set(lengths) - {"0"} or "Transfer-Encoding" in self.headers:
            refusal = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
        if (
            len(hosts) > 1
            or self.headers.defects
            or any(not _TOKEN.match(one) for one in self.headers)
        ):
            refusal = HTTPStatus.BAD_REQUEST
        if refusal is None:
            return True
        self.close_connection = True
        self._send(refusal, {"Connection": "close"})
        return False

    def _is_known(self, host: str) -> bool:
        try:
            name = urlsplit(f"//{host}").hostname or ""
        except ValueError:
            return False
        return name in self.names or _is_loopback(name) or (self.any_address and _is_address(name))

    def _answer(self, *, with_body: bool) -> None:
        try:
            key = unquote(urlsplit(self.path).path).strip("/")
        except ValueError:  # a host in brackets that is none
            self._send(HTTPStatus.BAD_REQUEST)
            return
        try:
            answer = self._found(key, with_body=with_body)
        except Exception:
            _LOG.warning("the zarr server cannot answer %r", self.path, exc_info=True)
            answer = (HTTPStatus.INTERNAL_SERVER_ERROR,)
        self._send(*answer)

    def _found(self, key: str, *, with_body: bool) -> tuple[Any, ...]:
        """Return the status, headers and body of the answer for a key."""
        size = self.store.size_of(key)
        if size is None:
            return (HTTPStatus.NOT_FOUND,)
        span = _asked(self.headers.get("Range"), size)
        if span is not None and span[0] >= span[1]:
            return _UNSATISFIABLE, {"Content-Range": f"bytes */{size}"}
        first, end = (0, size) if span is None else span
        kind = "application/json" if key.endswith(".json") else "application/octet-stream"
        headers = {"Content-Length": str(end - first), "Content-Type": kind}
        if span is not None:
            headers["Content-Range"] = f"bytes {first}-{end - 1}/{size}"
        data = b""
        if with_body:
            requests = require("zarr.abc.store", extra="ome-zarr", doing="serving OME-Zarr")
            data = self.store.read(key, requests.RangeByteRequest(first, end))
        return HTTPStatus.OK if span is None else HTTPStatus.PARTIAL_CONTENT, headers, data

    def _send(
        self, status: HTTPStatus, headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> None:
        with suppress(ConnectionError):  # who asked may have gone
            self.send_response(status)
            for name, value in {**_ALWAYS, **(headers or {})}.items():
                self.send_header(name, value)
            self.end_headers()
            for start in range(0, len(body), _PIECE):  # each has a time limit of its own
                self.wfile.write(body[start : start + _PIECE])


def _asked(header: str | None, size: int) -> tuple[int, int] | None:
    """Return the first byte of a range and its end; None for all bytes."""
    match = _RANGE.match(header or "")
    if match is None or match.group(0) == "bytes=-":
        return None
    first, last = match.groups()
    if not first:
        return max(size - int(last), 0), size
    return int(first), min(int(last) + 1, size) if last else size


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def _is_loopback(name: str) -> bool:
    return name == "localhost" or (_is_address(name) and ip_address(name).is_loopback)
