"""Paths, URLs and stores: their formats, their filesystems, and new files there."""

from __future__ import annotations

import errno
import os
import re
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import Enum
from functools import wraps
from itertools import chain, count
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from czictypes.container.file_source import check_stream
from czictypes.container.workers import aside
from czictypes.model.lazy import require
from czictypes.remote.open import filesystem_at
from czictypes.remote.urls import Redactor, is_fsspec, is_url, redact_url, refuse_lost_url
from czictypes.writing.atomic import PathType, check_new_file

#: A path, a URL that fsspec knows, a UPath; of an OME-Zarr, a store of zarr too.
PathOrUrl = Any


class Format(Enum):
    """The formats that are read or written; the value is the name."""

    CZI = "CZI"
    OME_ZARR = "OME-Zarr"
    OME_TIFF = "OME-TIFF"
    TIFF = "TIFF"
    LIF = "LIF"
    PICTURE = "picture"
    OTHER = "another format"


_ENDINGS = {
    ".czi": Format.CZI,
    ".zarr": Format.OME_ZARR,
    ".ozx": Format.OME_ZARR,
    ".zip": Format.OME_ZARR,
    ".ome.tif": Format.OME_TIFF,
    ".ome.tiff": Format.OME_TIFF,
    ".ome.tf2": Format.OME_TIFF,
    ".ome.tf8": Format.OME_TIFF,
    ".ome.btf": Format.OME_TIFF,
    ".tif": Format.TIFF,
    ".tiff": Format.TIFF,
    ".btf": Format.TIFF,
    ".tf2": Format.TIFF,
    ".tf8": Format.TIFF,
    ".png": Format.PICTURE,
}
_UNSAFE = re.compile(r"[^\w.+=-]+")
#: The endings of files that are read, but not written under these names.
_READ_ONLY = {
    **dict.fromkeys(
        (".svs", ".lsm", ".ndpi", ".scn", ".qptiff", ".stk", ".ptif", ".ptiff", ".bif"),
        Format.TIFF,
    ),
    ".lif": Format.LIF,
    **dict.fromkeys(
        (
            ".apng", ".avif", ".bmp", ".dds", ".dib", ".flc", ".fli", ".gif", ".ico", ".j2k",
            ".jfif", ".jp2", ".jpe", ".jpeg", ".jpg", ".jpx", ".mpo", ".pbm", ".pcx", ".pgm",
            ".pnm", ".ppm", ".qoi", ".sgi", ".tga", ".webp",
        ),
        Format.PICTURE,
    ),
}  # fmt: skip
#: The first bytes of files, by their offset.
_MARKS = (
    (0, b"ZISRAWFILE", Format.CZI),
    *((0, mark, Format.TIFF) for mark in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")),
    *((0, mark, Format.PICTURE) for mark in (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"BM")),
    *((4, mark, Format.PICTURE) for mark in (b"ftypavif", b"ftypavis")),
    (8, b"WEBP", Format.PICTURE),
    (0, b"\x70\0\0\0", Format.LIF),
    (0, b"PK\3\4", Format.OME_ZARR),
)
_HEAD = 16
_ARCHIVES = (".ozx", ".zip")
_ZARR_DOCUMENTS = ("zarr.json", ".zgroup", ".zattrs", ".zarray")


def source_format(source: Any) -> Format:
    """Return the format of a source by its name.

    Without a known ending, the files in a folder decide, or the first bytes of a file object (which
    is rewound) or of a local file without any ending. Raises TypeError for other objects, and
    ValueError for a file object that cannot seek.
    """
    if is_store(source):
        return Format.OME_ZARR
    is_stream = hasattr(source, "read") and hasattr(source, "seek")
    if not is_stream and not isinstance(source, (str, os.PathLike)) and not is_fsspec(source):
        raise TypeError(
            f"an object of type {type(source).__name__} cannot be opened: give a path, a URL, a "
            "file object open for reading in binary, or a store of zarr; czictypes.save writes "
            "arrays"
        )
    if not is_url(source):
        refuse_lost_url(source)
    text = location_text(source)
    if is_stream:
        check_stream(source, text)
        source.seek(0)
    found = _by_ending(text, {**_ENDINGS, **_READ_ONLY})
    if found is None and is_stream:
        return _by_content(source)
    if found is None and not is_url(text):
        path = Path(text)
        if any((path / name).exists() for name in _ZARR_DOCUMENTS):
            return Format.OME_ZARR
        if path.suffix or not path.is_file():
            return Format.OTHER
        with path.open("rb") as stream:
            content = _by_content(stream)
        return Format.OTHER if content is Format.OME_ZARR else content  # archives need a name
    return found or Format.OTHER


def target_format(dest: Any) -> Format:
    """Return the format of a new file by its name; ValueError without a known ending."""
    if is_store(dest):
        return Format.OME_ZARR
    found = _by_ending(location_text(dest), _ENDINGS)
    if found is None:
        raise ValueError(
            f"{location_name(dest) or repr('')} does not end in the name of a format that can be "
            "written; use .czi, .ome.zarr, .ozx, .ome.tif, .tif or .png"
        )
    return found


def can_resume(dest: Any) -> bool:
    """Return whether a target is made step by step, so that it may be half done."""
    return target_format(dest) is Format.OME_ZARR and not is_archive(dest)


def is_store(location: Any) -> bool:
    """Return whether an object is a store of zarr, or a mapping."""
    if isinstance(location, Mapping):
        return True
    # the module of such a store is loaded already, so none is imported to look
    known = [("zarr.abc.store", "Store"), ("zarr.storage", "StorePath")]
    kinds = [getattr(sys.modules.get(module), name, None) for module, name in known]
    return isinstance(location, tuple(kind for kind in kinds if kind is not None))


def is_local(location: Any) -> bool:
    """Return whether a location is the path of a local file or folder."""
    is_path = isinstance(location, (str, os.PathLike)) and not is_store(location)
    return is_path and not is_url(location_text(location))


def is_archive(location: Any) -> bool:
    """Return whether a path or URL has the name of a ZIP archive with an OME-Zarr in it."""
    return not is_store(location) and location_path(location_text(location)).endswith(_ARCHIVES)


def location_text(location: Any) -> str:
    """Return a path or URL as text; the name of a store."""
    if isinstance(location, Mapping):
        return f"a {type(location).__name__}"
    if is_store(location):
        return str(location)
    if isinstance(location, (str, os.PathLike)):
        return os.fsdecode(location)
    if hasattr(type(location), "storage_options"):  # a UPath
        return str(location)
    return str(getattr(location, "path", None) or getattr(location, "name", "") or location)


def stored_bytes(source: Any) -> int:
    """Return the size of a local file or a file object in bytes."""
    if not hasattr(source, "read"):
        return os.stat(source).st_size  # noqa: PTH116
    place = source.tell()
    size: int = source.seek(0, os.SEEK_END)
    source.seek(place)
    return size


def location_name(location: Any) -> str:
    """Return the name of a path, URL or store for messages, without credentials."""
    return redact_url(location_text(location))


def scene_files(location: Any, scenes: Sequence[str]) -> list[Any]:
    """Return the names of a file for each scene: the scene's own stands before the ending.

    Characters that some filesystem does not take in names become ``_``, and names that are then
    the same but for upper and lower case get numbers. A ValueError says that the location is no
    path or URL.
    """
    if is_store(location):
        raise ValueError("split_scenes makes a file for each scene; give the path of a file")
    text = location_text(location)
    folder, slash, name = text.rpartition("/")
    if not is_url(text) and os.sep != "/":
        folder, slash, name = (*os.path.split(text)[:1], os.sep, os.path.split(text)[1])
    ending = max((one for one in _ENDINGS if name.lower().endswith(one)), key=len, default="")
    if ending == ".zarr" and name.lower().endswith(".ome.zarr"):
        ending = ".ome.zarr"
    stem, ending = name[: len(name) - len(ending)], name[len(name) - len(ending) :]
    found: dict[str, str] = {}
    for scene in scenes:
        plain = f"{stem}_{_UNSAFE.sub('_', scene)}"
        names = chain([plain], (f"{plain}-{number}" for number in count(2)))
        name = next(one for one in names if one.casefold() not in found)
        found[name.casefold()] = name
    return [f"{folder}{slash}{one}{ending}" for one in found.values()]


def location_path(text: str) -> str:
    """Return the lower-case path to search for an ending, without the query of a URL."""
    text = text.partition("::")[0]  # of chained URLs, the innermost comes first
    return (urlsplit(text).path or text if is_url(text) else text).rstrip("/\\").lower()


def _by_ending(text: str, known: Mapping[str, Format]) -> Format | None:
    """Return the format of the longest known ending."""
    path = location_path(text)
    endings = [ending for ending in known if path.endswith(ending)]
    return known[max(endings, key=len)] if endings else None


def _by_content(stream: Any) -> Format:
    head = bytes(stream.read(_HEAD))
    stream.seek(0)
    found = (form for at, mark, form in _MARKS if head[at:].startswith(mark))
    return next(found, Format.OTHER)


Function = TypeVar("Function", bound=Callable[..., Any])


def filesystem_of(
    location: Any, options: Mapping[str, Any] | None, *, doing: str
) -> tuple[Any, str] | None:
    """Return the filesystem of a URL or UPath, and the path in it; None for a path."""
    url = location_text(location)
    if not is_url(url):
        return None
    require("fsspec", extra="remote", doing=doing)
    return filesystem_at(url, options_of(location, options))


def options_of(location: Any, options: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the options of fsspec for a URL or UPath, which has options of its own."""
    merged = {**(getattr(location, "storage_options", None) or {}), **(options or {})}
    merged.pop("czictypes", None)  # not for fsspec, but for reading a CZI
    return merged


def without_secrets(function: Function) -> Function:
    """Decorate a function of a source and a target so that its errors show no credentials.

    The libraries that read and write URLs quote them in messages. The options are the arguments
    ``source_options``, ``storage_options`` and ``fs_kwargs``.
    """

    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except Exception as error:
            cleaned = error
            given = kwargs.get("storage_options") or kwargs.get("fs_kwargs")
            options = {**(kwargs.get("source_options") or {}), "": given}
            for location in (*args[:2], kwargs.get("source"), kwargs.get("dest")):
                if location is not None:
                    cleaned = Redactor(location_text(location), options).clean(cleaned)
            if cleaned is error:
                raise
        raise cleaned

    return call  # type: ignore[return-value]


@contextmanager
def staged_output(
    dest: Any, *, overwrite: bool, storage_options: Mapping[str, Any] | None = None
) -> Iterator[PathType]:
    """Yield a local path to write to: the target itself, or a temporary file to be uploaded.

    Object stores cannot change parts of a file, so it is uploaded when it is complete. Raises the
    errors of `check_dest`.
    """
    found = check_dest(dest, overwrite=overwrite, storage_options=storage_options)
    if found is None:
        yield dest
        return
    system, path = found
    folder = tempfile.TemporaryDirectory()
    try:
        name = path.rstrip("/").rpartition("/")[2] or "file"
        local = Path(folder.name) / re.sub(r'[<>:"|?*\\]', "_", name)  # which Windows refuses
        yield local
        aside(lambda: system.makedirs(system._parent(path), exist_ok=True))
        aside(lambda: system.put_file(str(local), path))
    finally:
        aside(folder.cleanup)  # an interrupt in it may become an OSError


def check_dest(
    dest: Any, *, overwrite: bool, storage_options: Mapping[str, Any] | None = None
) -> tuple[Any, str] | None:
    """Check that a path or URL can be written, without writing; return as `filesystem_of`.

    Raises FileExistsError for an existing file unless `overwrite` is set, and OSError for a folder
    or if the server does not answer.
    """
    found = filesystem_of(dest, storage_options, doing="writing to a URL")
    if found is not None:
        system, name = found
        exists = aside(lambda: system.exists(name))
    else:
        name = os.fsdecode(dest)
        check_new_file(name, overwrite=True)
        exists = Path(name).exists()
    if exists and not overwrite:
        raise FileExistsError(errno.EEXIST, "the file exists; overwrite=True replaces it", name)
    return found
