"""dask and xarray: chunks computed once, names, colours and pixel sizes taken over."""

from __future__ import annotations

import datetime
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from czictypes import CziImage
from czictypes.metadata.channels import ChannelInfo
from czictypes.metadata.document_content import DocumentContent
from czictypes.metadata.document_info import Objective, Scaling
from czictypes.metadata.scenes import SceneInfo, Well
from czictypes.model.options import ChannelDisplaySettingsDataClass, Rgb8Color, TintingMode
from czictypes.reading.reader import CziReader
from czictypes.writing.imwrite import imwrite
from czictypes.writing.writer import create_czi


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


# What we know of an array of ours


START = datetime.datetime(2024, 5, 6, 7, 8, 9, tzinfo=datetime.timezone.utc)


@pytest.fixture
def labelled(tmp_path: Path, xarray: Any) -> Any:
    """A labelled array of a file that tells much: three times, two channels, Y, X."""
    red = Rgb8Color(255, 0, 0)
    shown = ChannelDisplaySettingsDataClass(True, TintingMode.Color, red, 0.01, 0.25)
    content = DocumentContent(
        channels=[
            ChannelInfo(
                0,
                name="DAPI",
                excitation_wavelength=353.0,
                emission_wavelength=465.0,
                exposure_time=0.02,
                component_bit_count=14,
            ),
            ChannelInfo(1, name="GFP", emission_wavelength=509.0, component_bit_count=12),
        ],
        scaling=Scaling(5e-7, 5e-7),
        display_settings={0: shown},
        scenes=[SceneInfo(0, "P3", center=(1015.0, 2007.5), size=(30.0, 15.0), well=Well("B4"))],
        objective=Objective(name="Plan 20x", magnification=20.0, numerical_aperture=0.8),
        acquisition_date=START,
        microscope="Axio",
    )
    with create_czi(tmp_path / "source.czi") as document:
        document.write_metadata("a title", content=content)
        for t, c in np.ndindex(3, 2):
            document.write(numbers(30, 60) + t + c, plane={"T": t, "C": c})
        document.add_time_stamps([0.0, 2.0, 4.0])
    with CziImage(tmp_path / "source.czi") as image:
        return image.to_xarray()[:, :, 0]


def test_an_array_of_ours_keeps_what_the_file_knew(labelled: Any, path: Path) -> None:
    imwrite(path, labelled)
    with CziImage(path) as image:
        assert image.current_scene == "P3"
        assert image.objective is not None
        assert (image.objective.name, image.objective.magnification) == ("Plan 20x", 20.0)
        assert image.objective.numerical_aperture == 0.8
        assert image.acquisition_date == START
        assert (image.document_info.title, image.document_info.microscope) == ("a title", "Axio")
        assert image.well is not None
        assert image.well.name == "B4"
        assert image.origin == pytest.approx((1000.25, 2000.25))
        dapi, gfp = image.channels
        assert (dapi.excitation_wavelength, dapi.emission_wavelength) == (353.0, 465.0)
        assert (gfp.excitation_wavelength, gfp.emission_wavelength) == (None, 509.0)
        assert (dapi.exposure_time, gfp.exposure_time) == (0.02, None)
        assert (dapi.component_bit_count, gfp.component_bit_count) == (14, 12)
        assert image.contrast_limits[0] == pytest.approx((655.35, 16383.75))
        assert image.time_stamps == [0.0, 2.0, 4.0]


def test_it_keeps_that_after_slicing_and_the_coordinates_tell_the_shift(
    labelled: Any, path: Path
) -> None:
    imwrite(path, labelled.sel(C=["GFP", "DAPI"])[1:, :, 4:20, 10:50:2])
    with CziImage(path) as image:
        assert image.channel_names == ["GFP", "DAPI"]
        assert [one.emission_wavelength for one in image.channels] == [509.0, 465.0]
        assert [one.component_bit_count for one in image.channels] == [12, 14]
        assert image.contrast_limits[1] == pytest.approx((655.35, 16383.75))
        assert image.time_stamps == [2.0, 4.0]
        assert pytest.approx(1.0) == image.physical_pixel_sizes.X
        assert image.origin == pytest.approx((1005.25, 2002.25))


def test_one_channel_by_name_keeps_its_own(labelled: Any, path: Path) -> None:
    imwrite(path, labelled.sel(C="GFP"))
    with CziImage(path) as image:
        assert image.channel_names == ["GFP"]
        assert image.channels[0].emission_wavelength == 509.0
        assert image.channels[0].component_bit_count == 12


def test_a_mirrored_array_covers_the_same_place(labelled: Any, path: Path) -> None:
    imwrite(path, labelled[..., ::-1, :])
    with CziImage(path) as image:
        assert image.origin == pytest.approx((1000.25, 2000.25))


def test_bits_and_limits_go_where_the_type_changes(labelled: Any, path: Path) -> None:
    imwrite(path, labelled.astype(np.float32).assign_attrs(labelled.attrs))
    with CziImage(path) as image:
        assert [one.component_bit_count for one in image.channels] == [32, 32]
        assert [one.emission_wavelength for one in image.channels] == [465.0, 509.0]
        assert image.origin == pytest.approx((1000.25, 2000.25))


def test_arguments_win_over_what_the_array_knows(labelled: Any, path: Path) -> None:
    earlier = START.replace(year=2020)
    content = DocumentContent(objective=Objective(name="mine"), acquisition_date=earlier)
    imwrite(path, labelled, content=content, channel_names=["A", "B"], scene=3)
    with CziImage(path) as image:
        assert image.objective is not None
        assert image.objective.name == "mine"
        assert image.acquisition_date == earlier
        assert image.channel_names == ["A", "B"]
        assert image.current_scene == "P3"


@pytest.mark.parametrize(
    "attributes",
    [
        {"stage_origin_um": "nowhere", "magnification": "much", "objective": 5, "scene": 7},
        {"acquisition_date": "yesterday", "channel_bit_depths": ["a", None]},
        {"channel_white_points": [float("nan"), -1.0], "channel_emission_wavelengths": 5},
        {"stage_origin_um": [1.0, float("inf")], "well": None, "microscope": ["x"]},
    ],
)
def test_attributes_of_others_are_no_trouble(
    xarray: Any, path: Path, attributes: dict[str, Any]
) -> None:
    imwrite(path, xarray.DataArray(numbers(2, 10, 12), dims=("C", "Y", "X"), attrs=attributes))
    with CziImage(path) as image:
        assert image.objective is None
        assert image.origin is None


def test_attributes_may_come_back_as_netcdf_gives_them(labelled: Any, path: Path) -> None:
    one = labelled.sel(C=["GFP"])
    lists = {name: value for name, value in labelled.attrs.items() if isinstance(value, list)}
    one.attrs.update({name: np.array(value) for name, value in lists.items()})
    one.attrs["magnification"] = np.float64(20)
    imwrite(path, one)
    with CziImage(path) as image:
        assert image.channels[0].emission_wavelength == 509.0
        assert image.objective is not None
        assert image.objective.magnification == 20
        assert image.origin == pytest.approx((1000.25, 2000.25))


def test_a_list_of_one_may_come_back_as_a_number(xarray: Any, path: Path) -> None:
    attributes = {"channel_names": "GFP", "channel_emission_wavelengths": np.float64(509)}
    coords = {"C": ["GFP"]}
    array = xarray.DataArray(numbers(1, 5, 6), coords, ("C", "Y", "X"), attrs=attributes)
    imwrite(path, array)
    with CziImage(path) as image:
        assert image.channels[0].emission_wavelength == 509.0
