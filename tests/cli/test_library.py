"""``czictypes library``."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from czictypes import library_info
from czictypes.libczi.library import ENVIRONMENT_VARIABLE, library_names


def test_it_tells_what_is_loaded(run: Callable[..., Any]) -> None:
    result = run("library")
    found = library_info()
    assert result.code == 0
    told = dict(line.split(":", 1) for line in result.out.splitlines() if line[0] != " ")
    assert told["path"].strip() == found.path
    assert told["found by"].strip() == found.origin
    assert told["libCZI"].strip() == found.version_text
    assert told["compiler"].strip() == found.compiler
    for one in found.stream_classes:
        assert f"{one.name}: {one.description}" in result.out
    for name, has in found.optional_functions.items():
        assert f"{name}: {'yes' if has else 'no'}" in result.out


def test_it_needs_nothing_of_the_extra(
    missing: Callable[[str], None], run: Callable[..., Any]
) -> None:
    for module in ("rich", "PIL", "PIL.Image", "elementpath"):
        missing(module)
    assert run("library").code == 0


def test_a_named_library_that_fails_is_an_error(environment: dict[str, str]) -> None:
    environment[ENVIRONMENT_VARIABLE] = "/no/such/libCZIAPI.so"
    done = subprocess.run(
        [sys.executable, "-m", "czictypes", "library"],
        capture_output=True,
        encoding="utf-8",
        env=environment,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert "/no/such/libCZIAPI.so, named by CZICTYPES_LIBRARY" in done.stderr
    assert "Traceback" not in done.stderr


def test_every_place_that_was_tried_is_listed(environment: dict[str, str]) -> None:
    environment.pop(ENVIRONMENT_VARIABLE, None)
    code = (
        "import sys, pathlib; from czictypes.libczi import library;"
        "library._BUNDLED = pathlib.Path('/nowhere');"
        "library._registered_names = lambda: iter(());"
        "sys.prefix = '/no-prefix';"
        "from czictypes.cli.main import main; sys.exit(main(['library']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        encoding="utf-8",
        env=environment,
        check=False,
    )
    if done.returncode == 0:
        pytest.skip(f"the system itself has a libCZI with the C API: {done.stdout}")
    assert (done.returncode, done.stdout) == (1, "")
    tried = [line.split(" (")[0].strip() for line in done.stderr.splitlines() if line[0] == " "]
    for name in library_names():
        assert {f"/nowhere/{name}", name} <= set(tried)
    assert "pip install czictypes" in done.stderr
    assert "Traceback" not in done.stderr
