"""The last line of defence: an error that no check foresaw reaches the caller as a `CziError`."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from functools import wraps
from types import TracebackType
from typing import Any, TypeVar

from czictypes.model.errors import CziError, UnexpectedError

__all__ = ["Defence", "defended"]

T = TypeVar("T")

# The caller's mistakes, the system's errors and the end of the memory are what they say they are.
# A warning is raised where the caller has made it an error.
_TOLD_AS_THEY_ARE = (CziError, OSError, ImportError, TypeError, MemoryError, StopIteration, Warning)

# Code that works on the bytes of a file for us. All other code is the caller's, such as a
# `progress` function or a file object, and so are its errors.
_AT_WORK = frozenset(
    {"czictypes", "numpy", "dask", "xarray", "zarr", "PIL", "tifffile", "imagecodecs", "zstandard"}
    | {"xml", "xmltodict", "xmlschema", "ome_types", "pydantic", "struct"}
)


class Defence:
    """Turns unforeseen errors of a ``with`` block into an `UnexpectedError` that names the file.

    Parameters
    ----------
    name
        What to call the file, without credentials.
    """

    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        self._name = name

    def __enter__(self) -> None:
        pass

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if isinstance(error, Exception):
            _raise_if_unforeseen(error, lambda: self._name)


def defended(name_of: Callable[[Any], str]) -> Callable[[T], T]:
    """Decorate a function, or a class with all its public methods and properties.

    What they raise unforeseen becomes an `UnexpectedError`, whose cause is the error itself.

    Parameters
    ----------
    name_of
        Takes the first argument (`self` of a method) and returns what to call the file.
    """

    def decorate(target: T) -> T:
        if not isinstance(target, type):
            function: T = _defended_function(target, name_of)
            return function
        for name in dir(target):
            value = inspect.getattr_static(target, name)
            if name.startswith("_") or not _is_ours(target, name):
                continue
            if isinstance(value, property) and value.fget is not None:
                getter = _defended_function(value.fget, name_of)
                setattr(target, name, property(getter, value.fset, value.fdel, value.__doc__))
            elif inspect.isfunction(value):
                setattr(target, name, _defended_function(value, name_of))
        return target

    return decorate


def _is_ours(cls: type, name: str) -> bool:
    owner = next(base for base in cls.__mro__ if name in vars(base))
    return owner.__module__.partition(".")[0] == "czictypes"


def _defended_function(function: Any, name_of: Callable[[Any], str]) -> Any:
    def tell(error: Exception, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        _raise_if_unforeseen(error, lambda: name_of(next(iter((*args, *kwargs.values())))))

    if inspect.isgeneratorfunction(function):

        @wraps(function)
        def generate(*args: Any, **kwargs: Any) -> Iterator[Any]:
            try:
                yield from function(*args, **kwargs)
            except Exception as error:
                tell(error, args, kwargs)
                raise

        return generate

    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except Exception as error:
            tell(error, args, kwargs)
            raise

    return call


def _raise_if_unforeseen(error: Exception, name: Callable[[], str]) -> None:
    if _is_unforeseen(error):
        raise UnexpectedError(
            f"{name()}: reading failed unexpectedly ({type(error).__name__}: {error}); the file "
            "may be damaged, which `czictypes check` can tell, or an argument wrong; if neither "
            "is, please report this as a bug"
        ) from error


def _is_unforeseen(error: Exception) -> bool:
    """Tell whether an error was raised at work for us, but by no `raise` of ours."""
    trace = error.__traceback__
    if isinstance(error, _TOLD_AS_THEY_ARE) or trace is None:
        return False
    while trace.tb_next is not None:
        trace = trace.tb_next
    package = str(trace.tb_frame.f_globals.get("__name__", "")).partition(".")[0]
    if package != "czictypes":
        return package in _AT_WORK
    from dis import opmap  # needed for an error alone

    return trace.tb_frame.f_code.co_code[trace.tb_lasti] != opmap["RAISE_VARARGS"]
