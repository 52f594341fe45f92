"""Create objects of ome-types from values that may not be allowed."""

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

# The schema's numbers are of 32 bits; smaller ones would count as 0, larger as infinite.
_SMALLEST, _LARGEST = 1.2e-38, 3.4e38
_LARGEST_INT = 2**31 - 1


def load_model() -> ModuleType:
    """Return ``ome_types.model``; raise a MissingExtraError if ome-types is not installed."""
    module: ModuleType = require("ome_types.model", extra="ome", doing="OME metadata")
    return module


def make(kind: type[Any], what: str, **fields: Any) -> Any:
    """Return an object of ome-types that describes `what`, with the fields that OME allows.

    A field that is None is not known. Raises an UnsupportedDataError if OME needs a field that it
    does not allow.
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
        for name in _refused(error, known):
            _warn(what, name, known.pop(name))
    try:
        return kind(**known)
    except ValueError as error:
        reason = "; ".join(str(error).splitlines()[:3])
        raise UnsupportedDataError(f"OME metadata cannot describe {what}: {reason}") from error


def measured(unit: Any, **values: float | None) -> dict[str, Any]:
    """Return fields for `make`: values, and the unit of each that is known."""
    units = {f"{name}_unit": unit for name, value in values.items() if value is not None}
    return {**values, **units}


def choice(kind: type[Enum], value: str | None) -> Any:
    """Return the member of an enumeration of OME with that value, else ``Other``; None for None."""
    if value is None:
        return None
    members = {str(member.value).lower(): member for member in kind}
    return members.get(value.lower()) or kind("Other")


def within(value: int | None, most: int, what: str, name: str) -> int | None:
    """Return a number from 1 to `most`; for another one None, with a warning."""
    if value is None or 1 <= value <= most:
        return value
    _warn(what, name, value)
    return None


def _usable(value: Any) -> Any:
    """Return a value in a form that the schema allows; None if there is none."""
    if isinstance(value, (bool, Enum)):
        return value
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, int):
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
