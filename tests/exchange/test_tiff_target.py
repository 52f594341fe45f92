"""CZI to OME-TIFF and TIFF: pixels, levels, sizes and names, as tifffile reads them."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from extras import needs
from files.recipes import Made

from czictypes import convert, czi, imread, save
from czictypes.arrays.image import CziImage
from czictypes.metadata.document_info import Scaling
from czictypes.model.errors import OutOfBoundsError


def assert_series_are_scenes(tifffile: Any, written: Path, source: Path) -> None:
    with tifffile.TiffFile(written) as file, CziImage(source) as image:
        assert len(file.series) == len(image.scenes)
        for scene, series in enumerate(file.series):
            image.set_scene(scene)
            pixels = image.asarray()
            if file.is_imagej:  # whose channels run fastest
                pixels = pixels.swapaxes(1, 2)
            np.testing.assert_array_equal(series.asarray().reshape(pixels.shape), pixels)


@pytest.mark.parametrize("ending", [".ome.tif", ".tif"])
def test_every_real_file_keeps_its_pixels(
    tifffile: Any, every_real_file: Path, tmp_path: Path, ending: str
) -> None:
    written = tmp_path / f"out{ending}"
    convert(every_real_file, written)
    assert_series_are_scenes(tifffile, written, every_real_file)


@pytest.mark.parametrize("name", ["rgb", "bgr48", "gray32float", "odd_pyramid", "negative"])
@pytest.mark.parametrize("ending", [".ome.tif", ".tif"])
def test_pixel_types_and_places_of_all_kinds(
    tifffile: Any, made: Callable[[str], Made], tmp_path: Path, name: str, ending: str
) -> None:
    written = tmp_path / f"out{ending}"
    convert(made(name).path, written)
    assert_series_are_scenes(tifffile, written, made(name).path)


def test_the_xml_is_valid_and_tells_sizes_and_channels(
    tifffile: Any, every_real_file: Path, tmp_path: Path
) -> None:
    import ome_types

    convert(every_real_file, tmp_path / "out.ome.tif")
    with tifffile.TiffFile(tmp_path / "out.ome.tif") as file:
        ome = ome_types.from_xml(file.ome_metadata, validate=True)
    with CziImage(every_real_file) as image:
        assert [one.name for one in ome.images] == list(image.scenes)
        for scene, described in enumerate(ome.images):
            image.set_scene(scene)
            pixels = described.pixels
            sizes = [image.sizes[axis] for axis in "TZYX"]
            assert [pixels.size_t, pixels.size_z, pixels.size_y, pixels.size_x] == sizes
            assert [channel.name for channel in pixels.channels] == image.channel_names
            assert pixels.physical_size_x == pytest.approx(image.physical_pixel_sizes.X)


def test_stored_levels_are_written_and_coarser_ones_made(
    tifffile: Any, made: Callable[[str], Made], tmp_path: Path
) -> None:
    source = made("odd_pyramid").path
    convert(source, tmp_path / "out.ome.tif", levels=4)
    with tifffile.TiffFile(tmp_path / "out.ome.tif") as file, CziImage(source) as image:
        levels = [level.asarray() for level in file.series[0].levels]
        stored = [image.asarray(level.index).squeeze() for level in image.levels]
    assert len(levels) == 4 > len(stored) > 1
    for written, expected in zip(levels, stored):
        np.testing.assert_array_equal(written, expected)
    coarse, fine = levels[len(stored)], levels[len(stored) - 1].astype(float)
    height, width = coarse.shape
    blocks = fine[: height * 2, : width * 2].reshape(height, 2, width, 2)
    assert np.abs(blocks.mean(axis=(1, 3)) - coarse).max() <= 0.5


def test_planes_along_dimensions_that_ome_lacks_are_images(
    tifffile: Any, made: Callable[[str], Made], tmp_path: Path
) -> None:
    source = made("many_dimensions").path
    convert(source, tmp_path / "out.ome.tif")
    with tifffile.TiffFile(tmp_path / "out.ome.tif") as file, CziImage(source) as image:
        others = image.dims.order[: -len("TCZYX")]
        assert others
        pixels = image.asarray().reshape(-1, *(image.sizes[axis] for axis in "TCZYX"))
        assert len(file.series) == len(pixels) > 1
        for series, expected in zip(file.series, pixels):
            np.testing.assert_array_equal(series.asarray().reshape(expected.shape), expected)
            assert all(f" {letter}" in series.name for letter in others if image.sizes[letter] > 1)


def test_resolution_tags_tell_the_size_of_a_pixel(
    tifffile: Any, real_file: Callable[[str], Path], tmp_path: Path
) -> None:
    source = real_file("mosaic_test.czi")
    convert(source, tmp_path / "out.tif")
    with tifffile.TiffFile(tmp_path / "out.tif") as file, CziImage(source) as image:
        assert file.imagej_metadata["unit"] == "um"
        found = file.pages[0].get_resolution()
        assert 1 / found[0] == pytest.approx(image.physical_pixel_sizes.X, rel=1e-4)


def test_one_scene_by_name_or_number(
    tifffile: Any, made: Callable[[str], Made], tmp_path: Path
) -> None:
    source = made("multi_scene_pyramid").path
    with CziImage(source) as image:
        name = image.scenes[1]
    convert(source, tmp_path / "named.ome.tif", scenes=name)
    convert(source, tmp_path / "numbered.ome.tif", scenes=[1])
    for written in ("named", "numbered"):
        with tifffile.TiffFile(tmp_path / f"{written}.ome.tif") as file:
            (series,) = file.series
            expected = imread(source, scene=1)
            np.testing.assert_array_equal(series.asarray().reshape(expected.shape), expected)


def test_a_scene_that_is_not_there_is_refused(made: Callable[[str], Made], tmp_path: Path) -> None:
    with pytest.raises((ValueError, OutOfBoundsError), match="no scene"):
        convert(made("stack").path, tmp_path / "out.tif", scenes=7)
    assert not list(tmp_path.iterdir())


def test_a_failure_leaves_what_was_there(
    tifffile: Any, made: Callable[[str], Made], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "out.ome.tif"
    target.write_bytes(b"before")

    def fail(*_: Any, **__: Any) -> Any:
        raise OSError(28, "No space left on device", "out.ome.tif")

    monkeypatch.setattr(CziImage, "read_block", fail)
    with pytest.raises(OSError, match="No space"):
        convert(made("stack").path, target, overwrite=True)
    assert [path.name for path in tmp_path.iterdir()] == [target.name]
    assert target.read_bytes() == b"before"


def test_what_is_there_stays_unless_overwriting_is_asked_for(
    tifffile: Any, made: Callable[[str], Made], tmp_path: Path
) -> None:
    target = tmp_path / "out.tif"
    target.write_bytes(b"before")
    with pytest.raises(FileExistsError):
        convert(made("stack").path, target)
    assert target.read_bytes() == b"before"
    convert(made("stack").path, target, overwrite=True)
    assert_series_are_scenes(tifffile, target, made("stack").path)


def test_a_round_trip_keeps_pixels_names_and_sizes(
    tifffile: Any,
    every_real_file: Path,
    tmp_path: Path,
    same_pixels: Callable[[Path, Path], None],
) -> None:
    convert(every_real_file, tmp_path / "out.ome.tif")
    convert(tmp_path / "out.ome.tif", tmp_path / "back.czi")
    same_pixels(every_real_file, tmp_path / "back.czi")
    with CziImage(every_real_file) as first, CziImage(tmp_path / "back.czi") as second:
        assert second.channel_names == first.channel_names
        assert second.channel_colors == first.channel_colors
        if first.origin is not None:
            assert second.origin == pytest.approx(first.origin)
        assert (first.well is None) == (second.well is None)
        one, other = first.reader.scaling, second.reader.scaling
        expected = [size if size is None else pytest.approx(size) for size in one]
        assert list(other) == list(Scaling(*expected))


@pytest.mark.filterwarnings("ignore:the size of a pixel:czictypes.errors.MetadataWarning")
@pytest.mark.parametrize("size", [1e-320, 1e-13, 1e8])
def test_absurd_pixel_sizes_have_no_tag(tifffile: Any, tmp_path: Path, size: float) -> None:
    pixels = np.ones((20, 30), np.uint8)
    with czi.create_czi(tmp_path / "in.czi") as new:
        new.write(pixels)
        new.write_metadata(scale_x=size, scale_y=size)
    convert(tmp_path / "in.czi", tmp_path / "out.tif")
    with tifffile.TiffFile(tmp_path / "out.tif") as file:
        assert file.pages[0].tags["XResolution"].value == (1, 1)
        np.testing.assert_array_equal(file.asarray().squeeze(), pixels)


@pytest.mark.parametrize("shape", [(50, 1), (1, 50), (2, 3, 50, 1), (2, 3, 1, 1), (50, 1, 3)])
def test_a_plain_tiff_may_be_one_pixel_wide(
    tifffile: Any, tmp_path: Path, shape: tuple[int, ...]
) -> None:
    pixels = np.arange(np.prod(shape), dtype=np.uint16).reshape(shape)
    save(pixels, tmp_path / "thin.tif")
    np.testing.assert_array_equal(imread(tmp_path / "thin.tif").squeeze(), pixels.squeeze())
    stored = tifffile.imread(tmp_path / "thin.tif")
    np.testing.assert_array_equal(stored.squeeze(), pixels.squeeze())


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_bioio_has_the_same_numbers(tifffile: Any, every_real_file: Path, tmp_path: Path) -> None:
    reader = needs("bioio_ome_tiff").Reader
    convert(every_real_file, tmp_path / "out.ome.tif")
    found = reader(tmp_path / "out.ome.tif")
    with CziImage(every_real_file) as image:
        assert len(found.scenes) == len(image.scenes)
        for scene in range(len(image.scenes)):
            image.set_scene(scene)
            found.set_scene(scene)
            assert found.dims.order == image.dims.order
            np.testing.assert_array_equal(found.data, image.asarray())
            assert found.channel_names == image.channel_names
            assert pytest.approx(image.physical_pixel_sizes.X) == found.physical_pixel_sizes.X


def test_a_stack_becomes_a_hyperstack_of_imagej_and_comes_back(
    tifffile: Any, tmp_path: Path, rng: np.random.Generator
) -> None:
    pixels = rng.integers(0, 65536, (2, 3, 4, 20, 30), np.uint16)
    how: Any = {
        "channel_names": ["DAPI", "GFP", "Cy5"],
        "channel_colors": ["#0000FF", "#00FF00", "#FF0000"],
    }
    source = tmp_path / "in.czi"
    czi.imwrite(source, pixels, "TCZYX", pixel_size=(2e-7, 2e-7, 1e-6), times=2.5, **how)
    convert(source, tmp_path / "out.tif")
    with tifffile.TiffFile(tmp_path / "out.tif") as file:
        assert file.is_imagej
        assert not file.pages[0].is_tiled  # which ImageJ does not read
        known = file.imagej_metadata
        assert (known["channels"], known["slices"], known["frames"]) == (3, 4, 2)
        assert (known["unit"], known["spacing"], known["finterval"]) == ("um", 1.0, 2.5)
        assert known["Labels"][:4] == ["DAPI", "GFP", "Cy5", "DAPI"]
        assert known["LUTs"][1][:, -1].tolist() == [0, 255, 0]
        np.testing.assert_array_equal(file.asarray(), pixels.swapaxes(1, 2))
    if find_spec("zarr") is None:
        pytest.skip("zarr, which reads parts of a TIFF, is missing: pip install zarr")
    convert(tmp_path / "out.tif", tmp_path / "back.czi")
    with CziImage(tmp_path / "back.czi") as image:
        np.testing.assert_array_equal(image.asarray(), pixels)
        assert image.channel_names == how["channel_names"]
        assert tuple(image.physical_pixel_sizes) == pytest.approx((1, 0.2, 0.2))


@pytest.mark.parametrize(
    ("dtype", "axes", "shape"),
    [("float64", "YX", (9, 8)), ("uint32", "ZYX", (2, 9, 8)), ("uint8", "SYX", (2, 9, 8))],
)
def test_what_imagej_cannot_have_is_a_plain_tiff(
    tifffile: Any, tmp_path: Path, dtype: str, axes: str, shape: tuple[int, ...]
) -> None:
    save(np.ones(shape, dtype), tmp_path / "out.tif", axes)
    with tifffile.TiffFile(tmp_path / "out.tif") as file:
        assert not file.is_imagej
