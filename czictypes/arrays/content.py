"""The metadata of an image as a new file takes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from czictypes.metadata.document_content import DocumentContent
from czictypes.metadata.document_info import GeneralDocumentInfoDto, Scaling
from czictypes.metadata.scenes import SceneInfo
from czictypes.writing.array_notes import time_axis

if TYPE_CHECKING:
    from czictypes.arrays.image_base import Image
    from czictypes.metadata.annotations import Annotation

_MICROMETRES = 1e6


def content_of(
    image: Image,
    base: DocumentContent | None = None,
    annotations: Sequence[Annotation] = (),
    numbers: Sequence[int] | None = None,
) -> DocumentContent:
    """Return the metadata of the current scene, which becomes scene 0.

    `base` has those of its document, `annotations` those in pixels of the scene's full resolution,
    and `numbers` the channels as the display settings count them.
    """
    info = image.document_info
    base = base or DocumentContent(
        info=GeneralDocumentInfoDto(title=info.title, description=info.description)
    )
    shown = image._display_settings
    order = range(len(image.channels)) if numbers is None else numbers
    size = image.physical_pixel_sizes
    x, y, z = (one and one / _MICROMETRES for one in (size.X, size.Y, size.Z))
    return replace(
        base,
        channels=[replace(one, index=at, id=None) for at, one in enumerate(image.channels)],
        scaling=Scaling(x, y, z),
        display_settings={at: shown[one] for at, one in enumerate(order) if one in shown},
        scenes=[_scene(image)],
        plate=image.plate,
        objective=image.objective,
        acquisition_date=image.acquisition_date,
        time_axis=time_axis(tuple(image.time_stamps or ())),
        annotations=[one.magnified(*_zoom(image)) for one in annotations],
    )


def _zoom(image: Image) -> tuple[float, float]:
    """Return how many columns and rows of the current level there are for one of the full one."""
    full = image._layout.grid(0)
    return image.sizes["X"] / full.width, image.sizes["Y"] / full.height


def _scene(image: Image) -> SceneInfo:
    """Return the scene with the place of its pixels on the stage, where that is known."""
    known = image.scene_info or SceneInfo(0, image.current_scene)
    info = replace(known, index=0, name=known.name or image.current_scene)
    origin, size = image.origin, image.physical_pixel_sizes
    if origin is None or not size.X or not size.Y:
        return replace(info, center=None, size=None)
    full = image._pixel_sizes()
    extent = image.sizes["X"] * size.X, image.sizes["Y"] * size.Y
    corner = origin[0] - (full.X or 0.0) / 2, origin[1] - (full.Y or 0.0) / 2
    return replace(info, size=extent, center=(corner[0] + extent[0] / 2, corner[1] + extent[1] / 2))
