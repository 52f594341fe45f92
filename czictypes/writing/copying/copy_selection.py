"""The sub-blocks of a document that are copied, and what the choice changes in its XML."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Union

import numpy as np
from numpy.typing import NDArray

from czictypes.container.columns import unique_rows
from czictypes.container.directory import Directory
from czictypes.metadata.annotations import move_annotations
from czictypes.metadata.xml_editor import (
    XmlEditor,
    drop_pyramid_info,
    fit_scenes,
    keep_channels,
    keep_positions,
    keep_scenes,
    set_sizes,
)
from czictypes.model.errors import OutOfBoundsError
from czictypes.model.geometry import (
    ABSENT,
    NO_M,
    PLANE_DIMENSIONS,
    Rectangle,
    checked_plane,
    whole_number,
)
from czictypes.reading.names import numbers_of
from czictypes.reading.request import parse_roi
from czictypes.reading.subblock import matching
from czictypes.reading.table import SubBlockTable
from czictypes.writing.transfer import bounding_box

#: Indices in a dimension: one, several, or a slice as Python cuts a list; channels and scenes also
#: by their names.
Indices = Union[int, str, slice, Iterable[Union[int, str]]]

_ALWAYS_THERE = ("Z", "C", "T")  # of size 1 in a document that does not name them
#: XML that replaces the source's, or a function that edits it.
MetadataChange = Union[str, bytes, Callable[[XmlEditor], Any], None]


@dataclass(frozen=True)
class Selection:
    """The sub-blocks that are copied."""

    rows: NDArray[np.int64]  # of the document's table, ascending
    is_partial: bool = False  # whether a sub-block of layer 0 is left out
    #: The pyramid levels that are left out although they meet the region, as (scene, level); the
    #: scene is `ABSENT` where the sub-blocks have none.
    dropped_levels: tuple[tuple[int, int], ...] = ()
    #: The region to whose pixels tiles are cut; None where none reaches beyond it.
    crop: Rectangle | None = None


def select(
    table: SubBlockTable,
    scenes: Indices | None = None,
    planes: Mapping[str, Indices] | None = None,
    roi: Any = None,
    *,
    crop: bool = False,
) -> Selection:
    """Choose sub-blocks by scene, plane and region; `copy` says what may be given.

    An OutOfBoundsError says that the document does not have a scene, dimension or index, or that
    nothing is left.
    """
    keep = np.ones(table.count, dtype=bool)
    wanted = dict(checked_plane(planes, "planes"))
    if "S" in wanted:
        raise ValueError("scenes are not part of a plane; give scenes=")
    for letter in wanted:
        if letter not in PLANE_DIMENSIONS:
            names = ", ".join(PLANE_DIMENSIONS)
            raise ValueError(f"{letter!r} is not a dimension of a plane; use some of {names}")
    if scenes is not None:
        wanted["S"] = scenes
    for letter, given in wanted.items():
        indices = numbers_of(table, letter, given)
        if isinstance(indices, list):  # the only scene of a document without numbers is 0
            indices = [0 if one is None else one for one in indices]
        if indices is not None:
            keep &= _in_dimension(table, letter, indices)
    dropped: tuple[tuple[int, int], ...] = ()
    cut_to: Rectangle | None = None
    if crop and roi is None:
        raise ValueError("crop=True cuts tiles to a region; give roi=(x, y, w, h) with it")
    if roi is not None:
        region = parse_roi(roi)
        keep, dropped = _in_region(table, keep, region)
        if crop and reach_beyond(table, keep & table.is_layer0, region).any():
            keep, dropped, cut_to = keep & table.is_layer0, (), region
    if table.count and not keep.any():
        region_text = None if roi is None else tuple(parse_roi(roi))
        asked = {"scenes": scenes, "planes": planes, "roi": region_text}
        where = ", ".join(f"{name} {one}" for name, one in asked.items() if one is not None)
        raise OutOfBoundsError(f"the document has no sub-blocks in {where}")
    partial = cut_to is not None or bool((table.is_layer0 & ~keep).any())
    return Selection(np.flatnonzero(keep), partial, dropped, cut_to)


def _in_dimension(table: SubBlockTable, letter: str, wanted: Indices) -> NDArray[np.bool_]:
    """Return which sub-blocks have a wanted index; all of them if all indices are wanted."""
    column = table.directory.coordinates.get(letter)
    present = [] if column is None else np.unique(column[column != ABSENT]).tolist()
    if not present and letter in (*_ALWAYS_THERE, "S"):
        _resolve(letter, wanted, [0])
        return np.ones(table.count, dtype=bool)
    if column is None or not present:
        raise OutOfBoundsError(f"the document has no dimension {letter} to choose from")
    chosen = _resolve(letter, wanted, present)
    if len(chosen) == len(present):
        return np.ones(table.count, dtype=bool)
    found: NDArray[np.bool_] = np.isin(column, list(chosen))
    if letter != "S":  # a plane without the dimension shows at every index in it
        found |= column == ABSENT
    return found


def _resolve(letter: str, wanted: Indices, present: list[int]) -> set[int]:
    """Return the indices that are meant, each of them present in the document."""
    if isinstance(wanted, slice):
        chosen = _sliced(wanted, present)
    else:
        try:
            chosen = {whole_number(index) for index in _listed(wanted)}
        except TypeError:
            raise ValueError(
                f"{letter}: {wanted!r} is neither a whole number, a range, a slice nor several"
            ) from None
    missing = sorted(chosen.difference(present))
    if missing or not chosen:
        one, all_ = ("scene", "scenes") if letter == "S" else (letter, f"places in {letter}")
        asked = _listing(missing) if missing else "chosen"
        raise OutOfBoundsError(
            f"there is no {one} {asked}; the document has the {all_} {_listing(present)}"
        )
    return chosen


def _listed(wanted: Any) -> Iterable[Any]:
    try:
        return [whole_number(wanted)]
    except TypeError:
        return wanted  # type: ignore[no-any-return]


def _sliced(wanted: slice, present: list[int]) -> set[int]:
    """Slice as a list is sliced; a document that begins at a negative index is taken from there."""
    first, end = min(present[0], 0), present[-1] + 1
    if first == 0:
        chosen = range(*wanted.indices(end))
    else:
        start = first if wanted.start is None else wanted.start
        stop = end if wanted.stop is None else wanted.stop
        chosen = range(start, stop, wanted.step or 1)
    return {index for index in present if index in chosen}  # the range may be very long


def _listing(indices: list[int]) -> str:
    shown = ", ".join(map(str, indices[:10]))
    return f"{shown} ... {indices[-1]}" if len(indices) > 10 else shown


def _in_region(
    table: SubBlockTable, keep: NDArray[np.bool_], roi: Rectangle
) -> tuple[NDArray[np.bool_], tuple[tuple[int, int], ...]]:
    """Keep what meets the region, without the pyramid levels that show more than is kept.

    A level stays whole or goes whole: were only those of its tiles left that lie within what is
    kept of layer 0, reading it would show holes between them.
    """
    met = np.zeros(table.count, dtype=bool)
    met[matching(table, coordinate=None, roi=roi, only_layer0=False)] = True
    met &= keep
    levels = table.levels
    pyramid = np.flatnonzero(met & ~table.is_layer0)
    if not len(pyramid):
        return met, ()
    groups = np.column_stack([table.directory.scene[pyramid].astype(np.int64), levels[pyramid]])
    dropped = []
    for scene, level in unique_rows(groups)[0].tolist():
        members = pyramid[(groups[:, 0] == scene) & (groups[:, 1] == level)]
        if _reaches_beyond(table, members, _layer0_of(table, met, scene)):
            met[members] = False
            dropped.append((scene, level))
    return met, tuple(dropped)


def reach_beyond(table: SubBlockTable, rows: NDArray[Any], region: Rectangle) -> NDArray[np.bool_]:
    """Return which of some rows of the table reach beyond a region."""
    columns = table.directory
    x, y = columns.x[rows].astype(np.int64), columns.y[rows].astype(np.int64)
    across = (x < region.x) | (x + columns.w[rows] > region.x + region.w)
    down = (y < region.y) | (y + columns.h[rows] > region.y + region.h)
    beyond: NDArray[np.bool_] = across | down
    return beyond


def _layer0_of(table: SubBlockTable, met: NDArray[np.bool_], scene: int) -> NDArray[np.int64]:
    layer0 = met & table.is_layer0
    if scene != ABSENT:
        layer0 &= table.directory.scene == scene
    return np.flatnonzero(layer0)


def _reaches_beyond(
    table: SubBlockTable, members: NDArray[np.int64], layer0: NDArray[np.int64]
) -> bool:
    """Tell whether pyramid tiles reach beyond the box of layer 0 by more than a rounded pixel."""
    if not len(layer0):
        return True
    spare = float(table.minification[members].max())
    shown, own = bounding_box(table.directory, members), bounding_box(table.directory, layer0)
    right, bottom = own.x + own.w + spare, own.y + own.h + spare
    begins_before = shown.x < own.x or shown.y < own.y
    return begins_before or shown.x + shown.w >= right or shown.y + shown.h >= bottom


@dataclass(frozen=True)
class Extent:
    """A dimension (S and M included) before and after."""

    start: int  # the first index in the source
    size: int  # from the first to the last, in the source
    indices: tuple[int, ...]  # the indices of the source that the copy has, ascending
    renumbered: bool = False  # whether they are counted from 0 in the copy

    @property
    def positions(self) -> Sequence[int]:
        """The entries that stay of a list with one for each index of the source.

        They may be many more than the sub-blocks: a range, which takes no memory.
        """
        if self.renumbered:
            return [index - self.start for index in self.indices]
        return range(self.indices[0] - self.start, self.indices[-1] + 1 - self.start)

    @property
    def is_same(self) -> bool:
        """Whether the copy has all indices of the source, under the same numbers."""
        return len(self.positions) == self.size and self.new_start == self.start

    @property
    def new_start(self) -> int:
        """The first index in the copy."""
        return 0 if self.renumbered else self.indices[0]

    def moved(self, index: int) -> int:
        """Return the index in the copy of an index in the source."""
        return self.indices.index(index) if self.renumbered else index


@dataclass(frozen=True)
class Layout:
    """All that the choice of sub-blocks changes in the metadata."""

    extents: Mapping[str, Extent]  # of every dimension of the copy, S and M included
    size_before: tuple[int, int]  # width and height of the box of layer 0, in pixels
    size_after: tuple[int, int]
    scenes: tuple[int, ...] = ()  # the S indices of the source
    moved: tuple[int, int] = (0, 0)  # of the top left corner of that box, along x and y
    #: The box of each scene with other bounds, before and after; `ABSENT` stands for no scene.
    scene_boxes: Mapping[int, tuple[Rectangle, Rectangle]] = field(default_factory=dict)
    left_out: frozenset[str] = frozenset()  # the dimensions that the copy does not have

    @property
    def changed(self) -> dict[str, Extent]:
        """The dimensions that are different."""
        return {letter: extent for letter, extent in self.extents.items() if not extent.is_same}


class Numbering(NamedTuple):
    """How a copy counts along its dimensions."""

    from_0: bool  # or as the source does
    only_several: bool  # without the dimensions of planes in which there is one place


def lay_out(table: SubBlockTable, chosen: Selection, numbering: Numbering) -> Layout:
    """Compare the dimensions of a document and of the sub-blocks that are copied."""
    extents, kept, left_out = {}, chosen.rows, set[str]()
    for letter, column in table.directory.coordinates.items():
        everywhere = _distinct(column)
        here = _distinct(column[kept])
        if here:
            size = everywhere[-1] - everywhere[0] + 1
            is_left_out = numbering.only_several and len(here) == 1 and letter != "S"
            left_out |= {letter} if is_left_out else set()
            from_0 = numbering.from_0 or is_left_out
            extents[letter] = Extent(everywhere[0], size, here, from_0)
    if table.m_bounds is not None:
        column = table.directory.m
        there = column[kept][(column[kept] != ABSENT) & (column[kept] != NO_M)]
        if len(there):
            ends = sorted({int(there.min()), int(there.max())})
            extents["M"] = Extent(*table.m_bounds, tuple(ends))
    before = table.total_rectangle_no_pyramid
    layer0 = kept[table.is_layer0[kept]]
    after = bounding_box(table.directory, layer0) if len(layer0) else Rectangle(0, 0, -1, -1)
    if chosen.crop is not None:
        after = after.intersection(chosen.crop)
    scenes = tuple(table.scene_rectangles)
    moved = (0, 0) if after.is_empty else (after.x - before.x, after.y - before.y)
    boxes = _changed_boxes(table, layer0, chosen.crop) if chosen.is_partial else {}
    sizes = (before.w, before.h), (after.w, after.h)
    return Layout(extents, *sizes, scenes, moved, boxes, frozenset(left_out))


def _changed_boxes(
    table: SubBlockTable, layer0: NDArray[np.int64], crop: Rectangle | None
) -> dict[int, tuple[Rectangle, Rectangle]]:
    """Return the box of each scene before and after, where these differ."""
    before = _scene_boxes(table.directory, np.flatnonzero(table.is_layer0))
    found = {}
    for scene, box in _scene_boxes(table.directory, layer0).items():
        box = box if crop is None else box.intersection(crop)
        if box != before[scene]:
            found[scene] = before[scene], box
    return found


def _scene_boxes(directory: Directory, rows: NDArray[np.int64]) -> dict[int, Rectangle]:
    """Return the box around those of some rows that belong to a scene, for each scene."""
    if not len(rows):
        return {}
    rows = rows[np.argsort(directory.scene[rows], kind="stable")]
    numbers, starts = np.unique(directory.scene[rows], return_index=True)
    x, y = directory.x[rows].astype(np.int64), directory.y[rows].astype(np.int64)
    left, top = np.minimum.reduceat(x, starts), np.minimum.reduceat(y, starts)
    width = np.maximum.reduceat(x + directory.w[rows], starts) - left
    height = np.maximum.reduceat(y + directory.h[rows], starts) - top
    boxes = zip(left.tolist(), top.tolist(), width.tolist(), height.tolist())
    return {number: Rectangle(*box) for number, box in zip(numbers.tolist(), boxes)}


def _distinct(column: NDArray[np.int32]) -> tuple[int, ...]:
    return tuple(np.unique(column[column != ABSENT]).tolist())


def copied_metadata(
    xml: bytes, layout: Layout, change: MetadataChange, bare_scenes: set[int]
) -> bytes:
    """Return the XML of the copy: the source's as it is, if nothing changes.

    `bare_scenes` are those that lose a level of their pyramid. A CorruptFileError or ValueError
    says that XML which has to be changed is malformed, or what the caller gave is no XML of a CZI.
    """
    if isinstance(change, (str, bytes)):
        return XmlEditor(change).to_bytes()
    if change is not None and not callable(change):
        raise TypeError(f"metadata is XML or a function that edits it, not {change!r}")
    same_box = layout.size_before == layout.size_after and layout.moved == (0, 0)
    is_all = not layout.changed and not layout.left_out
    fits = same_box and is_all and not bare_scenes and not layout.scene_boxes
    if change is None and (fits or not xml):
        return xml
    editor = XmlEditor(xml)
    if not fits and xml:
        drop_pyramid_info(editor.root, bare_scenes, layout.scenes)
        _fit(editor, layout)
    if change is not None:
        change(editor)
    return editor.to_bytes()


def _fit(editor: XmlEditor, layout: Layout) -> None:
    changed = layout.changed
    sizes: dict[str, int | None] = {
        axis: after
        for axis, before, after in zip("XY", layout.size_before, layout.size_after)
        if after != before
    }
    sizes.update(
        (letter, len(extent.positions))
        for letter, extent in changed.items()
        if len(extent.positions) != extent.size
    )
    sizes.update(dict.fromkeys(layout.left_out))
    set_sizes(editor.root, sizes)
    for letter in ("T", "Z"):
        if letter in changed:
            keep_positions(editor.root, letter, changed[letter].positions)
    if "C" in changed:
        channel = changed["C"]
        keep_channels(editor.root, channel.positions, channel.size, compact=channel.new_start == 0)
    if layout.moved != (0, 0):
        move_annotations(editor.root, *(-distance for distance in layout.moved))
    if layout.scene_boxes:
        fit_scenes(editor.root, layout.scene_boxes, layout.scenes)
    if "S" in changed:
        scenes = changed["S"]
        new_index = {index: scenes.moved(index) for index in scenes.indices}
        keep_scenes(editor.root, new_index, layout.scenes)
