"""libCZI's writer of a document, the oracle of ours."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from types import TracebackType
from typing import Any, NamedTuple, Protocol
from uuid import UUID

from czictypes.kernel.codec import memory_of
from czictypes.libczi.bitmap import libczi_format
from czictypes.libczi.handle import Handle
from czictypes.libczi.library import Library, get_library
from czictypes.libczi.streams import TRANSFER, Callbacks
from czictypes.model.errors import ClosedError, CziError
from czictypes.model.geometry import DIMENSION_INDEX, DIMENSIONS
from czictypes.model.pixel_types import Compression, PixelType

# libCZI reads no sub-block of 2 GiB or more, and counts metadata and attachments in 32 bits.
_LARGEST = 2**31 - 1

_INT32 = range(-(2**31), 2**31)


class SubBlockSpec(NamedTuple):
    """A sub-block to write.

    Parameters
    ----------
    coordinate
        The positions by dimension letter.
    x, y, width, height
        The area that it covers, in pixels of the whole picture.
    pixel_type, compression
        The numbers in the file. libCZI up to 0.67.4 ignores the compression and writes 0.
    data
        The pixels in any contiguous buffer, already compressed if `compression` says so.
    physical_size
        Width and height of the bitmap; by default (`width`, `height`).
    m_index
        The M-index, or None.
    metadata, attachment
        The bytes of its metadata and its attachment.
    """

    coordinate: Mapping[str, int]
    x: int
    y: int
    width: int
    height: int
    pixel_type: int
    data: Any
    compression: int = Compression.Uncompressed
    physical_size: tuple[int, int] | None = None
    m_index: int | None = None
    metadata: Any = b""
    attachment: Any = b""


class WriteStream(Protocol):
    """An object that libCZI can write to."""

    def write_at(self, offset: int, data: memoryview, /) -> object:
        """Write all of `data` at `offset` or raise an error; `data` is invalid after the call."""


class OutputStream(Handle):
    """A stream that a writer writes to."""

    _release = "libCZI_ReleaseOutputStream"
    _kind = "output stream"

    @classmethod
    def from_sink(cls, sink: WriteStream) -> OutputStream:
        """Write to a Python object, which is kept as long as libCZI needs it.

        The call that writes raises an error of `sink` unchanged.
        """
        library = get_library()
        callbacks = library.companion(WriteCallbacks)
        function = "libCZI_CreateOutputStreamFromExternal"
        struct = "struct ExternalOutputStreamStructInterop *"
        name, raw = callbacks.create(function, struct, callbacks.write, sink)
        return cls(library, raw, name)


class WriteCallbacks(Callbacks):
    """The callbacks of streams that libCZI writes to."""

    def __init__(self, library: Library) -> None:
        super().__init__(library)
        self.write = self._ffi.callback(
            TRANSFER.format("const void"), self._write, error=1, onerror=self._failed
        )

    def _write(
        self, number: int, _: int, offset: int, source: Any, size: int, done: Any, error: Any
    ) -> int:
        count = 0
        try:
            whole = memoryview(self._ffi.buffer(source, size))
            data = whole.toreadonly()
            try:
                self._streams[number].write_at(offset, data)
                count = size
            finally:
                data.release()  # raises an error if the sink kept it, because libCZI owns it
                whole.release()
        except BaseException as exception:
            self._report(exception, error, as_itself=True)
            return 1
        finally:
            if done:
                done[0] = count
        return 0


class WriterHandle(Handle):
    """A document that is being written.

    `close`, or leaving the ``with`` block without an exception, completes the document. `abort`, an
    exception in the block, or garbage collection leaves it incomplete, hence unreadable. After a
    failed call it cannot be completed, because the directory may list what failed. Calls from
    several threads are made one after the other.
    """

    _release = "libCZI_ReleaseWriter"
    _kind = "writer"

    def __init__(self, stream: OutputStream, raw: int) -> None:
        super().__init__(stream.library, raw, stream.name, owns=(stream,))
        self._lock = threading.Lock()
        self._failed: BaseException | None = None
        self._packer = _Packer(stream.library.ffi)

    @classmethod
    def create(
        cls,
        stream: OutputStream,
        *,
        allow_duplicates: bool = False,
        file_guid: UUID | None = None,
        reserved_sub_blocks: int | None = None,
        reserved_attachments: int | None = None,
        reserved_metadata: int | None = None,
    ) -> WriterHandle:
        """Start a document.

        The writer owns the stream and closes it, also if this fails.

        Parameters
        ----------
        allow_duplicates
            Whether sub-blocks with equal coordinates, M-index and zoom are allowed.
        file_guid
            The file's GUID; by default a new one.
        reserved_sub_blocks, reserved_attachments
            The number of directory entries to reserve room for at the start of the file.
        reserved_metadata
            The number of bytes of XML to reserve room for there.
        """
        library = stream.library
        options = {"allow_duplicate_subblocks": allow_duplicates}
        parameters = {
            "file_guid": None if file_guid is None else str(file_guid),
            "reserved_size_subblock_directory": reserved_sub_blocks,
            "reserved_size_attachments_directory": reserved_attachments,
            "reserved_size_metadata_segment": reserved_metadata,
        }
        try:
            out = library.ffi.new("CziWriterObjectHandle *")
            library.call(
                "libCZI_CreateWriter", out, _json(options), what="make a writer", file=stream.name
            )
            writer = cls(stream, int(out[0]))
        except BaseException:
            stream.close()
            raise
        try:
            with stream.borrow() as raw:
                writer._write("libCZI_WriterCreate", raw, _json(parameters), what="begin writing")
        except BaseException:
            writer.abort()
            raise
        return writer

    def add_sub_block(self, sub_block: SubBlockSpec) -> None:
        """Write a sub-block.

        Raises
        ------
        ValueError
            If values contradict each other or the format; writing can continue.
        NativeCallError
            If libCZI refuses the sub-block, for instance a duplicate.
        Exception
            An error of the stream's sink.
        """
        what = f"write the sub-block {sub_block.coordinate} at {sub_block.x}, {sub_block.y}"
        with self._lock:
            native, keep = self._packer.pack(sub_block)
            self._write_locked("libCZI_WriterAddSubBlock", native, what=what)
            del keep

    def add_attachment(self, guid: UUID, content_file_type: str, name: str, data: Any) -> None:
        """Write an attachment.

        Parameters
        ----------
        content_file_type
            Up to 8 bytes, for example ``"CZTIMS"``.
        name
            Up to 79 bytes, for example ``"TimeStamps"``.
        data
            Any contiguous buffer of less than 2 GiB.
        """
        ffi = self.library.ffi
        content = _buffer(ffi, data, "an attachment")
        native = ffi.new("struct AddAttachmentInfoInterop *")
        native.guid = guid.bytes_le
        native.contentFileType = _fixed(content_file_type, 8, "content file type")
        native.name = _fixed(name, 79, "name")
        native.size_attachment_data = len(content)
        native.attachment_data = content
        self._write("libCZI_WriterAddAttachment", native, what=f"write the attachment {name}")

    def write_metadata(self, xml: bytes) -> None:
        """Write the document's XML (UTF-8)."""
        ffi = self.library.ffi
        content = _buffer(ffi, xml, "the XML")
        native = ffi.new("struct WriteMetadataInfoInterop *")
        native.size_metadata = len(content)
        native.metadata = content
        self._write("libCZI_WriterWriteMetadata", native, what="write the XML")

    def close(self) -> None:
        """Complete the document and release the writer; a second call does nothing.

        Raises
        ------
        CziError
            If an earlier call failed, so that the document is incomplete.
        Exception
            Any error of the completion.
        """
        if self.closed:
            return
        failed = self._failed
        try:
            if failed is None:
                self._write("libCZI_WriterClose", what="complete the document")
        except ClosedError:
            pass  # another thread has closed it
        finally:
            super().close()
        if failed is not None:
            raise CziError(
                f"{self.name} was left incomplete, because writing to it failed before: {failed}"
            ) from failed

    def abort(self) -> None:
        """Release the writer without completing the document."""
        super().close()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is None:
            self.close()
        else:
            self.abort()

    def _write(self, function: str, *args: Any, what: str) -> None:
        with self._lock:
            self._write_locked(function, *args, what=what)

    def _write_locked(self, function: str, *args: Any, what: str) -> None:
        if self._failed is not None:
            raise CziError(
                f"cannot {what}: writing to {self.name} failed before ({self._failed})"
            ) from self._failed
        try:
            self._call(function, *args, what=what)
        except ClosedError:
            raise
        except BaseException as error:
            self._failed = error
            raise


def _json(values: Mapping[str, Any]) -> bytes:
    return json.dumps({key: value for key, value in values.items() if value is not None}).encode()


def _fixed(text: str, room: int, what: str) -> bytes:
    raw = text.encode()
    if len(raw) > room or b"\0" in raw:
        raise ValueError(f"the {what} {text!r} must have at most {room} bytes, none of them zero")
    return raw


def _buffer(ffi: Any, data: Any, what: str) -> Any:
    """Return a C view of a buffer, which keeps it alive; ValueError if it is too large."""
    content = memory_of(ffi, data)
    if len(content) > _LARGEST:
        raise ValueError(f"{what} has {len(content)} bytes; a CZI holds less than 2 GiB")
    return content


class _Packer:
    """A struct AddSubBlockInfoInterop that is filled again for each sub-block.

    A file may have a million sub-blocks, so a coordinate that they have in common is packed once.
    """

    def __init__(self, ffi: Any) -> None:
        self._ffi = ffi
        self._native = ffi.new("struct AddSubBlockInfoInterop *")
        self._coordinate: tuple[tuple[str, int], ...] | None = None

    def pack(self, spec: SubBlockSpec) -> tuple[Any, Any]:
        """Return the struct, valid until the next call, and the memory that it points to."""
        ffi, native = self._ffi, self._native
        try:
            width, height = spec.physical_size or (spec.width, spec.height)
            if min(spec.width, spec.height, width, height) <= 0:
                raise ValueError(f"a sub-block must not be empty: {_described(spec)}")
            self._pack_coordinate(spec.coordinate)
            native.x, native.y = spec.x, spec.y
            native.logical_width, native.logical_height = spec.width, spec.height
            native.physical_width, native.physical_height = width, height
            native.pixel_type = PixelType(spec.pixel_type)
            native.compression_mode_raw = spec.compression
            native.m_index_valid = spec.m_index is not None
            native.m_index = 0 if spec.m_index is None else _check_m(spec.m_index)
        except OverflowError:  # cffi does not say which number has more than 32 bits
            for name in ("x", "y", "width", "height", "compression"):
                check_int32(getattr(spec, name), name)
            check_int32(max(width, height), "a side of the bitmap")
            raise
        data = _buffer(ffi, spec.data, "a sub-block's data")
        metadata = _buffer(ffi, spec.metadata, "a sub-block's metadata")
        attachment = _buffer(ffi, spec.attachment, "a sub-block's attachment")
        native.stride = _check_pixels(spec, width, height, len(data))
        native.size_data, native.data = len(data), data
        native.size_metadata, native.metadata = len(metadata), metadata
        native.size_attachment, native.attachment = len(attachment), attachment
        return native, (data, metadata, attachment)

    def _pack_coordinate(self, coordinate: Mapping[str, int]) -> None:
        items = tuple(coordinate.items())
        if items != self._coordinate:
            self._native.coordinate = pack_coordinate(coordinate)
            self._coordinate = items


def _described(spec: SubBlockSpec) -> str:
    return (
        f"{dict(spec.coordinate)} at {spec.x}, {spec.y} of {spec.width} x {spec.height} pixels, "
        f"M {spec.m_index}, compression {spec.compression}"
    )


def _check_m(m_index: int) -> int:
    # Readers take the smallest number as "none", writers the largest.
    if check_int32(m_index, "the M-index") in (-(2**31), 2**31 - 1):
        raise ValueError(f"the M-index {m_index} stands for no M-index in a CZI")
    return m_index


def _check_pixels(spec: SubBlockSpec, width: int, height: int, size: int) -> int:
    """Return the stride; ValueError if the data are too short: libCZI would read past their end."""
    if spec.compression != Compression.Uncompressed:
        if size == 0:
            raise ValueError(f"a compressed sub-block needs data: {_described(spec)}")
        return 0
    stride = width * libczi_format(spec.pixel_type).bytes_per_pixel
    if height * stride > size:
        raise ValueError(
            f"{width} x {height} pixels of {PixelType(spec.pixel_type).name} do not fit in the "
            f"{size} bytes given"
        )
    return stride


def pack_coordinate(coordinate: Mapping[str, int]) -> dict[str, Any]:
    """Return the values of a struct CoordinateInterop; ValueError if they are invalid."""
    unknown = set(coordinate) - set(DIMENSION_INDEX)
    if unknown:
        raise ValueError(
            f"{', '.join(sorted(map(str, unknown)))}: no dimension of a CZI; "
            f"there are {', '.join(DIMENSIONS)}"
        )
    given = [letter for letter in DIMENSIONS if letter in coordinate]
    return {
        "dimensions_valid": sum(1 << (DIMENSION_INDEX[letter] - 1) for letter in given),
        "value": [check_int32(coordinate[letter], f"dimension {letter}") for letter in given],
    }


def check_int32(value: int, what: str) -> int:
    """Return `value` as an int; ValueError unless it fits into a signed 32-bit integer."""
    number = int(value)
    if number not in _INT32:
        raise ValueError(f"{what} is {number}, which a CZI cannot hold (32 bits with sign)")
    return number
