"""The notebook in docs runs, and shows what it claims."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from extras import needs
from notebooks import run_cell
from pages import ROOT

NOTEBOOK = ROOT / "docs" / "notebook.ipynb"

#: Pictures may be packed in other ways by another zlib, and decoded otherwise by another Pillow.
_PICTURE = re.compile(r"data:image/png;base64,[A-Za-z0-9+/=]+")


def without_pictures(outputs: list[dict[str, Any]]) -> Any:
    return json.loads(_PICTURE.sub("PNG", json.dumps(outputs)))


def test_the_notebook_shows_what_it_claims(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    needs("pandas", "pandas")
    needs("PIL.Image", "cli")
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    for number, cell in enumerate(code, 1):
        assert cell["execution_count"] == number
        outputs = run_cell("".join(cell["source"]), names, number)
        assert without_pictures(outputs) == without_pictures(cell["outputs"])


def test_the_notebook_is_small_and_has_a_picture() -> None:
    text = NOTEBOOK.read_text(encoding="utf-8")
    assert len(text) < 200_000
    assert len(_PICTURE.findall(text)) >= 2
