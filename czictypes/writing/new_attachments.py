"""Attachments of a document being written, and the thumbnail made of its pixels."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from czictypes.metadata.records import Event, build_event_list, build_time_stamps
from czictypes.model.geometry import Location, Rectangle
from czictypes.reading.contrast import auto_limits
from czictypes.reading.conversion import stretch
from czictypes.writing.assembly import Assembly

_LONGEST_NAME = 79
_LONGEST_TYPE = 8
_LARGEST = 2**31 - 1
_SIDE = 512  # pixels, at most
_QUALITY = 90


def check_attachment(name: str, content_file_type: str, data: Any) -> None:
    """Raise a ValueError or TypeError for an attachment that does not fit into the format."""
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

    def _as_document(self, pixels: NDArray[np.uint8]) -> bytes:
        """Return a CZI of its own that holds a picture, as ZEISS software attaches it."""
        raise NotImplementedError

    def add_time_stamps(self, seconds: ArrayLike) -> None:
        """Attach the times of the T indices.

        Parameters
        ----------
        seconds
            One number for each T: seconds since the start of the recording.

        Raises
        ------
        ValueError
            If they are not a list of numbers.
        """
        self.add_attachment("TimeStamps", "CZTIMS", build_time_stamps(seconds))

    def add_event_list(self, events: Sequence[Event]) -> None:
        """Attach the events of the recording.

        Parameters
        ----------
        events
            What happened, and when; see `Event`.
        """
        self.add_attachment("EventList", "CZEVL", build_event_list(list(events)))

    def add_thumbnail(self, image: ArrayLike) -> None:
        """Attach a small picture of the document, in place of the one made from its pixels.

        Parameters
        ----------
        image
            uint8 of shape (h, w), (h, w, 1) or (h, w, 3), in the order red, green, blue.

        Raises
        ------
        ValueError
            If the image has another type or shape, or no pixels.
        """
        self.add_attachment("Thumbnail", *encode_picture(_checked(image)))

    def add_label(self, image: ArrayLike) -> None:
        """Attach the picture of the slide's label.

        Parameters
        ----------
        image
            uint8 of shape (h, w), (h, w, 1) or (h, w, 3), in the order red, green, blue.

        Raises
        ------
        ValueError
            If the image has another type or shape, or no pixels.
        """
        self.add_attachment("Label", "CZI", self._as_document(_checked(image)))

    def add_preview(self, image: ArrayLike) -> None:
        """Attach the overview picture of the slide.

        Parameters
        ----------
        image
            uint8 of shape (h, w), (h, w, 1) or (h, w, 3), in the order red, green, blue.

        Raises
        ------
        ValueError
            If the image has another type or shape, or no pixels.
        """
        self.add_attachment("SlidePreview", "CZI", self._as_document(_checked(image)))


def _checked(image: ArrayLike) -> NDArray[np.uint8]:
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


class Thumbnail:
    """Every n-th pixel of what is added, n growing with the area, so that the picture is small.

    Parts may be added in any order and lie anywhere.
    """

    def __init__(self) -> None:
        self._step = 1
        self._box: Rectangle | None = None
        self._x = self._y = 0  # where the canvas begins, multiples of the step
        self._canvas: NDArray[Any] = np.zeros((0, 0, 1), np.uint8)

    def add(self, x: int, y: int, pixels: NDArray[Any]) -> None:
        """Add pixels (h, w, samples) whose top-left one lies at (x, y); all of one type."""
        height, width, _ = pixels.shape
        box = self._box
        if box is None or not (
            box.x <= x and x + width <= box.x + box.w and box.y <= y and y + height <= box.y + box.h
        ):
            self._make_room(Rectangle(x, y, width, height), pixels)
        step, own_x, own_y = self._step, self._x, self._y
        left, top = -((own_x - x) // step), -((own_y - y) // step)
        first_x, first_y = own_x + left * step - x, own_y + top * step - y
        if first_x < width and first_y < height:
            right, bottom = -((own_x - x - width) // step), -((own_y - y - height) // step)
            self._canvas[top:bottom, left:right] = pixels[first_y::step, first_x::step]

    def picture(self) -> NDArray[np.uint8] | None:
        """Return the picture: (h, w, 1) or (h, w, 3) in the order red, green, blue; or None.

        A gray or a 16-bit picture has the contrast ``"auto"``.
        """
        if self._box is None:
            return None
        right = -((self._x - self._box.x - self._box.w) // self._step)
        bottom = -((self._y - self._box.y - self._box.h) // self._step)
        pixels = self._canvas[: max(bottom, 1), : max(right, 1), ::-1]
        if pixels.dtype == np.uint8 and pixels.shape[2] == 3:
            return np.ascontiguousarray(pixels)
        return stretch(pixels, auto_limits(pixels))

    def _make_room(self, new: Rectangle, pixels: NDArray[Any]) -> None:
        """Move and coarsen the canvas so that it holds the new rectangle, too."""
        box = new if self._box is None else self._box.union(new)
        left, top, right, bottom = box.x, box.y, box.x + box.w, box.y + box.h
        step = self._step
        while max(right - left // step * step, bottom - top // step * step) > _SIDE * step:
            step *= 2
        x, y = left // step * step, top // step * step
        if self._box is None:
            self._canvas = np.zeros((_SIDE, _SIDE, pixels.shape[2]), pixels.dtype)
        elif (step, x, y) != (self._step, self._x, self._y):
            self._canvas = self._moved(step, x, y)
        self._step, self._x, self._y = step, x, y
        self._box = box

    def _moved(self, step: int, x: int, y: int) -> NDArray[Any]:
        """Return a canvas that begins further left or above, or has larger steps."""
        ratio = step // self._step
        canvas = np.zeros_like(self._canvas)
        # the first pixels of the old canvas that the new one has as well
        column, row = -((x - self._x) // step), -((y - self._y) // step)
        first_x = (x + column * step - self._x) // self._step
        first_y = (y + row * step - self._y) // self._step
        kept = self._canvas[first_y::ratio, first_x::ratio][: _SIDE - row, : _SIDE - column]
        canvas[row : row + kept.shape[0], column : column + kept.shape[1]] = kept
        return canvas


class FirstPlane:
    """The thumbnail of the plane that is written to first, all its scenes together."""

    def __init__(self) -> None:
        self._plane: dict[str, int] | None = None
        self._coordinate: Mapping[str, int] | None = None  # the last one that was of that plane
        self._type: tuple[Any, int] | None = None
        self._thumbnail = Thumbnail()

    def add(self, coordinate: Mapping[str, int], location: Location, pixels: NDArray[Any]) -> None:
        """Take pixels (h, w, samples) into account if they belong to that plane."""
        kind = pixels.dtype, pixels.shape[2]
        if coordinate is not self._coordinate:
            plane = {letter: value for letter, value in coordinate.items() if letter != "S"}
            if self._plane is None:
                self._plane, self._type = plane, kind
            if plane != self._plane:
                return
            self._coordinate = coordinate
        if kind == self._type:
            self._thumbnail.add(*location, pixels)

    def attach_to(self, assembly: Assembly) -> None:
        """Add the thumbnail to a file, if any pixels were taken."""
        picture = self._thumbnail.picture()
        if picture is not None:
            assembly.add_attachment("Thumbnail", *encode_picture(picture))


def encode_picture(pixels: NDArray[np.uint8]) -> tuple[str, bytes]:
    """Encode a picture (h, w, 1) or (h, w, 3) in the order red, green, blue; return type and bytes.

    It is a JPEG, as ZEN writes it, where Pillow or imagecodecs is installed; else a PNG.
    """
    squeezed = np.ascontiguousarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)
    jpeg = _with_pillow(squeezed) or _with_imagecodecs(squeezed)
    return ("PNG", _png(squeezed)) if jpeg is None else ("JPG", jpeg)


def _with_pillow(pixels: NDArray[np.uint8]) -> bytes | None:
    try:
        from PIL import Image
    except ImportError:
        return None
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=_QUALITY)
    return file.getvalue()


def _with_imagecodecs(pixels: NDArray[np.uint8]) -> bytes | None:
    try:
        from imagecodecs import jpeg8_encode
    except ImportError:
        return None
    return bytes(jpeg8_encode(pixels, level=_QUALITY))


def _png(pixels: NDArray[np.uint8]) -> bytes:
    height, width = pixels.shape[:2]
    color_type = 0 if pixels.ndim == 2 else 2
    rows = np.zeros((height, 1 + pixels[0].size), np.uint8)  # a row begins with its filter, 0
    rows[:, 1:] = pixels.reshape(height, -1)
    head = struct.pack(">IIBBBBB", width, height, 8, color_type, 0, 0, 0)
    chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(rows.tobytes())), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in chunks)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
