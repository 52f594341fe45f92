"""Levels against a painter who looks at every pixel of one by itself."""

import math
from functools import partial

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from reading.core.made_tables import Entry, MemoryTiles, table_of

from czictypes.model.geometry import Rectangle
from czictypes.model.pixel_types import PixelType
from czictypes.reading.levels import level_grids
from czictypes.reading.paint import Painter, Part
from czictypes.reading.request import PlaneRequest

SCENES = st.sampled_from([{"C": 0}, {"C": 0, "S": 0}, {"C": 0, "S": 1}])
PLACE = st.integers(-20, 20)
STORED = st.integers(1, 9)


@st.composite
def tiles(draw, base):
    """Draw a tile of some level, whose logical size may be rounded to a pixel."""
    scale = base ** draw(st.integers(0, 3))
    w, h = draw(STORED), draw(STORED)
    cut = draw(st.integers(0, scale - 1)) if scale > 1 else 0
    return Entry(
        x=draw(PLACE),
        y=draw(PLACE),
        w=max(w * scale - cut, 1),
        h=max(h * scale - cut, 1),
        stored=(w, h),
        m=draw(st.none() | st.integers(0, 3)),
        plane=draw(SCENES),
    )


documents = st.sampled_from([2, 3]).flatmap(
    lambda base: st.tuples(
        st.lists(tiles(base), min_size=1, max_size=12),
        st.builds(partial(Entry, w=4, h=4), x=PLACE, y=PLACE, plane=SCENES),
    )
)


@given(documents, st.sampled_from([None, 0, 1]), st.data())
def test_any_part_is_what_each_of_its_pixels_is(document, scene, data):
    entries = [*document[0], document[1]]  # one at least is of full resolution
    pixels = MemoryTiles.random(entries)
    table = table_of(*entries)
    painter = Painter(table, pixels)
    scenes = sorted(table.scene_rectangles) if scene is None else [scene]
    box = Rectangle(-20, -20, 47, 50)
    for grid in level_grids(table, scene, box):
        left, top = (
            data.draw(st.integers(0, grid.width - 1)),
            data.draw(st.integers(0, grid.height - 1)),
        )
        w, h = (data.draw(st.integers(1, size)) for size in (grid.width - left, grid.height - top))
        roi = Rectangle(left, top, w, h)
        found = np.empty((h, w, 1), "u1")
        request = PlaneRequest(roi, {}, scene, 1.0, PixelType.Gray8, (0.0, 0.0, 0.0), False)
        painter.paint([Part(request, grid)], [found])
        order = painted_in_order(table, entries, grid.number, scenes)
        for row in range(h):
            for column in range(w):
                at = left + column, top + row
                expected = pixel_at(at, order, table, entries, pixels.pixels, grid)
                assert found[row, column, 0] == expected, (grid.number, at)


def painted_in_order(table, entries, number, scenes):
    """Return the tiles that are shown at a level, the lowest first."""
    members = []
    for k, entry in enumerate(entries):
        level, scene = int(table.levels[k]), entry.plane.get("S")
        full = table.zoom[k] >= np.float32(1) / np.float32(1.05)
        if (number == 0 and not full) or (level > number and number):
            continue
        if scene not in scenes and (scene is not None or (len(scenes) > 1 and table.is_layer0[k])):
            continue
        m = entry.m if table.is_layer0[k] and entry.m is not None else -1
        group = scenes.index(scene) if scene in scenes else 0
        members.append((level if number else 0, group, float(table.zoom[k]), m, k))
    return [k for *_, k in sorted(members)]


def pixel_at(at, order, table, entries, pixels, grid):
    for k in reversed(order):
        entry, stored = entries[k], entries[k].stored_size
        places = [
            place(
                at[axis],
                (entry.x, entry.y)[axis] - grid.box[axis],
                (entry.w, entry.h)[axis],
                stored[axis],
                grid,
                own=int(table.levels[k]) == grid.number,
            )
            for axis in (0, 1)
        ]
        if None not in places:
            return pixels[k][places[1], places[0], 0]
    return 0


def place(at, start, size, stored, grid, own):
    """Return the stored pixel of a tile that a pixel of the level shows, or None."""
    factor = grid.factor
    if grid.number == 0 or (own and abs(stored - size / factor) < 1):
        place = at - math.floor(start / factor + 0.5)
        return place if 0 <= place < stored else None
    corner = at * factor - start
    if not 0 <= corner < size:
        return None
    return min(int(corner * stored / size), stored - 1)
