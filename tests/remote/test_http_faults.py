"""Servers that fail, stall, or send something else: clear errors, and never wrong pixels."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from extras import needs
from files.recipe import Made

from czictypes import czi
from czictypes.model.errors import (
    FileChangedError,
    NotCziError,
    RangesNotSupportedError,
    RemoteAccessError,
    RemoteError,
    RemoteNotFoundError,
    RemoteTimeoutError,
)
from remote.server import RangeServer

Make = Callable[[str], Made]
Options = dict[str, Any]
Fault = Callable[[Any, int], bool]


@pytest.fixture(scope="module")
def mosaic(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a mosaic of 2 x 2 tiles of 256 x 256 pixels: no read of it is one request."""
    path = tmp_path_factory.mktemp("mosaic") / "mosaic.czi"
    with czi.create_czi(path) as writer:
        for number in range(4):
            tile = np.full((256, 256, 1), number + 1, np.uint16)
            writer.write(tile, location=(number % 2 * 256, number // 2 * 256))
    return path


@pytest.fixture
def url(server: RangeServer, mosaic: Path) -> str:
    return server.put("/mosaic.czi", mosaic.read_bytes())


@pytest.fixture
def expected(mosaic: Path) -> Iterator[Any]:
    with czi.open_czi(mosaic) as document:
        yield document.read()


def first_times(count: int, act: Callable[[Any], None]) -> Fault:
    """Let something happen to the first requests."""
    left = [count]

    def fault(handler: Any, number: int) -> bool:
        if left[0] <= 0:
            return False
        left[0] -= 1
        act(handler)
        return True

    return fault


def reset(handler: Any) -> None:
    handler.hang_up()


def cut_short(handler: Any) -> None:
    data = handler.shared.files["/mosaic.czi"]
    first, last = re.findall(r"\d+", handler.headers["Range"])
    headers = {
        "Content-Length": str(int(last) + 1 - int(first)),
        "Content-Range": f"bytes {first}-{last}/{len(data)}",
        "ETag": handler.etag(data),
    }
    handler.answer(206, headers, data[int(first) : int(first) + 6])
    handler.close_connection = True


def busy(handler: Any) -> None:
    handler.refuse(503, {"Retry-After": "0"})


@pytest.mark.parametrize("fault", [reset, cut_short, busy], ids=["reset", "cut short", "busy"])
def test_what_fails_for_a_moment_is_tried_again(
    server: RangeServer, url: str, expected: Any, eager: Options, fault: Callable[[Any], None]
) -> None:
    server.fault = first_times(2, fault)
    with czi.open_czi(url, storage_options=eager) as document:
        server.fault = first_times(2, fault)
        assert np.array_equal(document.read(), expected)


def test_a_body_that_is_shorter_than_announced_is_no_data(
    server: RangeServer, url: str, eager: Options
) -> None:
    with czi.open_czi(url, storage_options=eager) as document:

        def halve(handler: Any, number: int) -> bool:
            data = server.files["/mosaic.czi"]
            match = re.match(r"bytes=(\d+)-(\d+)", handler.headers["Range"])
            assert match is not None
            first, last = int(match[1]), int(match[2])
            body = data[first : (first + last) // 2]
            headers = {
                "Content-Length": str(len(body)),
                "Content-Range": f"bytes {first}-{last}/{len(data)}",
            }
            handler.answer(206, headers, body)
            return True

        server.fault = halve
        with pytest.raises(RemoteError, match=r"the server sent \d+ of the \d+ bytes"):
            document.read()


def test_tries_come_to_an_end(server: RangeServer, url: str, eager: Options) -> None:
    server.fault = first_times(1000, busy)
    with pytest.raises(RemoteError, match="HTTP status 503"):
        czi.open_czi(url, storage_options=eager)
    assert len(server.requests) == 3


def test_after_an_error_the_reader_goes_on(
    server: RangeServer, url: str, expected: Any, eager: Options
) -> None:
    with czi.open_czi(url, storage_options=eager) as document:
        server.fault = first_times(1000, busy)
        with pytest.raises(RemoteError, match="503"):
            document.read()
        server.fault = None
        assert np.array_equal(document.read(), expected)


def test_a_silent_server_is_given_up(server: RangeServer, url: str) -> None:
    done = threading.Event()

    def stall(handler: Any, number: int) -> bool:
        done.wait(60)
        handler.close_connection = True
        return True

    server.fault = stall
    options = {"czictypes": {"timeout": 0.05, "retries": 1, "backoff": 0}}
    try:
        with pytest.raises(RemoteTimeoutError, match=r"no answer in 0\.05 s") as caught:
            czi.open_czi(url, storage_options=options)
    finally:
        done.set()
    assert isinstance(caught.value, TimeoutError)
    assert len(server.requests) == 2


def test_a_server_that_trickles_is_given_up(server: RangeServer, url: str) -> None:
    def trickle(handler: Any, number: int) -> bool:
        handler.send_response(206)
        handler.send_header("Content-Range", "bytes 0-32767/600000")
        handler.send_header("Content-Length", "32768")
        handler.end_headers()
        with suppress(OSError):
            for _ in range(6000):  # a client that waits for the end waits for five minutes
                handler.wfile.write(b"Z")
                handler.wfile.flush()
                time.sleep(0.05)
        handler.close_connection = True
        return True

    server.fault = trickle
    options = {"czictypes": {"timeout": 0.5, "retries": 3}}
    with pytest.raises(RemoteTimeoutError, match="less than 1024 bytes a second"):
        czi.open_czi(url, storage_options=options)
    assert len(server.requests) == 1


def test_the_head_of_an_answer_that_never_ends(server: RangeServer, url: str) -> None:
    def trickle(handler: Any, number: int) -> bool:
        handler.wfile.write(b"HTTP/1.1 206 Partial Content\r\n")
        with suppress(OSError):  # until the client has gone
            for _ in range(6000):
                handler.wfile.write(b"X: y\r\n")
                handler.wfile.flush()
                time.sleep(0.01)
        handler.close_connection = True
        return True

    server.fault = trickle
    options = {"czictypes": {"timeout": 0.2, "retries": 0}}
    with pytest.raises(RemoteTimeoutError, match=r"no answer in 0\.2 s"):
        czi.open_czi(url, storage_options=options)


def test_nobody_listens(eager: Options) -> None:
    needs("fsspec.implementations.http")
    with pytest.raises(RemoteError, match=r"http://127\.0\.0\.1:1/a\.czi cannot be read"):
        czi.open_czi("http://127.0.0.1:1/a.czi", storage_options=eager)


@pytest.mark.parametrize("status", [404, 410])
def test_nothing_is_there(server: RangeServer, url: str, status: int) -> None:
    server.fault = first_times(9, lambda handler: handler.refuse(status))
    with pytest.raises(RemoteNotFoundError, match=r"mosaic\.czi") as caught:
        czi.open_czi(url)
    assert isinstance(caught.value, FileNotFoundError)
    assert len(server.requests) == 1


@pytest.mark.parametrize("status", [401, 403])
def test_without_permission(server: RangeServer, url: str, status: int) -> None:
    server.fault = first_times(9, lambda handler: handler.refuse(status))
    with pytest.raises(RemoteAccessError, match=f"{status}.*storage_options") as caught:
        czi.open_czi(url)
    assert isinstance(caught.value, PermissionError)


def test_other_refusals_are_told_at_once(server: RangeServer, url: str) -> None:
    server.fault = first_times(9, lambda handler: handler.refuse(400))
    with pytest.raises(RemoteError, match="HTTP status 400"):
        czi.open_czi(url)
    assert len(server.requests) == 1


def test_a_page_that_is_no_czi(server: RangeServer) -> None:
    url = server.put("/page", b"<html>please log in</html>")
    with pytest.raises(NotCziError, match="/page"):
        czi.open_czi(url)


def test_an_empty_file(server: RangeServer) -> None:
    with pytest.raises(NotCziError, match="is empty"):
        czi.open_czi(server.put("/empty.czi", b""))


# Servers without ranges


@pytest.mark.parametrize("lengths", [True, False], ids=["length", "no length"])
def test_a_small_file_is_taken_whole(
    server: RangeServer, url: str, expected: Any, lengths: bool
) -> None:
    server.ranges, server.lengths = False, lengths
    with czi.open_czi(url) as document:
        assert np.array_equal(document.read(), expected)
    assert len(server.requests) == 1


@pytest.mark.parametrize("lengths", [True, False], ids=["length", "no length"])
def test_a_large_file_is_not(server: RangeServer, url: str, lengths: bool) -> None:
    server.ranges, server.lengths = False, lengths
    options = {"czictypes": {"largest_download": 100_000}}
    with pytest.raises(RangesNotSupportedError, match=r"download it first.*largest_download"):
        czi.open_czi(url, storage_options=options)


@pytest.mark.parametrize("ranges", [True, False], ids=["packed ranges", "packed file"])
def test_a_server_that_packs_all_it_sends(
    server: RangeServer, url: str, expected: Any, ranges: bool
) -> None:
    server.packed, server.ranges = True, ranges
    # a range of packed bytes is of no use, so the file is asked for without
    answered = len(server.requests)

    def whole(handler: Any, number: int) -> bool:
        server.ranges = ranges and "Range" in handler.headers
        return False

    server.fault = whole
    with czi.open_czi(url) as document:
        assert np.array_equal(document.read(), expected)
    assert len(server.requests) - answered == (2 if ranges else 1)


def test_a_range_that_nobody_asked_for(server: RangeServer, url: str, eager: Options) -> None:
    with czi.open_czi(url, storage_options=eager) as document:

        def shifted(handler: Any, number: int) -> bool:
            data = server.files["/mosaic.czi"]
            headers = {"Content-Length": "10", "Content-Range": f"bytes 7-16/{len(data)}"}
            handler.answer(206, headers, data[7:17])
            return True

        server.fault = shifted
        with pytest.raises(RemoteError, match="sent bytes 7 to 16"):
            document.read()


# Files that change


def other_version(data: bytes) -> bytes:
    """Return a file of the same size whose pixels are others."""
    return data[:70_000] + bytes(255 - byte for byte in data[70_000:200_000]) + data[200_000:]


@pytest.mark.parametrize(
    "switches",
    [
        {},
        {"conditions": False},
        {"weak": True},
        {"etags": False},
        {"etags": False, "conditions": False},
    ],
    ids=["If-Match", "conditions ignored", "weak ETag", "date alone", "date, conditions ignored"],
)
def test_a_file_that_changes_is_never_mixed(
    server: RangeServer, url: str, switches: dict[str, bool]
) -> None:
    for name, value in switches.items():
        setattr(server, name, value)
    with czi.open_czi(url) as document:
        server.put("/mosaic.czi", other_version(server.files["/mosaic.czi"]))
        with pytest.raises(FileChangedError, match="changed on the server"):
            document.read()


def test_the_next_read_opens_the_new_file(server: RangeServer, url: str, tmp_path: Path) -> None:
    with czi.create_czi(tmp_path / "new.czi") as writer:
        writer.write(np.full((300, 400, 1), 9, np.uint8))
    with czi.open_czi(url) as document:
        server.put("/mosaic.czi", (tmp_path / "new.czi").read_bytes())
        with pytest.raises(FileChangedError):
            document.read()
        assert (document.read() == 9).all()
        assert document.total_bounding_rectangle[2:] == (400, 300)


def test_a_file_of_another_size(server: RangeServer, url: str) -> None:
    server.etags = server.dates = False
    with czi.open_czi(url) as document:
        server.files["/mosaic.czi"] += b"more"
        with pytest.raises(FileChangedError, match="bytes"):
            document.read()


def test_a_file_that_shrank(server: RangeServer, url: str) -> None:
    with czi.open_czi(url) as document:
        server.conditions = False
        server.files["/mosaic.czi"] = server.files["/mosaic.czi"][:66_000]
        with pytest.raises(FileChangedError, match="changed on the server"):
            document.read()


def test_a_file_that_went_away(server: RangeServer, url: str) -> None:
    with czi.open_czi(url) as document:
        server.files.clear()
        with pytest.raises(RemoteNotFoundError):
            document.read()


def test_a_server_that_gets_conditions_wrong(server: RangeServer, url: str, expected: Any) -> None:
    def refuse(handler: Any, number: int) -> bool:
        if "If-Match" not in handler.headers:
            return False
        handler.refuse(412)
        return True

    server.fault = refuse
    with czi.open_czi(url) as document:
        assert np.array_equal(document.read(), expected)


def test_a_server_that_changes_its_mind_about_ranges(
    server: RangeServer, url: str, expected: Any
) -> None:
    with czi.open_czi(url) as document:
        server.ranges = False
        assert np.array_equal(document.read(), expected)


# Options


@pytest.mark.parametrize(
    ("options", "said"),
    [({"retrys": 1}, "has no retrys"), ({"timeout": 0}, "timeout=0"), (7, "RemoteOptions")],
)
def test_options_that_make_no_sense(url: str, options: Any, said: str) -> None:
    with pytest.raises((TypeError, ValueError), match=said):
        czi.open_czi(url, storage_options={"czictypes": options})


def test_options_that_fsspec_does_not_take(url: str) -> None:
    with pytest.raises((TypeError, RemoteError), match=r"mosaic\.czi"):
        czi.open_czi(url, storage_options={"unheard_of": 1})
