"""The exception of the native build."""

from __future__ import annotations

import sys

__all__ = ["BuildError", "missing_package"]


class BuildError(Exception):
    """The library cannot be built; the message is one sentence for the user."""


def missing_package(name: str) -> BuildError:
    """Return the error for a missing Python package that the build needs."""
    packages = "cffi cmake ninja" + (" tomli" if sys.version_info < (3, 11) else "")
    return BuildError(
        f"The build needs {name}, which is not there: {sys.executable} -m pip install {packages}"
    )
