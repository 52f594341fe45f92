import numpy as np
import pytest
from reading.core.made_tables import Entry, directory_of, table_of

from czictypes.model.geometry import ABSENT, Rectangle
from czictypes.model.pixel_types import PixelType
from czictypes.reading.table import NO_RECTANGLE, SubBlockTable


def test_bounds_have_the_true_start_and_size():
    table = table_of(
        Entry(plane={"C": 1, "Z": -2, "S": 7}),
        Entry(plane={"C": 1, "Z": 3, "T": 5, "S": 9}),
    )
    assert table.plane_bounds == {"Z": (-2, 6), "C": (1, 1), "T": (5, 1)}


def test_a_document_without_any_dimension_has_no_bounds():
    assert table_of(Entry(plane={})).plane_bounds == {}


def test_an_empty_document_has_empty_answers():
    table = SubBlockTable(directory_of([]))
    assert table.total_rectangle == table.total_rectangle_no_pyramid == NO_RECTANGLE
    assert table.scene_rectangles == table.scene_rectangles_no_pyramid == {}
    assert table.plane_bounds == {}
    assert table.m_bounds is None
    assert table.channel_pixel_type(None) is None
    assert not table.has_pyramid
    assert len(table.as_structured) == 0


def test_boxes_with_and_without_the_pyramid():
    table = table_of(
        Entry(-40, -30, 20, 10),
        Entry(5, 7, 30, 20),
        Entry(-41, -30, 80, 60, stored=(40, 30)),
    )
    assert table.total_rectangle == Rectangle(-41, -30, 80, 60)
    assert table.total_rectangle_no_pyramid == Rectangle(-40, -30, 75, 57)
    assert table.has_pyramid


def test_coordinates_at_the_ends_of_their_range_do_not_overflow():
    least, most = -(2**31), 2**31 - 1
    table = table_of(Entry(least, least, 1, 1), Entry(most - 5, most - 6, 5, 6))
    assert table.total_rectangle == Rectangle(least, least, 2**32 - 1, 2**32 - 1)


def test_each_scene_has_its_boxes():
    table = table_of(
        Entry(0, 0, 10, 10, plane={"S": 3}),
        Entry(100, 0, 10, 10, plane={"S": 1}),
        Entry(5, 5, 10, 10, plane={"S": 3}),
        Entry(0, 0, 40, 40, stored=(20, 20), plane={"S": 3}),
        Entry(500, 500, 10, 10, plane={}),
    )
    assert table.scene_rectangles == {
        1: Rectangle(100, 0, 10, 10),
        3: Rectangle(0, 0, 40, 40),
    }
    assert list(table.scene_rectangles) == [1, 3]
    assert table.scene_rectangles_no_pyramid == {
        1: Rectangle(100, 0, 10, 10),
        3: Rectangle(0, 0, 15, 15),
    }


def test_a_scene_of_pyramid_tiles_alone_has_no_box_on_layer_0():
    table = table_of(Entry(stored=(5, 5), plane={"S": 2}))
    assert table.scene_rectangles_no_pyramid == {2: NO_RECTANGLE}


def test_sub_blocks_without_a_size_do_not_count_for_the_box():
    table = table_of(Entry(3, 4, 5, 6), Entry(ABSENT, ABSENT, ABSENT, ABSENT))
    assert table.total_rectangle == Rectangle(3, 4, 5, 6)


@pytest.mark.parametrize(
    ("logical", "stored", "zoom"),
    [
        ((100, 50), (100, 50), 1),
        ((100, 50), (50, 25), 0.5),
        ((30, 90), (10, 31), np.float32(31) / np.float32(90)),
        ((91, 30), (31, 10), np.float32(31) / np.float32(91)),
        ((30, 40), (10, 10), 0.25),
        ((0, 0), (10, 20), 0),
    ],
)
def test_the_zoom_is_that_of_the_longer_stored_side_in_float32(logical, stored, zoom):
    table = table_of(Entry(0, 0, *logical, stored=stored))
    assert table.zoom.dtype == np.float32
    assert table.zoom[0] == zoom


def test_the_pixel_type_of_a_channel_is_that_of_its_first_sub_block():
    table = table_of(
        Entry(plane={"C": 2}, pixel_type=PixelType.Gray16),
        Entry(plane={"C": 0}, pixel_type=PixelType.Bgr24),
        Entry(plane={"C": 2}, pixel_type=PixelType.Gray8),
        Entry(plane={}, pixel_type=PixelType.Gray32Float),
    )
    assert table.channel_pixel_types == {0: PixelType.Bgr24, 2: PixelType.Gray16}
    assert table.channel_pixel_type(2) == PixelType.Gray16
    assert table.channel_pixel_type(1) is None
    assert table.channel_pixel_type(None) == PixelType.Gray16


def test_without_channels_the_first_sub_block_stands_for_any():
    table = table_of(Entry(plane={"Z": 4}, pixel_type=PixelType.Bgr48), Entry(plane={"Z": 5}))
    assert table.channel_pixel_type(0) == table.channel_pixel_type(None) == PixelType.Bgr48


def test_the_range_of_the_m_index_leaves_out_sub_blocks_without_one():
    assert table_of(Entry(m=4), Entry(), Entry(m=-2), Entry(m=2**31 - 1)).m_bounds == (-2, 7)
    assert table_of(Entry()).m_bounds is None


@pytest.mark.parametrize("factor", [2, 3])
def test_levels_are_powers_of_the_factor_of_the_file(factor):
    entries = [Entry(w=1000 * factor**k, h=800 * factor**k, stored=(1000, 800)) for k in range(7)]
    table = table_of(*entries)
    assert table.levels.tolist() == list(range(7))
    assert table.minification.tolist() == [factor**k for k in range(7)]


@pytest.mark.parametrize(("factor", "level"), [(2, 3), (3, 2)])
def test_tiles_at_the_edge_have_the_level_of_the_others(factor, level):
    scale = factor**level
    whole = Entry(w=256 * scale, h=256 * scale, stored=(256, 256))
    edges = [
        Entry(w=37, h=256 * scale, stored=(-(-37 // scale), 256)),
        Entry(w=37, h=37, stored=(37 // scale, 37 // scale)),
        Entry(w=101, h=75, stored=(-(-101 // scale), -(-75 // scale))),
    ]
    assert table_of(Entry(), whole, *edges).levels.tolist() == [0] + [level] * 4


def test_a_pyramid_tile_is_never_on_level_0():
    assert table_of(Entry(w=100, h=100, stored=(99, 100))).levels.tolist() == [1]


def test_the_structured_array_has_one_row_per_sub_block():
    table = table_of(
        Entry(-5, 6, 70, 80, plane={"C": 1, "S": 2}, m=3),
        Entry(0, 0, 100, 60, (50, 30), plane={"C": 0}, pixel_type=PixelType.Bgr24),
    )
    rows = table.as_structured
    assert ",".join(rows.dtype.names) == (
        "index,Z,C,T,R,I,H,V,B,scene,M,x,y,w,h,stored_w,stored_h,pixel_type,compression,"
        "level,file_position,file_part"
    )
    first, second = rows.tolist()
    gone = ABSENT
    assert first == (
        (0, gone, 1, *[gone] * 6, 2, 3, -5, 6, 70, 80, 70, 80, PixelType.Gray8, 0, 0, 1000, 0)
    )
    assert second == (
        (1, gone, 0, *[gone] * 6, gone, gone, 0, 0, 100, 60, 50, 30, PixelType.Bgr24, 0, 1, 1032, 0)
    )
    assert not rows.flags.writeable
