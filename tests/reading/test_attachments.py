"""Attachments by name and position, and what they decode to."""

from __future__ import annotations

import io
import os
from pathlib import Path

import numpy as np
import pytest
from files.block import Block
from files.builder import AttachmentSpec, write_czi
from files.patterns import noise

from czictypes import czi
from czictypes.model.errors import CorruptFileError, ResultTooLargeError, UnsupportedDataError
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


@pytest.mark.parametrize("apart", [(30_000, 30_000), (2**30, 2**30), (9000, 9000)])
def test_a_nested_document_of_any_size_is_a_picture_of_a_bounded_one(
    tmp_path: Path, apart: tuple[int, int]
) -> None:
    tiles = [Block(noise(PixelType.Bgr24, 4, 4, n), *(n * at for at in apart)) for n in range(2)]
    nested = write_czi(tmp_path / "label.czi", tiles).read_bytes()
    label = AttachmentSpec("Label", "CZI", nested)
    path = write_czi(tmp_path / "slide.czi", [Block(np.zeros((2, 2), "u1"))], attachments=[label])
    with czi.open_czi(path) as document:
        picture = document.attachments.label
    assert picture is not None
    assert 30 << 20 < picture.nbytes <= 32 << 20
    assert picture.shape[0] == picture.shape[1]


def test_a_nested_document_that_is_a_line_is_refused_or_zoomed(tmp_path: Path) -> None:
    tiles = [Block(noise(PixelType.Gray8, 4, 4, n), n * 2**30) for n in range(2)]
    nested = write_czi(tmp_path / "label.czi", tiles).read_bytes()
    label = AttachmentSpec("Label", "CZI", nested)
    path = write_czi(tmp_path / "slide.czi", [Block(np.zeros((2, 2), "u1"))], attachments=[label])
    with czi.open_czi(path) as document, pytest.raises(ResultTooLargeError):
        document.attachments["Label"].image()


def test_the_thumbnails_of_real_files_are_pictures(every_real_file: Path) -> None:
    pytest.importorskip("PIL.Image", reason="Pillow is needed: extra 'cli'")
    with czi.open_czi(every_real_file) as document:
        thumbnail = document.attachments.thumbnail
        if "Thumbnail" in document.attachments.names:
            assert thumbnail is not None
            assert thumbnail.shape[0] > 10
        else:
            assert thumbnail is None


def with_thumbnail(path: Path, data: bytes, kind: str = "JPG") -> Path:
    attachments = [AttachmentSpec("Thumbnail", kind, data)]
    return write_czi(path, [Block(np.zeros((2, 2), np.uint8))], attachments=attachments)


@pytest.mark.skipif(os.name != "posix", reason="stands in for another program by a shell script")
@pytest.mark.parametrize("kind", ["JPG", "EPS"])
def test_no_program_is_started_for_what_a_picture_is_not(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("PIL.Image", reason="Pillow is needed: extra 'cli'")
    mark = tmp_path / "started"
    program = tmp_path / "gs"
    program.write_text(f"#!/bin/sh\ntouch {mark}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    drawing = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 30 20\n%%EndComments\nshowpage\n"
    with czi.open_czi(with_thumbnail(tmp_path / "a.czi", drawing, kind)) as document:
        with pytest.raises(UnsupportedDataError, match=r"'Thumbnail' of .*a\.czi is no picture"):
            _ = document.attachments.thumbnail
    assert not mark.exists()


@pytest.mark.parametrize("format_name", ["PNG", "JPEG", "BMP", "TIFF", "GIF"])
@pytest.mark.parametrize("kept", [0.5, 0.95])
def test_a_picture_that_is_cut_off_is_damaged(
    format_name: str, kept: float, tmp_path: Path
) -> None:
    images = pytest.importorskip("PIL.Image", reason="Pillow is needed: extra 'cli'")
    whole = io.BytesIO()
    images.fromarray(noise(PixelType.Gray8, 40, 50, 4)[..., 0]).save(whole, format_name)
    data = whole.getvalue()[: int(kept * len(whole.getvalue()))]
    with czi.open_czi(with_thumbnail(tmp_path / "a.czi", data)) as document:
        with pytest.raises((CorruptFileError, UnsupportedDataError), match=r"'Thumbnail' of .*a"):
            _ = document.attachments.thumbnail


def test_a_small_picture_of_very_many_pixels_is_not_decoded(tmp_path: Path) -> None:
    images = pytest.importorskip("PIL.Image", reason="Pillow is needed: extra 'cli'")
    large = io.BytesIO()
    images.new("1", (8192, 4097)).save(large, "PNG")
    with czi.open_czi(with_thumbnail(tmp_path / "a.czi", large.getvalue(), "PNG")) as document:
        with pytest.raises(UnsupportedDataError, match="8192 x 4097 pixels; at most 33554432"):
            _ = document.attachments.thumbnail


def test_a_saved_attachment_makes_its_folder(made, tmp_path: Path) -> None:
    path = tmp_path / "new" / "notes.txt"
    with czi.open_czi(made("attached").path) as document:
        document.attachments["Notes"].save(path)
    assert path.read_bytes() == b"nothing known"


def test_an_attachment_replaces_a_file_only_when_asked_to(made, tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_bytes(b"mine")
    with czi.open_czi(made("attached").path) as document:
        with pytest.raises(FileExistsError, match=r"overwrite=True.*notes\.txt"):
            document.attachments["Notes"].save(path)
        assert path.read_bytes() == b"mine"
        document.attachments["Notes"].save(path, overwrite=True)
    assert path.read_bytes() == b"nothing known"


def test_a_picture_that_cannot_be_saved_leaves_nothing_behind(tmp_path: Path) -> None:
    pytest.importorskip("PIL.Image", reason="Pillow is needed: extra 'cli'")
    folder = tmp_path / "out"
    with czi.open_czi(with_thumbnail(tmp_path / "a.czi", b"no picture")) as document:
        with pytest.raises((CorruptFileError, UnsupportedDataError)):
            document.attachments["Thumbnail"].save(folder / "thumbnail.png")
    assert list(folder.iterdir()) == []
