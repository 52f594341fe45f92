"""Run the command line in this process, on files whose content is known."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import czictypes
from czictypes.cli.main import main


class Result(NamedTuple):
    """What a command gave: its exit code, and what it printed."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What was printed, read as JSON."""
        return json.loads(self.out)


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Callable[..., Result]:
    """Run the command line with these arguments."""

    def call(*arguments: object) -> Result:
        capsys.readouterr()
        code = main([str(argument) for argument in arguments])
        return Result(code, *capsys.readouterr())

    return call


@pytest.fixture
def environment() -> dict[str, str]:
    """Give the environment of a process that finds this czictypes."""
    return {**os.environ, "PYTHONPATH": str(Path(czictypes.__file__).parent.parent)}


@pytest.fixture(scope="session")
def extra() -> Callable[[str], Any]:
    """Give a module of the extra ``cli``; skip the test where it is missing."""

    def get(name: str) -> Any:
        return pytest.importorskip(name, reason=f"{name} is missing: pip install 'czictypes[cli]'")

    return get


@pytest.fixture
def missing(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Let a module be missing, as where the extra was not installed."""

    def hide(name: str) -> None:
        monkeypatch.setitem(sys.modules, name, None)

    return hide


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory, extra: Callable[[str], Any]) -> Path:
    """Give the demo's CZI, written once; it is shared, so not to be changed."""
    extra("PIL.Image")
    from czictypes.cli.demo_file import write_demo

    path = tmp_path_factory.mktemp("demo") / "demo.czi"
    write_demo(path)
    return path
