"""The output of all commands: errors, warnings, and text that is safe to print."""

from __future__ import annotations

import errno
import io
import json
import os
import re
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from czictypes.model.errors import (
    CziError,
    IncompleteOutputError,
    InvalidArgumentError,
    LibraryNotFoundError,
    OutOfBoundsError,
)
from czictypes.remote.urls import redact_text

FAILED, WRONG_USAGE, EXISTS, UNFINISHED = 1, 2, 3, 4

#: The options whose names are not those of the arguments in Python.
_RENAMED = {
    "scenes": "scene",
    "planes": "plane",
    "attachments": "attachment",
    "keep_attachments": "keep-attachment",
    "times": "time-step",
}
_ARGUMENTS = (
    *_RENAMED,
    *("along", "fps", "scale_bar", "size"),
    *("anonymize", "axes", "channel_names", "chunks", "compression", "contrast", "crop", "dry_run"),
    *("dtype", "factor", "filter", "keep_relative_times", "levels", "on_error"),
    *("only_named_dimensions", "overwrite", "pixel_size", "pixels", "plane", "project", "quick"),
    *("renumber", "resume", "roi", "scene"),
    *("shards", "split_scenes", "stored_resolution", "threads", "tile", "until", "version", "zoom"),
)
#: Such as ``shards=`` and ``version="0.5"``, but not in a URL or a path.
_ARGUMENT = re.compile(
    rf"""(?<![\w?&/.-])({"|".join(_ARGUMENTS)})="""
    r"""(?:True\b|["']([^"']*)["']|(\d+(?:\.\d+)?))?"""
)

#: Those with an underscore are arguments without the sign, too.
_NAME = re.compile(rf"""(?<![\w?&/.'"-])({"|".join(one for one in _ARGUMENTS if "_" in one)})\b""")

#: What messages advise, and the commands and options that stand for it.
_OPTIONS = {
    re.compile('on_error="blank"'): "--on-error blank",
    re.compile(r"\bparts=\{(\d+): path\}"): r"--parts \1=path",
    re.compile(r"\bparts="): "--parts",
    re.compile(r"\bczi\.copy\(renumber=True\)"): "czictypes copy --renumber",
    re.compile(r"\bczi\.copy\(attachments=\[\.\.\.\]\)"): "czictypes copy --attachment",
    re.compile(r"\bczi\.(copy|repair)\b(?!\()"): r"czictypes \1",
    re.compile(r"\bczi\.add_pyramid\b(?!\()"): "czictypes pyramid",
    re.compile(r"\bczictypes\.open_image opens images\b"): "czictypes convert takes images",
}

#: The advice of `edit_advice`, and the options of ``czictypes edit`` for what it names.
_EDIT = re.compile(r"\bczi\.edit_czi changes it in place: (\w+\([\w=.]*\))")
_EDITS = {
    "set_scaling_info(...)": "--pixel-size or --z-step",
    "set_channel_info(name=...)": "--channel-name",
    "set_channel_info(color=...)": "--channel-color",
    "set_channel_info(excitation_wavelength=...)": "--excitation",
    "set_channel_info(emission_wavelength=...)": "--emission",
    "set_general_document_info(rating=...)": "--rating",
    "set_general_document_info(creation_date_time=...)": "--creation-date",
    "set_custom_key_value(...)": "--attribute",
    "set_scene_name(...)": "--scene-name",
}


def printable(text: object, *, keep_lines: bool = False) -> str:
    """Return text on one line, or on its own lines, without control characters."""
    lines = str(text).splitlines()
    cleaned = ["".join(one if one.isprintable() else "\ufffd" for one in line) for line in lines]
    return "\n".join(cleaned) if keep_lines else " ".join(cleaned)


def print_json(values: Any) -> None:
    """Print values as indented JSON."""
    print(json.dumps(values, indent=2, ensure_ascii=False))


def report_error(message: str, *, keep_lines: bool = False) -> None:
    """Print an error on stderr."""
    print(
        f"czictypes: error: {printable(advised(message), keep_lines=keep_lines)}", file=sys.stderr
    )


def report_exception(error: BaseException, *, debug: bool, file: str = "") -> None:
    """Print an exception on stderr: one line, or the list of the libraries that were tried.

    The file is the one being read, for messages that do not name it.
    """
    if debug:
        print(redact_text(traceback.format_exc().rstrip("\n")), file=sys.stderr)
    if isinstance(error, OSError) and error.strerror and error.filename is not None:
        message = f"{os.fsdecode(error.filename)}: {error.strerror}"
    else:
        message = str(error) or type(error).__name__
    if Path(file).name not in message and not isinstance(error, LibraryNotFoundError):
        message = f"{file}: {message}"
    message = redact_text(message)
    report_error(message, keep_lines=isinstance(error, LibraryNotFoundError))


@contextmanager
def named_refusals(
    source: str, dest: str = "", option: str = "--overwrite", *, arguments_too: bool = True
) -> Iterator[None]:
    """Add the file to errors that lack it: one that exists, or one whose arguments are refused.

    Without `arguments_too`, it is not added where an argument of two files fits none.
    """
    try:
        yield
    except FileExistsError as error:
        why = f"the file exists; {option} replaces it"
        raise FileExistsError(errno.EEXIST, why, dest or error.filename) from error
    except CziError as error:
        is_argument = isinstance(error, InvalidArgumentError)
        lacks_file = isinstance(error, ValueError) and (arguments_too or not is_argument)
        if not lacks_file or Path(source).name in str(error):
            raise
        raise type(error)(f"{source}: {error}") from error
    except ValueError as error:  # an argument is refused, and the message says why
        raise InvalidArgumentError(f"{source}: {error}") from error


def make_folder(name: str) -> Path:
    """Make a folder, and those above it; a file in its place is wrong usage."""
    try:
        Path(name).mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise InvalidArgumentError(f"--dest {name}: a file is there; name a folder") from None
    return Path(name)


def report_warning(message: str) -> None:
    """Print a warning on stderr."""
    print(f"czictypes: warning: {printable(redact_text(advised(message)))}", file=sys.stderr)


def advised(message: str) -> str:
    """Return a message with commands and options in place of functions and arguments."""
    message = _EDIT.sub(_edit_command, message)
    for ours, words in _OPTIONS.items():
        message = ours.sub(words, message)
    return _NAME.sub(_option, _ARGUMENT.sub(_option, message))


def _edit_command(advice: re.Match[str]) -> str:
    option = _EDITS.get(advice[1])
    changes = f"czictypes edit {option} changes it in place"
    return changes if option else f"in Python, {advice[0]}"


def _option(argument: re.Match[str]) -> str:
    name, *value = argument.groups()
    option = "--" + _RENAMED.get(name, name).replace("_", "-")
    return " ".join([option, *filter(None, value)])


def exit_code(error: BaseException) -> int:
    """Return the exit code for an error, the same in every command.

    Arguments that do not fit the file are wrong usage, as those are that fit no file.
    """
    if isinstance(error, FileExistsError):
        return EXISTS
    if isinstance(error, IncompleteOutputError):
        return UNFINISHED
    return WRONG_USAGE if isinstance(error, (InvalidArgumentError, OutOfBoundsError)) else FAILED


def use_utf8_when_piped() -> None:
    """Write UTF-8 to files and pipes; on a terminal, replace what it cannot show."""
    stdout = sys.stdout
    if isinstance(stdout, io.TextIOWrapper):
        if stdout.isatty():
            stdout.reconfigure(errors="replace")
        else:
            stdout.reconfigure(encoding="utf-8")


def shows_progress() -> bool:
    """Return whether a progress bar can be shown: stderr is a terminal, and tqdm is installed."""
    return sys.stderr.isatty() and find_spec("tqdm") is not None
