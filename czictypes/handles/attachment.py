"""An attachment that was read."""

from __future__ import annotations

from czictypes.handles.handle import Handle
from czictypes.handles.raw import fetch_bytes
from czictypes.handles.structs import AttachmentInfo, unpack_attachment_info

__all__ = ["AttachmentHandle"]


class AttachmentHandle(Handle):
    """An attachment in memory."""

    _release = "libCZI_ReleaseAttachment"
    _kind = "attachment"

    def info(self) -> AttachmentInfo:
        """Return the attachment's description."""
        info = self.library.ffi.new("struct AttachmentInfoInterop *")
        self._call("libCZI_AttachmentGetInfo", info, what="describe an attachment")
        return unpack_attachment_info(self.library, info)

    def raw_data(self) -> bytes:
        """Return the attachment's bytes."""
        return fetch_bytes(
            self.library.ffi,
            lambda size, target: self._call(
                "libCZI_AttachmentGetRawData", size, target, what="get the data of an attachment"
            ),
        )
