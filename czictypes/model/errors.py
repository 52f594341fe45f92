"""The exceptions of czictypes: one small tree under `CziError`.

Each class also derives from the builtin that a Python programmer would catch, so
``except ValueError`` and ``except OSError`` keep working in code that knows nothing of CZI. All
of them are a `RuntimeError` as well, which programs written for pylibCZIrw catch.
"""

from __future__ import annotations

__all__ = [
    "ClosedError",
    "CorruptFileError",
    "CziError",
    "DamagedTileWarning",
    "FileAccessError",
    "FileChangedError",
    "FilePermissionError",
    "IncompatibleLibraryError",
    "IncompleteOutputError",
    "InvalidArgumentError",
    "IsFolderError",
    "LibraryNotFoundError",
    "MetadataWarning",
    "MissingExtraError",
    "MissingFileError",
    "MissingPartError",
    "NativeCallError",
    "NativeMemoryError",
    "NotCziError",
    "NotFolderError",
    "OutOfBoundsError",
    "PixelTypeWarning",
    "RangesNotSupportedError",
    "RemoteAccessError",
    "RemoteError",
    "RemoteNotFoundError",
    "RemoteTimeoutError",
    "ResultTooLargeError",
    "SparseDocumentError",
    "UnexpectedError",
    "UnsupportedDataError",
]


class CziError(RuntimeError):
    """The base of every error that czictypes raises on its own account."""


# Where the builtin has arguments of its own (errno, name), it comes first: its `__init__` counts.


class LibraryNotFoundError(OSError, CziError):
    """No libCZI library with the C API could be loaded; the message lists what was tried."""


class IncompatibleLibraryError(CziError):
    """The loaded library lacks what was asked of it; the message names the version that has it."""


class CorruptFileError(CziError, ValueError):
    """The file contradicts the CZI format; the message names the segment or sub-block at fault."""


class UnexpectedError(CorruptFileError):
    """Reading failed in a way that no check foresaw; the error's ``__cause__`` tells where.

    The file is damaged in a new way, or this is a bug of czictypes.
    """


class NotCziError(CorruptFileError):
    """The file is not a CZI at all: its first bytes are not those of a CZI file header."""


class UnsupportedDataError(CziError, ValueError):
    """The file holds valid data in a form that cannot be decoded or converted as asked."""


class SparseDocumentError(UnsupportedDataError):
    """The document has far more planes or pixels than its sub-blocks could fill.

    ``ReaderOptions(allow_sparse=True)`` accepts it.
    """


class ResultTooLargeError(CziError, MemoryError):
    """A result would take more memory than it may; the message tells how to read less.

    ``ReaderOptions(max_result_bytes=)`` sets the limit.
    """


class InvalidArgumentError(CziError, ValueError):
    """An argument without meaning, such as compression options that do not exist."""


class OutOfBoundsError(CziError, IndexError, ValueError):
    """A plane, scene, channel or sub-block that the document does not have."""


class ClosedError(CziError, ValueError):
    """An operation on a reader, writer or handle that was closed before."""


class FileAccessError(OSError, CziError):
    """The operating system cannot open, make, read or write a local file."""


class MissingFileError(FileAccessError, FileNotFoundError):
    """The file does not exist."""


class IsFolderError(FileAccessError, IsADirectoryError):
    """The path is a folder, not a file."""


class NotFolderError(FileAccessError, NotADirectoryError):
    """A part of the path is a file, not a folder."""


class FilePermissionError(FileAccessError, PermissionError):
    """The operating system does not let this process read or write the file."""


class FileChangedError(OSError, CziError):
    """The file changed while it was open: what was read would not fit together.

    Of a local file, that it could not be opened again either. A remote file is opened anew by
    the next read.
    """


class RemoteError(OSError, CziError):
    """A remote file could not be read; the message tells what was tried. It has no credentials."""


class RemoteNotFoundError(RemoteError, FileNotFoundError):
    """There is nothing at a URL."""


class RemoteAccessError(RemoteError, PermissionError):
    """The server does not let us read a file."""


class RemoteTimeoutError(RemoteError, TimeoutError):
    """The server did not answer in time, each time it was asked."""


class RangesNotSupportedError(RemoteError):
    """The server sends whole files alone, and this one is too large for that."""


class IncompleteOutputError(OSError, CziError):
    """Writing failed on the way; what is there is marked as unfinished, and can be resumed."""


class MissingExtraError(ImportError, CziError):
    """An optional dependency is not installed; the message names the extra that brings it."""


class MissingPartError(MissingFileError):
    """The document is in several files, and one that is needed is missing; the message names it."""


class NativeCallError(CziError):
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


class DamagedTileWarning(UserWarning):
    """A tile that cannot be read is left blank, because of ``on_error="blank"``."""


class PixelTypeWarning(UserWarning):
    """A read gives pixels in a type that loses bits; the message names a type that does not."""


class MetadataWarning(UserWarning):
    """A part of the metadata could not be understood and is taken as missing."""
