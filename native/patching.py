"""Applies our patch of jxrlib to unpacked sources, if they are the text that it was made for."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from native.errors import BuildError

__all__ = ["JXRLIB_PATCH", "FilePatch", "apply_patch", "patch_name", "read_patch"]

JXRLIB_PATCH = Path(__file__).resolve().with_name("patches") / "jxrlib.patch"

_HASH = re.compile(r"sha256 ([0-9a-f]{64})\b")


@dataclass
class _Hunk:
    before: str = ""
    after: str = ""


@dataclass
class FilePatch:
    """The changes of one file.

    Attributes
    ----------
    file
        Its path in the sources.
    sha256
        The hashes of the texts, with LF at the ends of lines, that it may have before.
    hunks
        Lines that stand in each of these texts exactly once, and what replaces them.
    """

    file: str
    sha256: tuple[str, ...]
    hunks: list[_Hunk] = field(default_factory=list)


def patch_name(patch: Path = JXRLIB_PATCH) -> str:
    """Return a name that identifies this patch: the name of its file, and a part of its hash."""
    return f"{patch.stem}-{hashlib.sha256(patch.read_bytes()).hexdigest()[:12]}"


def apply_patch(folder: Path, patch: Path = JXRLIB_PATCH) -> None:
    """Change the files in `folder`; none of them is written unless all can be.

    Raises
    ------
    BuildError
        If a file is missing, or is another text than the patch was made for.
    """
    changed = {folder / part.file: _changed(folder, part, patch) for part in read_patch(patch)}
    for path, text in changed.items():
        path.write_bytes(text.encode("utf-8"))


def read_patch(patch: Path = JXRLIB_PATCH) -> list[FilePatch]:
    """Read a unified diff with lines ``sha256 HASH`` before each file."""
    parts: list[FilePatch] = []
    hashes: list[str] = []
    for line in _lines(patch):
        found = _HASH.match(line)
        if found:
            hashes.append(found[1])
        elif line.startswith("+++ b/"):
            parts.append(FilePatch(line[len("+++ b/") :].rstrip("\n"), tuple(hashes)))
            hashes = []
        elif line.startswith("@@"):
            parts[-1].hunks.append(_Hunk())
        elif parts and parts[-1].hunks and not hashes and line[0] in " +-" and line[:3] != "---":
            hunk = parts[-1].hunks[-1]
            hunk.before += line[1:] if line[0] != "+" else ""
            hunk.after += line[1:] if line[0] != "-" else ""
    return parts


def _lines(patch: Path) -> Iterator[str]:
    yield from patch.read_text(encoding="utf-8").splitlines(keepends=True)


def _changed(folder: Path, part: FilePatch, patch: Path) -> str:
    path = folder / part.file
    if not path.is_file():
        raise BuildError(f"{patch} changes {path}, which is not there: {_REMEDY}")
    data = path.read_bytes().replace(b"\r\n", b"\n")
    found = hashlib.sha256(data).hexdigest()
    if found not in part.sha256:
        raise BuildError(
            f"{patch} was not made for {path}: that file has the SHA-256 {found}, not "
            f"{' or '.join(part.sha256)}. {_REMEDY}"
        )
    text = data.decode("utf-8")
    for hunk in part.hunks:
        if text.count(hunk.before) != 1:
            raise BuildError(
                f"{patch} does not fit {path}: the lines from {hunk.before.splitlines()[0]!r} on "
                f"stand there {text.count(hunk.before)} times."
            )
        text = text.replace(hunk.before, hunk.after)
    return text


_REMEDY = (
    "Bring the patch up to this version of libCZI, or build the unpacked sources as they are with "
    "--source DIR."
)
