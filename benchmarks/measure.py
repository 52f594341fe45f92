"""Times calls one after the other in turns, so that a busy moment of the machine hits all."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

__all__ = ["Timing", "interleaved", "peak_memory"]

_PATIENCE = 20.0  # seconds: after these no further round begins


class Timing(NamedTuple):
    """Medians in seconds: elapsed, and of all threads' CPU time."""

    seconds: float
    cpu: float
    rounds: int


def interleaved(
    calls: dict[str, Callable[[], Any]], rounds: int, before: Callable[[], Any] | None = None
) -> dict[str, Timing]:
    """Run all calls in turns, some rounds long; at least two, however long they take.

    `before` is called before each of them and not timed.
    """
    elapsed: dict[str, list[float]] = {name: [] for name in calls}
    cpu: dict[str, list[float]] = {name: [] for name in calls}
    begin = time.perf_counter()
    for number in range(rounds):
        if number > 1 and time.perf_counter() - begin > _PATIENCE:
            break
        for name, call in calls.items():
            if before is not None:
                before()
            gc.collect()
            used, start = _cpu_time(), time.perf_counter()
            result = call()
            elapsed[name].append(time.perf_counter() - start)
            cpu[name].append(_cpu_time() - used)
            del result
    return {
        name: Timing(statistics.median(elapsed[name]), statistics.median(cpu[name]), len(cpu[name]))
        for name in calls
    }


def _cpu_time() -> float:
    """Return the CPU time of this process and of those it has waited for."""
    try:
        import resource
    except ImportError:  # on Windows, where nothing tells that of other processes
        return time.process_time()
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def peak_memory(call: Callable[[], Any]) -> int | None:
    """Return by how many bytes a call raises the process's memory at most; None if untold."""
    try:
        Path("/proc/self/clear_refs").write_text("5")  # sets the peak to what is used now
        before = _memory("VmRSS")
        result = call()
        peak = _memory("VmHWM") - before
    except OSError:
        return None
    del result
    return peak


def _memory(field: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) * 1024
    raise OSError(f"the system does not tell {field}")
