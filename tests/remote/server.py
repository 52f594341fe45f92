"""A web server on the loopback interface that counts, waits, and fails as it is told."""

from __future__ import annotations

import gzip
import hashlib
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

__all__ = ["RangeServer", "Request", "serving"]

_RANGE = re.compile(r"bytes=(\d+)-(\d+)")


@dataclass
class Request:
    """What was asked, and how many bytes of content went out."""

    method: str
    path: str
    headers: dict[str, str]
    sent: int = 0


@dataclass
class RangeServer:
    """Files by path, with ranges and conditions of RFC 9110; the switches make it worse.

    `fault` is called with the handler and the request's number, from 0 on; what it answers itself,
    it tells by returning True.
    """

    files: dict[str, bytes] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)
    connections: int = 0
    latency: float = 0.0
    ranges: bool = True
    etags: bool = True
    weak: bool = False
    conditions: bool = True
    dates: bool = True
    lengths: bool = True
    packed: bool = False
    fault: Callable[[Any, int], bool] | None = None
    url: str = ""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def put(self, path: str, data: bytes) -> str:
        """Serve a file; return its URL."""
        self.files[path] = data
        return self.url + path

    @property
    def sent(self) -> int:
        """Bytes of content that went out."""
        return sum(request.sent for request in self.requests)

    def forget(self) -> None:
        """Begin to count anew."""
        self.requests.clear()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    shared: RangeServer

    def setup(self) -> None:
        """Count a connection."""
        with self.shared.lock:
            self.shared.connections += 1
        super().setup()

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def log_message(self, *arguments: Any) -> None:
        """Say nothing."""

    def _answer(self) -> None:
        server = self.shared
        request = Request(self.command, self.path, dict(self.headers.items()))
        with server.lock:
            number = len(server.requests)
            server.requests.append(request)
        time.sleep(server.latency)
        if server.fault is not None and server.fault(self, number):
            return
        data = server.files.get(self.path.partition("?")[0])
        if data is None:
            self.refuse(404)
            return
        etag = self.etag(data)
        wanted = self.headers.get("If-Match")
        if server.conditions and wanted is not None and (server.weak or wanted != etag):
            self.refuse(412)
            return
        self._send(request, data, etag)

    def etag(self, data: bytes) -> str:
        """Return what tells one content from another."""
        return ("W/" if self.shared.weak else "") + f'"{hashlib.sha1(data).hexdigest()}"'

    def _send(self, request: Request, data: bytes, etag: str) -> None:
        server = self.shared
        match = _RANGE.match(self.headers.get("Range", ""))
        headers = {}
        if server.etags:
            headers["ETag"] = etag
        if server.dates:
            headers["Last-Modified"] = formatdate(hash(data) % 10**9, usegmt=True)
        status, body = 200, data
        if match and server.ranges:
            first, last = int(match[1]), min(int(match[2]), len(data) - 1)
            if first >= len(data):
                self.refuse(416, {"Content-Range": f"bytes */{len(data)}"})
                return
            status, body = 206, data[first : last + 1]
            headers["Content-Range"] = f"bytes {first}-{last}/{len(data)}"
        if server.packed:
            body = gzip.compress(body)
            headers["Content-Encoding"] = "gzip"
        if server.lengths:
            headers["Content-Length"] = str(len(body))
        else:
            headers["Connection"] = "close"
            self.close_connection = True
        self.answer(status, headers, body if self.command == "GET" else b"", request)

    def answer(
        self, status: int, headers: dict[str, str], body: bytes, request: Request | None = None
    ) -> None:
        """Send an answer."""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if request is not None:
            request.sent = len(body)
        try:
            self.wfile.write(body)
        except OSError:  # the client has heard enough
            self.close_connection = True

    def refuse(self, status: int, headers: dict[str, str] | None = None) -> None:
        """Send a status without content."""
        self.answer(status, {"Content-Length": "0", **(headers or {})}, b"")

    def hang_up(self) -> None:
        """Close the connection without a word."""
        self.close_connection = True
        self.connection.close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: clients that hang up are no fault."""


@contextmanager
def serving(**switches: Any) -> Iterator[RangeServer]:
    """Run a server for the length of a `with` block."""
    shared = RangeServer(**switches)
    handler = type("Handler", (_Handler,), {"shared": shared})
    server = _Server(("127.0.0.1", 0), handler)
    shared.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield shared
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
