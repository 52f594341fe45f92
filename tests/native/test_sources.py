"""native/sources.toml pins everything that is compiled."""

from __future__ import annotations

import re

import pytest

from native.errors import BuildError
from native.sources import Source, read_sources

PINNED = read_sources()
ALL = [*PINNED.libczi.values(), *PINNED.parts.values()]


@pytest.mark.parametrize("source", ALL, ids=str)
def test_every_source_is_pinned_by_version_and_hash(source: Source) -> None:
    assert re.fullmatch(r"[0-9a-f]{64}", source.sha256)
    assert source.version in source.file
    assert source.folder


def test_the_parts_are_those_that_cmake_asks_for() -> None:
    assert sorted(PINNED.parts) == ["eigen", "rapidjson", "zstd"]


def test_the_default_is_the_newest_libczi() -> None:
    newest = max(PINNED.libczi, key=lambda version: [int(part) for part in version.split(".")])
    assert PINNED.default_libczi == newest


def test_an_unknown_version_is_answered_with_the_known_ones() -> None:
    with pytest.raises(BuildError, match=r"libCZI 0\.1 is not .*0\.67\.1, 0\.67\.3, 0\.67\.4"):
        PINNED.libczi_source("0.1")
