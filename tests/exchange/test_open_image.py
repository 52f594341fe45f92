"""Images of every format have one face: pixels, names and sizes as their best readers tell them."""

from __future__ import annotations

import io
import pickle
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from every_format import FORMATS, STACK, Scene
from extras import needs
from lif_file import write_lif
from remote.server import serving

from czictypes import CziImage, Image, convert, czi, imread, open_image, save
from czictypes.exchange.pixel_view import PixelView
from czictypes.model.errors import ClosedError, OutOfBoundsError, UnsupportedDataError

#: How a file is named to `open_image`. There is no file object of a folder.
WAYS = [
    (name, way)
    for name in FORMATS
    for way in ("text", "path", "http", "memory", "object")
    if way != "object" or not name.endswith(".zarr")
]


@pytest.fixture(scope="session")
def told(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, list[Scene]]:
    """A file of each format, and what its best reader tells."""
    write, tell = FORMATS[request.param]
    path = tmp_path_factory.mktemp("formats") / request.param
    write(path)
    return path, tell(path)


def named(path: Path, way: str, stack: ExitStack) -> Any:
    """Return what stands for a file, or a folder with all that is in it."""
    if way in ("text", "path"):
        return str(path) if way == "text" else path
    if way == "object":
        return stack.enter_context(path.open("rb"))
    files = [path] if path.is_file() else [one for one in path.rglob("*") if one.is_file()]
    content = {one.relative_to(path.parent).as_posix(): one.read_bytes() for one in files}
    if way == "http":
        needs("fsspec.implementations.http", "remote")
        server = stack.enter_context(serving())
        for name, data in content.items():
            server.put(f"/{name}", data)
        return f"{server.url}/{path.name}"
    system, folder = needs("fsspec", "remote").filesystem("memory"), path.parent.name
    stack.callback(system.rm, f"/{folder}", recursive=True)
    for name, data in content.items():
        system.pipe_file(f"/{folder}/{name}", data)
    return f"memory://{folder}/{path.name}"


@pytest.mark.parametrize(("told", "way"), WAYS, indirect=["told"])
def test_an_image_is_what_the_best_reader_of_its_format_tells(
    told: tuple[Path, list[Scene]], way: str
) -> None:
    path, scenes = told
    with ExitStack() as stack:
        image = stack.enter_context(open_image(named(path, way, stack)))
        assert len(image.scenes) == len(scenes)
        for number, scene in enumerate(scenes):
            image.set_scene(number)
            check_scene(image, scene)


def check_scene(image: Image, scene: Scene) -> None:
    pixels = scene.pixels
    assert (image.dims.order, image.shape) == ("TCZYXS"[: pixels.ndim], pixels.shape)
    assert image.dtype == pixels.dtype
    np.testing.assert_array_equal(image.data, pixels)
    np.testing.assert_array_equal(
        image.get_image_data("XCY", T=-1, Z=-1, **({"S": 0} if pixels.ndim == 6 else {})),
        (pixels[..., 0] if pixels.ndim == 6 else pixels)[-1, :, -1].transpose(2, 0, 1),
    )
    assert scene.name is None or image.current_scene == scene.name
    assert scene.channels is None or image.channel_names == list(scene.channels)
    for found, size in zip(image.physical_pixel_sizes, scene.sizes):
        assert found == (None if size is None else pytest.approx(size))
    interval = image.time_interval
    assert (interval is None) == (scene.interval is None)
    if interval is not None:
        assert interval.total_seconds() == pytest.approx(scene.interval)
    levels = [(level.height, level.width) for level in image.levels]
    assert scene.levels is None or levels == list(scene.levels)
    check_coordinates(image, scene)


def check_coordinates(image: Image, scene: Scene) -> None:
    coords = image.coords()
    for axis, size in zip("ZYX", scene.sizes):
        if size is not None:
            values = np.arange(image.sizes[axis]) * size
            np.testing.assert_allclose(coords[axis].values - coords[axis].values[0], values)
            assert coords[axis].unit == "um"
    if scene.interval is not None:
        times = np.arange(image.sizes["T"]) * scene.interval
        np.testing.assert_allclose(coords["T"].values, times)
        assert coords["T"].unit == "s"


@pytest.mark.parametrize("told", FORMATS, indirect=True)
def test_lazy_and_labelled_arrays_are_that_too(told: tuple[Path, list[Scene]]) -> None:
    needs("dask.array", "dask")
    needs("xarray", "xarray")
    path, scenes = told
    for number, scene in enumerate(scenes):
        with open_image(path, number) as image:
            lazy, labelled = image.dask_data, image.xarray_dask_data
            window = lazy[-1:, ..., 5:7, :2]
            np.testing.assert_array_equal(window.compute(), scene.pixels[-1:, ..., 5:7, :2])
            part = image.get_image_dask_data("YX", T=0, C=-1, Z=0, **(
                {"S": 0} if scene.pixels.ndim == 6 else {}
            ))  # fmt: skip
            plane = scene.pixels[0, -1, 0]
            np.testing.assert_array_equal(part, plane[..., 0] if plane.ndim == 3 else plane)
        sent = pickle.loads(pickle.dumps(lazy))
        for array in (lazy, labelled.data, sent):
            found = array.compute(scheduler="synchronous")
            np.testing.assert_array_equal(found, scene.pixels)
        for name, values in labelled.coords.items():
            assert len(values) == labelled.sizes[name]
        np.testing.assert_array_equal(imread(path, scene=number), scene.pixels)


@pytest.mark.parametrize("told", FORMATS, indirect=True)
def test_it_is_closed_once(told: tuple[Path, list[Scene]]) -> None:
    image = open_image(told[0])
    image.close()
    image.close()
    assert image.closed
    with pytest.raises(ClosedError, match="closed"):
        image.read_block({})


@pytest.mark.parametrize("told", FORMATS, indirect=True)
def test_it_pickles(told: tuple[Path, list[Scene]]) -> None:
    path, scenes = told
    with open_image(path) as image, pickle.loads(pickle.dumps(image)) as sent:
        np.testing.assert_array_equal(sent.data, scenes[0].pixels)


@pytest.mark.parametrize("told", FORMATS, indirect=True)
def test_ome_metadata_are_made_of_each(told: tuple[Path, list[Scene]]) -> None:
    needs("ome_types", "ome-tiff")
    path, scenes = told
    with open_image(path) as image:
        for number, (made, scene) in enumerate(zip(image.ome_metadata.images, scenes)):
            image.set_scene(number)
            height, width = scene.pixels.shape[3:5]
            assert (made.pixels.size_x, made.pixels.size_y) == (width, height)
            assert made.pixels.size_t == len(scene.pixels)
            assert made.pixels.channels[0].name == image.channel_names[0]
        assert image.metadata is not None


@pytest.mark.parametrize("dtype", ["u1", "u2", "f4"])
@pytest.mark.parametrize(
    "shape",
    [
        (9, 11),
        (5, 9, 11),
        (3, 5, 9, 11),
        (2, 3, 5, 9, 11),
        (9, 11, 3),
        (4, 9, 11, 3),
        (2, 4, 9, 11, 3),
    ],
)
def test_all_functions_agree_on_the_axes_of_a_plain_stack(
    tmp_path: Path, shape: tuple[int, ...], dtype: str
) -> None:
    tifffile = needs("tifffile", "ome-tiff")
    pixels = np.arange(np.prod(shape)).astype(dtype).reshape(shape)
    is_colour = shape[-1] == 3
    kind = {"photometric": "rgb" if is_colour else "minisblack"}
    tifffile.imwrite(tmp_path / "in.tif", pixels, **kind)
    fits = needs("astropy.io.fits") if not is_colour else None
    if fits is not None:
        fits.PrimaryHDU(pixels).writeto(tmp_path / "in.fits")
    czi.imwrite(tmp_path / "1.czi", pixels)
    convert(tmp_path / "in.tif", tmp_path / "2.czi")
    save(pixels, tmp_path / "3.czi")
    save(pixels, tmp_path / "4.ome.tif")
    names = ["in.tif", "2.czi", "3.czi", "4.ome.tif", *(["in.fits"] if fits is not None else [])]
    with CziImage(tmp_path / "1.czi") as image:
        order, expected = image.dims.order, image.data
    assert expected.squeeze().shape == shape
    for name in names:
        with open_image(tmp_path / name) as image:
            assert image.dims.order == order, name
            np.testing.assert_array_equal(image.data, expected)


@pytest.mark.parametrize("far", [[0, -1], [59, 0, 59, 1], range(0, 60, 20)])
def test_planes_far_apart_are_read_without_those_between(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, far: Sequence[int]
) -> None:
    needs("tifffile", "ome-tiff")
    pixels = np.arange(60 * 2 * 5 * 7, dtype=np.uint16).reshape(60, 2, 5, 7)
    save(pixels, tmp_path / "in.tif", "TZYX")
    asked: list[int] = []
    read = PixelView.__getitem__

    def counted(view: PixelView, key: Any) -> Any:
        found = read(view, key)
        asked.append(found.size)
        return found

    monkeypatch.setattr(PixelView, "__getitem__", counted)
    with open_image(tmp_path / "in.tif") as image:
        found = image.read_block({"T": far, "Z": [1, 0], "X": slice(1, 6, 2)})
        expected = pixels[list(far)][:, [1, 0], :, 1:6:2]
        np.testing.assert_array_equal(found[:, 0], expected)
    assert sum(asked) <= 4 * pixels[0].size


@pytest.mark.parametrize("nothing", [{"X": slice(100, 200)}, {"T": slice(0, 0)}, {"C": []}])
def test_an_empty_part_is_an_empty_array(tmp_path: Path, nothing: dict[str, Any]) -> None:
    for name in ("one.czi", "in.ome.tif"):
        with open_image(written(tmp_path, name)) as image:
            assert image.get_image_data("TCYX", **nothing).size == 0
            assert image.get_image_data("TCYX", **nothing).ndim == 4


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


def written(folder: Path, name: str) -> Path:
    """Write the file of a format, and return where it is."""
    FORMATS[name][0](folder / name)
    return folder / name


class Pipe(io.RawIOBase):
    """A stream that can only be read on."""

    def readable(self) -> bool:
        """It can."""
        return True


def test_a_file_object_does_not_pickle(tmp_path: Path) -> None:
    with written(tmp_path, "in.ome.tif").open("rb") as stream, open_image(stream) as image:
        np.testing.assert_array_equal(image.data, STACK)
        with pytest.raises(TypeError, match="file object"):
            pickle.dumps(image)


@pytest.mark.parametrize(
    "told", [name for name in FORMATS if not name.endswith((".zarr", ".spe"))], indirect=True
)
def test_a_file_object_without_a_name_is_known_by_its_first_bytes(
    told: tuple[Path, list[Scene]],
) -> None:
    path, scenes = told
    stream = io.BytesIO(path.read_bytes())
    with open_image(stream) as image:
        np.testing.assert_array_equal(image.data, scenes[0].pixels)
    assert not stream.closed


@pytest.mark.parametrize("name", ["one.czi", "in.ome.tif", "gray.png"])
def test_a_file_without_an_ending_is_known_by_its_first_bytes(tmp_path: Path, name: str) -> None:
    path = written(tmp_path, name)
    expected = imread(path)
    np.testing.assert_array_equal(imread(path.rename(tmp_path / "image")), expected)


def test_a_file_object_is_read_from_its_beginning(tmp_path: Path) -> None:
    stream = io.BytesIO(written(tmp_path, "in.ome.tif").read_bytes())
    stream.seek(0, io.SEEK_END)  # as after it was written
    np.testing.assert_array_equal(imread(stream), STACK)


@pytest.mark.parametrize(
    ("source", "error", "message"),
    [
        (5, TypeError, "type int cannot be opened: give a path"),
        (np.zeros((3, 4)), TypeError, "type ndarray .* czictypes.save writes arrays"),
        (io.StringIO("text"), TypeError, "gives text; open it in mode 'rb'"),
        (Pipe(), ValueError, "is not seekable"),
    ],
)
def test_what_names_no_file_is_told(source: Any, error: type[Exception], message: str) -> None:
    for function in (open_image, imread, lambda one: convert(one, "never.czi")):
        with pytest.raises(error, match=message):
            function(source)


def test_a_lazy_array_of_a_file_object_ends_with_its_image(tmp_path: Path) -> None:
    needs("dask.array", "dask")
    content = written(tmp_path, "in.ome.tif").read_bytes()
    with open_image(io.BytesIO(content)) as image:
        lazy = image.dask_data
        np.testing.assert_array_equal(lazy[0, 0, 0].compute(), STACK[0, 0, 0])
    with pytest.raises(ClosedError, match="closed"):
        lazy[0, 0, 0].compute(scheduler="synchronous")


def test_options_of_a_czi_are_for_a_czi_alone(tmp_path: Path) -> None:
    path = written(tmp_path, "gray.png")
    with pytest.raises(TypeError, match=r"parts= is for CZI files alone, not for .*gray\.png"):
        open_image(path, parts=[])


@pytest.mark.parametrize("name", ["no.tif", "no.png", "no.czi", "no.lif", "no.mp4", "no.nd2"])
def test_what_is_not_there_is_not_found(tmp_path: Path, name: str) -> None:
    for module, extra in (("tifffile", "ome-tiff"), ("PIL", "cli"), ("liffile", "convert")):
        needs(module, extra)
    with pytest.raises(FileNotFoundError, match=rf"no\.{name[3:]}"):
        open_image(tmp_path / name)


TARGETS = ["out.ome.tif", "out.tif", "out.ome.zarr", "out.ozx", "out.czi"]


SOURCES = [
    "one.czi", "scenes.czi", "v05.ome.zarr", "in.ome.tif", "imagej.tif", "plain.tif", "colours.tif",
    "in.lif", "gray.png", "in.gif", "in.mp4",
]  # fmt: skip


@pytest.mark.parametrize("told", SOURCES, indirect=True)
@pytest.mark.parametrize("target", TARGETS)
def test_every_image_is_saved_in_every_format(
    told: tuple[Path, list[Scene]], tmp_path: Path, target: str
) -> None:
    needs("tifffile", "ome-tiff")
    needs("ngff_zarr", "ome-zarr")
    path, scenes = told
    pixels = scenes[0].pixels
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
    done = convert(written(tmp_path, "in.ome.tif"), tmp_path / "out.ome.zarr", levels=1)
    assert [image.shape for image in done.images] == [STACK.shape, (1, *STACK.shape[1:])]
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
    with CziImage(written(tmp_path, "one.czi")) as image:
        with pytest.raises(ValueError, match="an image describes itself"):
            save(image, tmp_path / "out.czi", "TCZYX")
