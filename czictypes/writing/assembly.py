"""A file under assembly: sub-blocks, attachments and metadata go in, all of them or none.

Creating, copying and adding pyramids all write through here, and what several threads encode for
them is put in order here. libCZI calls the output stream for every row of pixels and every 4 KiB of
filling, so the stream collects bytes; and it sets the fields of sub-blocks that the C API gets
wrong, as the bytes go by.
"""

from __future__ import annotations

import uuid
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, Generic, NamedTuple, TypeVar

from czictypes.container.byte_source import ByteSource
from czictypes.container.patch import SubBlockPatcher
from czictypes.container.synthetic import UnfinishedSource
from czictypes.container.workers import Task, Workers, settle
from czictypes.libczi.streams import OutputStream
from czictypes.libczi.writer import SubBlockSpec, WriterHandle
from czictypes.model.errors import ClosedError
from czictypes.model.geometry import Rectangle, Size
from czictypes.model.pixel_types import Compression, PixelType
from czictypes.model.public import file_errors
from czictypes.writing.targets import Target, WriteTarget, open_target

#: The pyramid type that ZEISS software gives to pyramid tiles.
MULTI_TILE_PYRAMID = 2
_BUFFER_SIZE = 1 << 20
_LARGE = 1 << 16  # pieces of this size are not worth a copy
R = TypeVar("R")


class EncodedSubBlock(NamedTuple):
    """A sub-block, its pixels encoded already."""

    coordinate: Mapping[str, int]  # S included
    rectangle: Rectangle  # the area covered, in layer-0 pixels
    size: Size  # of the bitmap itself; smaller than the area in a pyramid
    pixel_type: PixelType
    compression: int
    data: Any  # the pixels as they stand in the file: any contiguous buffer
    m_index: int | None = None
    pyramid_type: int = 0  # the byte that stands for it in the directory
    metadata: Any = b""
    attachment: Any = b""
    #: How many planes the data hold along a dimension, where that is not one; the dimension that
    #: varies fastest comes first.
    sizes: Mapping[str, int] = {}


class Assembly:
    """A file that is put together part by part.

    `commit` completes it; until then nothing is visible of a file, and `abort`, which a failed
    `commit` calls as well, leaves none behind. A ``with`` block ends with one of the two. With
    `allow_duplicates`, sub-blocks of the same coordinate, M-index and zoom are accepted; `written`
    needs `read_back`. Not for several threads at once.
    """

    def __init__(
        self,
        target: Target,
        *,
        overwrite: bool = False,
        file_guid: uuid.UUID | None = None,
        allow_duplicates: bool = False,
        read_back: bool = False,
    ) -> None:
        self._target = open_target(target, overwrite=overwrite, read_back=read_back)
        self.name = self._target.name
        self._sink = OutputSink(self._target)
        self._open = True
        try:
            self._writer = WriterHandle.create(
                OutputStream.from_sink(self._sink),
                file_guid=file_guid,
                allow_duplicates=allow_duplicates,
            )
        except BaseException:
            self._target.abort()
            raise

    @property
    def is_open(self) -> bool:
        """Whether parts can still be added."""
        return self._open

    def add(self, block: EncodedSubBlock) -> None:
        """Write a sub-block; after an error, the file can no longer be completed."""
        self._require_open()
        self._sink.patcher.declare(block.compression, block.pyramid_type, block.sizes)
        self._guard(self._writer.add_sub_block, _specification(block))

    def add_attachment(
        self, name: str, content_file_type: str, data: Any, guid: uuid.UUID | None = None
    ) -> None:
        """Write an attachment; errors as those of `add`."""
        self._require_open()
        self._guard(
            self._writer.add_attachment, guid or uuid.uuid4(), content_file_type, name, data
        )

    def write_metadata(self, xml: bytes) -> None:
        """Write the document's XML; a second one replaces the first."""
        self._require_open()
        self._guard(self._writer.write_metadata, xml)

    def written(self) -> ByteSource:
        """Return the sub-blocks added so far as a document that can be read.

        It can be read while more are added, in any thread, until `commit` or `abort`.
        """
        self._require_open()
        self._guard(self._sink.flush)
        positions = self._sink.patcher.positions
        return UnfinishedSource(self.name, self._target.read_at, positions, self._sink.end)

    def commit(self) -> None:
        """Complete the file: it appears under its name, or nothing is left."""
        self._require_open()
        try:
            self._sink.patcher.finish()
            self._writer.close()
            self._sink.patcher.complete()
            self._sink.flush()
            self._target.commit()
        except BaseException:
            self.abort()
            raise
        self._open = False

    def abort(self) -> None:
        """Leave nothing behind; does nothing after `commit`."""
        if self._open:
            self._open = False
            try:
                self._writer.abort()
            finally:
                self._target.abort()

    def __enter__(self) -> Assembly:
        return self

    def __exit__(self, exc_type: object, exc: object, traceback: object) -> None:
        """Complete the file, unless an error left the block."""
        if exc_type is None:
            self.commit()
        else:
            self.abort()

    def _guard(self, call: Any, *arguments: Any) -> None:
        """Call; a failure ends the assembly, for libCZI may have written half of the part."""
        try:
            call(*arguments)
        except BaseException:
            self.abort()
            raise

    def _require_open(self) -> None:
        if not self._open:
            raise ClosedError(f"the file {self.name} is not being written any more")


def _specification(block: EncodedSubBlock) -> SubBlockSpec:
    return SubBlockSpec(
        block.coordinate,
        *block.rectangle,
        block.pixel_type,
        block.data,
        # Uncompressed ones too go in as compressed: libCZI then takes the data in one piece, not
        # row by row, which is four times as fast. The sink sets the field in the file.
        block.compression or Compression.Zstd0,
        block.size,
        m_index=block.m_index,
        metadata=block.metadata,
        attachment=block.attachment,
    )


class OutputSink:
    """Collects what libCZI writes, corrects it, and hands it to a target in large pieces."""

    def __init__(self, target: WriteTarget, buffer_size: int = _BUFFER_SIZE) -> None:
        self.name = target.name
        self.patcher = SubBlockPatcher()
        self._target = target
        self._buffer_size = buffer_size
        self._buffer = bytearray()
        self._start = 0
        #: The end of what libCZI has written.
        self.end = 0

    def write_at(self, offset: int, data: memoryview) -> None:
        """Take all of `data`, which belongs at `offset`; it is not kept after the call."""
        if self.patcher.is_watching:
            data = self.patcher.patch(offset, data)
        size, buffer = len(data), self._buffer
        if offset + size > self.end:
            self.end = offset + size
        room = self._buffer_size - len(buffer)
        if offset == self._start + len(buffer) and size <= room and size < _LARGE:
            buffer += data
            return
        self.flush()
        if size < min(_LARGE, self._buffer_size):
            self._start = offset
            self._buffer += data
        else:
            self._write(offset, data)
            self._start = offset + size

    def flush(self) -> None:
        """Hand what was collected to the target."""
        if self._buffer:
            # a new buffer, for a file object may still hold on to the old one
            buffer, self._buffer = self._buffer, bytearray()
            self._write(self._start, buffer)
            self._start += len(buffer)

    def close(self) -> None:
        """Do nothing: libCZI closes the stream when it likes; the writer calls `flush`."""

    def _write(self, offset: int, data: memoryview | bytearray) -> None:
        with file_errors(self.name):
            self._target.write_at(offset, data)


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

    def submit(self, work: Callable[[], R], *, at_once: bool = False) -> None:
        """Take on work; may consume results of earlier work, and raise its errors.

        With `at_once` it is done in this thread, for it is too little to be worth another one.
        """
        if at_once or self.threads == 1:
            result = work()
            if self._pending:
                self._pending.append(result)
            else:
                self._consume(result)
        else:
            task = Task(work)
            self._pending.append(_Waiting(task, work))
            self._workers.submit(task)
        while self._pending and (len(self._pending) > 2 * self.threads or self._first_is_done()):
            self._advance()

    def drain(self) -> None:
        """Wait until there are all results, and consume them."""
        while self._pending:
            self._advance()

    def close(self) -> None:
        """Drop what is not consumed yet, and end the threads."""
        settle([item.task for item in self._pending if isinstance(item, _Waiting)], stop=True)
        self._pending.clear()
        self._workers.close()

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
