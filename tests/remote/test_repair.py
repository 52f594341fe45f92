"""Repairing a file on a server: it is read about once, its heads are asked for together."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from files.block import Block
from files.builder import write_czi
from files.patterns import noise
from stored import stored_blocks

from czictypes import czi
from czictypes.model.errors import NotCziError
from czictypes.model.pixel_types import PixelType
from remote.server import RangeServer


def source(folder: Path) -> Path:
    blocks = [Block(noise(PixelType.Gray8, 500, 500, t), plane={"C": 0, "T": t}) for t in range(20)]
    return write_czi(folder / "source.czi", blocks)


def test_a_file_on_a_server_is_repaired(server: RangeServer, tmp_path: Path) -> None:
    path, target = source(tmp_path), tmp_path / "repaired.czi"
    data = bytearray(path.read_bytes())
    url = server.put("/whole.czi", bytes(data))
    assert czi.repair(url, target).is_complete
    assert stored_blocks(target) == stored_blocks(path)
    assert server.sent < 1.5 * len(data)
    data[84:92] = bytes(8)
    data[-5000:] = np.random.default_rng(1).bytes(5000)
    report = czi.repair(server.put("/broken.czi", bytes(data)), target, overwrite=True)
    assert (report.sub_blocks, report.directory) == (20, "rebuilt")


def test_an_error_shows_no_password(server: RangeServer, tmp_path: Path) -> None:
    url = server.put("/other.txt", b"no CZI" * 100).replace("http://", "http://me:secret@")
    with pytest.raises(NotCziError, match="is not a CZI file") as caught:
        czi.repair(url, tmp_path / "repaired.czi")
    assert "secret" not in str(caught.value)
