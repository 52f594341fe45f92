"""Keeps a document open; opens it again after the file changed, and in a forked process."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable
from typing import Any

from czictypes.container.byte_source import ByteSource
from czictypes.container.file_source import FileSource
from czictypes.model.errors import ClosedError, FileChangedError
from czictypes.model.public import Defence
from czictypes.reading.document import OpenDocument, Remains
from czictypes.remote.urls import redact_text

_LOG = logging.getLogger(__name__)


class Session:
    """The document that a reader reads from now.

    `open_source` opens the bytes of the file, also after it changed; `open_document` makes a
    document of them. `name` is the file's name in errors.
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
        self._replaced: list[OpenDocument] = []  # of earlier content, perhaps still in use
        self._remains: Remains | None = None
        self._holds: dict[int, tuple[OpenDocument, Any]] = {}  # by thread, until unlocked
        # The document and its source's `identity` at opening; None if there is no document.
        self._current: tuple[OpenDocument, tuple[Any, ...] | None] | None = None
        self._open()

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._closed

    @property
    def remains(self) -> Remains | None:
        """The properties that remain after `close`; None before."""
        return self._remains

    def document(self, *, hold: bool = False) -> _Use:
        """Return a `with` block that uses the document of the file as it is now.

        With `hold`, nested blocks of the same thread use the same document, without another look at
        the file. Entering the block raises `ClosedError` after `close`, and `FileChangedError` if
        the file changed on disk and cannot be opened again.
        """
        return _Use(self, hold)

    def close(self) -> None:
        """Close the document after the reads in flight; further reads raise `ClosedError`."""
        self._renew_after_fork()
        with self._lock:
            current = self._current
            if current is not None:
                current[0].uses.end()
            self._closed = True
        if current is not None:  # kept until it is closed: an interrupt may come before
            current[0].close()
            self._remains = current[0].remains()
        for document in self._replaced.copy():
            document.close()
        self._current, self._replaced, self._holds = None, [], {}

    def hold(self, document: OpenDocument, lock: Any) -> None:
        """Keep the document for this thread until the lock is released."""
        if not self._is_held(document):
            self._holds[threading.get_ident()] = document, lock

    def _is_held(self, document: OpenDocument) -> bool:
        held = self._holds.get(threading.get_ident())
        return held is not None and held[0] is document and held[1].locked()

    def enter(self, lock: Any) -> OpenDocument:
        """Use the document until the lock is released; raises as `document`."""
        current = self._current
        # Without a lock if nothing changed: callers would wait for each other's `stat`.
        if current is not None and self._process == os.getpid():
            document = current[0]
            if not self._has_changed(current) and document.uses.add(lock):
                return document
        self._renew_after_fork()
        with self._lock:
            return self._enter_locked(lock)

    def _enter_locked(self, lock: Any) -> OpenDocument:
        if self._closed:
            raise ClosedError(f"{self.name} is closed; open it again to read from it")
        if self._current is None or self._has_changed(self._current):
            self._reopen()
        assert self._current is not None
        document = self._current[0]
        document.uses.add(lock)  # only `close` ends them, which needs our lock
        return document

    def _has_changed(self, current: tuple[OpenDocument, tuple[Any, ...] | None]) -> bool:
        document, identity = current
        if self._holds and self._is_held(document):
            return False
        try:
            return document.source.identity() != identity
        except OSError as error:
            raise FileChangedError(
                f"{self.name} cannot be reached any more ({error}); it was open for reading"
            ) from error

    def _reopen(self) -> None:
        before = self._current
        if before is not None:
            before[0].uses.end()
            self._replaced.append(before[0])
            self._current = None
            _LOG.debug("%s changed, and is opened again", redact_text(before[0].name))
        self._close_replaced()
        try:
            self._open()
        except Exception as error:
            raise FileChangedError(
                f"{self.name} changed on disk while it was open and cannot be opened again: {error}"
            ) from error

    def _close_replaced(self) -> None:
        """Close the documents of earlier content that are no longer in use."""
        for document in self._replaced.copy():
            if document.uses.idle():
                document.close()
                self._replaced.remove(document)

    def _open(self) -> None:
        begun = time.perf_counter()
        source = self._open_source()
        try:
            with Defence(self.name):
                identity = source.opened_identity()
                document = self._open_document(source)
                if _LOG.isEnabledFor(logging.DEBUG):
                    taken = 1000 * (time.perf_counter() - begun)
                    _LOG.debug(
                        "opened %s (%s, %d bytes) in %.1f ms: %d sub-blocks%s",
                        redact_text(source.name), _kind(source), source.size(), taken,
                        document.directory.count, " in several files" * document.has_parts,
                    )  # fmt: skip
                self._current = document, identity
        except BaseException:
            source.close()
            raise

    def _renew_after_fork(self) -> None:
        """Drop what belongs to the parent process: its locks and threads do not exist here."""
        if self._process == os.getpid():
            return
        with _after_fork:
            if self._process != os.getpid():
                self._lock = threading.Lock()
                self._current, self._replaced, self._holds = None, [], {}
                self._process = os.getpid()


class _Use:
    """A use of the session's document, ended like a `Use`."""

    __slots__ = ("__exit__", "_hold", "_lock", "_session")

    __exit__: Callable[..., None]

    def __init__(self, session: Session, hold: bool) -> None:
        self._session, self._hold = session, hold
        self._lock = lock = threading.Lock()
        lock.acquire()
        self.__exit__ = lock.__exit__

    def __enter__(self) -> OpenDocument:
        try:
            document = self._session.enter(self._lock)
            if self._hold:
                self._session.hold(document, self._lock)
            return document
        except BaseException:
            self._lock.release()
            raise


def _kind(source: ByteSource) -> str:
    if source.is_remote:
        return "remote"
    return "local file" if isinstance(source, FileSource) else "file object"


_after_fork = threading.Lock()
