"""The napari reader: image layers, one for each channel, read when they are looked at.

napari itself is not imported; the manifest ``czictypes/napari.yaml`` names `get_reader`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path, PurePosixPath
from typing import Any, Union
from urllib.parse import urlsplit

from czictypes.arrays.image import CziImage
from czictypes.arrays.pictures import overview_limits
from czictypes.exchange.locations import location_path
from czictypes.model.errors import CorruptFileError
from czictypes.model.lazy import require
from czictypes.reading.contrast import Contrast
from czictypes.remote.urls import is_url

#: What napari takes for a layer: data, its arguments, and ``"image"``.
LayerData = tuple[Any, dict[str, Any], str]
PathOrPaths = Union[str, "os.PathLike[str]", Sequence[str]]

_PIXEL = "pixel"


def get_reader(path: PathOrPaths) -> Callable[[PathOrPaths], list[LayerData]] | None:
    """Return `read_layers` for one or several ``.czi`` files, None for anything else."""
    paths = _paths(path)
    if not paths or not all(location_path(one).endswith(".czi") for one in paths):
        return None
    return read_layers


def read_layers(path: PathOrPaths, contrast: Contrast = "file") -> list[LayerData]:
    """Return the image layers of one or several files.

    Each channel is a layer with the levels that the file stores, in ZEN's colour and contrast, in
    micrometres (and seconds) where the file tells them. Scenes of equal shape lie behind each
    other, along a first axis; others are layers of their own, each at its place on the stage, or
    in the plane of the document where that is not known. `contrast` is that of
    `CziReader.composite`.
    """
    layers = []
    for one in _paths(path):
        with CziImage(one, empty_alpha="opaque") as image:
            layers += _layers_of(image, one, contrast)
    return layers


def _paths(path: PathOrPaths) -> list[str]:
    if isinstance(path, (str, os.PathLike)):
        return [os.fspath(path)]
    return [os.fspath(one) for one in path]


def _layers_of(image: CziImage, path: str, contrast: Contrast) -> list[LayerData]:
    names = list(map(str, image.scenes))
    scenes = []
    for index in range(len(names)):
        image.set_scene(index)
        scenes.append([_real(image.to_dask(level.index)) for level in image.levels])
    shapes = {tuple((level.shape, level.dtype) for level in levels) for levels in scenes}
    if len(scenes) > 1 and len(shapes) == 1:
        image.set_scene(0)
        da = require("dask.array", extra="napari", doing="reading for napari")
        stacked = [da.stack(levels) for levels in zip(*scenes)]
        return [_layer(image, stacked, path, list(names), contrast)]
    layers = []
    for index, levels in enumerate(scenes):
        image.set_scene(index)
        layers.append(_layer(image, levels, path, [names[index]], contrast))
    return layers


def _real(array: Any) -> Any:
    """Return complex numbers as magnitudes, since napari cannot show them."""
    return abs(array) if array.dtype.kind == "c" else array


def _layer(
    image: CziImage, levels: list[Any], path: str, scenes: list[str], contrast: Contrast
) -> LayerData:
    """Return the data of all channels of a scene, or of several stacked ones."""
    order = image.dims.order
    axes = ["scene"] * (len(scenes) > 1) + list(order)
    spatial = [name for name in axes if name not in "CS"]
    is_color = "S" in order
    steps, units = _steps(image)
    start = _start(image, steps) if len(scenes) == 1 else {}
    options: dict[str, Any] = {
        "channel_axis": axes.index("C"),
        "name": _layer_names(image, path, scenes),
        "scale": tuple(steps.get(name, 1.0) for name in spatial),
        "translate": tuple(start.get(name, 0.0) for name in spatial),
        "multiscale": len(levels) > 1,
        "rgb": is_color,
        "visible": _visible(image),
        "metadata": {"path": path, "scenes": scenes, "czi": _document(image)},
    }
    if not is_color:
        options["colormap"] = [_colormap(color) for color in image.channel_colors]
        options["contrast_limits"] = overview_limits(image, contrast)
    if _takes_units():
        options["axis_labels"] = tuple(spatial)
        options["units"] = tuple(units.get(name, _PIXEL) for name in spatial)
    return (levels if len(levels) > 1 else levels[0]), options, "image"


def _layer_names(image: CziImage, path: str, scenes: list[str]) -> list[str]:
    """Name each channel, with its scene where the file has several layers of it."""
    stem = PurePosixPath(urlsplit(path).path).stem if is_url(path) else Path(path).stem
    several = len(image.scenes) > 1 and len(scenes) == 1
    where = f"{stem} {scenes[0]}" if several else stem
    return [f"{where} {channel}" for channel in image.channel_names]


def _steps(image: CziImage) -> tuple[dict[str, float], dict[str, str]]:
    """Return the distance of neighbours along each axis, and its unit, where both are known."""
    scale = image.scale
    steps = {name: size for name, size in scale._asdict().items() if size}
    units = {name: "second" if name == "T" else "micrometer" for name in steps}
    return steps, units


def _start(image: CziImage, steps: dict[str, float]) -> dict[str, float]:
    """Return where the scene lies: on the stage, or in the plane of the document."""
    origin = image.origin
    if origin is not None:
        return {"X": origin[0], "Y": origin[1]}
    number = image.scene_number
    if number is None:
        return {}
    box = image.reader.scenes_bounding_rectangle_no_pyramid[number]
    return {"X": box.x * steps.get("X", 1.0), "Y": box.y * steps.get("Y", 1.0)}


def _document(image: CziImage) -> dict[str, Any]:
    """Return the document's metadata; nothing if they are damaged."""
    try:
        return image.metadata
    except CorruptFileError:
        return {}


def _colormap(color: tuple[int, int, int] | None) -> str:
    if color is None or color == (255, 255, 255):
        return "gray"
    return "#{:02X}{:02X}{:02X}".format(*color)


def _visible(image: CziImage) -> list[bool]:
    """Return which channels are switched on in ZEN."""
    settings = image.reader.display_settings
    channels = list(image.reader.pixel_types)
    shown = [channel not in settings or settings[channel].is_enabled for channel in channels]
    return shown if any(shown) else [True] * len(shown)


def _takes_units() -> bool:
    """Return whether napari knows units and labels of axes, as it does since 0.5."""
    try:
        major, minor = version("napari").split(".")[:2]
        return (int(major), int(minor)) >= (0, 5)
    except (PackageNotFoundError, ValueError):
        return True
