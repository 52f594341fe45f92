"""Scenes, the wells they lie in, the plate, and its acquisitions.

An acquisition is a round in which fields of a plate were imaged; each scene belongs to one. ZEN has
no field for them, so they are custom attributes: ``PlateAcquisitions`` is a JSON list as in
OME-Zarr, with the indices of the scenes of each; ``PlateAcquisitionTimes`` has the times by id.
"""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from czictypes.metadata.fields import Node, NodeSource, root_node
from czictypes.metadata.sections import set_attribute
from czictypes.model.geometry import Rectangle

_WELL = re.compile(r"([A-Z]{1,2})\s?0*([1-9]\d{0,2})", re.ASCII | re.IGNORECASE)
_LAST_ROW = 26 + 26 * 26  # ZZ
_SHAPE_ID = re.compile(r"(\d{1,4})-(\d{1,4})", re.ASCII)


@dataclass(frozen=True)
class Well:
    """A well (ZEN says shape) of the sample carrier.

    Parameters
    ----------
    name
        ``D6``: a letter for the row, a number for the column.
    row, column
        Counted from 1; None if neither the file nor the name tells.
    center
        The position (x, y) on the stage in micrometres.
    """

    name: str | None = None
    row: int | None = None
    column: int | None = None
    center: tuple[float, float] | None = None

    @property
    def row_letters(self) -> str | None:
        """The row in letters, ``D`` for 4; None if it is unknown, or beyond ZZ."""
        if self.row is None or not 1 <= self.row <= _LAST_ROW:
            return None
        return _letters(self.row)


@dataclass(frozen=True)
class SceneInfo:
    """One scene in the metadata; None for fields that are missing.

    Parameters
    ----------
    index
        The S index of the scene.
    name
        The name: ``P1``, ``TR1``, ``D6``.
    center, size
        The centre on the stage (x, y) and the extent (width, height), in micrometres.
    contour
        ``Rectangle``, ``Ellipse`` or ``Polygon``.
    region_id
        ZEN's identifier of the region.
    well
        The well in which the scene lies.
    acquisition
        The id of the acquisition of the plate to which the scene belongs.
    """

    index: int
    name: str | None = None
    center: tuple[float, float] | None = None
    size: tuple[float, float] | None = None
    contour: str | None = None
    region_id: str | None = None
    well: Well | None = None
    acquisition: int | None = None


@dataclass(frozen=True)
class Plate:
    """A sample carrier with regular wells.

    Parameters
    ----------
    name
        The name: ``Multiwell 96``.
    rows, columns
        The number of rows and of columns.
    well_distance, well_size
        The distance of the centres, and the extent of a well, along x and y, in micrometres.
    acquisitions
        The rounds in which its fields were taken; empty if the file does not tell.
    """

    name: str | None
    rows: int
    columns: int
    well_distance: tuple[float, float] | None = None
    well_size: tuple[float, float] | None = None
    acquisitions: tuple[Acquisition, ...] = ()


def scenes(source: NodeSource, numbers: Collection[int] = ()) -> list[SceneInfo]:
    """Return the scenes in file order; empty when the metadata lists none.

    The `index` of a scene is the one in the XML. With `numbers`, the S indices of the sub-blocks,
    it is that of its sub-blocks (see `match_scenes`), and a scene that cannot be told from another
    one is left out, with a `MetadataWarning`.
    """
    listed = root_node(source).child("Metadata/Information/Image/Dimensions/S/Scenes")
    rounds = scene_acquisitions(source)
    nodes = listed.children("Scene")
    found = [_scene(position, node, rounds) for position, node in enumerate(nodes)]
    if not numbers or not found:
        return found
    positions = match_scenes([scene.index for scene in found], numbers)
    index_of = {position: number for number, position in positions.items()}
    unknown = sorted(set(numbers) - set(positions))
    if unknown and len(positions) < len(found):
        Node.warn(
            f"{listed.path} lists the scenes {_some(scene.index for scene in found)}, but the "
            f"sub-blocks have the scenes {_some(sorted(set(numbers)))}; neither index nor order "
            f"fits, so there is no name, well or position for {_some(unknown)}"
        )
    return [
        replace(scene, index=index_of.get(position, scene.index))
        for position, scene in enumerate(found)
        if position in index_of or scene.index not in numbers
    ]


def match_scenes(indices: Sequence[int], numbers: Collection[int]) -> dict[int, int]:
    """Return the position of a scene in the XML by its S index in the sub-blocks.

    A part of a document that was split by scenes may keep the S indices of the whole in its
    sub-blocks while its XML counts from 0, or the other way round. If the XML lists each S index
    once, the indices match. Otherwise, if there are as many scenes as S indices, the order does,
    unless equal indices contradict it: then only these match. Ambiguous scenes are left out.

    Parameters
    ----------
    indices
        The index of each scene in the XML; its position in the list for one without.
    numbers
        The S indices of the sub-blocks.
    """
    wanted, count = sorted(set(numbers)), Counter(indices)
    position_of = {index: position for position, index in enumerate(indices)}
    exact = {number: position_of[number] for number in wanted if count[number] == 1}
    if len(exact) == len(wanted) or len(indices) != len(wanted):
        return exact
    distinct = len(count) == len(indices)
    order: Sequence[int] = range(len(indices))
    if distinct:
        order = sorted(order, key=indices.__getitem__)
    in_order = dict(zip(wanted, order))
    from_zero = list(range(len(wanted)))
    renumbered = distinct and from_zero in (wanted, sorted(indices))
    if renumbered or exact.items() <= in_order.items():
        return in_order
    return exact


def _scene(position: int, node: Node, rounds: Mapping[int, int]) -> SceneInfo:
    listed = node.integer_attribute("Index")
    index = position if listed is None else listed
    return SceneInfo(
        index=index,
        acquisition=rounds.get(index),
        name=node.attribute("Name"),
        region_id=node.text("RegionId"),
        well=_well(node),
        center=node.pair("CenterPosition"),
        size=node.pair("ContourSize"),
        contour=node.text("ContourType"),
    )


def _some(numbers: Iterable[int]) -> str:
    listed = [str(number) for number in numbers]
    return ", ".join(listed[:8]) + (f" and {len(listed) - 8} more" if len(listed) > 8 else "")


def _well(scene: Node) -> Well | None:
    """Read the well from ``Shape``, else from ``ArrayName``, which older files have alone."""
    shape = scene.child("Shape")
    name = shape.attribute("Name") or scene.text("ArrayName")
    row, column = shape.integer("RowIndex"), shape.integer("ColumnIndex")
    if row is None or column is None:
        numbers = _SHAPE_ID.fullmatch(shape.attribute("Id") or "")
        named = parse_well_name(name or "") or (None, None)
        row, column = map(int, numbers.groups()) if numbers else named
    if name is None and row is None:
        return None
    return Well(name, row, column, shape.pair("CenterPosition"))


def covers_contour(
    size: tuple[float, float] | None, box: Rectangle, pixel: tuple[float, float]
) -> bool:
    """Return whether the pixels of a scene fill its contour, so that both have one centre.

    In a part of the document that was acquired, the contour is larger than what there is of it.
    `size` and `pixel` are in micrometres; a contour of unknown size is taken as filled.
    """
    if size is None:
        return True
    return all((n + 1) * one >= whole for n, one, whole in zip((box.w, box.h), pixel, size))


def parse_well_name(name: str) -> tuple[int, int] | None:
    """Return row and column, counted from 1, of a name such as ``D6`` or ``AF48``."""
    match = _WELL.fullmatch(name.strip())
    if match is None:
        return None
    row = 0
    for letter in match.group(1).upper():
        row = row * 26 + ord(letter) - ord("A") + 1
    return row, int(match.group(2))


def well_name(row: int, column: int) -> str:
    """Return the name of a well by its row and column, counted from 1: (4, 6) is ``D6``.

    Raises a ValueError for a number below 1 and for a row beyond ZZ.
    """
    if not 1 <= row <= _LAST_ROW or column < 1:
        raise ValueError(f"row {row}, column {column} is no well; both are counted from 1")
    return f"{_letters(row)}{column}"


def _letters(row: int) -> str:
    first, second = divmod(row - 1, 26)
    return (chr(ord("A") + first - 1) if first else "") + chr(ord("A") + second)


def plate(source: NodeSource) -> Plate | None:
    """Return the sample carrier of the experiment; None when it has no regular wells."""
    experiment = root_node(source).child("Metadata/Experiment")
    if experiment.element is None:
        return None
    for element in experiment.element.iter("Template"):
        node = Node(element, f"{experiment.path}/.../Template")
        rows, columns = node.integer("ShapeRows"), node.integer("ShapeColumns")
        if rows and columns and rows > 0 and columns > 0:
            return Plate(
                name=node.attribute("Name"),
                rows=rows,
                columns=columns,
                well_distance=_two(node, "ShapeDistanceX", "ShapeDistanceY"),
                well_size=_two(node, "ShapeWidth", "ShapeHeight"),
                acquisitions=acquisitions(source),
            )
    return None


def _two(node: Node, first: str, second: str) -> tuple[float, float] | None:
    x, y = node.number(first), node.number(second)
    return None if x is None or y is None else (x, y)


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
