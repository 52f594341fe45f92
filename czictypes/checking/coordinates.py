"""Checks of the directory: planes, M-indices, the places of tiles, scenes, pyramids."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from czictypes.checking.file_view import REPAIR, Check, FileView, Finding, Severity, counted
from czictypes.container.columns import unique_rows
from czictypes.model.geometry import ABSENT, format_coordinate
from czictypes.model.pixel_types import Compression, PixelType
from czictypes.reading.full_resolution import Boxes, pairs_by_centre
from czictypes.reading.levels import needs_pyramid

_PIXEL_TYPES = [pixel_type.value for pixel_type in PixelType]

_COPY = "if another program refuses the file, give it a copy: czi.copy(renumber=True)"
_ADD_PYRAMID = "czi.add_pyramid makes a new one"
_DIRECTORY = "the sub-block directory"
_MOST_GAPS = 5
#: So many comparisons of tiles of two scenes are made, in pieces of so many; to begin with two
#: scenes takes as long as so many comparisons.
_MOST_PAIRS, _PIECE, _BEGIN = 1 << 27, 1 << 20, 1 << 14

Rows = NDArray[np.intp]  # of the view's table


def _entries_possible(view: FileView) -> Iterator[Finding]:
    """Look for impossible sizes, unknown pixel types and unknown compressions."""
    check, columns = "subblkentries", view.columns
    for number in np.flatnonzero(~view.sane).tolist():
        size = f"{columns.w[number]} x {columns.h[number]}"
        stored = f"{columns.stored_w[number]} x {columns.stored_h[number]}"
        message = f"its size of {size} pixels, stored as {stored}, cannot be"
        if ABSENT in (columns.w[number], columns.h[number]):
            message = "its entry names no X or no Y, so that it has neither place nor size"
        yield view.finding(check, "error", number, message, REPAIR)
    for number in np.flatnonzero(~np.isin(columns.pixel_type, _PIXEL_TYPES)).tolist():
        message = f"there is no pixel type {columns.pixel_type[number]}"
        yield view.finding(check, "error", number, message, REPAIR)
    decoded = [one.value for one in Compression if one != Compression.Lzw]
    for number in np.flatnonzero(~np.isin(columns.compression, decoded)).tolist():
        message = f"its compression {columns.compression[number]} is not known to be decoded"
        remedy = "read_subblock(...).raw_data gives its bytes; ZEN may be able to convert it"
        yield view.finding(check, "warning", number, message, remedy)


def _strict_parsing(view: FileView) -> Iterator[Finding]:
    """Look for sub-blocks that pylibCZIrw's strict checks refuse."""
    remedy = "czictypes reads all its planes; in pylibCZIrw, set lax_subblock_coordinate_checks"
    for letter, sizes in view.columns.sizes.items():
        numbers = np.flatnonzero(sizes > 1)
        if len(numbers):
            message = (
                f"it has the size {sizes[numbers[0]]} in dimension {letter}, as line scans have, "
                "which pylibCZIrw refuses by default"
            )
            yield view.finding("strictparsing", "info", int(numbers[0]), message, remedy)


def _same_dimensions(view: FileView) -> Iterator[Finding]:
    """Compare the dimensions of the sub-blocks; a pyramid tile of several scenes has no S."""
    columns = view.table.directory.coordinates
    present = np.zeros(len(view.numbers), np.int64)
    for bit, column in enumerate(columns.values()):
        present |= (column != ABSENT).astype(np.int64) << bit
    scene = 1 << list(columns).index("S") if "S" in columns else 0
    found, counts = np.unique(present[view.table.is_layer0], return_counts=True)
    if not len(found):
        return
    usual = int(found[counts.argmax()])
    odd = present != usual
    odd &= view.table.is_layer0 | ((present | scene) != (usual | scene))
    for row in np.flatnonzero(odd).tolist():
        message = (
            f"it has the dimensions {_letters(columns, present[row])}, most have "
            f"{_letters(columns, usual)}; it is seen at every place along those that it lacks"
        )
        remedy = "other programs may miss it or refuse the file"
        yield _of_tile(view, "subblkdimconsistent", "warning", row, message, remedy)


def _letters(columns: dict[str, Any], present: int) -> str:
    found = [name for bit, name in enumerate(columns) if int(present) >> bit & 1]
    return "".join(found) or "X and Y alone"


def _of_tile(
    view: FileView, check: str, severity: Severity, row: int, message: str, remedy: str
) -> Finding:
    return view.finding(check, severity, int(view.numbers[row]), message, remedy)


def _coordinates_unique(view: FileView) -> Iterator[Finding]:
    """Look for tiles of the same plane at the same place, or with the same M-index."""
    check, tiles = "subblkcoordsunique", view.table.directory
    full = view.table.is_layer0.astype(np.int32)
    place = [tiles.x, tiles.y, tiles.w, tiles.h, tiles.stored_w, tiles.stored_h]
    same_place = set()
    for first, second in _equal(view, [*view.planes(), view.m, full, *place]):
        same_place.add(second)
        message = (
            f"sub-block {first} has the same plane, place and M-index, so that one of the two is "
            "not seen"
        )
        remedy = (
            "if one of the two is not wanted, the program that wrote the file has to leave it "
            "out; read_subblock gives the pixels of each"
        )
        yield view.finding(check, "error", second, message, remedy)
    rows = np.flatnonzero(view.table.is_layer0 & (view.m != ABSENT))
    for first, second in _equal(view, [*view.planes(), view.m], rows):
        if second not in same_place:
            message = f"sub-block {first} has the same plane and M-index at another place"
            remedy = "address tiles by their number or place, not by M"
            yield view.finding(check, "warning", second, message, remedy)


def _equal(
    view: FileView, columns: Sequence[NDArray[np.int32]], rows: Rows | None = None
) -> Iterator[tuple[int, int]]:
    """Yield pairs of sub-blocks that are equal in all columns; each is second once at most."""
    order = np.arange(len(view.numbers)) if rows is None else rows
    if len(order) < 2:
        return
    if columns:
        order = order[np.lexsort([column[order] for column in columns[::-1]])]
    same = np.ones(len(order) - 1, bool)
    for column in columns:
        same &= column[order[1:]] == column[order[:-1]]
    for index in np.flatnonzero(same).tolist():
        yield int(view.numbers[order[index]]), int(view.numbers[order[index + 1]])


def _b_dimension(view: FileView) -> Iterator[Finding]:
    """Look for the deprecated dimension B."""
    found = view.places_along("B")
    if found is not None:
        size = int(found[1].max() - found[0].min())
        yield Finding(
            "benabled",
            "warning" if size > 1 else "info",
            _DIRECTORY,
            f"sub-blocks have the deprecated dimension B, of size {size}",
            "czictypes reads it; other programs may ignore it",
        )


def _same_pixel_type(view: FileView) -> Iterator[Finding]:
    """Compare the pixel types of the tiles of each channel."""
    tiles = view.columns
    column = tiles.coordinates.get("C", np.full(tiles.count, ABSENT, np.int32))
    channels, firsts, groups = np.unique(column, return_index=True, return_inverse=True)
    groups = groups.reshape(-1)
    usual = tiles.pixel_type[firsts]
    odd = np.flatnonzero(tiles.pixel_type != usual[groups])
    found, indices = np.unique(groups[odd], return_index=True)
    for group, number in zip(found.tolist(), odd[indices].tolist()):
        channel = int(channels[group])
        which = "the document" if channel == ABSENT else f"channel {channel}"
        first, other = map(_type_name, (usual[group], tiles.pixel_type[number]))
        message = f"it is {other}, but the first sub-block of {which} is {first}"
        remedy = (
            "read it as CziImage, or with pixel_type=reader.common_pixel_type(channel), to keep "
            "all bits"
        )
        yield view.finding("samepixeltypeperchannel", "warning", number, message, remedy)


def _type_name(pixel_type: Any) -> str:
    known = int(pixel_type) in _PIXEL_TYPES
    return PixelType(int(pixel_type)).name if known else str(pixel_type)


def _planes_start(view: FileView) -> Iterator[Finding]:
    """Look for dimensions that do not begin at 0."""
    for name in view.columns.coordinates:
        found = view.places_along(name)
        if found is not None and (first := int(found[0].min())):
            message = f"its places begin at {first}, not at 0"
            yield Finding("planesstartindex", "warning", f"dimension {name}", message, _COPY)


def _planes_consecutive(view: FileView) -> Iterator[Finding]:
    """Look for gaps along each dimension."""
    for name in view.columns.coordinates:
        found = view.places_along(name)
        if found is None:
            continue
        order = found[0].argsort(kind="stable")
        starts, reach = found[0][order], np.maximum.accumulate(found[1][order])
        gaps = np.flatnonzero(starts[1:] > reach[:-1])
        if not len(gaps):
            continue
        shown = [_range(int(reach[gap]), int(starts[gap + 1]) - 1) for gap in gaps[:_MOST_GAPS]]
        more = f" and {len(gaps) - _MOST_GAPS} more gaps" if len(gaps) > _MOST_GAPS else ""
        yield Finding(
            "consecutiveplaneindices",
            "warning",
            f"dimension {name}",
            f"no sub-block has the places {', '.join(shown)}{more}",
            f"they read as background; {_COPY}",
        )


def _range(first: int, last: int) -> str:
    return str(first) if first == last else f"{first} to {last}"


def _m_everywhere(view: FileView) -> Iterator[Finding]:
    """Look for tiles of full resolution without an M-index, which mosaics should have."""
    count = int(np.count_nonzero(view.table.is_layer0 & (view.m == ABSENT)))
    if not count:
        return
    mosaic = next(_equal(view, view.planes(), np.flatnonzero(view.table.is_layer0)), None)
    yield Finding(
        "minallsubblks",
        "info" if mosaic is None else "warning",
        _DIRECTORY,
        f"{counted(count, 'sub-block')} of full resolution without M-index"
        + (", in planes of one tile each" if mosaic is None else ""),
        "czictypes tells tiles apart by their order; other programs may need M",
    )


def _m_consecutive(view: FileView) -> Iterator[Finding]:
    """Check that the M-indices of each plane and scene are 0, 1, 2 and so on."""
    rows = np.flatnonzero(view.table.is_layer0 & (view.m != ABSENT))
    if not len(rows):
        return
    planes = view.planes()
    order = rows[np.lexsort([view.m[rows], *(column[rows] for column in planes[::-1])])]
    new = np.zeros(len(order), bool)  # the first tiles of planes
    new[0] = True
    for column in planes:
        new[1:] |= column[order[1:]] != column[order[:-1]]
    m = view.m[order].astype(np.int64)
    expected = np.zeros(len(m), np.int64)
    expected[1:] = m[:-1] + 1
    expected[new] = 0
    odd = (m != expected) & (new | (m != expected - 1))  # equal ones are not unique
    _, firsts = np.unique(np.cumsum(new)[odd], return_index=True)
    for index in np.flatnonzero(odd)[firsts].tolist():
        message = (
            f"the M-indices of its plane are not 0, 1, 2 ...: {m[index]} stands where "
            f"{expected[index]} should"
        )
        remedy = "address tiles by their number or place, not by M"
        yield _of_tile(view, "mindicesconsecutive", "warning", order[index], message, remedy)


def _boxes(view: FileView, rows: Rows) -> Boxes:
    tiles = view.table.directory
    x, y = tiles.x[rows].astype(np.int64), tiles.y[rows].astype(np.int64)
    return Boxes(x, y, x + tiles.w[rows], y + tiles.h[rows])


def _groups(columns: list[NDArray[np.int32]], rows: Rows) -> NDArray[np.int64]:
    """Return a number for each row, the same for rows that are equal in all columns."""
    keys = [np.zeros(len(rows), np.int32), *(column[rows] for column in columns)]
    return unique_rows(np.stack(keys, axis=1))[1]


def _hidden_tiles(view: FileView) -> Iterator[Finding]:
    """Look for tiles whose centre lies under another tile of their plane and scene."""
    rows = np.flatnonzero(view.table.is_layer0)
    if len(rows) < 2:
        return
    boxes, groups = _boxes(view, rows), _groups(view.planes(), rows)
    over = np.full(len(rows), -1)
    for box, other in pairs_by_centre(boxes, groups, boxes, groups):
        same = (boxes.left[box] == boxes.left[other]) & (boxes.top[box] == boxes.top[other])
        same &= view.m[rows[box]] == view.m[rows[other]]  # `coordinates_unique` tells
        kept = (box != other) & ~same
        over[other[kept]] = box[kept]
    for index in np.flatnonzero(over >= 0).tolist():
        message = (
            f"its centre lies under sub-block {view.numbers[rows[over[index]]]} of the same plane "
            "and scene, so that large parts of one of the two are not seen"
        )
        remedy = "read_subblock, or CziImage(mosaic=False), gives each tile whole"
        yield _of_tile(view, "overlappingtiles", "warning", rows[index], message, remedy)


def _overlapping_scenes(view: FileView) -> Iterator[Finding]:
    """Look for scenes whose tiles of full resolution overlap in the same plane."""
    check, remedy = "overlappingscenes", "read each scene by itself (scene=)"
    tiles = view.table.directory
    rows = np.flatnonzero(view.table.is_layer0 & (tiles.scene != ABSENT))
    if not len(rows):
        return
    rows = rows[np.argsort(tiles.scene[rows], kind="stable")]
    scenes, firsts = np.unique(tiles.scene[rows], return_index=True)
    members = np.split(rows, firsts[1:])
    planes = np.zeros(len(tiles.x), np.int64)
    planes[rows] = _groups(view.planes(scenes=False), rows)
    left = _MOST_PAIRS
    for first, second in _scene_pairs(view, members):
        found, compared = _overlap(view, members[first], members[second], planes, left)
        left -= compared
        if found is not None:
            message = (
                f"it overlaps sub-block {view.numbers[found[1]]}: scenes {scenes[first]} and "
                f"{scenes[second]} overlap, so that one hides parts of the other where both are "
                "read together"
            )
            yield _of_tile(view, check, "warning", found[0], message, remedy)
        if left <= 0:
            message = "so many scenes overlap that not all were compared"
            yield Finding(check, "info", _DIRECTORY, message, remedy)
            return


def _scene_pairs(view: FileView, members: list[Rows]) -> Iterator[tuple[int, int]]:
    """Yield the pairs of scenes whose bounding rectangles overlap, sweeping from left to right."""
    extents = []
    for rows in members:
        boxes = _boxes(view, rows)
        extents.append((boxes.left.min(), boxes.top.min(), boxes.right.max(), boxes.bottom.max()))
    left, top, right, bottom = np.array(extents, np.int64).T
    order = np.argsort(left, kind="stable")
    for index, first in enumerate(order.tolist()):
        end = int(np.searchsorted(left[order], right[first]))
        others = order[index + 1 : end]
        hit = (top[others] < bottom[first]) & (top[first] < bottom[others])
        for second in others[hit].tolist():
            yield min(first, second), max(first, second)


def _overlap(
    view: FileView, first: Rows, second: Rows, planes: NDArray[np.int64], most: int
) -> tuple[tuple[int, int] | None, int]:
    """Return a pair of tiles of two scenes that overlap, and how many pairs were compared."""
    boxes, others = _boxes(view, first), _boxes(view, second)
    near = boxes.left < others.right.max()
    near &= (boxes.right > others.left.min()) & (boxes.top < others.bottom.max())
    near &= boxes.bottom > others.top.min()
    first, boxes = first[near], boxes.take(np.flatnonzero(near))
    compared, step = _BEGIN, max(_PIECE // max(len(second), 1), 1)
    for start in range(0, len(first), step):
        if compared > most:
            break
        some = boxes.take(slice(start, start + step))
        hit = planes[first[start : start + step], np.newaxis] == planes[second]
        hit &= (some.left[:, np.newaxis] < others.right) & (some.right[:, np.newaxis] > others.left)
        hit &= (some.top[:, np.newaxis] < others.bottom) & (some.bottom[:, np.newaxis] > others.top)
        compared += hit.size
        index = int(hit.argmax())
        if hit.size and hit.flat[index]:
            one, other = divmod(index, len(second))
            return (int(first[start + one]), int(second[other])), compared
    return None, compared


def _pyramid(view: FileView) -> Iterator[Finding]:
    """Compare the pyramid with the full resolution: factors, extents, holes, missing levels."""
    if needs_pyramid(view.table):
        message = "the image is large and has no pyramid, so that overviews take long"
        yield Finding("pyramid", "info", _DIRECTORY, message, _ADD_PYRAMID)
    if view.table.has_pyramid:
        # tiles of the stored resolution alone have no extent here
        tiles = view.table.directory
        reduced = np.flatnonzero(~view.table.is_layer0 & (tiles.w > 0) & (tiles.h > 0))
        yield from _stretched(view, reduced)
        yield from _levels(view, reduced)


def _stretched(view: FileView, rows: Rows) -> Iterator[Finding]:
    """Look for tiles whose reduction differs between X and Y by more than rounding."""
    tiles = view.table.directory
    stored_w, stored_h = (one[rows].astype(float) for one in (tiles.stored_w, tiles.stored_h))
    across, down = tiles.w[rows] / stored_w, tiles.h[rows] / stored_h
    odd = np.abs(tiles.w[rows] / down - stored_w) > 1.5
    odd &= np.abs(tiles.h[rows] / across - stored_h) > 1.5
    for index in np.flatnonzero(odd).tolist():
        message = f"it is reduced by {across[index]:.3g} along X, but by {down[index]:.3g} along Y"
        yield _of_tile(view, "pyramid", "warning", rows[index], message, _ADD_PYRAMID)


def _levels(view: FileView, reduced: Rows) -> Iterator[Finding]:
    """Look for tiles of full resolution missing from a level, and for levels beside the image.

    A small scene may have fewer levels than others, so only those that it has are compared.
    """
    everything = np.arange(view.table.count)
    planes = _groups(view.planes(scenes=False), everything)
    scenes = _groups(view.planes(), everything)
    base = np.flatnonzero(view.table.is_layer0)
    full = _boxes(view, base)
    yield from _missed(view, base[~np.isin(planes[base], planes[reduced])], planes, "the pyramid")
    for level in np.unique(view.table.levels[reduced]).tolist():
        rows = reduced[view.table.levels[reduced] == level]
        boxes = _boxes(view, rows)
        missed, useless = np.ones(len(base), bool), np.ones(len(rows), bool)
        for box, tile in pairs_by_centre(boxes, planes[rows], full, planes[base]):
            missed[tile], useless[box] = False, False
        for _, box in pairs_by_centre(full, planes[base], boxes, planes[rows]):
            useless[box] = False
        of_all = rows[view.table.directory.scene[rows] == ABSENT]
        missed &= np.isin(scenes[base], scenes[rows]) | np.isin(planes[base], planes[of_all])
        yield from _missed(view, base[missed], planes, f"pyramid level {level}")
        message = (
            f"it belongs to pyramid level {level}, but there is no full resolution where it lies"
        )
        remedy = "zoomed reads show it, reads of full resolution show background"
        for row in rows[useless].tolist():
            yield _of_tile(view, "pyramid", "warning", row, message, remedy)


def _missed(view: FileView, rows: Rows, planes: NDArray[np.int64], what: str) -> Iterator[Finding]:
    """Report each plane in which the pyramid has holes."""
    _, firsts, counts = np.unique(planes[rows], return_index=True, return_counts=True)
    remedy = f"zoomed reads may show background there; {_ADD_PYRAMID}"
    for row, count in zip(rows[firsts].tolist(), counts.tolist()):
        number = int(view.numbers[row])
        plane = view.columns.coordinate(number)
        plane.pop("S", None)
        tiles = counted(count, "tile")
        message = f"it does not show {tiles} of full resolution, sub-block {number} first"
        found = view.finding("pyramid", "warning", number, message, remedy)
        where = format_coordinate(plane) or "X and Y"
        yield replace(found, place=f"{what} in plane {where}")


QUICK = (
    Check("subblkentries", _entries_possible),
    Check("strictparsing", _strict_parsing),
    Check("subblkdimconsistent", _same_dimensions),
    Check("subblkcoordsunique", _coordinates_unique),
    Check("benabled", _b_dimension),
    Check("samepixeltypeperchannel", _same_pixel_type),
    Check("planesstartindex", _planes_start),
    Check("consecutiveplaneindices", _planes_consecutive),
    Check("minallsubblks", _m_everywhere),
    Check("mindicesconsecutive", _m_consecutive),
    Check("overlappingtiles", _hidden_tiles),
    Check("overlappingscenes", _overlapping_scenes),
    Check("pyramid", _pyramid),
)
