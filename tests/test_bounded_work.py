"""Time and memory follow the size of a file, whatever the numbers in it say."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from files.wild import WILD_FILES

import czictypes

_TARGET = Path(__file__).with_name("bounded_target.py")
_PATHS = [_TARGET.parent, Path(czictypes.__file__).parents[1]]

Try = Callable[[Path], "dict[str, str]"]


@pytest.fixture(scope="module")
def try_everything() -> Iterator[Try]:
    """Give a function that does all operations with a file, and returns what went wrong."""
    if sys.platform != "linux" or sys.implementation.name != "cpython":
        pytest.skip("the memory of a process is limited as needed here by Linux, for CPython")
    paths = [*map(str, _PATHS), os.environ.get("PYTHONPATH", "")]
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join(filter(None, paths)))
    # memory that the C library sets aside for each thread would count
    environment.update(MALLOC_ARENA_MAX="1", OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")
    environment.update(CZICTYPES_THREADS="2", DASK_NUM_WORKERS="2")
    process = subprocess.Popen(
        [sys.executable, str(_TARGET)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )
    assert process.stdin is not None
    assert process.stdout is not None

    def run(path: Path) -> dict[str, str]:
        assert process.stdin is not None
        assert process.stdout is not None
        print(json.dumps(str(path)), file=process.stdin, flush=True)
        found: dict[str, str] = json.loads(process.stdout.readline())
        return found

    with process:
        yield run
        process.stdin.close()


@pytest.mark.slow
@pytest.mark.parametrize("name", WILD_FILES)
def test_a_small_file_takes_little_time_and_memory(
    try_everything: Try, tmp_path: Path, name: str
) -> None:
    path = tmp_path / f"{name}.czi"
    path.write_bytes(WILD_FILES[name]())
    assert try_everything(path) == {}
