"""``czictypes plane``, and how its arrays become pictures that show what is in them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from files.block import Block
from files.builder import write_czi
from files.patterns import noise
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from czictypes import czi
from czictypes.cli.plane import save_png
from czictypes.model.errors import UnsupportedDataError
from czictypes.model.pixel_types import PixelType
from czictypes.reading.contrast import auto_limits
from czictypes.reading.conversion import stretch


@pytest.fixture
def picture(
    run: Callable[..., Any], extra: Callable[[str], Any], tmp_path: Path
) -> Callable[..., Any]:
    """Write a PNG with these arguments and return it as an array."""
    image = extra("PIL.Image")

    def make(path: Path, *options: object) -> Any:
        result = run("plane", path, tmp_path / "out.png", *options)
        assert result.code == 0, result.err
        with image.open(str(tmp_path / "out.png")) as opened:
            assert opened.format == "PNG"
            pixels = np.array(opened)
        assert f"{pixels.shape[1]} x {pixels.shape[0]} pixels" in result.out
        return pixels

    return make


@pytest.fixture
def written(run: Callable[..., Any], tmp_path: Path) -> Callable[..., Any]:
    """Write an .npy with these arguments and load it."""

    def make(path: Path, *options: object) -> Any:
        result = run("plane", path, tmp_path / "out.npy", *options)
        assert result.code == 0, result.err
        return np.load(str(tmp_path / "out.npy"))

    return make


def test_an_npy_has_the_pixels_as_they_are_read(every_made: Any, written: Any, run: Any) -> None:
    with czi.open_czi(every_made.path) as document:
        if document.total_bounding_rectangle.is_empty:
            result = run("plane", every_made.path, "never.npy")
            assert result.code == 2
            assert "no sub-blocks" in result.err
            return
        expected = document.read(pixel_type=document.common_pixel_type())
    pixels = written(every_made.path)
    assert pixels.dtype == expected.dtype
    assert pixels.tobytes() == expected.tobytes()


def test_the_options_are_those_of_read(made: Callable[[str], Any], written: Any) -> None:
    path = made("multi_scene_pyramid").path
    options = ("--scene", 1, "--plane", "C=1", "--zoom", 0.5, "--roi", "140,0,60,50")
    with czi.open_czi(path) as document:
        expected = document.read((140, 0, 60, 50), {"C": 1}, 1, 0.5)
    assert np.array_equal(written(path, *options), expected)


def test_a_roi_may_begin_left_of_the_origin(made: Callable[[str], Any], written: Any) -> None:
    path = made("negative").path
    with czi.open_czi(path) as document:
        expected = document.read((-40, -1030, 20, 10))
    assert np.array_equal(written(path, "--roi", "-40,-1030,20,10"), expected)


def test_a_16_bit_plane_is_stretched(made: Callable[[str], Any], picture: Any) -> None:
    path = made("stack").path
    pixels = picture(path, "--plane", "T=1,Z=2,C=1")
    with czi.open_czi(path) as document:
        plane = document.read(plane={"T": 1, "Z": 2, "C": 1})
    assert pixels.dtype == np.uint8
    assert np.array_equal(pixels, stretch(plane, auto_limits(plane))[..., 0])
    assert (pixels.min(), pixels.max()) == (0, 255)


def test_raw_keeps_16_bits(made: Callable[[str], Any], picture: Any) -> None:
    path = made("stack").path
    with czi.open_czi(path) as document:
        plane = document.read()
    pixels = picture(path, "--raw")
    assert pixels.max() > 255
    assert np.array_equal(pixels, plane[..., 0])


def test_raw_keeps_8_bits(made: Callable[[str], Any], picture: Any) -> None:
    path = made("overlapping").path
    with czi.open_czi(path) as document:
        plane = document.read()
    assert np.array_equal(picture(path, "--raw"), plane[..., 0])


def test_a_dark_8_bit_plane_is_stretched(tmp_path: Path, picture: Any) -> None:
    dark = noise(PixelType.Gray8, 20, 30, 1) // 16
    pixels = picture(write_czi(tmp_path / "dark.czi", [Block(dark)]))
    assert (pixels.min(), pixels.max()) == (0, 255)


def test_colours_are_turned_round(tmp_path: Path, picture: Any) -> None:
    blue = np.zeros((4, 5, 3), np.uint8)
    blue[..., 0] = 200  # B, G, R
    pixels = picture(write_czi(tmp_path / "blue.czi", [Block(blue)]))
    assert pixels.shape == (4, 5, 3)
    assert (pixels == (0, 0, 200)).all()


def test_16_bit_colours_are_stretched_alike(tmp_path: Path, picture: Any) -> None:
    bgr = noise(PixelType.Bgr48, 9, 8, 3)
    pixels = picture(write_czi(tmp_path / "colours.czi", [Block(bgr)]))
    assert np.array_equal(pixels, stretch(bgr[..., ::-1], auto_limits(bgr)))


def test_alpha_is_kept(tmp_path: Path, picture: Any) -> None:
    bgra = np.full((4, 5, 4), (1, 2, 3, 99), np.uint8)
    pixels = picture(write_czi(tmp_path / "alpha.czi", [Block(bgra)]))
    assert (pixels == (3, 2, 1, 99)).all()


def test_floats_are_stretched(tmp_path: Path, picture: Any) -> None:
    ramp = np.linspace(-1, 1, 40, dtype=np.float32).reshape(4, 10)
    pixels = picture(write_czi(tmp_path / "ramp.czi", [Block(ramp)]))
    assert (np.diff(pixels.ravel().astype(int)) >= 0).all()
    assert (pixels.min(), pixels.max()) == (0, 255)


def test_a_composite_is_the_readers(made: Callable[[str], Any], picture: Any, written: Any) -> None:
    path = made("multi_scene_pyramid").path
    with czi.open_czi(path) as document:
        expected = document.composite(scene=2, zoom=0.5)
    options = ("--composite", "--scene", 2, "--zoom", 0.5)
    assert np.array_equal(picture(path, *options), expected)
    assert np.array_equal(written(path, *options), expected)


def test_complex_numbers_are_shown_by_their_magnitude(tmp_path: Path, picture: Any) -> None:
    wave = noise(PixelType.Gray64ComplexFloat, 5, 6, 2)
    pixels = picture(write_czi(tmp_path / "wave.czi", [Block(wave)]))
    assert np.array_equal(pixels, stretch(abs(wave), auto_limits(abs(wave)))[..., 0])


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--scene", 9], "there is no scene 9; the document has the scenes 0 to 2"),
        (["--plane", "C=5"], "plane C=5 is outside the document; C goes from 0 to 1"),
        (["--zoom", 1e-6], "the zoom is so small"),
    ],
)
def test_what_the_file_does_not_have_is_wrong_usage(
    options: list[object],
    reason: str,
    made: Callable[[str], Any],
    tmp_path: Path,
    run: Callable[..., Any],
) -> None:
    path = made("multi_scene_pyramid").path
    result = run("plane", path, tmp_path / "never.npy", *options)
    assert (result.code, result.out) == (2, "")
    (line,) = result.err.splitlines()
    assert line.startswith(f"czictypes: error: {path}: ")
    assert reason in line
    assert not (tmp_path / "never.npy").exists()


@pytest.mark.parametrize(
    "options",
    [
        ["out.jpg"],
        ["out.png", "--zoom", 2],
        ["out.png", "--roi", "1,2,3"],
        ["out.png", "--plane", "C"],
        ["out.png", "--composite", "--raw"],
    ],
)
def test_wrong_usage_is_2(options: list[object], run: Callable[..., Any]) -> None:
    result = run("plane", "any.czi", *options)
    assert (result.code, result.out) == (2, "")


def test_a_folder_that_is_not_there(
    made: Callable[[str], Any], tmp_path: Path, run: Callable[..., Any]
) -> None:
    result = run("plane", made("single").path, tmp_path / "no" / "out.npy")
    assert result.code == 1
    assert f"{tmp_path / 'no'} is no folder" in result.err


def test_a_png_without_the_extra_names_it(
    made: Callable[[str], Any],
    tmp_path: Path,
    missing: Callable[[str], None],
    run: Callable[..., Any],
) -> None:
    missing("PIL.Image")
    missing("PIL")
    path = made("single").path
    result = run("plane", path, tmp_path / "out.png")
    assert (result.code, result.out) == (1, "")
    assert "pip install 'czictypes[cli]'" in result.err
    assert run("plane", path, tmp_path / "out.npy").code == 0


def test_every_real_file_gives_a_picture(every_real_file: Path, picture: Any) -> None:
    pixels = picture(every_real_file)
    assert pixels.max() > 100
    assert pixels.std() > 5


def test_an_alpha_that_is_zero_everywhere_is_none(tmp_path: Path, picture: Any) -> None:
    pixels = noise(PixelType.Bgra32, 8, 9, 1)
    pixels[..., 3] = 0
    path = write_czi(tmp_path / "bgra.czi", [Block(pixels)])
    assert np.array_equal(picture(path), pixels[..., 2::-1])
    pixels[3, 4, 3] = 1
    write_czi(path, [Block(pixels)])
    assert np.array_equal(picture(path), pixels[..., [2, 1, 0, 3]])


def test_a_plane_keeps_the_bits_of_all_its_tiles(tmp_path: Path, written: Any) -> None:
    first, second = noise(PixelType.Gray8, 4, 5, 1), noise(PixelType.Gray16, 4, 5, 2)
    path = write_czi(tmp_path / "mixed.czi", [Block(first, m=0), Block(second, x=5, m=1)])
    assert np.array_equal(written(path), np.hstack([first, second]))


FLOATS = st.floats(allow_nan=True, allow_infinity=True)


@given(arrays(np.float64, array_shapes(min_dims=3, max_dims=3, max_side=6), elements=FLOATS))
def test_every_array_has_a_range_and_a_picture(pixels: Any) -> None:
    low, high = auto_limits(pixels)
    assert low < high
    picture = stretch(pixels, (low, high))
    assert (picture.shape, picture.dtype) == (pixels.shape, np.uint8)
    order = np.argsort(pixels[np.isfinite(pixels)])
    assert (np.diff(picture[np.isfinite(pixels)][order].astype(int)) >= 0).all()
    assert (picture[np.isnan(pixels)] == 0).all()


def test_the_ends_of_the_range_are_black_and_white() -> None:
    pixels = np.array([[[100], [200], [300], [50], [900]]], np.uint16)
    assert stretch(pixels, (100, 300)).ravel().tolist() == [0, 128, 255, 0, 255]


def test_a_few_hot_pixels_do_not_darken_a_picture(rng: np.random.Generator) -> None:
    pixels = rng.integers(1000, 1200, (100, 100, 1)).astype(np.uint16)
    pixels[5, 7:12] = 65535
    low, high = auto_limits(pixels)
    assert 1000 <= low < 1002
    assert 1197 < high < 1200


def test_the_holes_of_a_mosaic_are_not_counted(rng: np.random.Generator) -> None:
    pixels = rng.integers(1000, 1200, (100, 100, 1)).astype(np.uint16)
    pixels[:, 10:] = 0
    low, _ = auto_limits(pixels)
    assert low >= 1000
    assert (stretch(pixels, auto_limits(pixels))[:, 10:] == 0).all()


def test_a_large_picture_is_sampled_for_its_range() -> None:
    column = np.arange(1, 5001, dtype=np.uint16).reshape(-1, 1, 1)
    low, high = auto_limits(np.broadcast_to(column, (5000, 4000, 1)))
    assert low == pytest.approx(10, abs=5)
    assert high == pytest.approx(4990, abs=5)


@pytest.mark.parametrize(
    ("pixels", "expected"), [([0, 0], (0, 1)), ([7, 7], (0, 7)), ([-7.0, -7.0], (-7, 0))]
)
def test_pictures_of_one_value(pixels: list[float], expected: tuple[float, float]) -> None:
    assert auto_limits(np.array(pixels).reshape(1, -1, 1)) == expected


@pytest.mark.parametrize(
    ("dtype", "samples"), [("u2", 3), ("f4", 1), ("f4", 3), ("u4", 1), ("f8", 1)]
)
def test_what_a_png_cannot_hold_is_refused(
    dtype: str, samples: int, tmp_path: Path, extra: Callable[[str], Any]
) -> None:
    extra("PIL.Image")
    with pytest.raises(UnsupportedDataError, match=r"write an \.npy"):
        save_png(tmp_path / "x.png", np.ones((2, 3, samples), dtype), raw=True)
    assert not (tmp_path / "x.png").exists()


@pytest.fixture
def dim(tmp_path: Path) -> Path:
    """Write two channels of 12 bits, one in the file's own limits."""
    path = tmp_path / "dim.czi"
    ramp = np.tile(np.arange(1, 4001, 10, dtype=np.uint16), (300, 1))
    channels = [czi.ChannelInfo(0, name="DAPI"), czi.ChannelInfo(1, name="GFP")]
    blue = czi.Rgb8Color(0, 0, 255)
    shown = {
        at: czi.ChannelDisplaySettingsDataClass(True, czi.TintingMode.Color, blue, 0, white)
        for at, white in enumerate((1, 2000 / 65535))
    }
    content = czi.DocumentContent(
        channels=channels, display_settings=shown, scaling=czi.Scaling(1e-6, 1e-6)
    )
    czi.imwrite(path, np.stack([ramp, ramp]), "CYX", content=content)
    return path


@pytest.mark.parametrize(
    ("options", "white"),
    [
        (["--plane", "C=DAPI"], 4000),  # the whole range, which would be black
        (["--plane", "C=GFP"], 2000),
        (["--plane", "C=GFP", "--contrast", "auto"], 4000),
        (["--plane", "C=GFP", "--contrast", "full"], 65535),
        (["--plane", "C=GFP", "--contrast", "0,1000"], 1000),
        (["--plane", "C=GFP", "--contrast", "-1,1000"], 1000),
        (["--plane", "C=GFP", "--contrast", "DAPI=full", "--contrast", "GFP=0,500"], 500),
    ],
)
def test_the_contrast_is_chosen(dim: Path, picture: Any, options: list[str], white: int) -> None:
    pixels = picture(dim, *options)[0].astype(float)
    ramp = np.arange(1, 4001, 10)
    np.testing.assert_allclose(pixels, np.clip(ramp / white, 0, 1) * 255, atol=2)


def test_a_composite_has_a_contrast_for_each_channel(dim: Path, picture: Any) -> None:
    pixels = picture(dim, "--composite", "--contrast", "DAPI=0,1", "--contrast", "1=full")
    with czi.open_czi(dim) as document:
        expected = document.composite(contrast={0: (0, 1), 1: "full"})
    assert np.array_equal(pixels, expected)


@pytest.mark.parametrize("given", [["bright"], ["5,5"], ["auto", "full"], ["0=auto", "full"]])
def test_a_wrong_contrast_is_refused(dim: Path, run: Any, given: list[str]) -> None:
    options = [part for one in given for part in ("--contrast", one)]
    result = run("plane", dim, "never.png", *options)
    assert result.code == 2
    assert "file, auto, full or LOW,HIGH" in result.err or "give one for all" in result.err


def test_a_scale_bar_is_drawn(dim: Path, picture: Any) -> None:
    plain = picture(dim, "--composite", "--zoom", 0.5)
    pixels = picture(dim, "--composite", "--zoom", 0.5, "--scale-bar", "100um")
    assert pixels.shape == plain.shape
    changed = np.argwhere((pixels != plain).any(2))
    assert changed.min(0).tolist() > [100, 100]
    white = (pixels == 255).all(2)
    assert white.sum(1).max() == 50  # pixels of 2 um


@pytest.mark.parametrize(
    ("output", "options", "words"),
    [
        ("a.png", ["--raw", "--scale-bar"], "leave --contrast and --scale-bar out"),
        ("a.png", ["--raw", "--contrast", "auto"], "leave --contrast and --scale-bar out"),
        ("a.npy", ["--scale-bar"], "give a name in .png"),
        ("a.npy", ["--contrast", "auto"], "leave --contrast out"),
        ("a.png", ["--scale-bar", "1mm"], "is 1000 pixels long, but the picture 400"),
    ],
)
def test_what_does_not_fit_together_is_refused(
    dim: Path, run: Any, tmp_path: Path, output: str, options: list[str], words: str
) -> None:
    result = run("plane", dim, tmp_path / output, *options)
    assert result.code == 2
    assert words in result.err
    assert not (tmp_path / output).exists()


def test_a_scale_bar_needs_the_size_of_a_pixel(made: Any, run: Any, tmp_path: Path) -> None:
    path = write_czi(tmp_path / "plain.czi", [Block(noise(PixelType.Gray8, 40, 50, 1))])
    result = run("plane", path, tmp_path / "a.png", "--scale-bar")
    assert (result.code, "does not tell the size of a pixel" in result.err) == (2, True)
    assert "czictypes edit --pixel-size or --z-step changes it in place" in result.err


def test_a_picture_of_more_than_100_megapixels_is_refused(tmp_path: Path, run: Any) -> None:
    corner = [Block(noise(PixelType.Gray8, 4, 5, 1), x=x, y=y, m=m)
              for m, (x, y) in enumerate([(0, 0), (19995, 9996)])]  # fmt: skip
    path = write_czi(tmp_path / "large.czi", corner)
    result = run("plane", path, tmp_path / "a.png")
    assert result.code == 1
    assert "20000 x 10000 pixels, 200 megapixels" in result.err
    assert "--zoom 0.7 " in result.err
    assert "--roi X,Y,W,H" in result.err
    assert run("plane", path, tmp_path / "a.png", "--roi", "0,0,5,4").code == 0
