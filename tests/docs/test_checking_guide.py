"""What docs/checking.md says is true: its code runs and prints what it claims."""

from __future__ import annotations

from pathlib import Path

import pytest
from pages import ROOT, assert_prints_what_it_says, code_blocks

GUIDE = ROOT / "docs" / "checking.md"


def test_the_guide_prints_what_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert assert_prints_what_it_says(code_blocks(GUIDE, "python"), GUIDE) == 3
