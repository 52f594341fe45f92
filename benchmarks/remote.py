"""Reading over a network: a web server in a process of its own that lets each answer wait.

``python -m benchmarks.remote FILE SECONDS`` runs the server; it prints its port.
"""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path
from typing import Any

__all__ = ["LATENCY", "remote_reads"]

LATENCY = 0.05
_RANGE = re.compile(r"bytes=(\d+)-(\d*)")


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    path_of_file = Path()
    latency = 0.0

    def do_HEAD(self) -> None:
        """Tell the size."""
        self._answer(b"", 0, self.path_of_file.stat().st_size - 1)

    def do_GET(self) -> None:
        """Send a range, or all."""
        size = self.path_of_file.stat().st_size
        match = _RANGE.match(self.headers.get("Range", ""))
        first = int(match[1]) if match else 0
        last = min(int(match[2]), size - 1) if match and match[2] else size - 1
        with self.path_of_file.open("rb") as file:
            file.seek(first)
            self._answer(file.read(last + 1 - first), first, last)

    def _answer(self, data: bytes, first: int, last: int) -> None:
        time.sleep(self.latency)
        size = self.path_of_file.stat().st_size
        self.send_response(206 if "Range" in self.headers else 200)
        self.send_header("Content-Length", str(last + 1 - first))
        self.send_header("Content-Range", f"bytes {first}-{last}/{size}")
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("ETag", f'"{size}"')
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *arguments: Any) -> None:
        """Say nothing."""


@contextmanager
def _serving(path: Path, latency: float) -> Iterator[str]:
    """Run the server for the length of a `with` block; give the file's URL."""
    # pylibCZIrw keeps the interpreter's lock while it reads, so no server could answer in here.
    command = [sys.executable, "-m", "benchmarks.remote", str(path), str(latency)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{int(process.stdout.readline())}/mosaic.czi"
    finally:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def remote_reads(
    path: Path, stack: ExitStack, *, roi: tuple[int, int, int, int] | None = None
) -> dict[str, Callable[[], Any]]:
    """Return a call for each package that opens a file by its URL, reads, and closes it."""
    url = stack.enter_context(_serving(path, LATENCY))

    def read(module: Any) -> Any:
        reader = module.CziReader(url, module.ReaderFileInputTypes.Curl)
        try:
            return reader.read(roi=roi)[..., 0]
        finally:
            reader.close()

    from czictypes import czi

    calls = {"czictypes": partial(read, czi)}
    if find_spec("pylibCZIrw"):
        from pylibCZIrw import czi as peer

        calls["pylibCZIrw"] = partial(read, peer)
    return calls


def _main() -> None:
    handler = type(
        "Handler", (_Handler,), {"path_of_file": Path(sys.argv[1]), "latency": float(sys.argv[2])}
    )
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    print(server.server_address[1], flush=True)
    server.serve_forever()


if __name__ == "__main__":
    _main()
