"""Writes images of another format as the scenes of one CZI."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import DTypeLike

from czictypes.exchange.pixel_view import PixelView, pixels_for_czi
from czictypes.exchange.source_image import SourceImage
from czictypes.metadata.attributes import CustomValue
from czictypes.metadata.axes import Axis
from czictypes.metadata.channels import ChannelInfo
from czictypes.metadata.content import DocumentContent
from czictypes.metadata.document import GeneralDocumentInfoDto
from czictypes.metadata.scenes import SceneInfo
from czictypes.model.errors import UnsupportedDataError
from czictypes.model.geometry import Location
from czictypes.writing.array_source import ArraySource, Part
from czictypes.writing.axes import Axes, parse_axes
from czictypes.writing.create import create_czi
from czictypes.writing.extras import TileInfo
from czictypes.writing.imwrite_metadata import time_axis
from czictypes.writing.progress import Progress, show_progress
from czictypes.writing.pyramid_options import PyramidChoice
from czictypes.writing.targets import Target
from czictypes.writing.writer import CziWriter

__all__ = ["DEFAULT_COMPRESSION", "write_images"]

DEFAULT_COMPRESSION = "zstd1:ExplicitLevel=1;PreProcess=HiLoByteUnpack"

_TILE, _COLOUR_TILE = 2048, 1024
_MICROMETRES = 1e6


class _Scene(NamedTuple):
    """An image and where it goes."""

    image: SourceImage
    pixels: PixelView
    axes: Axes
    place: Location


def write_images(
    images: Sequence[SourceImage],
    dest: Target,
    *,
    title: str | None = None,
    compression: str = DEFAULT_COMPRESSION,
    pyramid: PyramidChoice = None,
    tile: int | None = None,
    dtype: DTypeLike | None = None,
    custom_attributes: Mapping[str, CustomValue] | None = None,
    exist_ok: bool = False,
    threads: int | None = None,
    progress: Progress = None,
) -> None:
    """Write images as the scenes of a new CZI, out of core; it appears when it is complete.

    The scenes lie as they did on the stage where each image tells its own place and all have the
    same pixel size, else side by side.

    Parameters
    ----------
    images
        One for each scene.
    dest
        A path, or a file object opened for writing in binary.
    title
        The document's title.
    compression, pyramid, exist_ok, threads
        As in `create_czi`.
    tile
        The longest side of a tile in pixels; by default 2048, and 1024 for colours.
    dtype
        The type of the pixels in the CZI, where it is not that of the images.
    custom_attributes
        More metadata, by name.
    progress
        True for a bar, or ``progress(done, total)``, called with numbers of tiles.

    Raises
    ------
    UnsupportedDataError
        If a CZI cannot hold the pixels.
    FileExistsError
        If the file is there and `exist_ok` is not set.
    """
    if not images:
        raise UnsupportedDataError(f"there is no image to write to {dest!r}")
    scenes = _scenes(images, dtype)
    letters = {letter for scene in scenes for letter in scene.axes.planes}
    sources = [ArraySource(scene.pixels, scene.axes, tile or _tile(scene)) for scene in scenes]
    with create_czi(dest, exist_ok, compression, threads=threads, pyramid=pyramid) as document:
        document.write_metadata(
            title, custom_attributes=custom_attributes, content=_content(scenes, title)
        )
        total = sum(len(source) for source in sources)
        with show_progress(progress, total, f"writing {document.name}") as advance:
            for number, (scene, source) in enumerate(zip(scenes, sources)):
                for _ in _write(document, number, scene, source, dict.fromkeys(letters, 0)):
                    advance(1)
        times = _times(scenes)
        if len(times) > 1:
            document.add_time_stamps(times)


def _scenes(images: Sequence[SourceImage], dtype: DTypeLike | None) -> list[_Scene]:
    scenes = []
    for image, place in zip(images, _places(images)):
        name = f"the image {image.name!r}" if image.name else "the image"
        pixels, letters = pixels_for_czi(image.pixels, image.axes, dtype, name=name)
        scenes.append(_Scene(image, pixels, parse_axes(letters, pixels.shape), place))
    kinds = {(scene.pixels.dtype.name, scene.axes.samples is None) for scene in scenes}
    if len(kinds) > 1:
        listed = ", ".join(sorted(f"{'gray' if gray else 'RGB'} {name}" for name, gray in kinds))
        raise UnsupportedDataError(
            f"the images have pixels of different types ({listed}), but the scenes of a CZI share "
            "their channels; convert them one by one"
        )
    return scenes


def _places(images: Sequence[SourceImage]) -> list[Location]:
    """Return where the top left pixel of each image goes."""
    origins = [image.origin for image in images]
    sizes = {(image.scaling.x, image.scaling.y) for image in images}
    x, y = next(iter(sizes)) if len(sizes) == 1 else (None, None)
    known = [origin for origin in origins if origin is not None]
    if x and y and len(known) == len(set(origins)) == len(images) > 1:
        corners = np.array(known) / (x * _MICROMETRES, y * _MICROMETRES)
        corners = np.rint(corners - corners.min(axis=0))
        if corners.max() < 2**30:
            return [Location(int(left), int(top)) for left, top in corners]
    return list(_side_by_side(images))


def _side_by_side(images: Sequence[SourceImage]) -> Iterator[Location]:
    left = 0
    for image in images:
        yield Location(left, 0)
        width = image.sizes["X"]
        left += width + max(width // 20, 16)


def _tile(scene: _Scene) -> int:
    return _TILE if scene.axes.samples is None else _COLOUR_TILE


def _write(
    document: CziWriter, number: int, scene: _Scene, source: ArraySource, base: dict[str, int]
) -> Iterator[Part]:
    """Write the tiles of a scene; the tiles of one plane have an identifier in common."""
    identifiers: dict[tuple[int, ...], str] = {}
    step = 1 if scene.axes.samples is None else -1  # a CZI has blue first
    for part in source:
        key = tuple(part.plane.values())
        identifier = identifiers.setdefault(key, str(uuid.uuid4()))
        document.write(
            part.pixels[..., ::step],
            Location(scene.place.x + part.x, scene.place.y + part.y),
            {**base, **part.plane},
            scene=number,
            info=_tile_info(scene.image, part, identifier),
        )
        yield part


def _tile_info(image: SourceImage, part: Part, identifier: str) -> TileInfo:
    """Return the tags of a tile; the stage position is that of its centre, as ZEN has it."""
    tags = {"RetilingId": identifier}
    size, origin = image.scaling, image.origin
    if origin is None or not size.x or not size.y:
        return TileInfo(tags=tags)
    height, width = part.pixels.shape[:2]
    return TileInfo(
        origin[0] + (part.x + width / 2) * size.x * _MICROMETRES,
        origin[1] + (part.y + height / 2) * size.y * _MICROMETRES,
        tags=tags,
    )


def _content(scenes: Sequence[_Scene], title: str | None) -> DocumentContent:
    """Join what is known of the images; where several know something, the first counts."""
    images = [scene.image for scene in scenes]
    channels: dict[int, ChannelInfo] = {}
    settings = {}
    for image in reversed(images):
        channels.update({channel.index: channel for channel in image.channels})
        settings.update(image.display_settings)
    first = images[0]
    date = next((image.acquisition_date for image in images if image.acquisition_date), None)
    depth = first.scaling.z
    return DocumentContent(
        info=GeneralDocumentInfoDto(title=title, description=first.description),
        channels=[channels[index] for index in sorted(channels)],
        scaling=first.scaling,
        display_settings=settings,
        scenes=[_scene_info(number, scene.image) for number, scene in enumerate(scenes)],
        objective=next((image.objective for image in images if image.objective), None),
        acquisition_date=date,
        time_axis=time_axis(_times(scenes)),
        depth_axis=Axis(0.0, depth * _MICROMETRES) if depth else None,
    )


def _scene_info(number: int, image: SourceImage) -> SceneInfo:
    size = image.scaling
    info = SceneInfo(number, image.name, well=image.well)
    if not size.x or not size.y:
        return info
    extent = (image.sizes["X"] * size.x * _MICROMETRES, image.sizes["Y"] * size.y * _MICROMETRES)
    if image.origin is None:
        return replace(info, size=extent)
    x, y = image.origin
    return replace(info, size=extent, center=(x + extent[0] / 2, y + extent[1] / 2))


def _times(scenes: Sequence[_Scene]) -> tuple[float, ...]:
    """Return when each T was; only where all images that have several agree on how many."""
    counts = {scene.axes.extent(scene.pixels.shape, "T") for scene in scenes}
    times = tuple(float(time) for time in scenes[0].image.times)
    return times if counts == {len(times)} else ()
