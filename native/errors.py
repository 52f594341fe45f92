"""The one error of the native build."""

from __future__ import annotations

import sys

__all__ = ["BuildError", "missing_package"]


class BuildError(Exception):
    """The library cannot be built; the message is one sentence for the person who asked."""


def missing_package(name: str) -> BuildError:
    """Return the error for a Python package that the build needs and this Python lacks."""
    packages = "cffi cmake ninja" + (" tomli" if sys.version_info < (3, 11) else "")
    return BuildError(
        f"The build needs {name}, which is not there: {sys.executable} -m pip install {packages}"
    )
