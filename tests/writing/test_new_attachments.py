"""Thumbnail, label, preview, time stamps, events: what ZEISS software attaches."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from czictypes.metadata.records import Event
from czictypes.reading.reader import CziReader
from czictypes.writing.new_attachments import Thumbnail, encode_picture
from czictypes.writing.writer import create_czi


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "new.czi"


def gradient(height: int, width: int) -> Any:
    return np.linspace(0, 60000, height * width).reshape(height, width).astype(np.uint16)


def test_time_stamps_and_events_come_back(path: Path) -> None:
    events = [Event(0.5, 0, "begun"), Event(2.25, 4, "triggered ü")]
    with create_czi(path) as document:
        document.add_time_stamps([0.0, 1.5, 3.25])
        document.add_event_list(events)
    with CziReader(path) as read:
        assert read.attachments.time_stamps is not None
        assert read.attachments.time_stamps.tolist() == [0.0, 1.5, 3.25]
        assert read.attachments.events == events
        assert read.attachments["TimeStamps"].content_file_type == "CZTIMS"


def test_label_and_preview_come_back(path: Path) -> None:
    color = np.arange(60, dtype=np.uint8).reshape(4, 5, 3)
    with create_czi(path) as document:
        document.add_label(color)
        document.add_preview(color[..., 0])
    with CziReader(path) as read:
        assert np.array_equal(read.attachments.label, color)
        assert np.array_equal(read.attachments.preview, color[..., 0])


def test_a_thumbnail_is_made_of_the_plane_written_first(path: Path) -> None:
    pytest.importorskip("PIL", reason="the extra 'cli'")
    with create_czi(path) as document:
        document.write(gradient(1500, 3000), plane={"C": 0})
        document.write(gradient(1500, 3000)[::-1], plane={"C": 1})
    with CziReader(path) as read:
        thumbnail = read.attachments.thumbnail
    assert thumbnail is not None
    assert thumbnail.shape == (188, 375)
    assert thumbnail[:10].mean() < 20
    assert thumbnail[-10:].mean() > 235


def test_a_thumbnail_of_ones_own_takes_its_place(path: Path) -> None:
    pytest.importorskip("PIL", reason="the extra 'cli'")
    with create_czi(path) as document:
        document.write(gradient(20, 30))
        document.add_thumbnail(np.full((8, 8, 3), (250, 0, 0), np.uint8))
    with CziReader(path) as read:
        assert read.attachments.names == ["Thumbnail"]
        assert read.attachments.thumbnail is not None
        assert np.abs(read.attachments.thumbnail.astype(int) - (250, 0, 0)).max() < 10


def test_no_thumbnail_is_made_when_none_is_wanted(path: Path) -> None:
    with create_czi(path, thumbnail=False) as document:
        document.write(gradient(20, 30))
    with CziReader(path) as read:
        assert read.attachments.names == []


def test_an_empty_document_has_no_thumbnail(path: Path) -> None:
    with create_czi(path):
        pass
    with CziReader(path) as read:
        assert read.attachments.names == []


@pytest.mark.parametrize("image", [np.zeros((2, 2)), np.zeros((2, 2, 4), np.uint8), np.uint8(1)])
def test_a_picture_is_uint8_gray_or_rgb(path: Path, image: Any) -> None:
    with create_czi(path) as document:
        for add in (document.add_thumbnail, document.add_label, document.add_preview):
            with pytest.raises(ValueError, match="a picture is uint8"):
                add(image)


@pytest.mark.parametrize("shape", [(5, 7, 1), (5, 7, 3), (1, 1, 1)])
def test_pictures_are_encoded_without_optional_packages(
    monkeypatch: pytest.MonkeyPatch, shape: tuple[int, int, int]
) -> None:
    image = pytest.importorskip("PIL.Image", reason="reads the picture back")
    pixels = np.arange(np.prod(shape), dtype=np.uint8).reshape(shape)
    monkeypatch.setitem(sys.modules, "PIL", None)
    monkeypatch.setitem(sys.modules, "imagecodecs", None)
    kind, data = encode_picture(pixels)
    monkeypatch.undo()
    assert kind == "PNG"
    with image.open(io.BytesIO(data)) as picture:
        assert np.array_equal(np.array(picture).reshape(shape), pixels)


@pytest.mark.parametrize("missing", ["PIL", "imagecodecs"])
def test_pictures_are_jpegs_where_there_is_a_package_for_it(
    monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    pytest.importorskip("PIL", reason="the extra 'cli'")
    pytest.importorskip("imagecodecs", reason="the extra 'jpegxr'")
    monkeypatch.setitem(sys.modules, missing, None)
    kind, data = encode_picture(np.zeros((4, 4, 3), np.uint8))
    assert (kind, data[:2]) == ("JPG", b"\xff\xd8")


@st.composite
def parts(draw: st.DrawFn) -> list[tuple[int, int, int, int]]:
    """Rectangles of all sizes, near and far."""
    position = st.integers(-3000, 3000) | st.integers(-20, 20)
    size = st.integers(1, 1500) | st.integers(1, 10)
    return draw(st.lists(st.tuples(position, position, size, size), min_size=1, max_size=6))


@given(parts())
def test_a_thumbnail_shows_every_part_in_its_place(
    rectangles: list[tuple[int, int, int, int]],
) -> None:
    thumbnail = Thumbnail()
    for x, y, width, height in rectangles:
        thumbnail.add(x, y, np.full((height, width, 3), (10, 20, 200), np.uint8))
    picture = thumbnail.picture()
    assert picture is not None
    assert max(picture.shape[:2]) <= 512
    step = thumbnail._step
    painted = np.zeros(picture.shape[:2], bool)
    for x, y, width, height in rectangles:
        rows = slice(-((thumbnail._y - y) // step), -((thumbnail._y - y - height) // step))
        columns = slice(-((thumbnail._x - x) // step), -((thumbnail._x - x - width) // step))
        painted[rows, columns] = True
    assert (picture[painted] == (200, 20, 10)).all()
    assert not picture[~painted].any()


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("value", [0, 7])
def test_a_flat_picture_is_shown(dtype: str, value: int) -> None:
    thumbnail = Thumbnail()
    thumbnail.add(5, 5, np.full((3, 3, 1), value, dtype))
    picture = thumbnail.picture()
    assert picture is not None
    assert (picture == (255 if value else 0)).all()


@pytest.mark.parametrize("samples", [1, 3])
def test_odd_floats_leave_the_rest_of_a_thumbnail_as_it_is(path: Path, samples: int) -> None:
    pixels = np.linspace(0, 3e38, 50 * 60 * samples, dtype=np.float32).reshape(50, 60, samples)
    pixels[0, :20], pixels[0, 20:40], pixels[0, 40:] = np.nan, np.inf, -np.inf
    with create_czi(path) as document:
        document.write(pixels)
    with CziReader(path) as read:
        picture = read.attachments.thumbnail
    assert picture is not None
    assert picture[1:4].max() < 40
    assert picture[-4:].min() > 215


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, -3e38])
def test_one_odd_float_makes_a_thumbnail(path: Path, value: float) -> None:
    with create_czi(path) as document:
        document.write(np.full((8, 9), value, np.float32))
    with CziReader(path) as read:
        assert read.attachments.thumbnail is not None
