"""What docs/faq.md says is true: its code runs and prints what it claims, for every request."""

from __future__ import annotations

import logging
import re
from pathlib import Path

import pytest
from extras import needs
from files.block import Block
from files.builder import write_czi
from files.patterns import noise
from pages import ROOT, assert_prints_what_it_says, code_blocks

from czictypes.model.pixel_types import PixelType

FAQ = ROOT / "docs" / "faq.md"

#: The requests for reading and writing that the page is to answer, by repository.
REQUESTS = {
    "ZEISS/pylibczirw": {10, 13, 18, 36, 38, 50, 51, 53, 56, 58, 80, 104, 113, 119},
    "bioio-devs/bioio": {31, 33, 107, 170, 176},
    "AllenCellModeling/aicspylibczi": {40, 106, 119, 123, 129},
    "AllenCellModeling/aicsimageio": {138, 482, 524},
    "sebi06/czitools": {32},
    "ZEISS/libczi": {8, 170},
    "quiltdata/quilt": {4992},
    "ome/bioformats": {4194},
    "rendeirolab/wsidata": {65},
}


def test_the_page_prints_what_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module, extra in (("dask.array", "dask"), ("PIL.Image", "cli"), ("ome_types", "ome")):
        needs(module, extra)
    memory = needs("fsspec", "remote").filesystem("memory")
    needs("aiohttp", "remote")
    monkeypatch.chdir(tmp_path)
    write_czi(tmp_path / "bgra.czi", [Block(noise(PixelType.Bgra32, 20, 30, 1))])
    try:
        assert assert_prints_what_it_says(code_blocks(FAQ, "python"), FAQ) > 25
    finally:
        memory.rm("/faq", recursive=True)
        logging.getLogger("czictypes").setLevel(logging.NOTSET)


def test_every_request_is_answered() -> None:
    found: dict[str, set[int]] = {}
    for repository, number in re.findall(
        r"https://github\.com/([\w-]+/[\w-]+)/issues/(\d+)", FAQ.read_text(encoding="utf-8")
    ):
        found.setdefault(repository, set()).add(int(number))
    assert found == REQUESTS
