"""Montages: many planes as one picture."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from extras import needs

from czictypes import CziImage, czi, open_image, write_montage
from czictypes.czi import DocumentContent, SceneInfo, Well
from czictypes.model.errors import InvalidArgumentError, OutOfBoundsError, UnsupportedDataError

LIMITS = (0, 4000)
PLAIN: dict[str, Any] = {"labels": False, "scale_bar": False, "contrast": LIMITS}
GAP, HEIGHT, WIDTH = 4, 40, 60


@pytest.fixture
def made(tmp_path: Path) -> Callable[..., Any]:
    """Write a montage and return it as an array."""
    pictures = needs("PIL.Image", "cli")

    def make(source: Any, **options: Any) -> Any:
        done = write_montage(source, tmp_path / "out.png", overwrite=True, **options)
        with pictures.open(tmp_path / "out.png") as opened:
            pixels = np.array(opened)
        assert pixels.shape == (done.height, done.width, 3)
        return pixels

    return make


def written(path: Path, axes: str, *sizes: int, **more: Any) -> Path:
    """Write noise of HEIGHT x WIDTH."""
    pixels = np.random.default_rng(2).integers(1, 4000, (*sizes, HEIGHT, WIDTH)).astype("u2")
    czi.imwrite(path, pixels, axes, pixel_size=(1e-6, 1e-6, 2e-6), **more)
    return path


def cell(montage: Any, row: int, column: int, *, fields: int = 1) -> Any:
    """Return what is in a place; so many fields are side by side, without a gap."""
    top = GAP + row * HEIGHT + row // fields * GAP
    left = GAP + column * WIDTH + column // fields * GAP
    return montage[top : top + HEIGHT, left : left + WIDTH]


def test_times_are_rows_and_z_are_columns(tmp_path: Path, made: Any) -> None:
    path = written(tmp_path / "stack.czi", "TZYX", 2, 3)
    montage = made(path, size=WIDTH, **PLAIN)
    assert montage.shape == (2 * (HEIGHT + GAP) + GAP, 3 * (WIDTH + GAP) + GAP, 3)
    with CziImage(path) as image:
        for t in range(2):
            for z in range(3):
                assert np.array_equal(cell(montage, t, z), image.to_rgb(T=t, Z=z, contrast=LIMITS))


def test_an_image_of_another_format_has_the_same_montage(tmp_path: Path, made: Any) -> None:
    needs("tifffile", "ome-tiff")
    needs("ome_types", "ome-tiff")
    path = written(tmp_path / "stack.czi", "TZYX", 2, 3)
    with CziImage(path) as image:
        image.save(tmp_path / "stack.ome.tiff")
    with open_image(tmp_path / "stack.ome.tiff") as other:
        found = made(other, **PLAIN).astype(int)
    np.testing.assert_allclose(found, made(path, **PLAIN), atol=1)  # each has its own rounding


def test_many_places_are_row_after_row(tmp_path: Path, made: Any) -> None:
    path = written(tmp_path / "times.czi", "TYX", 7)
    montage = made(path, size=WIDTH, **PLAIN)
    columns = (montage.shape[1] - GAP) // (WIDTH + GAP)
    with CziImage(path) as image:
        for t in range(7):
            assert np.array_equal(
                cell(montage, *divmod(t, columns)), image.to_rgb(T=t, contrast=LIMITS)
            )


def test_the_places_may_be_chosen(tmp_path: Path, made: Any) -> None:
    path = written(tmp_path / "stack.czi", "TZYX", 9, 3)
    montage = made(path, plane={"T": [8, 2], "Z": 0}, size=WIDTH, **PLAIN)
    with CziImage(path) as image:
        for column, t in enumerate((8, 2)):
            expected = image.to_rgb(T=t, Z=0, contrast=LIMITS)
            assert np.array_equal(cell(montage, 0, column), expected)


def test_of_very_many_places_some_are_shown(tmp_path: Path) -> None:
    needs("PIL.Image", "cli")
    pixels = np.arange(1, 251, dtype="u1").repeat(16).reshape(250, 4, 4)
    czi.imwrite(tmp_path / "long.czi", pixels, "TYX")
    assert write_montage(tmp_path / "long.czi", tmp_path / "out.png").pictures == 100


def test_channels_are_shown_alone_and_merged(tmp_path: Path, made: Any) -> None:
    path = written(
        tmp_path / "channels.czi", "CYX", 2, channel_colors=["#FF0000", "#00FF00"],
        channel_names=["DAPI", "GFP"],
    )  # fmt: skip
    montage = made(path, size=WIDTH, **PLAIN)
    with CziImage(path) as image:
        for column, channel in enumerate(([0], [1], [0, 1])):
            expected = image.to_rgb(C=channel, contrast=LIMITS)
            assert np.array_equal(cell(montage, 0, column), expected)


def test_wells_are_in_their_places(tmp_path: Path, made: Any) -> None:
    wells = [Well("B3", 2, 3), Well("B3", 2, 3), Well("D4", 4, 4)]
    scenes = [SceneInfo(at, f"P{at}", well=well) for at, well in enumerate(wells)]
    rng = np.random.default_rng(2)
    with czi.create_czi(tmp_path / "plate.czi") as writer:
        for at in range(3):
            pixels = rng.integers(1, 4000, (HEIGHT, WIDTH)).astype("u2")
            writer.write(pixels, location=(at * 100, 0), scene=at)
        writer.write_metadata("plate", content=DocumentContent(scenes=scenes))
    montage = made(tmp_path / "plate.czi", size=WIDTH, **PLAIN)
    assert montage.shape[:2] == (3 * 2 * HEIGHT + 4 * GAP, 2 * 2 * WIDTH + 3 * GAP)
    shown = {(0, 0): 0, (0, 1): 1, (4, 2): 2}
    with CziImage(tmp_path / "plate.czi") as image:
        for row in range(6):
            for column in range(4):
                found = cell(montage, row, column, fields=2)
                if (row, column) in shown:
                    scene = shown[row, column]
                    assert np.array_equal(found, image.to_rgb(scene=scene, contrast=LIMITS))
                else:
                    assert len(np.unique(found)) == 1


def test_scenes_of_different_sizes_have_one_zoom(tmp_path: Path, made: Any) -> None:
    with czi.create_czi(tmp_path / "scenes.czi") as writer:
        writer.write(np.full((40, 60), 4000, "u2"), location=(0, 0), scene=0)
        writer.write(np.full((20, 20), 4000, "u2"), location=(100, 0), scene=1)
    montage = made(tmp_path / "scenes.czi", size=30, **PLAIN)
    assert montage.shape == (20 + 2 * GAP, 2 * 30 + 3 * GAP, 3)
    bright = (montage == 255).all(-1)
    assert bright.sum() == 20 * 30 + 10 * 10
    assert bright[GAP + 5 : GAP + 15, 2 * GAP + 30 + 10 : 2 * GAP + 30 + 20].all()


def test_all_pictures_have_one_contrast(tmp_path: Path, made: Any) -> None:
    ramp = np.linspace(1, 100, HEIGHT * WIDTH).reshape(HEIGHT, WIDTH)
    pixels = np.stack([ramp, 40 * ramp]).astype("u2")
    czi.imwrite(tmp_path / "brighter.czi", pixels, "TYX")
    options = {**PLAIN, "contrast": "auto"}
    montage = made(tmp_path / "brighter.czi", size=WIDTH, **options)
    assert cell(montage, 0, 0).max() < 20
    assert cell(montage, 0, 1).max() == 255


def test_stacks_may_be_projected_and_cut(tmp_path: Path, made: Any) -> None:
    path = written(tmp_path / "stack.czi", "TZYX", 2, 3)
    montage = made(path, project="max", roi=(10, 5, 20, 10), size=20, **PLAIN)
    with CziImage(path) as image:
        highest = image.data[:, 0].max(axis=1)[:, 5:15, 10:30]
    for at, plane in enumerate(highest):
        found = montage[GAP : GAP + 10, GAP + at * 24 :][:, :20, 0]
        np.testing.assert_allclose(found, np.clip(plane / 4000, 0, 1) * 255, atol=1)


def test_labels_and_a_scale_bar_are_drawn(tmp_path: Path, made: Any) -> None:
    czi.imwrite(tmp_path / "a.czi", np.full((2, 150, 200), 9, "u1"), "TYX", pixel_size=(1e-6, 1e-6))
    options = {**PLAIN, "contrast": (0, 255)}
    plain = made(tmp_path / "a.czi", size=200, **options)
    with_text = made(tmp_path / "a.czi", size=200, **{**options, "labels": True}) != plain
    assert with_text[GAP : GAP + 20, GAP:50].any()
    assert with_text[GAP : GAP + 20, 2 * GAP + 200 : 2 * GAP + 250].any()
    assert not with_text[GAP + 30 :].any()
    bar = made(tmp_path / "a.czi", size=200, **{**options, "scale_bar": 60})
    assert ((bar == 255).all(-1).sum(1)).max() == 60  # pixels of 1 um
    assert not (bar != plain)[:, : 200 + GAP].any()


def test_small_images_are_magnified(tmp_path: Path, made: Any) -> None:
    path = written(tmp_path / "stack.czi", "TYX", 2)
    montage = made(path, size=2 * WIDTH + 5, **PLAIN)
    with CziImage(path) as image:
        expected = image.to_rgb(contrast=LIMITS).repeat(2, 0).repeat(2, 1)
    assert np.array_equal(montage[GAP : GAP + 2 * HEIGHT, GAP : GAP + 2 * WIDTH], expected)


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"along": "H"}, InvalidArgumentError, "give one or two of S, T, C, Z"),
        ({"along": "TT"}, InvalidArgumentError, "one or two of"),
        ({"along": "Z", "plane": {"T": [0, 1]}}, InvalidArgumentError, "several places along T"),
        ({"plane": {"T": 0, "Z": 1}}, InvalidArgumentError, "one picture only"),
        ({"plane": {"T": 9}}, OutOfBoundsError, "9"),
        ({"plane": {"H": 0}}, OutOfBoundsError, "no dimension H"),
        ({"scenes": "B7"}, OutOfBoundsError, "B7"),
        ({"size": 0}, InvalidArgumentError, "size is 0"),
        ({"size": 30_000}, UnsupportedDataError, "give size="),
        ({"scale_bar": -1}, InvalidArgumentError, "scale_bar=-1"),
        ({"scale_bar": "5um"}, InvalidArgumentError, "scale_bar='5um'"),
        ({"along": 5}, InvalidArgumentError, "along=5: give one or two of"),
        ({"size": "large"}, TypeError, "size must be a whole number, not 'large'"),
        ({"contrast": "bright"}, InvalidArgumentError, "bright"),
    ],
)
def test_what_cannot_be_shown_is_refused(
    tmp_path: Path, options: dict[str, Any], error: type[Exception], said: str
) -> None:
    needs("PIL.Image", "cli")
    path = written(tmp_path / "stack.czi", "TZYX", 2, 3)
    with pytest.raises(error, match=said):
        write_montage(path, tmp_path / "out.png", **options)
    assert not (tmp_path / "out.png").exists()


def test_the_size_that_is_advised_is_taken(tmp_path: Path, made: Any) -> None:
    path = written(tmp_path / "stack.czi", "TZYX", 2, 3)
    with pytest.raises(UnsupportedDataError) as caught:
        made(path, size=30_000, **PLAIN)
    advised = int(float(str(caught.value).partition("size=")[2].partition(",")[0]))
    with pytest.raises(UnsupportedDataError):
        made(path, size=2 * advised, **PLAIN)
    done = write_montage(path, tmp_path / "advised.png", size=advised, **PLAIN)
    assert 60e6 < done.width * done.height <= 100e6


def test_a_file_that_exists_is_kept(tmp_path: Path) -> None:
    needs("PIL.Image", "cli")
    path = written(tmp_path / "stack.czi", "TYX", 2)
    (tmp_path / "out.png").write_bytes(b"mine")
    with pytest.raises(FileExistsError):
        write_montage(path, tmp_path / "out.png")
    assert (tmp_path / "out.png").read_bytes() == b"mine"
