"""Replace the metadata of a file in place; the file is valid at every moment of the edit.

First, the new segment is written to unused room and synced. Then the eight bytes of the file
header that point at the metadata are overwritten and synced: this write switches the file from
the old metadata to the new. Last, the old segment is marked as deleted and its text wiped.

The room is what earlier edits left free behind all referenced segments, or else the end of the
file, so repeated edits do not make the file grow. No other byte is changed.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import struct
import threading
from collections.abc import Iterator
from typing import NamedTuple

from czictypes.container.attachments import read_attachment_directory
from czictypes.container.byte_source import ByteSource
from czictypes.container.directory import read_directory
from czictypes.container.file_source import FileSource, lock_file
from czictypes.container.layout import (
    ALIGNMENT,
    ATTACHMENT,
    ATTACHMENT_DIRECTORY,
    DELETED,
    FILE_HEADER_SIZE,
    FIXED_SIZES,
    METADATA,
    METADATA_POSITION,
    METADATA_SIZES,
    SEGMENT_HEADER,
    SEGMENT_HEADER_SIZE,
    SUBBLOCK,
    SUBBLOCK_DIRECTORY,
    id_bytes,
)
from czictypes.container.segments import (
    FileHeader,
    MetadataSegment,
    read_file_header,
    read_metadata_segment,
    read_metadata_xml,
    read_segment_header,
)
from czictypes.model.errors import CorruptFileError, FilePermissionError
from czictypes.model.public import file_errors

_FIXED_SIZE = FIXED_SIZES[METADATA]  # the sizes and reserved bytes before the XML
_LARGEST = 2**31 - 1
_MOST_SEGMENTS = 1000
_WIPED_AT_ONCE = 1 << 20


#: What helps where a file may not be changed, and where it may not be replaced.
_CHANGE = "make it writable if it may be changed, or change a copy (czi.copy makes one)"
REPLACE = "make it writable if it may be replaced, or write to another file"


def refuse_write_protected(mode: int, name: str, advice: str = _CHANGE) -> None:
    """Refuse to touch a file that nobody has the permission to write, in the root's place, too."""
    if not mode & (stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH):
        raise _not_to_be_written("the file is write-protected", name, advice)


def _not_to_be_written(reason: str, name: str, advice: str = _CHANGE) -> FilePermissionError:
    return FilePermissionError(errno.EACCES, f"{reason}; {advice}", name)


class EditableFile(FileSource):
    """An existing local file, open for reading and writing; raises errors as `FileSource`.

    A file that nobody may write is not opened, though root could write it.
    """

    _mode = "r+b"

    def __init__(self, path: str | bytes | os.PathLike[str] | os.PathLike[bytes]) -> None:
        try:
            super().__init__(path)
        except FilePermissionError as error:
            raise _not_to_be_written(
                error.strerror or "it cannot be opened", error.filename
            ) from None
        self._position_guard = threading.Lock()
        try:
            refuse_write_protected(os.fstat(self._file.fileno()).st_mode, self.name)
        except FilePermissionError:
            self.close()
            raise

    def _read(self, offset: int, count: int) -> bytes:
        with self._position_guard:  # Windows moves the position
            return super()._read(offset, count)

    def write_at(self, offset: int, data: bytes) -> None:
        """Write all of `data` at `offset`."""
        view = memoryview(data)
        with self._position_guard, file_errors(self.name):
            self._file.seek(offset)
            while len(view):
                view = view[self._file.write(view) :]

    def sync(self) -> None:
        """Flush all writes to the disk."""
        with file_errors(self.name):
            os.fsync(self._file.fileno())

    def truncate(self, size: int) -> None:
        """Truncate the file."""
        with file_errors(self.name):
            self._file.truncate(size)

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Make other editors of the file wait, if the file system supports locks."""
        with contextlib.suppress(ImportError, OSError):
            lock_file(self._file.fileno(), True)
        try:
            yield
        finally:
            with contextlib.suppress(ImportError, OSError):
                lock_file(self._file.fileno(), False)

    def _release(self) -> None:
        with file_errors(self.name):
            self._file.close()


class _Room(NamedTuple):
    """Free bytes from `position` on; `size` is None at the end of the file."""

    position: int
    size: int | None


def read_metadata(file: ByteSource) -> bytes:
    """Return the file's XML; empty if it has none."""
    return read_metadata_xml(file, read_file_header(file))


def replace_metadata(file: EditableFile, xml: bytes) -> None:
    """Replace the file's XML.

    Raises
    ------
    ValueError
        If the XML is too large for the format.
    CorruptFileError
        If the file is damaged; it is left unchanged.
    OSError
        If the file cannot be written; it then has either the old or the new XML.
    """
    with file.locked():
        header = read_file_header(file)
        old = read_metadata_segment(file, header)
        attachment = b"" if old is None else _attachment(file, old)
        if len(xml) + len(attachment) > _LARGEST - _FIXED_SIZE:
            raise ValueError(f"metadata of {len(xml)} bytes do not fit into {file.name}")
        content = _content(xml, attachment)
        room = _find_room(file, header, SEGMENT_HEADER_SIZE + len(content))
        _fill(file, room, content, _FIXED_SIZE + len(xml) + len(attachment))
        file.write_at(METADATA_POSITION, struct.pack("<q", room.position))
        file.sync()
        if old is not None:
            _retire(file, old)


def _attachment(file: ByteSource, segment: MetadataSegment) -> bytes:
    return file.read_at(segment.xml_offset + segment.xml_size, segment.attachment_size)


def _content(xml: bytes, attachment: bytes) -> bytes:
    """Return the data of a metadata segment, padded to a multiple of 32 bytes."""
    sizes = METADATA_SIZES.pack(len(xml), len(attachment)).ljust(_FIXED_SIZE, b"\0")
    content = sizes + xml + attachment
    return content.ljust(-(-len(content) // ALIGNMENT) * ALIGNMENT, b"\0")


def _fill(file: EditableFile, room: _Room, content: bytes, used: int) -> None:
    """Write the new segment, which nothing points at yet, and sync it."""
    size_before = file.size()
    try:
        if room.size is not None:
            rest = room.size - SEGMENT_HEADER_SIZE - len(content)
            if rest >= SEGMENT_HEADER_SIZE:
                # Written first, so that there is never a gap between segments.
                position = room.position + room.size - rest
                allocated = rest - SEGMENT_HEADER_SIZE
                file.write_at(position, SEGMENT_HEADER.pack(DELETED.encode(), allocated, allocated))
            else:
                content += bytes(rest)
        file.write_at(
            room.position, SEGMENT_HEADER.pack(METADATA.encode(), len(content), used) + content
        )
        file.sync()
    except BaseException:
        with contextlib.suppress(OSError):
            if file.size() > size_before:
                file.truncate(size_before)
        raise


def _retire(file: EditableFile, segment: MetadataSegment) -> None:
    """Mark the old segment as deleted and wipe its text, which may be confidential."""
    file.write_at(segment.position, id_bytes(DELETED))
    end = segment.xml_offset + segment.xml_size + segment.attachment_size
    for start in range(segment.xml_offset, end, _WIPED_AT_ONCE):
        file.write_at(start, bytes(min(end - start, _WIPED_AT_ONCE)))


def _find_room(file: ByteSource, header: FileHeader, needed: int) -> _Room:
    """Find free room behind all referenced segments, or at the end of the file."""
    size = file.size()
    position = min(_end_of_content(file, header), size)
    free_from: int | None = None
    for _ in range(_MOST_SEGMENTS):
        if position + SEGMENT_HEADER_SIZE > size:
            return _Room(position if free_from is None else free_from, None)
        identifier, allocated, used = SEGMENT_HEADER.unpack(
            file.read_at(position, SEGMENT_HEADER_SIZE)
        )
        name = identifier.rstrip(b"\0").decode("ascii", "replace")
        if not name.startswith(("ZISRAW", DELETED)) or min(allocated, used) < 0:
            break
        end = position + SEGMENT_HEADER_SIZE + max(allocated, used)
        # Metadata that nothing points at are left over from an unfinished edit.
        if name == DELETED or (name == METADATA and position != header.metadata_position):
            free_from = position if free_from is None else free_from
            end = min(end, size)
            if end - free_from >= needed:
                return _Room(free_from, end - free_from)
        else:
            free_from = None
        position = end
    return _Room(-(-size // ALIGNMENT) * ALIGNMENT, None)


def _end_of_content(file: ByteSource, header: FileHeader) -> int:
    """Return the end of the last referenced segment other than the metadata."""
    ends = [FILE_HEADER_SIZE]
    for position, identifier in (
        (header.directory_position, SUBBLOCK_DIRECTORY),
        (header.attachment_directory_position, ATTACHMENT_DIRECTORY),
    ):
        if position:
            ends.append(read_segment_header(file, position, identifier).end)
    positions = read_directory(file, header).file_position
    if len(positions):
        ends.append(_end_of_last(file, int(positions.max()), SUBBLOCK))
    attachments = [entry.file_position for entry in read_attachment_directory(file, header)]
    if attachments:
        ends.append(_end_of_last(file, max(attachments), ATTACHMENT))
    return max(ends)


def _end_of_last(file: ByteSource, position: int, identifier: str) -> int:
    try:
        return read_segment_header(file, position, identifier).end
    except CorruptFileError:
        return file.size()  # it is damaged or in another file: use the end of this file
