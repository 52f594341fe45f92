"""The names of the scenes of a document."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from operator import index as as_integer

from czictypes.arrays.scene_infos import scene_infos
from czictypes.metadata.scenes import SceneInfo
from czictypes.model.errors import OutOfBoundsError
from czictypes.reading.reader import CziReader

__all__ = ["find_scene", "scene_names"]


def scene_names(reader: CziReader) -> tuple[str, ...]:
    """Return a name for each scene that the document has tiles of; no two are equal.

    It is that of the metadata, with the well where several have the same name, or ``Image:0``.
    """
    numbers: list[int | None] = list(reader.scenes_bounding_rectangle) or [None]
    described = scene_infos(reader)
    names = [_name(described.get(number), number) for number in numbers]
    for better in (_with_well, _with_number):
        counts = Counter(names)
        names = [
            name if counts[name] == 1 else better(name, described.get(number), number)
            for name, number in zip(names, numbers)
        ]
    return tuple(names)


def _name(scene: SceneInfo | None, number: int | None) -> str:
    return (scene and scene.name) or f"Image:{number or 0}"


def _with_well(name: str, scene: SceneInfo | None, number: int | None) -> str:
    well = scene and scene.well and scene.well.name
    return f"{name}-{well}" if well else name


def _with_number(name: str, scene: SceneInfo | None, number: int | None) -> str:
    return f"{name} ({number})"


def find_scene(names: Sequence[str], scene: int | str) -> int:
    """Return the position of a scene given by its name or position.

    Raises
    ------
    OutOfBoundsError
        If there is no such scene; the message lists some that there are.
    """
    if isinstance(scene, str):
        if scene in names:
            return names.index(scene)
    else:
        position = as_integer(scene)
        if -len(names) <= position < len(names):
            return position % len(names)
    some = ", ".join(repr(name) for name in names[:8])
    more = f" and {len(names) - 8} more" if len(names) > 8 else ""
    raise OutOfBoundsError(f"there is no scene {scene!r}; the scenes are {some}{more}")
