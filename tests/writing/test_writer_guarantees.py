"""All or nothing: processes that die, disks that are full, files that fail."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from czictypes.reading.reader import CziReader
from czictypes.writing.writer import create_czi

posix_only = pytest.mark.skipif(sys.platform == "win32", reason="about POSIX processes")

#: Writes a file of about 3 MB again and again, each time with one more in its pixels.
WRITE_FOREVER = """
import itertools, sys
import numpy as np
from czictypes.writing.writer import create_czi
for number in itertools.count(2):
    with create_czi(sys.argv[1], overwrite=True, compression="zstd0:") as document:
        for z in range(4):
            document.write(np.full((900, 900), number % 250, np.uint8), plane={"Z": z})
            if number == 2 and z == 0:
                print("begun", flush=True)
"""

#: Writes noise; the limit is in bytes.
WRITE_TOO_MUCH = """
import sys
import numpy as np
from czictypes.writing.writer import create_czi
if len(sys.argv) > 2:
    import resource, signal
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]),) * 2)
pixels = np.random.default_rng(0).integers(0, 255, (1500, 1500)).astype(np.uint8)
try:
    with create_czi(sys.argv[1], overwrite=True) as document:
        for z in range(4):
            document.write(pixels, plane={"Z": z})
except OSError as error:
    print(type(error).__name__, error.errno, error.filename)
else:
    print("written")
"""


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def write_ones(path: Path) -> None:
    with create_czi(path, overwrite=True) as document:
        for z in range(4):
            document.write(np.ones((900, 900), np.uint8), plane={"Z": z})


def assert_one_whole_document(path: Path) -> None:
    with CziReader(path) as read:
        planes = [read.read(plane={"Z": z}) for z in range(4)]
    values = {int(value) for plane in planes for value in np.unique(plane)}
    assert len(values) == 1, "pixels of two documents in one"
    assert all(plane.shape == (900, 900, 1) for plane in planes)


@posix_only
@pytest.mark.slow
def test_a_process_killed_at_any_moment_leaves_one_whole_document(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    path = tmp_path / "killed.czi"
    write_ones(path)
    for delay in rng.uniform(0, 0.3, 12):
        with subprocess.Popen(
            [sys.executable, "-c", WRITE_FOREVER, str(path)], stdout=subprocess.PIPE
        ) as process:
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(delay)
            os.kill(process.pid, signal.SIGKILL)
        assert_one_whole_document(path)
    write_ones(path)
    assert names(tmp_path) == ["killed.czi"]


@posix_only
@pytest.mark.parametrize("limit", [100, 5_000, 2_250_000, 4_600_000, 9_000_000])
def test_a_file_too_large_for_the_disk_leaves_what_was_there(tmp_path: Path, limit: int) -> None:
    path = tmp_path / "full.czi"
    write_ones(path)
    before = path.read_bytes()
    done = subprocess.run(
        [sys.executable, "-c", WRITE_TOO_MUCH, str(path), str(limit)],
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    assert done.stdout == f"FileAccessError 27 {path}\n"
    assert path.read_bytes() == before
    assert names(tmp_path) == ["full.czi"]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 4 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)]
    try:
        subprocess.run(mount, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no permission to mount a small file system ({error})")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_says_so_and_nothing_is_left(small_disk: Path) -> None:
    path = small_disk / "full.czi"
    done = subprocess.run(
        [sys.executable, "-c", WRITE_TOO_MUCH, str(path)],
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    assert done.stdout == f"FileAccessError 28 {path}\n"
    assert names(small_disk) == []


def test_a_folder_that_cannot_be_written_to(users_folder: Path) -> None:
    users_folder.chmod(0o500)
    with pytest.raises(PermissionError, match=r"new\.czi"):
        create_czi(users_folder / "new.czi")


def test_an_interrupt_leaves_nothing(tmp_path: Path) -> None:
    with contextlib.suppress(KeyboardInterrupt), create_czi(tmp_path / "new.czi") as document:
        document.write(np.zeros((5, 5), np.uint8))
        raise KeyboardInterrupt
    assert names(tmp_path) == []
