"""libCZI's reader with an open document, and the sub-blocks that it reads."""

from __future__ import annotations

from typing import TypeVar

from czictypes.libczi.bitmap import BitmapHandle
from czictypes.libczi.handle import Handle
from czictypes.libczi.metadata import MetadataSegmentHandle
from czictypes.libczi.streams import InputStream

Self = TypeVar("Self", bound="ReaderHandle")


class ReaderHandle(Handle):
    """A reader with an open document; thread-safe."""

    _release = "libCZI_ReleaseReader"
    _kind = "reader"

    def __init__(self, stream: InputStream, raw: int) -> None:
        super().__init__(stream.library, raw, stream.name, owns=(stream,))
        self._count: int | None = None

    @classmethod
    def open(cls: type[Self], stream: InputStream) -> Self:
        """Open the document that `stream` reads.

        The reader owns the stream and closes it, also if opening fails. Check the file first,
        because libCZI crashes on some damaged files.

        Raises
        ------
        NativeCallError
            If it is not a CZI, or is damaged.
        """
        library = stream.library
        try:
            out = library.ffi.new("CziReaderObjectHandle *")
            library.call("libCZI_CreateReader", out, what="make a reader", file=stream.name)
            reader = cls(stream, int(out[0]))
        except BaseException:
            stream.close()
            raise
        try:
            with stream.borrow() as raw:
                options = library.ffi.new("struct ReaderOpenInfoInterop *", [raw])
                reader._call("libCZI_ReaderOpen", options, what="open the document")
        except BaseException:
            reader.close()
            raise
        return reader

    @property
    def sub_block_count(self) -> int:
        """The number of sub-blocks of the document."""
        if self._count is None:
            info = self.library.ffi.new("struct SubBlockStatisticsInterop *")
            self._call("libCZI_ReaderGetStatisticsSimple", info, what="read the statistics")
            self._count = int(info.sub_block_count)
        return self._count

    def read_sub_block(self, index: int) -> SubBlockHandle:
        """Read a sub-block, which outlives the reader.

        Check the sub-block first, because libCZI crashes on some damaged ones.

        Raises
        ------
        IndexError
            If there is no such sub-block.
        NativeCallError
            If it cannot be read.
        """
        count = self.sub_block_count
        if not 0 <= index < count:
            there_are = f"0 to {count - 1}" if count else "none"
            raise IndexError(f"{self.name} has no sub-block {index}; there are {there_are}")
        what = f"read sub-block {index}"
        raw = self._create("libCZI_ReaderReadSubBlock", index, what=what)
        return SubBlockHandle(self.library, raw, self.name)

    def metadata_segment(self) -> MetadataSegmentHandle:
        """Read the document's XML; NativeCallError if there is none."""
        raw = self._create("libCZI_ReaderGetMetadataSegment", what="read the metadata")
        return MetadataSegmentHandle(self.library, raw, self.name)


class SubBlockHandle(Handle):
    """A sub-block in memory, as stored in the file."""

    _release = "libCZI_ReleaseSubBlock"
    _kind = "sub-block"

    def create_bitmap(self) -> BitmapHandle:
        """Decode the pixels into a bitmap, which outlives the sub-block.

        Raises
        ------
        NativeCallError
            If the data are damaged, or compressed in a way that libCZI does not decode.
        """
        raw = self._create("libCZI_SubBlockCreateBitmap", what="decode a sub-block")
        return BitmapHandle(self.library, raw, self.name)
