"""The imageio plug-in: scenes as images, by name and by extension."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from extras import needs
from files.recipes import Made

from czictypes import CziImage

iio = needs("imageio.v3", "imageio")
plugins = needs("imageio.config.plugins", "imageio")
extensions = needs("imageio.config.extensions", "imageio")
plugin = needs("czictypes.plugins.imageio", "imageio")
CziPlugin = plugin.CziPlugin


@pytest.fixture
def registered() -> Iterator[None]:
    """Register with imageio for the length of a test."""
    known = dict(plugins.known_plugins)
    listed = {name: list(found) for name, found in extensions.known_extensions.items()}
    plugin.register()
    plugin.register()
    yield
    for table, before in (
        (plugins.known_plugins, known),
        (extensions.known_extensions, listed),
    ):
        table.clear()
        table.update(before)
    extensions.extension_list[:] = [
        one for one in extensions.extension_list if one.extension != ".czi"
    ]


@pytest.mark.usefixtures("registered")
def test_imread_knows_the_extension_and_the_name(made: Callable[[str], Made]) -> None:
    path = made("stack").path
    with CziImage(path) as image:
        np.testing.assert_array_equal(iio.imread(path), image.data)
        np.testing.assert_array_equal(iio.imread(path, plugin="czictypes"), image.data)
    assert [one.extension for one in extensions.extension_list].count(".czi") == 1


def test_a_part_of_a_scene(real_file: Callable[[str], Path]) -> None:
    path = real_file("S3_1Pos_2Mosaic_T2_Z3_CH2_sm.czi")
    part = iio.imread(path, index="P1", C=1, T=0, Z=slice(1, 3), plugin=CziPlugin)
    with CziImage(path, "P1") as image:
        np.testing.assert_array_equal(part, image.get_image_data("ZYX", C=1, T=0, Z=slice(1, 3)))


def test_a_smaller_level(made: Callable[[str], Made]) -> None:
    path = made("multi_scene_pyramid").path
    with CziImage(path, 2) as image:
        found = iio.imread(path, index=2, level=1, plugin=CziPlugin)
        np.testing.assert_array_equal(found, image.asarray(1))


def test_iteration_gives_the_scenes(made: Callable[[str], Made]) -> None:
    path = made("overlapping_scenes").path
    scenes = list(iio.imiter(path, plugin=CziPlugin))
    with CziImage(path) as image:
        for index, scene in enumerate(scenes):
            image.set_scene(index)
            np.testing.assert_array_equal(scene, image.data)
    assert len(scenes) == 2


def test_all_scenes_are_stacked_where_their_shapes_allow_it(
    made: Callable[[str], Made],
) -> None:
    path = made("gapped_scenes").path
    stacked = iio.imread(path, index=..., plugin=CziPlugin)
    assert stacked.shape == (2, 1, 1, 1, 10, 10)
    properties = iio.improps(path, index=..., plugin=CziPlugin)
    assert (properties.shape, properties.n_images) == (stacked.shape, 2)
    with pytest.raises(ValueError, match="the scenes differ in shape"):
        iio.imread(made("multi_scene_pyramid").path, index=..., plugin=CziPlugin)


def test_properties_tell_shape_and_spacing(real_file: Callable[[str], Path]) -> None:
    path = real_file("S3_1Pos_2Mosaic_T2_Z3_CH2_sm.czi")
    properties = iio.improps(path, index=0, plugin=CziPlugin)
    assert properties.shape == (2, 2, 3, 122, 295)
    assert properties.dtype == np.dtype("uint16")
    assert properties.spacing == pytest.approx((33.412002, 1.0, 1.0, 1.6, 1.6))
    assert not properties.is_batch


def test_metadata_of_the_document_and_of_a_scene(
    real_file: Callable[[str], Path],
) -> None:
    path = real_file("S3_1Pos_2Mosaic_T2_Z3_CH2_sm.czi")
    assert "ImageDocument" in iio.immeta(path, index=..., plugin=CziPlugin)
    scene = iio.immeta(path, index=1, plugin=CziPlugin)
    assert (scene["scene"], scene["axes"]) == ("P1", "TCZYX")
    assert scene["channel_names"] == ["DAPI", "EGFP"]


@pytest.mark.parametrize("opened", [bytes, io.BytesIO], ids=["bytes", "stream"])
def test_bytes_and_streams(made: Callable[[str], Made], opened: Callable[[bytes], Any]) -> None:
    path = made("rgb").path
    with CziImage(path) as image:
        found = iio.imread(opened(path.read_bytes()), plugin=CziPlugin)
        np.testing.assert_array_equal(found, image.data)


def test_what_is_no_czi_is_left_to_others(tmp_path: Path, made: Callable[[str], Made]) -> None:
    other = tmp_path / "other.czi"
    other.write_bytes(b"GIF89a")
    request = needs("imageio.core.request", "imageio")
    with pytest.raises(request.InitializationError, match="no CZI"):
        CziPlugin(request.Request(other, "r"))
    with pytest.raises(request.InitializationError, match="imwrite"):
        CziPlugin(request.Request(tmp_path / "new.czi", "w"))
    with pytest.raises(ValueError, match="no scene 5"):
        iio.imread(made("single").path, index=5, plugin=CziPlugin)
