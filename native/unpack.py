"""Unpacks the needed part of a downloaded archive."""

from __future__ import annotations

import shutil
import tarfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO

from native.errors import BuildError
from native.patching import apply_patch, patch_name
from native.sources import Source

__all__ = ["unpack"]


def unpack(source: Source, archive: Path, target: Path, patch: Path | None = None) -> Path:
    """Unpack the folder of `source` from `archive` to `target`, patch it, and return `target`.

    A folder unpacked before from the same file, and patched alike, is left as it is, so that a
    second build compiles only what changed. Links and special files in the archive are left out.
    """
    stamp = target.with_name(target.name + ".sha256")
    state = source.sha256 if patch is None else f"{source.sha256} {patch_name(patch)}"
    if target.is_dir() and stamp.is_file() and stamp.read_text("ascii") == state:
        return target
    stamp.unlink(missing_ok=True)
    shutil.rmtree(target, ignore_errors=True)
    count = 0
    with _members(archive) as members:
        for name, stream in members:
            inside = _path_inside(name, source.folder)
            if inside is None:
                continue
            path = target / inside
            path.parent.mkdir(parents=True, exist_ok=True)
            with stream, path.open("wb") as file:
                shutil.copyfileobj(stream, file)
            count += 1
    if not count:
        raise BuildError(f"{archive} has no folder {source.folder}: correct native/sources.toml.")
    if patch is not None:
        apply_patch(target, patch)
    stamp.write_text(state, "ascii")
    return target


def _path_inside(name: str, folder: str) -> PurePosixPath | None:
    path = PurePosixPath(name)
    if ".." in path.parts:
        return None
    try:
        return path.relative_to(folder)
    except ValueError:
        return None


@contextmanager
def _members(archive: Path) -> Iterator[Iterator[tuple[str, IO[bytes]]]]:
    """Give name and open stream of each regular file in a zip or tar archive."""
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as zipped:
            yield ((i.filename, zipped.open(i)) for i in zipped.infolist() if not i.is_dir())
        return
    with tarfile.open(archive) as tar:
        yield ((m.name, stream) for m in tar if (stream := _regular(tar, m)) is not None)


def _regular(tar: tarfile.TarFile, member: tarfile.TarInfo) -> IO[bytes] | None:
    return tar.extractfile(member) if member.isreg() else None
