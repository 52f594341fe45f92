"""A CZI gets no alpha, and says so; a PNG keeps it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from extras import needs

from czictypes import CziImage, convert, open_image
from czictypes.model.errors import PixelTypeWarning


def noise(samples: int, dtype: str = "u1") -> Any:
    most = np.iinfo(dtype).max
    return np.random.default_rng(0).integers(0, most, (20, 30, samples)).astype(dtype)


def picture(path: Path, kind: str) -> Path:
    """Write a PNG with some transparency."""
    images = needs("PIL.Image", "cli")
    if kind == "palette":
        images.fromarray(noise(1)[..., 0]).convert("P").save(path, transparency=3)
    elif kind == "one gray":
        images.fromarray(noise(1)[..., 0]).save(path, transparency=3)
    elif kind == "one colour":
        images.fromarray(noise(3)).save(path, transparency=(3, 4, 5))
    else:
        images.fromarray(noise(len(kind))).save(path)
    return path


@pytest.mark.parametrize(
    ("kind", "left"),
    [("RGBA", 3), ("LA", 1), ("palette", 3), ("one gray", 1), ("one colour", 3)],
)
def test_the_alpha_of_a_picture_is_left_out_with_a_warning(
    tmp_path: Path, kind: str, left: int
) -> None:
    path = picture(tmp_path / "in.png", kind)
    with open_image(path) as image:
        assert image.sizes["S"] == left + 1
        expected = image.read_block({"S": slice(0, left)})
    with pytest.warns(PixelTypeWarning, match=r"its alpha \(transparency\), which is left out"):
        report = convert(path, tmp_path / "out.czi")
    assert report.images[0].shape[-1] == left
    with CziImage(tmp_path / "out.czi") as written:
        assert np.array_equal(written.data.reshape(expected.shape), expected)


def test_a_dry_run_counts_the_samples_that_would_be_written(tmp_path: Path) -> None:
    path = picture(tmp_path / "in.png", "RGBA")
    report = convert(path, tmp_path / "out.czi", dry_run=True)
    assert report.images[0].shape == (20, 30, 3)


@pytest.mark.parametrize("samples", [2, 4])
def test_a_png_keeps_the_alpha_of_16_bits(tmp_path: Path, samples: int) -> None:
    images, codecs = needs("PIL.Image", "cli"), needs("imagecodecs", "jpegxr")
    pixels = noise(samples, "u2")
    (tmp_path / "in.png").write_bytes(codecs.png_encode(pixels))
    report = convert(tmp_path / "in.png", tmp_path / "out.png")
    with images.open(tmp_path / "out.png") as written:
        found = np.asarray(written)
    assert found.shape == (20, 30, 4)
    assert report.images[0].shape == (20, 30, 4)
    np.testing.assert_allclose(found[..., 3], pixels[..., -1] / 257, atol=1)


def test_a_transparent_value_that_cannot_be_kept_is_told(tmp_path: Path) -> None:
    images = needs("PIL.Image", "cli")
    images.fromarray(noise(1, "u2")[..., 0]).save(tmp_path / "in.png", transparency=3)
    with pytest.warns(PixelTypeWarning, match="stands for transparency"):
        with open_image(tmp_path / "in.png") as image:
            assert image.dtype == np.uint16
