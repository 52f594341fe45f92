"""The common parts of public functions and classes: errors, warnings, former names, `close`."""

from __future__ import annotations

import inspect
import re
import sys
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields
from functools import wraps
from types import MappingProxyType, TracebackType
from typing import Any, TypeVar, Union

from czictypes.model.errors import (
    CorruptFileError,
    CziError,
    FileAccessError,
    FilePermissionError,
    IsFolderError,
    MissingFileError,
    NotFolderError,
    UnexpectedError,
    UnsupportedDataError,
)
from czictypes.model.lazy import require

T = TypeVar("T")

# These are passed on unchanged: mistakes of the caller, errors of the system, lack of memory, and
# warnings that the caller has turned into errors.
_FORESEEN = (CziError, OSError, ImportError, TypeError, MemoryError, StopIteration, Warning)

# Packages that process the bytes of a file for us. Errors of any other code, such as a `progress`
# function or a file object, belong to the caller.
_AT_WORK = frozenset(
    {"czictypes", "numpy", "dask", "xarray", "zarr", "PIL", "tifffile", "imagecodecs", "zstandard"}
    | {"xml", "xmltodict", "xmlschema", "ome_types", "pydantic", "struct"}
)


class Defence:
    """A context that turns unforeseen errors into an `UnexpectedError`.

    It also adds the name of the file to errors about its content that lack it.
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
            _name_file(error, lambda: self._name)
            _raise_if_unforeseen(error, lambda: self._name)


def defended(name_of: Callable[[Any], str]) -> Callable[[T], T]:
    """Decorate a function, or all public methods and properties of a class.

    Their unforeseen errors become the cause of an `UnexpectedError`, and errors of methods about
    the content of the file name it. `name_of` takes the first argument (`self` of a method) and
    returns the name of the file, without credentials.
    """

    def decorate(target: T) -> T:
        if not isinstance(target, type):
            function: T = _defended_function(target, name_of, is_method=False)
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


def _defended_function(
    function: Any, name_of: Callable[[Any], str], *, is_method: bool = True
) -> Any:
    def tell(error: Exception, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        def name() -> str:
            return name_of(next(iter((*args, *kwargs.values()))))

        if is_method:
            _name_file(error, name)
        _raise_if_unforeseen(error, name)

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


def _name_file(error: Exception, name: Callable[[], str]) -> None:
    if isinstance(error, (CorruptFileError, UnsupportedDataError)):
        message, file = str(error), name()
        if re.split(r"[/\\]", file)[-1] not in message:
            error.args = (f"{file}: {message}",)


def _raise_if_unforeseen(error: Exception, name: Callable[[], str]) -> None:
    if _is_unforeseen(error):
        raise UnexpectedError(
            f"{name()}: reading failed unexpectedly ({type(error).__name__}: {error}); the file "
            "may be damaged, which `czictypes check` can tell, or an argument wrong; if neither "
            "is, please report this as a bug"
        ) from error


def _is_unforeseen(error: Exception) -> bool:
    """Return whether an error comes from our code or our packages, but not from our `raise`."""
    trace = error.__traceback__
    if isinstance(error, _FORESEEN) or trace is None:
        return False
    while trace.tb_next is not None:
        trace = trace.tb_next
    package = str(trace.tb_frame.f_globals.get("__name__", "")).partition(".")[0]
    if package != "czictypes":
        return package in _AT_WORK
    from dis import opmap  # only needed for errors

    return trace.tb_frame.f_code.co_code[trace.tb_lasti] != opmap["RAISE_VARARGS"]


_FILE_ERRORS: dict[type[OSError], type[FileAccessError]] = {
    OSError: FileAccessError,
    FileNotFoundError: MissingFileError,
    IsADirectoryError: IsFolderError,
    NotADirectoryError: NotFolderError,
    PermissionError: FilePermissionError,
}


def file_error(error: OSError, name: str | None = None) -> OSError:
    """Return an error of the operating system about a local file as a `FileAccessError`.

    Errors without a counterpart, such as FileExistsError, are returned unchanged. `name` is the
    name of the file, for errors without one.
    """
    if error.errno is None:
        return error
    if error.filename is None:
        error.filename = name
    made = _FILE_ERRORS.get(type(error))
    return error if made is None else made(error.errno, error.strerror, error.filename)


@contextmanager
def file_errors(name: str | None = None) -> Iterator[None]:
    """Turn the operating system's errors in a ``with`` block into those of `file_error`."""
    try:
        yield
    except OSError as error:
        made = file_error(error, name)
        raise made from (error.__cause__ if made is error else None)


# Packages whose frames may lie between two of ours.
_PASSED = frozenset({"czictypes", "concurrent", "contextlib", "functools", "threading"})


def warn_caller(message: str, category: type[Warning] = UserWarning) -> None:
    """Issue a warning at the nearest line outside of this package."""
    level, frame = 1, sys._getframe()
    while frame.f_back is not None and _is_passed(frame.f_globals.get("__name__", "")):
        level, frame = level + 1, frame.f_back
    warnings.warn(message, category, stacklevel=level)


def _is_passed(module: str) -> bool:
    return module.partition(".")[0] in _PASSED


F = TypeVar("F", bound=Callable[..., Any])

_NONE: Mapping[str, str] = MappingProxyType({})


def renamed(silent: Mapping[str, str] = _NONE, /, **former: str) -> Callable[[F], F]:
    """Decorate a function so that it also accepts the former names of its parameters.

    `former` maps former names to current ones; using one issues a DeprecationWarning at the
    caller's line. `silent` likewise maps the names in other libraries, without a warning.
    Signatures show only the current names.
    """
    names = {**silent, **former}

    def decorate(function: F) -> F:
        called = function.__name__

        @wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            if not names.keys().isdisjoint(kwargs):
                kwargs = translated(kwargs)
            return function(*args, **kwargs)

        def translated(given: dict[str, Any]) -> dict[str, Any]:
            found: dict[str, Any] = {}
            for name, value in given.items():
                today = names.get(name, name)
                if today in found or (today != name and today in given):
                    raise TypeError(
                        f"{called}() got {today!r} twice, also by its other name {name!r}"
                    )
                if name in former:
                    warn_caller(f"{called}(): {name}= is called {today}= now", DeprecationWarning)
                found[today] = value
            return found

        return call  # type: ignore[return-value]

    return decorate


def check_options(given: Any, kind: type[Any]) -> None:
    """Raise TypeError unless options are None, or have the fields of their class.

    pylibCZIrw has classes of its own with the same fields.
    """
    names = [field.name for field in fields(kind)]
    if given is not None and (isinstance(given, type) or not hasattr(given, names[-1])):
        example = ", ".join(f"{name}=..." for name in names[-2:])
        raise TypeError(f"{kind.__name__}({example}) is needed here, not {given!r}")


def former_name(old: str, new: str) -> Any:
    """Return a property that is another attribute under its former name, with a warning.

    It stands behind ``if not TYPE_CHECKING``, so that type checkers know the name of today alone.
    """

    def get(instance: Any) -> Any:
        warn_caller(f"{type(instance).__name__}.{old} is called {new} now", DeprecationWarning)
        return getattr(instance, new)

    return property(get, doc=f"The former name of `{new}`.")


Self = TypeVar("Self", bound="Closable")


class Closable(ABC):
    """An object with a method `close`, which the end of a ``with`` block calls."""

    @abstractmethod
    def close(self) -> None:
        """Close the object; a second call does nothing."""

    def __enter__(self: Self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


#: True for a bar, or what to call with the work done and all the work.
Progress = Union[bool, Callable[[int, int], None], None]


@contextmanager
def show_progress(
    progress: Progress, total: int, description: str
) -> Iterator[Callable[[int], Any]]:
    """Give a function to call with the work done since the last call, in any unit.

    A MissingExtraError says that a bar is wanted and the extra that draws it is not installed.
    """
    if progress is None or progress is False:
        yield lambda _: None
    elif progress is True:
        tqdm = require("tqdm", extra="cli", doing="a progress bar").tqdm
        with tqdm(total=total, desc=description) as bar:
            yield bar.update
    elif callable(progress):
        report, done = progress, 0

        def step(count: int) -> None:
            nonlocal done
            done += count
            report(done, total)

        yield step
    else:
        raise TypeError(f"progress is True, False or a function, not {progress!r}")
