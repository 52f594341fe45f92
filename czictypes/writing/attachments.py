"""Attachments of a document being written."""

from __future__ import annotations

from typing import Any

__all__ = ["check_attachment"]

_LONGEST_NAME = 79
_LONGEST_TYPE = 8
_LARGEST = 2**31 - 1


def check_attachment(name: str, content_file_type: str, data: Any) -> None:
    """Check that an attachment fits into the format.

    Raises
    ------
    ValueError
        If the name or type is too long, or there are too many bytes.
    TypeError
        If the data are no bytes.
    """
    for text, longest, what in (
        (name, _LONGEST_NAME, "name"),
        (content_file_type, _LONGEST_TYPE, "content file type"),
    ):
        raw = text.encode()
        if not 0 < len(raw) <= longest or b"\0" in raw:
            raise ValueError(
                f"the {what} of an attachment has 1 to {longest} bytes, none of them zero; "
                f"{text!r} has {len(raw)}"
            )
    if memoryview(data).nbytes > _LARGEST:
        raise ValueError(f"the attachment {name!r} must have less than 2 GiB")
