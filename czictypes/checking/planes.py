"""The coordinates of sub-blocks as the directory lists them: planes, channels, M-indices."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from czictypes.checking.findings import Finding, counted
from czictypes.checking.view import REPAIR, FileView
from czictypes.container.directory import Directory
from czictypes.model.errors import MissingPartError
from czictypes.model.geometry import ABSENT
from czictypes.model.pixel_types import Compression, PixelType

__all__ = [
    "b_dimension",
    "coordinates_unique",
    "entries_possible",
    "m_consecutive",
    "m_everywhere",
    "places_along",
    "planes_consecutive",
    "planes_start",
    "same_dimensions",
    "same_pixel_type",
    "segments_in_file",
    "strict_parsing",
]

_KINDS = [kind.value for kind in PixelType]

_HEAD = 288  # the least size of a sub-block's segment before its data
_COPY = "if another program refuses the file, give it a copy: czi.copy(renumber=True)"
_DIRECTORY = "the sub-block directory"
_MOST_GAPS = 5

Rows = NDArray[np.intp]


def segments_in_file(view: FileView) -> Iterator[Finding]:
    """Compare the positions of sub-blocks, and the pixels they must have, with the file's size."""
    columns = view.columns
    ends = _ends(view)
    begins = columns.file_position
    least = _HEAD + _plain_size(columns)
    outside = (begins < 0) | (begins > ends - _HEAD)
    for row in np.flatnonzero(outside).tolist():
        yield Finding(
            "subblksegmentsinfile",
            "error",
            message="the file ends before it; the file is truncated, or the directory is damaged",
            remedy=REPAIR,
            **view.about(row),
        )
    for row in np.flatnonzero(~outside & (begins > ends - least)).tolist():
        yield Finding(
            "subblksegmentsinfile",
            "error",
            message=f"its pixels need {least[row]} bytes, but the file ends after "
            f"{ends[row] - begins[row]}; the file is truncated",
            remedy=REPAIR,
            **view.about(row),
        )


def _ends(view: FileView) -> NDArray[np.int64]:
    """Return where the file of each sub-block ends; far away where that file is missing."""
    positions = view.columns.file_position
    ends = np.full(len(positions), np.iinfo(np.int64).max)
    parts = view.columns.file_part
    for part in np.unique(parts).tolist():
        rows = np.flatnonzero((parts == part) & (positions >= 0))
        try:
            if len(rows):
                ends[rows] = view.source.end_of(int(positions[rows[0]]))
        except MissingPartError:  # `file_parts` tells
            continue
    return ends


def _plain_size(columns: Directory) -> NDArray[np.int64]:
    """Return how many bytes the pixels of a sub-block have at least; 0 where that is not known."""
    width, height = columns.physical_w.astype(np.int64), columns.physical_h.astype(np.int64)
    known = (columns.compression == Compression.Uncompressed.value) & (width > 0) & (height > 0)
    known &= np.isin(columns.pixel_type, _KINDS) & (np.maximum(width, height) < 1 << 24)
    return np.where(known, width * height * columns.bytes_per_pixel(), 0)


def entries_possible(view: FileView) -> Iterator[Finding]:
    """Look for sizes, pixel types and compressions that cannot be, or cannot be decoded."""
    columns = view.columns
    for row in np.flatnonzero(~view.sane).tolist():
        size = f"{columns.w[row]} x {columns.h[row]}"
        stored = f"{columns.physical_w[row]} x {columns.physical_h[row]}"
        message = f"its size of {size} pixels, stored as {stored}, cannot be"
        if ABSENT in (columns.w[row], columns.h[row]):
            message = "its entry names no X or no Y, so that it has neither place nor size"
        yield Finding(
            "subblkentries",
            "error",
            message=message,
            remedy=REPAIR,
            **view.about(row),
        )
    unknown = ~np.isin(columns.pixel_type, _KINDS)
    for row in np.flatnonzero(unknown).tolist():
        yield Finding(
            "subblkentries",
            "error",
            message=f"there is no pixel type {columns.pixel_type[row]}",
            remedy=REPAIR,
            **view.about(row),
        )
    decoded = [one.value for one in Compression if one != Compression.Lzw]
    for row in np.flatnonzero(~np.isin(columns.compression, decoded)).tolist():
        yield Finding(
            "subblkentries",
            "warning",
            message=f"its compression {columns.compression[row]} is not known to be decoded",
            remedy="read_subblock(...).raw_data gives its bytes; ZEN may be able to convert it",
            **view.about(row),
        )


def strict_parsing(view: FileView) -> Iterator[Finding]:
    """Tell whether pylibCZIrw's strict checks refuse the directory."""
    columns = view.columns
    for letter, column in columns.sizes.items():
        rows = np.flatnonzero(column > 1)
        if len(rows):
            yield Finding(
                "strictparsing",
                "info",
                message=f"it has the size {column[rows[0]]} in dimension {letter}, as line scans "
                "have, which pylibCZIrw refuses by default",
                remedy="czictypes reads all its planes; in pylibCZIrw, set "
                "lax_subblock_coordinate_checks",
                **view.about(int(rows[0])),
            )


def same_dimensions(view: FileView) -> Iterator[Finding]:
    """Compare the dimensions that sub-blocks have; a pyramid tile of several scenes has no S."""
    columns = view.table.directory.coordinates
    present = np.zeros(len(view.numbers), np.int64)
    for bit, column in enumerate(columns.values()):
        present |= (column != ABSENT).astype(np.int64) << bit
    scene = 1 << list(columns).index("S") if "S" in columns else 0
    kinds, counts = np.unique(present[view.table.is_layer0], return_counts=True)
    if not len(kinds):
        return
    usual = int(kinds[counts.argmax()])
    odd = present != usual
    odd &= view.table.is_layer0 | ((present | scene) != (usual | scene))
    for row in np.flatnonzero(odd).tolist():
        yield Finding(
            "subblkdimconsistent",
            "warning",
            message=f"it has the dimensions {_letters(columns, present[row])}, most have "
            f"{_letters(columns, usual)}; it is seen at every place along those that it lacks",
            remedy="other programs may miss it or refuse the file",
            **view.about(int(view.numbers[row])),
        )


def _letters(columns: dict[str, Any], present: int) -> str:
    found = [name for bit, name in enumerate(columns) if int(present) >> bit & 1]
    return "".join(found) or "X and Y alone"


def coordinates_unique(view: FileView) -> Iterator[Finding]:
    """Look for tiles of the same plane at the same place, or with the same M-index."""
    tiles = view.table.directory
    full = view.table.is_layer0.astype(np.int32)
    place = [tiles.x, tiles.y, tiles.w, tiles.h, tiles.physical_w, tiles.physical_h]
    same_place = set()
    for first, second in _equal(view, [*view.planes(), view.m, full, *place]):
        same_place.add(second)
        yield Finding(
            "subblkcoordsunique",
            "error",
            message=f"sub-block {first} has the same plane, place and M-index, so that one of the "
            "two is not seen",
            remedy="if one of the two is not wanted, the program that wrote the file has to leave "
            "it out; read_subblock gives the pixels of each",
            **view.about(second),
        )
    rows = np.flatnonzero(view.table.is_layer0 & (view.m != ABSENT))
    for first, second in _equal(view, [*view.planes(), view.m], rows):
        if second not in same_place:
            yield Finding(
                "subblkcoordsunique",
                "warning",
                message=f"sub-block {first} has the same plane and M-index at another place",
                remedy="address tiles by their number or place, not by M",
                **view.about(second),
            )


def _equal(
    view: FileView, columns: Sequence[NDArray[np.int32]], rows: Rows | None = None
) -> Iterator[tuple[int, int]]:
    """Give pairs of sub-blocks that are equal in all columns, the second once."""
    chosen = np.arange(len(view.numbers)) if rows is None else rows
    if len(chosen) < 2:
        return
    order = chosen
    if columns:
        order = chosen[np.lexsort([column[chosen] for column in columns[::-1]])]
    same = np.ones(len(order) - 1, bool)
    for column in columns:
        same &= column[order[1:]] == column[order[:-1]]
    for at in np.flatnonzero(same).tolist():
        yield int(view.numbers[order[at]]), int(view.numbers[order[at + 1]])


def b_dimension(view: FileView) -> Iterator[Finding]:
    """Look for the dimension B, which is no longer used."""
    found = places_along(view.columns, "B")
    if found is None:
        return
    size = int(found[1].max() - found[0].min())
    yield Finding(
        "benabled",
        "warning" if size > 1 else "info",
        _DIRECTORY,
        f"sub-blocks have the deprecated dimension B, of size {size}",
        "czictypes reads it; other programs may ignore it",
    )


def same_pixel_type(view: FileView) -> Iterator[Finding]:
    """Compare the pixel types of the tiles of each channel."""
    tiles = view.columns
    channel = tiles.coordinates.get("C", np.full(tiles.count, ABSENT, np.int32))
    numbers, firsts, groups = np.unique(channel, return_index=True, return_inverse=True)
    usual = tiles.pixel_type[firsts]
    odd = np.flatnonzero(tiles.pixel_type != usual[groups.reshape(-1)])
    found, at = np.unique(groups.reshape(-1)[odd], return_index=True)
    for group, row in zip(found.tolist(), odd[at].tolist()):
        number = int(numbers[group])
        which = "the document" if number == ABSENT else f"channel {number}"
        first, other = (_type_name(int(one)) for one in (usual[group], tiles.pixel_type[row]))
        yield Finding(
            "samepixeltypeperchannel",
            "warning",
            message=f"it is {other}, but the first sub-block of {which} is {first}",
            remedy="read it as CziImage, or with pixel_type=reader.common_pixel_type(channel), to "
            "keep all bits",
            **view.about(row),
        )


def _type_name(number: int) -> str:
    return PixelType(number).name if number in set(PixelType) else str(number)


def planes_start(view: FileView) -> Iterator[Finding]:
    """Look for dimensions whose places do not begin at 0."""
    for name in view.columns.coordinates:
        found = places_along(view.columns, name)
        if found is not None and int(found[0].min()):
            yield Finding(
                "planesstartindex",
                "warning",
                f"dimension {name}",
                f"its places begin at {int(found[0].min())}, not at 0",
                _COPY,
            )


def planes_consecutive(view: FileView) -> Iterator[Finding]:
    """Look for places along a dimension that no sub-block has."""
    for name in view.columns.coordinates:
        found = places_along(view.columns, name)
        if found is None:
            continue
        order = found[0].argsort(kind="stable")
        starts, reach = found[0][order], np.maximum.accumulate(found[1][order])
        at = np.flatnonzero(starts[1:] > reach[:-1])
        if not len(at):
            continue
        gaps = [_range(int(reach[one]), int(starts[one + 1]) - 1) for one in at[:_MOST_GAPS]]
        more = f" and {len(at) - _MOST_GAPS} more gaps" if len(at) > _MOST_GAPS else ""
        yield Finding(
            "consecutiveplaneindices",
            "warning",
            f"dimension {name}",
            f"no sub-block has the places {', '.join(gaps)}{more}",
            f"they read as background; {_COPY}",
        )


def _range(first: int, last: int) -> str:
    return str(first) if first == last else f"{first} to {last}"


def places_along(
    columns: Directory, name: str
) -> tuple[NDArray[np.int64], NDArray[np.int64]] | None:
    """Return where the sub-blocks begin along a dimension and where they end; None without it."""
    column = columns.coordinates.get(name)
    if column is None:
        return None
    rows = np.flatnonzero(column != ABSENT)
    if not len(rows):
        return None
    starts = column[rows].astype(np.int64)
    sizes = columns.sizes[name][rows].astype(np.int64) if name in columns.sizes else 1
    return starts, starts + sizes


def m_everywhere(view: FileView) -> Iterator[Finding]:
    """Look for tiles of full resolution without M-index: for mosaics it is recommended."""
    lacking = view.table.is_layer0 & (view.m == ABSENT)
    count = int(np.count_nonzero(lacking))
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


def m_consecutive(view: FileView) -> Iterator[Finding]:
    """Compare the M-indices of each plane and scene with 0, 1, 2 and so on."""
    rows = np.flatnonzero(view.table.is_layer0 & (view.m != ABSENT))
    if not len(rows):
        return
    planes = view.planes()
    order = rows[np.lexsort([view.m[rows], *(column[rows] for column in planes[::-1])])]
    new = np.ones(len(order), bool)
    if planes:
        new[1:] = np.any([column[order[1:]] != column[order[:-1]] for column in planes], axis=0)
    else:
        new[1:] = False
    m = view.m[order].astype(np.int64)
    expected = np.zeros(len(m), np.int64)
    expected[1:] = m[:-1] + 1
    expected[new] = 0
    odd = (m != expected) & (new | (m != expected - 1))  # equal ones are not unique
    groups = np.cumsum(new)
    _, firsts = np.unique(groups[odd], return_index=True)
    for at in np.flatnonzero(odd)[firsts].tolist():
        yield Finding(
            "mindicesconsecutive",
            "warning",
            message=f"the M-indices of its plane are not 0, 1, 2 ...: {m[at]} stands where "
            f"{expected[at]} should",
            remedy="address tiles by their number or place, not by M",
            **view.about(int(view.numbers[order[at]])),
        )
