"""The fast way to the columns gives what the careful one gives, and leaves it what it cannot do."""

from __future__ import annotations

from typing import Any
from unittest import mock

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from container.czi_bytes import Built, Dimension, Tile, build_czi
from czictypes.container import directory as module
from czictypes.container.directory import Directory, read_directory
from czictypes.container.segments import read_file_header
from czictypes.model.errors import CorruptFileError
from czictypes.model.geometry import ABSENT


def directory_of(built: Built, **options: bool) -> Directory:
    source = built.source()
    return read_directory(source, read_file_header(source), **options)


def with_care(built: Built) -> Directory:
    with mock.patch.object(module, "_fill_quickly", return_value=None):
        return directory_of(built)


def quickly(built: Built) -> Directory:
    with mock.patch.object(module, "_fill_with_care", side_effect=AssertionError):
        return directory_of(built)


def assert_same(one: Directory, other: Directory) -> None:
    for name in Directory.__dataclass_fields__:
        if name != "coordinates":
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    assert list(one.coordinates) == list(other.coordinates)
    for name, column in one.coordinates.items():
        np.testing.assert_array_equal(column, other.coordinates[name])


X, Y = Dimension(b"X", 5, 4, 2), Dimension(b"y", -3, 3, 9)
FORMS: list[dict[str, Any]] = [
    {"coordinates": {"C": 1, "S": 2}, "m": 4},
    {"coordinates": {"C": 1, "S": 2}},
    {"coordinates": {"Z": -7}, "pixel_type": 77, "compression": -1, "pyramid_type": 2},
    {"dimensions": [Y, X, Dimension(b"M", 8)]},
    {"dimensions": [X]},
    {"dimensions": []},
]


@given(st.lists(st.tuples(st.sampled_from(FORMS), st.integers(1, 9)), max_size=6))
def test_runs_of_any_forms(runs: list[tuple[dict[str, Any], int]]) -> None:
    tiles = [Tile(x=n, y=-n, data=b"", **form) for form, count in runs for n in range(count)]
    built = build_czi(tiles)
    assert_same(quickly(built), with_care(built))


@pytest.mark.parametrize("piece", [100, 900, 5000])
def test_runs_that_are_read_in_pieces(piece: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_FIRST_READ", 400)
    monkeypatch.setattr(module, "_REMOTE_PIECE", piece)  # the source is no file
    tiles = [Tile(x=n, data=b"", m=n if n < 30 else None) for n in range(90)]
    built = build_czi(tiles)
    assert_same(quickly(built), with_care(built))


@pytest.mark.parametrize("dimension", [Dimension(b"Q", 0), Dimension(b"C", ABSENT)])
def test_an_impossible_dimension_is_left_to_the_careful_way(dimension: Dimension) -> None:
    built = build_czi([Tile(data=b""), Tile(dimensions=[X, Y, dimension], data=b"")])
    with pytest.raises(AssertionError):
        quickly(built)


def test_a_claim_of_many_entries_takes_no_memory() -> None:
    built = build_czi([Tile()])
    built = built.patched(built.directory + 32, "<i", 2**31 - 1)
    with mock.patch.multiple(module, Columns=None, EntryParser=None):
        with pytest.raises(CorruptFileError, match="beyond the end"):
            directory_of(built)


def test_a_column_of_equal_values_takes_no_memory() -> None:
    directory = quickly(build_czi([Tile(x=n, data=b"", coordinates={"C": 2}) for n in range(9)]))
    assert directory.x.strides == (4,)
    assert directory.w.strides == directory.coordinates["C"].strides == (0,)
    assert directory.coordinates["C"].tolist() == [2] * 9
