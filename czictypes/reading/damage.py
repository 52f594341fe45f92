"""Handles tiles that cannot be read: an error, or background and a warning.

By default damage stops a read. With ``on_error="blank"`` the damaged tiles show as background; each
is listed, and warned of once.
"""

from __future__ import annotations

import threading
from typing import Literal

from czictypes.model.errors import (
    CorruptFileError,
    DamagedTileWarning,
    InvalidArgumentError,
    MissingPartError,
    UnsupportedDataError,
)
from czictypes.model.public import warn_caller

OnError = Literal["raise", "blank"]

#: The exceptions for a tile that cannot be read.
UNREADABLE = (CorruptFileError, UnsupportedDataError, MissingPartError)

_ADVICE = '; on_error="blank" reads all other tiles'


def leaves_blank(on_error: str) -> bool:
    """Return whether damaged tiles are left blank; raise InvalidArgumentError for another word."""
    if on_error not in ("raise", "blank"):
        raise InvalidArgumentError(f'on_error must be "raise" or "blank", not {on_error!r}')
    return on_error == "blank"


def advise(error: CorruptFileError | UnsupportedDataError) -> None:
    """Add a hint to the message of an unreadable sub-block: how to read the others."""
    message = str(error)
    if message.startswith("sub-block") and _ADVICE not in message:
        error.args = (message + _ADVICE,)


class DamageList:
    """The sub-blocks that were left blank, by number; safe to use from many threads."""

    def __init__(self) -> None:
        self._found: dict[int, str] = {}
        self._lock = threading.Lock()

    def found(self) -> dict[int, str]:
        """Return the sub-blocks that were left blank so far, and the fault of each."""
        with self._lock:
            return dict(sorted(self._found.items()))

    def note(self, sub_block: int, error: Exception) -> None:
        """Note a sub-block; warn if it is new."""
        with self._lock:
            if sub_block in self._found:
                return
            self._found[sub_block] = str(error)
        name = f"sub-block {sub_block}"
        which = "" if name in str(error) else f"{name}: "  # a missing file affects many
        warn_caller(f"left blank: {which}{error}", DamagedTileWarning)
