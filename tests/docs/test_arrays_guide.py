"""What docs/arrays.md says is true: its code runs and prints what it claims."""

from __future__ import annotations

from pathlib import Path

import pytest
from extras import needs
from pages import ROOT, assert_prints_what_it_says, code_blocks

GUIDE = ROOT / "docs" / "arrays.md"
LAZY = ("dask", "xarray")


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def blocks() -> list[str]:
    """Return the code, without the script for a cluster, which has a test of its own."""
    return [one for one in code_blocks(GUIDE, "python") if "Client(" not in one]


def test_the_guide_prints_what_it_says() -> None:
    plain = [one for one in blocks() if not any(name in one for name in LAZY)]
    assert assert_prints_what_it_says(plain, GUIDE) > 10


def test_so_it_does_with_lazy_and_labelled_arrays() -> None:
    for name in LAZY:
        needs(name, name)
    assert assert_prints_what_it_says(blocks(), GUIDE) > 15
