"""The output stream that libCZI writes a new file to.

libCZI calls it for every row of pixels and every 4 KiB of filling: so it collects bytes. And it
sets the fields of sub-blocks that the C API gets wrong, as the bytes go by.
"""

from __future__ import annotations

from czictypes.container.patch import SubBlockPatcher
from czictypes.model.os_errors import file_errors
from czictypes.writing.targets import WriteTarget

__all__ = ["OutputSink"]

_BUFFER_SIZE = 1 << 20
_LARGE = 1 << 16  # pieces of this size are not worth a copy


class OutputSink:
    """Collects what libCZI writes, corrects it, and hands it to a target in large pieces.

    Parameters
    ----------
    target
        Where the bytes go.
    buffer_size
        Bytes to collect at most.
    """

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
        """Take all of `data`, which belongs at `offset`; it is not kept after the call.

        Raises
        ------
        OSError
            What the target raised, with the target's name.
        """
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
        """Do nothing: libCZI says so when it likes; `flush` is for the writer to call."""

    def _write(self, offset: int, data: memoryview | bytearray) -> None:
        with file_errors(self.name):
            self._target.write_at(offset, data)
