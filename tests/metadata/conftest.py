"""What the metadata tests share: the XML and attachments of real files, and small documents."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from real_files import find_real_file

from czictypes.model.errors import MetadataWarning


class RealFile(NamedTuple):
    """What a file of the test data holds, read without any code of the package."""

    path: Path
    xml: bytes
    subblocks: list[bytes]
    attachments: dict[str, bytes]


def load(path: Path) -> RealFile:
    data = path.read_bytes()
    directory, metadata = struct.unpack_from("<qq", data, 84)
    (attachments,) = struct.unpack_from("<q", data, 104)
    (size,) = struct.unpack_from("<i", data, metadata + 32)
    xml = data[metadata + 288 : metadata + 288 + size]
    return RealFile(
        path, xml, list(_subblocks(data, directory)), dict(_attachments(data, attachments))
    )


def _subblocks(data: bytes, directory: int) -> Any:
    (count,) = struct.unpack_from("<i", data, directory + 32)
    entry = directory + 160
    for _ in range(count):
        (position,) = struct.unpack_from("<q", data, entry + 6)
        (dimensions,) = struct.unpack_from("<i", data, entry + 28)
        entry += 32 + 20 * dimensions
        (size,) = struct.unpack_from("<i", data, position + 32)
        start = position + 32 + max(256, 48 + 20 * dimensions)
        yield data[start : start + size]


def _attachments(data: bytes, directory: int) -> Any:
    if not directory:
        return
    (count,) = struct.unpack_from("<i", data, directory + 32)
    for entry in range(directory + 288, directory + 288 + 128 * count, 128):
        (position,) = struct.unpack_from("<q", data, entry + 12)
        (size,) = struct.unpack_from("<i", data, position + 32)
        name = data[entry + 48 : entry + 128].partition(b"\0")[0].decode()
        yield name, data[position + 288 : position + 288 + size]


@pytest.fixture(scope="session")
def real() -> Callable[[str], RealFile]:
    """Give a file of the real test data by its name without suffix."""
    loaded: dict[str, RealFile] = {}

    def get(name: str) -> RealFile:
        if name not in loaded:
            loaded[name] = load(find_real_file(f"{name}.czi"))
        return loaded[name]

    return get


@pytest.fixture
def any_real(every_real_file: Path, real: Callable[[str], RealFile]) -> RealFile:
    """Every file of the real test data, one after the other."""
    return real(every_real_file.stem)


@pytest.fixture
def pylibczirw() -> Any:
    """Return the peer's module, or skip with how to get it."""
    reason = "pylibCZIrw is an oracle; pip install pylibCZIrw (CPython only)"
    return pytest.importorskip("pylibCZIrw.czi", reason=reason, exc_type=ImportError)


@pytest.fixture
def load_czi() -> Callable[[Path], RealFile]:
    """Read what a file holds without any code of the package."""
    return load


@pytest.fixture
def document() -> Callable[[str], str]:
    """Wrap XML into a document: ``document("<Scaling/>")``."""
    return lambda inner: f"<ImageDocument><Metadata>{inner}</Metadata></ImageDocument>"


@pytest.fixture
def warns() -> Callable[[str], Any]:
    """Expect a warning about metadata whose text has the given words."""
    return lambda words: pytest.warns(MetadataWarning, match=words)
