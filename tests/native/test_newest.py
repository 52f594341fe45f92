"""Pinned sources and peers are the newest releases; the nightly run fails if one is not.

Elsewhere a release of somebody else must break nothing: then the test is skipped, and says so.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from native.sources import read_sources

REQUIRED = "CZICTYPES_TEST_NEWEST"


def pinned(package: str) -> set[str]:
    sources = read_sources()
    every = [*sources.libczi.values(), *sources.parts.values()]
    return {source.version for source in every if source.package == package}


def newest(package: str) -> str:
    options = ["--retries", "0", "--timeout", "5"]
    done = subprocess.run(
        [sys.executable, "-m", "pip", *options, "index", "versions", package],
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    found = re.search(r"\((\S+)\)", done.stdout)
    if done.returncode or not found:
        pytest.skip(f"pip's index does not tell the versions of {package}: {done.stderr[-200:]}")
    return found.group(1)


def lag(package: str) -> str | None:
    """Tell in words that there is a newer version than ours."""
    last = newest(package)
    if last not in pinned(package):
        return f"{package} {last} is out; native/sources.toml has {', '.join(pinned(package))}"
    try:
        installed = metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
    return None if installed == last else f"{package} {last} is out; the tests use {installed}"


@pytest.mark.parametrize(
    "package", ["pylibCZIrw", "aicspylibczi", "cmeel-eigen", "python-rapidjson", "zstd"]
)
def test_there_is_nothing_newer(package: str) -> None:
    behind = lag(package)
    if behind and os.environ.get(REQUIRED):
        pytest.fail(behind)
    if behind:
        pytest.skip(behind)


def test_something_newer_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "zstd"
    folder.mkdir()
    link = '<a href="zstd-9.9.tar.gz">zstd-9.9.tar.gz</a>'
    (folder / "index.html").write_text(link, encoding="utf-8")
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_INDEX_URL", tmp_path.as_uri())
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", "")
    said = lag("zstd")
    assert said is not None
    assert said.startswith("zstd 9.9 is out; native/sources.toml has 1.")
