"""The exceptions of czictypes: one small tree under `CziError`.

Each class also derives from the builtin that a Python programmer would catch, so
``except ValueError`` and ``except OSError`` keep working in code that knows nothing of CZI.
"""

from __future__ import annotations

__all__ = [
    "ClosedError",
    "CorruptFileError",
    "CziError",
    "FileChangedError",
    "IncompatibleLibraryError",
    "IncompleteOutputError",
    "LibraryNotFoundError",
    "MissingExtraError",
    "MissingPartError",
    "NativeCallError",
    "NativeMemoryError",
    "NotCziError",
    "OutOfBoundsError",
    "RangesNotSupportedError",
    "RemoteAccessError",
    "RemoteError",
    "RemoteNotFoundError",
    "RemoteTimeoutError",
    "UnsupportedDataError",
]


class CziError(Exception):
    """The base of every error that czictypes raises on its own account."""


class LibraryNotFoundError(CziError, OSError):
    """No libCZI library with the C API could be loaded; the message lists what was tried."""


class IncompatibleLibraryError(CziError, RuntimeError):
    """The loaded library lacks what was asked of it; the message names the version that has it."""


class CorruptFileError(CziError, ValueError):
    """The file contradicts the CZI format; the message names the segment or sub-block at fault."""


class NotCziError(CorruptFileError):
    """The file is not a CZI at all: its first bytes are not those of a CZI file header."""


class UnsupportedDataError(CziError, ValueError):
    """The file holds valid data in a form that cannot be decoded or converted as asked."""


class OutOfBoundsError(CziError, IndexError, ValueError):
    """A plane, scene, channel or sub-block that the document does not have."""


class ClosedError(CziError, ValueError):
    """An operation on a reader, writer or handle that was closed before."""


class FileChangedError(CziError, OSError):
    """The file changed while it was open: what was read would not fit together.

    Of a local file, that it could not be opened again either. A remote file is opened anew by
    the next read.
    """


class RemoteError(CziError, OSError):
    """A remote file could not be read; the message tells what was tried. It has no credentials."""


class RemoteNotFoundError(RemoteError, FileNotFoundError):
    """There is nothing at a URL."""


class RemoteAccessError(RemoteError, PermissionError):
    """The server does not let us read a file."""


class RemoteTimeoutError(RemoteError, TimeoutError):
    """The server did not answer in time, each time it was asked."""


class RangesNotSupportedError(RemoteError):
    """The server sends whole files alone, and this one is too large for that."""


class IncompleteOutputError(CziError, OSError):
    """Writing failed on the way; what is there is marked as unfinished, and can be resumed."""


class MissingExtraError(CziError, ImportError):
    """An optional dependency is not installed; the message names the extra that brings it."""


class MissingPartError(CziError, FileNotFoundError):
    """Another file of a document of several is needed, and not there; the message says which."""


class NativeCallError(CziError, RuntimeError):
    """A function of the C API returned an error status.

    Parameters
    ----------
    message
        What was asked, and of what.
    function
        The C function's name.
    status
        The status code it returned (libCZI gives no text with it).
    """

    def __init__(self, message: str, function: str = "", status: int = 0) -> None:
        super().__init__(message)
        self.function = function
        self.status = status


class NativeMemoryError(NativeCallError, MemoryError):
    """The C API could not allocate the memory that a call needs."""
