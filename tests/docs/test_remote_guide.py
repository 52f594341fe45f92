"""What docs/remote.md says is true: its code runs and prints what it claims."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest
from extras import needs
from pages import ROOT, assert_prints_what_it_says, code_blocks

from czictypes import czi

GUIDE = ROOT / "docs" / "remote.md"


def test_the_guide_prints_what_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    memory = needs("fsspec", "remote").filesystem("memory")
    monkeypatch.chdir(tmp_path)
    try:
        assert assert_prints_what_it_says(code_blocks(GUIDE, "python"), GUIDE) == 6
    finally:
        memory.rm("/study", recursive=True)


def test_the_guide_tells_the_defaults() -> None:
    text = " ".join(GUIDE.read_text(encoding="utf-8").split())
    for field in fields(czi.RemoteOptions):
        value = field.default
        assert not isinstance(value, bool)
        units = [f"{value:g}", f"{value:g} s", f"{value / 1024:g} KiB", f"{value / 2**20:g} MiB"]
        assert any(f"`{field.name}` ({unit})" in text for unit in units), field.name
