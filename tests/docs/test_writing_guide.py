"""What docs/writing.md says is true: its code runs and prints what it claims."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest
from pages import ROOT, assert_prints_what_it_says, code_blocks

GUIDE = ROOT / "docs" / "writing.md"
LAZY = ("dask", "xarray")


def blocks(*, with_lazy_arrays: bool) -> list[str]:
    code = code_blocks(GUIDE, "python")
    return [one for one in code if with_lazy_arrays or not any(name in one for name in LAZY)]


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_the_guide_prints_what_it_says() -> None:
    assert assert_prints_what_it_says(blocks(with_lazy_arrays=False), GUIDE) > 25


def test_so_it_does_with_lazy_arrays() -> None:
    for module in LAZY:
        if find_spec(module) is None:
            pytest.skip(f"{module} is missing: pip install 'dask[array]' xarray")
    first, *others = blocks(with_lazy_arrays=True)
    lazy = [one for one in others if "dask" in one]
    assert assert_prints_what_it_says([first, *lazy], GUIDE) == 5
