"""The folder of downloads, and the hash of a file."""

from __future__ import annotations

import hashlib
import os
import sys
from pathlib import Path

__all__ = ["cache_folder", "sha256_of"]

_BLOCK = 1 << 20


def cache_folder() -> Path:
    """Return the folder for files that are kept between builds; it may not exist yet.

    The environment variable CZICTYPES_CACHE names it; by default it is `czictypes` in the
    platform's folder for a user's caches.
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
