"""An interrupt at any moment is heard once, locks nothing and leaves nothing behind.

Here are a few hundred; many more, and those of conversions, whose libraries have threads of their
own, by ``python -m threads.interrupted FOLDER COUNT SEED JOB... -v``.
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
LONG = {"ToOmeTiff", "FromTiff", "ToOmeZarr", "ToPng", "Web"}

#: The packages that a job needs, and the extras that have them.
NEEDS = {
    "Remote": [("fsspec", "remote")],
    "RemoteOpens": [("fsspec", "remote")],
    "Web": [("fsspec", "remote"), ("aiohttp", "remote")],
}

pytestmark = [
    pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="the system has no such timers"),
    pytest.mark.skipif(
        sys.version_info < (3, 10) or sys.implementation.name != "cpython",
        reason="this Python lets interrupts come between a with block and its end",
    ),
]


def run(folder: Path, *jobs: str, **variables: str) -> None:
    """Interrupt jobs in a process of its own, which ends by itself and says nothing."""
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


@pytest.mark.parametrize("job", sorted(set(interrupted.JOBS) - LONG))
def test_interrupts_are_heard_and_harm_nothing(job: str, tmp_path: Path) -> None:
    for package, extra in NEEDS.get(job, []):
        needs(package, extra)
    run(tmp_path, job)


def test_interrupts_of_reads_from_a_web_server(tmp_path: Path) -> None:
    for package, extra in NEEDS["Web"]:
        needs(package, extra)
    data = interrupted.source_file(tmp_path).read_bytes()
    with serving() as server:
        run(tmp_path, "Web", CZICTYPES_TEST_URL=server.put("/source.czi", data))
