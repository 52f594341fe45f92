"""A window through bioio reads that window: bytes are counted, of files and of a server."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from extras import needs
from files.block import Block
from files.builder import write_czi
from files.layouts import pyramid_tiles
from files.patterns import noise
from hypothesis import given
from hypothesis import strategies as st
from remote.server import RangeServer, serving

from czictypes import CziImage
from czictypes.model.pixel_types import Compression, PixelType
from czictypes.remote.open import FileSource

bioio = needs("bioio", "bioio")
lazy = needs("czictypes.plugins.bioio_data", "bioio")
Reader = needs("czictypes.plugins.bioio", "bioio").Reader

TILES, SIDE = 60, 256
WINDOW = {"Y": slice(10, 60), "X": slice(700, 800)}


def mosaic(kind: PixelType, compression: Compression = Compression.Uncompressed) -> list[Block]:
    """Return tiles beside each other in two channels."""
    return [
        Block(noise(kind, SIDE, SIDE, m), SIDE * m, 0, {"C": c, "S": 0}, m, compression=compression)
        for c in range(2)
        for m in range(TILES)
    ]  # fmt: skip


def one_tile(kind: PixelType) -> list[Block]:
    return [Block(noise(kind, SIDE, SIDE * TILES, 1), plane={"C": c}) for c in range(2)]


FILES = {
    "mosaic": mosaic(PixelType.Gray8),
    "colours": mosaic(PixelType.Bgr24),
    "zstd": mosaic(PixelType.Gray16, Compression.Zstd1),
    "one tile": one_tile(PixelType.Gray16),
    "levels": list(
        pyramid_tiles(noise(PixelType.Gray8, 1024, 4096, 1), 0, 0, {"C": 0}, tile=SIDE, levels=3)
    ),
}


@pytest.fixture(scope="module", params=FILES)
def path(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_czi(tmp_path_factory.mktemp("windows") / "a.czi", FILES[request.param])


@pytest.fixture
def count(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Collect how many bytes each read of a local file asks for."""
    counted: list[int] = []
    read, read_into = FileSource._read, FileSource._read_into

    def count_read(self: FileSource, offset: int, count: int) -> bytes:
        counted.append(count)
        return read(self, offset, count)

    def count_read_into(self: FileSource, offset: int, buffer: memoryview) -> int:
        counted.append(len(buffer))
        return read_into(self, offset, buffer)

    monkeypatch.setattr(FileSource, "_read", count_read)
    monkeypatch.setattr(FileSource, "_read_into", count_read_into)
    return counted


@pytest.fixture
def server() -> Iterator[RangeServer]:
    needs("fsspec.implementations.http")
    with serving() as running:
        yield running


def windows(image: Any) -> Iterator[tuple[str, np.ndarray]]:
    """Give a window in all the ways that `BioImage` has, one after the other."""
    yield "dask", image.get_image_dask_data("YX", C=0, **WINDOW).compute(scheduler="sync")
    yield "numpy", image.get_image_data("YX", C=0, **WINDOW)
    yield "turned", image.get_image_data("XY", C=0, **WINDOW).T
    yield "list", image.get_image_data("CYX", C=[0], **WINDOW)[0]
    yield "list and number", image.get_image_data("ZYX", C=0, Z=[0], **WINDOW)[0]
    rows = list(range(*WINDOW["Y"].indices(SIDE)))
    yield "rows", image.get_image_data("YX", C=0, X=WINDOW["X"], Y=rows)


def expected(path: Path, level: int = 0) -> np.ndarray:
    with CziImage(path) as image:
        part = image.get_image_data("YX", C=0, level=level, **WINDOW)
    return part


def test_a_window_of_a_file(path: Path, count: list[int]) -> None:
    image = bioio.BioImage(path, reader=Reader)
    for way, window in windows(image):
        assert sum(count) < path.stat().st_size / 10, way
        np.testing.assert_array_equal(window, expected(path), err_msg=way)
        count.clear()


@pytest.mark.parametrize("level", [0, 1, 2])
def test_a_window_of_a_level(
    tmp_path: Path, count: list[int], server: RangeServer, level: int
) -> None:
    path = write_czi(tmp_path / "a.czi", FILES["levels"])
    url = server.put("/a.czi", path.read_bytes())
    for source in (path, url):
        image = bioio.BioImage(source, reader=Reader)
        image.set_resolution_level(level)
        for way, window in windows(image):
            assert sum(count) < path.stat().st_size / 10, way
            np.testing.assert_array_equal(window, expected(path, level), err_msg=way)
            count.clear()
    assert server.sent < path.stat().st_size / 8


def test_a_window_of_single_tiles(tmp_path: Path, count: list[int]) -> None:
    path = write_czi(tmp_path / "a.czi", FILES["mosaic"])
    image = bioio.BioImage(path, reader=Reader, reconstruct_mosaic=False)
    where = {"C": 1, "M": 7, "Y": slice(10, 60), "X": slice(70, 90)}
    tile = noise(PixelType.Gray8, SIDE, SIDE, 7)[10:60, 70:90, 0]
    np.testing.assert_array_equal(image.get_image_dask_data("YX", **where).compute(), tile)
    np.testing.assert_array_equal(image.get_image_data("YX", **where), tile)
    assert sum(count) < path.stat().st_size / 10


def test_a_window_of_a_url(path: Path, server: RangeServer) -> None:
    image = bioio.BioImage(server.put("/a.czi", path.read_bytes()), reader=Reader)
    for way, window in windows(image):
        assert server.sent < path.stat().st_size / 8, way
        np.testing.assert_array_equal(window, expected(path), err_msg=way)


def test_bioio_itself_looks_at_a_url_no_further_than_it_must(
    tmp_path: Path, server: RangeServer
) -> None:
    url = server.put("/a.czi", write_czi(tmp_path / "a.czi", FILES["mosaic"]).read_bytes())
    assert Reader.is_supported_image(url)
    assert server.sent < 1000
    with pytest.raises(FileNotFoundError):
        Reader.is_supported_image(server.url + "/missing.czi")
    with pytest.raises(FileNotFoundError):
        Reader(server.url + "/missing.czi")


def test_memory_is_that_of_the_window(path: Path) -> None:
    pytest.importorskip("_tracemalloc", reason="PyPy cannot trace memory: run it on CPython")
    import tracemalloc

    list(windows(bioio.BioImage(path, reader=Reader)))  # imports what is needed
    image = bioio.BioImage(path, reader=Reader)
    tracemalloc.start()
    list(windows(image))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < path.stat().st_size / 2


# The pixels of a stitched mosaic, as BioImage keeps them

WHOLE = noise(PixelType.Bgr48, 9, 11, 3)
FULL = slice(None)


class Part:
    """Reads parts of `WHOLE`, and notes which."""

    def __init__(self) -> None:
        self.parts: list[dict[str, Any]] = []

    def __call__(self, selection: dict[str, Any]) -> np.ndarray:
        self.parts.append(dict(selection))
        found = WHOLE
        for axis, name in reversed(list(enumerate("YXS"))):  # each by itself, as `read_block` does
            found = found[(FULL,) * axis + (selection.get(name, FULL),)]
        return found.copy()


@pytest.fixture
def read() -> Part:
    return Part()


def on_demand(read: Part) -> Any:
    unordered = lazy.PixelsOnDemand(read, dict(zip("YXS", WHOLE.shape)), WHOLE.dtype)
    return unordered[:, :, :].transpose((0, 1, 2))


ITEMS = st.one_of(
    st.slices(9),
    st.integers(-9, 8),
    st.lists(st.integers(-9, 8), min_size=1, max_size=4),
    st.just(np.array([2, 0, 5])),
    st.just(Ellipsis),
    st.none(),
    st.just(True),
    st.just([True] * 9),
)


@given(st.lists(ITEMS, max_size=3).map(tuple))
def test_any_index_is_as_in_numpy(index: tuple[Any, ...]) -> None:
    try:
        wanted = WHOLE[index]
    except IndexError:
        with pytest.raises(IndexError):
            on_demand(Part())[index]
        return
    part = on_demand(Part())[index]
    assert type(part) is type(wanted)
    np.testing.assert_array_equal(part, wanted)


def test_a_part_is_read_by_itself(read: Part) -> None:
    pixels = on_demand(read)
    assert (pixels.shape, pixels.ndim, pixels.size) == (WHOLE.shape, 3, WHOLE.size)
    assert (pixels.nbytes, pixels.dtype, len(pixels)) == (WHOLE.nbytes, WHOLE.dtype, 9)
    assert "X=11" in repr(pixels)
    assert read.parts == []
    np.testing.assert_array_equal(pixels[2:4, [1, 5]], WHOLE[2:4, [1, 5]])
    np.testing.assert_array_equal(pixels[[1, 5], 2:4, 0], WHOLE[[1, 5], 2:4, 0])
    assert read.parts == [
        {"Y": slice(2, 4), "X": [1, 5], "S": FULL},
        {"Y": [1, 5], "X": slice(2, 4), "S": 0},
    ]


def test_all_else_reads_everything_once(read: Part) -> None:
    pixels = on_demand(read)
    assert pixels.max() == WHOLE.max()
    assert np.mean(pixels) == WHOLE.mean()
    np.testing.assert_array_equal(pixels + 1, WHOLE + 1)
    np.testing.assert_array_equal(np.concatenate([pixels, WHOLE]), np.concatenate([WHOLE, WHOLE]))
    np.testing.assert_array_equal(pixels.transpose(2, 1, 0), WHOLE.T)
    np.testing.assert_array_equal(pixels.T, WHOLE.T)
    np.testing.assert_array_equal(np.asarray(pixels, float), WHOLE)
    np.testing.assert_array_equal(list(pixels), WHOLE)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(pixels)), WHOLE)
    assert read.parts == [{}]
    copied = pixels.copy()
    pixels[0] = 0
    assert (pixels[0] == 0).all()
    np.testing.assert_array_equal(copied, WHOLE)
    with pytest.raises(AttributeError, match="no attribute 'colour'"):
        _ = pixels.colour
    with pytest.raises(ValueError, match="truth value"):
        bool(pixels)


def test_all_of_a_mosaic(tmp_path: Path) -> None:
    image = bioio.BioImage(write_czi(tmp_path / "a.czi", FILES["mosaic"]), reader=Reader)
    whole = image.get_image_data("TCZYX")
    assert type(whole) is np.ndarray
    np.testing.assert_array_equal(image.data, whole)
    np.testing.assert_array_equal(image.get_image_data(), whole)
    np.testing.assert_array_equal(image.xarray_data.mean("X").values, whole.mean(-1))
    np.testing.assert_array_equal(image.xarray_data[0, 1, 0, 5:9, 7].values, whole[0, 1, 0, 5:9, 7])
    np.testing.assert_array_equal(image.dask_data.compute(), whole)
