"""Open files by path, URL, file object, or objects of fsspec."""

from __future__ import annotations

import io
import os
import re
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar, Union

from czictypes.container.byte_source import ByteSource, Range
from czictypes.container.file_source import FileSource, StreamSource
from czictypes.container.segments import read_file_header
from czictypes.model.errors import CorruptFileError, CziError, MissingExtraError, RemoteError
from czictypes.model.lazy import require
from czictypes.model.options import RemoteOptions
from czictypes.remote.urls import URL, Redactor, is_fsspec, is_url, refuse_lost_url, url_of

if TYPE_CHECKING:
    from czictypes.remote.transport import Transport

T = TypeVar("T")

_HTTP = re.compile(r"https?://", re.IGNORECASE)
_EXTRAS = {
    **dict.fromkeys(("http", "https"), "remote"),
    **dict.fromkeys(("s3", "s3a"), "s3"),
    **dict.fromkeys(("gs", "gcs"), "gs"),
    **dict.fromkeys(("az", "abfs", "abfss", "adl"), "azure"),
}
#: Packages of other protocols whose names differ from those of their modules.
_PACKAGES = {"smbclient": "smbprotocol", "libarchive": "libarchive-c"}
_OURS = "czictypes"
_DOING = "reading what is not a local file"

#: The most bytes to prefetch of each part: a directory of this size has 1,500 entries.
_MOST_AT_OPENING = 256 << 10

#: The ways to specify a document: a path, a URL, or a file object open for reading in binary mode;
#: also a UPath or an OpenFile of fsspec, which have no types here.
PathOrFile = Union[str, bytes, "os.PathLike[str]", "os.PathLike[bytes]", BinaryIO, "ByteSource"]


def open_source(
    target: PathOrFile, storage_options: Mapping[str, Any] | None = None, *, renew: bool = False
) -> ByteSource:
    """Open a file.

    Parameters
    ----------
    target
        A path; a URL of any protocol that fsspec supports, also a chained one; a UPath; an OpenFile
        of fsspec; or a file object open for reading in binary mode.
    storage_options
        Options of fsspec for a URL, such as credentials. The key "czictypes" is ours: a
        `RemoteOptions` or a dictionary of its fields.
    renew
        Whether to renew the connections of a UPath or OpenFile that was inherited by a fork.

    Raises
    ------
    TypeError
        If `target` is anything else, or a stream that returns text.
    OSError
        If the file cannot be opened; the message has the path.
    MissingExtraError
        If fsspec, or a package that it needs for the protocol, is not installed.
    """
    if is_url(target) or is_fsspec(target):
        return _open_remote(target, storage_options, renew=renew)
    if isinstance(target, (str, bytes, os.PathLike)):
        refuse_lost_url(target)
        _refuse_content(target)
        return FileSource(target)
    if isinstance(target, ByteSource):
        return target
    if hasattr(target, "read") and hasattr(target, "seek"):
        return StreamSource(target)
    raise TypeError(
        f"cannot open {target!r}: give a path, a URL, or a file object open for reading in binary"
    )


def _refuse_content(target: Any) -> None:
    """Refuse bytes that are a file's content: a path has no NUL."""
    if isinstance(target, bytes) and b"\0" in target:
        raise TypeError(
            f"these {len(target):,} bytes are the content of a file, not its path; open "
            "io.BytesIO(data)"
        )


def _open_remote(target: Any, storage_options: Mapping[str, Any] | None, renew: bool) -> ByteSource:
    """Open a target for which `is_url` or `is_fsspec` is true."""
    _forget_dead_loop()
    options = dict(storage_options or {})
    ours = RemoteOptions.parse(options.pop(_OURS, None))
    if is_url(target):
        redact = Redactor(target, options)
        if target.startswith("zip://") and "::" in target:
            return said_plainly(lambda: _open_member(target, options, redact, ours), redact)
        fs, path = said_plainly(lambda: _filesystem(target, options), redact)
    else:
        redact = Redactor(url_of(target), options)
        fs = said_plainly(lambda: _renewed(target.fs) if renew else target.fs, redact)
        path = target.path
        redact = Redactor(url_of(target), {**fs.storage_options, **options})
        if getattr(target, "compression", None):
            return StreamSource(target.open(), owns=True, name=redact.name)
    while _has_protocol(fs, "dir"):  # a folder of another filesystem
        fs, path = fs.fs, fs._join(path)
    if _has_protocol(fs, "file"):
        return FileSource(path)
    return said_plainly(lambda: _open(fs, path, redact, ours), redact)


def _forget_dead_loop() -> None:
    """Make fsspec create a new event loop if a fork has left the old one without its thread.

    Newer versions of fsspec do this themselves.
    """
    asyn = sys.modules.get("fsspec.asyn")
    thread = None if asyn is None else asyn.iothread[0]
    if thread is not None and not thread.is_alive():
        asyn.reset_lock()  # type: ignore[union-attr]


def _renewed(fs: Any) -> Any:
    """Return a copy of a filesystem with threads and connections of this process."""
    return type(fs)(*fs.storage_args, **fs.storage_options)


def _filesystem(url: str, options: dict[str, Any]) -> tuple[Any, str]:
    fsspec = require("fsspec", extra="remote", doing=_DOING)
    if _HTTP.match(url):  # always the end of a chain: "::" belongs to a query or an IPv6 host
        protocol = url.partition(":")[0].lower()
        own = {name: value for name, value in options.items() if name not in ("http", "https")}
        return fsspec.filesystem(protocol, **{**own, **options.get(protocol, {})}), url
    fs, path = fsspec.core.url_to_fs(url, **options)
    return fs, path


def filesystem_at(url: str, options: Mapping[str, Any]) -> tuple[Any, str]:
    """Return the filesystem of a URL and the path in it; the errors are those of `open_source`."""
    found: tuple[Any, str] = said_plainly(
        lambda: _filesystem(url, dict(options)), Redactor(url, options)
    )
    return found


def _open(fs: Any, path: str, redact: Redactor, options: RemoteOptions) -> ByteSource:
    cached = sys.modules.get("fsspec.implementations.cached")
    if cached is not None and isinstance(fs, cached.CachingFileSystem):
        if isinstance(fs, cached.WholeFileCacheFileSystem):
            return StreamSource(fs.open(path, "rb"), owns=True, name=redact.name)
        fs = fs.fs  # our own cache of blocks requests several at a time
    if getattr(fs, "asynchronous", False):  # its event loop belongs to the caller
        fs = type(fs)(*fs.storage_args, **{**fs.storage_options, "asynchronous": False})
    return _at_work(_transport(fs, path, redact, options))


def _transport(fs: Any, path: str, redact: Redactor, options: RemoteOptions) -> Transport:
    """Return a transport for the filesystem; import its module, and asyncio, only if needed."""
    if _has_protocol(fs, "http") and hasattr(fs, "set_session"):
        from czictypes.remote.http import HttpTransport

        return HttpTransport(fs, path, redact, options)
    from czictypes.remote.fsspec import AsyncFsTransport, S3Transport, SyncFsTransport

    if _has_protocol(fs, "s3") and hasattr(fs, "_call_s3"):
        return S3Transport(fs, path, redact, options)
    kind = AsyncFsTransport if fs.async_impl else SyncFsTransport
    return kind(fs, path, redact, options)


def _at_work(transport: Transport) -> ByteSource:
    from czictypes.remote.source import RemoteSource

    source = RemoteSource(transport)
    _fetch_what_opening_needs(source)
    return source


def _fetch_what_opening_needs(source: ByteSource) -> None:
    with suppress(CorruptFileError):  # the next read of the header has a better message
        source.fetch_soon(_opening_ranges(source))


def _opening_ranges(source: ByteSource) -> list[Range]:
    """Return the ranges of the directory, the attachment directory and the metadata.

    Each extends to the start of the next one, because programs write them in sequence, after all
    sub-blocks. For a part of a document of several files there are no ranges, because its own
    directory is rarely read.
    """
    header = read_file_header(source)
    if header.file_part > 0:
        return []
    size = source.size()
    named = (
        header.directory_position,
        header.attachment_directory_position,
        header.metadata_position,
    )
    inside = [position for position in named if 0 < position < size]
    ends = sorted([*inside, size])
    return [
        (position, min(next(end for end in ends if end > position) - position, _MOST_AT_OPENING))
        for position in inside
    ]


def _open_member(
    url: str, options: dict[str, Any], redact: Redactor, ours: RemoteOptions
) -> ByteSource:
    """Open a file in a ZIP archive; the archive may be any target."""
    from czictypes.remote.fsspec import SyncFsTransport
    from czictypes.remote.source import RemoteSource, SourceFile, find_stored

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


def said_plainly(act: Callable[[], T], redact: Redactor) -> T:
    """Return the result of `act` upon a filesystem; raise its errors in our own words.

    Foreign messages may contain credentials, so they are neither passed on nor chained.
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
    unknown = isinstance(error, ValueError) and "rotocol not known" in str(error)
    match = URL.match(redact.name)
    extra = _EXTRAS.get(match.group(1).lower() if match else "")
    if isinstance(error, ImportError) or (unknown and extra):
        needed = f"'czictypes[{extra}]'" if extra else _package(error)
        return MissingExtraError(
            f"{redact.name} needs another package ({text}): pip install {needed}"
        )
    if unknown:
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


def _package(error: Exception) -> str:
    """Return the package that lacks, which fsspec names in the cause of its error."""
    found = getattr(error.__cause__ or error, "name", None) or "fsspec"
    module = found.partition(".")[0]
    return _PACKAGES.get(module, module.replace("_", "-"))
