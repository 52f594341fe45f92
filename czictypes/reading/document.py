"""A document as a reader has it open: its bytes, libCZI's reader on them, and the tables of both.

`OpenDocument` is one state of the file. The `Session` of a reader opens the document, and opens it
again after the file changed on disk, and in a forked process.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from czictypes.container.byte_source import ByteSource
from czictypes.container.directory import check_document
from czictypes.container.file_source import FileSource
from czictypes.container.limits import Bounds
from czictypes.container.parts import JoinedSource, join_parts
from czictypes.container.segments import read_metadata_xml
from czictypes.container.uses import Uses
from czictypes.container.workers import Workers
from czictypes.metadata.annotations import Annotation, read_annotations
from czictypes.metadata.channels import ChannelInfo, channels
from czictypes.metadata.document_info import Scaling, scaling
from czictypes.metadata.scenes import SceneInfo, scenes
from czictypes.metadata.xml import parse, to_dict, to_text
from czictypes.model.errors import (
    ClosedError,
    CorruptFileError,
    FileChangedError,
    UnsupportedDataError,
)
from czictypes.model.options import CacheInfo, CacheOptions, ReaderOptions
from czictypes.model.public import Defence
from czictypes.reading.damage import DamageList, advise, leaves_blank
from czictypes.reading.decode import SubBlockDecoder
from czictypes.reading.names import DocumentNames
from czictypes.reading.native_reader import NativeReader
from czictypes.reading.paint import Painter, Part
from czictypes.reading.planes import plane_rows
from czictypes.reading.request import Requests
from czictypes.reading.result_memory import ResultMemory
from czictypes.reading.table import SubBlockTable
from czictypes.reading.threads import ThreadPool
from czictypes.reading.tiles import Prefetcher, SubBlockCache
from czictypes.remote.part_files import PartFiles
from czictypes.remote.urls import redact_text

T = TypeVar("T")

_LOG = logging.getLogger(__name__)


class Remains(NamedTuple):
    """The parts of a document that outlive it, as in pylibCZIrw: its table and its cache's size."""

    table: SubBlockTable
    cache: CacheInfo


class OpenDocument:
    """A file as it was when a reader opened it; closes `source` with itself."""

    def __init__(
        self,
        source: ByteSource,
        cache_options: CacheOptions | None,
        options: ReaderOptions,
        threads: int,
        parts: PartFiles | None = None,
    ) -> None:
        self.opened_as = source.opened_identity()
        self.options = options
        self.blank = leaves_blank(options.on_error)
        checked = check_document(
            source,
            strict=not options.lax_subblock_coordinate_checks,
            ignore_sizem_for_pyramid=options.ignore_sizem_for_pyramid_subblocks,
        )
        source, self.directory, self.attachment_entries = join_parts(
            source, checked, parts or PartFiles(source)
        )
        self.source = source
        self.name = source.name
        self.header = checked.header
        self.native = NativeReader(source)
        bounds = None if options.allow_sparse else Bounds(source)
        self.rows = plane_rows(
            source, self.directory, stored_resolution=options.stored_resolution, bounds=bounds
        )
        self.table = SubBlockTable(self.rows, bounds)
        self.table.names = DocumentNames(self)
        self.cache = None if cache_options is None else SubBlockCache(cache_options)
        self.memory = ResultMemory(source.name, options.max_result_bytes)
        self.decoder = SubBlockDecoder(
            source,
            self.rows,
            cache=self.cache,
            cache_uncompressed=not isinstance(source, FileSource),
            mask_aware=options.enable_mask_awareness,
            prefetcher=self._prefetcher(options) if source.is_remote else None,
            memory=self.memory,
        )
        self.requests = Requests(self.table, self.name, mask_aware=options.enable_mask_awareness)
        self.damage = DamageList()
        self.painter = Painter(self.table, self.decoder, source, self.damage, self.opened_as)
        self.pool = ThreadPool(threads)
        self.uses = Uses()
        self._made: dict[str, Any] = {}
        self._making = threading.RLock()
        self._closing = threading.Lock()

    def require_unchanged(self) -> None:
        """Raise `FileChangedError` if the file was changed in place since it was opened.

        Replacing the file by another one does not matter. Neither does a change of a file that is
        marked as being written: it grows while the microscope works.
        """
        if not (self.source.is_still(self.opened_as) or self.header.update_pending):
            raise FileChangedError(
                f"{self.name} was changed while it was read, so what was read may be partly old "
                "and partly new; read again"
            )

    def paint(
        self,
        parts: Sequence[Part],
        outs: Sequence[NDArray[Any]],
        threads: int,
        workers: Workers | None,
        *,
        blank: bool,
    ) -> None:
        """Paint as the `painter` does; raise `FileChangedError` if the file changed meanwhile."""
        try:
            is_unchanged = self.painter.paint(parts, outs, threads, workers, blank=blank)
        except (CorruptFileError, UnsupportedDataError) as error:
            self.require_unchanged()
            advise(error)
            raise
        if not is_unchanged:
            self.require_unchanged()

    def cached(self, name: str, make: Callable[[], T]) -> T:
        """Return what `make` returned at the first call with this name."""
        with self._making:
            if name not in self._made:
                self._made[name] = make()
            made: T = self._made[name]
            return made

    @property
    def xml(self) -> bytes:
        """The document's XML as it is stored; empty where the file has none."""
        return self.cached("xml", lambda: read_metadata_xml(self.source, self.header))

    @property
    def xml_text(self) -> str:
        """The document's XML as text."""
        return self.cached("xml_text", lambda: to_text(self.xml))

    @property
    def metadata(self) -> dict[str, Any]:
        """The document's XML as nested dictionaries."""
        return self.cached("metadata", lambda: to_dict(self.xml))

    def read_metadata(self, read: Callable[[Any], T], name: str | None = None) -> T:
        """Return what `read` makes of the root of the document's XML; called once per `name`.

        A function of a module needs no name.
        """
        root = self.cached("root", lambda: parse(self.xml))
        return self.cached(name or f"{read.__module__}.{read.__qualname__}", lambda: read(root))

    def ignore_damaged_metadata(self) -> None:
        """Let metadata that cannot be parsed count as none; for those who tell of it themselves."""
        try:
            self.read_metadata(lambda root: None, "whether there are metadata")
        except CorruptFileError:
            self.cached("root", lambda: parse(b""))

    @property
    def lists_attachments(self) -> bool:
        """Whether there is a list of attachments, be it empty."""
        return self.header.attachment_directory_position > 0

    @property
    def scaling(self) -> Scaling:
        """The extent of a pixel along X, Y and Z in metres, None where unknown."""
        found, (x, y) = self.read_metadata(scaling), self.rows.magnification
        return found._replace(x=found.x and found.x / x, y=found.y and found.y / y)

    @property
    def annotations(self) -> list[Annotation]:
        """The annotations in the XML, in pixels."""
        drawn, (x, y) = self.read_metadata(read_annotations), self.rows.magnification
        return drawn if x == y == 1 else [one.magnified(x, y) for one in drawn]

    @property
    def channels(self) -> list[ChannelInfo]:
        """The metadata of each channel in the XML."""
        first = self.table.plane_bounds.get("C", (0, 1))[0]
        return self.read_metadata(lambda root: channels(root, first), "channels")

    def cache_info(self) -> CacheInfo:
        """Return the current size of the cache."""
        return CacheInfo(0, 0) if self.cache is None else self.cache.info()

    def remains(self) -> Remains:
        """Return what outlives the document; it holds no tile."""
        return Remains(self.table, self.cache_info())

    @property
    def scenes(self) -> list[SceneInfo]:
        """The scenes in the XML, by the S indices of the sub-blocks."""
        numbers = tuple(self.table.scene_rectangles)
        return self.read_metadata(lambda root: scenes(root, numbers), "scenes")

    @property
    def sub_blocks(self) -> NDArray[np.void]:
        """The table of sub-blocks; each `file_position` counts within the sub-block's own file."""
        table, source = self.table.as_structured, self.source
        if not isinstance(source, JoinedSource):
            return table
        return self.cached("sub-blocks", lambda: source.own_positions(table))

    @property
    def has_parts(self) -> bool:
        """Whether the document is in several files."""
        return isinstance(self.source, JoinedSource)

    @property
    def parts(self) -> dict[int, str | None]:
        """The other files of a document of several, by part number; None for a missing one."""
        return self.source.parts() if isinstance(self.source, JoinedSource) else {}

    def _prefetcher(self, options: ReaderOptions) -> Prefetcher:
        masks = options.enable_mask_awareness
        return Prefetcher(self.source, self.rows, self.header, cache=self.cache, masks=masks)

    def close(self) -> None:
        """Refuse further uses, wait for those in flight, and release everything.

        The call may be interrupted and repeated.
        """
        self.uses.end()
        self.uses.wait()
        with self._closing:
            self.memory.clear()
            self.painter.close()
            self.pool.close()
            self.native.close()
            self.source.close()


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
                document = self._open_document(source)
                if _LOG.isEnabledFor(logging.DEBUG):
                    taken = 1000 * (time.perf_counter() - begun)
                    _LOG.debug(
                        "opened %s (%s, %d bytes) in %.1f ms: %d sub-blocks%s",
                        redact_text(source.name), _kind(source), source.size(), taken,
                        document.directory.count, " in several files" * document.has_parts,
                    )  # fmt: skip
                self._current = document, document.opened_as
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
