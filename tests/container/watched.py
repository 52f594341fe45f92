"""A process that may crash or hang, given one file after the other; it is started again then."""

from __future__ import annotations

import json
import os
import queue
import re
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

import czictypes

__all__ = ["Outcome", "Problem", "WatchedTarget"]

_TARGET = Path(__file__).parents[1] / "fuzz_target.py"
_PACKAGE_PARENT = Path(czictypes.__file__).parents[1]


class Problem(NamedTuple):
    """What must not happen: a crash, a hang, too much memory, an error that nobody foresaw...

    `part` is what was done with the file, `text` mostly a traceback.
    """

    kind: str
    part: str
    text: str

    @property
    def place(self) -> str:
        """Where it was: the last lines of the traceback, the same for all that share the cause."""
        lines = [line.strip() for line in self.text.splitlines() if line.strip()]
        files = [line.split("/")[-1] for line in lines if line.startswith("File ")]
        if "most recent call first" in self.text:  # as faulthandler tells it
            files = [
                line.split("/")[-1]
                for line in self.text.partition("Current thread")[2].splitlines()
                if "File " in line
            ][2::-1]
        kind = re.sub("[0-9]+", "#", lines[-1])[:50] if lines else ""
        return " < ".join([kind, *reversed(files[-3:])])


class Outcome(NamedTuple):
    """What came of a file: problems, what was refused, and the most that a part took."""

    problems: list[Problem]
    refused: list[str]
    cpu: float = 0.0
    memory: int = 0


class WatchedTarget:
    """Runs `fuzz_target` in a process of its own; use it in a `with` block.

    Parameters
    ----------
    seconds
        How long one file may take before the process counts as hung. Far above what any takes; the
        process itself ends when a part takes too much CPU time.
    """

    def __init__(self, seconds: float = 900.0) -> None:
        self._seconds = seconds
        self._process: subprocess.Popen[str] | None = None
        self._answers: queue.Queue[str] = queue.Queue()
        self._errors = tempfile.TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115 (closed at exit)

    def __enter__(self) -> WatchedTarget:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop()
        self._errors.close()

    def run(self, path: Path, parts: Sequence[str]) -> Outcome:
        """Have the target do some parts of its exercise with a file."""
        process = self._running()
        assert process.stdin is not None
        try:
            process.stdin.write(json.dumps({"path": str(path), "parts": list(parts)}) + "\n")
            process.stdin.flush()
            line = self._answers.get(timeout=self._seconds)
        except queue.Empty:
            self._stop()
            return self._died("hang", f"no answer for {self._seconds:.0f} seconds")
        except BrokenPipeError:
            line = ""
        if not line:
            code = process.wait()
            self._stop()
            is_slow = code == -getattr(signal, "SIGPROF", 0)
            return self._died("hang" if is_slow else "crash", f"it died with {code}")
        found: dict[str, Any] = json.loads(line)
        problems = [Problem(*problem) for problem in found["problems"]]
        return Outcome(problems, found["refused"], found["cpu"], found["memory"])

    def _died(self, kind: str, what: str) -> Outcome:
        self._errors.seek(0)
        text = self._errors.read()
        part = (re.findall("^part (.+) of ", text, re.MULTILINE) or [""])[-1]
        return Outcome([Problem(kind, part, f"{text[:4000]}\n{what}")], [])

    def _running(self) -> subprocess.Popen[str]:
        if self._process is None:
            self._errors.seek(0)
            self._errors.truncate()
            self._answers = queue.Queue()
            environment = dict(os.environ, OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")
            paths = [str(_PACKAGE_PARENT), environment.get("PYTHONPATH", "")]
            environment["PYTHONPATH"] = os.pathsep.join(path for path in paths if path)
            self._process = subprocess.Popen(
                [sys.executable, str(_TARGET)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._errors,
                text=True,
                encoding="utf-8",
                env=environment,
                start_new_session=True,  # an interrupt from the terminal is for this process alone
            )
            arguments = (self._process, self._answers)
            threading.Thread(target=_collect, args=arguments, daemon=True).start()
        return self._process

    def _stop(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        assert process.stdin is not None
        if process.poll() is None and self._answers.empty():
            process.kill()
        process.wait()
        process.stdin.close()


def _collect(process: subprocess.Popen[str], answers: queue.Queue[str]) -> None:
    """Put the lines of a process into a queue; an empty one when it has ended."""
    assert process.stdout is not None
    with process.stdout:
        for line in process.stdout:
            answers.put(line)
    answers.put("")
