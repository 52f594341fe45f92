"""Masks of valid pixels in the attachments of sub-blocks."""

from __future__ import annotations

import struct
import uuid

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as nps
from numpy.typing import NDArray

from container.czi_bytes import mask_chunk
from czictypes.container.attachments import MASK_GUID, find_mask, iter_chunks
from czictypes.model.errors import CorruptFileError, UnsupportedDataError

OTHER = uuid.UUID(int=7)


def chunk(payload: bytes, guid: uuid.UUID = OTHER) -> bytes:
    return guid.bytes_le + struct.pack("<I", len(payload)) + payload


def test_bits_are_read_from_the_most_significant_on() -> None:
    mask = find_mask(mask_chunk(10, 2, bytes([0b10000000, 0b01000000, 0b00000001, 0b10000000])))
    assert mask is not None
    assert (mask.width, mask.height, mask.bits.dtype) == (10, 2, bool)
    assert np.argwhere(mask.bits).tolist() == [[0, 0], [0, 9], [1, 7], [1, 8]]


@given(nps.arrays(bool, nps.array_shapes(min_dims=2, max_dims=2, max_side=20)), st.integers(0, 5))
def test_any_mask_comes_back(bits: NDArray[np.bool_], extra: int) -> None:
    packed = np.pad(np.packbits(bits, axis=1), ((0, 0), (0, extra)), constant_values=255)
    height, width = bits.shape
    mask = find_mask(mask_chunk(width, height, packed.tobytes(), packed.shape[1]))
    assert mask is not None
    np.testing.assert_array_equal(mask.bits, bits)


def test_the_last_row_need_not_be_filled_up() -> None:
    mask = find_mask(mask_chunk(8, 2, b"\xff\0\0\xff", stride=3))
    assert mask is not None
    assert mask.bits.all()


@pytest.mark.parametrize("before", [b"", chunk(b"something"), chunk(b"") + chunk(bytes(40))])
def test_a_mask_is_found_at_any_place(before: bytes) -> None:
    mask = find_mask(before + mask_chunk(8, 1, b"\x0f") + chunk(b"after"))
    assert mask is not None
    assert mask.bits.tolist() == [[False] * 4 + [True] * 4]


@pytest.mark.parametrize("attachment", [b"", b"short", chunk(b"other"), chunk(b"a") + b"tail"])
def test_without_a_mask_there_is_none(attachment: bytes) -> None:
    assert find_mask(attachment) is None


def test_chunks_are_given_one_by_one() -> None:
    found = [(guid, bytes(payload)) for guid, payload in iter_chunks(chunk(b"a") + chunk(b"bc"))]
    assert found == [(OTHER, b"a"), (OTHER, b"bc")]


def test_a_chunk_beyond_the_end_is_refused() -> None:
    damaged = chunk(b"ok") + OTHER.bytes_le + struct.pack("<I", 2**32 - 1)
    with pytest.raises(CorruptFileError, match="sub-block 3 has a chunk of 4294967295 bytes"):
        find_mask(damaged, "sub-block 3")


def test_a_mask_before_a_damaged_chunk_is_found_all_the_same() -> None:
    attachment = mask_chunk(8, 1, b"\xff") + OTHER.bytes_le + b"\xff\xff\xff\xff"
    assert find_mask(attachment) is not None


@pytest.mark.parametrize(
    ("width", "height", "stride", "bits"),
    [
        (0, 1, 1, b"\0"),
        (1, 0, 1, b"\0"),
        (9, 1, 1, b"\0"),
        (8, 2, 1, b"\0"),
        (8, 2, 2**32 - 1, b"\0\0"),
        (2**32 - 1, 2**32 - 1, 2**29, b"\0\0"),
    ],
)
def test_a_mask_that_claims_more_than_it_has_is_refused(
    width: int, height: int, stride: int, bits: bytes
) -> None:
    with pytest.raises(CorruptFileError, match="has a mask that claims"):
        find_mask(mask_chunk(width, height, bits, stride))


def test_a_mask_without_its_header_is_refused() -> None:
    with pytest.raises(CorruptFileError, match="a mask of 15 bytes"):
        find_mask(chunk(bytes(15), MASK_GUID))


def test_another_representation_is_unsupported() -> None:
    with pytest.raises(UnsupportedDataError, match="representation 1"):
        find_mask(mask_chunk(8, 1, b"\0", representation=1))
