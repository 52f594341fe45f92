"""Choosing images: all of them, or some by name or number."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from operator import index
from typing import Union

from czictypes.model.errors import OutOfBoundsError

__all__ = ["Choice", "choose"]

#: ``"all"``, or names or numbers (from 0), or one of these.
Choice = Union[str, int, Iterable[Union[str, int]]]


def choose(names: Sequence[str], wanted: Choice, what: str) -> list[int]:
    """Return the positions of what is chosen, in the order of the choice.

    Parameters
    ----------
    names
        What there is.
    wanted
        The choice.
    what
        What it is that has these names, for errors: ``"scene"``.

    Raises
    ------
    OutOfBoundsError
        If there is no such name or number.
    ValueError
        If nothing is chosen, or something twice.
    """
    if isinstance(wanted, str) and wanted == "all" and "all" not in names:
        return list(range(len(names)))
    if isinstance(wanted, str) or not isinstance(wanted, Iterable):
        wanted = [wanted]
    found = [_position(names, one, what) for one in wanted]
    if not found or len(set(found)) < len(found):
        raise ValueError(f"{wanted!r} chooses no {what}, or one twice")
    return found


def _position(names: Sequence[str], one: str | int, what: str) -> int:
    if isinstance(one, str):
        if one in names:
            return names.index(one)
    elif 0 <= index(one) < len(names):
        return index(one)
    raise OutOfBoundsError(f"there is no {what} {one!r}; there are {', '.join(map(repr, names))}")
