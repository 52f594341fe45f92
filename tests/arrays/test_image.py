"""CziImage: dims, scenes, levels, and the pixels that CziReader reads."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from extras import needs
from files.recipes import Made
from numpy.typing import NDArray

import czictypes
from czictypes import CziImage, czi


def test_a_stack_is_a_five_dimensional_array(made: Callable[[str], Made]) -> None:
    with CziImage(made("stack").path) as image:
        assert image.dims.order == "TCZYX"
        assert image.shape == (3, 2, 4, 15, 21)
        assert image.dtype == np.uint16
        assert image.sizes == {"T": 3, "C": 2, "Z": 4, "Y": 15, "X": 21}
        assert (image.dims.Z, image.dims["Y", "X"]) == (4, (15, 21))


def test_full_resolution_is_what_the_reader_reads(every_real_file: Path) -> None:
    with CziImage(every_real_file) as image, czi.open_czi(every_real_file) as document:
        for name in image.scenes:
            image.set_scene(name)
            pixels = image.asarray()
            for place in np.ndindex(pixels.shape[:3]):
                plane = dict(zip("TCZ", place))
                theirs = document.read(plane=plane, scene=image.scene_number)
                ours = pixels[place] if "S" in image.dims else pixels[place][..., None]
                np.testing.assert_array_equal(ours, theirs[..., ::-1])


def test_every_plane_of_a_file_is_what_the_reader_reads(every_made: Made) -> None:
    if not every_made.blocks:
        pytest.skip("it has no pixels")
    with CziImage(every_made.path) as image, czi.open_czi(every_made.path) as document:
        for scene in (*image.scenes, "all"):
            image.set_scene(scene)
            rois = document.scenes_bounding_rectangle_no_pyramid
            roi = rois.get(image.scene_number, document.total_bounding_rectangle_no_pyramid)
            for plane in every_made.planes:
                found = plane_of(image, document, plane)
                if found is None:
                    continue  # a plane of another scene
                kinds = image._layout.pixel_types
                kind = kinds[plane.get("C", min(kinds))].name
                expected = document.read(roi, plane, image.scene_number, pixel_type=kind)
                if "S" not in image.dims:
                    found = found[..., None]
                assert (found[..., :3] == as_rgb(expected, min(found.shape[2], 3))).all()


def plane_of(
    image: CziImage, document: czi.CziReader, plane: Mapping[str, int]
) -> NDArray[Any] | None:
    """Return the pixels of a plane, whose numbers are those of the file."""
    ranges = image._layout.planes
    where = dict.fromkeys(ranges, 0)
    for name, at in plane.items():
        if name in ranges and document.total_bounding_box[name] != (at, at + 1):
            if at not in ranges[name]:
                return None
            where[name] = ranges[name].index(at)
    return image.read_block(where)


def as_rgb(pixels: NDArray[Any], samples: int) -> NDArray[Any]:
    order = [2, 1, 0] if pixels.shape[2] > 1 else [0] * samples
    return pixels[..., order]


def test_an_image_pickles_as_what_was_opened(made: Callable[[str], Made]) -> None:
    with CziImage(made("multi_scene_pyramid").path, 2) as image:
        with pickle.loads(pickle.dumps(image)) as copy:
            assert copy.current_scene == image.current_scene
            assert (copy.asarray() == image.asarray()).all()


def test_a_lazy_array_has_the_same_pixels(made: Callable[[str], Made]) -> None:
    needs("dask.array", "dask")
    with CziImage(made("stack").path) as image:
        lazy = image.to_dask()
        assert lazy.chunksize == (1, 1, 4, 15, 21)
        assert (lazy.compute() == image.data).all()
        assert (image.to_dask(chunks={"T": 2, "X": 4}).compute() == image.data).all()
    assert (czictypes.imread(made("stack").path, dask=True).compute() == lazy.compute()).all()


def test_scenes_are_chosen_by_name_or_index(made: Callable[[str], Made]) -> None:
    with CziImage(made("gapped_scenes").path, -1) as image:
        assert image.scenes == ("Image:1", "Image:4")
        assert (image.current_scene, image.current_scene_index, image.scene_number) == (
            "Image:4",
            1,
            4,
        )
        image.set_scene("Image:1")
        assert (image.current_scene_index, image.scene_number) == (0, 1)
        image.set_scene("all")
        assert (image.current_scene, image.current_scene_index, image.scene_number) == (
            "all",
            None,
            None,
        )
        assert image.shape[-2:] == (10, 30)
        with pytest.raises(IndexError, match=r"no scene 2; the scenes are 'Image:1', 'Image:4'"):
            image.set_scene(2)


def test_an_image_of_a_reader_leaves_it_open(made: Callable[[str], Made]) -> None:
    with czi.open_czi(made("stack").path) as document:
        with CziImage(document) as image:
            pixels = image.asarray()
        assert (document.read()[..., 0] == pixels[0, 0, 0]).all()
        with pickle.loads(pickle.dumps(image)) as copy:
            assert (copy.asarray() == pixels).all()
        assert copy.closed


def test_an_image_says_what_it_is(made: Callable[[str], Made]) -> None:
    with CziImage(made("stack").path) as image:
        sizes = "{'T': 3, 'C': 2, 'Z': 4, 'Y': 15, 'X': 21}"
        assert repr(image) == f"<CziImage 'Image:0' {sizes} uint16>"
    assert repr(image).startswith("<closed CziImage of")
    with pytest.raises(ValueError, match="is closed"):
        image.asarray()


def test_a_file_without_tiles_has_no_array(made: Callable[[str], Made]) -> None:
    with CziImage(made("empty").path) as image:
        with pytest.raises(czictypes.errors.OutOfBoundsError, match="no sub-blocks"):
            image.shape  # noqa: B018


def test_a_scene_that_is_not_there_is_named(made: Callable[[str], Made]) -> None:
    with pytest.raises(czictypes.errors.OutOfBoundsError, match=r"'B2'.*'Image:0'"):
        CziImage(made("stack").path, "B2")


def test_an_image_has_the_attachments_of_its_document(made: Callable[[str], Made]) -> None:
    with CziImage(made("attached").path) as image:
        assert image.attachments.names == ["TimeStamps", "EventList", "Notes"]
        assert image.attachments["Notes"].data == b"nothing known"
