"""Code that `mypy --strict` is to accept."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from extras import needs
from pages import ROOT

import czictypes

__all__ = ["assert_accepted"]


def assert_accepted(folder: Path, pytestconfig: pytest.Config, *options: str) -> None:
    """Check the types of all files in a folder."""
    needs("mypy")
    cache = getattr(pytestconfig, "cache", None)  # none with `-p no:cacheprovider`
    kept = folder / ".cache" if cache is None else cache.mkdir("mypy")
    package = Path(czictypes.__file__).parents[1]
    there = {} if package.name == "site-packages" else {"MYPYPATH": str(package)}
    settings = ["--strict", f"--config-file={ROOT / 'pyproject.toml'}", f"--cache-dir={kept}"]
    files = sorted(one.name for one in folder.glob("*.py"))
    done = subprocess.run(
        [sys.executable, "-m", "mypy", *settings, *options, *files],
        cwd=folder,
        env={**os.environ, **there},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
