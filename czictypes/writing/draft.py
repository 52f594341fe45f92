"""A document that is being written: whether it can go on, and what happens when it cannot."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from czictypes.model.errors import ClosedError, CziError
from czictypes.writing.assembly import Assembly
from czictypes.writing.tile_writer import TileWriter

__all__ = ["Draft"]


class Draft:
    """The file of a document and its tiles on their way; all of it is written, or given up.

    Parameters
    ----------
    assembly
        The file.
    threads
        How many threads compress tiles.
    """

    def __init__(self, assembly: Assembly, threads: int) -> None:
        self.assembly = assembly
        self.tiles = TileWriter(threads, assembly)
        self.lock = threading.RLock()
        self._failure: BaseException | None = None

    @property
    def is_open(self) -> bool:
        """Whether more can be written."""
        return self.assembly.is_open

    def require_open(self) -> None:
        """Raise if nothing more can be written.

        Raises
        ------
        ClosedError
            If the document is complete.
        CziError
            If it was given up.
        """
        if self._failure is not None:
            raise self._given_up(self._failure) from self._failure
        if not self.is_open:
            name = self.assembly.name
            raise ClosedError(f"the document {name} is closed; nothing can be written to it")

    def tell_failure(self) -> None:
        """Raise what the document was given up for, once.

        Raises
        ------
        CziError
            If it was given up.
        """
        if self._failure is not None:
            failure, self._failure = self._failure, None
            raise self._given_up(failure) from failure

    @contextmanager
    def all_or_nothing(self) -> Iterator[None]:
        """Give the document up when something fails: it may be half in the file."""
        try:
            yield
        except BaseException as error:
            self._failure = error
            self.abort()
            raise

    def abort(self) -> None:
        """Leave nothing behind; does nothing when the file is complete."""
        self.tiles.close()
        self.assembly.abort()

    def _given_up(self, failure: BaseException) -> CziError:
        why = str(failure) or type(failure).__name__
        return CziError(
            f"the document {self.assembly.name} was given up, because writing to it failed: {why}"
        )
