"""The display settings of a document, as libCZI reads them from its XML."""

from __future__ import annotations

from czictypes.abi.library import Library
from czictypes.handles.handle import Handle

__all__ = ["ChannelDisplaySettingsHandle", "DisplaySettingsHandle"]


class DisplaySettingsHandle(Handle):
    """The display settings; made by `DocumentInfoHandle.display_settings`, which checks them."""

    _release = "libCZI_ReleaseDisplaySettings"
    _kind = "display settings"

    def __init__(self, library: Library, raw: int, name: str, channel_count: int) -> None:
        super().__init__(library, raw, name)
        self.channel_count = channel_count

    def channel(self, index: int) -> ChannelDisplaySettingsHandle:
        """Return the settings of a channel; IndexError where there are none."""
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
    """The display settings of a channel; the C API has no function that tells them."""

    _release = "libCZI_ReleaseChannelDisplaySettings"
    _kind = "channel display settings"
