"""What the metadata tell of an image, in the units and under the names that its users expect."""

from __future__ import annotations

from abc import ABC, abstractmethod

from czictypes.reading.reader import CziReader

__all__ = ["ImageDescription"]


class ImageDescription(ABC):
    """The described side of a `CziImage`."""

    @property
    @abstractmethod
    def reader(self) -> CziReader:
        """The open document."""

    @property
    @abstractmethod
    def scene_index(self) -> int | None:
        """The number of the scene, or None where there is none or all are meant."""
