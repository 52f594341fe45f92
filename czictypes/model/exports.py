"""Public names that are imported when they are first asked for (PEP 562)."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

__all__ = ["load_export"]


def load_export(
    namespace: dict[str, Any], exports: Mapping[str, tuple[str, str | None]], name: str
) -> Any:
    """Return a public name of a module, and keep it there.

    Parameters
    ----------
    namespace
        The module's globals.
    exports
        Where each name comes from: a module, and the name in it (None: the module itself).
    name
        What is asked for.

    Raises
    ------
    AttributeError
        If the module has no such name.
    """
    try:
        module_name, attribute = exports[name]
    except KeyError:
        module = namespace["__name__"]
        raise AttributeError(f"module {module!r} has no attribute {name!r}") from None
    module = import_module(module_name)
    value = module if attribute is None else getattr(module, attribute)
    namespace[name] = value
    return value
