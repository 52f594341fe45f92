"""What threads and other processes do with a reader; importable by a fresh interpreter."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from reads import Read

__all__ = ["digest", "digests"]


def digest(document: Any, read: Read) -> str:
    """Return a hash of what a read gives, shape and type included."""
    pixels = document.read(**read.arguments)
    kind = f"{pixels.shape} {pixels.dtype.str}".encode()
    return hashlib.sha256(kind + pixels.tobytes()).hexdigest()


def digests(document: Any, reads: Sequence[Read]) -> list[str]:
    """Return the hashes of several reads, and close the document."""
    with document:
        return [digest(document, read) for read in reads]
