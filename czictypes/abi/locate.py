"""The candidates for libCZI's C API, in the order in which they are tried."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

__all__ = ["ENVIRONMENT_VARIABLE", "Candidate", "candidates", "library_names"]

ENVIRONMENT_VARIABLE = "CZICTYPES_LIBRARY"

_BUNDLED = Path(__file__).resolve().parent.parent / "_native"


class Candidate(NamedTuple):
    """A library that may be loaded.

    Attributes
    ----------
    path
        A file, or a bare name that the system's loader looks up.
    origin
        Who named it: ``use_library``, the environment variable, ``bundled`` or ``system``.
    explicit
        Whether the user named it; then it is used or an error, nothing else is tried.
    """

    path: str
    origin: str
    explicit: bool = False


def candidates(chosen: str | None = None) -> Iterator[Candidate]:
    """Yield the libraries to try; after an explicit one there are no more.

    Parameters
    ----------
    chosen
        What was given to `czictypes.use_library`, if anything was.
    """
    if chosen is not None:
        yield Candidate(_as_path(chosen), "use_library", True)
        return
    named = os.environ.get(ENVIRONMENT_VARIABLE)
    if named:
        yield Candidate(_as_path(named), ENVIRONMENT_VARIABLE, True)
        return
    names = library_names()
    yield from (Candidate(str(_BUNDLED / name), "bundled") for name in names)
    # where conda and its relatives put libraries, which the system's loader may not know
    folder = Path(sys.prefix, *(("Library", "bin") if sys.platform == "win32" else ("lib",)))
    yield from (Candidate(str(folder / name), "system") for name in names)
    yield from (Candidate(name, "system") for name in names)
    yield from (Candidate(name, "system") for name in _registered_names())


def library_names() -> tuple[str, ...]:
    """Return the file names that libCZI's builds give to the C API on this platform."""
    # CMake puts its "lib" before the target name libCZIAPI, packages often take it away again
    if sys.platform == "win32":
        return ("libCZIAPI.dll", "liblibCZIAPI.dll")
    if sys.platform == "darwin":
        return ("libCZIAPI.dylib", "liblibCZIAPI.dylib")
    return ("libCZIAPI.so", "liblibCZIAPI.so")


def _as_path(text: str) -> str:
    """Return the absolute path where `text` is a file or has a folder in it, else `text`."""
    path = Path(text).expanduser()
    return str(path.absolute()) if path.exists() or path.name != text else text


def _registered_names() -> Iterator[str]:
    """Yield what the system's own registry of libraries knows, such as versioned names."""
    from ctypes.util import find_library  # slow: may start programs; hence last, and imported here

    for stem in ("CZIAPI", "libCZIAPI"):
        name = find_library(stem)
        if name:
            yield name
