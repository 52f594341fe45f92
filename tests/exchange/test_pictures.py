"""PNG and other pictures, to CZI and from it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from container.czi_bytes import Tile, build_czi
from extras import needs
from files.recipes import Made

from czictypes import CziImage, convert, czi, imread
from czictypes.model.errors import CorruptFileError, UnsupportedDataError


@pytest.fixture
def pillow() -> Any:
    """Give Pillow's module Image."""
    return needs("PIL.Image", "cli")


@pytest.mark.parametrize(("shape", "dtype"), [((9, 12), "u1"), ((9, 12), "u2"), ((9, 12, 3), "u1")])
def test_a_picture_comes_back_as_it_was(
    pillow: Any, tmp_path: Path, rng: np.random.Generator, shape: tuple[int, ...], dtype: str
) -> None:
    pixels = rng.integers(0, np.iinfo(dtype).max, shape).astype(dtype)
    pillow.fromarray(pixels).save(tmp_path / "in.png")
    convert(tmp_path / "in.png", tmp_path / "middle.czi")
    np.testing.assert_array_equal(imread(tmp_path / "middle.czi").squeeze(), pixels)
    convert(tmp_path / "middle.czi", tmp_path / "out.png")
    with pillow.open(tmp_path / "out.png") as found:
        np.testing.assert_array_equal(np.asarray(found), pixels)


def test_colours_by_number_and_transparency_become_rgb(pillow: Any, tmp_path: Path) -> None:
    pixels = np.zeros((4, 6, 3), np.uint8)
    pixels[:, 2:] = 255, 0, 10
    plain = pillow.fromarray(pixels)
    plain.convert("P", palette=pillow.Palette.ADAPTIVE).save(tmp_path / "numbers.png")
    plain.convert("RGBA").save(tmp_path / "clear.png")
    for name in ("numbers", "clear"):
        convert(tmp_path / f"{name}.png", tmp_path / f"{name}.czi")
        np.testing.assert_array_equal(imread(tmp_path / f"{name}.czi").squeeze(), pixels)


def test_the_frames_of_a_gif_become_a_time_series(pillow: Any, tmp_path: Path) -> None:
    frames = [pillow.fromarray(np.full((5, 7), value, np.uint8)) for value in (10, 20, 30)]
    frames[0].save(tmp_path / "in.gif", save_all=True, append_images=frames[1:])
    convert(tmp_path / "in.gif", tmp_path / "out.czi")
    with CziImage(tmp_path / "out.czi") as image:
        assert image.sizes["T"] == 3
        assert [int(frame.max()) for frame in image.get_image_data("TYXS")] == [10, 20, 30]


def test_channels_are_blended_unless_one_is_named(
    pillow: Any, real_file: Callable[[str], Path], tmp_path: Path
) -> None:
    source = real_file("CellDivision_T3_Z5_CH2_X240_Y170.czi")
    convert(source, tmp_path / "blended.png", plane={"T": 1, "Z": 2})
    convert(source, tmp_path / "one.png", plane={"T": 1, "Z": 2, "C": 1})
    with czi.open_czi(source) as document:
        blended = document.composite(plane={"T": 1, "Z": 2})
        one = document.read(plane={"T": 1, "Z": 2, "C": 1})[..., 0]
    with pillow.open(tmp_path / "blended.png") as found:
        np.testing.assert_array_equal(np.asarray(found), blended)
    with pillow.open(tmp_path / "one.png") as found:
        np.testing.assert_array_equal(np.asarray(found), one)


def test_several_planes_are_refused_with_their_dimensions(
    pillow: Any, made: Callable[[str], Made], tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=r"T \(3 places\), Z \(4 places\)"):
        convert(made("stack").path, tmp_path / "out.png")
    with pytest.raises(ValueError, match="Z=9"):
        convert(made("stack").path, tmp_path / "out.png", plane={"T": 0, "Z": 9})
    assert not list(tmp_path.iterdir())


def test_an_image_of_too_many_pixels_is_refused(pillow: Any, tmp_path: Path) -> None:
    wide = [Tile(), Tile(x=2**30)]
    source = build_czi(wide).write(tmp_path / "wide.czi")
    with pytest.raises(UnsupportedDataError, match="too many for a PNG"):
        convert(source, tmp_path / "out.png")
    assert not (tmp_path / "out.png").exists()


def test_what_is_no_picture_is_said_to_be_none(pillow: Any, tmp_path: Path) -> None:
    (tmp_path / "in.png").write_bytes(b"nothing")
    with pytest.raises(UnsupportedDataError, match="no picture"):
        convert(tmp_path / "in.png", tmp_path / "out.czi")


def test_frames_that_a_small_file_cannot_hold_are_refused(pillow: Any, tmp_path: Path) -> None:
    frames = [pillow.fromarray(np.full((8, 8), at * 6, np.uint8)) for at in range(40)]
    frames[0].save(tmp_path / "in.gif", save_all=True, append_images=frames[1:])
    content = bytearray((tmp_path / "in.gif").read_bytes())
    content[6:10] = (9000).to_bytes(2, "little") * 2  # the canvas, which each frame fills
    (tmp_path / "in.gif").write_bytes(content)
    with pytest.raises(UnsupportedDataError, match=r"in\.gif claims 12960000000 bytes of pixels"):
        convert(tmp_path / "in.gif", tmp_path / "out.czi")


def test_frames_of_several_sizes_are_damage(pillow: Any, tmp_path: Path) -> None:
    first, second = (pillow.fromarray(np.zeros((side, 8), np.uint8)) for side in (8, 9))
    first.save(tmp_path / "in.png", "TIFF", save_all=True, append_images=[second])
    with pytest.raises(CorruptFileError, match=r"in\.png is a damaged picture"):
        convert(tmp_path / "in.png", tmp_path / "out.czi")
