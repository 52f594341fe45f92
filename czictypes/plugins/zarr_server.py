"""Serves a CZI as OME-Zarr over HTTP, for what reads zarr from URLs: tensorstore, viewers."""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, ClassVar
from urllib.parse import unquote, urlsplit

from czictypes.model.errors import CziError
from czictypes.model.extras import require
from czictypes.plugins.aszarr import aszarr

__all__ = ["ZarrServer"]

_RANGE = re.compile(r"bytes=(\d*)-(\d*)$")


class ZarrServer:
    """A web server on this machine for one CZI; `url` is the root of the OME-Zarr.

    Usable with `with` or without; `close` ends it. It takes GET and HEAD, with byte ranges, and
    lets pages of any origin read from it, as viewers in a browser need.

    Parameters
    ----------
    source, **options
        As for `aszarr`.
    host, port
        Where it listens; by default on the loopback address, at a port that is free.
    """

    def __init__(
        self, source: Any, *, host: str = "127.0.0.1", port: int = 0, **options: Any
    ) -> None:
        self._store = aszarr(source, **options)
        handler = type("ZarrHandler", (_Handler,), {"store": self._store})
        try:
            self._server = ThreadingHTTPServer((host, port), handler)
        except BaseException:
            self._store.close()
            raise
        self._server.daemon_threads = True
        self._thread = threading.Thread(
            target=self._server.serve_forever, name="czictypes zarr server", daemon=True
        )
        self._thread.start()

    @property
    def url(self) -> str:
        """The URL of the root group, which ends in a slash."""
        host, port = self._server.server_address[:2]
        return f"http://{host!s}:{port}/"

    def close(self) -> None:
        """Stop serving and close the file; closing twice is no error."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
            self._server.server_close()
            self._store.close()

    def __enter__(self) -> ZarrServer:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<ZarrServer at {self.url}>"


_UNSATISFIABLE = HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE
_ALWAYS = {
    "Content-Length": "0",
    "Accept-Ranges": "bytes",
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Headers": "Range",
    "Access-Control-Expose-Headers": "Content-Range, Content-Length",
}


class _Handler(BaseHTTPRequestHandler):
    """Answers requests for the keys of a store, which a subclass for each server has."""

    protocol_version = "HTTP/1.1"
    server_version = "czictypes"
    store: ClassVar[Any]

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def do_OPTIONS(self) -> None:
        self._send(HTTPStatus.NO_CONTENT)

    def log_message(self, format: str, *args: Any) -> None:
        """Write nothing."""

    def _answer(self, *, with_body: bool) -> None:
        key = unquote(urlsplit(self.path).path).strip("/")
        size = self.store.size_of(key)
        if size is None:
            self._send(HTTPStatus.NOT_FOUND)
            return
        span = _asked(self.headers.get("Range"), size)
        if span is not None and span[0] >= span[1]:
            self._send(_UNSATISFIABLE, {"Content-Range": f"bytes */{size}"})
            return
        first, end = (0, size) if span is None else span
        kind = "application/json" if key.endswith(".json") else "application/octet-stream"
        headers = {"Content-Length": str(end - first), "Content-Type": kind}
        if span is not None:
            headers["Content-Range"] = f"bytes {first}-{end - 1}/{size}"
        try:
            data = self._read(key, first, end) if with_body else b""
        except (CziError, OSError) as error:
            self._fail(error)
            return
        self._send(HTTPStatus.OK if span is None else HTTPStatus.PARTIAL_CONTENT, headers, data)

    def _read(self, key: str, first: int, end: int) -> bytes:
        requests = require("zarr.abc.store", extra="ome-zarr", doing="serving OME-Zarr")
        data: bytes = self.store.read(key, requests.RangeByteRequest(first, end))
        return data

    def _fail(self, error: Exception) -> None:
        text = str(error).encode()
        headers = {"Content-Length": str(len(text)), "Content-Type": "text/plain; charset=utf-8"}
        self._send(HTTPStatus.INTERNAL_SERVER_ERROR, headers, text)

    def _send(
        self, status: HTTPStatus, headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> None:
        with suppress(ConnectionError):  # who asked may have gone
            self.send_response(status)
            for name, value in {**_ALWAYS, **(headers or {})}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)


def _asked(header: str | None, size: int) -> tuple[int, int] | None:
    """Return first and end of the bytes asked for; None where all are."""
    match = _RANGE.match(header or "")
    if match is None or match.group(0) == "bytes=-":
        return None
    first, last = match.groups()
    if not first:
        return max(size - int(last), 0), size
    return int(first), min(int(last) + 1, size) if last else size
