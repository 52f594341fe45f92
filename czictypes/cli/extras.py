"""The packages of the extra ``cli``, imported where a command first needs them."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from czictypes.model.errors import MissingExtraError

__all__ = ["require"]

_PACKAGES = {"rich": "rich", "PIL": "Pillow", "elementpath": "elementpath"}


def require(module: str, purpose: str) -> Any:
    """Import a module of the extra ``cli``.

    Parameters
    ----------
    module
        Its name, such as ``"PIL.Image"``.
    purpose
        What it is for, as the beginning of a sentence: "writing a PNG".

    Raises
    ------
    MissingExtraError
        If it is not installed; the message names the extra.
    """
    try:
        return import_module(module)
    except ImportError as error:
        package = _PACKAGES[module.partition(".")[0]]
        raise MissingExtraError(
            f"{purpose} needs the package {package}; install it with pip install 'czictypes[cli]'"
        ) from error
