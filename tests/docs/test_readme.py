"""What the README says is true: its code runs and prints what it claims, its commands work."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest
from pages import PAGES, README, ROOT, assert_prints_what_it_says, code_blocks

from czictypes.cli.main import main

_LINK = re.compile(r"\[[^\]]+\]\(([^)]+)\)")


def commands() -> list[str]:
    lines = "".join(code_blocks(README, "sh")).splitlines()
    return [line for line in lines if line.startswith("czictypes ")]


@pytest.fixture
def with_demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stand in a folder where ``czictypes demo`` was called."""
    for module in ("rich", "PIL.Image", "elementpath"):
        pytest.importorskip(module, reason=f"{module} is missing: pip install 'czictypes[cli]'")
    monkeypatch.chdir(tmp_path)
    assert main(["demo"]) == 0


@pytest.mark.usefixtures("with_demo")
def test_the_tour_prints_what_it_says() -> None:
    assert assert_prints_what_it_says(code_blocks(README, "python"), README) > 15


@pytest.mark.usefixtures("with_demo")
def test_the_commands_work(capsys: pytest.CaptureFixture[str]) -> None:
    assert len(commands()) > 4
    for command in commands():
        assert main(shlex.split(command)[1:]) == 0, command
        assert capsys.readouterr().out, command


def test_the_two_commands_set_everything_up_in_one_line() -> None:
    first, second = (
        line for line in "".join(code_blocks(README, "sh")).splitlines() if "venv" in line
    )
    assert first.endswith("/czictypes demo")
    assert '".[cli]"' in first
    assert second.endswith("/tox")
    for line in (first, second):
        assert line.startswith("python3 -m venv .venv && .venv/bin/python -m pip install ")


def test_continuous_integration_runs_the_second_command() -> None:
    script = ROOT / ".ci" / "run"
    if not script.is_file():
        pytest.skip("a source distribution has no .ci/run; the repository has it")
    pattern = re.search(r"grep -m 1 -E '([^']+)'", script.read_text(encoding="utf-8"))
    assert pattern is not None
    lines = README.read_text(encoding="utf-8").splitlines()
    found = [line for line in lines if re.search(pattern.group(1), line)]
    assert [line.endswith("/tox") for line in found] == [True]


def headings(page: Path) -> set[str]:
    """Return the names by which links reach the headings of a page."""
    return {
        re.sub(r"[^\w -]", "", line.lstrip("# ").lower()).replace(" ", "-")
        for line in page.read_text(encoding="utf-8").splitlines()
        if line.startswith("#")
    }


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in _LINK.findall(page.read_text(encoding="utf-8")):
        if "://" in target:
            continue
        path, _, heading = target.partition("#")
        there = page.parent / path if path else page
        assert there.exists(), target
        assert not heading or heading in headings(there), target


def test_every_error_is_in_the_table() -> None:
    from czictypes import errors

    text = README.read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| ((?:`\w+Error`,? ?)+)\| ((?:`\w+`,? ?)+)\|", text, re.MULTILINE))
    listed = {
        name: set(re.findall(r"\w+", builtins))
        for names, builtins in rows.items()
        for name in re.findall(r"\w+", names)
    }
    for name, builtins in listed.items():
        bases = {base.__name__ for base in getattr(errors, name).__mro__}
        assert builtins <= bases, name
    native = {"CziError", "NativeCallError", "NativeMemoryError"}  # no user is to expect these
    assert set(listed) == {name for name in errors.__all__ if name.endswith("Error")} - native


def test_every_file_of_the_map_is_there() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    for name in re.findall(r"`((?:\w+/)*\w+\.(?:py|h|cpp|md))`", text):
        here = (ROOT / name).exists() or (ROOT / "czictypes" / name).exists()
        assert here or list((ROOT / "czictypes").rglob(name)), name


@pytest.fixture
def commands_of_help(capsys: pytest.CaptureFixture[str]) -> Callable[[], set[str]]:
    """Give the commands that ``czictypes --help`` lists."""

    def read() -> set[str]:
        assert main(["--help"]) == 0
        return set(re.findall(r"^    (\w+)(?: {2}|$)", capsys.readouterr().out, re.MULTILINE))

    return read


def test_every_command_is_in_the_table(commands_of_help: Callable[[], set[str]]) -> None:
    text = README.read_text(encoding="utf-8")
    assert set(re.findall(r"^\| `czictypes (\w+)", text, re.MULTILINE)) == commands_of_help()
