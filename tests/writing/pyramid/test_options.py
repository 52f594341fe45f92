"""The options of a pyramid, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from czictypes import czi
from czictypes.writing.pyramid.plan import PyramidOptions, resolve_pyramid
from czictypes.writing.writer import create_czi


@pytest.mark.parametrize(
    "wrong",
    [
        {"factor": 1},
        {"factor": 257},
        {"factor": 2.5},
        {"tile": 0},
        {"tile": 8193},
        {"until": 0},
        {"until": "all"},
        {"filter": "median"},
        {"compression": "zip:"},
    ],
)
def test_values_out_of_range_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        PyramidOptions(**wrong)


@pytest.mark.parametrize(
    ("factor", "tile", "size"), [(2, 1024, 1024), (3, 1024, 1023), (2, 1, 2), (5, 3, 5)]
)
def test_a_tile_is_made_of_whole_tiles_of_the_level_below(
    factor: int, tile: int, size: int
) -> None:
    assert PyramidOptions(factor=factor, tile=tile).tile_size == size


def test_true_means_the_default_options() -> None:
    assert resolve_pyramid(True) == PyramidOptions()
    assert resolve_pyramid(False) is None
    assert resolve_pyramid(None) is None
    assert resolve_pyramid(PyramidOptions(factor=3)) == PyramidOptions(factor=3)


def test_a_wrong_choice_is_refused_before_a_file_is_made(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="PyramidOptions"):
        create_czi(tmp_path / "new.czi", pyramid=3)  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


def test_the_facade_offers_both() -> None:
    assert czi.PyramidOptions is PyramidOptions
    assert "add_pyramid" in czi.__all__
