"""The category of every warning about metadata."""

from __future__ import annotations

__all__ = ["MetadataWarning"]


class MetadataWarning(UserWarning):
    """A part of the metadata could not be understood and is taken as missing."""
