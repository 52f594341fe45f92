"""PNG and other pictures, to CZI and from it."""

from __future__ import annotations

import sys
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from container.czi_bytes import Tile, build_czi
from extras import needs
from files.recipes import Made

from czictypes import CziImage, convert, czi, imread, open_image
from czictypes.model.errors import (
    CorruptFileError,
    MetadataWarning,
    PixelTypeWarning,
    UnsupportedDataError,
)


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
    for name, told in (("numbers", nullcontext()), ("clear", pytest.warns(PixelTypeWarning))):
        with told:
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


def test_pictures_of_several_sizes_in_a_file_are_images_of_their_own(
    pillow: Any, tmp_path: Path
) -> None:
    """Phones write JPEGs that have a smaller view beside the picture."""
    first, second = (pillow.fromarray(np.full((side, 8), side, np.uint8)) for side in (16, 9))
    first.save(tmp_path / "in.jpg", "MPO", save_all=True, append_images=[second])
    with open_image(tmp_path / "in.jpg") as image:
        assert [image.scenes[at] for at in (0, 1)] == ["Image:0", "Image:1"]
        np.testing.assert_array_equal(image.data[0, 0, 0], np.full((16, 8), 16))
        image.set_scene(1)
        np.testing.assert_array_equal(image.data[0, 0, 0], np.full((9, 8), 9))


def test_a_picture_is_read_where_those_behind_it_are_missing(pillow: Any, tmp_path: Path) -> None:
    first, second = (pillow.fromarray(np.full((side, 8), side, np.uint8)) for side in (16, 9))
    first.save(tmp_path / "in.jpg", "MPO", save_all=True, append_images=[second])
    content = (tmp_path / "in.jpg").read_bytes()
    (tmp_path / "in.jpg").write_bytes(content[: content.rindex(b"\xff\xd8\xff")])
    with pytest.warns(MetadataWarning, match=r"in\.jpg says that it has 2 pictures, but"):
        image = open_image(tmp_path / "in.jpg")
    with image:
        assert image.scenes == ("Image:0",)
        np.testing.assert_array_equal(image.data[0, 0, 0], np.full((16, 8), 16))


MODES = ["1", "L", "LA", "P", "PA", "RGB", "RGBA", "I;16", "CMYK", "YCbCr", "F", "I"]


@pytest.mark.parametrize("mode", MODES)
def test_every_mode_is_read_as_pillow_reads_it(
    pillow: Any, tmp_path: Path, rng: np.random.Generator, mode: str
) -> None:
    noise = pillow.fromarray(rng.integers(0, 256, (20, 30, 4), np.uint8))
    if mode == "I;16":
        noise = pillow.fromarray(rng.integers(0, 65536, (20, 30), np.uint16))
    elif mode in ("F", "I", "P", "PA"):
        noise = noise.convert("RGB")
    path = tmp_path / ("in.jpg" if mode in ("CMYK", "YCbCr") else "in.png")
    shown = noise if mode == "I;16" else noise.convert("P" if mode == "PA" else mode)
    more = {"transparency": 3} if mode == "PA" else {}
    # PNG has no such pixels, but what is called so may be a TIFF
    shown.save(path, "TIFF" if mode in ("F", "I") else None, **more)
    seen_as = {"P": "RGB", "PA": "RGBA", "CMYK": "RGB", "YCbCr": "RGB"}.get(mode)
    with pillow.open(path) as picture:
        expected = np.asarray(picture.convert(seen_as) if seen_as else picture)
    with open_image(path) as image:
        np.testing.assert_array_equal(image.data[0, 0, 0], expected)
        assert image.dtype == expected.dtype.newbyteorder("=")
        part = image.read_block({"Y": slice(3, 17, 2), "X": slice(5, 6)})
        np.testing.assert_array_equal(part[0, 0, 0], expected[3:17:2, 5:6])


def moving(pillow: Any, clear: str, count: int = 5) -> list[Any]:
    """Give frames with a moving box and, in `clear` frames ("no", "all", "later"), clear pixels."""
    frames = []
    for at in range(count):
        pixels = np.zeros((30, 40, 4), np.uint8)
        pixels[..., 3] = 255
        pixels[5 + at : 15 + at, 5:20] = 200, 10 * at, 30, 255
        if clear == "all" or (clear == "later" and at):
            pixels[20:25, :, 3] = pixels[:, 30 + at :, 3] = 0
        frames.append(pillow.fromarray(pixels))
    return frames


@pytest.mark.parametrize("clear", ["no", "all", "later"])
@pytest.mark.parametrize(
    ("name", "options"),
    [
        *((f"in{at}.gif", {"disposal": at}) for at in range(4)),
        *((f"in{at}.png", {"disposal": at, "blend": blend}) for at in range(3) for blend in (0, 1)),
        ("in.webp", {"lossless": True}),
    ],
)
def test_frames_that_are_made_of_others_are_read_in_any_order(
    pillow: Any, tmp_path: Path, name: str, options: dict[str, Any], clear: str
) -> None:
    first, *others = moving(pillow, clear)
    first.save(tmp_path / name, save_all=True, append_images=others, **options)
    with open_image(tmp_path / name) as image, pillow.open(tmp_path / name) as picture:
        assert image.sizes["T"] == picture.n_frames
        mode = "RGBA" if image.sizes["S"] == 4 else "RGB"
        frames = []
        for at in range(picture.n_frames):
            picture.seek(at)
            frames.append(np.asarray(picture.convert(mode)))
        for at in (4, 2, 0, 3, 1):
            np.testing.assert_array_equal(image.read_block({"T": at, "C": 0, "Z": 0}), frames[at])
        np.testing.assert_array_equal(image.data[:, 0, 0], frames)


@pytest.mark.parametrize("name", ["in.png", "in.gif", "in.webp"])
def test_frames_are_found_again_that_are_not_kept(
    pillow: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    rng: np.random.Generator,
    name: str,
) -> None:
    """With frames of several chunks of data, behind which Pillow loses its way in a PNG."""
    monkeypatch.setattr("czictypes.exchange.pixel_view._MOST_BYTES", 1)
    monkeypatch.setattr("czictypes.exchange.pixel_view._FEWEST", 1)
    pixels = rng.integers(0, 256, (6, 200, 300, 3), np.uint8)
    first, *others = (pillow.fromarray(frame) for frame in pixels)
    first.save(tmp_path / name, save_all=True, append_images=others, lossless=True)
    frames = imread(tmp_path / name)
    if name != "in.gif":
        np.testing.assert_array_equal(frames[:, 0, 0, ..., :3], pixels)
    with open_image(tmp_path / name) as image:
        for at in (5, 4, 3, 0, 2, 5, 1, 1, 0):
            np.testing.assert_array_equal(image.read_block({"T": at}), frames[at])


def stopped(after: int) -> Callable[..., None]:
    """Give a function for `sys.settrace` that interrupts after so many lines of Pillow."""
    lines = 0

    def trace(frame: Any, event: str, argument: Any) -> Any:
        nonlocal lines
        lines += "PIL" in frame.f_code.co_filename
        if lines >= after:
            sys.settrace(None)
            raise KeyboardInterrupt
        return trace

    return trace


@pytest.mark.parametrize("name", ["in.png", "in.gif", "in.webp"])
def test_an_interrupted_read_leaves_no_half_of_a_frame(
    pillow: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr("czictypes.exchange.pixel_view._FEWEST", 1)
    monkeypatch.setattr("czictypes.exchange.pixel_view._MOST_BYTES", 1)
    first, *others = moving(pillow, "all")
    first.save(tmp_path / name, save_all=True, append_images=others, disposal=1)
    frames = imread(tmp_path / name)
    with open_image(tmp_path / name) as image:
        for after in range(1, 400, 13):
            before = sys.gettrace()
            with suppress(KeyboardInterrupt):
                sys.settrace(stopped(after))
                image.read_block({"T": 4})
            sys.settrace(before)
            for at in (3, 4):
                np.testing.assert_array_equal(image.read_block({"T": at}), frames[at])


def test_threads_read_frames_of_one_picture_at_once(pillow: Any, tmp_path: Path) -> None:
    first, *others = moving(pillow, "all", 12)
    first.save(tmp_path / "in.gif", save_all=True, append_images=others)
    views = [pillow.fromarray(np.full((side, 9), side, np.uint8)) for side in (8, 9)]
    views[0].save(tmp_path / "in.jpg", "MPO", save_all=True, append_images=views[1:])
    with open_image(tmp_path / "in.gif") as image, ThreadPoolExecutor(6) as pool:
        frames = image.data
        for at, found in enumerate(pool.map(lambda at: image.read_block({"T": at}), range(12))):
            np.testing.assert_array_equal(found, frames[at])
    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(lambda at: imread(tmp_path / "in.jpg", scene=at), [0, 1] * 6))
    assert [pixels.shape[3] for pixels in found] == [8, 9] * 6


def test_a_picture_is_decoded_when_it_is_read(pillow: Any, tmp_path: Path) -> None:
    frames = [pillow.fromarray(np.full((50, 70), at * 30, np.uint8)) for at in range(5)]
    frames[0].save(tmp_path / "in.gif", save_all=True, append_images=frames[1:])
    frames[0].save(tmp_path / "in.png")
    for name in ("in.gif", "in.png"):
        content = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(content[:-20])
        with open_image(tmp_path / name) as image:
            assert (image.sizes["Y"], image.sizes["X"]) == (50, 70)
            with pytest.raises(CorruptFileError, match=rf"in\.{name[3:]} is a damaged picture"):
                image.read_block({"T": -1})


@pytest.mark.parametrize("claim", [b"\0\0\0\x05", b"\x7f\0\0\0"])
def test_a_number_of_frames_is_not_believed(pillow: Any, tmp_path: Path, claim: bytes) -> None:
    first, *others = moving(pillow, "no", 2)
    first.resize((1, 1)).save(
        tmp_path / "in.png", save_all=True, append_images=[one.resize((1, 1)) for one in others]
    )
    content = (tmp_path / "in.png").read_bytes()
    at = content.index(b"acTL")
    chunk = b"acTL" + claim + content[at + 8 : at + 12]
    changed = chunk + zlib.crc32(chunk).to_bytes(4, "big") + content[at + 16 :]
    (tmp_path / "in.png").write_bytes(content[:at] + changed)
    with pytest.raises((UnsupportedDataError, CorruptFileError), match=r"in\.png"):
        imread(tmp_path / "in.png")


@pytest.mark.parametrize("samples", [2, 3, 4])
def test_a_png_has_all_of_its_16_bits(
    tmp_path: Path, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch, samples: int
) -> None:
    codecs = needs("imagecodecs", "jpegxr")
    needs("PIL.Image", "cli")
    pixels = rng.integers(0, 1 << 16, (9, 12, samples), np.uint16)
    (tmp_path / "deep.png").write_bytes(codecs.png_encode(pixels))
    with open_image(tmp_path / "deep.png") as image:
        assert image.dtype == np.uint16
        np.testing.assert_array_equal(image.get_image_data("YXS", Y=slice(2, 7)), pixels[2:7])

    monkeypatch.setattr("czictypes.exchange.picture_files.find_spec", lambda name: None)
    with pytest.warns(MetadataWarning, match=r"deep\.png has 16 bits .* install imagecodecs"):
        assert imread(tmp_path / "deep.png").dtype == np.uint8


@pytest.mark.parametrize(("contrast", "white"), [("auto", 3000), ((0, 6000), 6000)])
def test_a_png_may_have_a_contrast(
    pillow: Any, tmp_path: Path, contrast: Any, white: float
) -> None:
    ramp = np.tile(np.arange(0, 3001, 10, dtype=np.uint16), (20, 1))
    czi.imwrite(tmp_path / "ramp.czi", ramp)
    report = convert(tmp_path / "ramp.czi", tmp_path / "out.png", contrast=contrast)
    with pillow.open(tmp_path / "out.png") as found:
        pixels = np.asarray(found)
    assert report.images[0].shape == pixels.shape == (20, 301, 3)
    np.testing.assert_allclose(pixels[..., 0], np.rint(ramp / white * 255), atol=2)


def test_only_a_png_takes_a_contrast(tmp_path: Path) -> None:
    czi.imwrite(tmp_path / "in.czi", np.zeros((4, 5), np.uint16))
    with pytest.raises(ValueError, match="contrast= cannot be used to convert CZI to"):
        convert(tmp_path / "in.czi", tmp_path / "out.tif", contrast="auto")


def test_a_picture_of_one_channel_shows_that_alone(pillow: Any, tmp_path: Path) -> None:
    pixels = np.stack([np.full((9, 8), 0.25), np.tile(np.linspace(0, 1, 8), (9, 1))])
    czi.imwrite(tmp_path / "in.czi", pixels.astype("f4"), "CYX",
                channel_colors=["#FF0000", "#00FF00"])  # fmt: skip
    convert(tmp_path / "in.czi", tmp_path / "out.png", plane={"C": 1}, contrast=(0, 1))
    with pillow.open(tmp_path / "out.png") as found:
        shown = np.asarray(found)
    np.testing.assert_allclose(shown[..., 1], np.rint(pixels[1] * 255), atol=1)
    assert not shown[..., [0, 2]].any()
