"""The documentation as tests see it: its pages, and the code in them that is run."""

from __future__ import annotations

import contextlib
import doctest
import io
import os
import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

__all__ = [
    "PAGES",
    "README",
    "ROOT",
    "assert_a_command_prints",
    "assert_prints_what_it_says",
    "blocks_of",
    "code_blocks",
    "commands_of",
    "sections",
]

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / "README.md"
PAGES = [README, ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]

_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_PRINTED = "#> "


def code_blocks(page: Path, language: str) -> list[str]:
    """Return the code of a language, block by block."""
    text = page.read_text(encoding="utf-8")
    return [code for kind, code in blocks_of(text) if kind == language]


def blocks_of(text: str) -> list[tuple[str, str]]:
    """Return the blocks of a text, each with its language."""
    return _BLOCK.findall(text)


def sections(page: Path) -> dict[str, str]:
    """Return the text below each heading of the second level."""
    _, *parts = re.split(r"^## (.*)$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return dict(zip(parts[::2], parts[1::2]))


def commands_of(block: str) -> list[tuple[str, str]]:
    """Return the commands of a ``console`` block, each with what it prints."""
    parts = [part.partition("\n") for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]]
    return [(command, printed) for command, _, printed in parts]


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


def assert_a_command_prints(
    command: str, expected: str, main: Callable[[list[str]], int | None]
) -> int | None:
    """Run a command; `expected` has ``...`` for what differs. Return the exit code."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        code = main(shlex.split(command)[1:])
    lines = [line.rstrip() for line in printed.getvalue().replace(os.sep, "/").splitlines()]
    found = "".join(f"{line}\n" for line in lines)
    assert doctest.OutputChecker().check_output(expected, found, doctest.ELLIPSIS), found
    return code
