"""Hostile JPEG XR data are errors; CZICTYPES_JPEGXR=process decodes in helper processes."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from files.block import Block
from files.builder import write_czi
from files.jpeg_xr import JPEG_XR_TYPES, jpeg_xr_tile
from numpy.typing import NDArray

from czictypes import czi, library_info
from czictypes.model.errors import CorruptFileError, CziError
from czictypes.model.pixel_types import Compression, PixelType
from czictypes.reading import jpegxr_process

CRASHES = "import czictypes.reading.jpegxr_process as made; made.decoded = lambda *_: os.abort(); "


@pytest.fixture
def patched() -> None:
    """Skip what may crash a library that is not ours."""
    if not library_info().is_patched:
        pytest.skip(f"{library_info().path} is not patched: run `python build_native.py`")


@pytest.fixture
def helpers(monkeypatch: pytest.MonkeyPatch) -> Iterator[jpegxr_process._Pool]:
    """Decode in helper processes of the test's own."""
    pool = jpegxr_process._Pool()
    monkeypatch.setattr(jpegxr_process, "_pool", pool)
    monkeypatch.setenv("CZICTYPES_JPEGXR", "process")
    yield pool
    pool.end_all()


@pytest.fixture
def tiles(tmp_path: Path) -> Path:
    """A file of four tiles, 10 x 12 gray16, side by side."""
    pixels, data = jpeg_xr_tile(PixelType.Gray16)
    block = [
        Block(pixels, x=12 * k, compression=Compression.JpegXr, payload=data) for k in range(4)
    ]
    return write_czi(tmp_path / "tiles.czi", block)


def read(path: Path) -> NDArray[Any]:
    with czi.open_czi(path) as document:
        return document.read()


def kill(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()


def in_bitstream(data: bytes, offset: int, value: int) -> bytes:
    """Return a JPEG XR file with a byte of its bitstream's header changed."""
    at = data.index(b"WMPHOTO\0") + offset
    return data[:at] + bytes([value]) + data[at + 1 :]


@pytest.mark.usefixtures("patched")
@pytest.mark.parametrize("pixel_type", JPEG_XR_TYPES, ids=lambda kind: kind.name)
@pytest.mark.parametrize(
    ("offset", "value"),
    [
        pytest.param(8, 0x1F, id="a later version"),
        pytest.param(9, 0x84, id="more tiles than macroblocks"),
        pytest.param(10, 0xC1, id="an alpha plane"),
        pytest.param(11, 0x41, id="CMYK"),
        pytest.param(11, 0x61, id="many components"),
        pytest.param(11, 0x73, id="RGB of 16 bits and sign"),
        pytest.param(11, 0x79, id="RGB of 10 bits"),
        pytest.param(16, 0x80, id="CMYK inside"),
        pytest.param(16, 0xC0, id="many components inside"),
        pytest.param(16, 0xA0, id="a kind that is none"),
        pytest.param(16, 0x04, id="subbands by themselves"),
        pytest.param(16, 0x0F, id="subbands that are none"),
    ],
)
def test_a_bitstream_of_another_kind_is_refused(
    pixel_type: PixelType, offset: int, value: int, tmp_path: Path
) -> None:
    pixels, data = jpeg_xr_tile(pixel_type)
    block = Block(pixels, compression=Compression.JpegXr, payload=in_bitstream(data, offset, value))
    path = write_czi(tmp_path / "hostile.czi", [block])
    with pytest.raises(CorruptFileError, match=r"sub-block 0 .*hostile\.czi .*cannot be decoded"):
        read(path)


@pytest.mark.usefixtures("patched")
@pytest.mark.parametrize("pixel_type", JPEG_XR_TYPES, ids=lambda kind: kind.name)
def test_damaged_data_give_pixels_or_an_error(
    pixel_type: PixelType, rng: np.random.Generator, tmp_path: Path
) -> None:
    pixels, data = jpeg_xr_tile(pixel_type)
    start, blocks = data.index(b"WMPHOTO\0"), []
    for k in range(200):
        damaged = bytearray(data)
        for at in rng.integers(start if k % 4 else 0, len(data), 1 + k % 5):
            damaged[at] = rng.integers(256)
        blocks.append(
            Block(pixels, plane={"C": k}, compression=Compression.JpegXr, payload=bytes(damaged))
        )
    path = write_czi(tmp_path / "damaged.czi", blocks)
    read_well = 0
    with czi.open_czi(path, threads=1) as document:
        for k in range(len(blocks)):
            with suppress(CorruptFileError):
                read_well += document.read(plane={"C": k}).shape == pixels.shape
    assert 0 < read_well < len(blocks)


@pytest.mark.usefixtures("helpers")
@pytest.mark.parametrize("pixel_type", JPEG_XR_TYPES, ids=lambda kind: kind.name)
def test_a_helper_gives_the_same_pixels(pixel_type: PixelType, tmp_path: Path) -> None:
    pixels, data = jpeg_xr_tile(pixel_type)
    block = Block(pixels, compression=Compression.JpegXr, payload=data)
    assert np.array_equal(read(write_czi(tmp_path / "tile.czi", [block])), pixels)


def test_a_helper_is_used_again(helpers: jpegxr_process._Pool, tiles: Path) -> None:
    with czi.open_czi(tiles, threads=1) as document:
        expected = document.read()
        assert np.array_equal(document.read(), expected)
    assert len(helpers._all) == 1


def test_each_thread_has_a_helper(helpers: jpegxr_process._Pool, tiles: Path) -> None:
    meet = threading.Barrier(3)
    pixels, data = jpeg_xr_tile(PixelType.Gray16)

    def decode(_: int) -> NDArray[Any]:
        helper = helpers.take(library_info().path)
        meet.wait()
        made = helper.decode(data, 12, 10, PixelType.Gray16, Compression.JpegXr)
        helpers.give_back(helper)
        return made

    with ThreadPoolExecutor(3) as threads:
        for made in threads.map(decode, range(3)):
            assert np.array_equal(made, pixels)
    assert len(helpers._all) == 3
    with ThreadPoolExecutor(3) as threads:
        first = read(tiles)
        assert all(np.array_equal(one, first) for one in threads.map(read, [tiles] * 9))


def test_a_helper_that_was_killed_is_replaced(helpers: jpegxr_process._Pool, tiles: Path) -> None:
    expected = read(tiles)
    for helper in helpers._all:
        kill(helper._process)
    assert np.array_equal(read(tiles), expected)


def test_a_crash_is_an_error_that_names_the_tile(
    helpers: jpegxr_process._Pool, tiles: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        start = jpegxr_process._START.replace("; serve(", "; import os; " + CRASHES + "serve(")
        patched.setattr(jpegxr_process, "_START", start)
        with pytest.raises(CorruptFileError, match=r"sub-block \d .*tiles\.czi .*helper process"):
            read(tiles)
    helpers.end_all()
    assert read(tiles).shape == (10, 48, 1)


@pytest.mark.usefixtures("helpers")
def test_damaged_data_are_the_same_error_in_a_helper(tmp_path: Path) -> None:
    pixels, data = jpeg_xr_tile(PixelType.Gray8)
    damaged = in_bitstream(data, 0, 0)
    block = Block(pixels, compression=Compression.JpegXr, payload=damaged)
    path = write_czi(tmp_path / "damaged.czi", [block])
    with pytest.raises(CorruptFileError, match=r"damaged\.czi .*its data are damaged"):
        read(path)
    with pytest.raises(CorruptFileError, match=r"damaged\.czi .*its data are damaged"):
        read(path)


def test_an_interrupt_discards_the_helper(
    helpers: jpegxr_process._Pool, tiles: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(jpegxr_process._Helper, "_read", interrupted)
        with pytest.raises(KeyboardInterrupt), czi.open_czi(tiles, threads=1) as document:
            document.read()
    assert not helpers._all
    assert read(tiles).shape == (10, 48, 1)


@pytest.mark.usefixtures("helpers")
def test_a_helper_that_cannot_start_is_told(tiles: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jpegxr_process, "_START", "raise SystemExit(3)")
    with pytest.raises(CziError, match=r"ended while it started.*unset CZICTYPES_JPEGXR") as caught:
        read(tiles)
    assert not isinstance(caught.value, CorruptFileError)


def test_another_value_is_refused(tiles: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CZICTYPES_JPEGXR", "thread")
    with pytest.raises(ValueError, match="CZICTYPES_JPEGXR must be 'process' or not set"):
        read(tiles)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system cannot fork")
def test_a_forked_child_has_helpers_of_its_own(helpers: jpegxr_process._Pool, tiles: Path) -> None:
    expected = read(tiles)
    process = next(iter(helpers._all))._process
    child = os.fork()
    if not child:
        try:
            helpers.after_fork()
            same = np.array_equal(read(tiles), expected)
            helpers.end_all()
            os._exit(0 if same else 1)
        finally:
            os._exit(2)
    assert os.waitpid(child, 0)[1] == 0
    assert process.poll() is None
    assert np.array_equal(read(tiles), expected)


@pytest.mark.skipif(sys.platform == "win32", reason="asks for the process by its number")
def test_helpers_end_with_their_process(tiles: Path) -> None:
    code = (
        "import sys; from czictypes import czi; from czictypes.reading import jpegxr_process\n"
        "czi.open_czi(sys.argv[1], threads=1).read()\n"
        "print(*(helper._process.pid for helper in jpegxr_process._pool._all))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tiles)],
        env={**os.environ, "CZICTYPES_JPEGXR": "process"},
        check=True,
        stdout=subprocess.PIPE,
    )
    (number,) = map(int, done.stdout.split())
    with pytest.raises(ProcessLookupError):
        os.kill(number, 0)


def test_nothing_is_left_behind(tiles: Path, helpers: jpegxr_process._Pool) -> None:
    read(tiles)
    helpers.end_all()
    gc.collect()  # a process or pipe that nobody ended would warn
    assert not helpers._all
