"""The painter against pylibCZIrw, which composes with libCZI's scaling accessor."""

from __future__ import annotations

import numpy as np
import pytest
import seeds
from peers import assert_same_pixels, open_pylibczirw
from reads import CONVERSIONS, Facts, random_read

from czictypes.container.directory import read_directory
from czictypes.container.segments import read_file_header
from czictypes.libczi.reader import ReaderHandle
from czictypes.libczi.streams import InputStream
from czictypes.model.geometry import Color, Rectangle
from czictypes.model.pixel_types import PixelType, pixel_format
from czictypes.reading.paint import Painter, Part
from czictypes.reading.request import PlaneRequest, output_shape
from czictypes.reading.table import SubBlockTable
from czictypes.reading.tiles import DecodedTile
from czictypes.remote.open import open_source

READS_PER_FILE = 50


class DecodedTiles:
    """Tiles as libCZI decodes them, without anything in between."""

    def __init__(self, reader: ReaderHandle) -> None:
        self._reader = reader

    def tile(self, row: int, first: int = 0, end: int | None = None) -> DecodedTile:
        with self._reader.read_sub_block(row) as sub_block, sub_block.create_bitmap() as bitmap:
            pixels = bitmap.to_numpy()
            return DecodedTile(pixels, 0, len(pixels))


@pytest.fixture
def opened(every_real_file):
    source = open_source(every_real_file)
    with ReaderHandle.open(InputStream.from_path(every_real_file)) as reader:
        table = SubBlockTable(read_directory(source, read_file_header(source)))
        source.close()
        yield every_real_file, table, DecodedTiles(reader)


def facts_of(table: SubBlockTable) -> Facts:
    ranges = {name: (start, start + size) for name, (start, size) in table.plane_bounds.items()}
    ranges.setdefault("C", (0, 1))
    channels = range(*ranges["C"])
    types = {c: CONVERSIONS[PixelType(table.channel_pixel_type(c)).name] for c in channels}
    return Facts(table.total_rectangle, table.scene_rectangles, ranges, types)


def request_of(table: SubBlockTable, read) -> PlaneRequest:
    plane = {name: read.plane.get(name, start) for name, (start, _) in table.plane_bounds.items()}
    roi = table.total_rectangle if read.scene is None else table.scene_rectangles[read.scene]
    native = PixelType(table.channel_pixel_type(plane.get("C")))
    return PlaneRequest(
        roi if read.roi is None else Rectangle(*read.roi),
        plane,
        read.scene,
        1 if read.zoom is None else read.zoom,
        native if read.pixel_type is None else PixelType[read.pixel_type],
        Color(*(read.background_pixel or (0, 0, 0))),
    )


def test_random_reads_equal_pylibczirws(opened, rng):
    path, table, tiles = opened
    painter, facts = Painter(table, tiles), facts_of(table)
    with open_pylibczirw(path) as theirs:
        for number in range(READS_PER_FILE):
            read = random_read(rng, facts)
            request = request_of(table, read)
            layout = pixel_format(request.pixel_type)
            ours = np.full(output_shape(request), 77, layout.dtype)
            painter.paint([Part(request)], [ours])
            what = f"read {number} of seed {seeds.run_seed()}: {read}"
            assert_same_pixels(ours, theirs.read(**read.arguments), what)


def test_the_boxes_equal_pylibczirws(opened):
    path, table, _ = opened
    with open_pylibczirw(path) as theirs:
        assert table.total_rectangle == theirs.total_bounding_rectangle
        assert table.total_rectangle_no_pyramid == theirs.total_bounding_rectangle_no_pyramid
        assert table.scene_rectangles == theirs.scenes_bounding_rectangle
        assert table.scene_rectangles_no_pyramid == theirs.scenes_bounding_rectangle_no_pyramid


def test_the_zooms_and_layers_equal_pylibczirws(opened):
    path, table, _ = opened
    zooms, layer0 = [], []
    with open_pylibczirw(path) as theirs:
        theirs.enumerate_subblocks(lambda _, info: zooms.append(info.get_zoom()) or True)
        theirs.enumerate_subblocks_subset(
            lambda index, _: layer0.append(index) or True, only_layer0=True
        )
    np.testing.assert_array_equal(table.zoom, np.array(zooms, np.float32))
    assert np.flatnonzero(table.is_layer0).tolist() == layer0
