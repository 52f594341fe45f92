"""What docs/howto.md says is true: each recipe runs by itself, and prints what it claims."""

from __future__ import annotations

import re
import shlex
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from extras import needs
from pages import (
    ROOT,
    assert_a_command_prints,
    assert_prints_what_it_says,
    blocks_of,
    code_blocks,
    commands_of,
    sections,
)
from typed import assert_accepted

from czictypes.cli.main import main

PAGE = ROOT / "docs" / "howto.md"
RECIPES = sections(PAGE)

#: What shows that the packages of an extra are there.
MODULES = {
    "cli": ("PIL.Image", "rich"),
    "convert": ("tifffile", "zarr"),
    "dask": ("dask.array",),
    "movie": ("av",),
    "napari": ("dask.array",),  # the reader that napari calls needs no napari
    "pandas": ("pandas",),
    "plot": ("matplotlib",),
    "remote": ("fsspec",),
    "xarray": ("dask.array", "xarray"),
}
#: The exit codes of commands that find something wrong.
CODES = {"check": 2, "repair": 3}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make the files of the page, and return their folder."""
    folder = tmp_path_factory.mktemp("files")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert_prints_what_it_says(code_blocks(PAGE, "python")[:1], PAGE)
    return folder


@pytest.fixture
def _in_a_folder_with_the_files(
    files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    shutil.copytree(files, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MPLBACKEND", "agg")
    yield
    if "fsspec" in sys.modules:
        needs("fsspec").filesystem("memory").store.clear()


def napari(arguments: list[str]) -> int:
    """Read what napari would show, as it does."""
    from czictypes.plugins.napari import get_reader

    for path in arguments:
        read = get_reader(path)
        assert read is not None
        names = [options["name"] for _, options, _ in read(path)]
        assert names
    return 0


@pytest.mark.usefixtures("_in_a_folder_with_the_files")
@pytest.mark.parametrize("title", RECIPES)
def test_a_recipe_prints_what_it_says(title: str) -> None:
    blocks = blocks_of(RECIPES[title])
    extras = {
        *re.findall(r"czictypes\[(\w+)\]", RECIPES[title]),
        *{"cli" for kind, _ in blocks if kind == "console"},
    }
    for extra in extras - {"s3"}:
        for module in MODULES[extra]:
            needs(module, extra)
    assert blocks
    for kind, block in blocks:
        if kind == "python":
            assert_prints_what_it_says([block], PAGE)
        else:
            run(block)


def run(block: str) -> None:
    """Run the commands of a block."""
    for command, printed in commands_of(block):
        program, verb, *_ = shlex.split(command)
        code = assert_a_command_prints(
            command, printed, {"czictypes": main, "napari": napari}[program]
        )
        assert code == CODES.get(verb, 0), command


def test_there_are_recipes_for_everyday_work() -> None:
    assert len(RECIPES) >= 20
    table = PAGE.read_text(encoding="utf-8").partition("\n## ")[0]
    listed = re.findall(r"\(#([\w-]+)\)", table)
    assert listed
    assert sorted(listed) == sorted(title.lower().replace(" ", "-") for title in RECIPES)


@pytest.mark.slow
def test_a_type_checker_accepts_the_recipes(tmp_path: Path, pytestconfig: pytest.Config) -> None:
    for number, block in enumerate(code_blocks(PAGE, "python")):
        (tmp_path / f"recipe_{number}.py").write_text(block, encoding="utf-8")
    assert_accepted(tmp_path, pytestconfig)
