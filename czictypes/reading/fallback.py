"""Paints reads with numpy, one tile after the other: used where the kernel is missing.

The rules are libCZI's, as in native/kernel/choose.cpp: the zoom selects a pyramid layer, tiles of
higher zoom cover those of lower zoom, on layer 0 the highest M-index is on top, and scenes are
painted one after the other where a region meets several.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from czictypes.container.workers import check_stopped
from czictypes.model.errors import CorruptFileError
from czictypes.model.geometry import ABSENT, NO_M, Rectangle
from czictypes.reading.conversion import convert
from czictypes.reading.damage import UNREADABLE
from czictypes.reading.levels import LevelGrid, Source, Span, copied_span, scaled_span
from czictypes.reading.planes import ShownPlane
from czictypes.reading.request import PlaneRequest, fill
from czictypes.reading.table import SubBlockTable
from czictypes.reading.tiles import DecodedTile, TileProvider

Tiles = NDArray[np.intp]

#: A tile of slightly less zoom than requested is accepted, as sizes are rounded at edges.
_TOLERANCE = np.float32(1.05)
#: Tiles from this much above the lowest chosen zoom belong to the next pyramid layer.
_LAYER_STEP = np.float32(1.9)


class Painted(NamedTuple):
    """A tile, and the pixels of the result that it paints."""

    tile: int
    x: Span
    y: Span


def painting_rank(table: SubBlockTable, tiles: Tiles) -> NDArray[np.int32]:
    """Return the M-index of tiles on layer 0; tiles without one and pyramid tiles come first."""
    rank = np.where(table.is_layer0[tiles], table.directory.m[tiles], np.int32(ABSENT))
    rank[rank == NO_M] = ABSENT
    return rank


def chosen_tiles(
    table: SubBlockTable,
    keys: NDArray[np.int64],
    planes: Sequence[ShownPlane],
    request: PlaneRequest,
    grid: LevelGrid | None,
) -> Tiles:
    """Return the tiles that a read paints, the lowest first.

    `keys` are the planes of all tiles, `planes` those that show. With a `grid` the region of the
    request is one of the level.
    """
    roi = request.roi if grid is None else grid.around(request.roi)
    rank = np.zeros(table.count, np.int64)
    shown = np.zeros(table.count, bool)
    for plane in planes:
        here = keys == plane.key
        rank[here], shown[here] = plane.rank, True
    sized = (table.directory.w > 0) & (table.directory.h > 0)
    tiles = np.flatnonzero(shown & sized & table.meets(roi))
    if grid is None:
        return _by_zoom(table, tiles, rank, request)
    scenes = np.array(list(table.scene_rectangles) if request.scene is None else [request.scene])
    return _by_level(table, tiles, rank, scenes, grid)


def _involved_scenes(table: SubBlockTable, roi: Rectangle, scene: int | None) -> NDArray[np.int64]:
    """Return the scenes, ascending, whose box (pyramid included) meets a region."""
    numbers, boxes = table.scene_boxes
    meets = (boxes[:, 0] < roi.x + roi.w) & (boxes[:, 2] > roi.x)
    meets &= (boxes[:, 1] < roi.y + roi.h) & (boxes[:, 3] > roi.y)
    if scene is not None:
        meets &= numbers == scene
    return numbers[meets]


def _by_zoom(
    table: SubBlockTable, tiles: Tiles, rank: NDArray[np.int64], request: PlaneRequest
) -> Tiles:
    """Choose one layer of each plane; of each scene, too, where several are involved."""
    scenes = _involved_scenes(table, request.roi, request.scene)
    scene = table.directory.scene[tiles]
    counts = np.isin(scene, scenes)
    if len(scenes) < 2:
        counts |= scene == ABSENT
    zoom = np.float32(request.zoom)
    tiles = tiles[counts & (table.zoom[tiles] >= zoom / _TOLERANCE)]
    place = np.searchsorted(scenes, table.directory.scene[tiles]) if len(scenes) > 1 else 0 * tiles
    chosen = []
    for one in np.unique(rank[tiles]).tolist():
        for number in np.unique(place[rank[tiles] == one]).tolist():
            some = tiles[(rank[tiles] == one) & (place == number)]
            some = some[table.zoom[some] < table.zoom[some].min() * _LAYER_STEP]
            some = some[np.lexsort((some, painting_rank(table, some), table.zoom[some]))]
            is_scaled = zoom != 1 and not request.mask_aware
            chosen.append(_without_hidden(table, some, request.roi) if is_scaled else some)
    return np.concatenate(chosen) if chosen else np.empty(0, np.intp)


def _by_level(
    table: SubBlockTable,
    tiles: Tiles,
    rank: NDArray[np.int64],
    scenes: NDArray[np.int64],
    grid: LevelGrid,
) -> Tiles:
    """Choose the tiles of a level and of all finer ones, which lie below."""
    scene = table.directory.scene[tiles]
    without = scene == ABSENT
    if len(scenes) > 1:
        without &= ~table.is_layer0[tiles]
    counts = without | np.isin(scene, scenes)
    if grid.number:
        counts &= table.levels[tiles] <= grid.number
    else:
        counts &= table.zoom[tiles] >= np.float32(1) / _TOLERANCE
    tiles = tiles[counts]
    level = table.levels[tiles] if grid.number else 0 * tiles
    place = np.searchsorted(scenes, table.directory.scene[tiles])
    order = (tiles, painting_rank(table, tiles), table.zoom[tiles], place, level, rank[tiles])
    return tiles[np.lexsort(order)]


def _without_hidden(table: SubBlockTable, tiles: Tiles, roi: Rectangle) -> Tiles:
    """Remove tiles that later ones cover completely, within a region of full resolution."""
    rows = table.directory
    x, y = rows.x[tiles].astype(np.int64), rows.y[tiles].astype(np.int64)
    left, right = x.clip(roi.x), (x + rows.w[tiles]).clip(max=roi.x + roi.w)
    top, bottom = y.clip(roi.y), (y + rows.h[tiles]).clip(max=roi.y + roi.h)
    # The lines through all edges make cells, each of them covered completely or not at all.
    columns, lines = np.unique([left, right]), np.unique([top, bottom])
    covered = np.zeros((len(lines), len(columns)), bool)
    edges = (np.searchsorted(lines, (top, bottom)), np.searchsorted(columns, (left, right)))
    kept = np.zeros(len(tiles), bool)
    for at in range(len(tiles) - 1, -1, -1):
        (first, end), (start, stop) = edges[0][:, at].tolist(), edges[1][:, at].tolist()
        cells = covered[first:end, start:stop]
        kept[at] = not cells.all()
        cells[...] = True
    return tiles[kept]


def places(
    table: SubBlockTable,
    tiles: Tiles,
    request: PlaneRequest,
    size: tuple[int, int],
    grid: LevelGrid | None,
) -> Iterator[Painted]:
    """Yield the tiles that paint anything of a (width, height) result, with their pixels."""
    rows, roi = table.directory, request.roi
    axes = (
        (rows.x, rows.w, rows.stored_w, roi.x, roi.w, size[0]),
        (rows.y, rows.h, rows.stored_h, roi.y, roi.h, size[1]),
    )
    for tile in tiles.tolist():
        spans = []
        for axis, (start, logical, stored, roi_start, roi_size, out_size) in enumerate(axes):
            place = start.item(tile), logical.item(tile), stored.item(tile)
            if grid is not None:
                is_own = table.levels.item(tile) == grid.number
                span = grid.span(axis, *place, is_own, roi_start, roi_size)
            elif np.float32(request.zoom) == 1:
                span = copied_span(place[0], place[2], roi_start, roi_size)
            else:
                span = scaled_span(*place, roi_start, roi_size, out_size)
            spans.append(span)
        if all(span.first < span.end for span in spans):
            yield Painted(tile, *spans)


def without_hidden(painted: Sequence[Painted]) -> Iterator[Painted]:
    """Yield the tiles that show, each painted over those before, and of these the rows that show.

    Like the kernel, numpy needs no other tile or row, which may be damaged.
    """
    across = np.array([(x.first, x.end) for _, x, _ in painted], np.intp).reshape(-1, 2)
    down = np.array([(y.first, y.end) for _, _, y in painted], np.intp).reshape(-1, 2)
    # The lines through all edges make cells, each of which shows one tile.
    columns, lines = np.unique(across), np.unique(down)
    top = np.full((len(lines), len(columns)), -1, np.int32)
    boxes = np.hstack((np.searchsorted(lines, down), np.searchsorted(columns, across))).tolist()
    for number, (first, end, left, right) in enumerate(boxes):
        top[first:end, left:right] = number
    for number, (one, (first, end, left, right)) in enumerate(zip(painted, boxes)):
        rows = np.flatnonzero((top[first:end, left:right] == number).any(axis=1)) + first
        if len(rows):
            begin, stop = lines.item(rows.item(0)), lines.item(rows.item(-1) + 1)
            yield one._replace(y=one.y.part(begin - one.y.first, stop - one.y.first))


def rows_of(span: Span) -> tuple[int, int]:
    """Return the range of tile rows that are painted: the first row, and the end."""
    pixels = span.pixels
    if isinstance(pixels, slice):
        return pixels.start, pixels.stop
    return pixels.item(0), pixels.item(-1) + 1


def check_size(table: SubBlockTable, tile: int, decoded: DecodedTile) -> None:
    """Raise CorruptFileError if a tile has fewer pixels than the directory says."""
    width, height = (
        side.item(tile) for side in (table.directory.stored_w, table.directory.stored_h)
    )
    found = decoded.pixels.shape[1], decoded.height
    if not table.rows.is_special(tile) and (found[0] < width or found[1] < height):
        raise CorruptFileError(
            f"sub-block {table.rows.sub_block_of(tile)} decodes to {found[0]} x {found[1]} pixels, "
            f"but the directory says {width} x {height}; the file is damaged"
        )


def paint_tiles(
    table: SubBlockTable,
    painted: Iterable[Painted],
    tiles: TileProvider,
    pixel_type: int,
    out: NDArray[Any],
    background: tuple[Any, ...],
    leave: Callable[[int, Exception], None] | None = None,
) -> None:
    """Paint tiles over each other and over the background, converted to the pixel type of `out`.

    An unreadable tile raises; or it is passed to `leave`, if that is given, and is background.
    """
    fill(out, background)
    for tile, x, y in painted:
        check_stopped()
        place = out[y.first : y.end, x.first : x.end]
        converted = np.empty(place.shape, place.dtype)
        source = table.directory.pixel_type.item(tile)
        try:
            decoded = tiles.tile(tile, *rows_of(y))
            check_size(table, tile, decoded)
            rows, columns = _stored(table, tile, decoded, y, x)
            convert(decoded.pixels[rows][:, columns], source, pixel_type, converted)
            mask = decoded.mask
            valid = True if mask is None else mask[y.pixels][:, x.pixels, np.newaxis]
        except UNREADABLE as error:
            if leave is None:
                raise
            leave(tile, error)
            fill(place, background)
        else:
            np.copyto(place, converted, where=valid)


def _stored(
    table: SubBlockTable, tile: int, decoded: DecodedTile, y: Span, x: Span
) -> tuple[Source, Source]:
    """Return the rows and columns of the decoded pixels that are painted.

    A tile that is read in another size than stored shows the stored pixel ``floor(i * stored /
    size)``.
    """
    rows, columns = y.pixels, x.pixels
    if table.rows.is_special(tile):
        size = table.directory.stored_h.item(tile), table.directory.stored_w.item(tile)
        rows = _numbers(rows) * decoded.height // size[0]
        columns = _numbers(columns) * decoded.pixels.shape[1] // size[1]
    if isinstance(rows, slice):
        return slice(rows.start - decoded.first, rows.stop - decoded.first), columns
    return rows - decoded.first, columns


def _numbers(which: Source) -> NDArray[np.intp]:
    return np.arange(which.start, which.stop) if isinstance(which, slice) else which
