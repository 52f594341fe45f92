"""The exceptions of czictypes: one small tree under `CziError`.

Each class also derives from the builtin that a Python programmer would catch, so
``except ValueError`` and ``except OSError`` work in code that knows nothing about CZI. All of them
are also a `RuntimeError`, which programs written for pylibCZIrw catch.
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
    """The base class of all errors of czictypes."""


# A builtin with arguments of its own (errno, name) comes first, so that its `__init__` is used.


class LibraryNotFoundError(OSError, CziError):
    """No libCZI library with the C API could be loaded; the message lists what was tried."""


class IncompatibleLibraryError(CziError):
    """The loaded library lacks a feature; the message names the version that has it."""


class CorruptFileError(CziError, ValueError):
    """The file contradicts the CZI format; the message names the segment or sub-block at fault."""


class UnexpectedError(CorruptFileError):
    """Reading failed in a way that no check foresaw; the ``__cause__`` is the original error.

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
    """A result would take more memory than allowed; the message says how to read less.

    ``ReaderOptions(max_result_bytes=)`` sets the limit.
    """


class InvalidArgumentError(CziError, ValueError):
    """An argument is invalid, such as compression options that do not exist."""


class OutOfBoundsError(CziError, IndexError, ValueError):
    """The document has no such plane, scene, channel or sub-block."""


class ClosedError(CziError, ValueError):
    """The reader, writer or handle is already closed."""


class FileAccessError(OSError, CziError):
    """The operating system cannot open, create, read or write a local file."""


class MissingFileError(FileAccessError, FileNotFoundError):
    """The file does not exist."""


class IsFolderError(FileAccessError, IsADirectoryError):
    """The path is a folder, not a file."""


class NotFolderError(FileAccessError, NotADirectoryError):
    """A part of the path is a file, not a folder."""


class FilePermissionError(FileAccessError, PermissionError):
    """The operating system does not let this process read or write the file."""


class FileChangedError(OSError, CziError):
    """The file changed while it was open, so that the results would be inconsistent.

    For a local file, opening it again has failed, too. The next read of a remote file opens it
    again.
    """


class RemoteError(OSError, CziError):
    """A remote file could not be read; the message names the attempt, without credentials."""


class RemoteNotFoundError(RemoteError, FileNotFoundError):
    """There is no file at the URL."""


class RemoteAccessError(RemoteError, PermissionError):
    """The server denies access to the file."""


class RemoteTimeoutError(RemoteError, TimeoutError):
    """The server did not answer any of the requests in time."""


class RangesNotSupportedError(RemoteError):
    """The server only sends whole files, and this file is too large for that."""


class IncompleteOutputError(OSError, CziError):
    """Writing failed; the output is marked as unfinished, and writing can be resumed."""


class MissingExtraError(ImportError, CziError):
    """An optional dependency is not installed; the message names the extra that installs it."""


class MissingPartError(MissingFileError):
    """A document in several files lacks one that is needed; the message names it."""


class NativeCallError(CziError):
    """A function of the C API returned an error status.

    Parameters
    ----------
    message
        The attempt, and the file.
    function
        The name of the C function.
    status
        The status code that it returned (libCZI provides no text).
    """

    def __init__(self, message: str, function: str = "", status: int = 0) -> None:
        super().__init__(message)
        self.function = function
        self.status = status


class NativeMemoryError(NativeCallError, MemoryError):
    """The C API could not allocate the memory for a call."""


class DamagedTileWarning(UserWarning):
    """A tile cannot be read and is left blank, because of ``on_error="blank"``."""


class PixelTypeWarning(UserWarning):
    """Pixels lose bits or their transparency in the type that they get; the message says which."""


class MetadataWarning(UserWarning):
    """Metadata are not understood and treated as missing, or can hardly be meant as they are."""
