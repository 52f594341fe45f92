"""Makes objects of ome-types out of values that may not be allowed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timezone
from enum import Enum
from types import ModuleType
from typing import Any

from czictypes.metadata.xml import storable
from czictypes.model.defence import warn_caller
from czictypes.model.errors import MetadataWarning, UnsupportedDataError
from czictypes.model.lazy import require

__all__ = [
    "choice",
    "load_model",
    "make",
    "within",
]


# The schema's numbers are of 32 bits; smaller ones would count as 0, larger as infinite.
_SMALLEST, _LARGEST = 1.2e-38, 3.4e38
_LARGEST_INT = 2**31 - 1


def load_model() -> ModuleType:
    """Return ``ome_types.model``.

    Raises
    ------
    MissingExtraError
        If ome-types is not installed.
    """
    module: ModuleType = require("ome_types.model", extra="ome", doing="OME metadata")
    return module


def make(kind: type[Any], what: str, **fields: Any) -> Any:
    """Return an object of ome-types with those of the fields that OME allows.

    Parameters
    ----------
    kind
        Its class.
    what
        What it describes, for warnings.
    fields
        None for what is not known.

    Raises
    ------
    UnsupportedDataError
        If a field is not allowed that must be there.
    """
    known = {}
    for name, value in fields.items():
        usable = None if value is None else _usable(value)
        if usable is not None:
            known[name] = usable
        elif value is not None:
            _warn(what, name, value)
    try:
        return kind(**known)
    except ValueError as error:
        refused = _refused(error, known)
    for name in refused:
        _warn(what, name, known.pop(name))
    try:
        return kind(**known)
    except ValueError as error:
        reason = "; ".join(str(error).splitlines()[:3])
        raise UnsupportedDataError(f"OME metadata cannot describe {what}: {reason}") from error


def choice(kind: type[Enum], value: str | None) -> Any:
    """Return the member of an enumeration of OME with that value, else ``Other``, None for None."""
    if value is None:
        return None
    for member in kind:
        if str(member.value).lower() == value.lower():
            return member
    return kind("Other")


def within(value: int | None, most: int, what: str, name: str) -> int | None:
    """Return a number from 1 to `most`; None, with a warning, for another one."""
    if value is None or 1 <= value <= most:
        return value
    _warn(what, name, value)
    return None


def _usable(value: Any) -> Any:
    """Return a value in a form that the schema allows, None where there is none."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and not isinstance(value, Enum):
        return storable(value)
    if isinstance(value, int) and not isinstance(value, Enum):
        return value if abs(value) <= _LARGEST_INT else None
    if isinstance(value, float):
        return value if value == 0 or _SMALLEST <= abs(value) <= _LARGEST else None
    if isinstance(value, datetime) and value.tzinfo is not None:
        try:  # time zones beyond 14 hours, which the schema does not know, go as well
            return value.astimezone(timezone.utc)
        except OverflowError:
            return None
    return value


def _refused(error: ValueError, known: dict[str, Any]) -> Sequence[str]:
    """Return the names of the fields that an error of pydantic is about."""
    errors = getattr(error, "errors", None)
    names = {entry["loc"][0]: None for entry in errors() if entry["loc"]} if errors else {}
    return [str(name) for name in names if name in known]


def _warn(what: str, name: str, value: Any) -> None:
    shown = repr(value)
    warn_caller(
        f"metadata: {name} of {what} is {shown if len(shown) <= 60 else shown[:57] + '...'}, which "
        "OME does not allow; it is left out",
        MetadataWarning,
    )
