"""Pixels and directory entries that the kernel packs, unpacks and spreads."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from container.czi_bytes import Tile, build_czi
from files.encode import zstd_frame

from czictypes.container.directory import check_document
from czictypes.container.file_source import FileSource
from czictypes.kernel.codec import EntryParser, pack_zstd, unpack_zstd
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


_PLAIN = {
    "x": "x", "y": "y", "w": "w", "h": "h", "stored_w": "physical_w", "stored_h": "physical_h",
    "m": "m", "pixel_type": "pixel_type", "compression": "compression", "file_part": "file_part",
    "position": "file_position", "pyramid_type": "pyramid_type",
}  # fmt: skip


class Filled:
    """The columns of a parser."""

    def __init__(self, kernel: Kernel, count: int) -> None:
        self.coordinates: dict[str, Any] = {}
        self.sizes: dict[str, Any] = {}
        kinds = {"position": "i8", "pyramid_type": "u1"}
        self.plain = {
            name: np.full(count, ABSENT, "i8").astype(kinds.get(name, "i4")) for name in _PLAIN
        }

        def coordinate(letter: str) -> Any:
            return self.coordinates.setdefault(letter, np.full(count, ABSENT, np.int32))

        def size(letter: str) -> Any:
            return self.sizes.setdefault(letter, np.ones(count, np.int32))

        self.parser = EntryParser(kernel, count, self.plain, "".join(DIMENSIONS), coordinate, size)


def entries_of(path: Any) -> tuple[Any, bytes]:
    """Return the directory of a file, and the bytes of its entries."""
    with FileSource(path) as source:
        document = check_document(source)
        begin = document.header.directory_position + 32 + 128
        return document.directory, source.read_at(begin, source.size() - begin)


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
        filled, taken = Filled(kernel, directory.count), 0
        for cut in (*cuts, len(data)):
            more = filled.parser.add(data[taken : max(cut, taken)])
            assert more is not None
            taken += more
        assert filled.parser.is_complete
        for name, attribute in _PLAIN.items():
            np.testing.assert_array_equal(filled.plain[name], getattr(directory, attribute))
        assert sorted(filled.coordinates) == sorted(directory.coordinates)
        for letter, column in directory.coordinates.items():
            np.testing.assert_array_equal(filled.coordinates[letter], column)


def test_an_unusual_entry_is_left_to_others(kernel: Kernel, tmp_path: Any) -> None:
    path = tmp_path / "entries.czi"
    path.write_bytes(build_czi([Tile(w=20, h=10, coordinates={"Z": 1})] * 3).data)
    _, data = entries_of(path)
    for at, value in ((0, ord("X")), (28, 41), (28, 255), (32, ord("Q"))):
        damaged = bytearray(data)
        damaged[at] = value
        assert Filled(kernel, 3).parser.add(bytes(damaged)) is None
