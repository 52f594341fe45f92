"""Optional packages: imported where something first needs them, and missed in one form of words."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from czictypes.model.errors import MissingExtraError

__all__ = ["require"]

# what a module's package is called where that is another name
_PACKAGES = {"PIL": "Pillow"}


def require(module_name: str, *, extra: str, doing: str) -> Any:
    """Import a module of an optional package.

    Parameters
    ----------
    module_name
        Its name, such as ``"dask.array"``.
    extra
        The extra of czictypes that brings it.
    doing
        What it is for, as the beginning of a sentence: "lazy arrays", "writing OME-Zarr".

    Raises
    ------
    MissingExtraError
        If it cannot be imported; the message names the package and the extra.
    """
    try:
        return import_module(module_name)
    except ImportError as error:
        name = module_name.partition(".")[0]
        is_missing = isinstance(error, ModuleNotFoundError) and error.name == name
        why = "" if is_missing else f", which cannot be imported ({error})"
        raise MissingExtraError(
            f"{doing}: this needs the package {_PACKAGES.get(name, name)}{why}; "
            f"install it with pip install 'czictypes[{extra}]'"
        ) from error
