"""A pyramid that was made elsewhere: written tile by tile, and read as any other."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from czictypes.model.errors import ClosedError
from czictypes.reading.reader import CziReader
from czictypes.writing.writer import CziWriter, create_czi

FULL = np.arange(64 * 96, dtype=np.uint16).reshape(64, 96)
SMALL = FULL[::2, ::2] + 1000  # no filter would make this


@pytest.fixture
def document(tmp_path: Path) -> Iterator[CziWriter]:
    with create_czi(tmp_path / "new.czi", thumbnail=False) as writer:
        writer.write(FULL, (10, 20), {"C": 1})
        yield writer


def test_reduced_pixels_are_a_level_of_the_file(tmp_path: Path) -> None:
    with create_czi(tmp_path / "new.czi") as writer:
        writer.write(FULL, (10, 20), scene=3)
        writer.write_pyramid_tile(SMALL[:, :30], (10, 20), 2, scene=3)
        writer.write_pyramid_tile(SMALL[:, 29:], (10 + 29 * 2, 20), 2, scene=3)
    with CziReader(tmp_path / "new.czi") as read:
        levels = read.pyramid_levels(3)
        assert [level.zoom for level in levels] == [1.0, 0.5]
        assert np.array_equal(read.read(scene=3)[..., 0], FULL)
        assert np.array_equal(read.read(scene=3, zoom=0.5)[..., 0], SMALL)
        assert read.total_bounding_rectangle == read.total_bounding_rectangle_no_pyramid


@pytest.mark.parametrize(
    ("location", "factor", "what"),
    [
        ((8, 20), 2, "in full resolution"),
        ((10, 22), 2, "in full resolution"),
        ((10, 20), 3, "in full resolution"),
        ((10, 20), 1, "at least 2"),
    ],
)
def test_they_show_what_is_there(
    document: CziWriter, location: tuple[int, int], factor: int, what: str
) -> None:
    with pytest.raises(ValueError, match=what):
        document.write_pyramid_tile(SMALL, location, factor, {"C": 1})


def test_their_plane_was_written_before(document: CziWriter) -> None:
    with pytest.raises(ValueError, match="nothing in full resolution"):
        document.write_pyramid_tile(SMALL, (10, 20), 2, {"C": 0})


def test_they_have_the_pixel_type_of_their_plane(document: CziWriter) -> None:
    with pytest.raises(ValueError, match="Gray16"):
        document.write_pyramid_tile(SMALL.astype(np.uint8), (10, 20), 2, {"C": 1})


def test_none_is_written_twice(document: CziWriter) -> None:
    document.write_pyramid_tile(SMALL, (10, 20), 2, {"C": 1})
    with pytest.raises(ValueError, match=r"reduced pixels for \(10, 20, .* factor 2, already"):
        document.write_pyramid_tile(SMALL, (10, 20), 2, {"C": 1})
    document.write_pyramid_tile(SMALL[::2, ::2], (10, 20), 4, {"C": 1})


def test_a_document_that_makes_its_own_pyramid_takes_none(tmp_path: Path) -> None:
    with create_czi(tmp_path / "new.czi", pyramid=True) as writer:
        writer.write(FULL)
        with pytest.raises(ValueError, match="of its own"):
            writer.write_pyramid_tile(SMALL, (0, 0), 2)


def test_nothing_is_written_after_close(tmp_path: Path) -> None:
    with create_czi(tmp_path / "new.czi") as writer:
        writer.write(FULL)
    with pytest.raises(ClosedError):
        writer.write_pyramid_tile(SMALL, (0, 0), 2)


def test_the_former_name_of_the_method_works_with_a_warning(document: CziWriter) -> None:
    with pytest.warns(DeprecationWarning, match="write_pyramid_tile"):
        document.write_reduced(SMALL, (10, 20), 2, {"C": 1})
