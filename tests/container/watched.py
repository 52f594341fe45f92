"""A process that may crash or hang, given one file after the other; it is started again then."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from types import TracebackType
from typing import Any

import czictypes

__all__ = ["WatchedTarget"]

_TARGET = Path(__file__).parents[1] / "fuzz_target.py"
_PACKAGE_PARENT = Path(czictypes.__file__).parents[1]


class WatchedTarget:
    """Runs `fuzz_target` in a process of its own; use it in a `with` block.

    Parameters
    ----------
    seconds
        How long one file may take before the process counts as hung. Far above what any takes.
    """

    def __init__(self, seconds: float = 120.0) -> None:
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

    def run(self, path: Path) -> tuple[str, list[str]]:
        """Give one file to the target.

        Returns
        -------
        problem : str
            Empty, or how it crashed, hung or failed.
        refused : list of str
            What it refused to read.
        """
        process = self._running()
        assert process.stdin is not None
        try:
            process.stdin.write(json.dumps(str(path)) + "\n")
            process.stdin.flush()
            line = self._answers.get(timeout=self._seconds)
        except queue.Empty:
            self._stop()
            return f"it hung for {self._seconds:.0f} seconds\n{self._error_text()}", []
        except BrokenPipeError:
            line = ""
        if not line:
            code = process.wait()
            self._stop()
            return f"it died with {code}\n{self._error_text()}", []
        answer: dict[str, Any] = json.loads(line)
        return answer.get("failed", ""), answer.get("refused", [])

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

    def _error_text(self) -> str:
        self._errors.seek(0)
        return self._errors.read()[-4000:]


def _collect(process: subprocess.Popen[str], answers: queue.Queue[str]) -> None:
    """Put the lines of a process into a queue; an empty one when it has ended."""
    assert process.stdout is not None
    with process.stdout:
        for line in process.stdout:
            answers.put(line)
    answers.put("")
