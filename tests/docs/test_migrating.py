"""docs/migrating.md is true: both sides of each row run, and give the same or what the row tells.

Where a package is not installed, the lines of czictypes run alone, and its test is skipped aloud.
AICSImageIO cannot be installed beside a current tifffile, and there is one czifile at a time, so
some lines of others run only in an environment that was made for them.
"""

from __future__ import annotations

import contextlib
import datetime
import gc
import importlib.util
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import peers
import pytest
import xmltodict
from extras import needs
from pages import ROOT, code_blocks

from czictypes import Image

PAGE = ROOT / "docs" / "migrating.md"
#: The packages that the lines of a section need.
NEEDED: dict[str, dict[str, str]] = {
    "pylibCZIrw": {},
    "aicspylibczi": {},
    "czifile 2019": {"tifffile": "ome-tiff"},
    "czifile 2026": {"xarray": "xarray"},
    "bioio": {"bioio": "convert", "tifffile": "ome-tiff", "xarray": "xarray"},
    "AICSImageIO": {"ome_types": "ome", "tifffile": "ome-tiff", "xarray": "xarray"},
}
NOTHING = object()


@dataclass(frozen=True)
class Row:
    """A line of each side, and an expression of `old` or `new` that tells a difference."""

    old: str
    new: str
    difference: str | None


def rows(section: str) -> list[Row]:
    """Return the rows of the table in a section."""
    text = PAGE.read_text(encoding="utf-8").partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    found = []
    for line in text.splitlines():
        if not line.startswith("| `"):
            continue
        old, new, note = (cell.strip() for cell in line.strip("|").split(" | "))
        codes = re.findall("`([^`]+)`", note)
        told = [code for code in codes if re.search(r"\bold\b|\bnew\b|^datetime", code)]
        new = old if new == "the same" else new
        found.append(Row(old.strip("`"), new.strip("`"), told[0] if told else None))
    return found


class Side:
    """Runs the lines of one side in a folder of its own, with the files of the page."""

    def __init__(self, folder: Path, names: Mapping[str, Any]) -> None:
        self._folder, self._contexts = folder, contextlib.ExitStack()
        self.names, self._entered = dict(names), set[str]()

    def _run(self, action: Callable[[], Any]) -> Any:
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(self._folder)
            return action()

    def value(self, line: str) -> Any:
        """Run a line; return its value, or `NOTHING` of a statement that gives none."""
        header = re.fullmatch(r"with (.+) as (\w+):", line)
        if header:
            self._run(self._contexts.close)
            entered = self._run(lambda: self._enter(header[1]))
            self.names[header[2]] = entered
            self._entered.add(header[2])
            return NOTHING
        try:
            code = compile(line, str(PAGE), "eval")
        except SyntaxError:
            self._run(lambda: exec(line, self.names))
            return NOTHING
        return self._run(lambda: eval(code, self.names))

    def _enter(self, expression: str) -> Any:
        return self._contexts.enter_context(eval(expression, self.names))

    def close(self) -> None:
        """Close all that the lines opened."""
        self._run(self._contexts.close)
        for name, value in self.names.items():
            is_open = name not in self._entered and not isinstance(value, type)
            if is_open and callable(getattr(value, "close", None)):
                value.close()
        self.names.clear()
        gc.collect()
        for one in gc.get_objects():  # lines that keep no image leave its file open
            if issubclass(type(one), Image):
                one.close()


@pytest.fixture
def sides(tmp_path: Path) -> Iterator[Callable[[str], list[Side]]]:
    """Return the sides of a section: the same files in a folder for each."""
    opened = []

    def make(section: str) -> list[Side]:
        needs_tiff = any("ome.tiff" in row.old for row in rows(section))
        code = [one for one in code_blocks(PAGE, "python") if needs_tiff or "ome.tiff" not in one]
        names: dict[str, Any] = {}
        (tmp_path / "new").mkdir()
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(tmp_path / "new")
            exec("\n".join(code), names)
        shutil.copytree(tmp_path / "new", tmp_path / "old")
        opened.extend(Side(tmp_path / name, names) for name in ("new", "old"))
        return opened

    yield make
    for one in opened:
        one.close()


def is_compared(value: Any) -> bool:
    """Tell whether a value is worth a comparison: not that of a statement or a function call."""
    return value is not NOTHING and value is not None


def assert_same(new: Any, old: Any, where: str) -> None:
    """Compare two results: pixels bit for bit, sequences item by item."""
    if isinstance(old, Mapping):
        assert isinstance(new, Mapping), where
        assert sorted(new) == sorted(old), where
        for key, value in old.items():
            assert_same(new[key], value, f"{where}: {key}")
    elif hasattr(old, "compute") or (hasattr(old, "dtype") and hasattr(old, "shape")):
        found, expected = np.asarray(new), np.asarray(old)
        assert (found.shape, found.dtype) == (expected.shape, expected.dtype), where
        np.testing.assert_array_equal(found, expected, where)
        assert getattr(new, "dims", None) == getattr(old, "dims", None), where
    elif isinstance(old, (tuple, list)):
        assert len(new) == len(old), where
        for one, other in zip(new, old):
            assert_same(one, other, where)
    elif isinstance(old, float):
        assert new == pytest.approx(old, rel=1e-12), where
    else:
        assert new == old, where


def compare(row: Row, new: Any, old: Any, names: Mapping[str, Any]) -> None:
    """Compare the results of a row, with the difference that it tells."""
    known = {"np": np, "xmltodict": xmltodict, "datetime": datetime, "old": old, "new": new}
    if row.difference is None:
        assert_same(new, old, row.new)
        return
    told = eval(row.difference, {**names, **known})
    if re.search(r"\bnew\b", row.difference):
        assert told is True, row
    else:
        assert_same(new, told, row.new)


def require(section: str) -> None:
    for module, extra in NEEDED[section].items():
        needs(module, extra)


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # the lines close no image
@pytest.mark.parametrize("section", NEEDED)
def test_the_lines_of_czictypes_run(section: str, sides: Callable[[str], list[Side]]) -> None:
    require(section)
    ours, _ = sides(section)
    values = [ours.value(row.new) for row in rows(section)]
    assert len(values) > 15
    assert sum(map(is_compared, values)) > len(values) / 2


def require_peer(section: str) -> None:
    """Skip the test where the other package is missing, or another version of it is there."""
    if section == "pylibCZIrw":
        peers.pylibczirw()
    elif section == "aicspylibczi":
        peers.aicspylibczi()
    elif section == "AICSImageIO":
        if importlib.util.find_spec("aicsimageio") is None:
            pytest.skip("aicsimageio wants an environment of its own: pip install aicsimageio")
    elif section == "bioio":
        for module in ("bioio", "bioio_czi", "bioio_ome_tiff"):
            needs(module)
    elif (peers.czifile().__version__ < "2020") != (section == "czifile 2019"):
        pytest.skip(
            f"another version of czifile is installed: pip install {section.replace(' ', '==')}.*"
        )


@pytest.mark.filterwarnings("ignore")  # those of the other packages
@pytest.mark.parametrize("section", NEEDED)
def test_both_sides_give_the_same(section: str, sides: Callable[[str], list[Side]]) -> None:
    require_peer(section)
    require(section)
    ours, theirs = sides(section)
    compared, wrong = 0, []
    for row in rows(section):
        try:
            old, new = theirs.value(row.old), ours.value(row.new)
            if is_compared(old) or row.difference:
                compare(row, new, old, theirs.names)
                compared += 1
        except Exception as error:
            wrong.append(f"{row}: {type(error).__name__}: {error}")
    assert not wrong, "\n".join(wrong)
    assert compared > len(rows(section)) / 2
