"""libCZI's tile accessor, and its multi-channel compositor."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import ExitStack

import numpy as np
import pytest

from czictypes.libczi.bitmap import (
    BitmapHandle,
    CompositionChannel,
    compose_channels,
    composition_channel,
)
from czictypes.libczi.streams import InputStream
from czictypes.model.errors import IncompatibleLibraryError, NativeCallError, UnsupportedDataError
from czictypes.model.geometry import Rectangle, Size
from czictypes.model.pixel_types import PixelType
from libczi.made import Memory, document, gray
from libczi.oracle import AccessorOptions, FullReader, TileAccessorHandle
from libczi.writer import SubBlockSpec

BOX = Rectangle(-3, 5, 8, 4)


@pytest.fixture
def accessor(reader: FullReader) -> Iterator[TileAccessorHandle]:
    """A tile accessor of the document of two channels."""
    with reader.tile_accessor() as made:
        yield made


@pytest.fixture
def bitmaps(accessor: TileAccessorHandle) -> Iterator[list[BitmapHandle]]:
    """The two channels."""
    with ExitStack() as stack:
        yield [stack.enter_context(accessor.get({"C": c}, BOX)) for c in range(2)]


def test_a_plane_in_full_size(accessor: TileAccessorHandle) -> None:
    assert accessor.calc_size(BOX, 1) == Size(8, 4)
    with accessor.get({"C": 1}, BOX) as bitmap:
        np.testing.assert_array_equal(bitmap.to_numpy()[..., 0], gray(1))


def test_a_plane_scaled_down(accessor: TileAccessorHandle) -> None:
    assert accessor.calc_size(BOX, 0.5) == Size(4, 2)
    with accessor.get({"C": 0}, BOX, 0.5) as bitmap:
        assert bitmap.info() == (4, 2, PixelType.Gray16)


def test_the_background_is_where_nothing_is(accessor: TileAccessorHandle) -> None:
    options = AccessorOptions(background=(1.0, 1.0, 1.0))
    with accessor.get({"C": 0}, Rectangle(-4, 5, 2, 1), 1, options) as bitmap:
        assert bitmap.to_numpy().ravel().tolist() == [65535, 1000]


@pytest.mark.parametrize("zoom", [0, -1, math.nan, math.inf])
def test_a_zoom_that_is_none(accessor: TileAccessorHandle, zoom: float) -> None:
    with pytest.raises(ValueError, match="zoom"):
        accessor.get({"C": 0}, BOX, zoom)
    with pytest.raises(ValueError, match="zoom"):
        accessor.calc_size(BOX, zoom)


@pytest.mark.parametrize(
    "roi", [(0, 0, 0, 1), (0, 0, 1, -1), (0, 0, 2**31, 1), (-(2**40), 0, 1, 1)]
)
def test_an_area_that_is_none(accessor: TileAccessorHandle, roi: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"empty|32 bits"):
        accessor.get({"C": 0}, Rectangle(*roi))


def test_a_background_that_is_none(accessor: TileAccessorHandle) -> None:
    with pytest.raises(ValueError, match="background"):
        accessor.get({"C": 0}, BOX, 1, AccessorOptions(background=(0, math.nan, 0)))


def test_a_dimension_that_is_none(accessor: TileAccessorHandle) -> None:
    with pytest.raises(ValueError, match="M: no dimension"):
        accessor.get({"C": 0, "M": 0}, BOX)


@pytest.mark.parametrize("coordinate", [{}, {"C": 2}, {"C": 0, "Z": 0}, {"C": 0, "S": 0}])
def test_a_plane_that_is_not_there(
    accessor: TileAccessorHandle, coordinate: dict[str, int]
) -> None:
    with pytest.raises(NativeCallError, match="cannot compose a plane of in memory"):
        accessor.get(coordinate, BOX)


def test_masks_need_a_library_that_knows_them(
    accessor: TileAccessorHandle, monkeypatch: pytest.MonkeyPatch
) -> None:
    masked = AccessorOptions(mask_aware=True)
    monkeypatch.setattr(accessor.library, "version", (0, 67, 0))
    with accessor.get({"C": 0}, BOX, 1, masked) as bitmap:
        np.testing.assert_array_equal(bitmap.to_numpy()[..., 0], gray(0))
    monkeypatch.setattr(accessor.library, "version", (0, 66, 7))
    with pytest.raises(IncompatibleLibraryError, match=r"mask-aware composition needs.*0\.67\.0"):
        accessor.get({"C": 0}, BOX, 1, masked)


def test_channels_are_added_up(bitmaps: list[BitmapHandle]) -> None:
    red = CompositionChannel(tinting=(255, 0, 0))
    blue = CompositionChannel(tinting=(0, 0, 128))
    with compose_channels(bitmaps, [red, blue]) as picture:
        assert picture.info() == (8, 4, PixelType.Bgr24)
        pixels = picture.to_numpy()
    np.testing.assert_array_equal(pixels[..., 2], np.floor(gray(0) / 65535 * 255 + 0.5))
    np.testing.assert_array_equal(pixels[..., 0], np.floor(gray(1) / 65535 * 128 + 0.5))
    assert not pixels[..., 1].any()


def test_the_window_is_stretched(bitmaps: list[BitmapHandle]) -> None:
    channel = CompositionChannel(black_point=0.1, white_point=0.3)
    with compose_channels(bitmaps[:1], [channel]) as picture:
        shown = picture.to_numpy()[..., 1]
    stretched = np.clip((gray(0) / 65535 - 0.1) / 0.2, 0, 1) * 255
    assert np.abs(shown - stretched).max() <= 1
    assert (shown.min(), shown.max()) == (0, 255)


def test_a_table_says_what_is_shown(bitmaps: list[BitmapHandle]) -> None:
    table = bytes(255 - (value >> 8) for value in range(65536))
    with compose_channels(bitmaps[:1], [CompositionChannel(table=table)]) as picture:
        np.testing.assert_array_equal(picture.to_numpy()[..., 0], 255 - (gray(0) >> 8))


def test_the_documents_own_display_settings(reader: FullReader) -> None:
    with reader.metadata_segment() as segment, segment.document_info() as info:
        settings = info.display_settings()
        assert settings is not None
        with settings:
            first = composition_channel(settings, 0, sixteen_bit=True)
            second = composition_channel(settings, 1, sixteen_bit=False)
    assert first == CompositionChannel(1.0, (10, 20, 30), 0.25, 0.75, None)
    assert (second.weight, second.tinting) == (1.0, None)
    assert second.table is not None
    assert list(second.table[:256:85]) == [0, 28, 113, 255]  # gamma 2


@pytest.mark.parametrize(
    ("channel", "complaint"),
    [
        (CompositionChannel(weight=-1), "weight"),
        (CompositionChannel(weight=math.nan), "weight"),
        (CompositionChannel(black_point=-0.1), "black and white point"),
        (CompositionChannel(white_point=math.nan), "black and white point"),
        (CompositionChannel(tinting=(0, 0, 256)), "colour"),
        (CompositionChannel(table=bytes(256)), "has 65536 elements, not 256"),
        (CompositionChannel(table=b""), "has 65536 elements, not 0"),
    ],
)
def test_a_channel_that_makes_no_sense(
    bitmaps: list[BitmapHandle], channel: CompositionChannel, complaint: str
) -> None:
    with pytest.raises(ValueError, match=complaint):
        compose_channels(bitmaps[:1], [channel])


def test_as_many_channels_as_bitmaps(bitmaps: list[BitmapHandle]) -> None:
    with pytest.raises(ValueError, match="2 bitmaps and 1 channels"):
        compose_channels(bitmaps, [CompositionChannel()])
    with pytest.raises(ValueError, match="one at least"):
        compose_channels([], [])


def test_bitmaps_of_one_size(accessor: TileAccessorHandle, bitmaps: list[BitmapHandle]) -> None:
    channels = [CompositionChannel()] * 2
    with accessor.get({"C": 1}, Rectangle(-3, 5, 7, 4)) as other:
        narrow = [bitmaps[0], other]
        with pytest.raises(ValueError, match="8 x 4, 7 x 4"):
            compose_channels(narrow, channels)


def test_a_pixel_type_that_cannot_be_composed() -> None:
    spec = SubBlockSpec({"C": 0}, 0, 0, 2, 1, PixelType.Gray32Float, bytes(8))
    with (
        FullReader.open(InputStream.from_source(Memory(document(spec)))) as reader,
        reader.read_sub_block(0) as sub_block,
        sub_block.create_bitmap() as bitmap,
        pytest.raises(UnsupportedDataError, match="Gray32Float"),
    ):
        compose_channels([bitmap], [CompositionChannel()])
