"""libCZI's reader of an open document; most documents never need it."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from czictypes.container.byte_source import ByteSource
from czictypes.container.file_source import FileSource
from czictypes.container.synthetic import SingleTileSource
from czictypes.libczi.library import Library, find_library, get_library
from czictypes.model.errors import ClosedError, CorruptFileError, NativeCallError
from czictypes.model.pixel_types import Compression
from czictypes.remote.urls import redact_text

if TYPE_CHECKING:  # imported where needed: most documents are read without them
    from czictypes.libczi.bitmap import BitmapHandle
    from czictypes.libczi.reader import ReaderHandle
    from czictypes.libczi.streams import InputStream

_LOG = logging.getLogger(__name__)


class NativeReader:
    """Opens libCZI's reader at its first use; safe to use from many threads.

    libCZI reads the whole sub-block directory when it opens a file, so that is put off until a call
    needs it. The library itself is loaded at once: one that you named and that is missing or wrong
    is reported when the document is opened. If none is found, the first call that needs one raises
    LibraryNotFoundError.
    """

    def __init__(self, source: ByteSource) -> None:
        self._library = find_library()
        self._source = source
        self._lock = threading.Lock()
        self._handle: ReaderHandle | None = None
        self._closed = False

    @property
    def handle(self) -> ReaderHandle:
        """The reader, opened at the first use.

        Raises ClosedError after `close`, CorruptFileError if libCZI cannot open the document
        although the checks found no fault, and the source's own OSError if it could not be read.
        """
        handle = self._handle
        if handle is None:
            with self._lock:
                if self._closed:
                    raise ClosedError(f"{self._source.name} is closed; open it again to read")
                handle = self._handle = self._handle or _open(
                    self._library or get_library(), self._source
                )
        return handle

    def close(self) -> None:
        """Close the reader if it was opened."""
        with self._lock:
            self._closed = True
            handle, self._handle = self._handle, None
        if handle is not None:
            handle.close()


def bitmap_of(
    data: bytes | memoryview,
    width: int,
    height: int,
    pixel_type: int,
    compression: int = Compression.Uncompressed,
) -> BitmapHandle:
    """Return a libCZI bitmap of pixel data; the C API makes bitmaps from sub-blocks only.

    Raises NativeCallError if libCZI cannot decode the data.
    """
    from czictypes.libczi.reader import ReaderHandle
    from czictypes.libczi.streams import InputStream

    single = SingleTileSource(data, width, height, pixel_type, compression)
    stream = InputStream.from_source(single)
    with ReaderHandle.open(stream) as reader, reader.read_sub_block(0) as sub_block:
        return sub_block.create_bitmap()


def decoded(
    data: bytes | memoryview, width: int, height: int, pixel_type: int, compression: int
) -> NDArray[np.generic]:
    """Return the pixels (height, width, samples) that libCZI decodes from the data of a sub-block.

    Raises NativeCallError if libCZI cannot decode the data.
    """
    with bitmap_of(data, width, height, pixel_type, compression) as bitmap:
        return bitmap.to_numpy()


def _open(library: Library, source: ByteSource) -> ReaderHandle:
    from czictypes.libczi.reader import ReaderHandle

    _LOG.debug("libCZI opens %s", redact_text(source.name))
    try:
        return ReaderHandle.open(_stream(library, source))  # closes the stream when it fails
    except NativeCallError as error:
        if error.__cause__ is not None:  # the source failed, not the file
            raise error.__cause__ from None
        raise CorruptFileError(
            f"libCZI cannot open {source.name} although its segments look right; the file is "
            f"damaged or of a kind that this libCZI does not know"
        ) from error


def _stream(library: Library, source: ByteSource) -> InputStream:
    """Open a stream on the local file itself, or else on the source.

    The file may have been replaced since it was opened; libCZI must not read the new one.
    """
    from czictypes.libczi.streams import InputStream

    if isinstance(source, FileSource):
        try:
            stream = InputStream.from_path(source.path, library=library)
        except (OSError, NativeCallError):
            return InputStream.from_source(source, library=library)
        if source.is_current():
            return stream
        stream.close()
    return InputStream.from_source(source, library=library)
