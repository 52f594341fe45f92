"""Optional packages: what is missing is said with its extra."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from czictypes.model.errors import MissingExtraError
from czictypes.model.extras import require


def test_what_is_installed_is_imported() -> None:
    assert require("json.decoder", extra="any", doing="reading JSON") is sys.modules["json.decoder"]


def test_what_is_missing_is_named_with_its_extra() -> None:
    with pytest.raises(MissingExtraError, match=r"lazy arrays.*no_such.*czictypes\[dask\]"):
        require("no_such.array", extra="dask", doing="lazy arrays")


def test_a_package_that_is_broken_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "broken_package.py").write_text("raise ImportError('no such symbol')")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(MissingExtraError, match="no such symbol"):
        require("broken_package", extra="dask", doing="lazy arrays")
