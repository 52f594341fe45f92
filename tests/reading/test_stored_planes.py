"""Sub-blocks that hold several planes, as line scans and FCS measurements have them."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from files.block import Block
from files.builder import write_czi
from files.encode import encode
from files.patterns import noise
from numpy.typing import NDArray

from czictypes import CziImage, czi
from czictypes.container.byte_source import ByteSource
from czictypes.model.errors import CorruptFileError
from czictypes.model.pixel_types import Compression, PixelType
from czictypes.reading import decode

G8, G16, B24 = PixelType.Gray8, PixelType.Gray16, PixelType.Bgr24
PACKINGS = [
    (Compression.Uncompressed, False),
    (Compression.Zstd0, False),
    (Compression.Zstd1, False),
    (Compression.Zstd1, True),
]


def planes_of(kind: PixelType, count: int, h: int = 5, w: int = 7, seed: int = 900) -> NDArray[Any]:
    return noise(kind, count * h, w, seed).reshape(count, h, w, -1)


def block(
    planes: NDArray[Any],
    plane: Mapping[str, int],
    sizes: Mapping[str, int],
    compression: Compression = Compression.Uncompressed,
    hilo: bool = False,
) -> Block:
    """Return a sub-block with planes (count, h, w, samples) one behind the other."""
    stack = planes.reshape(-1, *planes.shape[2:])
    payload = encode(Block(stack, compression=compression, hilo=hilo))
    return Block(planes[0], 0, 0, plane, sizes=sizes, compression=compression, payload=payload)


def line_scan(
    folder: Path,
    letter: str = "T",
    compression: Compression = Compression.Uncompressed,
    hilo: bool = False,
) -> tuple[Path, NDArray[Any]]:
    """Write 9 places along a dimension in sub-blocks of 2, 3 and 4 planes; return all planes."""
    planes = planes_of(G16, 9)
    parts = [
        block(planes[at : at + size], {"C": 0, letter: at}, {letter: size}, compression, hilo)
        for at, size in ((0, 2), (2, 3), (5, 4))
    ]
    return write_czi(folder / "lines.czi", parts), planes


@pytest.mark.parametrize("letter", "TZHVIRB")
def test_each_place_of_any_dimension_is_read(letter: str, tmp_path: Path) -> None:
    path, planes = line_scan(tmp_path, letter)
    with czi.open_czi(path) as document:
        assert document.total_bounding_box[letter] == (0, 9)
        for place, plane in enumerate(planes):
            assert np.array_equal(document.read(plane={letter: place}), plane)
        assert document.subblocks[letter].tolist() == list(range(9))
        assert document.subblocks["index"].tolist() == [0, 0, 1, 1, 1, 2, 2, 2, 2]


@pytest.mark.parametrize(
    ("kind", "compression", "hilo"),
    [(kind, *packing) for kind in (G8, B24) for packing in PACKINGS[:3]]
    + [(G16, *packing) for packing in PACKINGS],
)
def test_any_packing_and_pixel_type_is_read(
    kind: PixelType, compression: Compression, hilo: bool, tmp_path: Path
) -> None:
    planes = planes_of(kind, 6, h=16, w=33)
    one = block(planes, {"C": 0, "T": 4}, {"T": 6}, compression, hilo)
    with czi.open_czi(write_czi(tmp_path / "one.czi", [one])) as document:
        for place in (9, 4, 6, 6, 6):  # in any order, and again and again
            assert np.array_equal(document.read(plane={"T": place}), planes[place - 4])
        some = document.read(plane={"T": 7}, roi=(5, 3, 20, 9))
        assert np.array_equal(some, planes[3, 3:12, 5:25])
        found = document.read_subblock(0)
        assert [plane["T"] for plane in found.planes] == list(range(4, 10))
        assert np.array_equal(found.pixels(), planes)


def test_jpeg_xr_with_planes_one_below_the_other_is_read(tmp_path: Path) -> None:
    planes = planes_of(G8, 3, h=16, w=32)
    one = block(planes, {"C": 0, "Z": 0}, {"Z": 3}, Compression.JpegXr)
    with CziImage(write_czi(tmp_path / "xr.czi", [one])) as image:
        assert np.array_equal(image.data[0, 0], planes[..., 0])


@pytest.mark.parametrize("letters", ["TZ", "CT", "HT"])
def test_of_two_dimensions_the_one_listed_first_varies_fastest(
    letters: str, tmp_path: Path
) -> None:
    fast, slow = sorted(letters, key="ZCTRSIHVB".index)  # the order in which libCZI lists them
    if letters == "HT":
        fast, slow = "T", "H"
    planes = planes_of(G16, 6)
    one = block(planes, {fast: 0, slow: 0}, {fast: 2, slow: 3})
    path = write_czi(tmp_path / "two.czi", [one])
    czi.copy(path, tmp_path / "copy.czi")
    for name in ("two.czi", "copy.czi"):
        with czi.open_czi(tmp_path / name) as document:
            for number, plane in enumerate(planes):
                where = {fast: number % 2, slow: number // 2}
                assert np.array_equal(document.read(plane=where), plane)


def test_data_of_one_plane_are_one_plane_whatever_the_entry_claims(tmp_path: Path) -> None:
    pixels = noise(G16, 5, 7, 901)
    for compression in (Compression.Uncompressed, Compression.Zstd1):
        one = block(pixels[np.newaxis], {"C": 0, "Z": 3}, {"Z": 250}, compression)
        with czi.open_czi(write_czi(tmp_path / "one.czi", [one])) as document:
            assert document.total_bounding_box["Z"] == (3, 4)
            assert np.array_equal(document.read(), pixels)


@pytest.mark.parametrize("compression", [Compression.Uncompressed, Compression.Zstd0])
def test_data_that_fit_neither_are_damaged(compression: Compression, tmp_path: Path) -> None:
    bad = block(planes_of(G16, 3), {"T": 0}, {"T": 4}, compression)
    good = Block(noise(G16, 5, 7, 902), plane={"T": 4})
    with czi.open_czi(write_czi(tmp_path / "bad.czi", [bad, good])) as document:
        assert np.array_equal(document.read(plane={"T": 4}), good.pixels)
        for place in (0, 3):
            with pytest.raises(CorruptFileError, match=r"sub-block 0 .*claims 4 planes"):
                document.read(plane={"T": place})


def test_an_absurd_size_costs_nothing(tmp_path: Path) -> None:
    one = Block(noise(G8, 4, 4, 903), plane={"T": 0, "Z": 0}, sizes={"T": 2**31 - 1, "Z": 2**20})
    with czi.open_czi(write_czi(tmp_path / "absurd.czi", [one])) as document:
        assert document.total_bounding_box["T"] == (0, 1)
        assert np.array_equal(document.read(), one.pixels)


def test_only_the_bytes_of_one_plane_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    planes = planes_of(G8, 200, h=100, w=100)
    path = write_czi(tmp_path / "long.czi", [block(planes, {"T": 0}, {"T": 200})])
    read: list[int] = []
    read_into, read_at = ByteSource.read_into, ByteSource.read_at

    def counted_into(self: ByteSource, offset: int, buffer: memoryview) -> int:
        read.append(len(buffer))
        return read_into(self, offset, buffer)

    def counted_at(self: ByteSource, offset: int, count: int) -> bytes:
        read.append(count)
        return read_at(self, offset, count)

    with czi.open_czi(path) as document:
        monkeypatch.setattr(ByteSource, "read_into", counted_into)
        monkeypatch.setattr(ByteSource, "read_at", counted_at)
        assert np.array_equal(document.read(plane={"T": 150}), planes[150])
    assert planes[0].nbytes <= sum(read) <= 2 * planes[0].nbytes


@pytest.mark.parametrize("hilo", [False, True])
def test_each_compressed_sub_block_is_decoded_about_once(
    hilo: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stacks = [planes_of(G16, 60, seed=910 + m) for m in range(3)]
    tiles = [
        replace(block(planes, {"T": 0}, {"T": 60}, Compression.Zstd1, hilo), x=7 * m, m=m)
        for m, planes in enumerate(stacks)
    ]
    path = write_czi(tmp_path / "mosaic.czi", tiles)
    decoded: list[int] = []
    decode_zstd = decode.decode_zstd

    def counted(*arguments: Any) -> NDArray[Any]:
        pixels = decode_zstd(*arguments)
        decoded.append(pixels.nbytes)
        return pixels

    monkeypatch.setattr(decode, "decode_zstd", counted)
    with CziImage(path, threads=1) as image:
        for place in range(60):
            found = image.get_image_data("YX", T=place)
            assert np.array_equal(found, np.hstack([planes[place, ..., 0] for planes in stacks]))
    size = sum(planes.nbytes for planes in stacks)
    assert sum(decoded) == size


def test_what_is_kept_of_them_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stacks = [planes_of(G16, 4, seed=920 + m) for m in range(6)]
    monkeypatch.setattr(decode, "_MOST_KEPT", 2 * stacks[0].nbytes)
    tiles = [
        replace(block(planes, {"T": 0}, {"T": 4}, Compression.Zstd0), x=7 * m, m=m)
        for m, planes in enumerate(stacks)
    ]
    with czi.open_czi(write_czi(tmp_path / "mosaic.czi", tiles), threads=1) as document:
        for place, _ in itertools.product(range(4), range(3)):
            expected = np.hstack([planes[place] for planes in stacks])
            assert np.array_equal(document.read(plane={"T": place}), expected)
        for m, place in itertools.product(range(6), range(4)):  # and one after the other
            found = document.read(plane={"T": place}, roi=(7 * m, 0, 7, 5))
            assert np.array_equal(found, stacks[m][place])
        with document._session.document() as opened:
            kept = opened.decoder._stacks._kept
            assert list(kept) == [4, 5]


def test_a_copy_keeps_them_as_they_are_stored(tmp_path: Path) -> None:
    path, planes = line_scan(tmp_path, "T", Compression.Zstd1, hilo=True)
    czi.copy(path, tmp_path / "copy.czi")
    with czi.open_czi(path) as before, czi.open_czi(tmp_path / "copy.czi") as after:
        assert len(after.subblocks) == 9
        for index in range(3):
            assert after.read_subblock(index).raw_data == before.read_subblock(index).raw_data
            assert after.read_subblock(index).planes == before.read_subblock(index).planes
    with CziImage(tmp_path / "copy.czi") as image:
        assert np.array_equal(image.data[:, 0, 0], planes[..., 0])


@pytest.mark.parametrize(("compression", "hilo"), PACKINGS)
def test_a_copy_of_some_planes_has_those_alone(
    compression: Compression, hilo: bool, tmp_path: Path
) -> None:
    path, planes = line_scan(tmp_path, "T", compression, hilo)
    czi.copy(path, tmp_path / "some.czi", planes={"T": range(3, 7)})
    with czi.open_czi(tmp_path / "some.czi") as document:
        assert document.total_bounding_box["T"] == (3, 7)
        for place in range(3, 7):
            assert np.array_equal(document.read(plane={"T": place}), planes[place])
    czi.copy(path, tmp_path / "again.czi", planes={"T": [1, 8]}, renumber=True)
    with CziImage(tmp_path / "again.czi") as image:
        assert np.array_equal(image.data[:, 0, 0], planes[[1, 8], ..., 0])


@pytest.mark.parametrize("scheme", ["zstd1:", "zstd0:", "uncompressed:", "jpgxr:"])
def test_recompression_keeps_all_planes(scheme: str, tmp_path: Path) -> None:
    if scheme == "jpgxr:":
        pytest.importorskip("imagecodecs", reason="encodes JPEG XR")
    path, planes = line_scan(tmp_path, "Z")
    czi.copy(path, tmp_path / "packed.czi", compression=scheme)
    with CziImage(tmp_path / "packed.czi") as image:
        assert np.array_equal(image.data[0, 0], planes[..., 0])


def test_a_pyramid_is_made_of_every_plane(tmp_path: Path) -> None:
    planes = planes_of(G8, 3, h=64, w=64)
    path = write_czi(tmp_path / "flat.czi", [block(planes, {"C": 0, "T": 0}, {"T": 3})])
    options = czi.PyramidOptions(tile=32, until=32, filter="nearest")
    czi.add_pyramid(path, options, dest=tmp_path / "deep.czi")
    with CziImage(tmp_path / "deep.czi") as image:
        assert np.array_equal(image.data[:, 0, 0], planes[..., 0])
        small = image.asarray(level=1)[:, 0, 0]
        assert np.array_equal(small, planes[:, ::2, ::2, 0])


def test_places_beyond_32_bits_are_not_believed(tmp_path: Path) -> None:
    planes = planes_of(G8, 2)
    for last, count in ((2**31 - 2, 2), (2**31 - 1, 1)):
        path = write_czi(tmp_path / "far.czi", [block(planes, {"C": 0, "T": last}, {"T": 2})])
        with czi.open_czi(path) as document:
            assert document.total_bounding_box["T"] == (last, last + count)
            for place in range(count):
                assert np.array_equal(document.read(plane={"T": last + place}), planes[place])
