"""Determines whether the library in an output folder is up to date."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import sys
from pathlib import Path
from typing import Any

from native.compiling import Project
from native.licence_texts import OWN_TEXTS
from native.sources import Source

__all__ = ["build_key", "is_up_to_date", "write_stamp"]

_ZSTD = Path(__file__).resolve().with_name("zstd.cmake")
_OPTIONS = ("CC", "CXX", "CFLAGS", "CXXFLAGS", "LDFLAGS", "MACOSX_DEPLOYMENT_TARGET")


def build_key(project: Project, sources: dict[str, Source], *more: str) -> str:
    """Return a hash of everything that determines a library; `more` are versions and options."""
    facts: list[str] = [*more, sys.platform, platform.machine()]
    facts += [f"{name} {source.sha256}" for name, source in sorted(sources.items())]
    facts += [f"{name}={os.environ.get(name, '')}" for name in _OPTIONS]
    for path in sorted([*project.folder.rglob("*"), *OWN_TEXTS.iterdir(), _ZSTD]):
        if path.is_file():
            facts.append(hashlib.sha256(path.read_bytes()).hexdigest())
    return hashlib.sha256("\n".join(facts).encode()).hexdigest()


def is_up_to_date(project: Project, output: Path, key: str) -> bool:
    """Return whether `output` holds a library that was built with `key`."""
    try:
        stamp: dict[str, Any] = json.loads((output / project.note).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return stamp.get("key") == key and (output / project.library).is_file()


def write_stamp(
    project: Project, output: Path, key: str | None, sources: dict[str, Source], **more: str | None
) -> None:
    """Record in `output` the sources of its library; without a key it is never up to date."""
    stamp = {
        "key": key,
        **more,
        "sources": {
            name: {"package": str(source), "file": source.file, "sha256": source.sha256}
            for name, source in sorted(sources.items())
        },
    }
    text = json.dumps(stamp, indent=2) + "\n"
    (output / project.note).write_text(text, encoding="utf-8")
