"""dask and xarray: chunks computed once, names, colours and pixel sizes taken over."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from czictypes.model.options import Rgb8Color
from czictypes.reading.reader import CziReader
from czictypes.writing.imwrite import imwrite


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "new.czi"


@pytest.fixture
def dask() -> Any:
    return pytest.importorskip("dask.array", reason="dask is missing: pip install dask")


@pytest.fixture
def xarray() -> Any:
    return pytest.importorskip("xarray", reason="xarray is missing: pip install xarray")


def numbers(*shape: int) -> Any:
    return (np.arange(np.prod(shape)) * 7 % 251).reshape(shape).astype(np.uint16)


def counting(dask: Any, array: Any, chunks: Any) -> tuple[Any, Counter[Any]]:
    """Return a dask array, and how often each of its chunks has been computed."""
    computed: Counter[Any] = Counter()

    def chunk(block_info: Any = None) -> Any:
        where = block_info[None]["array-location"]
        computed[tuple(where)] += 1
        return array[tuple(slice(*span) for span in where)]

    spans = dask.from_array(array, chunks=chunks).chunks
    return dask.map_blocks(chunk, chunks=spans, dtype=array.dtype), computed


@pytest.mark.parametrize(
    "chunks", [(1, 1, 20, 30), (2, 3, 7, 9), (1, 3, 20, 30), (2, 1, 20, 5), "auto"]
)
def test_each_chunk_of_a_dask_array_is_computed_once(dask: Any, path: Path, chunks: Any) -> None:
    array = numbers(2, 3, 20, 30)
    lazy, computed = counting(dask, array, chunks)
    imwrite(path, lazy, "TZYX", tile=16)
    assert set(computed.values()) == {1}
    assert len(computed) == np.prod(lazy.numblocks)
    with CziReader(path) as document:
        for t, z in np.ndindex(2, 3):
            assert np.array_equal(document.read(plane={"T": t, "Z": z})[..., 0], array[t, z])


def test_a_shape_that_dask_does_not_know_is_refused(dask: Any, path: Path) -> None:
    lazy = dask.from_array(numbers(10, 10), chunks=5)
    with pytest.raises(ValueError, match="compute_chunk_sizes"):
        imwrite(path, lazy[lazy[:, 0] > 3])
    assert not path.exists()


def test_an_error_in_a_chunk_leaves_nothing(dask: Any, path: Path) -> None:
    def fail(block: Any, block_info: Any = None) -> Any:
        if block_info[0]["chunk-location"] == (1, 1):
            raise RuntimeError("no such chunk")
        return block

    lazy = dask.map_blocks(fail, dask.from_array(numbers(10, 10), chunks=5), dtype=np.uint16)
    with pytest.raises(RuntimeError, match="no such chunk"):
        imwrite(path, lazy)
    assert list(path.parent.iterdir()) == []


@pytest.mark.parametrize("lazy", [False, True])
def test_an_xarray_brings_its_names_and_sizes(
    xarray: Any, dask: Any, path: Path, lazy: bool
) -> None:
    array = numbers(2, 3, 4, 20, 30)
    data = xarray.DataArray(
        dask.from_array(array, chunks=(1, 1, 4, 10, 30)) if lazy else array,
        dims=("time", "channel", "Z", "y", "x"),
        coords={
            "time": ("time", [0.0, 2.5], {"units": "min"}),
            "channel": ["A", "B", "C"],
            "Z": ("Z", [10.0, 9.5, 9.0, 8.5], {"units": "\u00b5m"}),
            "y": ("y", np.arange(20) * 1e-7, {"units": "m"}),
            "x": ("x", np.arange(30) * 150.0, {"units": "nm"}),
        },
        attrs={"channel_colors": ["#0000FF", "#00FF00", "#FF0000"]},
    )
    imwrite(path, data)
    with CziReader(path) as document:
        assert document.channel_names == ["A", "B", "C"]
        assert document.channels[1].color == Rgb8Color(0, 255, 0)
        assert np.allclose(document.scaling, (1.5e-7, 1e-7, 5e-7))
        assert document.attachments.time_stamps is not None
        assert document.attachments.time_stamps.tolist() == [0, 150]
        for t, c, z in np.ndindex(2, 3, 4):
            pixels = document.read(plane={"T": t, "C": c, "Z": z})[..., 0]
            assert np.array_equal(pixels, array[t, c, z])


def test_what_is_given_wins_over_the_coordinates(xarray: Any, path: Path) -> None:
    data = xarray.DataArray(
        numbers(2, 4, 5),
        dims=list("CYX"),
        coords={"C": ["A", "B"], "X": ("X", np.arange(5.0), {"units": "um"})},
    )
    imwrite(path, data, channel_names=["P", "Q"], pixel_size={"X": 3e-6})
    with CziReader(path) as document:
        assert document.channel_names == ["P", "Q"]
        assert document.scaling.x == 3e-6


@pytest.mark.parametrize(
    "coordinate",
    [
        ("X", [0.0, 1, 2, 3, 4]),
        ("X", [0.0, 1, 2, 3, 4], {"units": "pixel"}),
        ("X", [0.0, 1, 2, 3, 9], {"units": "um"}),
        ("X", list("abcde"), {"units": "um"}),
        ("X", [1.0] * 5, {"units": "um"}),
    ],
)
def test_coordinates_that_are_no_even_lengths_tell_no_size(
    xarray: Any, path: Path, coordinate: Any
) -> None:
    imwrite(path, xarray.DataArray(numbers(4, 5), dims=list("YX"), coords={"X": coordinate}))
    with CziReader(path) as document:
        assert document.scaling.x is None


@pytest.mark.parametrize(
    "times",
    [
        np.array(["2024-05-06T07:08:09", "2024-05-06T07:08:11.5"], "M8[ns]"),
        np.array([0, 2500], "m8[ms]").astype("m8[ns]"),
    ],
)
def test_moments_and_durations_are_times(xarray: Any, path: Path, times: Any) -> None:
    imwrite(path, xarray.DataArray(numbers(2, 4, 5), dims=list("TYX"), coords={"T": times}))
    with CziReader(path) as document:
        assert document.attachments.time_stamps is not None
        assert document.attachments.time_stamps.tolist() == [0, 2.5]


@pytest.mark.parametrize("last", ["S", "rgb", "sample"])
def test_the_last_dimension_may_be_samples(xarray: Any, path: Path, last: str) -> None:
    array = numbers(4, 5, 3)
    imwrite(path, xarray.DataArray(array, dims=("Y", "X", last)))
    with CziReader(path) as document:
        assert np.array_equal(document.read()[..., ::-1], array)


def test_an_unknown_dimension_is_named(xarray: Any, path: Path) -> None:
    data = xarray.DataArray(numbers(2, 4, 5), dims=("patient", "Y", "X"))
    with pytest.raises(ValueError, match="'patient' is not known"):
        imwrite(path, data)
    imwrite(path, data, "TYX")
    with CziReader(path) as document:
        assert document.total_bounding_box["T"] == (0, 2)


def test_neither_is_imported_for_a_numpy_array() -> None:
    code = (
        "import io, sys, numpy\n"
        "from czictypes.writing.imwrite import imwrite\n"
        "imwrite(io.BytesIO(), numpy.zeros((4, 5), 'u1'), thumbnail=False)\n"
        "assert not {'dask', 'xarray', 'PIL', 'tqdm', 'zarr'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[3])
