"""What all commands share: help, exit codes, errors on one line."""

from __future__ import annotations

import errno
import io
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import czictypes
from czictypes.cli import info
from czictypes.cli.main import main


@pytest.fixture
def process(environment: dict[str, str]) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run Python in a process of its own with these arguments."""

    def call(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, *arguments],
            capture_output=True,
            encoding="utf-8",
            env=environment,
            check=False,
        )

    return call


def only_line(text: str) -> str:
    (line,) = text.splitlines()
    return line


def test_help_names_every_command(run: Callable[..., Any]) -> None:
    result = run("--help")
    assert result.code == 0
    for command in ("info", "plane", "metadata", "library", "demo"):
        assert f"\n    {command} " in result.out


@pytest.mark.parametrize("command", ["info", "plane", "metadata", "library", "demo"])
def test_every_command_has_help(command: str, run: Callable[..., Any]) -> None:
    result = run(command, "--help")
    assert result.code == 0
    assert result.out.startswith(f"usage: czictypes {command}")


def test_the_version_is_the_packages(run: Callable[..., Any]) -> None:
    assert run("--version").out == f"czictypes {czictypes.__version__}\n"


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["spam"],
        ["info"],
        ["info", "a.czi", "--spam"],
        ["plane", "a.czi"],
        ["metadata", "a.czi", "--xml", "--json"],
    ],
)
def test_wrong_usage_is_2(arguments: list[str], run: Callable[..., Any]) -> None:
    result = run(*arguments)
    assert result.code == 2
    assert "usage: czictypes" in result.err
    assert result.out == ""


def test_python_dash_m_runs_it(process: Callable[..., Any]) -> None:
    done = process("-m", "czictypes", "--version")
    assert done.returncode == 0
    assert done.stdout == f"czictypes {czictypes.__version__}\n"


def test_the_exit_code_is_that_of_the_process(process: Callable[..., Any]) -> None:
    done = process("-m", "czictypes", "metadata", "there-is-no-such-file.czi")
    assert done.returncode == 1
    line = only_line(done.stderr)
    assert line.startswith("czictypes: error: ")
    assert "there-is-no-such-file.czi: " in line


def test_help_loads_nothing_that_takes_time(process: Callable[..., Any]) -> None:
    code = (
        "import sys; from czictypes.cli.main import main; main(['--help']);"
        "print(sorted({'numpy', 'cffi', 'rich', 'PIL', 'elementpath', 'xmltodict',"
        " 'czictypes.libczi.library'} & set(sys.modules)), file=sys.stderr)"
    )
    done = process("-c", code)
    assert done.stderr == "[]\n"


@pytest.mark.parametrize("command", [["info", "--json"], ["metadata"]])
def test_what_cannot_be_opened_is_one_line_and_1(
    command: list[str], tmp_path: Path, run: Callable[..., Any]
) -> None:
    garbage = tmp_path / "garbage.czi"
    garbage.write_bytes(b"no CZI at all" * 100)
    for path in (tmp_path, tmp_path / "missing.czi", garbage):
        result = run(*command, path)
        assert result.code == 1
        line = only_line(result.err)
        assert line.startswith("czictypes: error: ")
        assert str(path) in line


def test_debug_shows_the_traceback(tmp_path: Path, run: Callable[..., Any]) -> None:
    missing = tmp_path / "missing.czi"
    for arguments in (["--debug", "metadata", missing], ["metadata", missing, "--debug"]):
        result = run(*arguments)
        assert result.code == 1
        assert result.err.startswith("Traceback (most recent call last):")
        assert "MissingFileError" in result.err
        assert result.err.splitlines()[-1].startswith("czictypes: error: ")


def test_a_failure_that_nobody_foresaw_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise KeyError("a defect")

    monkeypatch.setattr(info, "_describe", fail)
    with pytest.raises(KeyError, match="a defect"):
        main(["info", "--json", "any.czi"])


def test_an_interrupt_is_130(monkeypatch: pytest.MonkeyPatch, run: Callable[..., Any]) -> None:
    def interrupt(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(info, "_describe", interrupt)
    result = run("info", "--json", "any.czi")
    assert result.code == 130
    assert only_line(result.err) == "czictypes: error: interrupted"


def test_an_interrupt_anywhere_ends_the_process_in_a_line(process: Callable[..., Any]) -> None:
    program = (
        "import signal, sys; from czictypes.cli import main; "
        # a process in the background may have been told to ignore it
        "signal.signal(signal.SIGINT, signal.default_int_handler); "
        "main.main = lambda: signal.raise_signal(signal.SIGINT); sys.exit(main.program())"
    )
    done = process("-c", program)
    assert (done.returncode, done.stderr) == (130, "czictypes: error: interrupted\n")


@pytest.mark.skipif(sys.platform == "win32", reason="processes end by signals on POSIX")
def test_an_interrupt_of_the_end_of_the_process_is_silent(process: Callable[..., Any]) -> None:
    program = (
        "import signal; from czictypes.cli import main; "
        "main.main = lambda: 0; main.program(); signal.raise_signal(signal.SIGINT)"
    )
    done = process("-c", program)
    assert (done.returncode, done.stderr) == (-signal.SIGINT, "")


def test_too_little_memory_is_one_line(
    monkeypatch: pytest.MonkeyPatch, run: Callable[..., Any]
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise MemoryError("the result takes 900.0 GiB")

    monkeypatch.setattr(info, "_describe", fail)
    result = run("info", "--json", "any.czi")
    assert result.code == 1
    assert only_line(result.err) == "czictypes: error: the result takes 900.0 GiB"


def test_a_pipe_that_nobody_reads_is_no_error(
    made: Callable[[str], Any], environment: dict[str, str]
) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-m", "czictypes", "metadata", str(made("described").path)],
        stdout=writing,
        stderr=subprocess.PIPE,
        env=environment,
        check=False,
    )
    os.close(writing)
    assert done.returncode == 1
    assert done.stderr == b""


def test_windows_has_its_own_error_for_a_pipe_that_nobody_reads(
    monkeypatch: pytest.MonkeyPatch, run: Callable[..., Any]
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise OSError(errno.EINVAL, "Invalid argument")

    monkeypatch.setattr(info, "_describe", fail)
    monkeypatch.setattr(sys, "platform", "linux")
    assert "Invalid argument" in run("info", "--json", "any.czi").err
    monkeypatch.setattr(sys, "platform", "win32")
    result = run("info", "--json", "any.czi")
    assert (result.code, result.err) == (1, "")


def test_names_in_files_do_not_command_the_terminal(
    tmp_path: Path, run: Callable[..., Any]
) -> None:
    path = tmp_path / "a\x1b[2Jb\nc.czi"
    result = run("metadata", path)
    assert result.code == 1
    assert "\x1b" not in only_line(result.err)


def test_what_is_piped_is_utf8(made: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.BytesIO()
    with io.TextIOWrapper(written, encoding="ascii") as stdout:
        monkeypatch.setattr(sys, "stdout", stdout)
        assert main(["metadata", str(made("described").path), "--path", "//Channel[2]/@Name"]) == 0
        assert written.getvalue() == f"Gr\u00fcn{os.linesep}".encode()
        monkeypatch.undo()
