"""The byte source of a remote file, which fetches only the needed blocks, and each once.

A file stored uncompressed in a ZIP archive (``zip://image.czi::https://host/a.zip``) is a part of
such a source; zipfile decompresses the others.
"""

from __future__ import annotations

import io
import logging
import os
import struct
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import Any

from czictypes.container.byte_source import ByteSource, PartSource, Range
from czictypes.model.errors import CorruptFileError, FileChangedError, RemoteNotFoundError
from czictypes.remote.cache import BlockCache, Entry, PendingRequest, ReadAhead, blocks_of
from czictypes.remote.transport import Transport

_LOG = logging.getLogger(__name__)


class RemoteSource(ByteSource):
    """A remote file; the transport, which makes the requests, is closed with it.

    Raises
    ------
    RemoteError
        If the file does not exist or cannot be read.
    """

    is_remote = True

    def __init__(self, transport: Transport) -> None:
        super().__init__(transport.name)
        options = transport.options
        self._transport = transport
        self._block = block = options.block_bytes
        self._cache = BlockCache(
            options.cache_bytes,
            block,
            options.gap_bytes // block,
            options.request_bytes // block,
            self._help,
        )
        self._window = max(options.cache_bytes // 4 // block, 1)
        self._aheads: tuple[ReadAhead, ...] = ()
        self._changed = False
        count = max(1, (64 << 10) // block) * block
        opening = transport.open(count)
        came = len(opening.data)
        _LOG.debug("%s has %d bytes; %d of them are here", self.name, opening.size, came)
        self._length, self._opened = opening.size, opening.identity
        self._whole = opening.data if opening.whole else None
        if not opening.whole:
            self._keep_beginning(opening.data)

    def identity(self) -> tuple[Any, ...] | None:
        """Return the identity, with another value once an answer showed that the file changed."""
        live = self._transport.identity()
        return (*self._opened, "changed") if self._changed else live or self._opened

    def opened_identity(self) -> tuple[Any, ...]:
        """Return the identity of the content at opening."""
        return self._opened

    def read_ranges(self, ranges: Sequence[Range]) -> list[bytes]:
        """Return the bytes of many ranges; fetch all missing blocks at the same time."""
        try:
            with self._use():
                bounded = [
                    (offset, self._reach(offset, count) - offset) for offset, count in ranges
                ]
                at_once = self._window * self._block
                if self._whole is None and sum(count for _, count in bounded) <= at_once:
                    blocks = self._blocks(bounded)
                    return [self._cut(blocks, *wanted) for wanted in bounded]
                with self._ahead(bounded):
                    return [self._read(*wanted) for wanted in bounded]
        finally:
            if self._uses.ended:
                self._finish()

    def read_ahead(self, ranges: Sequence[Range]) -> AbstractContextManager[None]:
        """Fetch ranges in the background during a `with` block that reads them."""
        return self._ahead(ranges)

    def fetch_soon(self, ranges: Sequence[Range]) -> None:
        """Fetch ranges in the background, whether or not they are read."""
        if self._whole is None:
            self._fetch(blocks_of(ranges, self._block, self._length))

    @contextmanager
    def _ahead(self, ranges: Sequence[Range]) -> Iterator[None]:
        if self._whole is not None:
            yield
            return
        blocks = blocks_of(ranges, self._block, self._length)
        ahead = ReadAhead(blocks, self._window, self._fetch)
        with self._guard:
            self._aheads = (*self._aheads, ahead)
        try:
            ahead.start()
            yield
        finally:
            ahead.stop()
            with self._guard:
                self._aheads = tuple(other for other in self._aheads if other is not ahead)

    def _size(self) -> int:
        return self._length

    def _reach(self, offset: int, count: int) -> int:
        """Return the end of a range, limited to the end of the file."""
        return max(min(offset + count, self._length), offset)

    def _read(self, offset: int, count: int) -> bytes:
        end = self._reach(offset, count)
        if self._whole is not None:
            return self._whole[offset:end]
        at_once = self._window * self._block
        if end - offset <= at_once:
            return self._cut(self._blocks([(offset, end - offset)]), offset, end - offset)
        buffer = bytearray(end - offset)
        self._read_into(offset, memoryview(buffer))
        return bytes(buffer)

    def _read_into(self, offset: int, buffer: memoryview) -> int:
        """Fill a buffer window by window, fetching the next window in the background."""
        end = self._reach(offset, len(buffer))
        if self._whole is not None:
            buffer[: end - offset] = self._whole[offset:end]
            return end - offset
        at_once = self._window * self._block
        ahead = [(offset, end - offset)] if end - offset > at_once else []
        with self._ahead(ahead):
            for first in range(offset, end, at_once):
                count = min(at_once, end - first)
                part = memoryview(buffer)[first - offset : first - offset + count]
                self._copy(self._blocks([(first, count)]), first, part)
        return end - offset

    def _copy(self, blocks: dict[int, bytes], offset: int, buffer: memoryview) -> None:
        done = 0
        while done < len(buffer):
            number, start = divmod(offset + done, self._block)
            part = memoryview(blocks[number])[start : start + len(buffer) - done]
            buffer[done : done + len(part)] = part
            done += len(part)

    def _cut(self, blocks: dict[int, bytes], offset: int, count: int) -> bytes:
        """Return a range of fetched blocks."""
        if count <= 0:
            return b""
        first, start = divmod(offset, self._block)
        last = (offset + count - 1) // self._block
        if first == last:
            return blocks[first][start : start + count]
        parts = [memoryview(blocks[number]) for number in range(first, last + 1)]
        parts[0] = parts[0][start:]
        parts[-1] = parts[-1][: offset + count - last * self._block]
        return b"".join(parts)

    def _blocks(self, ranges: Sequence[Range]) -> dict[int, bytes]:
        """Return the blocks of some ranges; wait for those that must be fetched."""
        numbers = blocks_of(ranges, self._block, self._length)
        found, begun = self._cache.take(numbers)
        self._start(begun)
        for ahead in self._aheads:
            ahead.used(numbers)
        try:
            return {number: _arrived(found[number], number) for number in numbers}
        except FileChangedError:
            self._changed = True
            raise

    def _fetch(self, blocks: list[int]) -> None:
        """Fetch blocks in the background; failed ones are requested again when they are used."""
        self._start(self._cache.take(blocks)[1])

    def _start(self, requests: Sequence[PendingRequest]) -> None:
        for number, request in enumerate(requests):
            try:
                self._send(request)
            except Exception as error:  # an interrupt concerns only this thread
                for other in requests[number:]:
                    self._cache.fail(other, error)
                raise

    def _send(self, request: PendingRequest) -> None:
        start = request.run.start * self._block
        end = min(request.run.stop * self._block, self._length)
        _LOG.debug("asking for the bytes %d to %d of %s", start, end - 1, self.name)
        complete, fail = partial(self._cache.complete, request), partial(self._cache.fail, request)
        self._transport.submit(start, end, complete, fail)
        request.sent = True

    def _help(self, request: PendingRequest) -> None:
        """Send a request that another thread could not send because of an interrupt."""
        if not request.sent:
            self._start([request])
        self._transport.wake()

    def _keep_beginning(self, data: bytes) -> None:
        count = len(data) if len(data) == self._length else len(data) // self._block * self._block
        for request in self._cache.take(range(-(-count // self._block)))[1]:
            at = request.run.start * self._block
            self._cache.complete(request, data[at : min(request.run.stop * self._block, count)])

    def _release(self) -> None:
        self._transport.close()
        self._cache.clear()


def _arrived(entry: Entry, number: int) -> bytes:
    return entry.part(number) if isinstance(entry, PendingRequest) else entry


_LOCAL_HEADER = struct.Struct("<4s22xHH")  # APPNOTE.TXT 4.3.7: signature, lengths of name and extra


class SourceFile(io.RawIOBase):
    """A file object that reads a byte source and leaves it open."""

    def __init__(self, source: ByteSource) -> None:
        super().__init__()
        self._source, self._position = source, 0

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Set the position and return it."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._source.size()}
        self._position = max(base[whence] + offset, 0)
        return self._position

    def tell(self) -> int:
        """Return the position."""
        return self._position

    def readinto(self, buffer: Any) -> int:
        """Read from the position into a buffer."""
        count = self._source.read_into(self._position, memoryview(buffer).cast("B"))
        self._position += count
        return count


def find_stored(archive: ByteSource, member: str, name: str) -> PartSource | None:
    """Return a file in an archive, or None if it is compressed or encrypted.

    Raises
    ------
    RemoteNotFoundError
        If there is no file of that name.
    CorruptFileError
        If the archive is damaged.
    """
    try:
        with zipfile.ZipFile(io.BufferedReader(SourceFile(archive))) as opened:
            info = opened.NameToInfo.get(member)
    except (zipfile.BadZipFile, NotImplementedError) as error:
        raise CorruptFileError(f"{archive.name} cannot be read as a ZIP archive: {error}") from None
    if info is None:
        raise RemoteNotFoundError(f"there is no file {member!r} in {archive.name}")
    if info.compress_type != zipfile.ZIP_STORED or info.flag_bits & 1:
        return None
    head = archive.read_at(info.header_offset, _LOCAL_HEADER.size)
    if len(head) < _LOCAL_HEADER.size or not head.startswith(b"PK\3\4"):
        raise CorruptFileError(f"{archive.name} is damaged: {member!r} is not where it should be")
    _, name_size, extra_size = _LOCAL_HEADER.unpack(head)
    start = info.header_offset + _LOCAL_HEADER.size + name_size + extra_size
    return PartSource(archive, start, info.file_size, name)
