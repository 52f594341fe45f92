"""The version of czictypes, which the build takes from the tag in git and writes into a module."""

from __future__ import annotations

from importlib import import_module

__all__ = ["__version__"]

try:
    __version__: str = import_module("czictypes.model._version").__version__
except ModuleNotFoundError:  # a checkout in which nothing was built or installed
    __version__ = "0+unknown"
