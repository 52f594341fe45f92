"""Optional packages are missed by the name of their extra; cached properties need no lock."""

from __future__ import annotations

import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from czictypes.model import lazy
from czictypes.model.errors import MissingExtraError
from czictypes.model.lazy import cached_property, require


class Thing:
    def __init__(self) -> None:
        self.computed = 0
        self.waiting = threading.Barrier(1)

    @cached_property
    def value(self) -> list[int]:
        """Some value."""
        self.computed += 1
        self.waiting.wait()
        return [self.computed]


def test_the_value_is_computed_once_for_each_object() -> None:
    one, other = Thing(), Thing()
    assert one.value is one.value
    assert one.value is not other.value
    assert one.computed == 1


def test_threads_that_ask_at_once_get_the_same_value() -> None:
    thing = Thing()
    thing.waiting = threading.Barrier(4)  # none of them would pass if one excluded the others
    with ThreadPoolExecutor(4) as pool:
        values = list(pool.map(lambda _: thing.value, range(4)))
    assert all(value is values[0] for value in values)


def test_the_documentation_stays() -> None:
    assert Thing.value.__doc__ == "Some value."


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


def test_a_package_that_no_extra_brings_is_named_itself() -> None:
    with pytest.raises(MissingExtraError, match=r"reading X: .* pip install no_such$"):
        require("no_such.part", extra=None, doing="reading X")


def test_an_extra_for_newer_pythons_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lazy, "_OLDEST_PYTHON", {"ome-zarr": (9, 1)})
    with pytest.raises(MissingExtraError, match=r"czictypes\[ome-zarr\]', on Python 9\.1 or later"):
        require("no_such", extra="ome-zarr", doing="writing OME-Zarr")
