"""The parts of its source that a copy lacks, as values for programs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["RemovedPart"]

_Kind = Literal[
    "attachment", "pyramid level", "metadata", "sub-block metadata", "sub-block attachments"
]


@dataclass(frozen=True)
class RemovedPart:
    """Something that a copy does not have of its source; `str` says it in words.

    Parameters
    ----------
    kind
        ``"attachment"``, ``"pyramid level"``, ``"metadata"`` (of the document),
        ``"sub-block metadata"`` or ``"sub-block attachments"``.
    name
        The name of an attachment; of metadata the path of the XML element or (with ``@``)
        attribute, empty where the whole XML is meant.
    level, scene
        Of a pyramid level, and of the scene that it belongs to; None for none.
    kept
        What of it the copy has all the same; empty for nothing.
    reason
        Why it was left out, where `anonymize` was not the reason.
    """

    kind: _Kind
    name: str = ""
    level: int | None = None
    scene: int | None = None
    kept: str = ""
    reason: str = ""

    def __str__(self) -> str:
        """Return it in words."""
        words = self._what()
        if self.kept:
            words += f": all but {self.kept}"
        return f"{words} ({self.reason})" if self.reason else words

    def _what(self) -> str:
        if self.kind == "metadata":
            return self.name
        if self.kind == "sub-block metadata":
            return f"sub-block {self.name}" if self.name else f"{self.kind} that are no XML"
        if self.kind == "pyramid level":
            where = "" if self.scene is None else f" of scene {self.scene}"
            return f"{self.kind} {self.level}{where}"
        return f"{self.kind} {self.name}".rstrip()
