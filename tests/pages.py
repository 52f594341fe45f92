"""The documentation as tests see it: its pages, and the code in them that is run."""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path
from typing import Any

__all__ = ["PAGES", "README", "ROOT", "assert_prints_what_it_says", "code_blocks"]

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / "README.md"
PAGES = [README, ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]

_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_PRINTED = "#> "


def code_blocks(page: Path, language: str) -> list[str]:
    """Return the code of a language, block by block."""
    text = page.read_text(encoding="utf-8")
    return [code for kind, code in _BLOCK.findall(text) if kind == language]


def assert_prints_what_it_says(blocks: list[str], page: Path) -> int:
    """Run blocks of code one after the other; return how many lines they print."""
    code = "\n".join(blocks)
    expected = [line.split(_PRINTED, 1)[1] for line in code.splitlines() if _PRINTED in line]
    printed = io.StringIO()
    names: dict[str, Any] = {}
    with contextlib.redirect_stdout(printed):
        exec(compile(code, str(page), "exec"), names)
    assert printed.getvalue().splitlines() == expected
    return len(expected)
