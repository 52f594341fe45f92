"""``like=``: a new file takes over from another image all that fits."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from extras import needs
from files.patterns import noise

from czictypes import CziImage, convert, czi, open_image
from czictypes.model.pixel_types import PixelType

START = datetime.datetime(2024, 5, 6, 7, 8, 9, tzinfo=datetime.timezone.utc)
Opener = Callable[[Path], Any]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Three times, two channels of 16 bits, two depths, 60 x 30 pixels, and much that is known."""
    red = czi.Rgb8Color(255, 0, 0)
    shown = czi.ChannelDisplaySettingsDataClass(True, czi.TintingMode.Color, red, 0.0, 0.25)
    content = czi.DocumentContent(
        channels=[
            czi.ChannelInfo(0, name="DAPI", emission_wavelength=465.0, component_bit_count=14),
            czi.ChannelInfo(1, name="GFP", emission_wavelength=509.0, component_bit_count=12),
        ],
        scaling=czi.Scaling(5e-7, 5e-7, 2e-6),
        custom_attributes={"Lamp": "LED"},
        display_settings={0: shown, 1: shown},
        scenes=[czi.SceneInfo(0, "P3", center=(1015.0, 2007.5), size=(30.0, 15.0))],
        objective=czi.Objective(name="Plan 20x", magnification=20.0),
        acquisition_date=START,
        microscope="Axio",
        annotations=[czi.Annotation("Rectangle", "rectangle", ((2.0, 3.0), (5.0, 9.0)))],
    )
    path = tmp_path / "source.czi"
    with czi.create_czi(path) as document:
        document.write_metadata("a title", content=content)
        for t, c, z in np.ndindex(3, 2, 2):
            document.write(noise(PixelType.Gray16, 30, 60, t), plane={"T": t, "C": c, "Z": z})
        document.add_time_stamps([0.0, 2.0, 4.0])
    return path


@pytest.fixture(params=[CziImage, czi.open_czi], ids=["image", "reader"])
def opened(request: pytest.FixtureRequest) -> Opener:
    opener: Opener = request.param
    return opener


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "new.czi"


def array(*shape: int, dtype: str = "uint16") -> Any:
    return np.arange(np.prod(shape)).reshape(shape).astype(dtype)


def assert_knows_the_instrument(image: CziImage) -> None:
    assert image.objective is not None
    assert image.objective.magnification == 20.0
    assert (image.document_info.title, image.document_info.microscope) == ("a title", "Axio")
    assert image.acquisition_date == START
    assert image.reader.custom_attributes_metadata == {"Lamp": "LED"}
    assert pytest.approx(0.5) == image.physical_pixel_sizes.X
    assert image.current_scene == "P3"


def test_an_array_of_the_same_form_takes_all(source: Path, opened: Opener, target: Path) -> None:
    with opened(source) as other:
        czi.imwrite(target, array(3, 2, 2, 30, 60), like=other)
    with CziImage(source) as other, CziImage(target) as image:
        assert_knows_the_instrument(image)
        assert [one.emission_wavelength for one in image.channels] == [465.0, 509.0]
        assert [one.component_bit_count for one in image.channels] == [14, 12]
        assert image.channel_names == ["DAPI", "GFP"]
        assert image.contrast_limits == other.contrast_limits
        assert image.origin == pytest.approx(other.origin)
        assert image.annotations[0].points == ((2.0, 3.0), (5.0, 9.0))
        assert image.physical_pixel_sizes == other.physical_pixel_sizes


def test_an_image_gives_its_times_to_as_many(source: Path, target: Path) -> None:
    with CziImage(source) as other:
        czi.imwrite(target, array(3, 30, 60), "TYX", like=other)
    with CziImage(target) as image:
        assert image.time_stamps == [0.0, 2.0, 4.0]


def test_another_form_takes_what_is_true_of_it(source: Path, opened: Opener, target: Path) -> None:
    with opened(source) as other:
        czi.imwrite(target, array(2, 10, 12), "TYX", like=other)
    with CziImage(target) as image:
        assert_knows_the_instrument(image)
        assert image.channels[0].emission_wavelength is None
        assert image.channels[0].name is None
        assert image.origin is None
        assert image.annotations == []
        assert image.time_stamps is None


def test_bits_and_display_belong_to_a_pixel_type(
    source: Path, opened: Opener, target: Path
) -> None:
    with opened(source) as other:
        czi.imwrite(target, array(2, 30, 60, dtype="float32"), "CYX", like=other)
    with CziImage(target) as image:
        assert image.channel_names == ["DAPI", "GFP"]
        assert [one.component_bit_count for one in image.channels] == [32, 32]
        assert image.contrast_limits == [None, None]


def test_arguments_win(source: Path, opened: Opener, target: Path) -> None:
    content = czi.DocumentContent(objective=czi.Objective(name="mine"))
    with opened(source) as other:
        czi.imwrite(
            target,
            array(2, 30, 60),
            "CYX",
            like=other,
            channel_names=["A", "B"],
            pixel_size=1e-6,
            title="mine, too",
            content=content,
        )
    with CziImage(target) as image:
        assert image.channel_names == ["A", "B"]
        assert pytest.approx(1.0) == image.physical_pixel_sizes.X
        assert image.objective is not None
        assert image.objective.name == "mine"
        assert image.channels[1].emission_wavelength == 509.0


def test_a_writer_takes_it_too(source: Path, opened: Opener, target: Path) -> None:
    with opened(source) as other, czi.create_czi(target, like=other) as document:
        for c in range(2):
            document.write(array(30, 60), plane={"C": c})
        document.write_metadata(channel_names={1: "RFP"})
    with CziImage(target) as image:
        assert_knows_the_instrument(image)
        assert image.channel_names == ["DAPI", "RFP"]
        assert image.channels[0].component_bit_count == 14
        assert image.origin == pytest.approx((1000.25, 2000.25))


def test_the_scene_goes_to_the_number_that_is_written(source: Path, target: Path) -> None:
    with CziImage(source) as other:
        czi.imwrite(target, array(30, 60), like=other, scene=4)
    with CziImage(target) as image:
        assert (image.scene_number, image.current_scene) == (4, "P3")
        assert image.origin == pytest.approx((1000.25, 2000.25))


def test_the_chosen_scene_of_an_image_counts(tmp_path: Path, target: Path) -> None:
    content = czi.DocumentContent(
        scaling=czi.Scaling(1e-6, 1e-6),
        scenes=[
            czi.SceneInfo(0, "A", center=(5.0, 4.0), size=(10.0, 8.0)),
            czi.SceneInfo(1, "B", center=(105.0, 4.0), size=(10.0, 8.0)),
        ],
    )
    with czi.create_czi(tmp_path / "two.czi") as document:
        document.write_metadata(content=content)
        for scene in range(2):
            document.write(array(8, 10), (50 * scene, 0), scene=scene)
    with CziImage(tmp_path / "two.czi", scene="B") as other:
        czi.imwrite(target, array(8, 10), like=other)
    with CziImage(target) as image:
        assert image.scenes == ("B",)
        assert image.origin == pytest.approx((100.5, 0.5))


def test_an_image_of_another_format_is_a_source(tmp_path: Path, source: Path, target: Path) -> None:
    for module in ("tifffile", "ome_types", "zarr"):
        needs(module, "ome-tiff")
    convert(source, tmp_path / "there.ome.tif")
    with open_image(tmp_path / "there.ome.tif") as other:
        czi.imwrite(target, array(3, 2, 2, 30, 60), like=other)
    with CziImage(target) as image:
        assert [one.emission_wavelength for one in image.channels] == [465.0, 509.0]
        assert image.objective is not None
        assert image.origin == pytest.approx((1000.25, 2000.25))


def test_anything_else_is_refused_before_a_file_is_made(target: Path) -> None:
    with pytest.raises(TypeError, match="CziReader, or an image"):
        czi.imwrite(target, array(4, 4), like="source.czi")
    assert not target.exists()
    with pytest.raises(TypeError, match="CziReader, or an image"):
        czi.create_czi(target, like=array(4, 4))
    assert list(target.parent.iterdir()) == []


def test_an_image_is_written_with_what_it_knows(source: Path, target: Path) -> None:
    with CziImage(source) as image:
        czi.imwrite(target, image)
        pixels = image.data
    with CziImage(target) as again:
        np.testing.assert_array_equal(again.data, pixels)
        assert (again.channel_names, again.time_stamps) == (["DAPI", "GFP"], [0.0, 2.0, 4.0])
        assert again.acquisition_date == START
        assert_knows_the_instrument(again)


@pytest.mark.parametrize("form", ["czi", "ome.tiff"])
def test_drawings_are_at_their_place_in_a_level(tmp_path: Path, target: Path, form: str) -> None:
    if form != "czi":
        needs("tifffile", "ome-tiff")
    drawn = czi.Annotation("Circle", "ellipse", ((40.0, 20.0),), radii=(8.0, 8.0))
    content = czi.DocumentContent(annotations=[drawn])
    pyramid = czi.PyramidOptions(until=40)
    czi.imwrite(tmp_path / "a.czi", array(64, 80), content=content, pyramid=pyramid)
    convert(tmp_path / "a.czi", tmp_path / "a.ome.tiff") if form != "czi" else None
    for level, size in enumerate((1, 2)):
        with open_image(tmp_path / f"a.{form}") as image:
            image.set_resolution_level(level)
            czi.imwrite(target, image, overwrite=True)
        with CziImage(target) as again:
            (found,) = again.annotations
            assert (found.points, found.radii) == (((40 / size, 20 / size),), (8 / size, 8 / size))


def test_arguments_win_over_what_an_image_knows(source: Path, target: Path) -> None:
    with CziImage(source) as image:
        czi.imwrite(target, image, channel_names=["a", "b"], pixel_size=1e-6)
    with CziImage(target) as again:
        assert again.channel_names == ["a", "b"]
        assert pytest.approx(1.0) == again.physical_pixel_sizes.X


@pytest.mark.parametrize("form", ["czi", "ome.tiff"])
def test_each_scene_and_level_of_an_image_can_be_written(
    tmp_path: Path, target: Path, form: str
) -> None:
    if form != "czi":
        needs("tifffile", "ome-tiff")
    cells = noise(PixelType.Gray16, 2 * 64, 80, 5).reshape(2, 1, 64, 80)
    czi.imwrite(tmp_path / "two.czi", cells, "SCYX", pyramid=czi.PyramidOptions(until=40))
    convert(tmp_path / "two.czi", tmp_path / "other.ome.tiff") if form != "czi" else None
    with open_image(tmp_path / ("two.czi" if form == "czi" else "other.ome.tiff")) as image:
        for level, scene in ((0, 0), (0, 1), (1, 1)):
            image.set_scene(scene)
            image.set_resolution_level(level)
            czi.imwrite(target, image, overwrite=True)
            with CziImage(target) as again:
                np.testing.assert_array_equal(again.data, image.data)
                assert again.current_scene == image.current_scene
        for scene in image.scenes:
            image.set_resolution_level(0)
            czi.imwrite(target, scene, overwrite=True)
            with CziImage(target) as again:
                np.testing.assert_array_equal(again.data, scene.data)


def test_a_document_is_no_array(source: Path, target: Path) -> None:
    with czi.open_czi(source) as document:
        with pytest.raises(TypeError, match=r"source\.czi.*CziImage\(reader\)"):
            czi.imwrite(target, document)
    assert not target.exists()
