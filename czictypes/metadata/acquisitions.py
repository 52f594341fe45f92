"""Acquisitions of a plate: the rounds in which its fields were imaged; each scene belongs to one.

ZEN has no field for acquisitions, so they are custom attributes: ``PlateAcquisitions`` is a JSON
list as in OME-Zarr, with the indices of the scenes of each; ``PlateAcquisitionTimes`` has the times
by id.
"""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from czictypes.metadata.fields import NodeSource, root_node
from czictypes.metadata.sections import set_attribute

_LIST, _TIMES = "PlateAcquisitions", "PlateAcquisitionTimes"
_PATH = "Metadata/Information/CustomAttributes/KeyValue"
_SMALL = range(1_000_000)  # larger numbers may be dates


@dataclass(frozen=True)
class Acquisition:
    """A round in which fields of a plate were imaged.

    Parameters
    ----------
    id
        The number of the acquisition, from 0 on.
    name, description
        Free text.
    start, end
        The times as in OME-Zarr: whole numbers since 1970, in a unit that the file lacks.
    """

    id: int
    name: str | None = None
    description: str | None = None
    start: int | None = None
    end: int | None = None


def as_acquisitions(listed: Any) -> tuple[Acquisition, ...]:
    """Convert a list in OME-Zarr's JSON; leave out entries without a unique id."""
    found: dict[int, Acquisition] = {}
    for one in listed if isinstance(listed, list) else ():
        number = _whole(one.get("id")) if isinstance(one, Mapping) else None
        if number is not None and number not in found:
            found[number] = Acquisition(
                number,
                _text(one.get("name")),
                _text(one.get("description")),
                _whole(one.get("starttime")),
                _whole(one.get("endtime")),
            )
    return tuple(found.values())


def acquisitions(source: NodeSource) -> tuple[Acquisition, ...]:
    """Return the acquisitions of a plate in their order; empty if the metadata lists none."""
    times = _stored(source, _TIMES)
    found = []
    for one in as_acquisitions(_stored(source, _LIST)):
        known = times.get(str(one.id)) if isinstance(times, Mapping) else None
        if isinstance(known, list) and len(known) == 2:
            one = replace(one, start=_whole(known[0]), end=_whole(known[1]))
        found.append(one)
    return tuple(found)


def scene_acquisitions(source: NodeSource) -> dict[int, int]:
    """Return the acquisition id of each scene, by the scene's index in the XML."""
    listed = _stored(source, _LIST)
    return {
        scene: one["id"]
        for one in (listed if isinstance(listed, list) else ())
        if isinstance(one, Mapping) and _whole(one.get("id")) is not None
        for scene in _scenes(one)
    }


def add_acquisitions(
    root: ET.Element, known: Sequence[Acquisition], scenes: Iterable[tuple[int, int | None]]
) -> None:
    """Replace the acquisitions.

    `scenes` has the index of each scene and the id of its acquisition. Raises a ValueError if two
    acquisitions have the same id, a scene names an unknown one, or XML cannot store a text.
    """
    stored = root.find(_PATH)
    if stored is not None:
        for element in [*stored.findall(_LIST), *stored.findall(_TIMES)]:
            stored.remove(element)
    if not known:
        return
    numbers = [one.id for one in known]
    if len(set(numbers)) < len(numbers):
        raise ValueError(f"each acquisition of a plate needs an id of its own, not {numbers}")
    members: dict[int, list[int]] = {number: [] for number in numbers}
    for scene, number in sorted((scene, number) for scene, number in scenes if number is not None):
        members.setdefault(number, []).append(scene)
    for number in set(members) - set(numbers):
        raise ValueError(
            f"scene {members[number][0]} names acquisition {number}, but the plate has {numbers}"
        )
    listed = []
    for one in known:
        texts = {"name": one.name, "description": one.description}
        given = {key: text for key, text in texts.items() if text is not None}
        listed.append({"id": one.id, **given, "scenes": members[one.id]})
    set_attribute(root, _LIST, json.dumps(listed, ensure_ascii=False))
    times = {
        str(one.id): [one.start, one.end] for one in known if (one.start, one.end) != (None, None)
    }
    if times:
        set_attribute(root, _TIMES, json.dumps(times))


def keep_acquisitions(root: ET.Element, new_index: Mapping[int, int]) -> None:
    """Keep some scenes; `new_index` maps their indices in the XML to new ones."""
    listed = _stored(root, _LIST)
    if not isinstance(listed, list):
        return
    for one in listed:
        if isinstance(one, dict):
            one["scenes"] = [new_index[scene] for scene in _scenes(one) if scene in new_index]
    set_attribute(root, _LIST, json.dumps(listed, ensure_ascii=False))


def anonymous_acquisitions(text: str) -> str | None:
    """Return the stored list with only ids and scenes; None if it is not JSON."""
    try:
        listed = json.loads(text)
    except (ValueError, RecursionError):
        return None
    kept = [
        {"id": one["id"], "scenes": [scene for scene in _scenes(one) if scene in _SMALL]}
        for one in (listed if isinstance(listed, list) else ())
        if isinstance(one, dict) and _whole(one.get("id")) in _SMALL
    ]
    return json.dumps(kept)


def _stored(source: NodeSource, key: str) -> Any:
    node = root_node(source).child(f"{_PATH}/{key}")
    text = node.text()
    if text is None:
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        node.warn(f"{node.path} is not JSON ({error}); it is ignored")
        return None


def _scenes(one: Mapping[str, Any]) -> list[int]:
    scenes = one.get("scenes")
    if not isinstance(scenes, list):
        return []
    return [scene for scene in scenes if _whole(scene) is not None]


def _whole(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None
