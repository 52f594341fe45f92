"""Documents behind URLs, through fsspec."""

from __future__ import annotations

import builtins
from typing import Any

import numpy as np
import pytest

from czictypes import czi
from czictypes.model.errors import MissingExtraError


def test_a_url_is_read_like_the_file(made) -> None:
    pytest.importorskip("fsspec", reason="fsspec is not installed: extra 'remote'")
    path = made("mosaic").path
    with czi.open_czi(path) as document:
        expected = document.read()
    with czi.open_czi(path.as_uri(), czi.ReaderFileInputTypes.Curl) as document:
        np.testing.assert_array_equal(document.read(), expected)


def test_nothing_behind_a_url(tmp_path) -> None:
    pytest.importorskip("fsspec", reason="fsspec is not installed: extra 'remote'")
    with pytest.raises(FileNotFoundError):
        czi.open_czi((tmp_path / "none.czi").as_uri(), czi.ReaderFileInputTypes.Curl)


def test_without_fsspec_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    original = builtins.__import__

    def refuse(name: str, *arguments: Any) -> Any:
        if name == "fsspec":
            raise ImportError("No module named 'fsspec'")
        return original(name, *arguments)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(MissingExtraError, match=r"czictypes\[remote\]"):
        czi.open_czi("https://localhost/image.czi", czi.ReaderFileInputTypes.Curl)
