"""The command line takes URLs, too, and shows no credentials either."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from files.recipe import Made

from czictypes.cli.main import main
from remote.server import RangeServer


def test_what_a_file_on_a_server_holds(
    server: RangeServer, made: Callable[[str], Made], capsys: pytest.CaptureFixture[str]
) -> None:
    data = made("mosaic").path.read_bytes()
    url = server.put("/image.czi", data).replace("//", "//user:pass@") + "?token=abc"
    assert main(["info", "--json", url]) == 0
    (found,) = json.loads(capsys.readouterr().out)
    assert found["file_size"] == len(data)
    assert found["file"] == server.url.replace("//", "//***@") + "/image.czi?token=***"


def test_an_error_shows_no_credentials(
    server: RangeServer, capsys: pytest.CaptureFixture[str]
) -> None:
    url = server.url.replace("//", "//user:pass@") + "/none.czi?token=abc"
    assert main(["info", "--json", url]) == 1
    said = capsys.readouterr().err
    assert "none.czi" in said
    assert "abc" not in said
    assert "pass" not in said
