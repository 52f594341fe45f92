"""TIFF of several kinds to CZI: pixels, and what the file tells of them."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from czictypes import CziImage, convert, czi, imread, open_image
from czictypes.model.errors import CorruptFileError, MetadataWarning, UnsupportedDataError


@pytest.fixture
def converted(tmp_path: Path) -> Callable[..., Path]:
    """Convert a file to CZI and return where it is."""

    def make(source: Path, **options: Any) -> Path:
        convert(source, tmp_path / "out.czi", **options)
        return tmp_path / "out.czi"

    return make


def test_an_ome_tiff_keeps_axes_names_sizes_and_times(
    tifffile: Any, tmp_path: Path, rng: np.random.Generator, converted: Callable[..., Path]
) -> None:
    pixels = rng.integers(0, 65535, (2, 3, 4, 30, 40), np.uint16)
    described = {
        "axes": "TCZYX",
        "Channel": {"Name": ["DAPI", "GFP", "RFP"], "EmissionWavelength": [460.0, 510.0, 600.0]},
        "PhysicalSizeX": 250.0,
        "PhysicalSizeXUnit": "nm",
        "PhysicalSizeY": 0.25,
        "PhysicalSizeZ": 1.5,
        "TimeIncrement": 2.0,
    }
    tifffile.imwrite(tmp_path / "in.ome.tif", pixels, metadata=described)
    with CziImage(converted(tmp_path / "in.ome.tif")) as image:
        np.testing.assert_array_equal(image.asarray(), pixels)
        assert image.channel_names == ["DAPI", "GFP", "RFP"]
        assert image.physical_pixel_sizes == pytest.approx((1.5, 0.25, 0.25))
        assert image.time_interval is not None
        assert image.time_interval.total_seconds() == pytest.approx(2.0)
        assert image.reader.channels[2].emission_wavelength == pytest.approx(600)


def test_a_micrometre_of_an_ome_tiff_may_be_written_plainly(
    tifffile: Any, tmp_path: Path, converted: Callable[..., Path]
) -> None:
    described = {"axes": "YX", "PhysicalSizeX": 0.5, "PhysicalSizeXUnit": "um"}
    tifffile.imwrite(tmp_path / "in.ome.tif", np.zeros((9, 9), np.uint8), metadata=described)
    with CziImage(converted(tmp_path / "in.ome.tif")) as image:
        assert pytest.approx(0.5) == image.physical_pixel_sizes.X


@pytest.mark.parametrize("xml", ["<OME/>", "<OME", '<OME xmlns="no.ome"><Image/></OME>', "OME"])
def test_ome_metadata_that_break_their_schema_take_no_pixels_down(
    tifffile: Any, tmp_path: Path, converted: Callable[..., Path], xml: str
) -> None:
    pixels = np.arange(99, dtype=np.uint8).reshape(9, 11)
    described = {"axes": "YX", "PhysicalSizeX": 0.5, "PhysicalSizeXUnit": "elephants"}
    tifffile.imwrite(tmp_path / "in.ome.tif", pixels, metadata=described)
    with pytest.warns(MetadataWarning, match="OME metadata of .*in.ome.tif .*left out"):
        path = converted(tmp_path / "in.ome.tif")
    np.testing.assert_array_equal(imread(path).squeeze(), pixels)
    with tifffile.TiffWriter(tmp_path / "other.ome.tif") as writer:
        writer.write(pixels, description=xml, metadata=None)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # tifffile does not take all of these for OME-XML
        path = converted(tmp_path / "other.ome.tif", overwrite=True)
    np.testing.assert_array_equal(imread(path).squeeze(), pixels)


def test_images_of_an_ome_tiff_become_scenes(
    tifffile: Any, tmp_path: Path, rng: np.random.Generator, converted: Callable[..., Path]
) -> None:
    first = rng.integers(0, 255, (30, 40), np.uint8)
    second = rng.integers(0, 255, (2, 50, 20), np.uint8)
    with tifffile.TiffWriter(tmp_path / "in.ome.tif") as writer:
        writer.write(first, metadata={"axes": "YX", "Name": "left"})
        writer.write(second, metadata={"axes": "ZYX", "Name": "right"})
    with CziImage(converted(tmp_path / "in.ome.tif")) as image:
        assert image.scenes == ("left", "right")
        np.testing.assert_array_equal(image.get_image_data("YX"), first)
        image.set_scene("right")
        np.testing.assert_array_equal(image.get_image_data("ZYX"), second)


def test_an_imagej_hyperstack_keeps_spacing_and_interval(
    tifffile: Any, tmp_path: Path, rng: np.random.Generator, converted: Callable[..., Path]
) -> None:
    pixels = rng.integers(0, 65535, (3, 4, 2, 30, 40), np.uint16)
    described = {"axes": "TZCYX", "spacing": 3.0, "unit": "um", "finterval": 0.5}
    options = {"resolution": (5.0, 4.0), "metadata": described, "imagej": True}
    tifffile.imwrite(tmp_path / "in.tif", pixels, **options)
    with CziImage(converted(tmp_path / "in.tif")) as image:
        np.testing.assert_array_equal(image.get_image_data("TZCYX"), pixels)
        assert image.physical_pixel_sizes == pytest.approx((3.0, 0.25, 0.2))
        assert image.time_interval is not None
        assert image.time_interval.total_seconds() == pytest.approx(0.5)


def test_resolution_tags_of_a_plain_tiff(
    tifffile: Any, tmp_path: Path, converted: Callable[..., Path]
) -> None:
    pixels = np.zeros((10, 20), np.uint8)
    tifffile.imwrite(tmp_path / "in.tif", pixels, resolution=(2e4, 1e4), resolutionunit=3)
    with czi.open_czi(converted(tmp_path / "in.tif")) as document:
        assert document.scaling.x == pytest.approx(5e-7)
        assert document.scaling.y == pytest.approx(1e-6)


@pytest.mark.parametrize("planar", ["contig", "separate"])
def test_colours_keep_their_order(
    tifffile: Any,
    tmp_path: Path,
    rng: np.random.Generator,
    converted: Callable[..., Path],
    planar: str,
) -> None:
    pixels = rng.integers(0, 255, (30, 40, 3), np.uint8)
    stored = pixels if planar == "contig" else pixels.transpose(2, 0, 1)
    options = {"photometric": "rgb", "planarconfig": planar}
    tifffile.imwrite(tmp_path / "in.tif", stored, **options)
    image = imread(converted(tmp_path / "in.tif"))
    np.testing.assert_array_equal(image.squeeze(), pixels)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("dtype", ["u1", "u2", "f4"])
def test_tiled_pixels_in_any_order_of_bytes(
    tifffile: Any,
    tmp_path: Path,
    rng: np.random.Generator,
    converted: Callable[..., Path],
    order: str,
    dtype: str,
) -> None:
    pixels = rng.integers(0, 255, (100, 150)).astype(dtype)
    options = {"tile": (32, 48), "byteorder": order, "compression": "zlib"}
    tifffile.imwrite(tmp_path / "in.tif", pixels, **options)
    np.testing.assert_array_equal(imread(converted(tmp_path / "in.tif")).squeeze(), pixels)


@pytest.mark.parametrize(
    ("named", "meant"), [("QYX", "ZYX"), ("QZYX", "CZYX"), ("TQYX", "TZYX"), (None, "CZYX")]
)
def test_axes_that_nobody_names_are_those_of_imwrite(
    tifffile: Any,
    tmp_path: Path,
    rng: np.random.Generator,
    converted: Callable[..., Path],
    named: str | None,
    meant: str,
) -> None:
    pixels = rng.integers(0, 255, (2, 5, 10, 20)[-len(meant) :], np.uint8)
    metadata = {} if named is None else {"metadata": {"axes": named}}
    tifffile.imwrite(tmp_path / "in.tif", pixels, photometric="minisblack", **metadata)
    with CziImage(converted(tmp_path / "in.tif")) as image:
        np.testing.assert_array_equal(image.get_image_data(meant), pixels)
    with open_image(tmp_path / "in.tif") as image:
        np.testing.assert_array_equal(image.get_image_data(meant), pixels)
    if named in (None, "QYX"):
        czi.imwrite(tmp_path / "written.czi", pixels)
        with CziImage(tmp_path / "written.czi") as image:
            np.testing.assert_array_equal(image.get_image_data(meant), pixels)


@pytest.mark.parametrize("planar", ["contig", "separate"])
@pytest.mark.parametrize("count", [2, 5])
def test_samples_that_are_no_colours_are_channels(
    tifffile: Any,
    tmp_path: Path,
    rng: np.random.Generator,
    converted: Callable[..., Path],
    count: int,
    planar: str,
) -> None:
    pixels = rng.integers(0, 255, (count, 10, 20), np.uint8)
    stored = pixels if planar == "separate" else np.moveaxis(pixels, 0, -1)
    kind = {"photometric": "minisblack", "planarconfig": planar}
    tifffile.imwrite(tmp_path / "in.tif", stored, **kind)
    for path in (tmp_path / "in.tif", converted(tmp_path / "in.tif")):
        np.testing.assert_array_equal(imread(path)[0, :, 0], pixels)

    extra = ["unassalpha", *["unspecified"] * (count - 2)]
    tifffile.imwrite(tmp_path / "clear.tif", stored, extrasamples=extra, **kind)
    with open_image(tmp_path / "clear.tif") as image:
        assert image.sizes["S"] == count


def test_other_pixel_types_need_to_be_told_what_to_become(
    tifffile: Any, tmp_path: Path, converted: Callable[..., Path]
) -> None:
    pixels = np.arange(-10, 190, dtype=np.int16).reshape(10, 20)
    tifffile.imwrite(tmp_path / "in.tif", pixels)
    with pytest.raises(UnsupportedDataError, match=r"int16.*dtype="):
        converted(tmp_path / "in.tif")
    with pytest.raises(UnsupportedDataError, match="-10"):
        converted(tmp_path / "in.tif", dtype="uint16")
    assert [path.name for path in tmp_path.iterdir()] == ["in.tif"]
    found = imread(converted(tmp_path / "in.tif", dtype="float32")).squeeze()
    np.testing.assert_array_equal(found, pixels)


@pytest.mark.parametrize("compression", [None, "zlib"])
def test_a_file_that_was_cut_gives_an_error_and_no_czi(
    tifffile: Any,
    tmp_path: Path,
    rng: np.random.Generator,
    converted: Callable[..., Path],
    compression: str | None,
) -> None:
    pixels = rng.integers(1, 65535, (100, 150), np.uint16)
    path = tmp_path / "in.tif"
    tifffile.imwrite(path, pixels, tile=(64, 64), compression=compression)
    path.write_bytes(path.read_bytes()[:-3000])
    with pytest.raises(CorruptFileError, match="pixels of the image cannot be read"):
        converted(path)
    assert not (tmp_path / "out.czi").exists()


def test_a_compression_that_is_not_known_is_told_and_is_no_damage(
    tifffile: Any, tmp_path: Path, converted: Callable[..., Path]
) -> None:
    path = tmp_path / "in.tif"
    tifffile.imwrite(path, np.ones((50, 60), np.uint8))
    with tifffile.TiffFile(path, mode="r+") as file:
        file.pages[0].tags["Compression"].overwrite(34676)  # SGILOG
    with pytest.raises(UnsupportedDataError, match=r"tifffile cannot decode in\.tif.*SGILOG"):
        converted(path)


def test_planes_that_are_in_no_file_are_counted(
    tifffile: Any, tmp_path: Path, converted: Callable[..., Path]
) -> None:
    path = tmp_path / "in.ome.tif"
    tifffile.imwrite(path, np.ones((3, 5, 6), np.uint8), metadata={"axes": "ZYX"})
    with tifffile.TiffFile(path) as file:
        text = file.ome_metadata
    for name in ("SizeZ", "PlaneCount"):
        text = text.replace(f'{name}="3"', f'{name}="5"')
    tifffile.tiffcomment(path, text.encode())
    with pytest.warns(MetadataWarning, match="2 planes"):
        written = converted(path)
    assert imread(written).any(axis=(-1, -2)).squeeze().tolist() == [True] * 3 + [False] * 2


def test_what_is_no_tiff_is_said_to_be_none(
    tifffile: Any, tmp_path: Path, converted: Callable[..., Path]
) -> None:
    (tmp_path / "in.tif").write_bytes(b"no picture")
    with pytest.raises(UnsupportedDataError, match=r"in\.tif is no TIFF"):
        converted(tmp_path / "in.tif")
    assert not (tmp_path / "out.czi").exists()


@pytest.mark.parametrize("compression", [None, "zlib"])
def test_a_size_that_the_file_cannot_hold_is_refused(
    tifffile: Any, tmp_path: Path, compression: str | None
) -> None:
    path = tmp_path / "in.tif"
    tifffile.imwrite(path, np.zeros((8, 8), np.uint8), compression=compression)
    with tifffile.TiffFile(path, mode="r+b") as file:
        file.pages[0].tags["ImageWidth"].overwrite(200_000)
        file.pages[0].tags["ImageLength"].overwrite(200_000)
    with pytest.raises(UnsupportedDataError, match=r"in\.tif claims 40000000000 bytes of pixels"):
        convert(path, tmp_path / "out.czi")
