"""What docs/repairing.md says is true: its code runs and prints what it claims."""

from __future__ import annotations

from pathlib import Path

import pytest
from pages import ROOT, assert_prints_what_it_says, code_blocks

from czictypes.cli.main import main

GUIDE = ROOT / "docs" / "repairing.md"


def test_the_guide_prints_what_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert assert_prints_what_it_says(code_blocks(GUIDE, "python"), GUIDE) == 3
    Path("repaired.czi").unlink()
    (shown,) = code_blocks(GUIDE, "text")
    command, *printed = shown.splitlines()
    assert main(command.split()[2:]) == 3
    assert capsys.readouterr().out.splitlines() == printed
