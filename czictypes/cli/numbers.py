"""Scenes, planes and channels by their numbers in a CZI, as every command takes them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from czictypes.model.errors import OutOfBoundsError

if TYPE_CHECKING:
    from czictypes.arrays.image_base import Image

_MOST_LISTED = 8


def scene_index(image: Image, scene: int | str) -> int:
    """Return the index of a scene that is given by its number or name.

    Raises
    ------
    OutOfBoundsError
        If there is no such scene; the message lists the numbers, and names, that there are.
    """
    from czictypes.reading.names import find_scene

    if isinstance(scene, str):
        return find_scene(image.scenes, scene)
    numbers = scene_numbers(image)
    if scene in numbers:
        return numbers.index(scene)
    known = [f"{number} ({name!r})" for number, name in zip(numbers, image.scenes)]
    more = f" and {len(known) - _MOST_LISTED} more" if len(known) > _MOST_LISTED else ""
    raise OutOfBoundsError(
        f"there is no scene {scene}; the scenes are {', '.join(known[:_MOST_LISTED])}{more}"
    )


def scene_numbers(image: Image) -> list[int]:
    """Return the numbers of the scenes: those of a CZI, else from 0."""
    from czictypes.arrays.image import CziImage

    stored = list(image.reader.scenes_bounding_rectangle) if isinstance(image, CziImage) else []
    return stored or list(range(len(image.scenes)))


def by_index(image: Image, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return options of a function of images, with indices in the place of numbers.

    Parameters
    ----------
    image
        The image, at the scene that is meant where the options name none.
    options
        ``scene`` or ``scenes``, ``plane`` and ``contrast`` are by number; others are returned as
        they are.

    Raises
    ------
    OutOfBoundsError
        If there is no such scene, plane or channel, or scenes begin at different numbers.
    """
    scenes = {
        name: _scenes(image, options[name])
        for name in ("scene", "scenes")
        if options.get(name) is not None
    }
    chosen = next(iter(scenes.values()), None)
    found = {**options, **scenes}
    plane, contrast = options.get("plane"), options.get("contrast")
    if plane:
        numbers = _numbers(image, chosen, plane)
        found["plane"] = {name: _index(name, one, numbers[name]) for name, one in plane.items()}
    if isinstance(contrast, dict):
        channels = _numbers(image, chosen, "C")["C"]
        found["contrast"] = {_index("C", at, channels): one for at, one in contrast.items()}
    return found


def needs_indices(options: Mapping[str, Any]) -> bool:
    """Return whether there may be numbers among the options."""
    scenes = options.get("scenes")
    has_numbers = isinstance(scenes, list) and any(isinstance(one, int) for one in scenes)
    return has_numbers or bool(options.get("plane")) or isinstance(options.get("contrast"), dict)


def _scenes(image: Image, given: Any) -> Any:
    if isinstance(given, list):
        return [scene_index(image, one) for one in given]
    return given if isinstance(given, str) else scene_index(image, given)


def _numbers(image: Image, scenes: Any, names: Iterable[str]) -> dict[str, range]:
    """Return the numbers along dimensions; they must begin alike in all of several scenes."""
    from czictypes.arrays.image_base import layout_of

    listed = image.scenes if scenes == "all" else scenes if isinstance(scenes, list) else [scenes]
    images = [image if one is None else image.scene(one) for one in listed]
    layouts = [layout_of(one).planes for one in images]
    found: dict[str, range] = {}
    for name in names:
        ranges = [planes.get(name, range(0)) for planes in layouts]
        for one, numbers in zip(images, ranges):
            if numbers.start != ranges[0].start:
                raise OutOfBoundsError(
                    f"{name} begins at {ranges[0].start} in scene {images[0].current_scene!r}, but "
                    f"at {numbers.start} in {one.current_scene!r}; choose planes of one --scene at "
                    "a time"
                )
        found[name] = max(ranges, key=len)
    return found


def _index(name: str, wanted: Any, numbers: range) -> Any:
    """Return the indices of numbers along a dimension; names, and unknown dimensions, stay."""
    if isinstance(wanted, list):
        return [_index(name, one, numbers) for one in wanted]
    if not isinstance(wanted, int) or not numbers:
        return wanted
    if wanted in numbers:
        return numbers.index(wanted)
    several = f"goes from {numbers[0]} to {numbers[-1]}"
    known = several if len(numbers) > 1 else f"is always {numbers[0]}"
    raise OutOfBoundsError(f"there is no {name} {wanted}; {name} {known}")
