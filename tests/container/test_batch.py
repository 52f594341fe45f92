"""Many sub-blocks found at once: what is found agrees with the look at each one."""

from __future__ import annotations

import io
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from container.czi_bytes import Built, Dimension, Tile, build_czi
from czictypes.container.batch import BatchReader, StoredData
from czictypes.container.directory import check_document
from czictypes.container.file_source import StreamSource
from czictypes.container.subblock import check_pixels, read_subblock_segment
from czictypes.model.errors import CorruptFileError, UnsupportedDataError

CONTENTS = [bytes(range(first, first + 12)) for first in range(0, 60, 12)]
FILE = build_czi(
    [Tile(x=4 * k, coordinates={"C": k % 2, "S": 0}, m=k, data=CONTENTS[k]) for k in range(5)]
)


class Counted:
    """Counts how often a source is read."""

    def __init__(self, built: Built) -> None:
        self.source = built.source()
        self.calls: list[tuple[int, int]] = []
        read = self.source.read_at

        def read_at(offset: int, count: int) -> bytes:
            self.calls.append((offset, count))
            return read(offset, count)

        self.source.read_at = read_at  # type: ignore[method-assign]


def found_in(built: Built, *indices: int) -> list[StoredData | None]:
    source = built.source()
    return BatchReader(source, check_document(source).directory).read(list(indices))


def test_the_data_of_each_are_found_in_the_order_asked_for() -> None:
    data = FILE.data
    for index, found in zip((3, 0, 4), found_in(FILE, 3, 0, 4)):
        assert found is not None
        assert data[found.offset : found.offset + found.size] == CONTENTS[index]
        assert found.buffer is not None
        assert found.buffer[found.start : found.start + found.size] == CONTENTS[index]
        assert (found.width, found.height, found.pixel_type, found.compression) == (4, 3, 0, 0)


def test_neighbours_are_read_by_one_call() -> None:
    counted = Counted(FILE)
    directory = check_document(counted.source).directory
    counted.calls.clear()
    assert None not in BatchReader(counted.source, directory).read([0, 1, 2, 3, 4])
    assert len(counted.calls) == 1


def test_what_was_found_is_known_the_next_time() -> None:
    counted = Counted(FILE)
    reader = BatchReader(counted.source, check_document(counted.source).directory)
    (before,) = reader.read([2])
    counted.calls.clear()
    (after,) = reader.read([2])
    assert counted.calls == []
    assert before is not None
    assert after is not None
    assert (after.offset, after.size) == (before.offset, before.size)


@pytest.mark.parametrize(
    "changes",
    [
        {"x": 5},
        {"w": 5},
        {"m": 7},
        {"coordinates": {"C": 1, "S": 0}},
        {"coordinates": {"C": 0, "S": 1}},
        {"coordinates": {"C": 0, "T": 0}},
        {"pixel_type": 1},
        {"compression": 5},
        {"physical": (3, 4)},
        {"m": None},
    ],
    ids=str,
)
def test_one_that_contradicts_the_directory_is_left_to_the_closer_look(
    changes: dict[str, Any],
) -> None:
    plain: dict[str, Any] = {"coordinates": {"C": 0, "S": 0}, "m": 0, "data": bytes(12)}
    odd = Tile(**{**plain, **changes}, listed=Tile(**plain))
    first, second = found_in(build_czi([odd, Tile(**{**plain, "x": 8})]), 0, 1)
    assert first is None
    assert second is None or second.size == 12


@pytest.mark.parametrize(
    "tile",
    [
        Tile(data=bytes(11)),
        Tile(data_size=-1),
        Tile(data_size=1 << 40),
        Tile(metadata_size=-5),
        Tile(metadata_size=1 << 30),
        Tile(attachment_size=1 << 30),
        Tile(compression=4, data=bytes(12)),
        Tile(pixel_type=5, data=bytes(12)),
        Tile(w=0, data=b""),
        Tile(w=1 << 30, h=1 << 30, data=bytes(12)),
        Tile(schema=b"DX", listed=Tile()),
        Tile(dimensions=[Dimension(b"X", 0, 4), Dimension(b"Y", 0, 3), Dimension(b"Q", 0)],
             listed=Tile()),
    ],
    ids=repr,
)  # fmt: skip
def test_one_of_unusual_size_or_kind_is_left_to_the_closer_look(tile: Tile) -> None:
    assert found_in(build_czi([tile, Tile()]), 0)[0] is None


@given(
    st.lists(st.tuples(st.integers(0, 200), st.integers(0, 255)), min_size=1, max_size=4),
    st.integers(0, 4),
)
def test_whatever_is_found_passes_the_closer_look(
    mutations: list[tuple[int, int]], index: int
) -> None:
    directory = check_document(FILE.source()).directory
    data = bytearray(FILE.data)
    for offset, value in mutations:
        data[FILE.subblocks[index] + offset] = value
    source = StreamSource(io.BytesIO(bytes(data)), name="mutated.czi")
    found = BatchReader(source, directory).read([0, 1, 2, 3, 4])[index]
    try:
        segment = read_subblock_segment(source, directory, index)
        check_pixels(source, segment)
    except (CorruptFileError, UnsupportedDataError):
        assert found is None
        return
    if found is not None:
        assert (found.offset, found.size) == (segment.data_offset, segment.data_size)
