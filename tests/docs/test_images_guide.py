"""docs/images.md is true: its code runs and prints what it claims."""

from __future__ import annotations

from pathlib import Path

import pytest
from extras import needs
from pages import ROOT, assert_prints_what_it_says, code_blocks

GUIDE = ROOT / "docs" / "images.md"


def test_the_guide_prints_what_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    needs("tifffile", "ome-tiff")
    needs("ngff_zarr", "ome-zarr")
    needs("PIL.Image", "cli")
    needs("fsspec", "remote")
    for name in ("dask", "xarray"):
        needs(name, name)
    monkeypatch.chdir(tmp_path)
    assert assert_prints_what_it_says(code_blocks(GUIDE, "python"), GUIDE) > 15
