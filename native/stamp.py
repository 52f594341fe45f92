"""Tell whether the library in an output folder is the one that a build would make again."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import sys
from pathlib import Path
from typing import Any

from native.compiling import CMAKE_PROJECT, LIBRARY_NAME
from native.licence_texts import OWN_TEXTS
from native.patching import JXRLIB_PATCH, patch_name
from native.sources import Source

__all__ = ["STAMP_NAME", "build_key", "is_up_to_date", "write_stamp"]

STAMP_NAME = "build.json"

_OPTIONS = ("CC", "CXX", "CFLAGS", "CXXFLAGS", "LDFLAGS", "MACOSX_DEPLOYMENT_TARGET")


def build_key(libczi: str, sources: dict[str, Source], *, sanitize: bool = False) -> str:
    """Return a hash of all that decides what the library becomes."""
    facts: list[str] = [libczi, sys.platform, platform.machine(), patch_name()]
    facts += ["sanitize"] if sanitize else []
    facts += [f"{name} {source.sha256}" for name, source in sorted(sources.items())]
    facts += [f"{name}={os.environ.get(name, '')}" for name in _OPTIONS]
    for path in sorted([*CMAKE_PROJECT.rglob("*"), *OWN_TEXTS.iterdir()]):
        if path.is_file():
            facts.append(hashlib.sha256(path.read_bytes()).hexdigest())
    return hashlib.sha256("\n".join(facts).encode()).hexdigest()


def is_up_to_date(output: Path, key: str) -> bool:
    """Tell whether `output` holds a library that was built with `key`."""
    try:
        stamp: dict[str, Any] = json.loads((output / STAMP_NAME).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return stamp.get("key") == key and (output / LIBRARY_NAME).is_file()


def write_stamp(output: Path, key: str | None, libczi: str, sources: dict[str, Source]) -> None:
    """Note in `output` what the library there was made from; without a key it is never current."""
    stamp = {
        "key": key,
        "libczi": libczi,
        "patch": None if key is None else JXRLIB_PATCH.name,
        "sources": {
            name: {"package": str(source), "file": source.file, "sha256": source.sha256}
            for name, source in sorted(sources.items())
        },
    }
    (output / STAMP_NAME).write_text(json.dumps(stamp, indent=2) + "\n", encoding="utf-8")
