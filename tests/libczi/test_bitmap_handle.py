"""Pixels out of libCZI's memory into numpy."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from czictypes.libczi.bitmap import BitmapHandle, libczi_format
from czictypes.libczi.library import Library
from czictypes.libczi.streams import InputStream
from czictypes.model.errors import CorruptFileError
from czictypes.model.pixel_types import PixelType
from libczi.made import Memory, document, gray
from libczi.oracle import FullReader, copied_pixels
from libczi.writer import SubBlockSpec


@pytest.fixture
def bitmap(reader: FullReader) -> Iterator[BitmapHandle]:
    """The bitmap of channel 0."""
    with reader.read_sub_block(0) as sub_block, sub_block.create_bitmap() as made:
        yield made


def lie(library: Library, monkeypatch: pytest.MonkeyPatch, **lies: Any) -> None:
    """Make libCZI's lock tell something else than the truth."""
    honest = library.function("libCZI_BitmapLock")

    def lock(raw: int, info: Any) -> int:
        status = honest(raw, info)
        for name, value in lies.items():
            setattr(info, name, value)
        return int(status)

    monkeypatch.setitem(library._functions, "libCZI_BitmapLock", lock)


def test_the_locked_pixels_are_an_array_in_place(bitmap: BitmapHandle) -> None:
    with bitmap.locked() as pixels:
        assert (pixels.shape, pixels.dtype) == ((4, 8, 1), np.dtype("<u2"))
        assert not pixels.flags.owndata
        np.testing.assert_array_equal(pixels[..., 0], gray(0))


def test_the_locked_pixels_cannot_be_changed(bitmap: BitmapHandle) -> None:
    with bitmap.locked() as pixels, pytest.raises(ValueError, match="read-only"):
        pixels[0] = 1


def test_locks_may_be_nested(bitmap: BitmapHandle) -> None:
    with bitmap.locked() as outer, bitmap.locked() as inner:
        np.testing.assert_array_equal(outer, inner)


def test_the_lock_ends_with_an_exception(bitmap: BitmapHandle) -> None:
    with pytest.raises(KeyError), bitmap.locked():
        raise KeyError
    bitmap.close()  # libCZI refuses to release a locked bitmap
    assert bitmap.closed


@pytest.mark.parametrize("pixel_type", list(PixelType))
def test_every_pixel_type_has_its_form(pixel_type: PixelType) -> None:
    layout = libczi_format(pixel_type)
    expected = np.arange(5 * 3 * layout.samples).reshape(3, 5, layout.samples).astype(layout.dtype)
    content = document(SubBlockSpec({"C": 0}, 0, 0, 5, 3, pixel_type, expected))
    with (
        FullReader.open(InputStream.from_source(Memory(content))) as reader,
        reader.read_sub_block(0) as sub_block,
        sub_block.create_bitmap() as bitmap,
    ):
        assert bitmap.info() == (5, 3, pixel_type)
        copied = bitmap.to_numpy()
        np.testing.assert_array_equal(copied_pixels(bitmap), expected)
        with bitmap.locked() as pixels:
            np.testing.assert_array_equal(pixels, expected)
    assert (copied.dtype, copied.flags.owndata) == (expected.dtype, True)
    np.testing.assert_array_equal(copied, expected)


@pytest.mark.parametrize("lies", [{"stride": 15}, {"stride": 17}, {"size": 63}, {"size": 0}])
def test_memory_that_is_too_small_is_not_touched(
    bitmap: BitmapHandle, library: Library, monkeypatch: pytest.MonkeyPatch, lies: dict[str, int]
) -> None:
    lie(library, monkeypatch, **lies)
    with pytest.raises(CorruptFileError, match="claims 8 x 4 pixels of Gray16"), bitmap.locked():
        pytest.fail("the pixels must not be given")
    with pytest.raises(CorruptFileError):
        bitmap.to_numpy()
    monkeypatch.undo()
    bitmap.close()  # the lock has ended
    assert bitmap.closed


def test_memory_that_is_not_there_is_not_touched(
    bitmap: BitmapHandle, library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    lie(library, monkeypatch, ptrDataRoi=library.ffi.NULL)
    with pytest.raises(CorruptFileError):
        bitmap.to_numpy()
