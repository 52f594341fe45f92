"""Makes the wheels of all platforms and the source distribution, and audits what is in them."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

from native.audit import Audit, audit_library
from native.compiling import KERNEL, LIBCZI, Report
from native.errors import BuildError
from native.targets import Target

__all__ = ["make_wheels"]


def make_wheels(
    root: Path,
    folder: Path,
    targets: Collection[Target],
    build: Callable[[Target], object],
    report: Report,
) -> list[Path]:
    """Write a wheel for each target, one without native libraries, and the sdist into `folder`.

    The same sources make the same bytes, on any machine (the variable SOURCE_DATE_EPOCH dates the
    files inside).

    Parameters
    ----------
    root
        The checkout.
    folder
        Gets the files; made if it is not there.
    targets
        The platforms.
    build
        Builds both libraries for a target.
    report
        Takes the lines that tell of the progress.

    Raises
    ------
    BuildError
        A part cannot be built, or a library is not right for its platform.
    """
    # Several at once: zig compiles its C++ library for a platform with one processor.
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(build, targets))
    made = []
    for target in targets:
        wheel = _hatchling(root, folder, "wheel", CZICTYPES_TARGET=target.name)
        needed = sorted(
            {name for audit in audit_wheel(wheel, target, root) for name in audit.needed}
        )
        report(f"{_described(wheel)}, needs {', '.join(needed)}")
        made.append(wheel)
    for kind, settings in (("wheel", {"CZICTYPES_NO_NATIVE": "1"}), ("sdist", {})):
        made.append(_hatchling(root, folder, kind, **settings))
        report(_described(made[-1]))
    return made


def audit_wheel(wheel: Path, target: Target, root: Path) -> list[Audit]:
    """Audit both libraries in a wheel; raise BuildError unless they are right for the target."""
    with zipfile.ZipFile(wheel) as archive:
        return [
            audit_library(
                archive.read(f"czictypes/_native/{project.library(target)}"), project, target, root
            )
            for project in (LIBCZI, KERNEL)
        ]


def _hatchling(root: Path, folder: Path, kind: str, **settings: str) -> Path:
    """Let hatchling build a wheel or the sdist, in a process of its own; return the file."""
    cleared = {"CZICTYPES_TARGET": "", "CZICTYPES_NO_NATIVE": ""}
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=folder, prefix=".incoming-") as incoming:
        done = subprocess.run(
            [sys.executable, "-m", "hatchling", "build", "--target", kind, "--directory", incoming],
            cwd=root,
            env={**os.environ, **cleared, **settings},
            check=False,
        )
        if done.returncode:
            raise BuildError(f"hatchling made no {kind}: what it printed tells why.")
        (made,) = Path(incoming).iterdir()
        return made.replace(folder / made.name)


def _described(path: Path) -> str:
    return f"{path.name} ({path.stat().st_size / 1e6:.1f} MB)"
