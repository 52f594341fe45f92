"""Scenes, the wells they lie in, and the plate."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from czictypes.metadata.acquisitions import Acquisition, acquisitions, scene_acquisitions
from czictypes.metadata.fields import Node, NodeSource, root_node

__all__ = [
    "Plate",
    "SceneInfo",
    "Well",
    "match_scenes",
    "parse_well_name",
    "plate",
    "scenes",
    "well_name",
]

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
        Counted from 1; None when neither the file nor the name tells.
    center
        x and y on the stage in micrometres.
    """

    name: str | None = None
    row: int | None = None
    column: int | None = None
    center: tuple[float, float] | None = None

    @property
    def row_letters(self) -> str | None:
        """The row as plates have it, ``D`` for 4; None where it is unknown, or beyond ZZ."""
        if self.row is None or not 1 <= self.row <= _LAST_ROW:
            return None
        return _letters(self.row)


@dataclass(frozen=True)
class SceneInfo:
    """One scene in the metadata; None for fields that are missing.

    Parameters
    ----------
    index
        The scene's S index.
    name
        ``P1``, ``TR1``, ``D6``.
    center, size
        The centre on the stage (x, y) and the extent (width, height), in micrometres.
    contour
        ``Rectangle``, ``Ellipse`` or ``Polygon``.
    region_id
        ZEN's identifier of the region.
    well
        The well the scene lies in.
    acquisition
        The id of the acquisition of the plate that the scene belongs to.
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
        ``Multiwell 96``.
    rows, columns
        How many there are.
    well_distance, well_size
        From centre to centre, and the extent of a well, along x and y, in micrometres.
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

    Parameters
    ----------
    source
        The document's XML.
    numbers
        The S indices of the sub-blocks. With them the `index` of each scene is that of its
        sub-blocks (see `match_scenes`), and a scene that cannot be told from another one is left
        out, with a `MetadataWarning`. Without them it is the one in the XML.
    """
    listed = root_node(source).child("Metadata/Information/Image/Dimensions/S/Scenes")
    rounds = scene_acquisitions(source)
    found = [_scene(at, node, rounds) for at, node in enumerate(listed.children("Scene"))]
    if not numbers or not found:
        return found
    places = match_scenes([scene.index for scene in found], numbers)
    index_of = {at: number for number, at in places.items()}
    unknown = sorted(set(numbers) - set(places))
    if unknown and len(places) < len(found):
        Node.warn(
            f"{listed.path} lists the scenes {_some(scene.index for scene in found)}, but the "
            f"sub-blocks have the scenes {_some(sorted(set(numbers)))}; neither index nor order "
            f"fits, so there is no name, well or position for {_some(unknown)}"
        )
    return [
        replace(scene, index=index_of.get(at, scene.index))
        for at, scene in enumerate(found)
        if at in index_of or scene.index not in numbers
    ]


def match_scenes(indices: Sequence[int], numbers: Collection[int]) -> dict[int, int]:
    """Return which of the listed scenes describes which scene of the sub-blocks.

    A part of a document that was split by scenes may keep the S indices of the whole in its
    sub-blocks while its XML counts from 0, or the other way round.

    Parameters
    ----------
    indices
        The index of each scene in the XML; its position in the list where it has none.
    numbers
        The S indices of the sub-blocks.

    Returns
    -------
    dict
        The position in the list by S index. If the XML lists each S index once, the indices
        match. Otherwise, if there are as many scenes as S indices, the order does, unless equal
        indices contradict it: then only these match. Ambiguous scenes are left out.
    """
    wanted, count = sorted(set(numbers)), Counter(indices)
    places = {index: at for at, index in enumerate(indices)}
    exact = {number: places[number] for number in wanted if count[number] == 1}
    if len(exact) == len(wanted) or len(indices) != len(wanted):
        return exact
    distinct = len(count) == len(indices)
    order = (
        sorted(range(len(indices)), key=indices.__getitem__) if distinct else range(len(indices))
    )
    in_order = dict(zip(wanted, order))
    from_zero = list(range(len(wanted)))
    renumbered = distinct and from_zero in (wanted, sorted(indices))
    if renumbered or all(in_order[number] == at for number, at in exact.items()):
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
        row, column = (
            (int(numbers.group(1)), int(numbers.group(2)))
            if numbers
            else parse_well_name(name or "") or (None, None)
        )
    if name is None and row is None:
        return None
    return Well(name, row, column, shape.pair("CenterPosition"))


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

    Raises
    ------
    ValueError
        A number below 1, or a row beyond ZZ.
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
