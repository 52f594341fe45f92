"""Keeps a document open: reopens it when the file changed, or in a forked process."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from czictypes.container.source import ByteSource
from czictypes.model.errors import ClosedError, FileChangedError
from czictypes.reading.document import OpenDocument

__all__ = ["Session"]


class Session:
    """The document that a reader reads from now.

    Parameters
    ----------
    open_source
        Opens the file's bytes; called again when the file changed.
    open_document
        Makes a document of them.
    name
        What to call the file in errors.
    """

    def __init__(
        self,
        open_source: Callable[[], ByteSource],
        open_document: Callable[[ByteSource], OpenDocument],
        name: str,
    ) -> None:
        self._open_source = open_source
        self._open_document = open_document
        self.name = name
        self._lock = threading.Lock()
        self._process = os.getpid()
        self._closed = False
        self._identity: tuple[Any, ...] | None = None
        self._document: OpenDocument | None = None
        self._open()

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._closed

    @contextmanager
    def document(self) -> Iterator[OpenDocument]:
        """Hold the document of the file as it is now, for the length of a `with` block.

        Raises
        ------
        ClosedError
            After `close`.
        FileChangedError
            If the file changed on disk and cannot be opened again.
        """
        document = self._enter()
        try:
            yield document
        finally:
            document.uses.leave()

    def close(self) -> None:
        """Close the document after the reads in flight; further reads raise `ClosedError`."""
        self._renew_after_fork()
        with self._lock:
            self._closed = True
            document, self._document = self._document, None
        if document is not None:
            document.uses.retire(wait=True)

    def _enter(self) -> OpenDocument:
        self._renew_after_fork()
        with self._lock:
            if self._closed:
                raise ClosedError(f"{self.name} is closed; open it again to read from it")
            if self._document is None or self._has_changed(self._document):
                self._reopen()
            document = self._document
            assert document is not None
            document.uses.enter()
            return document

    def _has_changed(self, document: OpenDocument) -> bool:
        try:
            return document.source.identity() != self._identity
        except OSError as error:
            raise FileChangedError(
                f"{self.name} cannot be reached any more ({error}); it was open for reading"
            ) from error

    def _reopen(self) -> None:
        before, self._document = self._document, None
        if before is not None:
            before.uses.retire(wait=False)
        try:
            self._open()
        except Exception as error:
            raise FileChangedError(
                f"{self.name} changed on disk while it was open and cannot be opened again: {error}"
            ) from error

    def _open(self) -> None:
        source = self._open_source()
        try:
            identity = source.opened_identity()
            self._document = self._open_document(source)
        except BaseException:
            source.close()
            raise
        self._identity = identity

    def _renew_after_fork(self) -> None:
        """Forget what belongs to the parent process: its locks and threads do not run here."""
        if self._process == os.getpid():
            return
        with _after_fork:
            if self._process != os.getpid():
                self._lock = threading.Lock()
                self._document = None
                self._process = os.getpid()


_after_fork = threading.Lock()
