"""Warnings that point at the caller's line, however deep in the package they arise."""

from __future__ import annotations

import sys
import warnings

__all__ = ["warn_caller"]

# Between two calls of ours there may be frames of these.
_PASSED = frozenset({"czictypes", "concurrent", "contextlib", "functools", "threading"})


def warn_caller(message: str, category: type[Warning] = UserWarning) -> None:
    """Issue a warning at the nearest line outside of this package."""
    level, frame = 1, sys._getframe()
    while frame.f_back is not None and _is_passed(frame.f_globals.get("__name__", "")):
        level, frame = level + 1, frame.f_back
    warnings.warn(message, category, stacklevel=level)


def _is_passed(module: str) -> bool:
    return module.partition(".")[0] in _PASSED
