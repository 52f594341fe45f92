"""Credentials are sent to the server, and shown nowhere: not in errors, logs, nor by repr."""

from __future__ import annotations

import base64
import io
import logging
import pickle
import re
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from extras import needs
from files.recipe import Made
from hypothesis import given
from hypothesis import strategies as st

from czictypes import CziImage, convert, czi
from czictypes.cli.main import main
from czictypes.model.errors import RemoteError
from czictypes.remote.open import open_source
from czictypes.remote.urls import Redactor, redact_url
from remote.server import RangeServer, serving

Make = Callable[[str], Made]

USER, PASSWORD, TOKEN, KEY = "marie-c", "s3cr3t:Pa55", "tok-0123456789", "AKIA-7777"
SECRETS = (USER, PASSWORD, TOKEN, KEY, "s3cr3t", "Pa55")


def with_secrets(url: str) -> str:
    """Return a URL with all that may be secret in it."""
    query = f"?X-Amz-Signature={TOKEN}&sig={TOKEN}&AWSAccessKeyId={KEY}"
    return url.replace("://", f"://{USER}:{PASSWORD}@", 1) + query


def options() -> dict[str, Any]:
    """Return storage options with secrets."""
    return {
        "headers": {"X-Api-Key": TOKEN},
        "czictypes": {"retries": 0},
    }


def everything_of(error: BaseException) -> str:
    """Return all that may be printed of an exception, its causes and contexts included."""
    texts = ["".join(traceback.format_exception(type(error), error, error.__traceback__))]
    seen: set[int] = set()
    todo: list[BaseException | None] = [error]
    while todo:
        one = todo.pop()
        if one is not None and id(one) not in seen:
            seen.add(id(one))
            texts += [str(one), repr(one), repr(getattr(one, "filename", None))]
            todo += [one.__cause__, one.__context__]
    return "\n".join(texts)


def check_clean(text: str) -> None:
    """Fail if a secret is in a text; lines of this test's own source do not count."""
    lines = [line for line in text.splitlines() if "assert" not in line]
    found = [secret for secret in SECRETS if secret in "\n".join(lines)]
    assert not found, text


@pytest.mark.parametrize("status", [200, 400, 401, 403, 404, 412, 500])
def test_no_error_of_a_web_server_shows_them(
    server: RangeServer, caplog: pytest.LogCaptureFixture, status: int
) -> None:
    url = with_secrets(server.put("/image.czi", b"no czi"))
    server.fault = None if status == 200 else lambda handler, number: bool(
        [handler.refuse(status)]
    )  # fmt: skip
    with caplog.at_level(logging.DEBUG), pytest.raises((OSError, ValueError)) as caught:
        czi.open_czi(url, storage_options=options())
    assert "image.czi" in str(caught.value)
    check_clean(everything_of(caught.value))
    check_clean(caplog.text)


def test_no_error_without_a_server_shows_them(caplog: pytest.LogCaptureFixture) -> None:
    needs("fsspec.implementations.http")
    for url in ("http://127.0.0.1:1/a.czi", "http://127.0.0.1:99999/a.czi"):
        with caplog.at_level(logging.DEBUG), pytest.raises(RemoteError) as caught:
            czi.open_czi(with_secrets(url), storage_options=options())
        check_clean(everything_of(caught.value))
    check_clean(caplog.text)


def test_no_error_of_a_chain_shows_them(server: RangeServer) -> None:
    url = with_secrets(server.put("/image.zip", b"no archive"))
    for protocol in ("zip://a.czi::", "simplecache::"):
        with pytest.raises((OSError, ValueError)) as caught:
            czi.open_czi(protocol + url, storage_options={"czictypes": {"retries": 0}})
        check_clean(everything_of(caught.value))


def test_no_error_while_reading_shows_them(server: RangeServer, made: Make) -> None:
    file = made("jpegxr")  # which libCZI itself reads, through callbacks
    url = with_secrets(server.put("/image.czi", file.path.read_bytes() + bytes(200_000)))
    small = {**options(), "czictypes": {"retries": 0, "block_bytes": 4096, "cache_bytes": 8192}}
    with czi.open_czi(url, storage_options=small) as document:
        server.fault = lambda handler, number: bool([handler.refuse(500)])
        with pytest.raises(OSError, match="500") as caught:
            document.read()
        check_clean(everything_of(caught.value))


def test_a_reader_does_not_show_them(server: RangeServer, made: Make) -> None:
    url = with_secrets(server.put("/image.czi", made("mosaic").path.read_bytes()))
    with czi.open_czi(url, storage_options=options()) as document:
        check_clean(repr(document))
        check_clean(repr(document.read_subblock(0)))
        assert "image.czi" in repr(document)
        with pytest.raises(IndexError) as caught:
            document.read(plane={"C": 99})
        check_clean(everything_of(caught.value))
    with pytest.raises(ValueError, match="is closed") as closed:
        document.read()
    check_clean(everything_of(closed.value))
    with open_source(url) as source:
        check_clean(repr(source))


def test_the_log_tells_requests_and_retries_without_them(
    server: RangeServer, made: Make, caplog: pytest.LogCaptureFixture
) -> None:
    data = made("mosaic").path.read_bytes() + bytes(300_000)
    url = with_secrets(server.put("/image.czi", data))
    server.fault = lambda handler, number: number == 1 and bool([handler.refuse(503)])
    again = {**options(), "czictypes": {"retries": 2, "backoff": 0.01, "block_bytes": 4096}}
    with caplog.at_level(logging.DEBUG), czi.open_czi(url, storage_options=again) as document:
        document.read()
    told = [one.getMessage() for one in caplog.records if one.name.startswith("czictypes.")]
    shown = redact_url(url)
    assert f"opened {shown} (remote, {len(data)} bytes) in " in "\n".join(told)
    assert [one for one in told if one.startswith(f"{shown} has {len(data)} bytes; ")]
    assert [one for one in told if one.startswith("asking for the bytes ") and shown in one]
    (retry,) = [one for one in told if one.endswith("; trying again in 0.01 s")]
    assert retry.startswith(f"{shown} cannot be read: HTTP status 503")
    check_clean(caplog.text)


def test_the_log_of_other_sources_does_not_show_them(
    made: Make, caplog: pytest.LogCaptureFixture
) -> None:
    fsspec = needs("fsspec")
    data = made("mosaic").path.read_bytes()
    fsspec.filesystem("memory").pipe_file("/folder/image.czi", data)
    with caplog.at_level(logging.DEBUG, "czictypes"):
        secret = {"token": TOKEN}
        with czi.open_czi("memory://folder/image.czi", storage_options=secret) as document:
            document.read()
        with io.BytesIO(data) as stream:
            stream.name = with_secrets("https://host/image.czi")  # type: ignore[attr-defined]
            with czi.open_czi(stream) as document:
                document.read()
    assert f"memory://folder/image.czi has {len(data)} bytes" in caplog.text
    assert "(file object, " in caplog.text
    check_clean(caplog.text)


def test_the_log_of_a_filesystem_that_fails_once_does_not_show_them(
    made: Make, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory = needs("fsspec.implementations.memory").MemoryFileSystem
    memory().pipe_file("/folder/image.czi", made("mosaic").path.read_bytes())
    failures = [ConnectionResetError(f"{USER}:{PASSWORD} was cut off, token={TOKEN}")]
    whole = memory.cat_file

    def fails_once(*args: Any, **options: Any) -> bytes:
        if failures:
            raise failures.pop()
        data: bytes = whole(*args, **options)
        return data

    monkeypatch.setattr(memory, "cat_file", fails_once)
    secret = {"token": TOKEN, "auth": [USER, PASSWORD], "czictypes": {"backoff": 0.0}}
    with caplog.at_level(logging.DEBUG, "czictypes"):
        with czi.open_czi("memory://folder/image.czi", storage_options=secret) as document:
            document.read()
    assert not failures
    assert "memory://folder/image.czi cannot be read: ConnectionResetError" in caplog.text
    assert "; trying again in 0 s" in caplog.text
    check_clean(caplog.text)


def test_a_pickled_reader_has_them(server: RangeServer, made: Make) -> None:
    url = with_secrets(server.put("/image.czi", made("mosaic").path.read_bytes()))
    with czi.open_czi(url, storage_options=options()) as document:
        stored = pickle.dumps(document)
    server.forget()
    with pickle.loads(stored) as copied:
        copied.read(plane={"C": 0})
    assert TOKEN in server.requests[0].headers["X-Api-Key"] + server.requests[0].path


def test_no_error_of_s3_shows_them(
    bucket: Any,
    s3_options: dict[str, Any],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(type(bucket), "retries", 1)
    secret = {**s3_options, "key": KEY, "secret": TOKEN}
    with (
        caplog.at_level(logging.DEBUG, logger="czictypes"),
        pytest.raises(FileNotFoundError) as caught,
    ):
        czi.open_czi("s3://images/none.czi", storage_options=secret)
    check_clean(everything_of(caught.value))
    with pytest.raises(RemoteError) as nobody:
        czi.open_czi(
            "s3://images/none.czi",
            storage_options={**secret, "endpoint_url": f"http://{USER}:{TOKEN}@127.0.0.1:1",
                             "config_kwargs": {"retries": {"max_attempts": 1}}},
        )  # fmt: skip
    check_clean(everything_of(nobody.value))


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://host/a.czi", "https://host/a.czi"),
        ("https://user:pass@host:80/a.czi", "https://***@host:80/a.czi"),
        ("https://token@host/a.czi", "https://***@host/a.czi"),
        ("https://user:p@ss/w@host/a.czi", "https://***@host/a.czi"),
        ("https://host/a@b.czi", "https://host/a@b.czi"),
        ("https://host/a.czi?token=x&b", "https://host/a.czi?token=***&***"),
        ("https://host/a.czi?next=https://other/?sig=1", "https://host/a.czi?next=***"),
        ("https://host/a.czi#secret", "https://host/a.czi#***"),
        ("s3://bucket/a#b.czi?versionId=7", "s3://bucket/a#b.czi?versionId=***"),
        ("zip://a.czi::https://u:p@h/a.zip?t=1", "zip://a.czi::https://***@h/a.zip?t=***"),
        ("simplecache::ftp://u:p@h/a.czi", "simplecache::ftp://***@h/a.czi"),
        ("/local/a@b?c.czi", "/local/a@b?c.czi"),
        ("http://[::1]:80/a.czi?t=1", "http://[::1]:80/a.czi?t=***"),
        ("http://u:p@[2001:db8::1]/a.czi", "http://***@[2001:db8::1]/a.czi"),
        ("zip://a::http://u:p@[::1]/b?t=1::2", "zip://a::http://***@[::1]/b?t=***"),
        ("http://u:p@host/a b.czi?t=1 2", "http://***@host/a b.czi?t=***"),
        ("http://u:p?q@host/a.czi", "http://***@host/a.czi"),
        ("HTTP://host/a.czi#token", "HTTP://host/a.czi#***"),
        ("https://host/a;sid=1/b.czi;id=2?t=1", "https://host/a;sid=***/b.czi;id=***?t=***"),
        ("http://u:p/q@host/a.czi?t=1@2", "http://***@host/a.czi?t=***"),
    ],
)
def test_what_is_shown_of_a_url(url: str, shown: str) -> None:
    assert redact_url(url) == shown


@pytest.mark.parametrize(
    "said",
    [
        "Cannot connect to https://u:pw-123@host/a.czi?sig=abc-123",
        "failed: Authorization: Bearer abc-123",
        "secret_key='abc-123' was refused",
        "the token abc-123 has expired",
        "pw-123",
        "pw%2D123 and abc-123",
    ],
)
def test_what_is_shown_of_a_message(said: str) -> None:
    redact = Redactor("https://u:pw-123@host/a.czi?sig=abc-123", {"token": "pw%2D123"})
    shown = redact(said)
    assert "abc-123" not in shown
    assert "pw-123" not in shown
    assert "***" in shown


def test_options_that_are_no_secret_are_shown() -> None:
    redact = Redactor("s3://bucket/a.czi", {"endpoint_url": "http://127.0.0.1:9000", "anon": True})
    assert redact("nobody at http://127.0.0.1:9000/") == "nobody at http://127.0.0.1:9000/"


plain = st.text("abcXYZ0123456789-_. ", min_size=6, max_size=12)
unquoted = plain.flatmap(lambda text: st.sampled_from([text, f"{text}?@:", f"{text}/@:"]))
users, words, tokens = (one.map("Qz{}zQ".format) for one in (plain, unquoted, plain))
hosts = st.sampled_from(["host", "host:8080", "[::1]", "[2001:db8::1]:443", "127.0.0.1:1"])
chains = st.sampled_from(["", "simplecache::", "zip://inner file.czi::"])
names = st.sampled_from(["/image.czi", "/a b/image.czi", "/%20/image.czi"])


@given(users, words, tokens, hosts, chains, names)
def test_no_text_nor_error_shows_what_is_in_a_url_or_its_options(
    user: str, password: str, token: str, host: str, chain: str, name: str
) -> None:
    url = f"{chain}https://{user}:{password}@{host}{name}?t={token}"
    redact = Redactor(url, {"client_kwargs": {"auth": [password, token]}})
    texts = [redact_url(url), redact(f"{token} {url} {password}"), redact(repr(url))]
    error = FileNotFoundError(2, f"none with {token}", url)
    error.__cause__ = ValueError(url)
    assert redact.clean(error) is error
    texts.append(everything_of(error))
    for text in texts:
        assert not {user, password, token} & set(re.findall("Qz.*?zQ", text)), text


class StubbornError(Exception):
    """Makes its text anew each time, as those of aiohttp do."""

    def __init__(self, url: list[str]) -> None:
        self.url = url

    def __str__(self) -> str:
        return f"status 500 at {self.url[0]}"


def test_an_error_that_cannot_be_changed_is_replaced_and_no_cause_stays_that_cannot() -> None:
    url = "https://user:s3cr3t-99@host/a.czi"
    redact = Redactor(url)
    replaced = redact.clean(StubbornError([url]))
    assert str(replaced) == "StubbornError: status 500 at https://***@host/a.czi"
    error = OSError("cannot write")
    error.__cause__ = StubbornError([url])
    assert redact.clean(error) is error
    assert "s3cr3t-99" not in everything_of(error)
    assert str(error) == "cannot write"


def test_what_a_library_puts_into_its_headers_and_fragments_is_hidden_too() -> None:
    redact = Redactor(
        "https://u:s%2Fcr3t@host/a;id=path-99#f",
        {"headers": {"X": b"raw-99"}, "auth": ("me", "pw")},
    )
    for said in (base64.b64encode(b"u:s/cr3t"), base64.b64encode(b"me:pw"), b"path-99", b"raw-99"):
        assert redact(said.decode()) == "***"
    other = OSError("at", ["https://host/b#s3cr3t-99"])  # in what cannot be changed
    assert "s3cr3t-99" not in everything_of(redact.clean(other))


@pytest.mark.parametrize("made_of", [Path, str.encode, " {}".format])
def test_a_path_that_was_a_url_is_refused_without_its_credentials(
    made_of: Callable[[str], Any],
) -> None:
    lost = made_of("https://u:s3cr3t-99@host/a.czi?sig=s3cr3t-99")
    for act in (czi.open_czi, czi.check, czi.create_czi, czi.edit_czi, CziImage):
        with pytest.raises(OSError, match=r"is a URL.*https://\*\*\*@host/a.czi") as caught:
            act(lost)
        assert "s3cr3t-99" not in everything_of(caught.value)


def redirecting_to(url: str) -> Callable[[Any, int], bool]:
    def fault(handler: Any, number: int) -> bool:
        if handler.path.startswith("/old.czi"):
            handler.refuse(307, {"Location": url})
            return True
        return False

    return fault


def secret_options() -> dict[str, Any]:
    """Return options that send secrets in all ways that fsspec and aiohttp have."""
    return {
        "headers": {"X-Api-Key": TOKEN, "Private-Token": TOKEN, "Cookie": f"c={TOKEN}"},
        "cookies": {"session": TOKEN},
        "client_kwargs": {
            "headers": {"X-Session-Key": TOKEN, "Authorization": f"Basic {PASSWORD}"},
            "cookies": {"all": TOKEN},
        },
    }


def test_a_redirect_to_another_host_takes_no_credentials_along(
    server: RangeServer, made: Make
) -> None:
    file = made("mosaic")
    with serving() as other:
        other.put("/image.czi", file.path.read_bytes())
        server.fault = redirecting_to(other.url.replace("127.0.0.1", "localhost") + "/image.czi")
        url = server.url + "/old.czi"
        with czi.open_czi(url, storage_options=secret_options()) as document:
            assert np.array_equal(document.read(plane={"C": 1}), file.plane({"C": 1}))
        assert server.requests[0].headers["X-Api-Key"] == TOKEN
        assert server.requests[0].headers["Authorization"].startswith("Basic ")
        sent = {name.lower() for request in other.requests for name in request.headers}
        assert sent <= {"host", "range", "accept", "accept-encoding", "user-agent", "if-match"}


def test_a_redirect_on_the_same_host_keeps_them(server: RangeServer, made: Make) -> None:
    file = made("mosaic")
    server.put("/image.czi", file.path.read_bytes())
    server.fault = redirecting_to("image.czi")
    with czi.open_czi(server.url + "/old.czi", storage_options=secret_options()) as document:
        assert np.array_equal(document.read(plane={"C": 1}), file.plane({"C": 1}))
    for request in server.requests:
        assert request.headers["X-Session-Key"] == TOKEN
        assert request.headers["X-Api-Key"] == TOKEN


@pytest.mark.parametrize("place", ["/old.czi", "file:///etc/passwd", "ftp://127.0.0.1/a.czi"])
def test_a_redirect_that_leads_nowhere_is_an_error(server: RangeServer, place: str) -> None:
    server.fault = redirecting_to(place)
    with pytest.raises(RemoteError, match="redirects too often, or to another protocol") as caught:
        czi.open_czi(with_secrets(server.url + "/old.czi"), storage_options=options())
    check_clean(everything_of(caught.value))


def test_no_error_of_a_conversion_shows_them(tmp_path: Path, made: Make) -> None:
    needs("zarr.abc.store")
    path = made("mosaic").path
    for place in ("/a.czi", "/a.zip.ome.zarr", "/a.ome.tif", "/a.xyz", "/a b.ome.zarr"):
        for chain in ("", "simplecache::", "zip://a.czi::"):
            url = chain + with_secrets(f"http://[::1]:1{place}")
            for source, dest in ((path, url), (url, tmp_path / "new.ome.zarr")):
                secret = {"storage_options": options(), "source_options": options()}
                with pytest.raises(Exception, match=r".") as caught:
                    convert(source, dest, **secret)
                check_clean(everything_of(caught.value))
                with pytest.raises(Exception, match=r".") as by_keyword:
                    convert(source, dest=dest, **secret)
                check_clean(everything_of(by_keyword.value))


def test_no_output_of_the_command_line_shows_them(capsys: pytest.CaptureFixture[str]) -> None:
    needs("fsspec.implementations.http")
    url = with_secrets("http://127.0.0.1:1/a.czi")
    for arguments in (["info", url], ["copy", url, "b.czi"], ["convert", "none.czi", url]):
        assert main(["--debug", *arguments]) != 0
    output = capsys.readouterr()
    check_clean(output.out + output.err)


def test_no_graph_of_a_lazy_array_shows_them(server: RangeServer, made: Make) -> None:
    needs("dask.array")
    url = with_secrets(server.put("/image.czi", made("mosaic").path.read_bytes()))
    with CziImage(url, storage_options=options()) as image:
        lazy = image.dask_data
        check_clean(repr(lazy) + repr(dict(lazy.dask)) + repr(lazy.dask.layers) + lazy.name)
