"""The multi-channel picture, through the C API's compositor."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from files.block import Block
from files.builder import write_czi
from files.patterns import noise
from files.xml import document_xml

from czictypes import czi
from czictypes.model.errors import OutOfBoundsError
from czictypes.model.pixel_types import PixelType

RED, GREEN = czi.Rgb8Color(255, 0, 0), czi.Rgb8Color(0, 255, 0)


def tinted(color: czi.Rgb8Color, enabled: bool = True) -> czi.ChannelDisplaySettingsDataClass:
    return czi.ChannelDisplaySettingsDataClass(enabled, czi.TintingMode.Color, color, 0.0, 1.0)


@pytest.fixture
def two_channels(tmp_path: Path) -> Path:
    ramp = np.tile(np.arange(256, dtype=np.uint8), (4, 1))
    blocks = [Block(ramp, plane={"C": 0}, m=0), Block(ramp[:, ::-1], plane={"C": 1}, m=0)]
    return write_czi(tmp_path / "two.czi", blocks, metadata=document_xml(channels=["A", "B"]))


def test_each_channel_in_its_colour(two_channels: Path) -> None:
    with czi.open_czi(two_channels) as document:
        picture = document.composite(display_settings={0: tinted(RED), 1: tinted(GREEN)})
    ramp = np.arange(256)
    assert picture.shape == (4, 256, 3)
    assert picture.dtype == np.uint8
    np.testing.assert_allclose(picture[0, :, 0], ramp, atol=1)
    np.testing.assert_allclose(picture[0, :, 1], ramp[::-1], atol=1)
    assert (picture[..., 2] == 0).all()


def test_a_channel_that_is_not_enabled_is_left_out(two_channels: Path) -> None:
    settings = {0: tinted(RED, enabled=False), 1: tinted(GREEN)}
    with czi.open_czi(two_channels) as document:
        picture = document.composite(display_settings=settings)
    assert (picture[..., 0] == 0).all()
    assert picture[..., 1].max() == 255


def test_all_switched_off_is_black(two_channels: Path) -> None:
    with czi.open_czi(two_channels) as document:
        picture = document.composite(display_settings={0: tinted(RED, enabled=False)}, zoom=0.5)
    assert picture.shape == (2, 128, 3)
    assert not picture.any()


def test_the_files_own_settings_are_used(made) -> None:
    file = made("described")
    with czi.open_czi(file.path) as document:
        own = document.composite()
        same = document.composite(display_settings=document.display_settings)
    np.testing.assert_array_equal(own, same)
    assert own[..., 2].any()
    assert not own[..., :2].any()


def test_without_settings_every_channel_is_stretched(two_channels: Path) -> None:
    with czi.open_czi(two_channels) as document:
        picture = document.composite()
    assert picture.max() == 255
    assert picture.min() == 0


@pytest.mark.parametrize(
    "points", ["<Low>-1</Low><High>0.9</High>", "<Low>0</Low><High>1.5</High>"]
)
def test_settings_of_the_file_that_cannot_be_meant_do_not_count(
    tmp_path: Path, points: str
) -> None:
    blocks = [Block(noise(PixelType.Gray8, 4, 9, 1), plane={"C": 0})]
    plain = write_czi(tmp_path / "plain.czi", blocks)
    odd = write_czi(tmp_path / "odd.czi", blocks, metadata=document_xml(display=[points]))
    with czi.open_czi(odd) as document, czi.open_czi(plain) as other:
        np.testing.assert_array_equal(document.composite(), other.composite())


def test_settings_for_a_channel_that_is_not_there(two_channels: Path) -> None:
    with czi.open_czi(two_channels) as document:
        with pytest.raises(OutOfBoundsError, match="channel 5"):
            document.composite(display_settings={5: tinted(RED)})


def test_colour_images_come_in_red_green_blue(tmp_path: Path) -> None:
    pixels = noise(PixelType.Bgr24, 20, 30, 5)
    path = write_czi(tmp_path / "colour.czi", [Block(pixels, plane={}, m=0)])
    with czi.open_czi(path) as document:
        picture = document.composite()
    np.testing.assert_allclose(picture, pixels[..., ::-1], atol=1)


def test_float_channels_are_stretched_to_their_range(tmp_path: Path) -> None:
    pixels = np.linspace(-3, 9, 256, dtype=np.float32).reshape(1, 256)
    path = write_czi(tmp_path / "float.czi", [Block(pixels, plane={"C": 0}, m=0)])
    with czi.open_czi(path) as document:
        picture = document.composite()
    np.testing.assert_allclose(picture[0, :, 1], np.arange(256), atol=1)


@pytest.mark.parametrize("kind", list(PixelType))
def test_every_pixel_type_is_shown(tmp_path: Path, kind: PixelType) -> None:
    path = write_czi(tmp_path / "any.czi", [Block(noise(kind, 40, 30, 1), plane={"C": 0}, m=0)])
    with czi.open_czi(path) as document:
        picture = document.composite()
    assert (picture.dtype, picture.shape) == (np.uint8, (40, 30, 3))
    assert picture.max() > 200


def test_bands_do_not_show(two_channels: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with czi.open_czi(two_channels) as document:
        whole = document.composite()
        monkeypatch.setattr("czictypes.reading.composite._BAND_BYTES", 300)
        np.testing.assert_array_equal(document.composite(), whole)


@pytest.mark.parametrize(
    ("channels", "error", "message"),
    [
        ([], ValueError, "channels is empty; leave it out"),
        ([True, False], TypeError, "must be a whole number, not True"),
        ([0.5], TypeError, "must be a whole number, not 0.5"),
        ([7], OutOfBoundsError, "there is no channel 7"),
    ],
)
def test_channels_that_are_none_are_refused(
    two_channels: Path, channels: Any, error: type[Exception], message: str
) -> None:
    with czi.open_czi(two_channels) as document, pytest.raises(error, match=message):
        document.composite(channels=channels)
