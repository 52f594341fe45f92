"""A second, older libCZI in the same process."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from older_library import OLDER_VERSION
from older_library import older_library as older_library

from czictypes import library_info, use_library
from czictypes.libczi.bitmap import CompositionChannel, compose_channels
from czictypes.libczi.streams import InputStream
from czictypes.model.geometry import Rectangle
from libczi.made import Memory, document, gray
from libczi.oracle import AccessorOptions, FullReader


@pytest.fixture
def older(older_library: Path) -> Iterator[None]:
    """Use the older library for what is opened during the test."""
    use_library(older_library)
    yield
    use_library(None)


@pytest.mark.usefixtures("older")
def test_the_older_library_is_the_one_in_use() -> None:
    assert library_info().version_text == OLDER_VERSION


@pytest.mark.usefixtures("older")
def test_it_writes_and_reads() -> None:
    with FullReader.open(InputStream.from_source(Memory(document()))) as reader:
        assert reader.statistics_ex().dimensions == {"C": (0, 2)}
        assert reader.try_get_sub_block_info(1) is not None
        masked = AccessorOptions(mask_aware=True)
        with (
            reader.tile_accessor() as accessor,
            accessor.get({"C": 1}, Rectangle(-3, 5, 8, 4), 1, masked) as bitmap,
        ):
            np.testing.assert_array_equal(bitmap.to_numpy()[..., 0], gray(1))


def test_what_is_open_stays_with_its_library(reader: FullReader, older_library: Path) -> None:
    use_library(older_library)
    try:
        with (
            FullReader.open(InputStream.from_source(Memory(document()))) as other,
            reader.read_sub_block(0) as ours,
            other.read_sub_block(0) as theirs,
            ours.create_bitmap() as first,
            theirs.create_bitmap() as second,
        ):
            assert first.library is not second.library
            np.testing.assert_array_equal(first.to_numpy(), second.to_numpy())
            with pytest.raises(ValueError, match="different libCZI libraries"):
                compose_channels([first, second], [CompositionChannel()] * 2)
    finally:
        use_library(None)
