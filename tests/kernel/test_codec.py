"""Pixels and directory entries that the kernel packs, unpacks and spreads."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from container.czi_bytes import Tile, build_czi
from files.encode import zstd_frame
from hypothesis import given
from hypothesis import strategies as st

from czictypes.container.directory import Directory, check_document, parse_entries
from czictypes.container.file_source import FileSource
from czictypes.container.layout import DIMENSION, ENTRY
from czictypes.kernel.codec import EntryColumns, EntryParser, pack_zstd, unpack_zstd
from czictypes.kernel.library import Kernel, get_kernel, kernel_info
from czictypes.model.errors import CorruptFileError
from czictypes.model.geometry import ABSENT, DIMENSIONS
from czictypes.model.pixel_types import Compression, PixelType

ZSTD0, ZSTD1 = int(Compression.Zstd0), int(Compression.Zstd1)
G8, G16 = int(PixelType.Gray8), int(PixelType.Gray16)


@pytest.fixture
def kernel() -> Kernel:
    found = get_kernel()
    if found is None:
        pytest.skip(f"there is no kernel: {kernel_info().reason}")
    return found


@pytest.mark.parametrize("level", [-5, 1, 12])
@pytest.mark.parametrize(
    ("compression", "hilo", "head"),
    [(ZSTD0, False, b""), (ZSTD1, False, b"\x03\x01\x00"), (ZSTD1, True, b"\x03\x01\x01")],
)
def test_pixels_come_back(
    kernel: Kernel, compression: int, hilo: bool, head: bytes, level: int, rng: np.random.Generator
) -> None:
    pixels = rng.integers(0, 4000, (70, 53), np.uint16)
    data = pack_zstd(kernel, pixels[::2], compression, hilo=hilo, level=level)
    assert data[: len(head) + 4] == head + b"\x28\xb5\x2f\xfd"
    again = unpack_zstd(kernel, data, compression, G16, pixels[::2].nbytes)
    np.testing.assert_array_equal(again.view(np.uint16).reshape(35, 53), pixels[::2])


def test_nothing_can_be_packed(kernel: Kernel) -> None:
    data = pack_zstd(kernel, np.empty((0, 5), np.uint8), ZSTD0)
    assert unpack_zstd(kernel, data, ZSTD0, G8, 0).size == 0


def test_the_low_bytes_come_first(kernel: Kernel) -> None:
    data = b"\x03\x01\x01" + zstd_frame(bytes([1, 2, 3, 9, 8, 7]))
    assert unpack_zstd(kernel, data, ZSTD1, G16, 6).view("<u2").tolist() == [0x901, 0x802, 0x703]


def test_what_lies_behind_the_frame_is_passed_over(kernel: Kernel) -> None:
    data = zstd_frame(bytes(range(50))) + b"padding"
    assert unpack_zstd(kernel, data, ZSTD0, G8, 50).tolist() == list(range(50))


WHOLE = zstd_frame(bytes(range(200)))


@pytest.mark.parametrize(
    ("data", "compression", "pixel_type", "size"),
    [
        (WHOLE[:-9], ZSTD0, G8, 200),
        (WHOLE, ZSTD0, G8, 199),
        (WHOLE, ZSTD0, G8, 201),
        (WHOLE, ZSTD1, G8, 200),
        (b"\x03\x01\x01" + WHOLE, ZSTD1, G8, 200),
        (b"\x02" + WHOLE, ZSTD1, G8, 200),
        (b"", ZSTD0, G8, 0),
        (b"\x01", ZSTD1, G8, 0),
    ],
    ids=["cut", "too much", "too little", "no header", "HiLo of bytes", "odd header", "no data",
         "header alone"],
)  # fmt: skip
def test_data_that_do_not_fit_are_told(
    kernel: Kernel, data: bytes, compression: int, pixel_type: int, size: int
) -> None:
    with pytest.raises(CorruptFileError, match=f"that tile cannot be decompressed to {size} bytes"):
        unpack_zstd(kernel, data, compression, pixel_type, size, "that tile")


def test_only_words_can_be_packed_by_their_bytes(kernel: Kernel) -> None:
    for pixels, compression in ((np.zeros(4, np.uint8), ZSTD1), (np.zeros(4, np.uint16), ZSTD0)):
        with pytest.raises(ValueError, match="HiLo"):
            pack_zstd(kernel, pixels, compression, hilo=True)


def entries_of(path: Any) -> tuple[Any, bytes]:
    """Return the directory of a file, and the bytes of its entries."""
    with FileSource(path) as source:
        document = check_document(source)
        begin = document.header.directory_position + 32 + 128
        return document.directory, source.read_at(begin, source.size() - begin)


def parsed(kernel: Kernel, count: int, data: bytes, cuts: Sequence[int] = ()) -> EntryColumns:
    """Return the columns of entries that the parser is given in pieces."""
    parser, taken = EntryParser(kernel, count), 0
    for cut in (*cuts, len(data)):
        more = parser.add(data[taken : max(cut, taken)])
        assert more is not None
        taken += more
    assert parser.is_complete
    return parser.columns()


def assert_same(found: EntryColumns, directory: Directory) -> None:
    for name, column in {**found.plain, "scene": found.scene}.items():
        expected = getattr(directory, name)
        np.testing.assert_array_equal(column, expected)
        assert column.dtype == expected.dtype
        assert not column.flags.writeable
    for columns, others in (
        (found.coordinates, directory.coordinates),
        (found.sizes, directory.sizes),
    ):
        assert list(columns) == list(others)
        for letter, column in others.items():
            np.testing.assert_array_equal(columns[letter], column)


def test_entries_are_spread_as_the_directory_has_them(kernel: Kernel, tmp_path: Any) -> None:
    tiles = [
        Tile(x=7 * at, y=-3, w=20, h=10, physical=(10, 5) if at % 3 else None,
             m=at if at % 2 else None,
             coordinates={"Z": at, "C": 1, **({"S": 4} if at > 5 else {})})
        for at in range(9)
    ]  # fmt: skip
    path = tmp_path / "entries.czi"
    path.write_bytes(build_czi(tiles).data)
    directory, data = entries_of(path)
    for cuts in ([], [1], [100, 300], list(range(0, 700, 7))):
        assert_same(parsed(kernel, directory.count, data, cuts), directory)


def test_an_unusual_entry_is_left_to_others(kernel: Kernel, tmp_path: Any) -> None:
    path = tmp_path / "entries.czi"
    path.write_bytes(build_czi([Tile(w=20, h=10, coordinates={"Z": 1})] * 3).data)
    _, data = entries_of(path)
    for at, value in ((0, ord("X")), (28, 41), (28, 255), (32, ord("Q"))):
        damaged = bytearray(data)
        damaged[at] = value
        assert EntryParser(kernel, 3).add(bytes(damaged)) is None


_EXTENTS = (0, 1, 1, 1, 3, -2)


def packed(*dimensions: tuple[bytes, int, int, int]) -> bytes:
    """Return an entry with these letters, starts, sizes and stored sizes."""
    fixed = ENTRY.pack(b"DV", 0, 0, 0, 0, 0, len(dimensions))
    extents = (
        DIMENSION.pack(one, start, size, 0.0, stored) for one, start, size, stored in dimensions
    )
    return fixed + b"".join(extents)


def test_a_stored_size_of_0_follows_the_size(kernel: Kernel) -> None:
    sizes = [(5, 5), (7, 5), (9, 5), (9, 5), (5, 0), (5, 0), (5, 0), (6, 0), (6, 0)]
    data = b"".join(packed((b"X", 0, *both)) for both in sizes)
    found = parsed(kernel, len(sizes), data).plain
    assert found["w"].tolist() == [5, 7, 9, 9, 5, 5, 5, 6, 6]
    assert found["stored_w"].tolist() == [5, 5, 5, 5, 5, 5, 5, 6, 6]


def test_a_coordinate_with_the_number_for_none_is_unusual(kernel: Kernel) -> None:
    entries = [packed((b"Z", at, 1, 1)) for at in range(20)]
    assert EntryParser(kernel, 20).add(b"".join(entries)) == 20 * 52
    for at in range(20):
        odd = packed((b"Z", ABSENT, 1, 1))
        assert EntryParser(kernel, 20).add(b"".join([*entries[:at], odd, *entries[at:]])) is None


@given(st.data())
def test_any_entries_are_parsed_as_by_numpy(data: st.DataObject) -> None:
    """Runs of similar entries, whose fields change at any row, and whose layout changes."""
    kernel = get_kernel()
    if kernel is None:
        pytest.skip(f"there is no kernel: {kernel_info().reason}")
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    letters = [*"XYM", *rng.permutation([*DIMENSIONS])[: rng.integers(4)]]
    entries: list[bytes] = []
    while len(entries) < data.draw(st.sampled_from([1, 3, 40, 700])):
        order = rng.permutation(letters[rng.integers(2) * rng.integers(3) :])
        changing = [letter for letter in letters if rng.random() < 0.3]
        fixed = {one: _extent(rng) for one in letters}
        for _ in range(rng.choice([1, 2, 9, 300])):
            extents = {one: _extent(rng) if one in changing else fixed[one] for one in order}
            dimensions = [
                DIMENSION.pack(letter.encode(), start, size, 0.0, stored)
                for letter, (start, size, stored) in extents.items()
            ]
            numbers = rng.integers(0, 2, 4) if rng.random() < 0.1 else [0] * 4
            kind, part, compression, pyramid = map(int, numbers)
            entry = ENTRY.pack(
                b"DV", kind, int(rng.integers(2**62)), part, compression, pyramid, len(order)
            )
            entries.append(entry + b"".join(dimensions))
    joined = b"".join(entries)
    cuts = sorted(rng.integers(0, len(joined), rng.integers(4)).tolist())
    found = parsed(kernel, len(entries), joined, cuts)
    assert_same(found, parse_entries(joined, len(entries), "x"))


def _extent(rng: np.random.Generator) -> tuple[int, int, int]:
    start, size, stored = rng.choice([0, 1, 1, 5, -3]), rng.choice(_EXTENTS), rng.choice(_EXTENTS)
    return int(start), int(size), int(stored)


_GARBAGE = """
import cffi, gc
from czictypes.kernel.codec import memory_of
class Thing: pass
for _ in range(20):
    data = memoryview(bytearray(1000))
    view = memory_of(cffi.FFI(), data)
    thing = Thing()
    thing.me, thing.all = thing, (data, view)
    del data, view, thing
    gc.collect()
"""


def test_a_memoryview_may_be_garbage_together_with_its_view() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _GARBAGE], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
