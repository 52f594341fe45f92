"""A build backend that runs nothing: the metadata is the PKG-INFO that the package came with.

pip calls these functions (PEP 517) in the unpacked folder before it keeps a source distribution.
The packages name setuptools as their backend, or none, which means `__legacy__` here.
"""

from __future__ import annotations

from email.parser import HeaderParser
from pathlib import Path
from types import SimpleNamespace
from typing import Any

__all__ = ["get_requires_for_build_wheel", "prepare_metadata_for_build_wheel"]


def get_requires_for_build_wheel(config_settings: Any = None) -> list[str]:
    """Return no requirements: nothing is going to be built."""
    return []


def prepare_metadata_for_build_wheel(metadata_directory: str, config_settings: Any = None) -> str:
    """Write PKG-INFO as the metadata of the wheel that is never built."""
    text = Path("PKG-INFO").read_text(encoding="utf-8")
    headers = HeaderParser().parsestr(text)
    name = headers["Name"].replace("-", "_")
    folder = Path(metadata_directory) / f"{name}-{headers['Version']}.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text(text, encoding="utf-8")
    return folder.name


__legacy__ = SimpleNamespace(
    get_requires_for_build_wheel=get_requires_for_build_wheel,
    prepare_metadata_for_build_wheel=prepare_metadata_for_build_wheel,
)
