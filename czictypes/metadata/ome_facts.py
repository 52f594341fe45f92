"""The facts of a document from which OME metadata are made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from czictypes.metadata.annotations import Annotation
from czictypes.metadata.channels import ChannelInfo
from czictypes.metadata.document_info import DocumentInfo
from czictypes.metadata.scenes import Plate, SceneInfo


@dataclass(frozen=True)
class PlaneFacts:
    """The planes of one image: each array has an entry for each plane, NaN if it is unknown.

    Times are seconds since the acquisition date, exposures seconds, positions micrometres.
    """

    z: NDArray[np.integer[Any]]
    c: NDArray[np.integer[Any]]
    t: NDArray[np.integer[Any]]
    time: NDArray[np.float64]
    exposure: NDArray[np.float64]
    stage_x: NDArray[np.float64]
    stage_y: NDArray[np.float64]
    focus_z: NDArray[np.float64]


class Sizes(NamedTuple):
    """The size of an image along each dimension of OME."""

    x: int
    y: int
    z: int
    c: int
    t: int


@dataclass(frozen=True)
class ImageFacts:
    """The facts of one image, which is a scene.

    Parameters
    ----------
    sizes
        In pixels and planes; c counts channels, not samples.
    dtype, samples
        The type of a sample, and their number for each pixel: 1, 3 or 4.
    channels, channel_names
        The metadata of each channel, and a name for each.
    pixel
        The size of a pixel along X, Y and Z in micrometres, None if unknown.
    interval
        The time between two T in seconds; None if it is unknown or not regular.
    planes
        None if they are not to be listed.
    annotations
        The annotations of the image, in its pixels.
    along_t
        The extent of each dimension that t counts through, the last one fastest.
    """

    name: str
    sizes: Sizes
    dtype: np.dtype[Any]
    samples: int = 1
    channels: Sequence[ChannelInfo] = ()
    channel_names: Sequence[str] = ()
    pixel: tuple[float | None, float | None, float | None] = (None, None, None)
    interval: float | None = None
    scene: SceneInfo | None = None
    planes: PlaneFacts | None = None
    annotations: Sequence[Annotation] = ()
    along_t: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class DocumentFacts:
    """The facts of a document, and its images."""

    info: DocumentInfo = field(default_factory=DocumentInfo)
    plate: Plate | None = None
    images: Sequence[ImageFacts] = ()
