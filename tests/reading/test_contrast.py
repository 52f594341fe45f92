"""Which pixel values pictures show as black and as white."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from files.block import Block
from files.builder import write_czi
from files.xml import document_xml

from czictypes import czi
from czictypes.model.errors import OutOfBoundsError
from czictypes.reading.contrast import auto_limits, shown_limits

WHOLE = "<Low>0</Low><High>1</High>"


def bright_field(dtype: str = "u2", samples: int = 1) -> Any:
    """Return an even picture that spans 13 to 16 of 256 grays in its type."""
    ramp = np.linspace(13, 16.99, 64 * 50).reshape(64, 50, 1)
    return np.repeat(ramp * (256 if dtype == "u2" else 1), samples, 2).astype(dtype)


def composite(path: Path, pixels: Any, display: str | None = WHOLE, **options: Any) -> Any:
    xml = None if display is None else document_xml(display=[display])
    write_czi(path, [Block(pixels, plane={"C": 0}, m=0)], metadata=xml)
    with czi.open_czi(path) as document:
        return document.composite(**options)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "contrast.czi"


@pytest.mark.parametrize("samples", [1, 3])
@pytest.mark.parametrize("display", [WHOLE, None])
def test_a_flat_picture_of_16_bits_is_stretched(
    path: Path, samples: int, display: str | None
) -> None:
    picture = composite(path, bright_field(samples=samples), display)
    assert picture.max() == 255
    assert picture.min() <= 1


def test_a_flat_picture_of_floats_is_stretched(path: Path) -> None:
    pixels = np.linspace(10, 11, 3200, dtype=np.float32).reshape(64, 50)
    pixels[0, 0] = 1e6  # a hot pixel, beside which all else would be black
    picture = composite(path, pixels)
    assert np.ptp(picture[1:].max(2)) > 200


def test_limits_of_the_file_that_are_not_the_whole_range_count(path: Path) -> None:
    picture = composite(path, bright_field(), "<Low>0</Low><High>0.5</High>")
    assert abs(int(picture.min()) - 26) <= 1
    assert abs(int(picture.max()) - 33) <= 1


def test_the_whole_range_counts_where_the_pixels_fill_it(path: Path) -> None:
    pixels = np.linspace(0, 40000, 3200).astype("u2").reshape(64, 50)
    assert composite(path, pixels).max() == 40000 // 257 + 1


def test_8_bits_keep_the_whole_range(path: Path) -> None:
    picture = composite(path, bright_field("u1"))
    assert (picture.min(), picture.max()) == (13, 16)


@pytest.mark.parametrize("dtype", ["u1", "u2"])
def test_auto_stretches_anything(path: Path, dtype: str) -> None:
    picture = composite(path, bright_field(dtype), contrast="auto")
    assert picture.max() == 255
    assert picture.min() <= 1


def test_full_is_the_range_of_the_type(path: Path) -> None:
    picture = composite(path, bright_field(), "<Low>0.05</Low><High>0.06</High>", contrast="full")
    assert (picture.min(), picture.max()) == (13, 17)


@pytest.mark.parametrize("limits", [(3328, 4096), np.array([3328.0, 4096.0])])
def test_two_values_become_black_and_white(path: Path, limits: Any) -> None:
    pixels = np.array([[100, 3328, 3712, 4096, 60000]], np.uint16)
    picture = composite(path, pixels, contrast=limits)
    np.testing.assert_allclose(picture[0, :, 0], [0, 0, 128, 255, 255], atol=1)


def test_values_may_lie_beyond_the_range_of_the_type(path: Path) -> None:
    picture = composite(path, np.array([[0, 255]], np.uint8), contrast=(-255, 510))
    assert picture[0, :, 0].tolist() == [85, 170]


def test_each_channel_may_have_a_contrast_of_its_own(path: Path) -> None:
    blocks = [Block(bright_field(), plane={"C": channel}, m=0) for channel in range(3)]
    xml = document_xml(channels=["A", "B", "C"], display=[WHOLE] * 3)
    write_czi(path, blocks, metadata=xml)
    tints = {
        channel: czi.ChannelDisplaySettingsDataClass(True, czi.TintingMode.Color, color)
        for channel, color in enumerate(
            [czi.Rgb8Color(255, 0, 0), czi.Rgb8Color(0, 255, 0), czi.Rgb8Color(0, 0, 255)]
        )
    }
    chosen = {"A": "full", 1: (0, 65535 / 2)}
    with czi.open_czi(path) as document:
        picture = document.composite(display_settings=tints, contrast=chosen)
    assert picture.max((0, 1)).tolist() == [17, 34, 255]


def test_points_of_given_settings_are_used_as_they_are(path: Path) -> None:
    write_czi(path, [Block(bright_field(), plane={"C": 0}, m=0)])
    plain = czi.ChannelDisplaySettingsDataClass(True, czi.TintingMode.none, czi.Rgb8Color(0, 0, 0))
    with czi.open_czi(path) as document:
        assert document.composite(display_settings={0: plain}).max() < 18
        assert document.composite(display_settings={0: plain}, contrast="auto").max() == 255


@pytest.mark.parametrize(
    "wrong", ["bright", (5, 5), (7, 3), (1, 2, 3), 4, None, ("1", "2"), (0, float("inf"))]
)
def test_a_contrast_that_is_none_is_refused(path: Path, wrong: Any) -> None:
    with pytest.raises(ValueError, match='give "file", "auto", "full", or the pixel values'):
        composite(path, bright_field(), contrast=wrong)


@pytest.mark.parametrize(
    ("channel", "words"), [(4, "names channel 4"), ("GFP", "there is no channel 'GFP'")]
)
def test_a_contrast_for_a_channel_that_is_not_there(path: Path, channel: Any, words: str) -> None:
    with pytest.raises(OutOfBoundsError, match=words):
        composite(path, bright_field(), contrast={channel: "auto"})


@pytest.mark.parametrize("dtype", ["u1", "u2"])
def test_labels_from_1_on_are_not_black(dtype: str) -> None:
    assert auto_limits(np.array([[0, 1, 1, 1, 2, 3]], dtype)) == (0, pytest.approx(3, abs=0.1))


def test_colours_of_8_bits_are_shown_as_they_are() -> None:
    dark = np.full((4, 5, 3), 9, np.uint8)
    assert shown_limits(dark) == (0, 255)
    assert shown_limits(dark, "auto") == (0, 9)
