"""The contrast of slides and napari: one for all of a file, from the file or its pixels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from extras import needs
from files.block import Block
from files.builder import write_czi
from files.xml import document_xml

from czictypes import CziSlide
from czictypes.plugins.napari import read_layers

WHOLE, HALF = "<Low>0</Low><High>1</High>", "<Low>0</Low><High>0.5</High>"


@pytest.fixture
def ramp() -> Any:
    """Return a picture of 12 bits that gets brighter to the right."""
    return np.tile(np.linspace(100, 4000, 300).astype("u2"), (200, 1))


def written(path: Path, pixels: Any, display: str | None) -> Path:
    xml = None if display is None else document_xml(channels=["A"], display=[display])
    return write_czi(path, [Block(pixels, plane={"C": 0}, m=0)], metadata=xml)


def region(path: Path, **options: Any) -> Any:
    with CziSlide(path, **options) as slide:
        whole = slide.read_region_array((0, 0), 0, slide.dimensions)
        part = slide.read_region_array((100, 0), 0, (50, 30))
    assert np.array_equal(part, whole[:30, 100:150])  # as everywhere on the slide
    return whole[0, :, :3].max(1).astype(float)


@pytest.mark.parametrize("display", [WHOLE, None])
def test_a_slide_of_12_bits_is_not_black(tmp_path: Path, ramp: Any, display: str | None) -> None:
    shown = region(written(tmp_path / "slide.czi", ramp, display))
    np.testing.assert_allclose(shown, (ramp[0] - 100) / 3900 * 255, atol=2)


@pytest.mark.parametrize("samples", [1, 3])
@pytest.mark.parametrize(
    ("contrast", "low", "high"),
    [("file", 0, 32767.5), ("auto", 100, 4000), ("full", 0, 65535), ((0, 8000), 0, 8000)],
)
def test_a_slide_has_the_contrast_that_is_chosen(
    tmp_path: Path, ramp: Any, samples: int, contrast: Any, low: float, high: float
) -> None:
    pixels = np.repeat(ramp[..., None], samples, 2)
    shown = region(written(tmp_path / "slide.czi", pixels, HALF), contrast=contrast)
    np.testing.assert_allclose(shown, (ramp[0] - low) / (high - low) * 255, atol=2)


@pytest.mark.parametrize("contrast", ["file", "full"])
def test_colours_of_8_bits_stay_as_they_are(tmp_path: Path, ramp: Any, contrast: str) -> None:
    pixels = np.repeat((ramp // 100).astype("u1")[..., None], 3, 2)
    path = written(tmp_path / "slide.czi", pixels, WHOLE)
    assert np.array_equal(region(path, contrast=contrast), pixels[0, :, 0])
    assert region(path, contrast="auto").max() == 255


def test_floats_have_a_contrast_too(tmp_path: Path, ramp: Any) -> None:
    pixels = ramp.astype("f4")
    pixels[150, 7] = 1e9  # a hot pixel
    shown = region(written(tmp_path / "slide.czi", pixels, WHOLE), contrast=(0, 8000))
    np.testing.assert_allclose(shown, ramp[0] / 8000 * 255, atol=2)


def test_each_channel_of_a_slide_may_have_its_own(tmp_path: Path, ramp: Any) -> None:
    blocks = [Block(ramp, plane={"C": channel}, m=0) for channel in range(2)]
    path = write_czi(tmp_path / "two.czi", blocks, metadata=document_xml(channels=["A", "B"]))
    with CziSlide(path, contrast={"A": (0, 8000), 1: "full"}) as slide:
        shown = slide.read_region_array((0, 0), 0, slide.dimensions)[0, -1]
    np.testing.assert_allclose(shown[:3].astype(int), [16, 127, 16], atol=1)


def test_a_wrong_contrast_is_refused(tmp_path: Path, ramp: Any) -> None:
    path = written(tmp_path / "slide.czi", ramp, HALF)
    with pytest.raises(ValueError, match='give "file", "auto", "full"'):
        CziSlide(path, contrast="bright")


@pytest.mark.parametrize(
    ("display", "contrast", "limits"),
    [
        (HALF, "file", (0, 32767.5)),
        (WHOLE, "file", (100, 4000)),
        (None, "file", (100, 4000)),
        (HALF, "auto", (100, 4000)),
        (HALF, "full", (0, 65535)),
        (HALF, {"A": (5, 6)}, (5, 6)),
    ],
)
def test_layers_of_napari_have_the_contrast(
    tmp_path: Path, ramp: Any, display: str | None, contrast: Any, limits: Any
) -> None:
    needs("dask.array", "dask")
    path = written(tmp_path / "layer.czi", ramp, display)
    ((_, options, _),) = read_layers(str(path), contrast)
    assert options["contrast_limits"] == [pytest.approx(limits, abs=20)]
