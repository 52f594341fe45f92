"""The napari reader: layers as napari takes them, in a viewer without a window."""

from __future__ import annotations

import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from extras import needs, needs_napari
from files.block import Block
from files.builder import write_czi
from files.patterns import noise
from files.recipes import Made

import czictypes
from czictypes import CziImage, czi
from czictypes.model.pixel_types import PixelType

needs("dask.array", "napari")
plugin = needs("czictypes.plugins.napari", "napari")
MANIFEST = Path(czictypes.__file__).parent / "napari.yaml"


def layers_of(path: Path) -> list[tuple[Any, dict[str, Any], str]]:
    reader = plugin.get_reader(str(path))
    assert reader is not None
    layers: list[tuple[Any, dict[str, Any], str]] = reader(str(path))
    return layers


def test_only_czi_files_are_taken(tmp_path: Path) -> None:
    assert plugin.get_reader("image.CZI") is plugin.read_layers
    assert plugin.get_reader(["a.czi", "b.czi"]) is plugin.read_layers
    assert plugin.get_reader(["a.czi", "b.tif"]) is None
    assert plugin.get_reader(str(tmp_path)) is None
    assert plugin.get_reader([]) is None
    assert plugin.get_reader("https://host/image.czi?token=1.tif") is plugin.read_layers


def test_the_reader_needs_no_napari() -> None:
    code = "import sys, czictypes.plugins.napari; assert 'napari' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_channels_have_the_look_that_zen_gave_them(
    real_file: Callable[[str], Path],
) -> None:
    path = real_file("LLS7_small.czi")
    ((data, options, kind),) = layers_of(path)
    assert kind == "image"
    assert data.shape == (2, 2, 3, 64, 64)
    assert options["channel_axis"] == 1
    assert options["colormap"] == ["#FF00FF", "#00FF00"]
    assert options["visible"] == [True, False]
    assert options["axis_labels"] == ("T", "Z", "Y", "X")
    assert options["units"] == ("second", "micrometer", "micrometer", "micrometer")
    with CziImage(path) as image:
        assert options["contrast_limits"] == image.contrast_limits
        np.testing.assert_allclose(options["scale"], [image.scale.T, *image.scale[2:]])
        np.testing.assert_array_equal(data.compute(), image.data)
    assert options["metadata"]["czi"]["ImageDocument"]


def test_stored_levels_are_a_lazy_pyramid(made: Callable[[str], Made]) -> None:
    path = made("multi_scene_pyramid").path
    layers = layers_of(path)
    assert len(layers) == 3  # the scenes differ in shape
    with CziImage(path) as image:
        for index, (levels, options, _) in enumerate(layers):
            image.set_scene(index)
            assert options["multiscale"]
            assert [level.shape[-1] for level in levels] == [one.width for one in image.levels]
            for level, lazy in enumerate(levels):
                np.testing.assert_array_equal(lazy.compute(), image.asarray(level))


def test_scenes_without_a_stage_lie_as_in_the_document(
    made: Callable[[str], Made],
) -> None:
    starts = [
        options["translate"][-2:] for _, options, _ in layers_of(made("overlapping_scenes").path)
    ]
    assert starts == [(0.0, 0.0), (0.0, 25.0)]


def test_scenes_lie_at_their_place_on_the_stage(
    real_file: Callable[[str], Path],
) -> None:
    path = real_file("S3_1Pos_2Mosaic_T2_Z3_CH2_sm.czi")
    with CziImage(path, "TR2") as image:
        assert image.origin is not None
        x, y = image.origin
    (_, options, _) = layers_of(path)[2]
    assert options["translate"] == (0.0, 0.0, y, x)
    assert options["name"] == [f"{path.stem} TR2 DAPI", f"{path.stem} TR2 EGFP"]


def test_scenes_of_one_shape_lie_behind_each_other(tmp_path: Path) -> None:
    wells = np.arange(3 * 2 * 8 * 9, dtype=np.uint8).reshape(3, 2, 8, 9)
    czi.imwrite(tmp_path / "wells.czi", wells, axes="SCYX")
    ((data, options, _),) = layers_of(tmp_path / "wells.czi")
    np.testing.assert_array_equal(data.compute(), wells[:, np.newaxis, :, np.newaxis])
    assert options["axis_labels"] == ("scene", "T", "Z", "Y", "X")
    assert options["channel_axis"] == 2


def test_a_colour_image_is_one_layer(real_file: Callable[[str], Path]) -> None:
    ((data, options, _),) = layers_of(real_file("RGB-8bit.czi"))
    assert options["rgb"]
    assert data.shape[-1] == 3
    assert "colormap" not in options


def test_several_files_are_opened_together(made: Callable[[str], Made]) -> None:
    paths = [str(made("single").path), str(made("stack").path)]
    assert len(plugin.read_layers(paths)) == 2


def test_a_url_is_opened(made: Callable[[str], Made]) -> None:
    fs = needs("fsspec", "remote").filesystem("memory")
    fs.pipe("/napari/single.czi", made("single").path.read_bytes())
    ((data, options, _),) = plugin.read_layers("memory://napari/single.czi")
    assert options["name"] == ["single only"]
    with CziImage(made("single").path) as image:
        np.testing.assert_array_equal(data.compute(), image.data)
    fs.rm("/napari", recursive=True)


@pytest.fixture(scope="module")
def napari() -> Any:
    """Import what a viewer is without its window; it needs no Qt and no display."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # napari and pydantic warn of each other
        needs_napari("napari.components")
        return sys.modules["napari"]


@pytest.fixture(scope="module")
def npe2() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # npe2 uses what pydantic wants to be rid of
        return needs("npe2")


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_a_viewer_takes_every_real_file(napari: Any, every_real_file: Path) -> None:
    viewer = napari.components.ViewerModel()
    for data, options, _ in layers_of(every_real_file):
        viewer.add_image(data, **options)
    with CziImage(every_real_file) as image:
        first = viewer.layers[0]
        shown = np.asarray(first.data[0] if first.multiscale else first.data)
        np.testing.assert_array_equal(shown, image.get_image_data(shown_axes(image), C=0))
        assert len(viewer.layers) == len(image.scenes) * image.sizes["C"]


def shown_axes(image: CziImage) -> str:
    return image.dims.order.replace("C", "")


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_the_manifest_leads_to_the_reader(npe2: Any, made: Callable[[str], Made]) -> None:
    manifest = npe2.PluginManifest.from_file(MANIFEST)
    manifest.validate_imports()
    assert manifest.name == "czictypes"
    manager = npe2.PluginManager()
    manager.register(manifest)
    manager.activate("czictypes")
    ((data, options, kind),) = read_with(manager, made("single").path)
    assert (kind, data.shape[-2:]) == ("image", (12, 17))
    assert options["name"] == ["single only"]


def read_with(manager: Any, path: Path) -> list[Any]:
    reader = next(iter(manager.iter_compatible_readers([str(path)])))
    options = {"path": [str(path)], "stack": False}
    found = reader.exec(kwargs=options, _registry=manager.commands)
    return list(found([str(path)], stack=False))


def test_colours_without_an_alpha_are_opaque(tmp_path: Path) -> None:
    pixels = noise(PixelType.Bgra32, 20, 30, 1)
    pixels[..., 3] = 0
    ((data, options, _),) = layers_of(write_czi(tmp_path / "bgra.czi", [Block(pixels)]))
    assert options["rgb"]
    found = np.asarray(data)[0, 0, 0]
    assert (found[..., 3] == 255).all()
    assert np.array_equal(found[..., :3], pixels[..., 2::-1])


def test_scenes_of_other_pixel_types_are_layers_of_their_own(tmp_path: Path) -> None:
    kinds = (PixelType.Gray8, PixelType.Gray16)
    blocks = [
        Block(noise(kind, 20, 30, s), x=100 * s, plane={"C": 0, "S": s})
        for s, kind in enumerate(kinds)
    ]
    layers = layers_of(write_czi(tmp_path / "mixed.czi", blocks))
    assert [data.dtype for data, _, _ in layers] == [np.uint8, np.uint16]
