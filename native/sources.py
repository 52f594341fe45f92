"""The pinned native sources of sources.toml."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from native.errors import BuildError, missing_package

__all__ = ["SOURCES_FILE", "Source", "Sources", "read_sources", "read_toml"]

SOURCES_FILE = Path(__file__).resolve().with_name("sources.toml")


@dataclass(frozen=True)
class Source:
    """A file of the package index, and the folder in it that is needed."""

    package: str
    version: str
    file: str
    sha256: str
    folder: str
    licences: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.package} {self.version}"

    @property
    def is_wheel(self) -> bool:
        """Whether the file is a wheel; otherwise it is a source distribution."""
        return self.file.endswith(".whl")


@dataclass(frozen=True)
class Sources:
    """The contents of sources.toml: libCZI by version, and the libraries to build it with."""

    default_libczi: str
    libczi: dict[str, Source]
    parts: dict[str, Source]

    def libczi_source(self, version: str) -> Source:
        """Return the source of a version of libCZI; raise BuildError if it is not pinned."""
        try:
            return self.libczi[version]
        except KeyError:
            known = ", ".join(sorted(self.libczi))
            raise BuildError(
                f"libCZI {version} is not among the pinned sources ({known}): choose one of them "
                "with --libczi, or build a checkout of libCZI with --source DIR."
            ) from None


def read_sources(path: Path = SOURCES_FILE) -> Sources:
    """Read `path`, a file in the form of sources.toml."""
    table = read_toml(path)
    return Sources(
        default_libczi=table["default_libczi"],
        libczi={name: _source(entry) for name, entry in table["libczi"].items()},
        parts={name: _source(entry) for name, entry in table["parts"].items()},
    )


def _source(entry: dict[str, Any]) -> Source:
    return Source(**{**entry, "licences": tuple(entry["licences"])})


def read_toml(path: Path) -> dict[str, Any]:
    """Read a file in TOML, which Python itself can do since 3.11."""
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        try:
            import tomli as tomllib
        except ImportError:
            raise missing_package("the Python package tomli") from None
    return tomllib.loads(path.read_text(encoding="utf-8"))
