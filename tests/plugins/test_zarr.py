"""The web server that shows a CZI as OME-Zarr: byte ranges, and what tensorstore reads."""

from __future__ import annotations

import socket
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from extras import needs
from files.recipes import Made

from czictypes import CziImage, ZarrServer, czi
from czictypes.plugins import zarr as plugin

needs("zarr", "ome-zarr")


@pytest.fixture
def path(made: Callable[[str], Made]) -> Path:
    return made("multi_scene_pyramid").path


@pytest.fixture
def server(path: Path) -> Iterator[ZarrServer]:
    with ZarrServer(path, scene=0, chunks=40) as running:
        yield running


def answer(url: str, *, method: str = "GET", part: str | None = None) -> tuple[int, bytes, object]:
    headers = {} if part is None else {"Range": part}
    request = urllib.request.Request(url, method=method, headers=headers)
    try:
        with urllib.request.urlopen(request) as response:
            return response.status, response.read(), response.headers
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read(), error.headers


def test_tensorstore_reads_every_level(server: ZarrServer, path: Path) -> None:
    tensorstore = needs("tensorstore")
    with CziImage(path) as image:
        for level in image.levels:
            address = f"{server.url}{level.index}/"
            array = tensorstore.open({"driver": "zarr3", "kvstore": address}).result()
            np.testing.assert_array_equal(array.read().result(), image.asarray(level.index))
            part = array[0, 1, 0, 3:15, 7].read().result()
            expected = image.read_block(
                {"T": 0, "C": 1, "Z": 0, "Y": slice(3, 15), "X": 7}, level=level.index
            )
            np.testing.assert_array_equal(part, expected)


def test_documents_and_chunks(server: ZarrServer) -> None:
    status, document, _ = answer(f"{server.url}0/zarr.json")
    assert (status, document[:1]) == (200, b"{")
    status, chunk, headers = answer(f"{server.url}0/c/0/0/0/1/1")
    assert (status, len(chunk)) == (200, 2 * 40 * 40)
    assert headers["Access-Control-Allow-Origin"] == "*"  # type: ignore[index]


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        ("bytes=10-19", slice(10, 20)),
        ("bytes=3190-9999", slice(3190, None)),
        ("bytes=-7", slice(-7, None)),
        ("bytes=5-", slice(5, None)),
    ],
)
def test_byte_ranges(server: ZarrServer, part: str, expected: slice) -> None:
    url = f"{server.url}0/c/0/0/0/1/1"
    _, whole, _ = answer(url)
    status, found, headers = answer(url, part=part)
    assert (status, found) == (206, whole[expected])
    first, last, total = expected.indices(len(whole))[0], len(whole), len(whole)
    last = expected.indices(len(whole))[1] - 1
    assert headers["Content-Range"] == f"bytes {first}-{last}/{total}"  # type: ignore[index]


def test_a_range_beyond_the_end(server: ZarrServer) -> None:
    status, found, _ = answer(f"{server.url}0/c/0/0/0/1/1", part="bytes=3200-")
    assert (status, found) == (416, b"")


def test_the_head_alone(server: ZarrServer) -> None:
    status, body, headers = answer(f"{server.url}0/c/0/0/0/0/0", method="HEAD")
    assert (status, body) == (200, b"")
    assert headers["Content-Length"] == "3200"  # type: ignore[index]


@pytest.mark.parametrize("key", ["", "0/c/9/0/0/0/0", "../zarr.json"])
def test_what_is_not_there(server: ZarrServer, key: str) -> None:
    assert answer(server.url + key)[0] == 404


def test_a_chunk_that_cannot_be_read_tells_the_log_alone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    pixels = np.random.default_rng(0).integers(0, 99, (40, 50)).astype(np.uint8)
    czi.imwrite(tmp_path / "damaged.czi", pixels, compression="zstd0:")
    with czi.open_czi(tmp_path / "damaged.czi") as document:
        start = int(document.subblocks["file_position"][0])
    with (tmp_path / "damaged.czi").open("r+b") as stream:
        stream.seek(start + 900)
        stream.write(bytes(200))
    with ZarrServer(tmp_path / "damaged.czi") as server:
        status, text, _ = answer(f"{server.url}0/c/0/0/0/0/0")
    assert (status, text) == (500, b"")
    assert "sub-block 0" in caplog.text
    assert "damaged.czi" in caplog.text


def raw_answers(server: ZarrServer, request: bytes) -> list[bytes]:
    """Send bytes, and return the status lines of all that comes back."""
    address = urllib.parse.urlsplit(server.url)
    with socket.create_connection((address.hostname, address.port)) as connection:
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    return [line.rstrip() for line in answer.split(b"\n") if line.startswith(b"HTTP/1.1")]


@pytest.mark.parametrize("part", ["bytes=" + "9" * 5000 + "-", "bytes=-" + "9" * 5000, "bytes=x-"])
def test_an_absurd_range_counts_as_none(server: ZarrServer, part: str) -> None:
    assert answer(f"{server.url}zarr.json", part=part)[0] == 200


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200),
        ("LOCALHOST:8000", 200),
        ("127.0.0.1:80", 200),
        ("[::1]:80", 200),
        ("attacker.example", 421),
        ("127.0.0.1.attacker.example", 421),
        ("10.0.0.1", 421),
        ("[::1", 421),
        ("", 421),
    ],
)
def test_only_this_machine_s_names_are_answered(server: ZarrServer, host: str, status: int) -> None:
    request = f"GET /zarr.json HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
    (line,) = raw_answers(server, request.encode())
    assert line.startswith(f"HTTP/1.1 {status} ".encode())


def test_a_port_has_one_server(path: Path) -> None:
    with ZarrServer(path) as first:
        port = urllib.parse.urlsplit(first.url).port
        with pytest.raises(OSError, match=r"."):
            ZarrServer(path, port=port)


@pytest.mark.parametrize(
    ("host", "status"), [("microscope", 200), ("10.0.0.1", 200), ("attacker.example", 421)]
)
def test_a_server_for_others_is_asked_by_address_or_a_name_that_you_tell(
    path: Path, host: str, status: int
) -> None:
    with ZarrServer(path, host="0.0.0.0", names=["Microscope"]) as server:
        request = f"GET /zarr.json HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
        (line,) = raw_answers(server, request.encode())
    assert line.startswith(f"HTTP/1.1 {status} ".encode())


@pytest.mark.parametrize(
    ("header", "status"),
    [
        ("Content-Length: 44", 413),
        ("Content-Length: 0\r\nContent-Length: 44", 413),
        ("Content-Length : 44", 400),
        ("Transfer-Encoding: chunked", 413),
        ("Host: localhost\r\nHost: attacker.example", 400),
    ],
)
def test_a_body_is_no_second_request(server: ZarrServer, header: str, status: int) -> None:
    second = b"GET /nope HTTP/1.1\r\nConnection: close\r\n\r\n"
    found = raw_answers(server, f"GET /zarr.json HTTP/1.1\r\n{header}\r\n\r\n".encode() + second)
    assert [line[:13] for line in found] == [f"HTTP/1.1 {status} ".encode()]


def test_an_address_that_is_none_is_a_bad_request(server: ZarrServer) -> None:
    (line,) = raw_answers(server, b"GET http://[/zarr.json HTTP/1.1\r\nConnection: close\r\n\r\n")
    assert line.startswith(b"HTTP/1.1 400 ")


def test_a_request_that_comes_slowly_is_not_waited_for(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plugin, "_IDLE", 0.2)
    with ZarrServer(path) as server:
        address = urllib.parse.urlsplit(server.url)
        with socket.create_connection((address.hostname, address.port), timeout=0.02) as connection:
            closed = False
            for _ in range(10_000):  # which nobody ends
                try:
                    connection.sendall(b"G")
                    closed = connection.recv(1) == b""
                except TimeoutError:
                    continue
                except ConnectionError:
                    closed = True
                if closed:
                    break
            assert closed


def test_a_server_at_an_ipv6_address(path: Path) -> None:
    try:
        server = ZarrServer(path, host="::1")
    except OSError:
        return  # this machine has none
    with server:
        assert server.url.startswith("http://[::1]:")
        assert answer(f"{server.url}zarr.json")[0] == 200


def answer_when_free(url: str) -> int:
    """Ask until a thread of the server has come to its end; return the status."""
    for _ in range(1000):
        with suppress(ConnectionError, urllib.error.URLError):
            return answer(url)[0]
    raise AssertionError("the server serves nobody any more")


def test_silent_connections_are_closed_and_counted(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plugin, "_IDLE", 0.05)
    monkeypatch.setattr(plugin, "_MOST_CONNECTIONS", 3)
    with ZarrServer(path) as server:
        address = urllib.parse.urlsplit(server.url)
        silent = [
            socket.create_connection((address.hostname, address.port), timeout=60)
            for _ in range(12)
        ]
        for connection in silent:
            with connection:
                assert connection.recv(1) == b""  # the server has closed it
        assert answer_when_free(f"{server.url}zarr.json") == 200


def test_pages_may_ask_whether_they_may_ask(server: ZarrServer) -> None:
    status, _, headers = answer(f"{server.url}zarr.json", method="OPTIONS")
    assert status == 204
    assert headers["Access-Control-Allow-Headers"] == "Range"  # type: ignore[index]


def test_closing_twice_is_no_error(path: Path) -> None:
    server = ZarrServer(path)
    server.close()
    server.close()
