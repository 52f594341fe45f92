"""An open document."""

from __future__ import annotations

import json
import threading
from uuid import UUID

from czictypes.handles.accessor import TileAccessorHandle
from czictypes.handles.attachment import AttachmentHandle
from czictypes.handles.handle import Handle
from czictypes.handles.metadata import MetadataSegmentHandle
from czictypes.handles.streams import InputStream
from czictypes.handles.structs import (
    AttachmentInfo,
    FileHeaderInfo,
    PyramidLayer,
    Statistics,
    SubBlockInfo,
    unpack_attachment_info,
    unpack_scenes,
    unpack_statistics,
    unpack_sub_block_info,
)
from czictypes.handles.subblock import SubBlockHandle

__all__ = ["ReaderHandle"]

# libCZI's number for "no scene" in the pyramid statistics
_NO_SCENE = 2**31 - 1


class ReaderHandle(Handle):
    """A reader with its document open; every method may be called from many threads."""

    _release = "libCZI_ReleaseReader"
    _kind = "reader"

    def __init__(self, stream: InputStream, raw: int) -> None:
        super().__init__(stream.library, raw, stream.name, owns=(stream,))
        self._lock = threading.Lock()
        self._count: int | None = None
        self._pyramid: dict[int | None, list[PyramidLayer]] | None = None

    @classmethod
    def open(cls, stream: InputStream) -> ReaderHandle:
        """Open the document that `stream` reads.

        The reader takes the stream over and closes it after itself, also when opening fails.
        libCZI crashes on some damaged files here: check them before.

        Raises
        ------
        NativeCallError
            When it is not a CZI, or a damaged one.
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

    def file_header_info(self) -> FileHeaderInfo:
        """Return the file's GUID and version."""
        ffi = self.library.ffi
        info = ffi.new("struct FileHeaderInfoInterop *")
        self._call("libCZI_ReaderGetFileHeaderInfo", info, what="read the file header")
        guid = UUID(bytes_le=bytes(ffi.buffer(info.guid)))
        return FileHeaderInfo(guid, info.majorVersion, info.minorVersion)

    def statistics(self) -> Statistics:
        """Return what libCZI gathered from the directory, without the scenes."""
        info = self.library.ffi.new("struct SubBlockStatisticsInterop *")
        self._call("libCZI_ReaderGetStatisticsSimple", info, what="read the statistics")
        return unpack_statistics(info)

    def statistics_ex(self) -> Statistics:
        """Return the statistics with the boxes of each scene."""
        ffi = self.library.ffi
        room = 16
        while True:
            info = ffi.new(
                "struct SubBlockStatisticsInteropEx *", {"per_scenes_bounding_boxes": room}
            )
            available = ffi.new("int32_t *", room)
            self._call("libCZI_ReaderGetStatisticsEx", info, available, what="read the statistics")
            if available[0] <= room:
                return unpack_statistics(info, unpack_scenes(info))
            room = available[0]

    @property
    def sub_block_count(self) -> int:
        """How many sub-blocks the document has."""
        if self._count is None:
            self._count = self.statistics().sub_block_count
        return self._count

    def pyramid_statistics(self) -> dict[int | None, list[PyramidLayer]]:
        """Return the pyramid layers of each scene; None stands for sub-blocks without a scene."""
        # libCZI sorts at each call, in place and without a lock: so it is asked once
        with self._lock:
            if self._pyramid is None:
                self._pyramid = self._read_pyramid_statistics()
            return self._pyramid

    def try_get_sub_block_info(self, index: int) -> SubBlockInfo | None:
        """Return a sub-block's entry in the directory, or None where there is no such index.

        Before libCZI 0.66.0 the sub-block itself has to be read for it, with all that is said at
        `read_sub_block`.
        """
        if not 0 <= index < self.sub_block_count:
            return None
        if not self.library.has("libCZI_TryGetSubBlockInfoForIndex"):
            with self.read_sub_block(index) as sub_block:
                return sub_block.info()
        info = self.library.ffi.new("struct SubBlockInfoInterop *")
        self._call(
            "libCZI_TryGetSubBlockInfoForIndex", index, info, what=f"describe sub-block {index}"
        )
        return unpack_sub_block_info(info)

    def read_sub_block(self, index: int) -> SubBlockHandle:
        """Read a sub-block; it outlives the reader.

        libCZI crashes on some damaged sub-blocks here: check them before.

        Raises
        ------
        IndexError
            When there is no such sub-block.
        NativeCallError
            When it cannot be read.
        """
        _check_index(index, self.sub_block_count, "sub-block", self.name)
        what = f"read sub-block {index}"
        raw = self._create("libCZI_ReaderReadSubBlock", index, what=what)
        return SubBlockHandle(self.library, raw, self.name, index)

    def attachment_count(self) -> int:
        """Return how many attachments the document has."""
        count = self.library.ffi.new("int32_t *")
        self._call("libCZI_ReaderGetAttachmentCount", count, what="count the attachments")
        return int(count[0])

    def attachment_info(self, index: int) -> AttachmentInfo:
        """Return an attachment's entry in the directory; IndexError where there is none."""
        _check_index(index, self.attachment_count(), "attachment", self.name)
        info = self.library.ffi.new("struct AttachmentInfoInterop *")
        what = f"describe attachment {index}"
        self._call("libCZI_ReaderGetAttachmentInfoFromDirectory", index, info, what=what)
        return unpack_attachment_info(self.library, info)

    def read_attachment(self, index: int) -> AttachmentHandle:
        """Read an attachment; it outlives the reader. IndexError where there is none."""
        _check_index(index, self.attachment_count(), "attachment", self.name)
        what = f"read attachment {index}"
        raw = self._create("libCZI_ReaderReadAttachment", index, what=what)
        return AttachmentHandle(self.library, raw, self.name)

    def metadata_segment(self) -> MetadataSegmentHandle:
        """Read the document's XML; NativeCallError where there is none."""
        raw = self._create("libCZI_ReaderGetMetadataSegment", what="read the metadata")
        return MetadataSegmentHandle(self.library, raw, self.name)

    def tile_accessor(self) -> TileAccessorHandle:
        """Make an accessor, which composes planes the way libCZI does.

        The file stays open until the accessor, too, is closed.
        """
        raw = self._create("libCZI_CreateSingleChannelTileAccessor", what="make a tile accessor")
        return TileAccessorHandle(self.library, raw, self.name, keeps=(self,))

    def _read_pyramid_statistics(self) -> dict[int | None, list[PyramidLayer]]:
        out = self.library.ffi.new("char **")
        self._call("libCZI_ReaderGetPyramidStatistics", out, what="read the pyramid's statistics")
        scenes = json.loads(self.library.take_text(out[0]))["scenePyramidStatistics"]
        return {
            None if int(scene) == _NO_SCENE else int(scene): [
                PyramidLayer(
                    layer["layerInfo"]["minificationFactor"],
                    layer["layerInfo"]["pyramidLayerNo"],
                    layer["count"],
                )
                for layer in layers
            ]
            for scene, layers in scenes.items()
        }


def _check_index(index: int, count: int, what: str, file: str) -> None:
    if not 0 <= index < count:
        there_are = f"0 to {count - 1}" if count else "none"
        raise IndexError(f"{file} has no {what} {index}; there are {there_are}")
