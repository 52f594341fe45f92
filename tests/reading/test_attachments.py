"""Attachments by name and position, and what they decode to."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from files.block import Block
from files.builder import AttachmentSpec, write_czi
from files.patterns import noise

from czictypes import czi
from czictypes.model.errors import UnsupportedDataError
from czictypes.model.pixel_types import PixelType


def test_names_kinds_and_bytes(made) -> None:
    with czi.open_czi(made("attached").path) as document:
        attachments = document.attachments
        assert attachments.names == ["TimeStamps", "EventList", "Notes"]
        assert [item.content_file_type for item in attachments] == ["CZTIMS", "CZEVL", "TXT"]
        assert attachments["notes"].data == b"nothing known"
        assert attachments[2].decoded() == b"nothing known"
        assert len(attachments) == 3


def test_time_stamps_and_events(made) -> None:
    with czi.open_czi(made("attached").path) as document:
        attachments = document.attachments
        np.testing.assert_array_equal(attachments.time_stamps, [0.5, 1.25, 7.0])
        np.testing.assert_array_equal(attachments["TimeStamps"].decoded(), [0.5, 1.25, 7.0])
        events = attachments.events
        assert events is not None
        assert [event.time for event in events] == [0.75, 2.0]
        assert attachments["EventList"].decoded() == events


def test_a_name_that_is_not_there_lists_those_that_are(made) -> None:
    with czi.open_czi(made("attached").path) as document:
        with pytest.raises(KeyError, match="TimeStamps, EventList, Notes"):
            document.attachments["Label"]


def test_a_document_without_attachments(made) -> None:
    with czi.open_czi(made("mosaic").path) as document:
        attachments = document.attachments
        assert list(attachments) == []
        assert attachments.thumbnail is None
        assert attachments.label is None
        assert attachments.preview is None
        assert attachments.time_stamps is None
        assert attachments.events is None


def test_nested_documents_and_pictures(tmp_path: Path) -> None:
    image_module = pytest.importorskip("PIL.Image", reason="Pillow is needed: extra 'cli'")
    label = noise(PixelType.Bgr24, 6, 9, 1)
    nested = write_czi(tmp_path / "label.czi", [Block(label)]).read_bytes()
    preview = write_czi(tmp_path / "preview.czi", [Block(noise(PixelType.Gray8, 5, 4, 2))])
    picture = io.BytesIO()
    thumbnail = noise(PixelType.Bgr24, 8, 7, 3)
    image_module.fromarray(thumbnail).save(picture, "PNG")
    attachments = [
        AttachmentSpec("Label", "CZI", nested),
        AttachmentSpec("SlidePreview", "CZI", preview.read_bytes()),
        AttachmentSpec("Thumbnail", "PNG", picture.getvalue()),
        AttachmentSpec("Broken", "JPG", b"no picture"),
    ]
    path = write_czi(
        tmp_path / "slide.czi", [Block(np.zeros((2, 2), np.uint8))], attachments=attachments
    )
    with czi.open_czi(path) as document:
        found = document.attachments
        np.testing.assert_array_equal(found.label, label[..., ::-1])
        np.testing.assert_array_equal(found.preview, noise(PixelType.Gray8, 5, 4, 2)[..., 0])
        np.testing.assert_array_equal(found.thumbnail, thumbnail)
        with pytest.raises(UnsupportedDataError, match="Broken"):
            found["Broken"].image()


def test_the_thumbnails_of_real_files_are_pictures(every_real_file: Path) -> None:
    pytest.importorskip("PIL.Image", reason="Pillow is needed: extra 'cli'")
    with czi.open_czi(every_real_file) as document:
        thumbnail = document.attachments.thumbnail
        if "Thumbnail" in document.attachments.names:
            assert thumbnail is not None
            assert thumbnail.shape[0] > 10
        else:
            assert thumbnail is None
