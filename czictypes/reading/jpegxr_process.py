"""Decodes JPEG XR in helper processes, so that a crash of the decoder becomes an error.

Hostile data may crash the decoder of a libCZI other than the patched one that czictypes brings. If
the environment variable ``CZICTYPES_JPEGXR`` is ``process``, helpers decode: Python processes that
import only what they need, receive data through a pipe and send pixels back. A helper serves one
thread at a time and is reused; the next call replaces one that ended. Helpers end when their pipes
close, at the latest with this process.
"""

from __future__ import annotations

import atexit
import logging
import math
import os
import signal
import struct
import sys
import threading
from contextlib import suppress
from typing import IO, Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from czictypes.libczi.library import get_library, use_library
from czictypes.model.errors import CziError, NativeCallError, NativeMemoryError
from czictypes.model.pixel_types import pixel_format
from czictypes.reading.native_reader import decoded

_LOG = logging.getLogger(__name__)

_VARIABLE = "CZICTYPES_JPEGXR"
#: The program of a helper: isolated from the current folder, with this process's search path.
_START = (
    "import sys; library = sys.argv[1]; sys.path[:] = sys.argv[2:]; "
    "from czictypes.reading.jpegxr_process import serve; serve(library)"
)
#: width, height, pixel type, compression, size of the data; result, size of the rest
_REQUEST, _ANSWER = struct.Struct("<IIIIQ"), struct.Struct("<BQ")
_READY, _PIXELS, _REFUSED, _NO_MEMORY = range(4)


class HelperEndedError(NativeCallError):
    """The helper ended while it decoded."""


def decodes_apart() -> bool:
    """Return whether CZICTYPES_JPEGXR asks for helpers; raise ValueError for an unknown value."""
    wish = os.environ.get(_VARIABLE, "")
    if wish not in ("", "process"):
        raise ValueError(f"{_VARIABLE} must be 'process' or not set, not {wish!r}")
    return wish == "process"


def decode_apart(
    data: bytes, width: int, height: int, pixel_type: int, compression: int
) -> NDArray[np.generic]:
    """Decode as `native_reader.decoded` does, in a helper process.

    Raises HelperEndedError if the helper crashed or was ended (the next call starts another),
    NativeCallError or NativeMemoryError as in this process, and CziError if no helper can be
    started.
    """
    helper = _pool.take(get_library().path)
    try:
        pixels = helper.decode(data, width, height, pixel_type, compression)
    except (NativeCallError, NativeMemoryError) as error:
        if isinstance(error, HelperEndedError):
            _pool.end(helper)
        else:
            _pool.give_back(helper)
        raise
    except BaseException:  # an interrupt: the data in the pipe belong to this call
        _pool.end(helper)
        raise
    _pool.give_back(helper)
    return pixels


class _Helper:
    """A helper process; used by one thread at a time."""

    def __init__(self, library: str) -> None:
        import subprocess  # needed for helpers only

        self.library = library
        command = [sys.executable, "-I", "-B", "-c", _START, library, *sys.path]
        # in its own session: an interrupt from the terminal is for this process only
        apart: dict[str, Any] = {"start_new_session": True}
        if sys.platform == "win32":
            apart = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
        try:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                **apart,
            )
        except OSError as error:
            raise CziError(f"cannot start a process that decodes JPEG XR: {error}") from error
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._requests: IO[bytes] = self._process.stdin
        self._answers: IO[bytes] = self._process.stdout
        try:
            self._read(_ANSWER.size)
        except BaseException as error:
            self.end()
            if not isinstance(error, HelperEndedError):
                raise
            raise CziError(
                f"a process that decodes JPEG XR ended while it started ({sys.executable} "
                f"cannot import czictypes, or not load {library}); unset {_VARIABLE} to decode "
                "in this process"
            ) from None
        _LOG.debug("process %d decodes JPEG XR, with %s", self._process.pid, library)

    def is_alive(self) -> bool:
        return self._process.poll() is None

    def decode(
        self, data: bytes, width: int, height: int, pixel_type: int, compression: int
    ) -> NDArray[np.generic]:
        layout = pixel_format(pixel_type)
        shape, dtype = (height, width, layout.samples), np.dtype(layout.dtype)
        try:
            self._requests.write(_REQUEST.pack(width, height, pixel_type, compression, len(data)))
            self._requests.write(data)
            self._requests.flush()
        except OSError:
            self._ended()
        result, size = _ANSWER.unpack(self._read(_ANSWER.size))
        if result == _PIXELS and size == math.prod(shape) * dtype.itemsize:
            pixels: NDArray[Any] = np.frombuffer(self._read(size), dtype).reshape(shape).copy()
            return pixels
        if result not in (_REFUSED, _NO_MEMORY):
            self._ended()
        text = self._read(min(size, 10_000)).decode("utf-8", "replace")
        raise NativeMemoryError(text) if result == _NO_MEMORY else NativeCallError(text)

    def end(self) -> None:
        """End the process; it has no state to lose."""
        self._process.kill()
        for pipe in (self._requests, self._answers):
            with suppress(OSError):  # data that were not sent
                pipe.close()
        self._process.wait()

    def forget(self) -> None:
        """Close the pipes in the child of a fork; the process belongs to the parent."""
        self._process.returncode = 0
        for pipe in (self._requests, self._answers):
            with suppress(OSError):
                os.close(pipe.fileno())

    def _read(self, size: int) -> bytes:
        data = self._answers.read(size)
        if len(data) < size:
            self._ended()
        return data

    def _ended(self) -> NoReturn:
        self._process.kill()  # it may only have closed its pipes, or send nonsense
        code = self._process.wait()
        how = f"with status {code if code < 256 else hex(code)}"  # as Windows tells of crashes
        if code < 0:
            with suppress(ValueError):
                how = f"by {signal.Signals(-code).name}"
        _LOG.info("process %d, which decoded JPEG XR, ended %s", self._process.pid, how)
        raise HelperEndedError(
            f"the helper process ended {how}; the data are damaged, or something else ended it"
        )


class _Pool:
    """The helpers of this process; safe to use from many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._all: set[_Helper] = set()
        self._idle: list[_Helper] = []

    def take(self, library: str) -> _Helper:
        """Return an idle helper, or a new one."""
        with self._lock:
            idle, self._idle = self._idle, []
            fit = [helper for helper in idle if helper.library == library and helper.is_alive()]
            helper = fit.pop() if fit else None
            self._idle = fit
        for other in set(idle) - set(fit) - {helper}:
            self.end(other)
        if helper is None:
            helper = _Helper(library)
            with self._lock:
                self._all.add(helper)
        return helper

    def give_back(self, helper: _Helper) -> None:
        with self._lock:
            self._idle.append(helper)

    def end(self, helper: _Helper) -> None:
        with self._lock:
            self._all.discard(helper)
        helper.end()

    def end_all(self) -> None:
        """End all helpers when this process exits."""
        with self._lock:
            helpers, self._all, self._idle = self._all, set(), []
        for helper in helpers:
            helper.end()

    def after_fork(self) -> None:
        """Drop the parent's helpers in the child, which starts its own."""
        for helper in self._all:
            helper.forget()
        self.__init__()  # type: ignore[misc]  # a lock may have been held


_pool = _Pool()
atexit.register(_pool.end_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_pool.after_fork)


def serve(library: str) -> None:
    """Run a helper process: decode requests from standard input with this libCZI until it ends."""
    if sys.platform == "win32":
        import msvcrt

        # A crash ends the process, without a window that waits for somebody to close it.
        msvcrt.SetErrorMode(msvcrt.SEM_FAILCRITICALERRORS | msvcrt.SEM_NOGPFAULTERRORBOX)
    requests = sys.stdin.buffer
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # prints must not mix with the answers
    use_library(library)
    _answer(answers, _READY, b"")
    while True:
        head = requests.read(_REQUEST.size)
        if len(head) < _REQUEST.size:
            break
        width, height, pixel_type, compression, size = _REQUEST.unpack(head)
        _answer(answers, *_result(requests.read(size), width, height, pixel_type, compression))


def _result(
    data: bytes, width: int, height: int, pixel_type: int, compression: int
) -> tuple[int, Any]:
    try:
        pixels = np.ascontiguousarray(decoded(data, width, height, pixel_type, compression))
    except MemoryError as error:
        return _NO_MEMORY, str(error).encode()
    except CziError as error:
        return _REFUSED, str(error).encode()
    layout = pixel_format(pixel_type)
    if pixels.shape != (height, width, layout.samples) or pixels.dtype != np.dtype(layout.dtype):
        return _REFUSED, b"the picture is of another size or pixel type"
    return _PIXELS, pixels.reshape(-1).view(np.uint8).data


def _answer(answers: IO[bytes], result: int, content: Any) -> None:
    answers.write(_ANSWER.pack(result, len(content)))
    answers.write(content)
    answers.flush()
