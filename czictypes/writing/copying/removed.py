"""The parts of its source that a copy lacks or has, as values for programs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from czictypes.metadata.anonymize import Anonymizer

__all__ = ["KeptPart", "RemovedPart", "anonymized_parts"]

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
    values
        Of metadata the values that were removed: up to 100 different ones, each up to 200
        characters. They are the secrets of the source, so `str` does not show them.
    """

    kind: _Kind
    name: str = ""
    level: int | None = None
    scene: int | None = None
    kept: str = ""
    reason: str = ""
    values: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Return it in words."""
        words = self._what()
        if self.kept:
            words += f": all but {self.kept}"
        return f"{words} ({self.reason})" if self.reason else words

    def _what(self) -> str:
        if self.name or self.kind == "metadata":
            return _named(self.kind, self.name)
        if self.kind == "sub-block metadata":
            return f"{self.kind} that are no XML"
        if self.kind == "pyramid level":
            where = "" if self.scene is None else f" of scene {self.scene}"
            return f"{self.kind} {self.level}{where}"
        return self.kind


def _named(kind: _Kind, name: str) -> str:
    before = {"metadata": "", "sub-block metadata": "sub-block "}.get(kind, f"{kind} ")
    return f"{before}{name}"


@dataclass(frozen=True)
class KeptPart:
    """Something that `anonymize` left in a copy, for you to look at.

    Parameters
    ----------
    kind
        ``"metadata"``, ``"sub-block metadata"`` or ``"attachment"``.
    name
        As of a `RemovedPart`.
    values
        Of metadata the values that stay: up to 100 different ones, each up to 200 characters.
    """

    kind: _Kind
    name: str
    values: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Return it in words."""
        return _named(self.kind, self.name)


def anonymized_parts(anonymizer: Anonymizer) -> tuple[list[RemovedPart], list[KeptPart]]:
    """Return what went of the metadata and what stayed, sorted by path."""
    removed: list[RemovedPart] = []
    kept: list[KeptPart] = []
    kinds: tuple[_Kind, _Kind] = ("metadata", "sub-block metadata")
    for kind, report in zip(kinds, (anonymizer.of_document, anonymizer.of_subblocks)):
        removed += [
            RemovedPart(kind, path, kept=report.changed.get(path, ""), values=tuple(values))
            for path, values in sorted(report.went.items())
        ]
        kept += [
            KeptPart(kind, path, tuple(values)) for path, values in sorted(report.stayed.items())
        ]
    return removed, kept
