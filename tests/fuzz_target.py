"""Does with files, perhaps damaged ones, what users do; run in a process of its own.

    python tests/fuzz_target.py FILE...     tells for each file and part what came of it

Without arguments it takes a line of JSON for each case, and answers with one: see `answer`.
Where the library lacks our patch, hostile JPEG XR data would crash it: helpers decode them then.
"""

from __future__ import annotations

import faulthandler
import gc
import json
import os
import shutil
import signal
import sys
import tempfile
import threading
import time
import traceback
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from files.recipes import build
from fuzz_parts import PARTS, Trials, available_parts
from leaks import left_since, snapshot

from czictypes import library_info

__all__ = ["ADDRESS_SPACE", "CPU_SECONDS", "MEMORY", "answer"]

_IS_CPYTHON = sys.implementation.name == "cpython"
_IS_SANITIZED = "libasan" in os.environ.get("LD_PRELOAD", "")  # it reserves far more than it uses
#: CPU time that one part may take with one file (s); PyPy has to warm up.
CPU_SECONDS = 5 if _IS_CPYTHON else 60
#: Bytes that it may need beside what the process has, and four times the size of the file.
MEMORY = 256 << 20
#: Bytes that the process may use in all, where its peak cannot be told.
ADDRESS_SPACE = 4 << 30


class _Peak:
    """The most memory of the process since `reset`; 0 where the system does not tell it."""

    _status, _reset = Path("/proc/self/status"), Path("/proc/self/clear_refs")

    def reset(self) -> None:
        try:
            self._reset.write_text("5")
            self._before = self._read("VmRSS:")
        except (OSError, StopIteration):
            self._before = 0

    def grown(self) -> int:
        """Return the bytes above what it was at the reset."""
        return self._read("VmHWM:") - self._before if self._before else 0

    def _read(self, name: str) -> int:
        lines = self._status.read_text().splitlines()
        return int(next(line for line in lines if line.startswith(name)).split()[1]) << 10


@contextmanager
def _cpu_limit() -> Iterator[None]:
    """End the process, with the tracebacks of its threads, where it takes too much CPU time."""
    if not hasattr(signal, "setitimer"):  # Windows
        yield
        return
    signal.setitimer(signal.ITIMER_PROF, CPU_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


class _OtherThreads:
    """Collects what is raised where nobody can catch it."""

    def __init__(self) -> None:
        self.raised: list[BaseException] = []
        threading.excepthook = lambda told: self._keep(told.exc_value)
        sys.unraisablehook = lambda told: self._keep(told.exc_value)

    def _keep(self, error: BaseException | None) -> None:
        if error is not None:
            self.raised.append(error)

    def take(self) -> list[BaseException]:
        taken, self.raised = self.raised, []
        return taken


_elsewhere = _OtherThreads()
_peak = _Peak()


def answer(path: Path, parts: Sequence[str]) -> dict[str, Any]:
    """Do the parts of an exercise with a file, each in an empty folder.

    Returns
    -------
    dict
        ``"refused"``: a line for each call that was refused with a `CziError`. ``"problems"``:
        kind, part and text of all that must not be. ``"cpu"``, ``"memory"``: seconds and bytes of
        the part that took most.
    """
    found: dict[str, Any] = {"refused": [], "problems": [], "cpu": 0.0, "memory": 0}
    for part in parts:
        _try_part(part, path, found)
    return found


def _try_part(part: str, path: Path, found: dict[str, Any]) -> None:
    trials, problems = Trials(), found["problems"]
    print(f"part {part} of {path}", file=sys.stderr, flush=True)  # for the parent, should we die
    folder = Path(tempfile.mkdtemp(prefix="czictypes-fuzz-"))
    open_before = snapshot()
    _peak.reset()
    begun = time.process_time()
    try:
        with _cpu_limit():
            trials.attempt(lambda: PARTS[part].act(path, folder, trials))
    except Exception as error:  # the parent tells it; the next part is tried all the same
        problems.append(("exception", part, _told(error)))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    seconds, grown = time.process_time() - begun, _peak.grown()
    problems += [("unexpected", part, _told(error)) for error in trials.unexpected]
    problems += [("thread", part, _told(error)) for error in _elsewhere.take()]
    allowed = MEMORY + 4 * path.stat().st_size
    if grown > allowed and not _IS_SANITIZED:
        problems.append(("memory", part, f"{grown >> 20} MiB, of {allowed >> 20} MiB allowed"))
    if _IS_CPYTHON:
        left = left_since(open_before) if snapshot() - open_before else []
        if left:
            problems.append(("left open", part, ", ".join(left)))
    found["refused"] += [f"{part}: {text}" for text in trials.refused]
    found["cpu"], found["memory"] = max(found["cpu"], seconds), max(found["memory"], grown)


def _told(error: BaseException) -> str:
    lines = traceback.format_exception(type(error), error, error.__traceback__)
    return "".join(lines)[-4000:]


def _limit() -> None:
    """Prepare the limits of memory and CPU time."""
    faulthandler.enable()
    if hasattr(faulthandler, "register") and hasattr(signal, "SIGPROF"):
        faulthandler.register(signal.SIGPROF, all_threads=True, chain=True)
    if _IS_SANITIZED:
        return
    try:
        import resource
    except ImportError:  # Windows
        return
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))


def _warm_up(parts: Sequence[str]) -> None:
    """Do everything once with a good file: no other is to blame for what imports take."""
    with tempfile.TemporaryDirectory(prefix="czictypes-fuzz-") as folder:
        path = build("single", Path(folder)).path
        for part in parts:
            target = Path(tempfile.mkdtemp(dir=folder))
            with suppress(Exception):  # what fails with a good file will be told of the others
                PARTS[part].act(path, target, Trials())
    gc.collect()


def _serve(lines: Iterable[str]) -> None:
    warm: set[str] = set()
    for line in lines:
        asked = json.loads(line)
        if new := set(asked["parts"]) - warm:
            _warm_up(sorted(new))
            warm |= new
        os.ftruncate(2, 0)  # the parent's file, for what is said at the end
        os.lseek(2, 0, os.SEEK_SET)
        print(json.dumps(answer(Path(asked["path"]), asked["parts"])), flush=True)


def main(arguments: list[str]) -> None:
    """Try the files named, or those named line by line on standard input."""
    warnings.simplefilter("ignore")  # what a file is worth a warning for is tested elsewhere
    if not library_info().is_patched:
        os.environ.setdefault("CZICTYPES_JPEGXR", "process")
    _limit()
    if not arguments:
        _serve(sys.stdin)
        return
    _warm_up(available_parts())
    for argument in arguments:
        found = answer(Path(argument), available_parts())
        problems = [f"{kind} in {part}: {text}" for kind, part, text in found["problems"]]
        print(argument, *(problems or found["refused"] or ["fine"]), sep="\n  ")


if __name__ == "__main__":
    main(sys.argv[1:])
