"""The findings of a check: one fault each, and the report of all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

__all__ = ["CheckReport", "Finding", "Findings", "Severity", "counted"]

#: ``"error"``: something cannot be read, or is lost. ``"warning"``: everything can be read, but
#: the file contradicts itself, or other programs may misread it. ``"info"``: worth knowing.
Severity = Literal["error", "warning", "info"]

_RANK = {"info": 0, "warning": 1, "error": 2}
#: So many findings of one check and severity are listed; all others are counted.
_MOST_LISTED = 100


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong with a file.

    Parameters
    ----------
    check
        The name of the check that found it; docs/checking.md lists them.
    severity
        ``"error"``, ``"warning"`` or ``"info"``.
    place
        Where it is, in words: a sub-block with its plane, an attachment, an element of the XML.
    message
        The fault.
    remedy
        A way to mend it.
    sub_block
        The number of the sub-block in the directory, if it is one.
    offset
        The byte of the file at which it begins, if there is one.
    """

    check: str
    severity: Severity
    place: str
    message: str
    remedy: str
    sub_block: int | None = None
    offset: int | None = None

    def __str__(self) -> str:
        """Return one line: severity, name, place, what is wrong, what to do."""
        return f"{self.severity}: {self.place}: {self.message} [{self.check}]; {self.remedy}"


@dataclass(frozen=True)
class CheckReport:
    """All that a check of a file found; true if there is no error in it.

    Parameters
    ----------
    file
        The path or URL, without credentials.
    findings
        The faults, the worst first. At most 100 of each check and severity are listed.
    checks
        The names of the checks that were made.
    counts
        How many errors, warnings and infos there are, the ones that are not listed included.
    unlisted
        How many findings of each check are not listed.
    sub_blocks
        How many sub-blocks the directory has; None where it cannot be read.
    quick, pixels
        Whether only the directory and the XML were looked at, and whether all pixels were decoded.
    """

    file: str
    findings: tuple[Finding, ...]
    checks: tuple[str, ...]
    counts: Mapping[Severity, int] = field(default_factory=dict)
    unlisted: Mapping[str, int] = field(default_factory=dict)
    sub_blocks: int | None = None
    quick: bool = False
    pixels: bool = False

    @property
    def worst(self) -> Severity | None:
        """The severity of the worst finding; None if there are none."""
        return self.findings[0].severity if self.findings else None

    @property
    def ok(self) -> bool:
        """Whether there is no error; there may be warnings."""
        return self.worst != "error"

    def __bool__(self) -> bool:
        """Return `ok`."""
        return self.ok

    def of(self, check: str) -> list[Finding]:
        """Return what one check found."""
        return [finding for finding in self.findings if finding.check == check]

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, ready for JSON."""
        values = asdict(self)
        values.update(
            findings=[asdict(finding) for finding in self.findings],
            checks=list(self.checks),
            counts=dict(self.counts),
            unlisted=dict(self.unlisted),
            ok=self.ok,
            worst=self.worst,
        )
        return values

    def __str__(self) -> str:
        """Return a line that sums it up, and one for each finding."""
        lines = [f"{self.file}: {self.summary}", *map(str, self.findings)]
        lines += [f"{number} more of {check}" for check, number in self.unlisted.items()]
        return "\n".join(lines)

    @property
    def summary(self) -> str:
        """How many errors, warnings and infos there are, in words."""
        if not self.findings:
            return "nothing is wrong"
        return ", ".join(counted(number, kind) for kind, number in self.counts.items() if number)


def counted(number: int, noun: str) -> str:
    """Return a number and its noun."""
    return f"{number} {noun}" if number == 1 or noun == "info" else f"{number} {noun}s"


class Findings:
    """Collects findings in bounded memory."""

    def __init__(self) -> None:
        self._listed: list[Finding] = []
        self._counts: Counter[tuple[str, Severity]] = Counter()

    def add(self, found: Iterable[Finding]) -> None:
        """Take findings, and keep the first ones of each check and severity."""
        for finding in found:
            kind = finding.check, finding.severity
            self._counts[kind] += 1
            if self._counts[kind] <= _MOST_LISTED:
                self._listed.append(finding)

    def listed(self) -> tuple[Finding, ...]:
        """Return those that are kept, the worst first, else in the order in which they came."""
        return tuple(sorted(self._listed, key=lambda one: -_RANK[one.severity]))

    def counts(self) -> dict[Severity, int]:
        """Return how many there are of each severity."""
        found: dict[Severity, int] = {"error": 0, "warning": 0, "info": 0}
        for (_, severity), number in self._counts.items():
            found[severity] += number
        return found

    def unlisted(self) -> dict[str, int]:
        """Return how many of each check are not kept."""
        found: Counter[str] = Counter()
        for (check, _), number in self._counts.items():
            found[check] += max(number - _MOST_LISTED, 0)
        return {check: number for check, number in found.items() if number}
