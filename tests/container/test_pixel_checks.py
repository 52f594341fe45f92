"""Whether what a sub-block claims fits what it stores, before anything decodes it."""

from __future__ import annotations

import numpy as np
import pytest
from files.encode import zstd_frame
from files.jpeg_xr import JPEG_XR_TYPES, jpeg_xr_tile

from container.czi_bytes import Built, Tile, build_czi
from czictypes.container.byte_source import ByteSource
from czictypes.container.directory import check_document
from czictypes.container.subblock import check_pixels, read_subblock_segment
from czictypes.model.errors import CorruptFileError, UnsupportedDataError
from czictypes.model.pixel_types import Compression, PixelType

MIB = 1 << 20


def check(tile: Tile) -> None:
    check_built(build_czi([Tile(), tile]), 1)


def check_built(built: Built, index: int) -> None:
    source = built.source()
    check_pixels(source, read_subblock_segment(source, check_document(source).directory, index))


def refused(tile: Tile, match: str) -> None:
    with pytest.raises(CorruptFileError, match=match) as caught:
        check(tile)
    assert "sub-block 1 (at byte" in str(caught.value)


def frame_claiming(size: int) -> bytes:
    """A zstd frame whose header claims so many bytes; its block is empty."""
    return b"\x28\xb5\x2f\xfd\xe0" + size.to_bytes(8, "little") + b"\x01\0\0"


@pytest.mark.parametrize("pixel_type", list(PixelType))
def test_right_sizes_pass(pixel_type: PixelType) -> None:
    check(Tile(pixel_type=pixel_type))


@pytest.mark.parametrize("size", [13, 100])
def test_data_may_be_a_little_too_long(size: int) -> None:
    check(Tile(data=bytes(size)))
    check(Tile(compression=Compression.Zstd0, data=zstd_frame(bytes(size))))


@pytest.mark.parametrize("size", [0, 5, 11])
def test_data_must_not_be_too_short(size: int) -> None:
    refused(Tile(data=bytes(size)), f"a bitmap of 12 bytes, but its data give {size}")
    frame = zstd_frame(bytes(size))
    refused(Tile(compression=Compression.Zstd0, data=frame), f"but its data give {size}")


@pytest.mark.parametrize(("width", "height"), [(13, 10), (12, 11)])
def test_a_jpeg_xr_picture_must_not_be_too_small(width: int, height: int) -> None:
    _, data = jpeg_xr_tile(PixelType.Gray8)
    check(Tile(w=11, h=9, compression=Compression.JpegXr, data=data))
    check(Tile(w=12, h=10, compression=Compression.JpegXr, data=data))
    tile = Tile(w=width, h=height, compression=Compression.JpegXr, data=data)
    refused(tile, f"{width} x {height} pixels, but its JPEG XR picture has 12 x 10")


@pytest.mark.parametrize("stored", JPEG_XR_TYPES)
@pytest.mark.parametrize("claimed", list(PixelType))
def test_a_jpeg_xr_picture_has_a_pixel_type_that_libczi_converts(
    stored: PixelType, claimed: PixelType
) -> None:
    _, data = jpeg_xr_tile(stored)
    tile = Tile(w=12, h=10, pixel_type=claimed, compression=Compression.JpegXr, data=data)
    if claimed == stored or (claimed in JPEG_XR_TYPES and stored != PixelType.Gray32Float):
        check(tile)
    else:  # libCZI would end the process
        refused(tile, f"claims {claimed.name} pixels, but .* has {stored.name} pixels")


def test_a_jpeg_xr_picture_must_not_be_far_larger_than_its_data_may_hold() -> None:
    _, data = jpeg_xr_tile(PixelType.Gray8)
    width = data.index(b"\x80\xbc\x04\x00\x01\x00\x00\x00") + 8
    data = data[:width] + (2**30).to_bytes(4, "little") + data[width + 4 :]
    tile = Tile(w=12, h=10, compression=Compression.JpegXr, data=data)
    refused(tile, "claims 10737418240 bytes")


@pytest.mark.parametrize("size", [0, 3, 7, 9, 31, 33, 60, 100])
def test_a_jpeg_xr_header_that_is_cut_is_left_to_the_decoder(size: int) -> None:
    _, data = jpeg_xr_tile(PixelType.Gray8)
    check(Tile(compression=Compression.JpegXr, data=data[:size]))


def test_a_small_tile_cannot_claim_four_gigabytes() -> None:
    refused(Tile(w=65536, h=65536, data=bytes(100)), "claims a bitmap of 4294967296 bytes")


def test_far_too_much_data_are_refused_too() -> None:
    refused(Tile(data=bytes(65 * MIB)), "its data give 68157440")


@pytest.mark.parametrize("size", [(-1, 3), (4, -2), (-4, 3), (4, -(2**31))])
def test_a_tile_without_pixels_is_refused(size: tuple[int, int]) -> None:
    refused(Tile(physical=size, data=bytes(12)), f"a bitmap of {size[0]} x {size[1]} pixels")


def test_a_stored_size_of_zero_is_the_logical_one() -> None:
    check(Tile(w=4, h=3, physical=(0, 0), data=bytes(12)))
    refused(Tile(w=0, h=3, physical=(0, 0), data=bytes(12)), "a bitmap of 0 x 3 pixels")


def test_a_tile_that_names_no_x_is_refused() -> None:
    refused(Tile(dimensions=Tile().all_dimensions()[1:]), "a bitmap of -2147483648 x 3 pixels")


def test_rows_that_libczi_counts_wrongly_are_refused() -> None:
    wide = Tile(w=2**28, h=1, pixel_type=PixelType.Gray64ComplexFloat, data=bytes(100))
    refused(wide, "claims rows of 268435456 pixels")


@pytest.mark.parametrize("compression", [Compression.Zstd0, Compression.Zstd1])
def test_a_zstd_frame_must_fit_the_bitmap(compression: Compression) -> None:
    header = b"\x01" if compression == Compression.Zstd1 else b""
    check(Tile(compression=compression, data=header + zstd_frame(bytes(12))))
    big = header + frame_claiming(64 * MIB + 13)
    refused(Tile(compression=compression, data=big), "its data give 67108877")
    wide = Tile(compression=compression, w=65536, h=65536, data=header + zstd_frame(bytes(12)))
    refused(wide, "its data give 12")


def test_no_zstd_frame_grows_beyond_what_is_possible() -> None:
    claimed = 10**9
    refused(
        Tile(w=claimed, h=1, compression=Compression.Zstd0, data=frame_claiming(claimed)),
        "too many for its 16 compressed bytes",
    )


def test_an_empty_image_in_zstd_passes() -> None:
    frame = zstd_frame(np.zeros(100 * MIB, np.uint8).tobytes())
    assert len(frame) < MIB
    check(Tile(w=1024, h=100 * 1024, compression=Compression.Zstd0, data=frame))


def test_beyond_a_gigabyte_growth_is_limited_more() -> None:
    size = 2**31 - 1
    frame = frame_claiming(size) + bytes(MIB)
    tile = Tile(w=size, h=1, compression=Compression.Zstd0, data=frame)
    refused(tile, "too many for its")
    check(Tile(w=size, h=1, compression=Compression.Zstd0, data=frame + bytes(MIB)))


def test_a_zstd_frame_without_its_contents_size_is_refused() -> None:
    frame = b"\x28\xb5\x2f\xfd\x00\x58" + b"\x01\0\0"
    refused(Tile(compression=Compression.Zstd0, data=frame), "does not tell the size")


@pytest.mark.parametrize("data", [b"", b"\x28\xb5", b"no frame at all", b"\x28\xb5\x2f\xfd\x08"])
def test_what_is_no_zstd_frame_is_refused(data: bytes) -> None:
    refused(Tile(compression=Compression.Zstd0, data=data), "is no zstd frame")


def test_a_zstd_frame_cut_off_in_its_header_is_refused() -> None:
    refused(Tile(compression=Compression.Zstd0, data=b"\x28\xb5\x2f\xfd\xe0\x01"), "cut off")


@pytest.mark.parametrize("header", [b"", b"\x02", b"\x03", b"\x03\x01", b"\x03\x02\x01", b"\x05"])
def test_an_unknown_zstd1_header_is_refused(header: bytes) -> None:
    refused(Tile(compression=Compression.Zstd1, data=header), "invalid zstd1 header")


def test_hilo_packing_is_for_16_bit_pixels_alone() -> None:
    data = b"\x03\x01\x01" + zstd_frame(bytes(24))
    check(Tile(compression=Compression.Zstd1, pixel_type=PixelType.Gray16, data=data))
    refused(Tile(compression=Compression.Zstd1, data=data), "HiLo")


def test_jpeg_xr_may_grow_much_but_not_without_limit() -> None:
    check(Tile(w=8192 * 1000, h=100, compression=Compression.JpegXr, data=bytes(100_000)))
    refused(Tile(w=65536, h=65536, compression=Compression.JpegXr, data=bytes(100)), "too many")


@pytest.mark.parametrize(
    ("compression", "name"),
    [
        (2, r"Lzw \(2\)"),
        (7, "7, which is unknown"),
        (1000, r"1000 \(raw data of a camera or a system\)"),
        (-1, "-1, which is unknown"),
    ],
)
def test_a_compression_without_decoder_is_unsupported(compression: int, name: str) -> None:
    with pytest.raises(UnsupportedDataError, match=f"the compression {name}"):
        check(Tile(compression=compression))


def test_an_unknown_pixel_type_is_unsupported() -> None:
    with pytest.raises(UnsupportedDataError, match="pixel type 7"):
        check(Tile(pixel_type=7, data=b""))


class Sparse(ByteSource):
    """A source that claims more bytes than there are, as a sparse file does."""

    def __init__(self, built: Built, size: int) -> None:
        super().__init__("sparse.czi")
        self._data, self._claimed = built.data, size

    def _size(self) -> int:
        return self._claimed

    def _release(self) -> None:
        pass

    def _read(self, offset: int, count: int) -> bytes:
        return self._data[offset : offset + count]


def test_data_of_two_gibibytes_are_unsupported() -> None:
    tile = Tile(w=2**16, h=2**14, data=b"", data_size=2**31, compression=Compression.JpegXr)
    source = Sparse(build_czi([tile]), 2**40)
    directory = check_document(source).directory
    segment = read_subblock_segment(source, directory, 0)
    with pytest.raises(UnsupportedDataError, match="less than 2 GiB"):
        check_pixels(source, segment)
