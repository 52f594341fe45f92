"""Former names of parameters and attributes, which go on working."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import wraps
from types import MappingProxyType
from typing import Any, TypeVar

from czictypes.model.defence import warn_caller

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


def former_name(old: str, new: str) -> Any:
    """Return a property that is another attribute under its former name, with a warning.

    It stands behind ``if not TYPE_CHECKING``, so that type checkers know the name of today alone.
    """

    def get(instance: Any) -> Any:
        warn_caller(f"{type(instance).__name__}.{old} is called {new} now", DeprecationWarning)
        return getattr(instance, new)

    return property(get, doc=f"The former name of `{new}`.")
