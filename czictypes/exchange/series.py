"""The images of a CZI one by one: scene after scene, five dimensions at most."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple, Union

if TYPE_CHECKING:
    from czictypes.arrays.image import CziImage

__all__ = ["Scenes", "Series", "chosen_scenes", "image_series"]

#: ``"all"``, or names or indices of scenes, or one.
Scenes = Union[str, int, Iterable[Union[str, int]]]

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


def chosen_scenes(image: CziImage, scenes: Scenes) -> list[int]:
    """Return the indices of scenes that are named in any way.

    Raises
    ------
    ValueError
        If there is no such scene, or one is named twice.
    """
    names = list(image.scenes)
    if isinstance(scenes, str) and scenes == "all":
        return list(range(len(names)))
    listed = [scenes] if isinstance(scenes, (str, int)) else list(scenes)
    found = []
    for one in listed:
        if isinstance(one, str) and one in names:
            found.append(names.index(one))
        elif not isinstance(one, str) and 0 <= one < len(names):
            found.append(int(one))
        else:
            raise ValueError(f"there is no scene {one!r}; there are {', '.join(names)}")
    if not found or len(set(found)) < len(found):
        raise ValueError(f"scenes={scenes!r} names no scene, or one twice")
    return found


def image_series(image: CziImage, scenes: Scenes = "all") -> Iterator[Series]:
    """Give the images of some scenes; the image is at each one's scene meanwhile."""
    for scene in chosen_scenes(image, scenes):
        image.set_scene(scene)
        name = image.scenes[scene]
        others = [letter for letter in image.dims.order if letter not in _COMMON]
        for place in itertools.product(*(range(image.sizes[letter]) for letter in others)):
            marks = [f" {one}{at}" for one, at in zip(others, place) if image.sizes[one] > 1]
            yield Series(scene, name + "".join(marks), dict(zip(others, place)))
