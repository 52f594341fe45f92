"""Attachments of a document being written."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from czictypes.metadata.records import Event, build_event_list, build_time_stamps
from czictypes.writing.picture import encode_picture

__all__ = ["AttachmentMethods", "check_attachment"]

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


class AttachmentMethods:
    """The kinds of attachment that ZEISS software knows, for a class that can add any."""

    def add_attachment(self, name: str, content_file_type: str, data: Any) -> None:
        """Attach bytes to the document."""
        raise NotImplementedError

    def _as_document(self, pixels: npt.NDArray[np.uint8]) -> bytes:
        """Return a CZI of its own that holds a picture, as ZEISS software attaches it."""
        raise NotImplementedError

    def add_time_stamps(self, seconds: npt.ArrayLike) -> None:
        """Attach the times of the T indices, in seconds since the start of the recording.

        Raises
        ------
        ValueError
            If they are not a list of numbers.
        """
        self.add_attachment("TimeStamps", "CZTIMS", build_time_stamps(seconds))

    def add_event_list(self, events: Sequence[Event]) -> None:
        """Attach what happened during the recording."""
        self.add_attachment("EventList", "CZEVL", build_event_list(list(events)))

    def add_thumbnail(self, image: npt.ArrayLike) -> None:
        """Attach a small picture of the document, in place of the one made from its pixels.

        Parameters
        ----------
        image
            uint8, (h, w), (h, w, 1) or (h, w, 3) in the order red, green, blue.

        Raises
        ------
        ValueError
            If it is something else.
        """
        self.add_attachment("Thumbnail", *encode_picture(_checked(image)))

    def add_label(self, image: npt.ArrayLike) -> None:
        """Attach the picture of the slide's label; `image` as for `add_thumbnail`."""
        self.add_attachment("Label", "CZI", self._as_document(_checked(image)))

    def add_preview(self, image: npt.ArrayLike) -> None:
        """Attach the overview picture of the slide; `image` as for `add_thumbnail`."""
        self.add_attachment("SlidePreview", "CZI", self._as_document(_checked(image)))


def _checked(image: npt.ArrayLike) -> npt.NDArray[np.uint8]:
    pixels = np.asarray(image)
    if pixels.ndim == 2:
        pixels = pixels[:, :, np.newaxis]
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] not in (1, 3):
        raise ValueError(
            f"a picture is uint8 of shape (h, w) or (h, w, 3), not {pixels.dtype} {pixels.shape}"
        )
    if pixels.size == 0:
        raise ValueError("the picture has no pixels")
    return pixels
