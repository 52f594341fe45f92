"""What the logger ``czictypes`` tells, and that it costs reads nothing where it is off."""

from __future__ import annotations

import io
import logging
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from container.czi_bytes import Tile, build_parts, write_parts
from files.block import Block
from files.builder import write_czi
from files.jpeg_xr import jpeg_xr_tile
from files.recipes import Made

import czictypes
from czictypes import czi, library_info
from czictypes.kernel.library import get_kernel, kernel_info
from czictypes.model.pixel_types import Compression, PixelType
from czictypes.reading import jpegxr_process

Make = Callable[[str], Made]


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture) -> Callable[[], str]:
    """Switch logging on; give a function that returns what was logged since its last call."""
    caplog.set_level(logging.DEBUG, "czictypes")

    def take() -> str:
        lines = [one.getMessage() for one in caplog.records if one.name.startswith("czictypes.")]
        caplog.clear()
        return "\n".join(lines)

    return take


def output_of(code: str, **environment: str) -> str:
    """Return what a fresh process prints."""
    paths = [str(Path(czictypes.__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths)), **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=True,
    )
    return done.stdout


OPENS = "from czictypes import czi; czi.open_czi({!r}).close()"


def test_nothing_is_printed_or_set_up_without_being_asked(made: Make) -> None:
    shows = "; import logging; log = logging.getLogger('czictypes'); print(log.handlers, log.level)"
    assert output_of(OPENS.format(str(made("mosaic").path)) + shows).split() == ["[]", "0"]


def test_the_libraries_are_told_once_with_their_paths(made: Make) -> None:
    code = "import logging; logging.basicConfig(level='INFO'); " + 2 * (
        OPENS.format(str(made("mosaic").path)) + "; "
    )
    library = library_info()
    told = output_of(code)
    assert told.count(f"loaded libCZI {library.version_text} from {library.path}") == 1
    if get_kernel() is not None:
        assert told.count(f"loaded the kernel from {kernel_info().path}") == 1
    without = output_of(code, CZICTYPES_KERNEL="0")
    assert without.count("painted by numpy, without the kernel: CZICTYPES_KERNEL=0") == 1


def test_an_opened_file_is_told(made: Make, logged: Callable[[], str]) -> None:
    path = made("mosaic").path
    size = path.stat().st_size
    with czi.open_czi(path) as document:
        count = len(document.subblocks)
    told = logged()
    assert f"opened {path} (local file, {size} bytes) in " in told
    assert f" ms: {count} sub-blocks" in told
    with path.open("rb") as file, czi.open_czi(file):
        pass
    assert f"opened {path} (file object, {size} bytes) in " in logged()


def test_a_changed_file_is_told(made: Make, tmp_path: Path, logged: Callable[[], str]) -> None:
    path = tmp_path / "changed.czi"
    path.write_bytes(made("mosaic").path.read_bytes())
    with czi.open_czi(path) as document:
        logged()
        other = tmp_path / "other.czi"
        other.write_bytes(made("single").path.read_bytes())
        other.replace(path)
        document.read()
    told = logged()
    assert f"{path} changed, and is opened again\n" in told
    assert f"opened {path} " in told


def test_parts_are_told(tmp_path: Path, logged: Callable[[], str]) -> None:
    one = {"w": 2, "h": 2, "pixel_type": 0, "data": bytes(4)}
    tiles = [Tile(coordinates={"T": number}, **one) for number in range(2)]
    path = write_parts(tmp_path / "scan.czi", build_parts(tiles[:1], tiles[1:]))
    with czi.open_czi(path) as document:
        document.read(plane={"T": 1})
    told = logged()
    assert "2 sub-blocks in several files" in told
    assert f"part 1 of {path} is {tmp_path / 'scan (1).czi'}" in told


def test_the_way_of_a_read_is_told(
    made: Make, logged: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = made("mosaic").path
    monkeypatch.setenv("CZICTYPES_KERNEL", "0")
    with czi.open_czi(path) as document:
        height, width, _ = document.read().shape
    assert f"numpy painted {width} x {height} pixels of {path}: plane " in logged()
    monkeypatch.delenv("CZICTYPES_KERNEL")
    if get_kernel() is None:
        return
    with czi.open_czi(path) as document:
        document.read(zoom=0.5)
    told = logged()
    assert f"the kernel painted {width // 2} x {height // 2} pixels of {path}" in told
    assert ", zoom 0.5, tiles " in told
    assert "gave the kernel" not in told  # it reads the file by itself
    with czi.open_czi(io.BytesIO(path.read_bytes())) as document:
        document.read()
    told = logged()
    assert "gave the kernel " in told
    assert " bytes\n" in told


def test_a_read_asks_nothing_where_logging_is_off(
    made: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    with czi.open_czi(made("mosaic").path) as document:
        document.read(roi=(0, 0, 8, 8))
        monkeypatch.setattr(logging.Logger, "isEnabledFor", lambda *_: asked.append(1))
        document.read(roi=(0, 0, 8, 8))
    assert not asked


def test_libczi_is_told_of_where_it_opens_a_file(made: Make, logged: Callable[[], str]) -> None:
    with czi.open_czi(made("mosaic").path) as document:
        assert "libCZI opens" not in logged()
        document.composite()  # whose settings it reads
    assert f"libCZI opens {made('mosaic').path}" in logged()


def test_helper_processes_are_told(
    tmp_path: Path, logged: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pixels, data = jpeg_xr_tile(PixelType.Gray16)
    block = Block(pixels, compression=Compression.JpegXr, payload=data)
    path = write_czi(tmp_path / "tile.czi", [block])
    pool = jpegxr_process._Pool()
    monkeypatch.setattr(jpegxr_process, "_pool", pool)
    monkeypatch.setenv("CZICTYPES_JPEGXR", "process")
    try:
        with czi.open_czi(path) as document:
            document.read()
            (helper,) = pool._all
            number = helper._process.pid
            assert f"process {number} decodes JPEG XR, with {library_info().path}" in logged()
            with pytest.raises(jpegxr_process.HelperEndedError):
                helper._ended()
            assert f"process {number}, which decoded JPEG XR, ended " in logged()
    finally:
        pool.end_all()
