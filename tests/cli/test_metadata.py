"""``czictypes metadata``."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from files.block import Block
from files.builder import write_czi
from files.patterns import noise

from czictypes import czi
from czictypes.model.pixel_types import PixelType


@pytest.fixture
def described(made: Callable[[str], Any]) -> Path:
    """A file with much to tell."""
    path: Path = made("described").path
    return path


@pytest.fixture
def find(
    run: Callable[..., Any], extra: Callable[[str], Any], described: Path
) -> Callable[..., Any]:
    """Run ``metadata --path`` on that file."""
    extra("elementpath")
    return lambda path, *more: run("metadata", described, "--path", path, *more)


@pytest.mark.parametrize("option", [[], ["--xml"]])
def test_the_xml_is_printed_as_it_is_stored(
    option: list[str], described: Path, run: Callable[..., Any]
) -> None:
    result = run("metadata", described, *option)
    with czi.open_czi(described) as document:
        assert result.out == document.raw_metadata + "\n"
    assert (result.code, result.err) == (0, "")


def test_the_json_is_the_readers_dictionary(described: Path, run: Callable[..., Any]) -> None:
    result = run("metadata", described, "--json")
    with czi.open_czi(described) as document:
        assert json.loads(result.out) == document.metadata


def test_a_path_finds_attributes(find: Callable[..., Any]) -> None:
    assert find("//Channels/Channel/@Name").out == "DAPI\nGr\u00fcn\n"


def test_a_path_finds_elements(find: Callable[..., Any]) -> None:
    result = find('Metadata/Scaling//Distance[@Id="Y"]')
    assert result.out == '<Distance Id="Y">\n  <Value>2e-07</Value>\n</Distance>\n'


def test_an_absolute_path_begins_at_the_document(find: Callable[..., Any]) -> None:
    result = find("/ImageDocument/Metadata/Information/Document/Title")
    assert result.out == "<Title>A title</Title>\n"


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("//Title/text()", "A title"),
        ("count(//Distance)", "3"),
        ("exists(//Distance)", "true"),
        ("for $c in //Image//Channel return string($c/@Id)", "Channel:0\nChannel:1"),
        ("1.5", "1.5"),
    ],
)
def test_a_path_computes(path: str, text: str, find: Callable[..., Any]) -> None:
    result = find(path)
    assert (result.code, result.out) == (0, text + "\n")


def test_found_as_json(find: Callable[..., Any]) -> None:
    assert find("//Title", "--json").json == [{"Title": "A title"}]
    assert find("//Distance[1]", "--json").json == [{"Distance": {"@Id": "X", "Value": "1.5e-07"}}]
    assert find("count(//Distance)", "--json").json == [3]
    assert find("//Image//Channel/@Id", "--json").json == ["Channel:0", "Channel:1"]


def test_nothing_found_is_1(find: Callable[..., Any]) -> None:
    result = find("//Spam")
    assert (result.code, result.out) == (1, "")
    assert result.err == "czictypes: error: --path '//Spam' finds nothing\n"


@pytest.mark.parametrize("path", ["//[", "spam:eggs()", "//Title["])
def test_no_xpath_is_wrong_usage(path: str, find: Callable[..., Any]) -> None:
    result = find(path)
    assert (result.code, result.out) == (2, "")
    (line,) = result.err.splitlines()
    assert line.startswith(f"czictypes: error: --path {path!r}: ")


def test_a_file_without_metadata(tmp_path: Path, run: Callable[..., Any]) -> None:
    path = write_czi(tmp_path / "bare.czi", [Block(noise(PixelType.Gray8, 4, 5, 1))])
    result = run("metadata", path)
    assert (result.code, result.out) == (1, "")
    assert result.err == f"czictypes: error: {path} has no metadata\n"


def test_a_path_without_the_extra_names_it(
    described: Path, missing: Callable[[str], None], run: Callable[..., Any]
) -> None:
    missing("elementpath")
    result = run("metadata", described, "--path", "//Title")
    assert (result.code, result.out) == (1, "")
    assert "pip install 'czictypes[cli]'" in result.err
    assert run("metadata", described).code == 0


def test_paths_work_on_the_metadata_of_real_files(
    every_real_file: Path, run: Callable[..., Any], extra: Callable[[str], Any]
) -> None:
    extra("elementpath")
    result = run("metadata", every_real_file, "--path", "/ImageDocument/Metadata//SizeX")
    assert result.code == 0
    assert result.out.startswith("<SizeX>")
