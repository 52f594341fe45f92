"""The document's attachments: label, preview, thumbnail, time stamps, event list and others."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from functools import partial
from typing import TYPE_CHECKING, Any, overload

import numpy as np
from numpy.typing import NDArray

from czictypes.container.attachments import (
    AttachmentEntry,
    read_attachment_data,
    read_attachment_segment,
)
from czictypes.container.pictures import MOST_PIXELS, decoded_picture
from czictypes.metadata.records import Event, read_event_list, read_time_stamps
from czictypes.model.errors import OutOfBoundsError
from czictypes.model.geometry import whole_number
from czictypes.model.lazy import require
from czictypes.model.public import defended
from czictypes.reading import html
from czictypes.reading.conversion import eight_bit

if TYPE_CHECKING:
    from czictypes.reading.document import OpenDocument

_SMALL_BYTES = 4 << 20
_MOST_SHOWN = 50

_Document = Callable[[], "AbstractContextManager[OpenDocument]"]
_Nested = Callable[[bytes], NDArray[Any]]

#: Pillow's names for the formats of pictures in attachments; other pictures are CZIs.
_FORMATS = ("JPEG", "PNG", "BMP", "TIFF", "GIF")
#: The kinds of content that are pictures.
_PICTURES = frozenset({"JPG", "JPEG", "PNG", "TIF", "TIFF", "BMP", "CZI", "ZISRAW"})


@defended(lambda attachment: attachment._file)
class Attachment:
    """An attachment of an open document; its bytes are read when you ask for them."""

    def __init__(
        self, entry: AttachmentEntry, document: _Document, nested: _Nested, file: str
    ) -> None:
        self._file = file
        self._entry = entry
        self._document = document
        self._nested = nested

    @property
    def index(self) -> int:
        """The position in the attachment directory."""
        return self._entry.index

    @property
    def name(self) -> str:
        """The attachment's name, such as ``"Thumbnail"``."""
        return self._entry.name

    @property
    def content_file_type(self) -> str:
        """The kind of content, such as ``"JPG"``, ``"CZI"``, ``"CZTIMS"``."""
        return self._entry.content_file_type

    @property
    def guid(self) -> Any:
        """The attachment's own identifier (a `uuid.UUID`)."""
        return self._entry.guid

    def __repr__(self) -> str:
        return f"<Attachment {self.index}: {self.name!r}, {self.content_file_type}>"

    @property
    def data(self) -> bytes:
        """The bytes of the attachment."""
        with self._document() as document:
            return read_attachment_data(document.source, self._entry)

    def image(self) -> NDArray[Any]:
        """Return the attachment as a picture.

        A nested CZI (label, preview) is read whole: its first plane, in the dtype of its pixels,
        which may have 16 bits or more. If that would take more than 32 MiB, the picture is zoomed
        out to fit. JPEG, PNG, BMP, TIFF and GIF are decoded by Pillow, up to 32 Mi pixels. No other
        format is recognised.

        Returns
        -------
        numpy.ndarray
            (height, width), or (height, width, 3) in the order R, G, B.

        Raises
        ------
        UnsupportedDataError
            If the attachment is not such a picture, or has more pixels.
        CorruptFileError
            If the picture is damaged.
        MissingExtraError
            If Pillow is not installed; the extra ``czictypes[cli]`` brings it.
        """
        data, what = self.data, f"attachment {self.name!r} of {self._file}"
        return self._nested(data) if data.startswith(b"ZISRAWFILE") else _picture(data, what)

    def _small_image(self) -> NDArray[Any] | None:
        """Return the attachment as a picture, unless it takes long to read."""
        with self._document() as document:
            size = read_attachment_segment(document.source, self._entry).data_size
        return self.image() if size <= _SMALL_BYTES else None

    @property
    def is_picture(self) -> bool:
        """Whether the kind of content is that of a picture, which `image` decodes."""
        return self.content_file_type.upper() in _PICTURES

    def save(self, dest: str | os.PathLike[str], *, overwrite: bool = False) -> None:
        """Write the attachment to a file.

        Under a name that ends in ``.png``, a picture is written as PNG, whatever it is stored as: a
        label or overview that is a CZI, too. Gray of 8 and 16 bits stays as it is; of 16-bit
        colours it has the high byte, and of all other types the values between the extremes. Under
        any other name, the bytes are written as they are stored.

        Parameters
        ----------
        dest
            The path; missing folders are made.
        overwrite
            Whether an existing file is replaced.

        Raises
        ------
        FileExistsError
            If the file is there and `overwrite` is not set.
        UnsupportedDataError, CorruptFileError, MissingExtraError
            For a PNG, as for `image`.

        Examples
        --------
        >>> document.attachments["Label"].save("label.png")  # doctest: +SKIP
        """
        from czictypes.writing.atomic import atomic_output  # few readers write

        is_png = os.fsdecode(dest).lower().endswith(".png")
        with atomic_output(dest, overwrite=overwrite) as stream:
            has_png = self.content_file_type.upper() == "PNG"
            stream.write(_png(self.image()) if is_png and not has_png else self.data)

    def decoded(self) -> NDArray[Any] | list[Event] | bytes:
        """Return the decoded content.

        Returns
        -------
        numpy.ndarray, list of Event or bytes
            Time stamps (CZTIMS) as float64 in seconds, an event list (CZEVL) as its events, a
            picture (JPG, PNG, BMP, TIFF, CZI) as by `image`, and anything else as bytes.

        Raises
        ------
        UnsupportedDataError, CorruptFileError, MissingExtraError
            As for `image`.
        """
        kind = self.content_file_type.upper()
        if kind == "CZTIMS":
            return read_time_stamps(self.data)
        if kind == "CZEVL":
            return read_event_list(self.data)
        if self.is_picture:
            return self.image()
        return self.data


@defended(lambda attachments: attachments._file)
class Attachments(Sequence[Attachment]):
    """The attachments of a document in the order of their directory.

    Index it with a position, a slice, or a name in any case: ``attachments["Thumbnail"]``. A name
    that does not exist raises `KeyError`.
    """

    def __init__(
        self,
        entries: Sequence[AttachmentEntry],
        document: _Document,
        nested: _Nested,
        file: str,
    ) -> None:
        self._file = file
        self._items = [Attachment(entry, document, nested, file) for entry in entries]

    @overload
    def __getitem__(self, key: int | str) -> Attachment: ...
    @overload
    def __getitem__(self, key: slice) -> list[Attachment]: ...
    def __getitem__(self, key: int | str | slice) -> Attachment | list[Attachment]:
        """Return the attachment at a position, or the first one of a name (in any case)."""
        if isinstance(key, slice):
            return self._items[key]
        if not isinstance(key, str):
            return self._at(key)
        found = self.find(key)
        if found is None:
            names = ", ".join(item.name for item in self._items) or "none"
            raise KeyError(f"there is no attachment {key!r}; the document has: {names}")
        return found

    def _at(self, index: int) -> Attachment:
        try:
            return self._items[whole_number(index, "the position of an attachment")]
        except IndexError:
            raise OutOfBoundsError(
                f"there is no attachment {index}; the document has {len(self)}"
                + (f", from 0 to {len(self) - 1}" if self._items else "")
            ) from None

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[Attachment]:
        return iter(self._items)

    def __repr__(self) -> str:
        return f"Attachments({self._items!r})"

    def _repr_html_(self) -> str:
        """Return the attachments and their pictures, for notebooks; never raises."""
        return html.page(self, self._card)

    def _card(self) -> str:
        facts: dict[str, Callable[[], object]] = {
            f"{item.index}: {item.name}": partial(str, item.content_file_type)
            for item in self._items[:_MOST_SHOWN]
        }
        if len(self) > _MOST_SHOWN:
            facts["and"] = lambda: f"{len(self) - _MOST_SHOWN:,} more"
        shown = [self.find(name) for name in ("Thumbnail", "Label", "SlidePreview")]
        pictures = [
            html.picture(item._small_image, 16_000, 128) for item in shown if item is not None
        ]
        return html.card("Attachments", f"{len(self):,}", facts, pictures)

    @property
    def names(self) -> list[str]:
        """The names of all attachments."""
        return [item.name for item in self._items]

    def find(self, name: str) -> Attachment | None:
        """Return the first attachment of a name (in any case), or None."""
        wanted = name.lower()
        return next((item for item in self._items if item.name.lower() == wanted), None)

    @property
    def thumbnail(self) -> NDArray[Any] | None:
        """The small picture of the whole document, or None."""
        return self._image("Thumbnail")

    @property
    def label(self) -> NDArray[Any] | None:
        """The picture of the slide's label, or None."""
        return self._image("Label")

    @property
    def preview(self) -> NDArray[Any] | None:
        """The overview picture of the slide, or None."""
        found = self.find("SlidePreview") or self.find("Prescan") or self.find("Preview")
        return None if found is None else found.image()

    @property
    def time_stamps(self) -> NDArray[np.float64] | None:
        """The acquisition times in seconds since the start of the recording, or None."""
        found = self.find("TimeStamps")
        return None if found is None else read_time_stamps(found.data)

    @property
    def events(self) -> list[Event] | None:
        """The events that were recorded with the image, or None."""
        found = self.find("EventList")
        return None if found is None else read_event_list(found.data)

    def _image(self, name: str) -> NDArray[Any] | None:
        found = self.find(name)
        return None if found is None else found.image()


def _picture(data: bytes, what: str) -> NDArray[Any]:
    with decoded_picture(
        io.BytesIO(data),
        _FORMATS,
        what,
        extra="cli",
        doing="reading a picture in an attachment",
        most_pixels=MOST_PIXELS,
    ) as picture:
        gray = picture.mode in {"L", "F", "1"} or picture.mode.startswith("I")
        pixels: NDArray[Any] = np.array(picture if gray else picture.convert("RGB"))
        return pixels


def _png(pixels: NDArray[Any]) -> bytes:
    """Return a picture as PNG."""
    images = require("PIL.Image", extra="cli", doing="writing a PNG")
    if pixels.ndim > 2 or pixels.dtype != np.uint16:
        pixels = eight_bit(pixels)
    stream = io.BytesIO()
    images.fromarray(np.ascontiguousarray(pixels)).save(stream, "PNG")
    return stream.getvalue()
