"""The imageio (version 3) plug-in: ``iio.imread("image.czi", plugin="czictypes")``.

imageio finds no plug-ins by itself: call `register` once, or pass the class `CziPlugin`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from czictypes.arrays.image import CziImage
from czictypes.container.layout import FILE_HEADER
from czictypes.model.errors import CziError
from czictypes.model.lazy import require

if TYPE_CHECKING:
    from imageio.core.request import Request
    from imageio.core.v3_plugin_api import ImageProperties, PluginV3
else:
    _api = require("imageio.core.v3_plugin_api", extra="imageio", doing="the imageio plug-in")
    PluginV3 = _api.PluginV3

_MAGIC = FILE_HEADER.encode()
_NAME = "czictypes"


class CziPlugin(PluginV3):  # type: ignore[misc, unused-ignore]
    """Reads a CZI for imageio. One image is one scene, with the axes of `CziImage`.

    Parameters
    ----------
    request
        What imageio was asked to open.
    **options
        As for `CziImage`: storage_options, threads, ...

    Raises
    ------
    imageio.core.request.InitializationError
        If this is no CZI, or is to be written.
    """

    def __init__(self, request: Request, **options: Any) -> None:
        super().__init__(request)
        self._image: CziImage | None = None
        if request.mode.io_mode.value != "r":
            raise _refusal("czictypes.czi.imwrite writes CZI files; this plug-in reads them")
        if not _is_url(request) and request.firstbytes[: len(_MAGIC)] != _MAGIC:
            raise _refusal("this is no CZI")
        try:
            self._image = CziImage(_source(request), **options)
        except CziError as error:
            raise _refusal(str(error)) from error

    def read(self, *, index: Any = None, level: int = 0, **selection: Any) -> NDArray[Any]:
        """Return a scene.

        Parameters
        ----------
        index
            The scene's index or name; None for the first one; ``...`` for all, stacked along a
            new first axis.
        level
            The resolution level.
        **selection
            What is taken of an axis: ``C=0``, ``Z=slice(2, 5)``; an index drops the axis.

        Raises
        ------
        ValueError
            If there is no such scene, or if scenes of different shapes are to be stacked.
        """
        if index is not ...:
            return self._scene(index).read_block(selection, level=level)
        scenes = list(self.iter(level=level, **selection))
        if len({scene.shape for scene in scenes}) > 1:
            shapes = ", ".join(str(scene.shape) for scene in scenes)
            raise ValueError(f"the scenes differ in shape, so they are no one array: {shapes}")
        return np.stack(scenes)

    def iter(self, *, level: int = 0, **selection: Any) -> Iterator[NDArray[Any]]:
        """Yield the scenes one after the other."""
        for index in range(len(self._opened.scenes)):
            yield self._scene(index).read_block(selection, level=level)

    def properties(self, index: Any = None) -> ImageProperties:
        """Return shape, dtype and pixel size of a scene; see `read`.

        The spacing is in micrometres along Z, Y and X and in seconds along T, and 1 where the
        file tells none.
        """
        described = require("imageio.core.v3_plugin_api", extra="imageio", doing="reading")
        image = self._scene(None if index is ... else index)
        shape, spacing = image.shape, _spacing(image)
        if index is ...:
            shape, spacing = (len(image.scenes), *shape), (1.0, *spacing)
        found: ImageProperties = described.ImageProperties(
            shape=shape,
            dtype=image.dtype,
            n_images=len(image.scenes) if index is ... else None,
            is_batch=index is ...,
            spacing=spacing,
        )
        return found

    def metadata(self, index: Any = None, exclude_applied: bool = True) -> dict[str, Any]:
        """Return the document's metadata as nested dictionaries (``...``), or a scene's.

        Parameters
        ----------
        index
            As for `read`.
        exclude_applied
            Of no effect: no field changes the pixels.
        """
        if index is ...:
            return dict(self._opened.metadata)
        image = self._scene(index)
        return {
            "scene": image.current_scene,
            "axes": image.dims.order,
            "channel_names": list(image.channel_names),
            "physical_pixel_sizes": image.physical_pixel_sizes._asdict(),
            "level_factors": [level.factor for level in image.levels],
        }

    def close(self) -> None:
        """Close the file."""
        if self._image is not None:
            self._image.close()
        super().close()

    @property
    def _opened(self) -> CziImage:
        assert self._image is not None
        return self._image

    def _scene(self, index: Any) -> CziImage:
        self._opened.set_scene(0 if index is None else index)
        return self._opened


def register() -> None:
    """Make imageio use czictypes for ``.czi`` files, and accept ``plugin="czictypes"``.

    It holds for this process; another call changes nothing.
    """
    doing = "registering with imageio"
    plugins = require("imageio.config.plugins", extra="imageio", doing=doing)
    extensions = require("imageio.config.extensions", extra="imageio", doing=doing)
    if _NAME in plugins.known_plugins:
        return
    plugins.known_plugins[_NAME] = plugins.PluginConfig(
        name=_NAME, class_name=CziPlugin.__name__, module_name=__name__, install_name=_NAME
    )
    czi = extensions.FileExtension(
        extension=".czi", name="ZEISS CZI", priority=[_NAME], description="microscopy images"
    )
    extensions.extension_list.append(czi)
    extensions.known_extensions.setdefault(".czi", []).insert(0, czi)


def _is_url(request: Request) -> bool:
    uri = request.raw_uri
    return isinstance(uri, str) and uri.startswith(("http://", "https://"))


def _source(request: Request) -> Any:
    """Return a path or a URL, which is read in parts, or else a stream."""
    if _is_url(request):
        return request.raw_uri
    is_path = isinstance(request.raw_uri, str) or hasattr(request.raw_uri, "__fspath__")
    if is_path and Path(request.filename).is_file():
        return request.filename
    return request.get_file()


def _spacing(image: CziImage) -> tuple[float, ...]:
    sizes, interval = image.physical_pixel_sizes._asdict(), image.time_interval
    sizes["T"] = None if interval is None else interval.total_seconds()
    return tuple(float(sizes.get(name) or 1.0) for name in image.dims)


def _refusal(message: str) -> Exception:
    doing = "the imageio plug-in"
    request = require("imageio.core.request", extra="imageio", doing=doing)
    error: Exception = request.InitializationError(message)
    return error
