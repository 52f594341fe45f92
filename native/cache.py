"""The folder that keeps downloads, and the check that a file is the one that was pinned."""

from __future__ import annotations

import hashlib
import os
import sys
from pathlib import Path

__all__ = ["cache_folder", "sha256_of"]

_BLOCK = 1 << 20


def cache_folder() -> Path:
    """Return the folder for files worth keeping between builds.

    The environment variable CZICTYPES_CACHE names it; otherwise it is `czictypes` in the place
    where the platform keeps a user's caches. It need not exist yet.
    """
    chosen = os.environ.get("CZICTYPES_CACHE")
    if chosen:
        return Path(chosen).expanduser().resolve()
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or str(Path.home() / "AppData" / "Local")
        return Path(base) / "czictypes" / "Cache"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "czictypes"
    return Path(os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")) / "czictypes"


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file's bytes in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        for block in iter(lambda: file.read(_BLOCK), b""):
            digest.update(block)
    return digest.hexdigest()
