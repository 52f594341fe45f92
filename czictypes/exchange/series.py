"""The images of a CZI one by one: scene after scene, five dimensions at most."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from czictypes.exchange.choice import Choice, choose

if TYPE_CHECKING:
    from czictypes.arrays.image_base import Image

__all__ = ["Series", "image_series"]

_COMMON = "TCZMYXS"


class Series(NamedTuple):
    """An image of five dimensions in a CZI.

    Parameters
    ----------
    scene
        The scene, counted from 0.
    name
        The scene's name, followed by the places in dimensions that other formats do not have.
    place
        The index in each of these.
    """

    scene: int
    name: str
    place: dict[str, int]


def image_series(image: Image, scenes: Choice = "all") -> Iterator[Series]:
    """Give the images of some scenes; the image is at each one's scene meanwhile."""
    for scene in choose(image.scenes, scenes, "scene"):
        image.set_scene(scene)
        image._layout.check_extent()
        name = image.scenes[scene]
        for place in image._layout.places(_COMMON):
            marks = [f" {one}{at}" for one, at in place.items() if image.sizes[one] > 1]
            yield Series(scene, name + "".join(marks), place)
