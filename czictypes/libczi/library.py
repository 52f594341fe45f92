"""Find and load libCZI, and call it with its failures as exceptions."""

from __future__ import annotations

import importlib
import logging
import os
import sys
import threading
from collections.abc import Iterator
from enum import IntEnum
from functools import partial
from pathlib import Path
from typing import Any, Callable, NamedTuple, TypeVar

from czictypes.libczi.functions import FIRST_VERSION, FUNCTIONS, Version, format_version
from czictypes.model.errors import (
    IncompatibleLibraryError,
    LibraryNotFoundError,
    NativeCallError,
    NativeMemoryError,
)

_LOG = logging.getLogger(__name__)

T = TypeVar("T")


class _CallbackError(NamedTuple):
    """An exception of Python code that libCZI called; raised unchanged or as a cause."""

    error: BaseException
    as_itself: bool


class _Pending(threading.local):
    """The error of a callback during this thread's call; callbacks run in the calling thread."""

    failed: _CallbackError | None = None


class Library:
    """A libCZI library with the C API.

    Raises
    ------
    OSError
        If the system's loader cannot load the library.
    IncompatibleLibraryError
        If it lacks functions that every libCZI from 0.65.0 on has.
    """

    def __init__(self, candidate: Candidate) -> None:
        self.path = candidate.path
        self.origin = candidate.origin
        self.ffi: Any = _declarations()
        self.lib: Any = self.ffi.dlopen(candidate.path)
        self._functions = self._resolve()
        self.version: Version = self._read_version()
        #: The live objects of this library, by a serial number (see `libczi.handle`).
        self.live: dict[int, Any] = {}
        self._pending = _Pending()
        self._companions: dict[Any, Any] = {}
        self._lock = threading.RLock()

    def has(self, name: str) -> bool:
        """Return whether the library has a function; it has all that are not optional."""
        return name in self._functions

    def function(self, name: str) -> Any:
        """Return a C function, or raise IncompatibleLibraryError if it is missing."""
        try:
            return self._functions[name]
        except KeyError:
            pass
        needed = format_version(FUNCTIONS[name].since)
        raise IncompatibleLibraryError(
            f"{name} is missing in {self.path}, which is libCZI {format_version(self.version)}; "
            f"libCZI {needed} or later has it"
        )

    def call(self, name: str, *args: Any, what: str = "", file: str = "") -> None:
        """Call a C function that returns a status; raise an error if it fails.

        Parameters
        ----------
        name, *args
            The C function and its arguments.
        what, file
            The attempt ("read sub-block 7") and the name of the file, for the message.

        Raises
        ------
        NativeCallError
            If the status is a failure. If Python code that libCZI called (a stream) raised an
            exception, it is the ``__cause__``.
        BaseException
            The exception of such Python code itself, if reported `as_itself`.
        """
        function = self._functions.get(name) or self.function(name)
        self._run(partial(function, *args), name, what, file)

    def call_once(self, name: str, handles: dict[str, int], *, what: str) -> None:
        """Remove the handle "raw", if present, and call a function on it.

        Both happen in a single step, so an interrupt comes before or after, but never between.
        """
        function = self._functions.get(name) or self.function(name)
        taken = iter(partial(handles.pop, "raw", None), None)
        self._run(partial(next, map(function, taken), 0), name, what, "")

    def _run(self, act: Callable[[], int], name: str, what: str, file: str) -> None:
        pending = self._pending
        # A callback may call libCZI again in this thread, so calls nest.
        outer, pending.failed = pending.failed, None
        try:
            status = act()
            failed = pending.failed
        finally:
            pending.failed = outer
        if status > 0 or failed is not None:
            if failed is None:
                raise failure(name, status, what, file)
            if failed.as_itself:
                raise failed.error
            raise failure(name, status, what, file) from failed.error

    def callback_failed(self, error: BaseException, *, as_itself: bool) -> None:
        """Store an exception of a callback for the current call of this thread."""
        interrupts = not isinstance(error, Exception)
        # The first error causes the others, but an interrupt must never be lost.
        if self._pending.failed is None or interrupts:
            self._pending.failed = _CallbackError(error, as_itself or interrupts)

    def companion(self, make: Callable[[Library], T]) -> T:
        """Return ``make(library)``, computed once and kept as long as the library."""
        with self._lock:
            if make not in self._companions:
                self._companions[make] = make(self)
            companion: T = self._companions[make]
            return companion

    def renew_lock(self) -> None:
        """Replace the lock, which another thread may have held during the fork."""
        self._lock = threading.RLock()

    def free(self, pointer: Any) -> None:
        """Free memory that libCZI returned (or NULL)."""
        self._functions["libCZI_Free"](pointer)

    def take_text(self, pointer: Any) -> str:
        """Decode UTF-8 text that libCZI returned, "" for NULL, and free its memory."""
        if not pointer:
            return ""
        try:
            raw: bytes = self.ffi.string(self.ffi.cast("char *", pointer))
            return raw.decode("utf-8", "replace")
        finally:
            self.free(pointer)

    def _resolve(self) -> dict[str, Any]:
        found, missing = {}, []
        for name, function in FUNCTIONS.items():
            try:
                found[name] = getattr(self.lib, name)
            except (AttributeError, self.ffi.error):
                if not function.optional:
                    missing.append(name)
        if missing:
            raise IncompatibleLibraryError(
                f"{self.path} lacks {len(missing)} functions of libCZI's C API ({missing[0]}, "
                f"for one); use a libCZI {format_version(FIRST_VERSION)} or later that was built "
                "with the C API"
            )
        return found

    def _read_version(self) -> Version:
        info = self.ffi.new("struct LibCZIVersionInfoInterop *")
        status = self._functions["libCZI_GetLibCZIVersionInfo"](info)
        version = (info.major, info.minor, info.patch)
        if status > 0 or version < FIRST_VERSION:
            raise IncompatibleLibraryError(
                f"{self.path} says that it is libCZI {format_version(version)}; "
                f"{format_version(FIRST_VERSION)} or later is needed"
            )
        return version


def _declarations() -> Any:
    try:
        return importlib.import_module("czictypes.libczi._declarations").ffi
    except ModuleNotFoundError as error:
        raise LibraryNotFoundError(
            "czictypes was not built: the declarations of libCZI's C API are missing. Install it "
            "with pip, or run `python build_native.py` in the source tree"
        ) from error


class _State:
    """The only global state: the library in use."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.chosen: str | None = None
        self.current: Library | None = None
        self.missing = ""  # why the search found none; it would be slow to repeat
        self.loaded: dict[Candidate, Library] = {}

    def after_fork(self) -> None:
        """Replace locks that another thread may have held during the fork."""
        self.lock = threading.Lock()
        for library in self.loaded.values():
            library.renew_lock()


_state = _State()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_state.after_fork)


def get_library() -> Library:
    """Return the library; the first call finds and loads it. Thread-safe.

    Raises
    ------
    LibraryNotFoundError
        If there is none; the message lists the attempts and says what to install.
    IncompatibleLibraryError
        If the explicitly named library is too old or incomplete.
    """
    current = _state.current
    if current is not None:
        return current
    with _state.lock:
        if _state.current is None:
            if _state.missing and not os.environ.get(ENVIRONMENT_VARIABLE):
                raise LibraryNotFoundError(_state.missing)
            _state.current = _load(_state.chosen)
        return _state.current


def find_library() -> Library | None:
    """Return the library as `get_library` does, or None if you named none and none is found.

    Without a library everything can be read that libCZI need not decode.
    """
    try:
        return get_library()
    except LibraryNotFoundError:
        if _state.missing:
            return None
        raise


def use_library(path: str | os.PathLike[str] | None) -> None:
    """Load the libCZI library at `path` and use it for all documents opened from now on.

    Documents that are already open keep their library. You can call this function at any time, but
    usually it comes first. After an error, the previous library stays in use.

    Parameters
    ----------
    path
        The shared library; the system's loader searches for a bare file name. None restores the
        default search: the environment variable ``CZICTYPES_LIBRARY``, the library bundled with
        czictypes, then the system's library.

    Raises
    ------
    LibraryNotFoundError
        If the library cannot be loaded.
    IncompatibleLibraryError
        If it is not a libCZI with the C API of version 0.65.0 or later.
    """
    chosen = None if path is None else os.fspath(path)
    with _state.lock:
        _state.current = None if chosen is None else _load(chosen)
        _state.chosen, _state.missing = chosen, ""


def loaded_libraries() -> list[Library]:
    """Return the libraries that were loaded so far."""
    return list(_state.loaded.values())


def _load(chosen: str | None) -> Library:
    tried = []
    for candidate in candidates(chosen):
        try:
            if candidate not in _state.loaded:
                library = _state.loaded[candidate] = Library(candidate)
                version = format_version(library.version)
                _LOG.info("loaded libCZI %s from %s (%s)", version, library.path, library.origin)
            return _state.loaded[candidate]
        except LibraryNotFoundError:
            raise
        except (OSError, IncompatibleLibraryError) as error:
            if candidate.explicit:
                raise _explicit_failure(candidate, error) from error
            tried.append(f"  {candidate.path} ({candidate.origin}): {_reason(candidate, error)}")
    _state.missing = (
        "no libCZI library with the C API was found. Tried, in this order:\n"
        + "\n".join(tried)
        + "\nInstall a czictypes wheel for this platform (pip install czictypes), or build the "
        "library in a source tree (python build_native.py), or name a libCZI build of "
        f"{format_version(FIRST_VERSION)} or later that has the C API, with "
        f"czictypes.use_library(path) or the environment variable {ENVIRONMENT_VARIABLE}"
    )
    raise LibraryNotFoundError(_state.missing)


def _explicit_failure(candidate: Candidate, error: Exception) -> Exception:
    if isinstance(error, IncompatibleLibraryError):
        return IncompatibleLibraryError(f"{error} (named by {candidate.origin})")
    return LibraryNotFoundError(
        f"cannot load {candidate.path}, named by {candidate.origin}: {_reason(candidate, error)}"
    )


def _reason(candidate: Candidate, error: Exception) -> str:
    path = Path(candidate.path)
    if path.name != candidate.path and not path.exists():
        return "there is no such file"
    return " ".join(str(error).split())


ENVIRONMENT_VARIABLE = "CZICTYPES_LIBRARY"

_BUNDLED = Path(__file__).resolve().parent.parent / "_native"


class Candidate(NamedTuple):
    """A library to try.

    Attributes
    ----------
    path
        A file, or a bare name for the system's loader.
    origin
        How it was found: ``use_library``, the environment variable, ``bundled`` or ``system``.
    explicit
        Whether the user named it, so that no other library is tried.
    """

    path: str
    origin: str
    explicit: bool = False


def candidates(chosen: str | None = None) -> Iterator[Candidate]:
    """Yield the libraries to try; only one if the user has named it."""
    if chosen is not None:
        yield Candidate(_as_path(chosen), "use_library", True)
        return
    named = os.environ.get(ENVIRONMENT_VARIABLE)
    if named:
        yield Candidate(_as_path(named), ENVIRONMENT_VARIABLE, True)
        return
    names = library_names()
    yield from (Candidate(str(_BUNDLED / name), "bundled") for name in names)
    # Conda installs libraries here, where the system's loader may not find them.
    folder = Path(sys.prefix, *(("Library", "bin") if sys.platform == "win32" else ("lib",)))
    yield from (Candidate(str(folder / name), "system") for name in names)
    yield from (Candidate(name, "system") for name in names)
    yield from (Candidate(name, "system") for name in _registered_names())


def library_names() -> tuple[str, ...]:
    """Return the file names of libCZI's C API on this platform."""
    # CMake prefixes the target name libCZIAPI with "lib"; packages often remove the prefix.
    if sys.platform == "win32":
        return ("libCZIAPI.dll", "liblibCZIAPI.dll")
    if sys.platform == "darwin":
        return ("libCZIAPI.dylib", "liblibCZIAPI.dylib")
    return ("libCZIAPI.so", "liblibCZIAPI.so")


def _as_path(text: str) -> str:
    """Return the absolute path if `text` is a file or contains a folder, else `text`."""
    path = Path(text).expanduser()
    return str(path.absolute()) if path.exists() or path.name != text else text


def _registered_names() -> Iterator[str]:
    """Yield names from the system's registry of libraries, such as versioned names."""
    from ctypes.util import find_library  # slow, because it may start programs

    for stem in ("CZIAPI", "libCZIAPI"):
        name = find_library(stem)
        if name:
            yield name


class Status(IntEnum):
    """The status codes of the C API; all above 0 are failures."""

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
    """Return the exception for a failed call; the arguments are those of `Library.call`."""
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
