"""The display settings that libCZI reads from the document's XML.

czictypes reads the XML itself (in ``czictypes.metadata``) and needs libCZI's display settings only
for composition. They are checked first. Without settings, libCZI still returns an object, and
crashes when it is used. Black and white points far outside of 0 to 1 make its look-up tables grow
without bound.
"""

from __future__ import annotations

from xml.etree import ElementTree

from czictypes.libczi.handle import Handle
from czictypes.libczi.library import Library
from czictypes.model.errors import UnsupportedDataError

# A look-up table has about (white - black) * 65536 elements.
_LOWEST, _HIGHEST = -1.0, 2.0

# The spline through n points takes a dense matrix of n * n numbers.
_MOST_POINTS = 256


class MetadataSegmentHandle(Handle):
    """The metadata segment in memory."""

    _release = "libCZI_ReleaseMetadataSegment"
    _kind = "metadata"

    def xml(self) -> bytes:
        """Return the XML as stored (UTF-8) without trailing zero bytes; NativeCallError if none."""
        info = self.library.ffi.new("struct MetadataAsXmlInterop *")
        self._call("libCZI_MetadataSegmentGetMetadataAsXml", info, what="get the XML")
        try:
            return bytes(self.library.ffi.buffer(info.data, info.size)).rstrip(b"\0")
        finally:
            self.library.free(info.data)

    def document_info(self) -> DocumentInfoHandle:
        """Parse the XML with libCZI; NativeCallError if it is damaged."""
        xml = self.xml()  # raises an error without XML, which libCZI's parser cannot handle
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

    def display_settings(self) -> DisplaySettingsHandle | None:
        """Return the display settings, or None if the XML has none.

        Raises
        ------
        UnsupportedDataError
            If the settings would make libCZI use up all memory.
        """
        # Without settings, libCZI still returns an object, and crashes when it is used.
        channels = count_display_channels(self._xml)
        if channels is None:
            return None
        function = "libCZI_CziDocumentInfoGetDisplaySettings"
        raw = self._create(function, what="get the display settings")
        return DisplaySettingsHandle(self.library, raw, self.name, channels)


class DisplaySettingsHandle(Handle):
    """The display settings, which `DocumentInfoHandle.display_settings` has checked."""

    _release = "libCZI_ReleaseDisplaySettings"
    _kind = "display settings"

    def __init__(self, library: Library, raw: int, name: str, channel_count: int) -> None:
        super().__init__(library, raw, name)
        self.channel_count = channel_count

    def channel(self, index: int) -> ChannelDisplaySettingsHandle:
        """Return the settings of a channel; IndexError if there are none."""
        if not 0 <= index < self.channel_count:
            raise IndexError(
                f"{self.name} has display settings for {self.channel_count} channels, "
                f"none for channel {index}"
            )
        function = "libCZI_DisplaySettingsGetChannelDisplaySettings"
        what = f"get the display settings of channel {index}"
        raw = self._create(function, index, what=what)
        return ChannelDisplaySettingsHandle(self.library, raw, self.name)


class ChannelDisplaySettingsHandle(Handle):
    """The display settings of a channel, which no function of the C API returns."""

    _release = "libCZI_ReleaseChannelDisplaySettings"
    _kind = "channel display settings"


def count_display_channels(xml: bytes) -> int | None:
    """Return the number of channels with display settings; None if libCZI would find no settings.

    The result is also None if libCZI's parser and Python's might understand the XML differently.

    Raises
    ------
    UnsupportedDataError
        If libCZI cannot handle a value.
    """
    if b"<!DOCTYPE" in xml:  # entities are expanded by Python, not by libCZI
        return None
    try:
        # libCZI decodes every document as UTF-8, whatever its declaration says.
        node: ElementTree.Element | None = ElementTree.fromstring(xml.decode("utf-8-sig"))
    except (ElementTree.ParseError, UnicodeDecodeError, ValueError):
        return None
    if node is None or node.tag != "ImageDocument":
        return None
    for name in ("Metadata", "DisplaySetting", "Channels"):
        node = _first(node, name)
        if node is None:
            return None
    channels = [child for child in node if child.tag == "Channel"]
    for index, channel in enumerate(channels):
        _check(channel, index)
    return len(channels)


def _first(node: ElementTree.Element, name: str) -> ElementTree.Element | None:
    """Return the first child of that name; libCZI ignores further ones."""
    return next((child for child in node if child.tag == name), None)


def _check(channel: ElementTree.Element, index: int) -> None:
    for name in ("Low", "High"):
        node = _first(channel, name)
        text = (node.text or "").strip() if node is not None else ""
        if text and not _is_moderate(text):
            raise UnsupportedDataError(
                f"display settings of channel {index}: {name} is {text!r}, "
                "where a number from 0 to 1 is due"
            )
    points = _first(channel, "Points")
    if points is not None and (points.text or "").count(",") > _MOST_POINTS:
        raise UnsupportedDataError(
            f"display settings of channel {index}: a curve of more than {_MOST_POINTS} points"
        )


def _is_moderate(text: str) -> bool:
    # C also accepts hexadecimal numbers, Python also digits with underscores.
    if not set(text) <= set("0123456789+-.eE"):
        return False
    try:
        return _LOWEST <= float(text) <= _HIGHEST
    except ValueError:
        return False
