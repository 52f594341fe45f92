"""docs/choosing.md is true: its code runs and prints what it claims."""

from __future__ import annotations

from pathlib import Path

import pytest
from extras import needs
from pages import ROOT, assert_prints_what_it_says, code_blocks

GUIDE = ROOT / "docs" / "choosing.md"


def test_the_guide_prints_what_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    needs("PIL.Image", "cli")
    needs("dask.array", "dask")
    memory = needs("fsspec", "remote").filesystem("memory")
    monkeypatch.chdir(tmp_path)
    try:
        assert assert_prints_what_it_says(code_blocks(GUIDE, "python"), GUIDE) > 20
    finally:
        memory.rm("/choosing", recursive=True)
