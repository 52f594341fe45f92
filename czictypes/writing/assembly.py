"""A file under assembly: sub-blocks, attachments and metadata go in, all of them or none.

Creating, copying and adding pyramids all write through here, and what several threads encode for
them is put in order here. Small pieces are collected, so that many go to the target at once.
"""

from __future__ import annotations

import uuid
from collections import deque
from collections.abc import Callable
from typing import Any, Generic, NamedTuple, TypeVar

from czictypes.container.byte_source import ByteSource
from czictypes.container.layout import pack_file_header
from czictypes.container.synthetic import UnfinishedSource
from czictypes.container.workers import Task, Workers, settle
from czictypes.model.errors import ClosedError
from czictypes.model.public import file_errors
from czictypes.writing.new_segments import (
    EncodedSubBlock,
    NewAttachments,
    NewSubBlocks,
    pack_metadata,
)
from czictypes.writing.targets import Target, open_target

#: The pyramid type that ZEISS software gives to pyramid tiles.
MULTI_TILE_PYRAMID = 2
_BUFFER_SIZE = 1 << 20
_LARGE = 1 << 16  # pieces of this size are not worth a copy
R = TypeVar("R")


class Assembly:
    """A file that is put together part by part.

    `commit` completes it; until then nothing is visible of a file, and `abort`, which a failed
    `commit` calls as well, leaves none behind. A ``with`` block ends with one of the two. `written`
    needs `read_back`. With `for_openslide`, a file without attachments has an empty directory of
    them, without which OpenSlide reads no file. Not for several threads at once.
    """

    def __init__(
        self,
        target: Target,
        *,
        overwrite: bool = False,
        file_guid: uuid.UUID | None = None,
        read_back: bool = False,
        for_openslide: bool = False,
    ) -> None:
        self._for_openslide = for_openslide
        self._guid = file_guid or uuid.uuid4()
        self._sub_blocks, self._attachments = NewSubBlocks(), NewAttachments()
        self._xml = b""
        #: What is not written yet, and where it belongs.
        self._buffer, self._start = bytearray(pack_file_header(self._guid)), 0
        self._end = len(self._buffer)
        self._target = open_target(target, overwrite=overwrite, read_back=read_back)
        self.name = self._target.name
        self._open = True

    @property
    def is_open(self) -> bool:
        """Whether parts can still be added."""
        return self._open

    def add(self, block: EncodedSubBlock) -> None:
        """Write a sub-block; after an error, the file can no longer be completed."""
        self._require_open()
        self._guard(lambda: self._write(self._sub_blocks.pack(block, self._end)))

    def add_attachment(
        self, name: str, content_file_type: str, data: Any, guid: uuid.UUID | None = None
    ) -> None:
        """Write an attachment; errors as those of `add`."""
        self._require_open()
        arguments = name, content_file_type, data, guid or uuid.uuid4()
        self._guard(lambda: self._write(self._attachments.pack(*arguments, self._end)))

    def write_metadata(self, xml: bytes) -> None:
        """Give the document its XML; a second one replaces the first."""
        self._require_open()
        self._xml = xml

    def written(self) -> ByteSource:
        """Return the sub-blocks added so far as a document that can be read.

        It can be read while more are added, in any thread, until `commit` or `abort`.
        """
        self._require_open()
        self._guard(self._flush)
        entries = self._sub_blocks.written()
        return UnfinishedSource(self.name, self._target.read_at, *entries, self._end)

    def commit(self) -> None:
        """Complete the file: it appears under its name, or nothing is left."""
        self._require_open()
        self._guard(self._complete)
        self._open = False

    def abort(self) -> None:
        """Leave nothing behind; does nothing after `commit`."""
        if self._open:
            self._open = False
            self._target.abort()

    def __enter__(self) -> Assembly:
        return self

    def __exit__(self, exc_type: object, exc: object, traceback: object) -> None:
        """Complete the file, unless an error left the block."""
        if exc_type is None:
            self.commit()
        else:
            self.abort()

    def _complete(self) -> None:
        metadata = self._write(pack_metadata(self._xml)) if self._xml else 0
        directory = self._write(self._sub_blocks.pack_directory())
        has_list = bool(self._attachments.entries) or self._for_openslide
        listed = self._write(self._attachments.pack_directory()) if has_list else 0
        self._flush()
        self._buffer += pack_file_header(self._guid, directory, metadata, listed)
        self._start = 0
        self._flush()
        self._target.commit()

    def _guard(self, act: Callable[[], object]) -> None:
        """Act; a failure ends the assembly, for half of a part may be written."""
        try:
            act()
        except BaseException:
            self.abort()
            raise

    def _write(self, pieces: list[Any]) -> int:
        """Write a segment behind all others; return its position."""
        position, size = self._end, sum(map(len, pieces))
        if size < _LARGE:
            pieces = [b"".join(pieces)]
        for piece in pieces:
            if len(self._buffer) + len(piece) > _BUFFER_SIZE or len(piece) >= _LARGE:
                self._flush()
            if len(piece) < _LARGE:
                self._buffer += piece
            else:
                self._put(piece)
        self._end += size
        return position

    def _flush(self) -> None:
        """Hand what was collected to the target."""
        if self._buffer:
            # a new buffer, for a file object may still hold on to the old one
            buffer, self._buffer = self._buffer, bytearray()
            self._put(buffer)

    def _put(self, data: Any) -> None:
        with file_errors(self.name):
            self._target.write_at(self._start, data)
        self._start += len(data)

    def _require_open(self) -> None:
        if not self._open:
            raise ClosedError(f"the file {self.name} is not being written any more")


class _Waiting(NamedTuple):
    """Work that a thread may have begun already."""

    task: Task[Any]
    work: Callable[[], Any]


class OrderedPipeline(Generic[R]):
    """Makes results in threads, and hands each to `consume` in the order of `submit`.

    The caller's thread is one of them: it works instead of waiting, and runs `consume` within
    `submit` and `drain`. One thread more than there are CPUs takes a tenth longer. At most twice as
    many results as there are threads wait for their turn, so memory is bounded.
    """

    def __init__(self, threads: int, consume: Callable[[R], None]) -> None:
        self.threads = threads
        self._consume = consume
        self._workers = Workers(threads - 1, "czictypes-encode")
        self._pending: deque[_Waiting | R] = deque()

    def submit(self, work: Callable[[], R]) -> None:
        """Take on work; may consume results of earlier work, and raise its errors."""
        if self.threads == 1:
            self.put(work())
            return
        task = Task(work)
        self._pending.append(_Waiting(task, work))
        self._workers.submit(task)
        self._advance_far_enough()

    def put(self, result: R) -> None:
        """Take a result of work that was too little for another thread; else as `submit`."""
        if self._pending:
            self._pending.append(result)
            self._advance_far_enough()
        else:
            self._consume(result)

    def drain(self) -> None:
        """Wait until there are all results, and consume them."""
        while self._pending:
            self._advance()

    def close(self) -> None:
        """Drop what is not consumed yet, and end the threads."""
        settle([item.task for item in self._pending if isinstance(item, _Waiting)], stop=True)
        self._pending.clear()
        self._workers.close()

    def _advance_far_enough(self) -> None:
        while self._pending and (len(self._pending) > 2 * self.threads or self._first_is_done()):
            self._advance()

    def _first_is_done(self) -> bool:
        first = self._pending[0]
        return not isinstance(first, _Waiting) or first.task.done

    def _advance(self) -> None:
        """Consume the first result; as long as there is none, do work that no thread has begun."""
        if not self._first_is_done() and self._do_waiting():
            return
        first = self._pending.popleft()
        self._consume(first.task.result() if isinstance(first, _Waiting) else first)

    def _do_waiting(self) -> bool:
        """Do the first work that no thread has begun; tell whether there was any."""
        for place, item in enumerate(self._pending):
            if isinstance(item, _Waiting) and item.task.claim():
                self._pending[place] = item.work()
                return True
        return False
