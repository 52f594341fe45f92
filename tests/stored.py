"""What stands in a file, byte for byte, wherever in it: to compare a copy with its source."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from czictypes.model.options import ReaderOptions
from czictypes.reading.document import OpenDocument
from czictypes.reading.reader import CziReader
from czictypes.remote.open import open_source

__all__ = ["open_document", "stored_attachments", "stored_blocks", "stored_xml"]


@contextmanager
def open_document(path: Path) -> Iterator[OpenDocument]:
    """Open a file without a session around it."""
    document = OpenDocument(open_source(path), None, ReaderOptions(), 1)
    try:
        yield document
    finally:
        document.close()


def stored_blocks(path: Path) -> list[Any]:
    """Return all there is to know of each sub-block, but for its place in the file, sorted."""
    with open_document(path) as document:
        rows = document.directory
        found = []
        for index in range(rows.count):
            entry = document.decoder.segment(index).entry
            found.append(
                (
                    *entry._replace(file_position=0, size=0, coordinate={}, letters=""),
                    *sorted(entry.coordinate.items()),
                    int(rows.pyramid_type[index]),
                    document.decoder.data(index),
                    document.decoder.metadata(index),
                    document.decoder.attachment(index),
                )
            )
    return sorted(found, key=repr)


def stored_attachments(path: Path) -> list[Any]:
    """Return name, type, GUID and bytes of each attachment."""
    with CziReader(path) as document:
        return [
            (one.name, one.content_file_type, one.guid, one.data) for one in document.attachments
        ]


def stored_xml(path: Path) -> bytes:
    """Return the document's XML as it stands."""
    with open_document(path) as document:
        return document.xml
