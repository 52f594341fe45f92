"""Excerpts: `convert` with ``roi=``, ``project=``, ``plane=`` and ``split_scenes=``."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from extras import needs
from files.patterns import noise
from stored import stored_blocks

from czictypes import CziImage, convert, open_image
from czictypes.czi import (
    Annotation,
    ChannelDisplaySettingsDataClass,
    ChannelInfo,
    DocumentContent,
    Objective,
    Rgb8Color,
    Scaling,
    SceneInfo,
    TintingMode,
    create_czi,
    imwrite,
)
from czictypes.model.errors import OutOfBoundsError
from czictypes.model.pixel_types import PixelType

START = datetime.datetime(2024, 5, 6, 7, 8, 9, tzinfo=datetime.timezone.utc)
ROI = (110, 5, 20, 12)  # in the right scene
TIMES = [0.0, 2.0, 4.0]


def shown(high: float) -> ChannelDisplaySettingsDataClass:
    return ChannelDisplaySettingsDataClass(True, TintingMode.Color, Rgb8Color(255, 0, 0), 0.0, high)


@pytest.fixture
def stack(tmp_path: Path) -> Path:
    """Two scenes of 60 x 30 pixels side by side; three times, two channels, four planes along Z."""
    content = DocumentContent(
        channels=[
            ChannelInfo(0, name="DAPI", emission_wavelength=465.0, component_bit_count=6),
            ChannelInfo(1, name="GFP", emission_wavelength=509.0, component_bit_count=8),
        ],
        scaling=Scaling(5e-7, 5e-7, 1e-6),
        display_settings={0: shown(0.25), 1: shown(0.5)},
        scenes=[
            SceneInfo(0, "left", center=(1015.0, 2007.5), size=(30.0, 15.0)),
            SceneInfo(1, "right", center=(1065.0, 2007.5), size=(30.0, 15.0)),
        ],
        objective=Objective(name="Plan 20x", magnification=20.0),
        acquisition_date=START,
        annotations=[Annotation("Rectangle", "rectangle", ((112.0, 7.0), (115.0, 9.0)))],
        microscope="Axio",
    )
    path = tmp_path / "stack.czi"
    with create_czi(path) as document:
        document.write_metadata("a title", content=content)
        for scene, x in enumerate((0, 100)):
            for t, c, z in np.ndindex(3, 2, 4):
                pixels = noise(PixelType.Gray8, 30, 60, scene + 2 * (t + 3 * (c + 2 * z)))
                document.write(pixels, (x, 0), {"T": t, "C": c, "Z": z}, scene=scene)
        document.add_time_stamps(TIMES)
    return path


@pytest.fixture
def pixels(stack: Path) -> Any:
    """The region of the right scene, as TCZYX."""
    with CziImage(stack, scene="right") as image:
        return image.asarray()[..., 5:17, 10:30]


TARGETS = ["out.czi", "out.ome.tif", "out.ome.zarr"]


@pytest.fixture(params=TARGETS)
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    if request.param.endswith("tif"):
        needs("tifffile", "ome-tiff")
        needs("ome_types", "ome-tiff")
        needs("zarr", "ome-tiff")
    if request.param.endswith("zarr"):
        needs("ngff_zarr", "ome-zarr")
    path: Path = tmp_path / request.param
    return path


def test_a_region_is_cut_out(stack: Path, target: Path, pixels: Any) -> None:
    convert(stack, target, roi=ROI)
    with open_image(target) as image:
        assert image.scenes == ("right",)
        assert np.array_equal(image.asarray(), pixels)


@pytest.mark.parametrize(
    ("project", "axis", "expected"),
    [
        ("max", 2, lambda one: one.max(2)),
        ({"Z": "mean"}, 2, lambda one: np.floor(one.mean(2) + 0.5)),
        ("sum", 2, lambda one: one.sum(2, dtype=np.uint16)),
        ({"T": "max"}, 0, lambda one: one.max(0)),
        ({"C": "sum"}, 1, lambda one: one.sum(1, dtype=np.uint16)),
    ],
)
def test_planes_are_projected(
    stack: Path, target: Path, pixels: Any, project: Any, axis: int, expected: Any
) -> None:
    convert(stack, target, roi=ROI, project=project)
    with open_image(target) as image:
        found = np.squeeze(image.asarray(), axis)
        assert np.array_equal(found, expected(pixels))
        wide = np.uint16 if "sum" in str(project) else np.uint8
        assert image.dtype == wide


def test_one_projection_follows_the_other(stack: Path, target: Path, pixels: Any) -> None:
    convert(stack, target, roi=ROI, project={"Z": "max", "T": "mean"})
    with open_image(target) as image:
        expected = np.floor(pixels.max(2).mean(0) + 0.5)
        assert np.array_equal(image.asarray()[0, :, 0], expected)


def test_planes_are_chosen(stack: Path, target: Path, pixels: Any) -> None:
    convert(stack, target, roi=ROI, plane={"C": "GFP", "T": [0, 2], "Z": slice(1, 3)})
    with open_image(target) as image:
        assert image.channel_names == ["GFP"]
        assert np.array_equal(image.asarray(), pixels[[0, 2]][:, 1:2, 1:3])


def test_chosen_planes_are_projected(stack: Path, target: Path, pixels: Any) -> None:
    convert(stack, target, roi=ROI, plane={"Z": [0, 3]}, project="max")
    with open_image(target) as image:
        assert np.array_equal(image.asarray()[:, :, 0], pixels[:, :, [0, 3]].max(2))


@pytest.mark.parametrize("how", [{}, {"project": "max"}, {"plane": {"T": [0, 2]}}])
def test_metadata_follow(stack: Path, target: Path, how: dict[str, Any]) -> None:
    convert(stack, target, roi=ROI, **how)
    with CziImage(stack, scene="right") as whole, open_image(target) as image:
        assert image.current_scene == "right"
        assert image.objective is not None
        assert (image.objective.name, image.objective.magnification) == ("Plan 20x", 20.0)
        assert image.acquisition_date == START
        assert whole.origin is not None
        assert image.origin == pytest.approx((whole.origin[0] + 5.0, whole.origin[1] + 2.5))
        assert image.channel_names == ["DAPI", "GFP"]
        times = [TIMES[at] for at in how.get("plane", {"T": range(3)})["T"]]
        assert image.time_stamps == pytest.approx(times)
        assert pytest.approx(0.5) == image.physical_pixel_sizes.X
        assert [one.emission_wavelength for one in image.channels] == [465.0, 509.0]
        if target.suffix != ".tif":  # OME-TIFF has no limits of display
            assert image.contrast_limits == [
                pytest.approx((0, 63.75)),
                pytest.approx((0, 127.5)),
            ]


def test_a_czi_keeps_the_microscope_and_the_title(stack: Path, tmp_path: Path) -> None:
    convert(stack, tmp_path / "out.czi", roi=ROI, project="max")
    with CziImage(tmp_path / "out.czi") as image:
        assert (image.document_info.microscope, image.document_info.title) == ("Axio", "a title")
        assert [one.component_bit_count for one in image.channels] == [6, 8]
        assert image.annotations[0].points == ((2.0, 2.0), (5.0, 4.0))


def test_a_projection_has_no_step_along_z(stack: Path, target: Path) -> None:
    convert(stack, target, project="max", scenes="left")
    with open_image(target) as image:
        assert image.physical_pixel_sizes.Z is None


def test_a_sum_is_shown_as_bright_and_has_more_bits(stack: Path, tmp_path: Path) -> None:
    convert(stack, tmp_path / "out.czi", roi=ROI, project="sum")
    with CziImage(tmp_path / "out.czi") as image:
        assert image.contrast_limits == [pytest.approx((0, 255.0)), pytest.approx((0, 510.0))]
        assert [one.component_bit_count for one in image.channels] == [8, 10]


@pytest.mark.parametrize(("name", "dtype"), [("out.czi", "float32"), ("out.tif", "uint32")])
def test_large_sums_have_a_type_that_holds_them(tmp_path: Path, name: str, dtype: str) -> None:
    if name == "out.tif":
        needs("tifffile", "ome-tiff")
        needs("zarr", "ome-tiff")
    stack = np.full((5, 4, 6), 65_000, np.uint16)
    imwrite(tmp_path / "stack.czi", stack, "ZYX")
    done = convert(tmp_path / "stack.czi", tmp_path / name, project="sum")
    assert done.images[0].dtype == dtype
    with open_image(tmp_path / name) as image:
        assert image.dtype == dtype
        assert (image.asarray() == 325_000).all()


def test_colours_are_projected(tmp_path: Path) -> None:
    stack = np.random.default_rng(1).integers(0, 255, (3, 10, 12, 3), np.uint8)
    imwrite(tmp_path / "stack.czi", stack, "ZYXS")
    convert(tmp_path / "stack.czi", tmp_path / "out.czi", project="max", roi=(1, 2, 5, 6))
    with CziImage(tmp_path / "out.czi") as image:
        assert np.array_equal(image.get_image_data("YXS"), stack.max(0)[2:8, 1:6])


def test_from_another_format_to_a_czi(stack: Path, tmp_path: Path, pixels: Any) -> None:
    needs("tifffile", "ome-tiff")
    needs("ome_types", "ome-tiff")
    needs("zarr", "ome-tiff")
    there, back = tmp_path / "there.ome.tif", tmp_path / "back.czi"
    convert(stack, there, scenes="right")
    convert(there, back, roi=(10, 5, 20, 12), project="max")
    with CziImage(back) as image:
        assert np.array_equal(image.asarray()[:, :, 0], pixels.max(2))
        assert [one.emission_wavelength for one in image.channels] == [465.0, 509.0]


def test_an_open_image_gives_excerpts_too(stack: Path, tmp_path: Path, pixels: Any) -> None:
    with CziImage(stack) as image:
        image.save(tmp_path / "out.czi", roi=ROI, project="max")
    with CziImage(tmp_path / "out.czi") as image:
        assert np.array_equal(image.asarray()[:, :, 0], pixels.max(2))


def test_a_picture_of_a_projection(stack: Path, tmp_path: Path, pixels: Any) -> None:
    needs("PIL", "cli")
    convert(stack, tmp_path / "out.png", roi=ROI, plane={"C": 1, "T": 2}, project="max")
    with open_image(tmp_path / "out.png") as image:
        assert np.array_equal(np.squeeze(image.asarray()), pixels[2, 1].max(0))


def test_tiles_inside_the_region_move_as_they_are(stack: Path, tmp_path: Path) -> None:
    convert(stack, tmp_path / "out.czi", roi=(0, 0, 60, 30))
    before = stored_blocks(stack)
    assert all(block in before for block in stored_blocks(tmp_path / "out.czi"))


def test_each_scene_becomes_a_file(stack: Path, target: Path) -> None:
    done = convert(stack, target, split_scenes=True)
    ending = target.name[len("out") :]
    names = [f"out_left{ending}", f"out_right{ending}"]
    assert [Path(one).name for one in done.files] == names
    assert len(done.images) == 2
    for name, scene in zip(names, ("left", "right")):
        with open_image(target.parent / name) as image, CziImage(stack, scene=scene) as whole:
            assert image.scenes == (scene,)
            assert np.array_equal(image.asarray(), whole.asarray())


def test_scenes_outside_the_region_make_no_file(stack: Path, tmp_path: Path) -> None:
    done = convert(stack, tmp_path / "out.czi", split_scenes=True, roi=ROI)
    assert [Path(one).name for one in done.files] == ["out_right.czi"]


def test_nothing_is_written_if_one_of_the_files_exists(stack: Path, tmp_path: Path) -> None:
    (tmp_path / "out_right.czi").touch()
    with pytest.raises(FileExistsError):
        convert(stack, tmp_path / "out.czi", split_scenes=True)
    assert not (tmp_path / "out_left.czi").exists()


def test_scenes_whose_files_are_complete_are_left_out(stack: Path, target: Path) -> None:
    ending = target.name[len("out") :]
    left, right = (target.with_name(f"out_{scene}{ending}") for scene in ("left", "right"))
    convert(stack, left, scenes="left")
    before = left.stat().st_mtime_ns
    done = convert(stack, target, split_scenes=True, resume=True)
    assert [Path(one) for one in done.files] == [right]
    assert [one.name for one in done.images] == ["right"]
    assert left.stat().st_mtime_ns == before
    with open_image(right) as image, CziImage(stack, scene="right") as whole:
        assert np.array_equal(image.asarray(), whole.asarray())
    with pytest.raises(FileExistsError):
        convert(stack, target, split_scenes=True, resume=True)


def test_names_of_scenes_become_names_of_files(tmp_path: Path) -> None:
    names = ["A/1", "A:1", "ä", "a_1", "A_1-2"]
    content = DocumentContent(scenes=[SceneInfo(n, name) for n, name in enumerate(names)])
    with create_czi(tmp_path / "in.czi") as document:
        document.write_metadata(content=content)
        for scene in range(len(names)):
            document.write(np.zeros((4, 4), np.uint8), (10 * scene, 0), scene=scene)
    done = convert(tmp_path / "in.czi", tmp_path / "out.czi", split_scenes=True, dry_run=True)
    assert [Path(one).name for one in done.files] == [
        "out_A_1.czi",
        "out_A_1-2.czi",
        "out_ä.czi",
        "out_a_1-3.czi",
        "out_A_1-2-2.czi",
    ]
    assert not list(tmp_path.glob("out*"))


def test_a_dry_run_tells_the_size_of_the_excerpt(stack: Path, target: Path) -> None:
    plan = convert(stack, target, roi=ROI, project="max", dry_run=True)
    assert plan.images[0].shape == (3, 2, 1, 12, 20)
    assert not target.exists()
    assert convert(stack, target, roi=ROI, dry_run=True).images[0].shape == (3, 2, 4, 12, 20)


@pytest.mark.parametrize(
    ("how", "error", "message"),
    [
        ({"roi": (5000, 0, 3, 3)}, OutOfBoundsError, "lies outside .*left at"),
        ({"roi": (0, 0, 0, 3)}, ValueError, "empty"),
        ({"project": "median"}, ValueError, "max, mean, sum"),
        ({"project": 5}, ValueError, "max, mean, sum.*not 5"),
        ({"plane": "C=0"}, TypeError, "plane must be a mapping.*not 'C=0'"),
        ({"project": {"Q": "max"}}, ValueError, "'Q' is no dimension"),
        ({"project": {"X": "max"}}, ValueError, "'X' is no dimension"),
        ({"plane": {"H": 0}}, OutOfBoundsError, "no dimension H"),
        ({"plane": {"Z": 9}}, OutOfBoundsError, "Z=9"),
        ({"plane": {"C": "RFP"}}, OutOfBoundsError, "RFP"),
        ({"plane": {"Z": []}}, OutOfBoundsError, "no plane"),
    ],
)
@pytest.mark.parametrize("name", ["out.czi", "out.tif"])
def test_what_is_not_there_is_refused(
    stack: Path,
    tmp_path: Path,
    how: dict[str, Any],
    error: type[Exception],
    message: str,
    name: str,
) -> None:
    needs("tifffile", "ome-tiff")
    with pytest.raises(error, match=message):
        convert(stack, tmp_path / name, **how)
    assert not (tmp_path / name).exists()
