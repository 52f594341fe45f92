"""The entry point: parses the arguments, runs a command, and prints errors on one line."""

from __future__ import annotations

import argparse
import contextlib
import errno
import os
import signal
import sys
import warnings
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any

from czictypes import __version__
from czictypes.cli.arguments import expand_wildcards, join_negative_values
from czictypes.cli.output import (
    exit_code,
    report_error,
    report_exception,
    report_warning,
    use_utf8_when_piped,
)
from czictypes.model.errors import CziError

#: The commands in the order of the help, and the modules that have them.
_COMMANDS = {
    "info": "info",
    "ls": "listing",
    "attachments": "attachments",
    "check": "check",
    "repair": "check",
    "plane": "plane",
    "montage": "montage",
    "movie": "montage",
    "metadata": "info",
    "tiles": "tiles",
    "events": "tiles",
    "edit": "edit",
    "copy": "copy",
    "pyramid": "copy",
    "convert": "convert",
    "library": "info",
    "demo": "demo",
}

_INTERRUPTED = 130


def program() -> int:
    """Run ``czictypes`` as a process; an interrupt ends it at any moment without a traceback."""
    try:
        code = main()
        # All is done; an interrupt of the interpreter's end just ends it.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        report_error("interrupted")
        code = _INTERRUPTED
    return code


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    argv
        The arguments; those of the process by default.

    Returns
    -------
    int
        The exit code: 0 when all went well, 1 when the operation failed, 2 for wrong usage, 3 when
        the target exists, 4 when it is unfinished and can be resumed, 130 when it was interrupted.
        Those of ``check`` and ``repair`` tell what is wrong with the files.
    """
    given = sys.argv[1:] if argv is None else list(argv)
    if sys.platform == "win32":  # whose shells leave this to the program
        given = expand_wildcards(given)
    try:
        args = _parser().parse_args(join_negative_values(given))
    except SystemExit as stop:  # argparse said why, or has shown the help
        return int(stop.code or 0)
    use_utf8_when_piped()
    return _run(args)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="czictypes",
        description="Look into ZEISS CZI microscopy images.",
        epilog="exit codes: 0 all went well, 1 the operation failed, 2 wrong usage (also what the "
        "file does not have, as a scene), 3 the target exists, 130 interrupted",
    )
    parser.add_argument("--version", action="version", version=f"czictypes {__version__}")
    parser.add_argument("--debug", action="store_true", help="show tracebacks of errors")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    def add(
        name: str, run: Callable[[argparse.Namespace], int], **texts: Any
    ) -> argparse.ArgumentParser:
        has_lines = "\n" in texts["description"]
        form = argparse.RawDescriptionHelpFormatter if has_lines else argparse.HelpFormatter
        command: argparse.ArgumentParser = commands.add_parser(name, formatter_class=form, **texts)
        # the same after the command's name, where most people look for it
        command.add_argument(
            "--debug", action="store_true", default=argparse.SUPPRESS, help=argparse.SUPPRESS
        )
        command.set_defaults(run=run)
        return command

    for name, module in _COMMANDS.items():  # imported here, where an interrupt ends in a message
        getattr(import_module(f"czictypes.cli.{module}"), f"add_{name}")(add)
    return parser


def _run(args: argparse.Namespace) -> int:
    try:
        with warnings.catch_warnings():
            warnings.showwarning = lambda message, *_: report_warning(str(message))
            result: int = args.run(args)
            sys.stdout.flush()
            return result
    except KeyboardInterrupt:
        report_error("interrupted")
        return _INTERRUPTED
    except (CziError, OSError, MemoryError) as error:
        if _is_broken_pipe(error):  # its reader has seen enough
            _silence_stdout()
        else:
            report_exception(error, debug=args.debug)
        return exit_code(error)


def _is_broken_pipe(error: Exception) -> bool:
    """Return whether nobody reads our output any more, which Windows says in its own way."""
    said = isinstance(error, OSError) and error.errno == errno.EINVAL and error.filename is None
    return isinstance(error, BrokenPipeError) or (sys.platform == "win32" and said)


def _silence_stdout() -> None:
    """Keep the interpreter from failing again when it flushes a broken pipe at its end."""
    with contextlib.suppress(OSError, ValueError):  # where stdout is no file of the system
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
