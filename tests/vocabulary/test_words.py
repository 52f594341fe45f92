"""One word for each thing: what was given up does not come back, in code and in the guides."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pages import PAGES, ROOT, code_blocks

import czictypes

#: Words that had several meanings, or stood beside another word for the same thing.
GIVEN_UP = {
    *("wishes", "turns", "tolerant", "landed", "lifetime", "original", "local_file", "new_file"),
    *("may_be_fast", "src", "dst", "compressor", "recompress", "compression_options", "Wishes"),
    *("TilePlaces", "ImageDescription", "OpenReaders", "ArrayView", "Expectation", "UseCount"),
    *("Draft", "Flight", "Frame", "Pass", "Sink"),
}
#: Where the former names of parameters are given to `renamed`, and those of other libraries used.
ALLOWED = {
    ("writing/copying/copy.py", "src"),
    ("writing/copying/copy.py", "dst"),
    ("writing/copying/copy.py", "recompress"),
    ("writing/repair.py", "src"),
    ("writing/repair.py", "dst"),
    ("exchange/ome_zarr/write_zarr.py", "compressor"),
}

#: Parameters that no public function has, and what it has instead.
PARAMETERS = {
    "src": "source",
    "dst": "dest",
    "output": "dest",
    "exist_ok": "overwrite",
    "force": "overwrite",
    "recompress": "compression",
    "compressor": "compression",
    "compression_options": "compression",
    "workers": "threads",
    "extent": "roi",
}
#: Two URLs, so two names; a mere path that is neither read nor written as an image.
TWO_URLS = {"convert", "write_ome_zarr"}
PATHS = {"LibraryInfo", "use_library"}

#: Guides that quote other libraries, or tell what was renamed.
QUOTING = {"migrating.md", "CHANGELOG.md"}


def identifiers(path: Path) -> Iterator[str]:
    """Give all names that a module defines, takes or uses, without leading underscores."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            yield node.name.lstrip("_")
        elif isinstance(node, (ast.arg, ast.keyword)):
            yield (node.arg or "").lstrip("_")
        elif isinstance(node, ast.Name):
            yield node.id.lstrip("_")
        elif isinstance(node, ast.Attribute):
            yield node.attr.lstrip("_")


def public_functions() -> Iterator[tuple[str, Any]]:
    """Give the functions, classes and public methods that can be reached from the package."""
    for name in czictypes.__all__:
        public = getattr(czictypes, name)
        if inspect.isclass(public) and not issubclass(public, BaseException):
            yield name, public
            for method in dir(public):
                found = inspect.getattr_static(public, method)
                if not method.startswith("_") and inspect.isfunction(found):
                    yield f"{name}.{method}", found
        elif inspect.isfunction(public):
            yield name, public


def test_code_has_no_word_that_was_given_up() -> None:
    package = ROOT / "czictypes"
    found = set()
    for path in package.rglob("*.py"):
        if path.name != "_declarations.py":
            where = path.relative_to(package).as_posix()
            found |= {(where, word) for word in GIVEN_UP.intersection(identifiers(path))}
    assert found - ALLOWED == set()


def test_public_functions_have_one_word_for_a_parameter() -> None:
    found = []
    for name, function in public_functions():
        try:
            parameters = inspect.signature(function).parameters
        except ValueError:  # an enumeration of the interpreter
            continue
        found += [(name, word) for word in parameters if word in PARAMETERS]
        if "source_options" in parameters and name not in TWO_URLS:
            found.append((name, "source_options"))
        if "path" in parameters and name not in PATHS:
            found.append((name, "path"))
    assert found == []


@pytest.mark.parametrize("page", [page for page in PAGES if page.name not in QUOTING], ids=str)
def test_guides_use_the_words_of_today(page: Path) -> None:
    given = re.compile(r"\b(exist_ok|recompress|compressor|compression_options|workers)=")
    options = re.compile(r"--(recompress|force)\b")
    code = "\n".join(code_blocks(page, "python"))
    assert given.findall(code) == []
    assert options.findall(page.read_text(encoding="utf-8")) == []
