"""Asks a document for its metadata, without failing on XML that cannot be parsed."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from czictypes.model.defence import warn_caller
from czictypes.model.errors import CorruptFileError, MetadataWarning
from czictypes.reading.reader import CziReader

__all__ = ["told"]

T = TypeVar("T")


def told(reader: CziReader, ask: Callable[[CziReader], T], otherwise: T) -> T:
    """Return what `ask` gets from the reader; `otherwise` with a warning where it is damaged.

    Single fields never fail; this is for XML, or a directory of attachments, that cannot be read
    at all. Pixels have nothing to do with either.
    """
    try:
        return ask(reader)
    except CorruptFileError as error:
        warn_caller(
            f"metadata of {reader!r}: {error}; they are taken as missing",
            MetadataWarning,
        )
        return otherwise
