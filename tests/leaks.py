"""Notices native handles, files and decoding threads that a test leaves open."""

from __future__ import annotations

import gc
import os
import sys
import threading
import time
from collections import Counter
from pathlib import Path

__all__ = ["left_since", "snapshot"]

_DESCRIPTORS = Path("/proc/self/fd")
_SECONDS_FOR_THREADS = 60.0  # a thread that was told to end needs a moment; more where many run


def snapshot() -> Counter[str]:
    """Return what is open now: handles of libCZI, files, decoding threads."""
    return Counter(_handles() + _files() + _threads())


def left_since(before: Counter[str]) -> list[str]:
    """Return what is open now and was not before; collects garbage before it complains."""
    end = time.monotonic() + _SECONDS_FOR_THREADS
    left = snapshot() - before
    while left and time.monotonic() < end:
        gc.collect()
        left = snapshot() - before
        if not any(name.startswith("thread") for name in left):
            break
        time.sleep(0.01)
    return sorted(left.elements())


def _handles() -> list[str]:
    module = sys.modules.get("czictypes.libczi.handle")  # nothing is open before it is imported
    return [] if module is None else [f"handle {name}" for name in module.live_handles()]


def _files() -> list[str]:
    """Return the regular files that are open; on systems without /proc, none."""
    if not _DESCRIPTORS.is_dir():
        return []
    found = []
    for name in os.listdir(_DESCRIPTORS):  # noqa: PTH208 (Path.iterdir keeps a descriptor open)
        try:
            target = os.readlink(_DESCRIPTORS / name)  # noqa: PTH115
        except OSError:  # the descriptor of the listing itself
            continue
        fixed = target.startswith(("/dev/", "/proc/")) or target.endswith(".ttf")
        if target.startswith("/") and not fixed:  # matplotlib keeps fonts open
            found.append(f"file {target}")
    return found


def _threads() -> list[str]:
    alive = (thread.name for thread in threading.enumerate())
    return [f"thread {name}" for name in alive if name.startswith("czictypes")]
