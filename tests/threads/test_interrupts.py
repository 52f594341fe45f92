"""An interrupt at any moment is heard once, locks nothing and leaves nothing behind.

Here are a few hundred; many more, and those of work that takes long, by
``python -m threads.interrupted FOLDER COUNT SEED JOB... -v``.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from extras import needs
from remote.server import serving
from threads import interrupted

TESTS = Path(__file__).parents[1]
COUNT = 12
#: Left to the command.
LONG = {
    *("ToOmeZarr", "ToArchive", "FromTiff", "FromOmeZarr", "FromDask", "DeepZooms"),
    *("Commands", "Web"),
}
#: Jobs that need a package, and the extras that have it. A process does all that need the same.
NEEDS = {
    ("fsspec", "remote"): ["Remote", "RemoteOpens"],
    ("PIL", "cli"): ["ToPng", "FromPng"],
    ("tifffile", "ome-tiff"): ["ToOmeTiff"],
    ("zarr.abc.store", "ome-zarr"): ["ToOmeZarrByZarr"],
}
PLAIN = sorted(set(interrupted.JOBS) - LONG - {job for jobs in NEEDS.values() for job in jobs})

pytestmark = [
    pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="the system has no such timers"),
    pytest.mark.skipif(
        sys.version_info < (3, 10) or sys.implementation.name != "cpython",
        reason="this Python lets interrupts come between a with block and its end",
    ),
]


def run(folder: Path, *jobs: str, **variables: str) -> None:
    """Interrupt jobs in a process of its own, which ends by itself and says nothing."""
    needs("imagecodecs", "jpegxr")  # which compresses what they read
    done = subprocess.run(
        [sys.executable, "-m", "threads.interrupted", str(folder), str(COUNT), "1", *jobs],
        cwd=TESTS,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_interrupts_are_heard_and_harm_nothing(tmp_path: Path) -> None:
    run(tmp_path, *PLAIN)


@pytest.mark.parametrize(("package", "extra"), NEEDS)
def test_interrupts_of_what_other_packages_do(package: str, extra: str, tmp_path: Path) -> None:
    needs(package, extra)
    run(tmp_path, *NEEDS[package, extra])


def test_interrupts_of_reads_from_a_web_server(tmp_path: Path) -> None:
    needs("fsspec", "remote")
    needs("aiohttp", "remote")
    data = interrupted.source_file(tmp_path).read_bytes()
    with serving() as server:
        run(tmp_path, "Web", CZICTYPES_TEST_URL=server.put("/source.czi", data))
