"""The bytes are right with every libCZI that czictypes is built with."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from older_library import OLDER_VERSION
from older_library import older_library as older_library

from czictypes.libczi.library import get_library
from czictypes.reading.reader import CziReader

TEXTS = ["uncompressed:", "zstd0:", "zstd1:", "zstd1:PreProcess=HiLoByteUnpack"]
NUMBERS = [0, 5, 6, 6]

#: Writes one plane per compression, and prints the version of libCZI and the sub-blocks patched.
WRITE = f"""
import sys
import numpy as np
from czictypes.libczi.library import get_library
from czictypes.writing.writer import create_czi
with create_czi(sys.argv[1]) as document:
    patcher = document._session.assembly._sink.patcher
    for z, text in enumerate({TEXTS!r}):
        pixels = np.arange(600, dtype=np.uint16).reshape(20, 30) + z
        document.write(pixels, plane={{"Z": z}}, compression=text)
print(*get_library().version, patcher.patched)
"""


@pytest.mark.parametrize("which", ["bundled", "older"])
def test_compressed_sub_blocks(tmp_path: Path, request: pytest.FixtureRequest, which: str) -> None:
    library = get_library().path if which == "bundled" else request.getfixturevalue("older_library")
    path = tmp_path / "new.czi"
    done = subprocess.run(
        [sys.executable, "-c", WRITE, str(path)],
        env={**os.environ, "CZICTYPES_LIBRARY": str(library)},
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    *version, patched = map(int, done.stdout.split())
    expected_version = ".".join(map(str, get_library().version))
    assert ".".join(map(str, version)) == (OLDER_VERSION if which == "older" else expected_version)
    assert patched == 3, "libCZI writes the field now: test that nothing is patched then"
    with CziReader(path) as read:
        assert read.subblocks["compression"].tolist() == NUMBERS
        for z in range(len(TEXTS)):
            expected = np.arange(600, dtype=np.uint16).reshape(20, 30, 1) + z
            assert np.array_equal(read.read(plane={"Z": z}), expected)
