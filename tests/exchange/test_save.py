"""CziImage.save: what `convert` writes, of an image that is open."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from extras import needs
from files.block import Block
from files.builder import write_czi
from files.patterns import noise
from files.recipes import Made

from czictypes import CziImage, convert, czi, imread
from czictypes.model.errors import ClosedError, CorruptFileError, DamagedTileWarning
from czictypes.model.pixel_types import PixelType

KINDS: dict[str, tuple[str, str | None]] = {
    "czi": ("numpy", None),
    "ome.tiff": ("tifffile", "ome-tiff"),
    "tif": ("tifffile", "ome-tiff"),
    "ome.zarr": ("ngff_zarr", "ome-zarr"),
    "ozx": ("ngff_zarr", "ome-zarr"),
}


def opened(source: Path, how: str) -> Any:
    if how == "path":
        return source
    if how == "file object":
        return io.BytesIO(source.read_bytes())
    needs("fsspec", "remote").filesystem("memory").pipe("/save/source.czi", source.read_bytes())
    return "memory://save/source.czi"


def back(target: Path, folder: Path) -> list[np.ndarray[Any, Any]]:
    """Return the pixels of all scenes, from a CZI that is made of the target."""
    if target.suffix != ".czi":
        convert(target, folder / "back.czi", overwrite=True)
        target = folder / "back.czi"
    with CziImage(target) as image:
        return [imread(image.reader, scene=scene) for scene in range(len(image.scenes))]


@pytest.mark.parametrize("how", ["path", "file object", "URL"])
@pytest.mark.parametrize("kind", KINDS)
def test_all_scenes_are_saved_and_the_image_stays_as_it_is(
    made: Callable[[str], Made], tmp_path: Path, kind: str, how: str
) -> None:
    needs(*KINDS[kind])
    source = made("multi_scene_pyramid").path
    with CziImage(opened(source, how), 1) as image:
        image.set_resolution_level(1)
        before = image.data
        done = image.save(tmp_path / f"out.{kind}")
        assert [one.name for one in done.images] == list(image.scenes)
        assert (image.current_scene_index, image.current_resolution_level) == (1, 1)
        np.testing.assert_array_equal(image.data, before)
        image.set_resolution_level(0)
        for pixels, scene in zip(back(tmp_path / f"out.{kind}", tmp_path), image.scenes):
            np.testing.assert_array_equal(pixels, imread(image.reader, scene=scene))


@pytest.mark.parametrize("kind", KINDS)
def test_scenes_are_selected_by_name_or_number(
    made: Callable[[str], Made], tmp_path: Path, kind: str
) -> None:
    needs(*KINDS[kind])
    with CziImage(made("multi_scene_pyramid").path) as image:
        name = image.scenes[1]
        done = image.save(tmp_path / f"out.{kind}", select_scenes=[name])
        assert [one.name for one in done.images] == [name]
        [pixels] = back(tmp_path / f"out.{kind}", tmp_path)
        np.testing.assert_array_equal(pixels, imread(image.reader, scene=1))
        again = image.save(tmp_path / f"out.{kind}", 1, overwrite=True)
        assert again.images == done.images


def test_a_png_has_the_current_scene(made: Callable[[str], Made], tmp_path: Path) -> None:
    pictures = needs("PIL.Image", "cli")
    with CziImage(made("multi_scene_pyramid").path, 1) as image:
        where = dict.fromkeys("TCZ", 0)
        image.save(tmp_path / "out.png", plane=where)
        with pictures.open(tmp_path / "out.png") as picture:
            np.testing.assert_array_equal(np.asarray(picture), image.read_block(where))


@pytest.mark.parametrize("tiles", [False, True])
def test_a_mosaic_is_saved_stitched(
    made: Callable[[str], Made], tmp_path: Path, tiles: bool
) -> None:
    needs("tifffile", "ome-tiff")
    with CziImage(made("mosaic").path, mosaic=not tiles) as image:
        image.save(tmp_path / "out.ome.tiff")
        np.testing.assert_array_equal(
            back(tmp_path / "out.ome.tiff", tmp_path)[0], image.mosaic_data
        )


def test_a_copy_may_take_the_place_of_its_source(
    made: Callable[[str], Made], tmp_path: Path
) -> None:
    path = tmp_path / "a.czi"
    path.write_bytes(made("multi_scene_pyramid").path.read_bytes())
    with CziImage(path) as image:
        expected = imread(path, scene=1)
        with pytest.raises(FileExistsError):
            image.save(path)
        image.save(path, [1], overwrite=True)
    np.testing.assert_array_equal(imread(path), expected)


def test_options_go_to_convert(made: Callable[[str], Made], tmp_path: Path) -> None:
    needs("ngff_zarr", "ome-zarr")
    path = made("stack").path
    with CziImage(path) as image:
        planned = image.save(tmp_path / "a.zarr", version="0.4", levels=1, dry_run=True)
        assert planned.images == convert(path, tmp_path / "a.zarr", levels=1, dry_run=True).images
        assert not planned.written
        assert planned.source == str(path)
        with pytest.raises(ValueError, match="version"):
            image.save(tmp_path / "a.tif", version="0.4")
        with pytest.raises(ValueError, match="does not end in the name of a format"):
            image.save(tmp_path / "a.nd2")
        with pytest.raises(TypeError, match=r"save\(\) takes the options .* none named 'like'"):
            image.save(tmp_path / "a.tif", like=image)
        for opening in ({"on_error": "blank"}, {"parts": []}, {"source_options": {}}):
            with pytest.raises(ValueError, match="when you open it"):
                image.save(tmp_path / "a.tif", **opening)  # type: ignore[arg-type]
    with pytest.raises(ClosedError):
        image.save(tmp_path / "a.tif")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("kind", ["czi", "tif"])
def test_damage_is_left_out_as_the_image_was_opened(tmp_path: Path, kind: str) -> None:
    needs(*KINDS[kind])
    tiles = [Block(noise(PixelType.Gray8, 8, 8, m), 8 * m, 0, m=m) for m in range(3)]
    tiles[1] = Block(tiles[1].pixels, 8, 0, m=1, payload=b"too short")
    damaged = write_czi(tmp_path / "damaged.czi", tiles)
    target = tmp_path / f"out.{kind}"
    with CziImage(damaged) as image, pytest.raises(CorruptFileError):
        image.save(target)
    with CziImage(damaged, on_error="blank") as image, pytest.warns(DamagedTileWarning):
        done = image.save(target)
    assert list(done.damaged) == [1]
    [pixels] = back(target, tmp_path)
    np.testing.assert_array_equal(pixels[0, 0, 0, :, :8], tiles[0].pixels[..., 0])
    assert not pixels[..., 8:16].any()


def test_an_open_reader_is_a_source_too(made: Callable[[str], Made], tmp_path: Path) -> None:
    path = made("stack").path
    with czi.open_czi(path) as document:
        convert(document, tmp_path / "out.czi")
        assert document.source == path
        np.testing.assert_array_equal(imread(tmp_path / "out.czi"), imread(document))
