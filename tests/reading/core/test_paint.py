import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from reading.core.made_tables import Entry, MemoryTiles, needs_kernel, pixels_of, read, table_of

from czictypes.container.workers import Workers
from czictypes.model.errors import CorruptFileError, UnsupportedDataError
from czictypes.model.geometry import Color, Rectangle
from czictypes.model.pixel_types import PixelType, pixel_format
from czictypes.reading.paint import Painter, Part
from czictypes.reading.request import PlaneRequest, output_shape

GRAY = Color(0.2, 0.2, 0.2)  # 51 in 8 bits


@pytest.fixture(scope="module")
def pool():
    workers = Workers(4, "helpers")
    yield workers
    workers.close()


def numbered(*numbers, size=10):
    """Give tiles that are filled with one number each."""
    return MemoryTiles([np.full((size, size, 1), number, "u1") for number in numbers])


# Against a painter who paints pixel by pixel

places = st.integers(-30, 30)
extents = st.integers(1, 25)
scenes = st.sampled_from([{"C": 0}, {"C": 0, "S": 0}, {"C": 0, "S": 1}])
tiles_anywhere = st.builds(
    Entry, x=places, y=places, w=extents, h=extents, m=st.none() | st.integers(0, 4), plane=scenes
)


def painted_pixel_by_pixel(entries, pixels, roi, masks=None):
    """Take each pixel from the topmost tile; what is on top follows from scene and M-index."""
    meets = [k for k, e in enumerate(entries) if not box(e).intersect(roi).is_empty]
    boxes = {}
    for entry in entries:
        if "S" in entry.plane:
            boxes.setdefault(entry.plane["S"], []).append(box(entry))
    involved = {number for number, all_ in boxes.items() if not hull(all_).intersect(roi).is_empty}
    if len(involved) > 1:
        meets = [k for k in meets if "S" in entries[k].plane]
        meets.sort(key=lambda k: (entries[k].plane["S"], rank(entries[k].m), k))
    else:
        meets.sort(key=lambda k: (rank(entries[k].m), k))
    out = np.full((roi.h, roi.w, 1), 51, "u1")
    for y in range(roi.h):
        for x in range(roi.w):
            for k in reversed(meets):
                column, row = x + roi.x - entries[k].x, y + roi.y - entries[k].y
                if not (0 <= column < entries[k].w and 0 <= row < entries[k].h):
                    continue
                if masks is None or masks[k] is None or masks[k][row, column]:
                    out[y, x] = pixels[k][row, column]
                    break
    return out


def box(entry):
    return Rectangle(entry.x, entry.y, entry.w, entry.h)


def hull(boxes):
    left, top = min(b.x for b in boxes), min(b.y for b in boxes)
    right, bottom = max(b.x + b.w for b in boxes), max(b.y + b.h for b in boxes)
    return Rectangle(left, top, right - left, bottom - top)


def rank(m):
    return -(2**31) if m is None else m


@given(
    st.lists(tiles_anywhere, max_size=9),
    st.builds(Rectangle, places, places, extents, extents),
    st.integers(0, 4),
)
def test_every_pixel_is_that_of_the_topmost_tile(pool, entries, roi, threads):
    tiles = MemoryTiles.random(entries)
    workers = pool if threads else None
    result = read(entries, tiles, roi, background=GRAY, workers=workers, threads=threads)
    np.testing.assert_array_equal(result, painted_pixel_by_pixel(entries, tiles.pixels, roi))


@given(
    st.lists(st.tuples(tiles_anywhere, st.booleans()), max_size=7),
    st.builds(Rectangle, places, places, extents, extents),
    st.integers(0, 4),
)
def test_pixels_that_a_mask_calls_invalid_let_the_tile_below_show(pool, some, roi, threads):
    entries = [entry for entry, _ in some]
    tiles = MemoryTiles.random(entries)
    rng = np.random.default_rng(len(some))
    masks = [rng.random((entry.h, entry.w)) < 0.6 if masked else None for entry, masked in some]
    tiles.masks = {k: mask for k, mask in enumerate(masks) if mask is not None}
    workers = pool if threads else None
    result = read(
        entries, tiles, roi, background=GRAY, mask_aware=True, workers=workers, threads=threads
    )
    expected = painted_pixel_by_pixel(entries, tiles.pixels, roi, masks)
    np.testing.assert_array_equal(result, expected)


# Zoom


def test_a_scaled_read_takes_the_nearest_pixels():
    tile = np.arange(100, dtype="u1").reshape(10, 10, 1)
    result = read([Entry()], MemoryTiles([tile]), (0, 0, 10, 10), zoom=0.5)
    np.testing.assert_array_equal(result, tile[::2, ::2])


def test_a_pyramid_level_is_copied_at_its_own_zoom():
    entries = [Entry(0, 0, 20, 20), Entry(0, 0, 20, 20, stored=(10, 10))]
    tiles = MemoryTiles.random(entries)
    result = read(entries, tiles, (0, 0, 20, 20), zoom=0.5)
    np.testing.assert_array_equal(result, tiles.pixels[1])
    assert tiles.asked_for == [1]


def test_in_a_scaled_read_the_mask_is_sampled_like_the_pixels():
    mask = np.zeros((10, 10), bool)
    mask[:, 4:] = True
    tiles = MemoryTiles([np.full((10, 10, 1), 7, "u1")], {0: mask})
    result = read([Entry()], tiles, (0, 0, 10, 10), zoom=0.5, mask_aware=True, background=GRAY)
    assert result[..., 0].tolist() == [[51, 51, 7, 7, 7]] * 5


def test_in_a_scaled_read_a_tile_shows_through_the_mask_of_another():
    hole = np.ones((10, 10), bool)
    hole[:5] = False
    tiles = numbered(1, 2)
    tiles.masks = {1: hole}
    result = read([Entry(m=0), Entry(m=1)], tiles, (0, 0, 10, 10), zoom=0.2, mask_aware=True)
    assert result[..., 0].tolist() == [[1, 1], [2, 2]]


@pytest.mark.parametrize("zoom", [0.05, 0.31, 0.5, 0.77, 0.99])
def test_a_scaled_read_is_the_same_for_any_number_of_threads(pool, zoom, rng):
    entries = [
        Entry(int(x), int(y), 60, 50, m=m)
        for m, (x, y) in enumerate(rng.integers(-20, 400, (60, 2)))
    ]
    tiles = MemoryTiles.random(entries)
    alone = read(entries, tiles, (0, 0, 400, 400), zoom=zoom)
    for threads in (2, 3, 4):
        other = read(entries, tiles, (0, 0, 400, 400), zoom=zoom, workers=pool, threads=threads)
        np.testing.assert_array_equal(alone, other)


@pytest.mark.parametrize(
    ("side", "zoom", "result"),
    [
        (100, 1, 100),
        (100, 0.29, 29),  # 0.29 is 0.289999... in double, not in float32
        (7, 0.5, 3),
        (9, 0.1, 0),
        (100_000_007, 1, 100_000_007),  # float32 would make it 100000008
        (100, 1 - 1e-9, 100),
        (2**24 + 2, 0.5, 2**23 + 1),
    ],
)
def test_the_size_of_the_result(side, zoom, result):
    request = PlaneRequest(Rectangle(0, 0, side, 4), {}, None, zoom, PixelType.Bgr24, GRAY)
    assert output_shape(request)[1:] == (result, 3)


def test_a_result_without_pixels_is_no_error():
    tiles = numbered(1)
    assert read([Entry()], tiles, (0, 0, 3, 10), zoom=0.2).shape == (2, 0, 1)
    assert tiles.asked_for == []


# Pixel types and the array


def test_tiles_of_several_types_are_converted():
    entries = [
        Entry(0, 0, 4, 4),
        Entry(4, 0, 4, 4, pixel_type=PixelType.Bgr24),
        Entry(8, 0, 4, 4, pixel_type=PixelType.Gray16),
    ]
    tiles = MemoryTiles.random(entries)
    result = read(entries, tiles, (0, 0, 12, 4), pixel_type=PixelType.Gray16)
    gray, color, deep = tiles.pixels
    np.testing.assert_array_equal(result[:, :4], gray)
    np.testing.assert_array_equal(result[:, 4:8, 0], (color.sum(axis=2, dtype="u4") + 1) // 3)
    np.testing.assert_array_equal(result[:, 8:], deep)


def test_what_cannot_be_converted_is_refused_before_anything_is_read():
    entries = [Entry(), Entry(20, 0, pixel_type=PixelType.Gray32Float)]
    tiles = MemoryTiles.random(entries)
    with pytest.raises(
        UnsupportedDataError, match=r"of sub-block 1\) cannot be converted to Gray8"
    ):
        read(entries, tiles, (0, 0, 40, 10))
    assert tiles.asked_for == []


@pytest.mark.parametrize("kind", list(PixelType))
@pytest.mark.parametrize("zoom", [1, 0.6])
def test_every_pixel_type_can_be_read(kind, zoom):
    entry = Entry(pixel_type=kind)
    tiles = MemoryTiles([pixels_of(entry, 3)])
    result = read([entry], tiles, (0, 0, 10, 10), zoom=zoom, pixel_type=kind)
    assert result.dtype == pixel_format(kind).dtype
    np.testing.assert_array_equal(result[0, 0], tiles.pixels[0][0, 0])


@pytest.mark.parametrize("zoom", [1, 0.5])
def test_rows_of_the_array_may_be_apart(zoom):
    table = table_of(Entry(0, 0, 10, 10), Entry(10, 0, 10, 10))
    request = PlaneRequest(Rectangle(0, 0, 20, 20), {"C": 0}, None, zoom, PixelType.Gray8, GRAY)
    height, width, _ = output_shape(request)
    canvas = np.zeros((height * 2, width + 5, 1), "u1")
    out = canvas[::2, 3:-2]
    Painter(table, numbered(1, 2)).paint([Part(request)], [out])
    half = height // 2
    assert (out[:half, : width // 2] == 1).all()
    assert (out[:half, width // 2 :] == 2).all()
    assert (out[half + 1 :] == 51).all()  # a scaled tile may paint one more row
    out[:] = 0
    assert not canvas.any(), "pixels outside the array were changed"


def test_where_no_tile_is_the_background_shows():
    assert (read([], numbered(), (0, 0, 5, 5), plane={}, background=GRAY) == 51).all()
    color = read(
        [], numbered(), (0, 0, 2, 2), pixel_type=PixelType.Bgr24, background=Color(0, 0.2, 1)
    )
    assert color.reshape(-1, 3).tolist() == [[0, 51, 255]] * 4


def test_a_tile_stored_smaller_than_it_says_covers_its_stored_size_at_zoom_1():
    entries = [Entry(0, 0, 100, 100, stored=(98, 97))]
    result = read(entries, numbered(5, size=98), (0, 0, 100, 100), background=GRAY)
    assert (result[:97, :98] == 5).all()
    assert (result[97:] == 51).all()
    assert (result[:, 98:] == 51).all()


# What is read of the file


def test_hidden_tiles_are_not_decoded():
    entries = [Entry(0, 0, 10, 10, m=m) for m in range(5)]
    tiles = numbered(*range(5))
    assert (read(entries, tiles, (0, 0, 10, 10)) == 4).all()
    assert tiles.asked_for == [4]


@pytest.mark.parametrize("zoom", [1, 0.5])
def test_each_tile_is_decoded_once(pool, zoom):
    entries = [Entry(8 * k, 8 * row, m=10 * k + row) for k in range(10) for row in range(10)]
    tiles = MemoryTiles.random(entries)
    read(entries, tiles, (0, 0, 90, 90), zoom=zoom, workers=pool)
    assert sorted(tiles.asked_for) == list(range(100))


@pytest.mark.parametrize("mask_aware", [False, True])
@pytest.mark.parametrize("zoom", [1, 0.5])
def test_no_more_tiles_are_in_memory_than_threads_work(pool, zoom, mask_aware):
    entries = [Entry(90 * k, 90 * row, 100, 100, m=row) for k in range(8) for row in range(8)]
    tiles = MemoryTiles.random(entries)
    options = {"zoom": zoom, "mask_aware": mask_aware, "workers": pool}
    read(entries, tiles, (0, 0, 720, 720), threads=3, **options)
    assert tiles.most_in_use <= 3
    assert tiles.in_use == 0


def test_one_small_tile_does_not_wake_another_thread():
    class NoPool:
        def submit(self, *_):
            raise AssertionError("no thread is needed")

    result = read([Entry()], numbered(3), (0, 0, 10, 10), workers=NoPool(), threads=8)
    assert (result == 3).all()


# Errors


class FailingTiles(MemoryTiles):
    """Tiles of which one cannot be decoded; the others are slow enough to be in use then."""

    def __init__(self, pixels, bad):
        super().__init__(pixels)
        self.bad = bad

    def tile(self, row, first=0, end=None):
        if row == self.bad:
            raise CorruptFileError(f"sub-block {row} is damaged")
        return super().tile(row)


@pytest.mark.parametrize("bad", [0, 20, 63])
@pytest.mark.parametrize("zoom", [1, 0.5])
@pytest.mark.parametrize("threads", [1, 2, 4])
def test_the_error_of_a_tile_is_raised_and_nothing_goes_on(pool, zoom, bad, threads):
    entries = [Entry(90 * k, 90 * row, 100, 100) for k in range(8) for row in range(8)]
    tiles = FailingTiles([pixels_of(entry, 0) for entry in entries], bad)
    with pytest.raises(CorruptFileError, match=f"sub-block {bad} is damaged"):
        read(entries, tiles, (0, 0, 720, 720), zoom=zoom, workers=pool, threads=threads)
    assert tiles.in_use == 0


class RecordingWorkers(Workers):
    """Remember what they were asked to do."""

    def submit(self, *tasks):
        (self.task,) = tasks
        super().submit(*tasks)


@needs_kernel
def test_an_error_in_a_helping_thread_ends_the_work_of_the_caller():
    caller = threading.current_thread()

    class FailsElsewhere(MemoryTiles):
        def tile(self, row, first=0, end=None):
            if threading.current_thread() is not caller:
                raise CorruptFileError("damaged, says the helper")
            workers.task.wait()
            return super().tile(row)

    entries = [Entry(300 * k, 0, 300, 300) for k in range(8)]
    tiles = FailsElsewhere([pixels_of(entry, 0) for entry in entries])
    workers = RecordingWorkers(1, "helpers")
    with pytest.raises(CorruptFileError, match="says the helper"):
        read(entries, tiles, (0, 0, 2400, 300), workers=workers, threads=2)
    workers.close()
    assert len(tiles.asked_for) <= 1


def test_a_tile_smaller_than_the_directory_says_is_refused():
    with pytest.raises(CorruptFileError, match=r"sub-block 0 decodes to 9 x 9 .* says 10 x 10"):
        read([Entry()], MemoryTiles([np.zeros((9, 9, 1), "u1")]), (0, 0, 10, 10))


def test_of_a_tile_larger_than_the_directory_says_the_rest_is_left_out():
    tiles = MemoryTiles([np.full((12, 14, 1), 3, "u1")])
    result = read([Entry()], tiles, (0, 0, 14, 12), background=GRAY)
    assert (result[:10, :10] == 3).all()
    assert (result[10:] == 51).all()


def test_many_callers_share_a_small_pool(rng):
    entries = [Entry(90 * k, 90 * row, 100, 100, m=k) for k in range(6) for row in range(6)]
    tiles = MemoryTiles.random(entries)
    expected = {zoom: read(entries, tiles, (0, 0, 540, 540), zoom=zoom) for zoom in (1, 0.4)}
    wrong = []

    def caller(zoom):
        result = read(entries, tiles, (0, 0, 540, 540), zoom=zoom, workers=shared, threads=4)
        if not np.array_equal(result, expected[zoom]):
            wrong.append(zoom)

    shared = Workers(2, "helpers")
    with ThreadPoolExecutor(8) as callers:
        list(callers.map(caller, [1, 0.4] * 20))
    shared.close()
    assert wrong == []
