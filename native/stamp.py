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
from native.targets import Target
from native.toolchain import OPTIONS, ZIG

__all__ = ["build_key", "is_up_to_date", "write_stamp"]

_HERE = Path(__file__).resolve().parent


def build_key(
    project: Project, target: Target | None, sources: dict[str, Source], *more: str
) -> str:
    """Return a hash of everything that determines a library; `more` are versions and options.

    With a target, nothing of it depends on this machine.
    """
    facts = [*more]
    if target:
        facts += [target.triple, ZIG]
    else:
        facts += [sys.platform, platform.machine()]
        facts += [f"{name}={os.environ.get(name, '')}" for name in OPTIONS]
    facts += [f"{name} {source.sha256}" for name, source in sorted(sources.items())]
    for path in sorted(
        [
            *project.folder.rglob("*"),
            *OWN_TEXTS.iterdir(),
            *_HERE.glob("*.cmake"),
            *_HERE.glob("*.cpp"),
        ]
    ):
        if path.is_file():
            facts.append(hashlib.sha256(path.read_bytes()).hexdigest())
    return hashlib.sha256("\n".join(facts).encode()).hexdigest()


def is_up_to_date(library: Path, note: str, key: str) -> bool:
    """Return whether a library is there, and the file `note` beside it says it has this `key`."""
    try:
        stamp: dict[str, Any] = json.loads(library.with_name(note).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return stamp.get("key") == key and library.is_file()


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
