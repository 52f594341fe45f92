"""The sub-block directory as numpy columns."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from container.czi_bytes import Built, Dimension, Tile, build_czi
from czictypes.container.directory import Directory, check_document, read_directory
from czictypes.container.segments import read_file_header
from czictypes.model.geometry import ABSENT, DIMENSIONS

INT32 = st.integers(-(2**31) + 1, 2**31 - 1)


def directory_of(built: Built, **options: bool) -> Directory:
    return check_document(built.source(), **options).directory


def rows(directory: Directory) -> list[dict[str, Any]]:
    """The table as one dictionary for each sub-block."""
    names = ("x", "y", "w", "h", "stored_w", "stored_h", "m", "pixel_type", "compression")
    return [
        {name: int(getattr(directory, name)[index]) for name in names}
        | {"file_position": int(directory.file_position[index])}
        | {"coordinate": directory.coordinate(index)}
        for index in range(directory.count)
    ]


def test_an_entry_becomes_a_row() -> None:
    tile = Tile(
        x=-7, y=9, w=100, h=50, physical=(50, 25), coordinates={"Z": 3, "C": 1, "S": 2}, m=5,
        pixel_type=4, compression=6, pyramid_type=2, file_part=1,
    )  # fmt: skip
    built = build_czi([tile])
    directory = directory_of(built)
    assert rows(directory) == [
        {
            "x": -7, "y": 9, "w": 100, "h": 50, "stored_w": 50, "stored_h": 25, "m": 5,
            "pixel_type": 4, "compression": 6, "file_position": built.subblocks[0],
            "coordinate": {"Z": 3, "C": 1, "S": 2},
        }
    ]  # fmt: skip
    assert directory.scene.tolist() == [2]
    assert directory.pyramid_type.tolist() == [2]
    assert directory.file_part.tolist() == [1]


def test_columns_are_int32_and_read_only() -> None:
    directory = directory_of(build_czi([Tile(coordinates={"C": 0}), Tile(x=4)]))
    for column in (directory.x, directory.m, directory.scene, directory.coordinates["C"]):
        assert column.dtype == np.int32
        assert not column.flags.writeable
    assert directory.file_position.dtype == np.int64
    assert directory.pyramid_type.dtype == np.uint8


def test_what_an_entry_lacks_is_absent() -> None:
    directory = directory_of(build_czi([Tile(coordinates={"C": 1}), Tile(coordinates={"Z": 2})]))
    assert directory.coordinates["C"].tolist() == [1, ABSENT]
    assert directory.coordinates["Z"].tolist() == [ABSENT, 2]
    assert directory.m.tolist() == directory.scene.tolist() == [ABSENT, ABSENT]
    assert [directory.coordinate(index) for index in (0, 1)] == [{"C": 1}, {"Z": 2}]


def test_only_dimensions_that_are_there_have_a_column_in_libczis_order() -> None:
    tiles = [Tile(coordinates={"B": 0, "S": 1, "C": 0}), Tile(coordinates={"Z": 0})]
    assert list(directory_of(build_czi(tiles)).coordinates) == ["Z", "C", "S", "B"]


def test_a_document_may_have_no_sub_blocks() -> None:
    directory = directory_of(build_czi())
    assert (directory.count, len(directory), directory.coordinates) == (0, 0, {})
    assert directory.x.shape == directory.file_position.shape == (0,)


def test_an_entry_may_have_no_dimensions_at_all() -> None:
    directory = directory_of(build_czi([Tile(dimensions=[], data=b"")]))
    assert directory.x.tolist() == directory.w.tolist() == [ABSENT]


def test_letters_may_be_small_and_be_followed_by_others() -> None:
    dimensions = [Dimension(b"xs", 1, 4), Dimension(b"y", 2, 3), Dimension(b"time", 7)]
    directory = directory_of(build_czi([Tile(dimensions=dimensions)]))
    assert (directory.x[0], directory.y[0], directory.coordinate(0)) == (1, 2, {"T": 7})


def test_the_later_mention_of_a_dimension_wins() -> None:
    dimensions = [
        Dimension(b"C", 1),
        Dimension(b"X", 1, 4),
        Dimension(b"X", 5, 6),
        Dimension(b"C", 2),
    ]
    directory = directory_of(build_czi([Tile(dimensions=dimensions, data=b"")]))
    assert (directory.x[0], directory.w[0], directory.coordinate(0)) == (5, 6, {"C": 2})


def test_dimensions_may_stand_in_any_order_and_number() -> None:
    tiles = [
        Tile(x=1, dimensions=[Dimension(b"C", 0), Dimension(b"X", 1, 4), Dimension(b"Y", 0, 3)]),
        Tile(x=2, dimensions=[Dimension(b"X", 2, 4), Dimension(b"Y", 0, 3), Dimension(b"C", 1)]),
        Tile(x=3, coordinates={"Z": 5, "C": 2}, m=0),
    ]
    directory = directory_of(build_czi(tiles))
    assert directory.x.tolist() == [1, 2, 3]
    assert directory.coordinates["C"].tolist() == [0, 1, 2]
    assert directory.coordinates["Z"].tolist() == [ABSENT, ABSENT, 5]


def test_duplicates_are_all_kept() -> None:
    assert directory_of(build_czi([Tile(), Tile(), Tile()])).count == 3


def test_odd_sizes_and_unknown_numbers_pass_since_libczi_opens_such_files() -> None:
    odd = Tile(w=-3, h=0, physical=(-1, 2**31 - 1), pixel_type=99, compression=-5, data=b"")
    directory = directory_of(build_czi([odd]))
    assert (directory.w[0], directory.stored_h[0]) == (-3, 2**31 - 1)
    assert (directory.pixel_type[0], directory.compression[0]) == (99, -5)


def test_what_is_no_entry_is_passed_over_two_bytes_at_a_time() -> None:
    built = build_czi([Tile(x=1), Tile(x=2)], entry_count=3)
    second = built.data[built.entries[1] : built.entries[1] + 72]
    built = built.patched(built.entries[1], "<2s72s", b"??", second)
    built = built.patched(built.directory + 24, "<q", 128 + 72 + 2 + 72)
    assert directory_of(built).x.tolist() == [1, 2]


def test_one_entry_of_another_length_among_many_is_found() -> None:
    tiles = [Tile(x=number, m=number) for number in range(50)]
    tiles[31] = Tile(x=31)
    directory = directory_of(build_czi(tiles))
    assert directory.x.tolist() == list(range(50))
    assert [index for index, m in enumerate(directory.m) if m == ABSENT] == [31]


def test_more_entries_than_are_handled_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("czictypes.container.entries._CHUNK", 7)
    tiles = [Tile(x=n, coordinates={"C": n % 2} if n % 3 else {"Z": n}) for n in range(40)]
    directory = directory_of(build_czi(tiles))
    assert directory.x.tolist() == list(range(40))
    assert directory.coordinates["Z"][39] == 39


def test_a_large_directory_is_read_whole() -> None:
    directory = directory_of(build_czi([Tile(x=n, w=1, h=1, data=b"") for n in range(3000)]))
    assert directory.x.tolist() == list(range(3000))


def test_the_old_used_size_of_zero_is_understood() -> None:
    built = build_czi([Tile(x=3)])
    assert directory_of(built.patched(built.directory + 24, "<q", 0)).x.tolist() == [3]


def test_the_directory_tells_what_it_is() -> None:
    directory = directory_of(build_czi([Tile(coordinates={"C": 0})]))
    assert repr(directory) == "<Directory of 1 sub-blocks, dimensions C>"


places = st.dictionaries(st.sampled_from(DIMENSIONS), INT32, max_size=9)
tiles = st.builds(
    Tile,
    x=INT32,
    y=INT32,
    w=INT32,
    h=INT32,
    physical=st.tuples(INT32, INT32),
    coordinates=places,
    m=st.none() | INT32,
    pixel_type=INT32,
    compression=INT32,
    data=st.just(b""),
    pyramid_type=st.integers(0, 255),
)


@given(st.lists(tiles, max_size=8))
def test_any_directory_comes_back_as_it_was_written(written: list[Tile]) -> None:
    built = build_czi(written, metadata=None)
    source = built.source()
    directory = read_directory(source, read_file_header(source))
    expected = [
        {
            "x": tile.x, "y": tile.y, "w": tile.w, "h": tile.h,
            # a stored size of 0 is that of the logical one
            "stored_w": tile.physical[0] or tile.w, "stored_h": tile.physical[1] or tile.h,
            "m": ABSENT if tile.m is None else tile.m, "pixel_type": tile.pixel_type,
            "compression": tile.compression, "file_position": position,
            "coordinate": tile.coordinates,
        }
        for tile, position in zip(written, built.subblocks)
    ]  # fmt: skip
    assert rows(directory) == expected
