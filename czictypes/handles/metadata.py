"""The document's XML, and what libCZI reads from it.

czictypes reads the XML itself (the metadata floor); libCZI's reading serves composition with the
file's display settings, and as a second opinion in tests.
"""

from __future__ import annotations

import json
import math
from typing import Any

from czictypes.abi.library import Library
from czictypes.abi.status import Status
from czictypes.handles.display_check import count_display_channels
from czictypes.handles.display_settings import DisplaySettingsHandle
from czictypes.handles.handle import Handle
from czictypes.handles.structs import ScalingInfo
from czictypes.model.dimensions import DIMENSION_INDEX, DIMENSIONS
from czictypes.model.errors import CorruptFileError, NativeCallError

__all__ = ["DocumentInfoHandle", "MetadataSegmentHandle"]

# the dimensions for which libCZI describes more than the extent; it writes nothing for others
_DESCRIBED = ("Z", "C", "T")


class MetadataSegmentHandle(Handle):
    """The metadata segment in memory."""

    _release = "libCZI_ReleaseMetadataSegment"
    _kind = "metadata"

    def xml(self) -> bytes:
        """Return the XML as stored (UTF-8), without the zero bytes that may trail it.

        Raises
        ------
        NativeCallError
            When there is none.
        """
        info = self.library.ffi.new("struct MetadataAsXmlInterop *")
        self._call("libCZI_MetadataSegmentGetMetadataAsXml", info, what="get the XML")
        try:
            return bytes(self.library.ffi.buffer(info.data, info.size)).rstrip(b"\0")
        finally:
            self.library.free(info.data)

    def document_info(self) -> DocumentInfoHandle:
        """Let libCZI parse the XML; NativeCallError where it is damaged."""
        xml = self.xml()  # fails where there is none, which libCZI's parser is not made for
        function = "libCZI_MetadataSegmentGetCziDocumentInfo"
        raw = self._create(function, what="parse the XML")
        return DocumentInfoHandle(self.library, raw, self.name, xml)


class DocumentInfoHandle(Handle):
    """The document information that libCZI reads from the XML."""

    _release = "libCZI_ReleaseCziDocumentInfo"
    _kind = "document info"

    def __init__(self, library: Library, raw: int, name: str, xml: bytes) -> None:
        super().__init__(library, raw, name)
        self._xml = xml

    def general(self) -> dict[str, Any]:
        """Return title, user_name, creation_date_time and so on, those that the XML has."""
        return self._json("libCZI_CziDocumentInfoGetGeneralDocumentInfo") or {}

    def scaling(self) -> ScalingInfo:
        """Return the size of a pixel in metres."""
        info = self.library.ffi.new("struct ScalingInfoInterop *")
        self._call("libCZI_CziDocumentInfoGetScalingInfo", info, what="get the scaling")
        values = (info.scale_x, info.scale_y, info.scale_z)
        return ScalingInfo(*(None if math.isnan(value) else value for value in values))

    def available_dimensions(self) -> list[str]:
        """Return the dimensions that the XML gives an extent for."""
        room = len(DIMENSIONS) + 1
        found = self.library.ffi.new("uint32_t[]", room)
        function = "libCZI_CziDocumentInfoGetAvailableDimension"
        self._call(function, room, found, what="list the dimensions")
        numbers = set(found)
        return [letter for letter in DIMENSIONS if DIMENSION_INDEX[letter] in numbers]

    def dimension_info(self, dimension: str) -> dict[str, Any] | None:
        """Return what the XML tells of Z, C or T; None where it tells nothing.

        Raises
        ------
        ValueError
            For another dimension: libCZI describes none.
        """
        if dimension not in _DESCRIBED:
            raise ValueError(f"libCZI describes the dimensions Z, C and T, not {dimension!r}")
        try:
            return self._json("libCZI_CziDocumentInfoGetDimensionInfo", DIMENSION_INDEX[dimension])
        except NativeCallError as error:
            if error.status == Status.INVALID_ARGUMENT:  # its way to say that there is nothing
                return None
            raise

    def display_settings(self) -> DisplaySettingsHandle | None:
        """Return the display settings, or None where the XML has none.

        Raises
        ------
        UnsupportedDataError
            For settings that would make libCZI use up the memory.
        """
        # without settings libCZI still gives an object, and crashes when that is used
        channels = count_display_channels(self._xml)
        if channels is None:
            return None
        function = "libCZI_CziDocumentInfoGetDisplaySettings"
        raw = self._create(function, what="get the display settings")
        return DisplaySettingsHandle(self.library, raw, self.name, channels)

    def _json(self, function: str, *args: Any) -> dict[str, Any] | None:
        out = self.library.ffi.new("void **")
        self._call(function, *args, out, what="describe the document")
        text = self.library.take_text(out[0])
        if not text:
            return None
        try:
            values: dict[str, Any] = json.loads(text)
        except ValueError as error:
            raise CorruptFileError(
                f"libCZI's description of {self.name} is no valid JSON; the XML has odd values"
            ) from error
        return values
