"""The pictures beside a slide: its label, its overview, its thumbnail."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from czictypes.model.errors import CziError
from czictypes.model.lazy import require
from czictypes.reading.attachments import Attachments
from czictypes.reading.pictures import eight_bit

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["AssociatedImages"]

#: OpenSlide's name of a picture, and those of the attachments it may be in.
_ATTACHMENTS = {
    "label": ("Label",),
    "macro": ("SlidePreview", "Prescan", "Preview"),
    "thumbnail": ("Thumbnail",),
}


class AssociatedImages(Mapping[str, "Image"]):
    """Pillow pictures of mode RGBA by OpenSlide's names; each is read when it is asked for."""

    def __init__(self, attachments: Attachments) -> None:
        self._found = {
            name: found
            for name, attachment_names in _ATTACHMENTS.items()
            for found in map(attachments.find, attachment_names)
            if found is not None
        }

    def __getitem__(self, name: str) -> Image:
        found = self._found[name]
        module = require("PIL.Image", extra="cli", doing="pictures of slides")
        picture: Image = module.fromarray(eight_bit(found.image())).convert("RGBA")
        return picture

    def __iter__(self) -> Iterator[str]:
        return iter(self._found)

    def __len__(self) -> int:
        return len(self._found)

    def __repr__(self) -> str:
        return f"<AssociatedImages {', '.join(self)}>"

    def sizes(self) -> dict[str, tuple[int, int]]:
        """Return width and height of each picture that can be read."""
        found = {}
        for name, attachment in self._found.items():
            try:
                height, width = attachment.image().shape[:2]
            except CziError:  # no picture, or no Pillow
                continue
            found[name] = width, height
        return found
