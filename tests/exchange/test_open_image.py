"""Images of every format have one face: pixels, names and sizes as their best readers tell them."""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from extras import needs
from lif_file import write_lif
from numpy.typing import NDArray
from remote.server import serving

from czictypes import CziImage, Image, convert, imread, open_image, save
from czictypes.model.errors import ClosedError, OutOfBoundsError, UnsupportedDataError

STACK = np.arange(3 * 2 * 4 * 30 * 40, dtype=np.uint16).reshape(3, 2, 4, 30, 40)
COLOURS = np.arange(30 * 40 * 3, dtype=np.uint8).reshape(30, 40, 3)
Make = Callable[[Path], NDArray[Any]]


def ome_tiff(path: Path) -> NDArray[Any]:
    described = {
        "axes": "TCZYX", "Channel": {"Name": ["DAPI", "GFP"]}, "TimeIncrement": 2.0,
        "PhysicalSizeX": 0.25, "PhysicalSizeY": 0.25, "PhysicalSizeZ": 0.5,
    }  # fmt: skip
    needs("tifffile", "ome-tiff").imwrite(path, STACK, metadata=described, tile=(16, 16))
    return STACK


def imagej_tiff(path: Path) -> NDArray[Any]:
    described = {"axes": "TZCYX", "unit": "um", "spacing": 0.5, "finterval": 2.0}
    pixels = STACK.transpose(0, 2, 1, 3, 4)
    tifffile = needs("tifffile", "ome-tiff")
    tifffile.imwrite(path, pixels, imagej=True, metadata=described, resolution=(4, 4))
    return STACK


def plain_tiff(path: Path) -> NDArray[Any]:
    needs("tifffile", "ome-tiff").imwrite(path, COLOURS, photometric="rgb")
    return COLOURS[np.newaxis, np.newaxis, np.newaxis]


def ome_zarr(path: Path) -> NDArray[Any]:
    needs("ngff_zarr", "ome-zarr")
    names = {"channel_names": ["DAPI", "GFP"], "times": 2.0}
    save(STACK, path, pixel_size=(2.5e-7, 2.5e-7, 5e-7), **names)
    return STACK


def png(path: Path) -> NDArray[Any]:
    needs("PIL.Image", "cli").fromarray(COLOURS).save(path)
    return COLOURS[np.newaxis, np.newaxis, np.newaxis]


def gif(path: Path) -> NDArray[Any]:
    pictures = needs("PIL.Image", "cli")
    frames = [pictures.fromarray(COLOURS[..., at]) for at in range(3)]
    frames[0].save(path, save_all=True, append_images=frames[1:])
    return COLOURS.transpose(2, 0, 1)[:, np.newaxis, np.newaxis]


def czi(path: Path) -> NDArray[Any]:
    names = {"channel_names": ["DAPI", "GFP"], "times": 2.0}
    save(STACK, path, pixel_size=(2.5e-7, 2.5e-7, 5e-7), **names)
    return STACK


KINDS = {
    "in.ome.tif": ome_tiff, "in.tif": imagej_tiff, "colours.tif": plain_tiff, "in.png": png,
    "in.ome.zarr": ome_zarr, "in.gif": gif, "in.czi": czi,
}  # fmt: skip


@pytest.fixture(params=KINDS)
def file(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, NDArray[Any]]:
    """A file of each format, and its pixels."""
    path = tmp_path / request.param
    return path, KINDS[request.param](path)


def test_pixels_and_dimensions_are_those_of_the_file(file: tuple[Path, NDArray[Any]]) -> None:
    path, pixels = file
    with open_image(path) as image:
        assert isinstance(image, Image)
        assert image.dims.order == "TCZYX" + "S" * (pixels.ndim - 5)
        assert image.shape == pixels.shape
        assert image.dtype == pixels.dtype
        np.testing.assert_array_equal(image.data, pixels)
        part = image.read_block({"X": slice(3, 30, 4), "Y": [7, 2, 2], "Z": -1})
        np.testing.assert_array_equal(part, pixels[:, :, -1][:, :, [7, 2, 2], 3:30:4])
        out = np.empty_like(pixels)
        assert image.read_block({}, out=out) is out
        np.testing.assert_array_equal(out, pixels)
    np.testing.assert_array_equal(imread(path), pixels)


def test_it_is_closed_once(file: tuple[Path, NDArray[Any]]) -> None:
    image = open_image(file[0])
    image.close()
    image.close()
    assert image.closed
    with pytest.raises(ClosedError, match="closed"):
        image.read_block({})


def test_lazy_arrays_outlive_the_image(file: tuple[Path, NDArray[Any]]) -> None:
    needs("dask.array", "dask")
    path, pixels = file
    with open_image(path) as image:
        lazy = image.dask_data
        np.testing.assert_array_equal(lazy[..., 5:7, :9].compute(), pixels[..., 5:7, :9])
    sent = pickle.loads(pickle.dumps(lazy))
    for array in (lazy, sent, imread(path, dask=True)):
        np.testing.assert_array_equal(array.compute(scheduler="synchronous"), pixels)


def test_it_pickles(file: tuple[Path, NDArray[Any]]) -> None:
    path, pixels = file
    with open_image(path) as image, pickle.loads(pickle.dumps(image)) as sent:
        np.testing.assert_array_equal(sent.data, pixels)


@pytest.mark.parametrize("name", ["in.ome.tif", "in.tif", "in.ome.zarr", "in.czi"])
def test_names_sizes_and_times_are_in_real_units(tmp_path: Path, name: str) -> None:
    KINDS[name](tmp_path / name)
    with open_image(tmp_path / name) as image:
        names = ["Channel:0", "Channel:1"] if name == "in.tif" else ["DAPI", "GFP"]
        assert image.channel_names == names
        assert image.physical_pixel_sizes == pytest.approx((0.5, 0.25, 0.25))
        assert pytest.approx(0.5) == image.physical_pixel_size.Z
        assert image.time_interval is not None
        assert image.time_interval.total_seconds() == pytest.approx(2.0)
        coords = image.coords()
        assert (coords["X"].unit, coords["X"].values[4]) == ("um", pytest.approx(1.0))
        assert (coords["T"].unit, list(coords["T"].values)) == ("s", [0.0, 2.0, 4.0])
        assert image.metadata


@pytest.mark.parametrize("name", ["in.ome.tif", "in.ome.zarr", "in.png"])
def test_labelled_arrays_and_ome_metadata_are_made_of_each(tmp_path: Path, name: str) -> None:
    needs("xarray", "xarray")
    needs("ome_types", "ome-tiff")
    pixels = KINDS[name](tmp_path / name)
    with open_image(tmp_path / name) as image:
        np.testing.assert_array_equal(image.xarray_data, pixels)
        made = image.ome_metadata.images[0].pixels
        assert (made.size_x, made.size_y) == (40, 30)
        assert made.channels[0].name == image.channel_names[0]
        assert image.get_stack().shape == (1, *pixels.shape)


def test_scenes_are_chosen_by_name_and_by_number(tmp_path: Path) -> None:
    needs("tifffile", "ome-tiff")
    save(np.stack([STACK, STACK + 1]), tmp_path / "two.ome.tif", "STCZYX", name="cell")
    with open_image(tmp_path / "two.ome.tif", "cell 1") as image:
        assert image.scenes == ("cell 0", "cell 1")
        np.testing.assert_array_equal(image.data, STACK + 1)
        image.set_scene(0)
        assert image.current_scene == "cell 0"
        np.testing.assert_array_equal(image.get_stack()[1], STACK + 1)
        with pytest.raises(OutOfBoundsError, match="cell 0"):
            image.set_scene("cell 2")
    with pytest.raises(OutOfBoundsError):
        open_image(tmp_path / "two.ome.tif", 2)


def test_levels_are_those_of_the_file(tmp_path: Path) -> None:
    needs("tifffile", "ome-tiff")
    large = np.arange(2100 * 1500, dtype=np.uint16).reshape(2100, 1500)
    save(large, tmp_path / "large.ome.tif", compression="none", pixel_size=1e-6)
    with open_image(tmp_path / "large.ome.tif") as image:
        assert [level.factor for level in image.levels] == [1, 2, 4]
        np.testing.assert_array_equal(image.read_block({}, level=0)[0, 0, 0], large)
        image.set_resolution_level(1)
        assert image.shape == (1, 1, 1, 1050, 750)
        assert pytest.approx(2.0) == image.physical_pixel_sizes.X
        assert image.coords()["X"].values[0] == pytest.approx(0.5)


def test_a_lif_has_the_same_face(tmp_path: Path) -> None:
    needs("liffile", "convert")
    write_lif(tmp_path / "in.lif", {"one": STACK, "two": STACK + 1}, ["Red", "Green"], 0.25)
    with open_image(tmp_path / "in.lif", 1) as image:
        assert image.scenes == ("one", "two")
        np.testing.assert_array_equal(image.data, STACK + 1)
        np.testing.assert_array_equal(
            image.get_image_data("YX", T=2, Z=1, C=1), image.data[2, 1, 1]
        )
        assert image.channel_names == ["Red", "Green"]
        assert image.physical_pixel_sizes == pytest.approx((0.25, 0.25, 0.25))
        assert image.time_stamps == [0.0, 1.0, 2.0]
        assert "LMSDataContainerHeader" in str(image.metadata)


SETTINGS = (
    '<Attachment Name="HardwareSetting"><ATLConfocalSettingDefinition '
    'ObjectiveName="HC PL APO CS2 40x/1.30 OIL" Magnification="40" NumericalAperture="1.3" '
    'Immersion="OIL" RefractionIndex="1.51" StagePosX="0.05" StagePosY="0.03"/></Attachment>'
)
FIELD = (
    '<Attachment Name="TileScanInfo" FlipX="0" FlipY="0" SwapXY="0">'
    '<Tile FieldX="3" FieldY="1" PosX="0.06" PosY="0.04" PosZ="0"/></Attachment>'
)
STAMPS = "<TimeStampList>{}</TimeStampList>".format(
    " ".join(f"{0x1D8A1B2C3D4E500 + at // 8 * 15_000_000 + at:x}" for at in range(24))
)


def test_a_lif_tells_of_stage_wells_times_and_objective(tmp_path: Path) -> None:
    liffile = needs("liffile", "convert")
    names = ["plate/A/1/R1", "plate/D/12/R1"]
    more = STAMPS + SETTINGS + FIELD
    write_lif(tmp_path / "in.lif", dict.fromkeys(names, STACK), ["Red", "Green"], 0.5, more=more)
    with liffile.LifFile(tmp_path / "in.lif") as file:
        told = file.images[1]
        tile, stamps = told.tilescan[0], told.timestamps
    convert(tmp_path / "in.lif", tmp_path / "out.czi")
    for name in ("in.lif", "out.czi"):
        with open_image(tmp_path / name, 1) as image:
            assert image.scenes == tuple(names)
            corner = image.origin
            assert corner is not None
            middle = corner[0] + 39 / 2 * 0.5, corner[1] + 29 / 2 * 0.5  # of the first pixel to all
            assert middle == pytest.approx((tile["pos_x"] * 1e6, tile["pos_y"] * 1e6))
            well, lens = image.scene_info.well, image.document_info.objective
            assert well is not None
            assert (well.name, well.row, well.column, image.field) == ("D12", 4, 12, 0)
            times = (stamps[::8] - stamps[0]) / np.timedelta64(1, "s")
            assert image.time_stamps == pytest.approx(times.tolist())
            taken = image.document_info.acquisition_date
            assert taken is not None
            assert taken.timestamp() == pytest.approx(stamps[0].astype("i8") / 1000)
            assert lens is not None
            assert (lens.magnification, lens.numerical_aperture) == (40.0, 1.3)
            assert (lens.immersion, lens.refractive_index) == ("Oil", 1.51)


def test_the_place_of_a_lif_is_that_of_its_only_field_or_of_the_stage(tmp_path: Path) -> None:
    needs("liffile", "convert")
    tiles = FIELD.replace("<Tile ", '<Tile FieldX="0" PosX="0" PosY="0"/><Tile ')
    for more, found in ((SETTINGS, 0.05), (FIELD, 0.06), (tiles, None), ("", None)):
        write_lif(tmp_path / "in.lif", {"one": STACK}, ["Red", "Green"], 0.5, more=more)
        with open_image(tmp_path / "in.lif") as image:
            at = image.origin
            assert (at is None) == (found is None)
            if at is not None and found is not None:
                assert at[0] + 39 / 2 * 0.5 == pytest.approx(found * 1e6)


@pytest.mark.parametrize(
    ("axes", "found"),
    [
        ("LYX", "CYX"), ("TLYX", "TCYX"), ("CLYX", "CHYX"), ("ZX", "ZX"), ("TX", "TX"),
        ("MYX", "HYX"), ("TMZYX", "THZYX"), ("LMYX", "CHYX"),
        ("TZX", "TZX"), ("CZX", "CZX"), ("ZYX", "ZYX"),
    ],
)  # fmt: skip
def test_scans_of_a_lif_along_wavelengths_and_without_y_are_read(
    tmp_path: Path, axes: str, found: str
) -> None:
    needs("liffile", "convert")
    sizes = {"T": 2, "C": 2, "L": 5, "M": 4, "Z": 3, "Y": 6, "X": 30}
    pixels = np.arange(np.prod([sizes[axis] for axis in axes]), dtype=np.uint16)
    pixels = pixels.reshape([sizes[axis] for axis in axes])
    names = ["Gray", "Red"][: 2 if "C" in axes else 1]
    write_lif(tmp_path / "in.lif", {"scan": pixels}, names, 0.5, axes)
    with open_image(tmp_path / "in.lif") as image:
        np.testing.assert_array_equal(image.get_image_data(found), pixels)
        part = image.get_image_data(found, X=slice(4, 9, 2))
        np.testing.assert_array_equal(part, pixels[..., 4:9:2])
        if "L" in axes and "C" not in axes:
            assert image.channel_names[1] == "500 nm"
    convert(tmp_path / "in.lif", tmp_path / "out.czi")
    with CziImage(tmp_path / "out.czi") as image:
        np.testing.assert_array_equal(image.get_image_data(found), pixels)


def test_what_is_no_lif_is_refused(tmp_path: Path) -> None:
    needs("liffile", "convert")
    (tmp_path / "in.lif").write_bytes(b"this is no LIF")
    with pytest.raises(UnsupportedDataError, match=r"in\.lif is no LIF that can be read"):
        open_image(tmp_path / "in.lif")


def test_a_file_object_is_known_by_its_name(tmp_path: Path) -> None:
    needs("tifffile", "ome-tiff")
    ome_tiff(tmp_path / "in.ome.tif")
    with (tmp_path / "in.ome.tif").open("rb") as stream, open_image(stream) as image:
        np.testing.assert_array_equal(image.data, STACK)
        with pytest.raises(TypeError, match="file object"):
            pickle.dumps(image)


@pytest.mark.parametrize("name", ["in.ome.tif", "in.png", "in.gif", "in.czi"])
def test_a_file_object_without_a_name_is_known_by_its_first_bytes(
    tmp_path: Path, name: str
) -> None:
    pixels = KINDS[name](tmp_path / name)
    stream = io.BytesIO((tmp_path / name).read_bytes())
    with open_image(stream) as image:
        np.testing.assert_array_equal(image.data, pixels)
    assert not stream.closed


def test_a_lazy_array_of_a_file_object_ends_with_its_image(tmp_path: Path) -> None:
    needs("dask.array", "dask")
    needs("tifffile", "ome-tiff")
    ome_tiff(tmp_path / "in.ome.tif")
    with open_image(io.BytesIO((tmp_path / "in.ome.tif").read_bytes())) as image:
        lazy = image.dask_data
        np.testing.assert_array_equal(lazy[0, 0, 0].compute(), STACK[0, 0, 0])
    with pytest.raises(ClosedError, match="closed"):
        lazy[0, 0, 0].compute(scheduler="synchronous")


def test_options_of_a_czi_are_for_a_czi_alone(tmp_path: Path) -> None:
    needs("PIL.Image", "cli")
    png(tmp_path / "in.png")
    with pytest.raises(TypeError, match=r"threads= is for CZI alone, but .*in\.png is picture"):
        open_image(tmp_path / "in.png", threads=2)


def test_what_is_not_there_is_not_found(tmp_path: Path) -> None:
    needs("tifffile", "ome-tiff")
    for name in ("no.tif", "no.png", "no.czi"):
        with pytest.raises((FileNotFoundError, UnsupportedDataError), match="no"):
            open_image(tmp_path / name)


TARGETS = ["out.ome.tif", "out.tif", "out.ome.zarr", "out.ozx", "out.czi"]


@pytest.mark.parametrize("target", TARGETS)
def test_every_image_is_saved_in_every_format(
    file: tuple[Path, NDArray[Any]], tmp_path: Path, target: str
) -> None:
    needs("tifffile", "ome-tiff")
    needs("ngff_zarr", "ome-zarr")
    path, pixels = file
    with open_image(path) as image:
        image.save(tmp_path / target)
        names, sizes = image.channel_names, image.physical_pixel_sizes
    with open_image(tmp_path / target) as found:
        np.testing.assert_array_equal(found.data, pixels)
        if target != "out.tif":
            assert found.channel_names == names
            for axis in "XYZ":
                ours, theirs = getattr(found.physical_pixel_sizes, axis), getattr(sizes, axis)
                assert ours == (None if theirs is None else pytest.approx(theirs))


def test_one_format_becomes_another_without_a_czi(tmp_path: Path) -> None:
    needs("tifffile", "ome-tiff")
    needs("ngff_zarr", "ome-zarr")
    ome_tiff(tmp_path / "in.ome.tif")
    done = convert(tmp_path / "in.ome.tif", tmp_path / "out.ome.zarr", levels=1)
    assert [image.shape for image in done.images] == [STACK.shape]
    convert(tmp_path / "out.ome.zarr", tmp_path / "back.ome.tif")
    np.testing.assert_array_equal(imread(tmp_path / "back.ome.tif"), STACK)


def test_several_channels_become_a_picture(tmp_path: Path) -> None:
    needs("PIL.Image", "cli")
    red = np.zeros((2, 8, 9), np.uint16)
    red[0, 2], red[1, 5] = 1000, 500
    save(red, tmp_path / "out.png", "CYX", channel_colors=["#FF0000", "#00FF00"])
    found = imread(tmp_path / "out.png")[0, 0, 0]
    assert found[2, 0].tolist() == [255, 0, 0]
    assert found[5, 0].tolist() == [0, 255, 0]


def test_arrays_of_every_kind_are_saved(tmp_path: Path) -> None:
    needs("tifffile", "ome-tiff")
    dask, xarray = needs("dask.array", "dask"), needs("xarray", "xarray")
    coords = {"C": ["a", "b"], "X": ("X", np.arange(40) * 0.5, {"units": "um"})}
    labelled = xarray.DataArray(STACK, dims=tuple("TCZYX"), coords=coords, name="cells")
    for number, array in enumerate((STACK, dask.from_array(STACK, (1, 1, 1, 30, 20)), labelled)):
        save(array, tmp_path / f"{number}.ome.tif")
        np.testing.assert_array_equal(imread(tmp_path / f"{number}.ome.tif"), STACK)
    with open_image(tmp_path / "2.ome.tif") as image:
        assert (image.scenes, image.channel_names) == (("cells",), ["a", "b"])
        assert pytest.approx(0.5) == image.physical_pixel_sizes.X


def test_an_image_describes_itself(tmp_path: Path) -> None:
    czi(tmp_path / "in.czi")
    with CziImage(tmp_path / "in.czi") as image:
        with pytest.raises(ValueError, match="an image describes itself"):
            save(image, tmp_path / "out.czi", "TCZYX")


@pytest.mark.parametrize("name", ["in.ome.tif", "in.png", "in.czi"])
def test_it_is_read_from_a_server(tmp_path: Path, name: str) -> None:
    needs("fsspec.implementations.http", "remote")
    pixels = KINDS[name](tmp_path / name)
    with serving() as server:
        url = server.put(f"/{name}", (tmp_path / name).read_bytes())
        with open_image(url) as image:
            np.testing.assert_array_equal(image.read_block({"Z": -1}), pixels[:, :, -1])
