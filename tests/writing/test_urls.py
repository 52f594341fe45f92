"""What writes local files alone says so of a URL, and makes no folder of its name."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from files.recipes import Made

from czictypes import czi

URL = "s3://user:word@bucket/a.czi"
PIXELS = np.zeros((8, 8), np.uint8)


@pytest.mark.parametrize(
    ("call", "advice"),
    [
        (lambda _: czi.create_czi(URL), "file object"),
        (lambda _: czi.imwrite(URL, PIXELS), "file object"),
        (lambda source: czi.copy(source, URL), "file object"),
        (lambda source: czi.add_pyramid(source, dest=URL), "file object"),
        (lambda _: czi.add_pyramid(URL), "copy"),
        (lambda _: czi.add_pyramid(URL, dest=io.BytesIO()), "copy"),
        (lambda _: czi.edit_czi(URL), "copy"),
    ],
)
def test_a_url_is_refused_with_advice(
    made: Callable[[str], Made],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    call: Callable[[Path], Any],
    advice: str,
) -> None:
    source = made("stack").path.absolute()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(OSError, match=f"is a URL.*{advice}") as caught:
        call(source)
    assert "word" not in str(caught.value)
    assert not list(tmp_path.iterdir())
