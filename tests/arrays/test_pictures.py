"""Pictures of images: `to_rgb`, `thumbnail`, `plot`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from extras import needs
from files.recipes import Made

from czictypes import CziImage, czi, open_image
from czictypes.arrays.pictures import bar_label, bar_length, overview_limits
from czictypes.model.errors import OutOfBoundsError

RED, GREEN = "#FF0000", "#00FF00"


@pytest.fixture
def ramps() -> Any:
    """Return 3 Z of two channels, across and along, brighter from Z to Z."""
    across = np.tile(np.linspace(100, 1100, 60), (40, 1))
    along = np.tile(np.linspace(100, 1100, 40), (60, 1)).T
    return np.stack([[across + 10 * z, along + 10 * z] for z in range(3)]).astype("u2")


@pytest.fixture(params=["czi", "ome.tiff"])
def image(request: pytest.FixtureRequest, tmp_path: Path, ramps: Any) -> Any:
    path = tmp_path / "ramps.czi"
    names = {"channel_names": ["DAPI", "GFP"], "channel_colors": [RED, GREEN]}
    czi.imwrite(path, ramps, "ZCYX", pixel_size=(1e-6, 1e-6, 1e-6), **names)
    if request.param == "ome.tiff":
        needs("tifffile", "ome-tiff")
        needs("ome_types", "ome-tiff")
        with CziImage(path) as source:
            path = tmp_path / "ramps.ome.tiff"
            source.save(path)
    with open_image(path) as opened:
        yield opened


def shown(pixels: Any, low: float, high: float) -> Any:
    return np.rint(np.clip((pixels - low) / (high - low), 0, 1) * 255)


def test_channels_are_blended_in_their_colours(image: Any, ramps: Any) -> None:
    picture = image.to_rgb(contrast=(100, 1100))
    assert (picture.dtype, picture.shape) == (np.uint8, (40, 60, 3))
    for sample in range(2):  # the middle of Z
        np.testing.assert_allclose(picture[..., sample], shown(ramps[1, sample], 100, 1100), atol=1)
    assert not picture[..., 2].any()


def test_a_channel_is_chosen_by_name_and_by_index(image: Any, ramps: Any) -> None:
    picture = image.to_rgb(C="GFP", Z=2, contrast={"GFP": (0, 2000)})
    assert np.array_equal(picture, image.to_rgb(C=[1], Z=-1, contrast={1: (0, 2000)}))
    np.testing.assert_allclose(picture[..., 1], shown(ramps[2, 1], 0, 2000), atol=1)
    assert not picture[..., 0].any()


@pytest.mark.parametrize("contrast", ["file", "auto"])
def test_12_bits_are_not_black(image: Any, contrast: str) -> None:
    red, green, blue = image.to_rgb(contrast=contrast).max((0, 1)).tolist()
    assert min(red, green) > 250
    assert blue == 0


def test_a_thumbnail_fits_into_a_size(image: Any) -> None:
    assert image.thumbnail(30).shape == (20, 30, 3)
    assert image.thumbnail((30, 10)).shape == (10, 15, 3)
    assert image.thumbnail().shape == (40, 60, 3)


def test_a_thumbnail_is_smooth(tmp_path: Path) -> None:
    board = (np.indices((64, 96)).sum(0) % 2 * 200).astype("u1")
    czi.imwrite(tmp_path / "board.czi", board)
    with CziImage(tmp_path / "board.czi") as image:
        small = image.thumbnail(48, contrast="full")
    assert small.shape == (32, 48, 3)
    assert (small == 100).all()


def test_scenes_are_chosen_without_a_change(made: Callable[[str], Made]) -> None:
    with CziImage(made("multi_scene_pyramid").path) as image:
        expected = image.reader.composite(scene=2)
        assert np.array_equal(image.to_rgb(scene=2), expected)
        assert image.current_scene_index == 0


def test_what_there_is_not_is_refused(image: Any) -> None:
    with pytest.raises(ValueError, match="a picture has no dimension Q to choose; it has T, C, Z"):
        image.to_rgb(Q=1)
    with pytest.raises(OutOfBoundsError, match="there is no Z=3; Z goes from 0 to 2"):
        image.thumbnail(Z=3)
    with pytest.raises(OutOfBoundsError, match="there is no channel 'Cy5'"):
        image.to_rgb(C="Cy5")
    with pytest.raises(OutOfBoundsError, match="contrast names channel 7"):
        image.to_rgb(contrast={7: "auto"})
    with pytest.raises(ValueError, match=r"T takes .*, not True"):
        image.to_rgb(T=True)
    with pytest.raises(ValueError, match=r"Z takes one index here, not \[0, 1\]"):
        image.to_rgb(Z=[0, 1])
    with pytest.raises(ValueError, match=r"C=\[\] chooses no channel"):
        image.to_rgb(C=[])


@pytest.mark.parametrize("zoom", [0, -1, 1.5, float("nan"), "half"])
def test_no_zoom(image: Any, zoom: Any) -> None:
    with pytest.raises(ValueError, match=f"zoom is {zoom!r}, but must be above 0"):
        image.to_rgb(zoom=zoom)


@pytest.mark.parametrize("size", [0, -3, "large", None, True, (10,), (10, 0), float("inf")])
def test_no_size(image: Any, size: Any) -> None:
    with pytest.raises(ValueError, match="size of a thumbnail must be above 0"):
        image.thumbnail(size)


@pytest.mark.parametrize("mask", [[True, False], [False, True], [True, True]])
def test_a_mask_chooses_channels(image: Any, mask: list[bool]) -> None:
    chosen = [channel for channel, is_taken in enumerate(mask) if is_taken]
    expected = image.to_rgb(C=chosen)
    assert np.array_equal(image.to_rgb(C=mask), expected)
    assert np.array_equal(image.to_rgb(C=np.array(mask)), expected)
    assert np.array_equal(image.to_rgb(C=slice(chosen[0], chosen[-1] + 1)), expected)
    assert np.array_equal(image.thumbnail(C=mask), expected)


def test_every_made_file_has_a_thumbnail(every_made: Made) -> None:
    with CziImage(every_made.path) as image:
        if image.reader.total_bounding_rectangle.is_empty:
            with pytest.raises(OutOfBoundsError, match="no sub-blocks"):
                image.thumbnail(64)
            return
        picture = image.thumbnail(64)
        assert picture.ndim == 3
        assert max(picture.shape[:2]) <= 64
        assert len(overview_limits(image)) == image.sizes["C"]


def test_every_real_file_looks_right(every_real_file: Path) -> None:
    with CziImage(every_real_file) as image:
        for scene in image.scenes:
            picture = image.thumbnail(256, scene=scene)
            assert picture.max() > 100
            assert picture.std() > 5


@pytest.fixture
def pyplot() -> Any:
    needs("matplotlib", "plot").use("Agg")
    module = needs("matplotlib.pyplot", "plot")
    yield module
    module.close("all")


def test_a_plot_has_a_scale_bar_and_names(image: Any, pyplot: Any) -> None:
    ax = image.plot(Z=1, contrast="auto")
    assert {text.get_text() for text in ax.texts} == {"DAPI", "GFP"}
    (bar,) = ax.artists
    assert bar.txt_label.get_text() == "10 µm"
    assert ax.get_xlim() == (-0.5, 59.5)
    assert np.array_equal(ax.images[0].get_array(), image.to_rgb(contrast="auto"))


def test_a_plot_goes_into_given_axes(image: Any, pyplot: Any) -> None:
    ax = pyplot.subplots()[1]
    assert image.plot(ax, C="GFP", scale_bar=False) is ax
    assert [text.get_text() for text in ax.texts] == ["GFP"]
    assert not ax.artists


def test_a_plot_has_a_scale_bar_of_a_length(image: Any, pyplot: Any) -> None:
    (bar,) = image.plot(scale_bar=25).artists
    assert bar.txt_label.get_text() == "25 µm"


def test_what_cannot_be_drawn_is_refused(image: Any, pyplot: Any, tmp_path: Path) -> None:
    for ax in (5, pyplot.subplots(1, 2)[1]):
        with pytest.raises(ValueError, match="ax is one of the axes of matplotlib"):
            image.plot(ax)
    for bar in ("5um", None, -5, 0):
        with pytest.raises(ValueError, match=f"scale_bar={bar!r}: give True"):
            image.plot(scale_bar=bar)
    with pytest.raises(ValueError, match="1 mm is 1000 pixels long, but the picture 60"):
        image.plot(scale_bar=1000)
    czi.imwrite(tmp_path / "plain.czi", np.ones((9, 9), "u1"))
    with CziImage(tmp_path / "plain.czi") as plain:
        assert not plain.plot().artists
        with pytest.raises(ValueError, match=r"plain.czi does not tell the size of a pixel"):
            plain.plot(scale_bar=2)


def test_show_opens_it(image: Any, pyplot: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = []
    monkeypatch.setattr(pyplot, "show", lambda: opened.append(len(pyplot.get_fignums())))
    image.show(C=0)
    assert opened == [1]


def test_a_plot_without_matplotlib_names_the_extra(
    image: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "matplotlib.pyplot", None)
    with pytest.raises(ImportError, match=r"czictypes\[plot\]"):
        image.plot()


@pytest.mark.parametrize(
    ("width", "length", "label"),
    [(1000, 200, "200 µm"), (0.9, 0.2, "200 nm"), (9999, 2000, "2 mm"), (40, 10, "10 µm")],
)
def test_a_scale_bar_is_1_2_or_5_times_a_power_of_ten(
    width: float, length: float, label: str
) -> None:
    assert bar_length(width) == pytest.approx(length)
    assert bar_label(bar_length(width)) == label


@pytest.mark.parametrize("shape", [(1, 5000), (5000, 1), (3, 9000)])
def test_an_image_of_a_few_lines_has_a_thumbnail(tmp_path: Path, shape: tuple[int, int]) -> None:
    czi.imwrite(tmp_path / "line.czi", np.full(shape, 7, "u1"))
    with CziImage(tmp_path / "line.czi") as image:
        small = image.thumbnail(100, contrast=(0, 7))
        assert sorted(small.shape) == [1, 3, 100]
        assert small.min() == 255
        assert overview_limits(image, "auto") == [(0.0, 7.0)]
