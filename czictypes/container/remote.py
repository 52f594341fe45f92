"""Opens what is not a plain path, through fsspec: URLs, UPath, OpenFile, open files of fsspec."""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, TypeVar

from czictypes.container.archive import SourceFile, find_stored
from czictypes.container.byte_source import ByteSource
from czictypes.container.file_source import FileSource, StreamSource
from czictypes.container.fs_transport import AsyncFsTransport, SyncFsTransport
from czictypes.container.http_transport import HttpTransport
from czictypes.container.opening_ranges import opening_ranges
from czictypes.container.redact import Redactor
from czictypes.container.remote_source import RemoteSource
from czictypes.container.s3_transport import S3Transport
from czictypes.container.targets import URL, is_url, url_of
from czictypes.container.transport import Transport
from czictypes.model.errors import CorruptFileError, CziError, MissingExtraError, RemoteError
from czictypes.model.extras import require
from czictypes.model.remote_options import RemoteOptions

__all__ = ["open_remote"]

T = TypeVar("T")

_HTTP = re.compile(r"https?://", re.IGNORECASE)
_EXTRAS = {"s3": "s3", "s3a": "s3", "gs": "gs", "gcs": "gs"}
_OURS = "czictypes"
_DOING = "reading what is not a local file"


def open_remote(
    target: Any, storage_options: Mapping[str, Any] | None = None, *, renew: bool = False
) -> ByteSource:
    """Open what `is_url` or `is_fsspec` tells to be fsspec's.

    Parameters
    ----------
    target, storage_options, renew
        As for `open_source`.

    Raises
    ------
    RemoteError
        If the file is not there, or cannot be read; often of a class that is also
        FileNotFoundError, PermissionError or TimeoutError.
    TypeError, ValueError
        If fsspec does not take the options.
    MissingExtraError
        If fsspec, or what it needs for the protocol, is not installed.
    """
    _forget_dead_loop()
    options = dict(storage_options or {})
    ours = RemoteOptions.parse(options.pop(_OURS, None))
    if is_url(target):
        redact = Redactor(target, options)
        if target.startswith("zip://") and "::" in target:
            return _said_plainly(lambda: _open_member(target, options, redact, ours), redact)
        fs, path = _said_plainly(lambda: _filesystem(target, options), redact)
    else:
        redact = Redactor(url_of(target), options)
        fs = _said_plainly(lambda: _renewed(target.fs) if renew else target.fs, redact)
        path = target.path
        redact = Redactor(url_of(target), {**fs.storage_options, **options})
        if getattr(target, "compression", None):
            return StreamSource(target.open(), owns=True, name=redact.name)
    while _has_protocol(fs, "dir"):  # a folder of another filesystem
        fs, path = fs.fs, fs._join(path)
    if _has_protocol(fs, "file"):
        return FileSource(path)
    return _said_plainly(lambda: _open(fs, path, redact, ours), redact)


def _forget_dead_loop() -> None:
    """Have fsspec make a new event loop where a fork has left the old one without its thread.

    Later versions do that by themselves.
    """
    asyn = sys.modules.get("fsspec.asyn")
    thread = None if asyn is None else asyn.iothread[0]
    if thread is not None and not thread.is_alive():
        asyn.reset_lock()  # type: ignore[union-attr]


def _renewed(fs: Any) -> Any:
    """Return a filesystem like this one, whose threads and connections are of this process."""
    return type(fs)(*fs.storage_args, **fs.storage_options)


def _filesystem(url: str, options: dict[str, Any]) -> tuple[Any, str]:
    fsspec = require("fsspec", extra="remote", doing=_DOING)
    if _HTTP.match(url):  # the end of any chain: "::" in it is of a query, or of an IPv6 host
        protocol = url.partition(":")[0].lower()
        own = {name: value for name, value in options.items() if name not in ("http", "https")}
        return fsspec.filesystem(protocol, **{**own, **options.get(protocol, {})}), url
    fs, path = fsspec.core.url_to_fs(url, **options)
    return fs, path


def _open(fs: Any, path: str, redact: Redactor, options: RemoteOptions) -> ByteSource:
    cached = sys.modules.get("fsspec.implementations.cached")
    if cached is not None and isinstance(fs, cached.CachingFileSystem):
        if isinstance(fs, cached.WholeFileCacheFileSystem):
            return StreamSource(fs.open(path, "rb"), owns=True, name=redact.name)
        fs = fs.fs  # of blocks we have a cache of our own, which asks for several at a time
    if getattr(fs, "asynchronous", False):  # its loop is that of the caller
        fs = type(fs)(*fs.storage_args, **{**fs.storage_options, "asynchronous": False})
    transport: Transport
    if _has_protocol(fs, "http") and hasattr(fs, "set_session"):
        transport = HttpTransport(fs, path, redact, options)
    elif _has_protocol(fs, "s3") and hasattr(fs, "_call_s3"):
        transport = S3Transport(fs, path, redact, options)
    elif fs.async_impl:
        transport = AsyncFsTransport(fs, path, redact, options)
    else:
        transport = SyncFsTransport(fs, path, redact, options)
    source = RemoteSource(transport)
    _fetch_what_opening_needs(source)
    return source


def _fetch_what_opening_needs(source: ByteSource) -> None:
    with suppress(CorruptFileError):  # who reads the header after us says it better
        source.fetch_soon(opening_ranges(source))


def _open_member(
    url: str, options: dict[str, Any], redact: Redactor, ours: RemoteOptions
) -> ByteSource:
    """Open a file in a ZIP archive, which is itself opened as any other target is."""
    from czictypes.container.source import open_source

    member, _, rest = url.partition("::")
    member = member.partition("://")[2].lstrip("/")
    archive = open_source(rest, {**options, _OURS: ours})
    try:
        part = find_stored(archive, member, redact.name)
        if part is not None:
            _fetch_what_opening_needs(part)
            return part
        zipped = require("fsspec", extra="remote", doing=_DOING).filesystem(
            "zip", fo=io.BufferedReader(SourceFile(archive)), skip_instance_cache=True
        )
        return RemoteSource(SyncFsTransport(zipped, member, redact, ours, owned=archive))
    except BaseException:
        archive.close()
        raise


def _has_protocol(fs: Any, name: str) -> bool:
    return name in ([fs.protocol] if isinstance(fs.protocol, str) else fs.protocol)


def _said_plainly(act: Callable[[], T], redact: Redactor) -> T:
    """Return what `act` returns; what it raises is raised in our words.

    Messages of others may have credentials in them, so they are neither passed on nor chained.
    """
    try:
        return act()
    except CziError:
        raise
    except Exception as error:
        said = _in_our_words(error, redact)
    raise said


def _in_our_words(error: Exception, redact: Redactor) -> Exception:
    text = redact(f"{type(error).__name__}: {error}".rstrip(": "))
    if isinstance(error, ImportError):
        match = URL.match(redact.name)
        extra = _EXTRAS.get(match.group(1) if match else "", "remote")
        return MissingExtraError(
            f"{redact.name} needs another package ({text}): pip install 'czictypes[{extra}]'"
        )
    if isinstance(error, ValueError) and "rotocol not known" in str(error):
        return FileNotFoundError(f"there is no file {redact.name!r}, nor such a protocol ({text})")
    if isinstance(error, OSError):
        kind = next(
            (kind for kind in (FileNotFoundError, PermissionError, IsADirectoryError)
             if isinstance(error, kind)),
            RemoteError,
        )  # fmt: skip
        return kind(f"{redact.name} cannot be opened: {text}")
    if isinstance(error, TypeError):
        return TypeError(f"{redact.name}: fsspec does not take these storage_options: {text}")
    return RemoteError(f"{redact.name} cannot be opened: {text}")
