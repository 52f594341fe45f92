"""What docs/metadata.md says is true: its code runs and prints what it claims."""

from __future__ import annotations

from pathlib import Path

import pytest
from extras import needs
from pages import ROOT, assert_prints_what_it_says, code_blocks

GUIDE = ROOT / "docs" / "metadata.md"


def test_the_guide_prints_what_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    needs("xarray", "xarray")
    needs("dask.array", "dask")
    needs("ome_types", "ome")
    monkeypatch.chdir(tmp_path)
    assert assert_prints_what_it_says(code_blocks(GUIDE, "python"), GUIDE) == 28
