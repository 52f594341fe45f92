"""A file without a directory, shown as if it had one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from czictypes.container.byte_source import ByteSource
from czictypes.container.directory import check_document
from czictypes.model.geometry import Rectangle, Size
from czictypes.model.pixel_types import PixelType
from czictypes.reading.reader import CziReader
from czictypes.writing.assembly import Assembly
from czictypes.writing.new_segments import EncodedSubBlock


@pytest.fixture(scope="module")
def assembly(folder: Path) -> Iterator[Assembly]:
    """A file under assembly with three sub-blocks of 10 x 12 pixels."""
    made = Assembly(folder / "never.czi", read_back=True)
    for number in range(3):
        pixels = np.full((12, 10), number, np.uint8)
        place = Rectangle(10 * number, 0, 10, 12)
        coordinate = {"C": 0, "T": number} if number else {"C": 0}
        made.add(
            EncodedSubBlock(coordinate, place, Size(10, 12), PixelType.Gray8, 0, pixels, number)
        )
    yield made
    made.abort()


@pytest.fixture(scope="module")
def source(assembly: Assembly) -> ByteSource:
    return assembly.written()


def test_the_directory_has_what_was_written(source: ByteSource) -> None:
    directory = check_document(source).directory
    assert directory.x.tolist() == [0, 10, 20]
    assert directory.m.tolist() == [0, 1, 2]
    assert [directory.coordinate(index) for index in range(3)] == [
        {"C": 0},
        {"C": 0, "T": 1},
        {"C": 0, "T": 2},
    ]


def test_what_is_written_later_does_not_show(assembly: Assembly, source: ByteSource) -> None:
    size = source.size()
    pixels: Any = np.zeros((500, 500), np.uint8)
    place = Rectangle(100, 0, 500, 500)
    assembly.add(EncodedSubBlock({"C": 0}, place, Size(500, 500), PixelType.Gray8, 0, pixels, 9))
    assert check_document(source).directory.count == 3
    assert source.size() == size
    assert check_document(assembly.written()).directory.count == 4


@given(st.integers(0, 4000), st.integers(0, 4000))
def test_any_part_can_be_read(source: ByteSource, offset: int, count: int) -> None:
    everything = source.read_at(0, source.size())
    assert len(everything) == source.size()
    assert source.read_at(offset, count) == everything[offset : offset + count]


def test_closing_it_does_not_end_the_assembly(assembly: Assembly) -> None:
    source = assembly.written()
    source.close()
    assert assembly.is_open


def test_nothing_was_published(assembly: Assembly, folder: Path) -> None:
    with pytest.raises(FileNotFoundError):
        CziReader(folder / "never.czi")
