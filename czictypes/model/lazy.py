"""Import public names and optional packages, and compute properties, only when needed."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from importlib import import_module
from typing import Any, Callable, Generic, TypeVar, overload

from czictypes.model.errors import MissingExtraError

T = TypeVar("T")
Self = TypeVar("Self")

# Packages whose names differ from those of their modules.
_PACKAGES = {
    "PIL": "Pillow",
    "mpl_toolkits": "matplotlib",
    "ngff_zarr": "ngff-zarr",
    "ome_types": "ome-types",
}
# The extras whose packages are for newer Pythons only.
_OLDEST_PYTHON = {"ome-zarr": (3, 11), "tensorstore": (3, 11), "bioio": (3, 11)}


def load_export(
    namespace: dict[str, Any], exports: Mapping[str, tuple[str, str | None]], name: str
) -> Any:
    """Import a public name on first use (PEP 562), and store it in the namespace.

    `exports` has the module of each name, and the name in it (None for the module itself).
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


def require(module_name: str, *, extra: str | None, doing: str) -> Any:
    """Import a module of an optional package, or raise `MissingExtraError`.

    The message starts with the purpose (`doing`), such as "lazy arrays" or "writing OME-Zarr". It
    names the package, and the extra of czictypes that installs it, if there is one (`extra`).
    """
    try:
        return import_module(module_name)
    except ImportError as error:
        name = module_name.partition(".")[0]
        is_missing = isinstance(error, ModuleNotFoundError) and error.name == name
        why = "" if is_missing else f", which cannot be imported ({error})"
        package = _PACKAGES.get(name, name)
        raise MissingExtraError(
            f"{doing}: this needs the package {package}{why}; {_remedy(package, extra)}"
        ) from error


def _remedy(package: str, extra: str | None) -> str:
    oldest = _OLDEST_PYTHON.get(extra or "", (3, 9))
    newer = f", on Python {oldest[0]}.{oldest[1]} or later" if sys.version_info < oldest else ""
    what = package if extra is None else f"'czictypes[{extra}]'"
    return f"install it with pip install {what}{newer}"


class cached_property(Generic[T]):  # noqa: N801 (named after that of functools)
    """A property that is computed once for each object, without a lock.

    Before Python 3.12, `functools.cached_property` holds a lock for all objects of the class during
    the computation. In a process forked in the meantime, the lock would never be released. Here,
    concurrent threads may compute the value more than once; all get the first one.
    """

    def __init__(self, compute: Callable[[Any], T]) -> None:
        self._compute = compute
        self._name = compute.__name__
        self.__doc__ = compute.__doc__

    @overload
    def __get__(self: Self, instance: None, owner: type) -> Self: ...

    @overload
    def __get__(self, instance: object, owner: type) -> T: ...

    def __get__(self, instance: object, owner: type) -> Any:
        """Return the value; later uses take it directly from the object's dictionary."""
        if instance is None:
            return self
        return instance.__dict__.setdefault(self._name, self._compute(instance))
