"""``czictypes demo``: its file is what it claims to be, and its picture shows cells."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from czictypes import czi
from czictypes.cli.demo_file import STAINS, grow_cells, photograph


def test_it_makes_a_file_and_a_picture(
    run: Callable[..., Any], extra: Callable[[str], Any], tmp_path: Path, demo: Path
) -> None:
    extra("rich")
    folder = tmp_path / "new" / "folder"
    result = run("demo", "--output", folder)
    assert (result.code, result.err) == (0, "")
    assert result.out.splitlines()[-1] == str(folder / "demo.png")
    assert "3 levels" in result.out
    assert (folder / "demo.czi").read_bytes() == demo.read_bytes()  # nothing is left to chance
    with extra("PIL.Image").open(str(folder / "demo.png")) as picture:
        pixels = np.array(picture)
    with czi.open_czi(folder / "demo.czi") as document:
        assert np.array_equal(pixels, document.composite(zoom=0.5))


def test_its_picture_shows_every_channel(demo: Path) -> None:
    with czi.open_czi(demo) as document:
        pixels = document.composite(scene=0)
    for color in range(3):
        assert np.percentile(pixels[..., color], 99) > 120
    assert np.percentile(pixels.max(axis=2), 5) < 40


def test_it_says_what_it_is(demo: Path) -> None:
    with czi.open_czi(demo) as document:
        assert document.channel_names == [stain.name for stain in STAINS]
        assert [channel.color for channel in document.channels] == [
            czi.Rgb8Color(*stain.color) for stain in STAINS
        ]
        assert document.scaling == (3.25e-7, 3.25e-7, None)
        assert [scene.name for scene in document.scenes] == ["A1", "A2", "B1"]
        assert document.custom_attributes_metadata == {"synthetic": True}
        assert document.document_info.title == "Synthetic cells"
        assert document.attachments.thumbnail.shape == (156, 184, 3)


def test_it_is_a_mosaic_of_overlapping_tiles_with_a_pyramid(demo: Path) -> None:
    with czi.open_czi(demo) as document:
        table = document.subblocks
        for number, box in document.scenes_bounding_rectangle.items():
            assert [level.zoom for level in document.pyramid_levels(number)] == [1, 0.5, 0.25]
            tiles = table[(table["scene"] == number) & (table["level"] == 0)]
            assert len(tiles) > 3 * 5
            assert tiles["w"].astype(int) @ tiles["h"] > 3 * box.w * box.h  # in three channels
        assert document.needs_pyramid is False


def test_its_pyramid_is_its_picture_reduced(demo: Path) -> None:
    with czi.open_czi(demo) as document:
        full = document.read(scene=1, plane={"C": 2}).astype(float)
        half = document.read(scene=1, plane={"C": 2}, zoom=0.5)
    height, width = half.shape[:2]
    means = full.reshape(height, 2, width, 2).mean((1, 3))
    assert np.abs(half[..., 0] - means).max() <= 0.5


def test_its_tiles_tell_where_the_stage_stood(demo: Path) -> None:
    with czi.open_czi(demo) as document:
        left, right = document.read_subblock(0), document.read_subblock(1)
        moved = right.stage_position[0] - left.stage_position[0]
        pixels = right.info.logicalRect.x - left.info.logicalRect.x
        assert moved == pytest.approx(pixels * 0.325)
        assert left.acquisition_time is not None


def test_cells_grow_the_same_from_a_seed() -> None:
    cells = grow_cells(150, 120, seed=5)
    assert cells.shape == (3, 120, 150)
    assert 0 <= cells.min() < 0.05
    assert cells.max() <= 1
    assert np.array_equal(cells, grow_cells(150, 120, seed=5))
    assert not np.array_equal(cells, grow_cells(150, 120, seed=6))


def test_a_photograph_never_has_the_value_of_a_hole() -> None:
    counts = photograph(np.zeros((50, 50), np.float32), seed=1)
    assert counts.dtype == np.uint16
    assert counts.min() > 0


@pytest.mark.parametrize("module", ["rich", "PIL.Image"])
def test_without_the_extra_nothing_is_written(
    module: str,
    run: Callable[..., Any],
    missing: Callable[[str], None],
    extra: Callable[[str], Any],
    tmp_path: Path,
) -> None:
    extra("rich")
    missing(module)
    result = run("demo", "--output", tmp_path / "demo")
    assert (result.code, result.out) == (1, "")
    assert "pip install 'czictypes[cli]'" in result.err
    assert not (tmp_path / "demo").exists()


def test_a_folder_that_cannot_be_made(
    run: Callable[..., Any], extra: Callable[[str], Any], tmp_path: Path
) -> None:
    extra("rich")
    extra("PIL.Image")
    (tmp_path / "file").write_bytes(b"")
    result = run("demo", "--output", tmp_path / "file")
    assert (result.code, result.out) == (3, "")
    assert f"{tmp_path / 'file'}: " in result.err
