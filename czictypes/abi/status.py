"""From the C API's status codes to exceptions.

libCZI gives no text with a status, and reports nearly every failure as 50 (unspecified), so a
message lives from what the caller says it was about to do.
"""

from __future__ import annotations

from enum import IntEnum

from czictypes.model.errors import NativeCallError, NativeMemoryError

__all__ = ["Status", "failure"]


class Status(IntEnum):
    """The status codes of the C API; everything above 0 is a failure."""

    OK = 0
    INVALID_ARGUMENT = 1
    INVALID_HANDLE = 2
    OUT_OF_MEMORY = 3
    INDEX_OUT_OF_RANGE = 4
    LOCK_UNLOCK_VIOLATED = 20
    UNSPECIFIED = 50


_MEANINGS = {
    Status.INVALID_ARGUMENT: "an argument was refused",
    Status.INVALID_HANDLE: "the object does not exist any more",
    Status.OUT_OF_MEMORY: "there is not enough memory; ask for less at a time",
    Status.INDEX_OUT_OF_RANGE: "there is nothing with that number",
    Status.LOCK_UNLOCK_VIOLATED: "the bitmap's pixels are still in use",
    Status.UNSPECIFIED: "libCZI does not say why; a damaged file or an unsupported form of data "
    "is the likely cause",
}


def failure(function: str, status: int, what: str = "", file: str = "") -> NativeCallError:
    """Return the exception for a call that failed.

    Parameters
    ----------
    function, status
        The C function and what it returned.
    what
        What was asked, as it would follow "cannot", for example ``"read sub-block 7"``.
    file
        The name of the file it was asked of.
    """
    asked = what or f"carry out {function}"
    place = f" of {file}" if file else ""
    meaning = _MEANINGS.get(Status(status), "") if status in set(Status) else ""
    kind = NativeMemoryError if status == Status.OUT_OF_MEMORY else NativeCallError
    return kind(
        f"cannot {asked}{place}: {meaning or 'an unknown failure'} "
        f"({function} returned status {status})",
        function,
        status,
    )
