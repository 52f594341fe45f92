"""Every dotted name of the package that the pages mention exists, and can be imported both ways."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
from types import ModuleType

import pytest
from pages import PAGES

import czictypes
from czictypes.model.errors import MissingExtraError

_DOTTED = re.compile(r"(?<![\w./-])(czictypes|czi)((?:\.[A-Za-z_]\w*)+)(?![\w/-])")
_IMPORTED = re.compile(r"^from (czictypes[\w.]*) import ([\w ,]+)$", re.MULTILINE)
_FILES = {"py", "czi", "xml", "yaml", "readthedocs", "egg"}


def names_in_pages() -> list[str]:
    """Return the dotted names, with ``czi`` as czictypes.czi; names of files are left out."""
    found = set()
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for first, rest in _DOTTED.findall(text):
            if not _FILES & set(rest.split(".")[2:] or rest.split(".")[1:]) or rest == ".czi":
                found.add(f"{'czictypes.czi' if first == 'czi' else first}{rest}")
        for module, listed in _IMPORTED.findall(text):
            names = [one.split(" as ")[0].strip() for one in listed.split(",")]
            found.update(f"{module}.{name}" for name in names)
    return sorted(found)


NAMES = names_in_pages()


def owner_of(name: str) -> tuple[ModuleType, list[str]]:
    """Import the longest part of a dotted name that is a module; return the rest of it, too."""
    parts = name.split(".")
    for count in range(len(parts), 0, -1):
        try:
            return importlib.import_module(".".join(parts[:count])), parts[count:]
        except ModuleNotFoundError as error:
            if not str(error.name).startswith("czictypes"):
                pytest.skip(f"{name} needs the package {error.name}")
        except MissingExtraError as error:
            pytest.skip(f"{name}: {error}")
    raise AssertionError(name)


def test_the_pages_name_many_things() -> None:
    assert len(NAMES) > 50
    assert {"czictypes.errors.CziError", "czictypes.czi.imwrite"} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_there_as_an_attribute(name: str) -> None:
    owner_of(name)  # plug-ins are imported by their own names
    found = czictypes
    for part in name.split(".")[1:]:
        found = getattr(found, part)


@pytest.mark.parametrize("name", NAMES)
def test_a_name_can_be_imported_from_where_it_is(name: str) -> None:
    module, rest = owner_of(name)
    if not rest:
        assert sys.modules[name] is module
        return
    names: dict[str, object] = {}
    exec(f"from {module.__name__} import {rest[0]}", names)
    found = names[rest[0]]
    for part in rest[1:]:
        found = getattr(found, part)


def test_errors_are_the_same_by_every_way() -> None:
    import czictypes.errors
    from czictypes.errors import CziError
    from czictypes.model import errors

    assert CziError is errors.CziError is czictypes.errors.CziError
    assert set(errors.__all__) <= set(dir(czictypes.errors))


def test_a_module_can_be_imported_first() -> None:
    code = "import czictypes.errors as e; from czictypes.errors import CziError; print(e.CziError)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "CziError" in done.stdout
