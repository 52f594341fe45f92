"""`CziSlide` has OpenSlide's interface; OpenSlide itself is the oracle where it opens the file."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from extras import needs
from files.builder import write_czi
from files.patterns import noise
from files.recipes import Made
from slides import SCENES, slide_blocks, write_slide

from czictypes import CziSlide, czi
from czictypes.model.errors import OutOfBoundsError
from czictypes.model.pixel_types import PixelType

needs("PIL.Image", "cli")


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_slide(tmp_path_factory.mktemp("slide") / "slide.czi")


@pytest.fixture
def slide(path: Path) -> Iterator[CziSlide]:
    with CziSlide(path) as opened:
        yield opened


@pytest.fixture(scope="module")
def oracle(path: Path) -> Iterator[Any]:
    needs("openslide_bin")
    with needs("openslide").OpenSlide(path) as opened:
        yield opened


def test_levels_are_those_of_openslide(slide: CziSlide, oracle: Any) -> None:
    assert slide.level_count == oracle.level_count == 3
    assert slide.dimensions == oracle.dimensions == (608, 348)
    assert slide.level_dimensions == oracle.level_dimensions
    assert slide.level_downsamples == oracle.level_downsamples
    for downsample in (0.5, 1, 1.9, 2, 3.5, 4, 100):
        best = slide.get_best_level_for_downsample(downsample)
        assert best == oracle.get_best_level_for_downsample(downsample)


@pytest.mark.parametrize("level", [0, 1, 2])
def test_regions_are_those_of_openslide(
    slide: CziSlide, oracle: Any, rng: np.random.Generator, level: int
) -> None:
    """Also beyond the edges, and where the file has no pixels."""
    factor = 2**level
    for x, y in rng.integers((-60, -60), (650, 380), (25, 2)).tolist():
        corner = x // factor * factor, y // factor * factor
        ours = slide.read_region(corner, level, (41, 33))
        theirs = oracle.read_region(corner, level, (41, 33))
        assert (ours.mode, ours.size) == ("RGBA", (41, 33))
        np.testing.assert_array_equal(np.asarray(ours), np.asarray(theirs))


def test_properties_are_those_of_openslide(slide: CziSlide, oracle: Any) -> None:
    ours = dict(slide.properties)
    theirs = {name: value for name, value in oracle.properties.items() if "openslide." in name}
    differing = {name for name, value in theirs.items() if ours.get(name) != value}
    assert {name.split(".", 1)[1] for name in differing} <= {
        "quickhash-1",
        "associated.label.width",
        "associated.label.height",
    }
    assert ours["openslide.objective-power"] == "20"
    assert ours["zeiss.Information.Image.SizeX"] == "608"


def test_where_the_file_has_no_pixels_it_is_transparent(slide: CziSlide) -> None:
    between = slide.read_region_array((320, 10), 0, (20, 20))
    assert not between.any()
    assert slide.read_region_array((0, 0), 0, (20, 20))[..., 3].all()


def test_the_label_is_an_associated_image(slide: CziSlide) -> None:
    assert list(slide.associated_images) == ["label"]
    label = slide.associated_images["label"]
    assert (label.mode, label.size) == ("RGBA", (30, 20))
    assert label.getpixel((3, 3)) == (250, 10, 30, 255)


def test_a_thumbnail_keeps_the_proportions(slide: CziSlide) -> None:
    thumbnail = slide.get_thumbnail((100, 100))
    assert (thumbnail.mode, thumbnail.size) == ("RGB", (100, 57))
    assert thumbnail.getpixel((57, 4)) == (255, 255, 255)


def test_a_scene_alone(path: Path) -> None:
    with CziSlide(path, scene=1) as slide, CziSlide(path) as whole:
        assert slide.dimensions == SCENES[1][2:]
        np.testing.assert_array_equal(
            slide.read_region_array((5, 6), 0, (50, 40)),
            whole.read_region_array((453, 134), 0, (50, 40)),
        )
        assert slide.properties["openslide.region[0].width"] == "160"


def test_a_slide_without_a_pyramid_has_one_level(made: Callable[[str], Made]) -> None:
    with CziSlide(made("overlapping").path) as slide:
        assert slide.level_count == 1
        assert slide.get_best_level_for_downsample(8) == 0
        assert slide.get_thumbnail((10, 10)).size == (10, 8)


@pytest.mark.parametrize("stored_look", [True, False])
def test_channels_are_blended_alike_in_every_region(tmp_path: Path, stored_look: bool) -> None:
    """A window that each region found for itself would show where regions meet."""
    target = write_czi(tmp_path / "two.czi", slide_blocks(PixelType.Gray16, 2))
    if stored_look:
        white = czi.Rgb8Color(255, 255, 0), czi.Rgb8Color(0, 0, 255)
        with czi.edit_czi(target) as editor, editor.edit_session() as builder:
            builder.set_display_settings(
                {
                    channel: czi.ChannelDisplaySettingsDataClass(
                        True, czi.TintingMode.Color, color, 0.1, 0.8
                    )
                    for channel, color in enumerate(white)
                }
            )
    with CziSlide(target) as slide:
        whole = slide.read_region_array((0, 0), 0, (300, 200))
        part = slide.read_region_array((37, 51), 0, (8, 9))
        np.testing.assert_array_equal(part, whole[51:60, 37:45])
        assert len(np.unique(whole[..., :3])) > 100


@pytest.mark.parametrize("kind", list(PixelType))
def test_any_pixel_type_is_shown_alike_in_every_region(tmp_path: Path, kind: PixelType) -> None:
    with CziSlide(write_czi(tmp_path / "slide.czi", slide_blocks(kind))) as slide:
        check_that_parts_are_the_whole(slide)


@pytest.mark.parametrize("name", ["channels_with_a_gap", "plain_pixel_types"])
def test_channels_of_several_types_are_shown_alike(made: Callable[[str], Made], name: str) -> None:
    with CziSlide(made(name).path) as slide:
        check_that_parts_are_the_whole(slide)


def check_that_parts_are_the_whole(slide: CziSlide) -> None:
    width, height = slide.dimensions
    whole = slide.read_region_array((0, 0), 0, (width, height))
    part = slide.read_region_array((3, 2), 0, (width - 5, height - 4))
    np.testing.assert_array_equal(part, whole[2 : height - 2, 3 : width - 2])
    assert len(np.unique(whole[..., :3])) > 20


@pytest.mark.parametrize("kind", list(PixelType))
def test_pictures_beside_the_slide_may_be_of_any_pixel_type(
    tmp_path: Path, kind: PixelType
) -> None:
    """Those of 16 bits are as in OpenSlide, which reads no gray ones, and none of more bits."""
    noisy = noise(kind, 20, 30, 5)
    path = write_slide(tmp_path / "slide.czi", {"SlidePreview": noisy, "Label": noisy[:9]})
    with CziSlide(path) as slide:
        label, macro = slide.associated_images["label"], slide.associated_images["macro"]
        assert (label.mode, label.size) == ("RGBA", (30, 9))
        assert len(np.unique(macro)) > 100
        if kind in (PixelType.Bgr24, PixelType.Bgr48):
            needs("openslide_bin")
            with needs("openslide").OpenSlide(path) as oracle:
                np.testing.assert_array_equal(macro, oracle.associated_images["macro"])


def test_a_url_is_opened(path: Path) -> None:
    fs = needs("fsspec", "remote").filesystem("memory")
    fs.pipe("/slides/slide.czi", path.read_bytes())
    with CziSlide("memory://slides/slide.czi") as far, CziSlide(path) as near:
        np.testing.assert_array_equal(
            far.read_region_array((0, 0), 1, (50, 50)), near.read_region_array((0, 0), 1, (50, 50))
        )
    fs.rm("/slides", recursive=True)


def test_a_plane_and_display_settings_may_be_chosen(made: Callable[[str], Made]) -> None:
    green = czi.ChannelDisplaySettingsDataClass(
        True, czi.TintingMode.Color, czi.Rgb8Color(0, 255, 0)
    )
    path, plane = made("stack").path, {"T": 1, "Z": 2}
    with CziSlide(path, plane=plane, display_settings={1: green}) as slide:
        region = slide.read_region_array((0, 0), 0, slide.dimensions)
    with czi.open_czi(path) as document:
        expected = document.read(plane={**plane, "C": 1})[..., 0]
    assert not region[..., [0, 2]].any()
    np.testing.assert_allclose(region[..., 1], expected / 257, atol=1)


def test_it_pickles(slide: CziSlide) -> None:
    with pickle.loads(pickle.dumps(slide)) as again:
        np.testing.assert_array_equal(
            again.read_region_array((0, 0), 1, (30, 30)),
            slide.read_region_array((0, 0), 1, (30, 30)),
        )


def test_a_reader_stays_open(path: Path) -> None:
    with czi.open_czi(path) as document:
        CziSlide(document).close()
        assert not document.closed


def test_only_a_czi_is_recognised(path: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.svs"
    other.write_bytes(b"II*\0")
    assert CziSlide.detect_format(path) == "zeiss"
    assert CziSlide.detect_format(other) is None


def test_what_is_not_there_is_refused(slide: CziSlide) -> None:
    with pytest.raises(OutOfBoundsError, match="no level 3; they go from 0 to 2"):
        slide.read_region((0, 0), 3, (1, 1))
    with pytest.raises(ValueError, match="negative"):
        slide.read_region((0, 0), 0, (-1, 1))
    assert slide.read_region((0, 0), 0, (0, 4)).size == (0, 4)
