"""A property that is computed once for each object."""

from __future__ import annotations

from typing import Any, Callable, Generic, TypeVar, overload

__all__ = ["cached_property"]

T = TypeVar("T")
Self = TypeVar("Self")


class cached_property(Generic[T]):  # noqa: N801 (named as the one it stands for)
    """As `functools.cached_property`, without a lock.

    That one holds a lock for all objects of the class while it computes (before Python 3.12). In a
    process that was forked meanwhile nobody would ever open it. Here threads that ask at the same
    time may compute the value twice; all get the one that was first.
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
        """Return the value, from the next time on straight from the object's dictionary."""
        if instance is None:
            return self
        return instance.__dict__.setdefault(self._name, self._compute(instance))
