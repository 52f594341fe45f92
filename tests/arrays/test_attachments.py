"""`CziImage.attachments`: those of the document."""

from __future__ import annotations

from collections.abc import Callable

from files.recipes import Made

from czictypes import CziImage


def test_an_image_has_the_attachments_of_its_document(made: Callable[[str], Made]) -> None:
    with CziImage(made("attached").path) as image:
        assert image.attachments.names == ["TimeStamps", "EventList", "Notes"]
        assert image.attachments["Notes"].data == b"nothing known"
