"""Reads of many planes of one document: what the arrays are made of."""

from __future__ import annotations

from contextlib import AbstractContextManager

from czictypes.reading.document import OpenDocument
from czictypes.reading.reader import CziReader

__all__ = ["open_document_of"]


def open_document_of(reader: CziReader) -> AbstractContextManager[OpenDocument]:
    """Hold the document of a reader open, as the file is now, for the length of a `with` block.

    Raises
    ------
    ClosedError
        After the reader was closed.
    """
    return reader._session.document()
