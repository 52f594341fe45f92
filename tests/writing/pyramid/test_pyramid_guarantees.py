"""Whatever happens while a pyramid is made, the document is the old one or the new one, whole."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from files.block import Block
from files.builder import write_czi
from files.patterns import noise, pattern
from pyramid_reference import assert_right_pyramid

from czictypes.czi import PyramidOptions, add_pyramid
from czictypes.model.errors import CorruptFileError
from czictypes.model.pixel_types import Compression, PixelType
from czictypes.writing.writer import create_czi

posix_only = pytest.mark.skipif(sys.platform == "win32", reason="about POSIX processes")

OPTIONS = PyramidOptions(tile=64, until=100)

ADD_FOREVER = """
import sys
from czictypes.czi import PyramidOptions, add_pyramid
print("begun", flush=True)
for factor in [2, 3] * 1000:
    add_pyramid(sys.argv[1], PyramidOptions(factor=factor, tile=64, until=100))
"""

ADD_WITH_A_LIMIT = """
import resource, signal, sys
from czictypes.czi import PyramidOptions, add_pyramid
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]),) * 2)
try:
    add_pyramid(sys.argv[1], PyramidOptions(tile=64, until=100))
except OSError as error:
    print(type(error).__name__, error.errno, error.filename)
else:
    print("written")
"""

#: Prints the most memory (in MB) that a process took in which a square image got a pyramid.
PEAK = """
import resource, sys
import numpy as np
from czictypes.czi import PyramidOptions, add_pyramid
from czictypes.writing import transfer
from czictypes.writing.pyramid import build
from czictypes.writing.writer import create_czi
path, side, on_write = sys.argv[1], int(sys.argv[2]), sys.argv[3] == "write"
build._CACHE = transfer._IN_MEMORY = 4 << 20  # or images had to be very large
options = PyramidOptions(tile=256)
tile = np.random.default_rng(0).integers(0, 255, (256, 256)).astype(np.uint8)
with create_czi(path, pyramid=options if on_write else None, threads=2) as document:
    for y in range(0, side, 256):
        for x in range(0, side, 256):
            document.write(tile, (x, y))
if not on_write:
    add_pyramid(path, options, threads=2)
unit = 1 << 20 if sys.platform == "darwin" else 1 << 10
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // unit)
"""


def tiles() -> list[Block]:
    return [
        Block(noise(PixelType.Gray8, 128, 128, 8 * y + x), 120 * x, 120 * y, m=8 * y + x)
        for y in range(6)
        for x in range(6)
    ]


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


class StopError(Exception):
    """Raised to stop the work."""


@pytest.mark.parametrize("when", [1, 30, 37, 60])
def test_an_exception_at_any_moment_leaves_the_old_file(tmp_path: Path, when: int) -> None:
    path = write_czi(tmp_path / "old.czi", tiles())
    before = path.read_bytes()

    def stop(done: int, total: int) -> None:
        assert total == len(tiles()) + 6 * 6
        if done == when:
            raise StopError

    with pytest.raises(StopError):
        add_pyramid(path, OPTIONS, progress=stop)
    assert path.read_bytes() == before
    assert names(tmp_path) == ["old.czi"]


def test_a_damaged_sub_block_leaves_the_old_file(tmp_path: Path) -> None:
    blocks = tiles()
    blocks[20] = Block(
        blocks[20].pixels,
        blocks[20].x,
        blocks[20].y,
        m=20,
        compression=Compression.Zstd0,
        payload=b"no zstd frame" * 9,
    )
    path = write_czi(tmp_path / "old.czi", blocks)
    before = path.read_bytes()
    with pytest.raises(CorruptFileError, match="sub-block"):
        add_pyramid(path, OPTIONS)
    assert path.read_bytes() == before
    assert names(tmp_path) == ["old.czi"]


def test_a_failing_pyramid_leaves_no_new_document(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise MemoryError("no memory for this")

    monkeypatch.setattr("czictypes.writing.pyramid.build.reduce_pixels", fail)
    document = create_czi(tmp_path / "new.czi", pyramid=OPTIONS)
    document.write(pattern(PixelType.Gray8, 300, 300))
    with pytest.raises(MemoryError):
        document.close()
    assert names(tmp_path) == []


@posix_only
@pytest.mark.parametrize("share", [0.1, 0.8, 1.0, 1.2])
def test_a_file_too_large_for_the_disk_leaves_the_old_one(tmp_path: Path, share: float) -> None:
    path = write_czi(tmp_path / "old.czi", tiles())
    before = path.read_bytes()
    done = subprocess.run(
        [sys.executable, "-c", ADD_WITH_A_LIMIT, str(path), str(int(len(before) * share))],
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    assert done.stdout == f"FileAccessError 27 {path}\n"
    assert path.read_bytes() == before
    assert names(tmp_path) == ["old.czi"]


@posix_only
@pytest.mark.slow
def test_a_process_killed_at_any_moment_leaves_a_whole_document(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    path = write_czi(tmp_path / "killed.czi", tiles())
    for delay in rng.uniform(0, 0.4, 8):
        with subprocess.Popen(
            [sys.executable, "-c", ADD_FOREVER, str(path)], stdout=subprocess.PIPE
        ) as process:
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(delay)
            os.kill(process.pid, signal.SIGKILL)
    add_pyramid(path, OPTIONS)
    assert_right_pyramid(path, tiles(), tile=64, until=100)
    assert names(tmp_path) == ["killed.czi"]


@posix_only
@pytest.mark.slow
@pytest.mark.parametrize("way", ["add", "write"])
def test_a_larger_image_takes_no_more_memory(tmp_path: Path, way: str) -> None:
    if sys.implementation.name != "cpython":
        pytest.skip("memory is given back when it is no longer used in CPython alone")
    peaks = []
    for side in (2048, 8192):
        done = subprocess.run(
            [sys.executable, "-c", PEAK, str(tmp_path / f"{side}.czi"), str(side), way],
            capture_output=True,
            check=True,
        )
        peaks.append(int(done.stdout))
    small, large = peaks
    assert large - small < 16, f"{peaks} MB, for images of 4 and 64 MB"
