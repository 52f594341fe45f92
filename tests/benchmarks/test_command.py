"""The benchmarks run: every package gives equal pixels. What they measure is not tested."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import czictypes

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = Path(czictypes.__file__).parents[1]  # the package may be an installed one
RUN = (
    f"import runpy, sys; sys.path.append({os.fspath(ROOT)!r}); "
    "runpy.run_module('benchmarks', run_name='__main__', alter_sys=True)"
)


def run(folder: Path, *arguments: str) -> str:
    environment = {**os.environ, "PYTHONPATH": os.fspath(PACKAGE)}
    command = [sys.executable, "-W", "ignore", "-c", RUN, "--quick", "--rounds", "1"]
    command += ["--files", os.fspath(folder / "files"), "--no-memory", *arguments]
    done = subprocess.run(
        command, cwd=folder, env=environment, check=True, capture_output=True, text=True
    )
    return done.stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("benchmarks")


def test_results_for_machines(folder: Path) -> None:
    results: dict[str, Any] = json.loads(run(folder, "--json", "plane, uncompressed, out=, 2"))
    (name,) = results["scenarios"]
    assert name == "plane, uncompressed, out=, 2 callers"
    timing = results["scenarios"][name]["packages"]["czictypes"]
    assert timing["seconds"] > 0
    assert results["quick"]


def test_a_table_and_a_chart(folder: Path) -> None:
    saved, chart = folder / "saved.json", folder / "chart.svg"
    table = run(folder, "copy", "composite", "--save", str(saved), "--chart", str(chart))
    assert [line.split(" | ")[0] for line in table.splitlines()[4:]] == [
        "| composite",
        "| copy without decoding",
    ]
    assert "read and write the bytes" in table
    assert set(json.loads(saved.read_text())["scenarios"]) == {"composite", "copy without decoding"}
    assert chart.read_text().startswith("<svg")
