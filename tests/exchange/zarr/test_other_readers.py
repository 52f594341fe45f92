"""What is written is read by others with the same numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from extras import needs, needs_napari
from numpy.typing import NDArray
from ome_zarrs import five_axes

from czictypes import czi, save, to_multiscales, to_ngff_image, write_ome_zarr
from czictypes.arrays.image import CziImage
from czictypes.metadata.document_content import DocumentContent
from czictypes.metadata.scenes import Acquisition, Plate, SceneInfo, Well
from czictypes.writing.writer import create_czi

needs("zarr.abc.store", "ome-zarr")  # zarr 3

pytestmark = [
    # Of these packages' own making.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
]


# Every kind of OME-Zarr that is written


@dataclass(frozen=True)
class Image:
    """An image of a store: its group, its pixels along t, c, z, y, x, and what is told of it.

    Parameters
    ----------
    scale, start
        Of y and x, in micrometres.
    colors
        Of the channels, as hexadecimal numbers.
    """

    path: str
    pixels: NDArray[Any]
    names: list[str]
    colors: list[str]
    scale: tuple[float, float] = (0.3, 0.2)
    start: tuple[float, float] = (0.0, 0.0)


def noise(shape: Sequence[int], dtype: str = "uint16") -> NDArray[Any]:
    return np.random.default_rng(sum(shape)).integers(0, 255, shape).astype(dtype)


def one_image(folder: Path, dest: Path, **options: Any) -> list[Image]:
    """Write an image of several times, channels and planes."""
    pixels = noise((2, 3, 2, 60, 70))
    czi.imwrite(
        folder / "one.czi", pixels, "TCZYX", pixel_size=(2e-7, 3e-7, 1e-6), times=1.5,
        channel_names=["DAPI", "a b", "GFP"], channel_colors=["#0000FF", "#FFFFFF", "#00FF00"],
    )  # fmt: skip
    write_ome_zarr(folder / "one.czi", dest, levels=2, **options)
    return [Image("", pixels, ["DAPI", "a b", "GFP"], ["0000FF", "FFFFFF", "00FF00"])]


def one_plane(folder: Path, dest: Path, **options: Any) -> list[Image]:
    """Write an image of one plane, of numbers with fractions, in shards where there are such."""
    pixels = (noise((60, 70)) / 8).astype(np.float32)
    czi.imwrite(folder / "one.czi", pixels, pixel_size=(2e-7, 3e-7))
    more = {} if options["version"] == "0.4" else {"shards": 64}
    write_ome_zarr(folder / "one.czi", dest, chunks=32, levels=2, **more, **options)
    return [Image("", pixels[None, None, None], ["Channel:0"], ["FFFFFF"])]


def a_colour_image(folder: Path, dest: Path, **options: Any) -> list[Image]:
    pixels = noise((60, 70, 3), "uint8")
    czi.imwrite(folder / "rgb.czi", pixels, "YXS", pixel_size=(2e-7, 3e-7), channel_names=["H&E"])
    write_ome_zarr(folder / "rgb.czi", dest, levels=2, **options)
    names = [f"H&E {color}" for color in ("red", "green", "blue")]
    planes = np.moveaxis(pixels, -1, 0)[None, :, None]
    return [Image("", planes, names, ["FF0000", "00FF00", "0000FF"])]


def an_array(folder: Path, dest: Path, **options: Any) -> list[Image]:
    pixels = noise((2, 60, 70))
    save(
        pixels, dest, "CYX", levels=2, pixel_size=(2e-7, 3e-7),
        channel_names=["A", "B"], channel_colors=["#FF8000", "#123456"], **options,
    )  # fmt: skip
    return [Image("", pixels[None, :, None], ["A", "B"], ["FF8000", "123456"])]


def scenes_of_an_array(folder: Path, dest: Path, **options: Any) -> list[Image]:
    pixels = noise((12, 60, 70), "uint8")
    save(pixels, dest, "SYX", levels=2, pixel_size=(2e-7, 3e-7), **options)
    return [
        Image(str(at), one[None, None, None], ["Channel:0"], ["FFFFFF"])
        for at, one in enumerate(pixels)
    ]


def some_of_the_scenes(folder: Path, dest: Path, **options: Any) -> list[Image]:
    """Write some scenes, of different sizes, in another order."""
    parts = [noise((60, 70 + scene)) for scene in range(4)]
    with create_czi(folder / "scenes.czi") as document:
        for scene, pixels in enumerate(parts):
            document.write(pixels, (100 * scene, 0), scene=scene)
        document.write_metadata("scenes", {0: "EGFP"}, 2e-7, 3e-7)
    write_ome_zarr(folder / "scenes.czi", dest, scenes=[3, 1], levels=2, **options)
    return [
        Image(str(at), parts[scene][None, None, None], ["EGFP"], ["FFFFFF"])
        for at, scene in enumerate((3, 1))
    ]


def places_in_other_dimensions(folder: Path, dest: Path, **options: Any) -> list[Image]:
    pixels = noise((2, 60, 70))
    czi.imwrite(folder / "views.czi", pixels, "VYX", pixel_size=(2e-7, 3e-7))
    write_ome_zarr(folder / "views.czi", dest, levels=2, **options)
    return [
        Image(str(at), one[None, None, None], ["Channel:0"], ["FFFFFF"])
        for at, one in enumerate(pixels)
    ]


def a_plate(folder: Path, dest: Path, **options: Any) -> list[Image]:
    """Write three fields in two wells, taken in two rounds, with their places on the stage."""
    wells = [Well("B2", 2, 2), Well("A1", 1, 1), Well("B2", 2, 2)]
    scenes = [
        SceneInfo(at, f"P{at}", center=(1000.0 * at, 50.0), well=well, acquisition=at % 2)
        for at, well in enumerate(wells)
    ]
    fields = noise((3, 60, 70))
    with create_czi(folder / "plate.czi") as document:
        for at, pixels in enumerate(fields):
            document.write(pixels, (100 * at, 0), scene=at)
        rounds = (Acquisition(0, "first"), Acquisition(1, "second", start=10, end=20))
        content = DocumentContent(scenes=scenes, plate=Plate("of 6", 2, 3, acquisitions=rounds))
        document.write_metadata("plate", {0: "EGFP"}, 2e-7, 3e-7, content=content)
    write_ome_zarr(folder / "plate.czi", dest, levels=2, **options)
    corners = [(50 - 29.5 * 0.3, 1000 * at - 34.5 * 0.2) for at in range(3)]
    return [
        Image(path, fields[at][None, None, None], ["EGFP"], ["FFFFFF"], start=corners[at])
        for at, path in enumerate(("B/2/0", "A/1/0", "B/2/1"))
    ]


IMAGES = [one_image, one_plane, a_colour_image, an_array]
SERIES = [scenes_of_an_array, some_of_the_scenes, places_in_other_dimensions]
VERSIONS = ["0.4", "0.5", "0.6", "0.9.dev1"]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., tuple[Path, list[Image]]]:
    """Give a store of a kind and version, and the images in it."""
    made: dict[Any, tuple[Path, list[Image]]] = {}

    def get(kind: Any, version: str) -> tuple[Path, list[Image]]:
        if (kind, version) not in made:
            folder = tmp_path_factory.mktemp("readers")
            dest = folder / "new.ome.zarr"
            made[kind, version] = dest, kind(folder, dest, version=version)
        return made[kind, version]

    return get


# The readers


class Reader:
    """Another reader: `image` opens one by its path, `series` and `plate` the store of several.

    Where a reader knows no series or plates, it opens each of their images by its path.
    """

    def __init__(self, version: str) -> None:
        self.version = version

    def image(self, path: Path, expected: Image) -> None:
        raise NotImplementedError

    def series(self, path: Path, images: list[Image]) -> None:
        pass

    def plate(self, path: Path, images: list[Image]) -> None:
        pass


class Zarr(Reader):
    def image(self, path: Path, expected: Image) -> None:
        arrays = needs("zarr").open_group(path, mode="r")
        self.same(arrays["0"][:], arrays["1"].shape, expected)

    def same(self, pixels: Any, smaller: tuple[int, ...], expected: Image) -> None:
        assert pixels.dtype == expected.pixels.dtype
        np.testing.assert_array_equal(pixels, expected.pixels)
        assert tuple(smaller) == (*expected.pixels.shape[:3], 30, expected.pixels.shape[4] // 2)


class Tensorstore(Zarr):
    def image(self, path: Path, expected: Image) -> None:
        tensorstore = needs("tensorstore", "tensorstore")
        driver = "zarr" if (path / ".zgroup").exists() else "zarr3"
        found = [
            tensorstore.open(
                {"driver": driver, "kvstore": {"driver": "file", "path": str(path / level)}}
            ).result()
            for level in "01"
        ]
        self.same(found[0].read().result(), found[1].shape, expected)


class Napari(Zarr):
    """What napari opens a folder with where there is no plug-in for it."""

    def layers(self, path: Path) -> Any:
        needs_napari("napari.layers")
        return needs("napari_builtins.io").napari_get_reader(str(path))(str(path))

    def image(self, path: Path, expected: Image) -> None:
        ((levels,),) = self.layers(path)
        self.same(np.asarray(levels[0]), levels[1].shape, expected)

    def series(self, path: Path, images: list[Image]) -> None:
        self.image(path, images[0])  # it says that there are others, and opens the first

    def plate(self, path: Path, images: list[Image]) -> None:
        with pytest.raises(ValueError, match="No arrays found"):
            self.layers(path)  # it looks for arrays in the first group alone, which is a row


class NapariOmeZarr(Zarr):
    def layers(self, path: Path) -> Any:
        needs_napari("napari.layers")
        return needs("napari_ome_zarr._reader").napari_get_reader(str(path))(str(path))

    def image(self, path: Path, expected: Image) -> None:
        (layer,) = self.layers(path)
        self.check(layer, expected)

    def check(self, layer: Any, expected: Image) -> None:
        levels, told, kind = layer
        assert kind == "image"
        assert told["channel_axis"] == 1
        self.same(np.asarray(levels[0]), levels[1].shape, expected)
        self.tells(told, expected)

    def tells(self, told: dict[str, Any], expected: Image) -> None:
        assert told["scale"][-2:] == pytest.approx(expected.scale)
        # before 0.6, it takes the first transformation alone, which is the scale
        known = (0, 0) if self.version in ("0.4", "0.5") else expected.start
        assert told["affine"].translate[-2:] == pytest.approx(known)
        assert [name.partition(": ")[2] for name in told["name"]] == expected.names
        shown = [np.rint(one.colors[-1][:3] * 255).astype(np.uint8) for one in told["colormap"]]
        assert [bytes(one).hex().upper() for one in shown] == expected.colors

    def series(self, path: Path, images: list[Image]) -> None:
        layers = self.layers(path)
        assert len(layers) == len(images)
        for layer, image in zip(layers, images):
            self.check(layer, image)

    def plate(self, path: Path, images: list[Image]) -> None:
        ((levels, told, _),) = self.layers(path)
        self.tells(told, images[1])  # of the first well
        np.testing.assert_array_equal(np.asarray(levels[0]), first_fields(images))


def first_fields(images: list[Image]) -> NDArray[Any]:
    """Return the plate as two programs show it: the first field of each well, side by side."""
    whole = np.zeros((1, 1, 1, 120, 210), np.uint16)
    whole[..., :60, :70], whole[..., 60:, 70:140] = images[1].pixels, images[0].pixels
    return whole


class OmeZarrPy(Zarr):
    def nodes(self, path: Path) -> list[Any]:
        reader, io = needs("ome_zarr.reader"), needs("ome_zarr.io")
        return list(reader.Reader(io.parse_url(path))())

    def image(self, path: Path, expected: Image) -> None:
        (node,) = self.nodes(path)
        self.same(np.asarray(node.data[0]), node.data[1].shape, expected)
        assert node.metadata["channel_names"] == expected.names
        shown = [bytes(int(one * 255) for one in colors[1]) for colors in node.metadata["colormap"]]
        assert [one.hex().upper() for one in shown] == expected.colors
        (*steps,) = node.metadata["coordinateTransformations"][0]
        scale, translation = steps[0].get("transformations", steps)
        assert scale["scale"][-2:] == pytest.approx(expected.scale)
        assert translation["translation"][-2:] == pytest.approx(expected.start)

    def series(self, path: Path, images: list[Image]) -> None:
        assert self.nodes(path) == []  # it does not know bioformats2raw.layout

    def plate(self, path: Path, images: list[Image]) -> None:
        (node,) = self.nodes(path)
        np.testing.assert_array_equal(np.asarray(node.data[0]), first_fields(images))


class BioioOmeZarr(Zarr):
    def open(self, path: Path) -> Any:
        return needs("bioio").BioImage(str(path), reader=needs("bioio_ome_zarr").Reader)

    def image(self, path: Path, expected: Image) -> None:
        found = self.open(path)
        assert found.dims.order == "TCZYX"
        levels = [found.data]
        assert found.channel_names == expected.names
        if self.version in ("0.4", "0.5"):
            assert found.physical_pixel_sizes[1:] == pytest.approx(expected.scale)
        else:  # it does not know these versions, and looks for axes where they were
            assert found.physical_pixel_sizes is None
        found.set_resolution_level(1)
        self.same(levels[0], found.shape, expected)

    def series(self, path: Path, images: list[Image]) -> None:
        with pytest.raises(Exception, match="does not support"):
            self.open(path)  # "BioIO does *not* support" bioformats2raw.layout

    plate = series


class NgffZarr(Zarr):
    def image(self, path: Path, expected: Image) -> None:
        ngff = needs("ngff_zarr", "ome-zarr")
        needs("jsonschema")
        has_schema = "dev" not in self.version
        self.check(ngff.from_ngff_zarr(str(path), validate=has_schema), expected)

    def check(self, found: Any, expected: Image) -> None:
        first, second = found.images
        self.same(np.asarray(first.data), second.data.shape, expected)
        assert (first.scale["y"], first.scale["x"]) == pytest.approx(expected.scale)
        assert (first.translation["y"], first.translation["x"]) == pytest.approx(expected.start)
        assert {first.axes_units[axis] for axis in "yx"} == {"micrometer"}
        channels = found.metadata.omero.channels
        assert [one.label for one in channels] == expected.names
        assert [one.color for one in channels] == expected.colors

    def series(self, path: Path, images: list[Image]) -> None:
        with pytest.raises(ValueError, match=f"with {len(images)} images"):
            needs("ngff_zarr").from_ngff_zarr(str(path))  # it names the paths of the images

    def plate(self, path: Path, images: list[Image]) -> None:
        plate = needs("ngff_zarr").from_hcs_zarr(str(path))
        rounds = [(one.id, one.name, one.starttime, one.endtime) for one in plate.acquisitions]
        assert rounds == [(0, "first", None, None), (1, "second", 10, 20)]
        well = plate.get_well("B", "2")
        self.check(well.get_image_by_acquisition(0), images[0])
        self.check(well.get_image(1), images[2])
        self.check(plate.get_well("A", "1").get_image_by_acquisition(1), images[1])


READERS: dict[str, type[Reader]] = {
    "zarr": Zarr,
    "tensorstore": Tensorstore,
    "napari": Napari,
    "napari-ome-zarr": NapariOmeZarr,
    "ome-zarr": OmeZarrPy,
    "bioio-ome-zarr": BioioOmeZarr,
    "ngff-zarr": NgffZarr,
}


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("kind", [*IMAGES, *SERIES, a_plate], ids=lambda kind: kind.__name__)
def test_every_reader_opens_what_is_written(
    store: Callable[..., tuple[Path, list[Image]]], kind: Any, version: str, reader: str
) -> None:
    path, images = store(kind, version)
    other = READERS[reader](version)
    for one in images:
        other.image(path / one.path, one)
    if kind in SERIES:
        other.series(path, images)
    elif kind is a_plate:
        other.plate(path, images)


# The objects of ngff-zarr


def without_flat_z(pixels: NDArray[Any]) -> NDArray[Any]:
    """Return five axes as the objects of ngff-zarr have them."""
    return pixels if pixels.shape[2] > 1 else pixels[:, :, 0]


@pytest.mark.parametrize("version", ["0.5", "0.4"])
def test_ngff_zarr_writes_the_objects_that_it_is_given(
    every_real_file: Path, dest: Path, version: str, open_czi: Callable[..., CziImage]
) -> None:
    ngff = needs("ngff_zarr", "ome-zarr")
    image = open_czi(every_real_file)
    image.set_scene(len(image.scenes) - 1)
    multiscales = to_multiscales(image)
    ngff.to_ome_zarr(str(dest), multiscales, version=version)
    read = ngff.from_ome_zarr(str(dest), validate=True)
    assert len(read.images) >= len(image.levels)
    for level, found in enumerate(read.images[: len(image.levels)]):
        assert found.dims == tuple(axis for axis in "tczyx" if axis != "z" or image.sizes["Z"] > 1)
        assert np.array_equal(np.asarray(found.data), without_flat_z(five_axes(image, level)))
        one = to_ngff_image(image, level=level)
        assert found.scale == pytest.approx(one.scale)
        assert found.translation == pytest.approx(one.translation)
    labels = [channel.label for channel in read.metadata.omero.channels]
    assert labels == multiscales.images[0].channel_names


def test_levels_can_be_computed_by_ngff_zarr(mosaic_czi: Path) -> None:
    ngff = needs("ngff_zarr", "ome-zarr")
    made = to_multiscales(
        mosaic_czi,
        scale_factors=[{"y": 2, "x": 2}, {"y": 4, "x": 4}],
        method=ngff.Methods.DASK_BIN_SHRINK,
        chunks=128,
    )
    assert [one.data.shape[-2:] for one in made.images] == [(700, 900), (350, 450), (175, 225)]
    assert made.images[0].data.chunksize[-2:] == (128, 128)
    assert [channel.label for channel in made.metadata.omero.channels] == ["DAPI", "GFP"]


def test_levels_of_ngff_objects_are_those_that_are_written(tmp_path: Path, dest: Path) -> None:
    zarr = needs("zarr")
    from czictypes.writing.writer import create_czi

    rng = np.random.default_rng(3)
    with create_czi(tmp_path / "big.czi") as document:
        document.write(rng.integers(0, 255, (2305, 3001)).astype(np.uint8))
    multiscales = to_multiscales(tmp_path / "big.czi", chunks={"y": 500, "x": 700})
    plan = write_ome_zarr(tmp_path / "big.czi", dest)
    assert len(multiscales.images) == len(plan.images[0].levels) == 3
    for image, level in zip(multiscales.images, plan.images[0].levels):
        assert image.data.chunksize[-2:] == tuple(
            min(a, b) for a, b in zip((500, 700), image.data.shape[-2:])
        )
        written = zarr.open_array(str(dest / level.path))[:]
        assert np.array_equal(np.asarray(image.data), without_flat_z(written))
        assert [image.scale.get(axis, 1.0) for axis in "tczyx"] == list(level.transform.scale)


METHODS = ("ITKWASM_GAUSSIAN", "ITKWASM_BIN_SHRINK", "ITKWASM_LABEL_IMAGE", "DASK_BIN_SHRINK")


@pytest.fixture(scope="module")
def ngff() -> Any:
    """Give ngff-zarr, once it has loaded what its methods keep open to the end of the process."""
    found = needs("ngff_zarr", "ome-zarr")
    for method in METHODS:
        plain = found.to_ngff_image(np.zeros((32, 32), np.uint8), dims=["y", "x"])
        made = found.to_multiscales(plain, scale_factors=[2], method=found.Methods[method])
        np.asarray(made.images[1].data)
    return found


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("axes", "shape", "found"),
    [
        ("YX", (96, 128), (1, 1)),
        ("ZYX", (1, 96, 128), (1, 1)),
        ("YXS", (96, 128, 3), (1, 3)),
        ("TCYX", (2, 3, 96, 128), (2, 3)),
        ("CZYX", (2, 4, 96, 128), (1, 2, 4)),
    ],
)
@pytest.mark.parametrize("scene", [None, "all"])
def test_ngff_zarr_makes_levels_of_an_image_by_each_of_its_methods(
    ngff: Any,
    tmp_path: Path,
    method: str,
    axes: str,
    shape: tuple[int, ...],
    found: tuple[int, ...],
    scene: str | None,
) -> None:
    pixels = (np.arange(np.prod(shape)) % 251).reshape(shape).astype(np.uint8)
    czi.imwrite(tmp_path / "a b.czi", pixels, axes=axes)
    image = to_ngff_image(tmp_path / "a b.czi", scene)
    choice: dict[str, object] = {
        "scale_factors": [dict.fromkeys(image.dims[2:], 1) | {"y": 2, "x": 2}],
        "method": ngff.Methods[method],
    }
    ours = to_multiscales(tmp_path / "a b.czi", scene, **choice)  # type: ignore[arg-type]
    for made in (ngff.to_multiscales(image, **choice), ours):
        assert [one.dims for one in made.images] == [image.dims] * 2
        assert [one.data.shape for one in made.images] == [(*found, 96, 128), (*found, 48, 64)]
        assert np.asarray(made.images[1].data).any()


def test_z_of_one_plane_needs_no_factor(ngff: Any, tmp_path: Path) -> None:
    czi.imwrite(tmp_path / "a.czi", np.zeros((96, 128), np.uint16), axes="YX")
    made = ngff.to_multiscales(to_ngff_image(tmp_path / "a.czi"), scale_factors=[2, 4])
    assert [one.data.shape[-2:] for one in made.images] == [(96, 128), (48, 64), (24, 32)]


def test_an_image_of_more_dimensions_must_be_chosen(
    made: Callable[[str], object], open_czi: Callable[..., CziImage]
) -> None:
    image = open_czi(made("many_dimensions").path)  # type: ignore[attr-defined]
    with pytest.raises(ValueError, match="V, H, I, R"):
        to_ngff_image(image)
    plane = {"V": 1, "H": 0, "I": 1, "R": 0}
    found = to_ngff_image(image, plane=plane)
    assert np.array_equal(np.asarray(found.data), without_flat_z(image.read_block(plane)))
