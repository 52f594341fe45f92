"""Writes images of another format, and their pyramids, as the scenes of one CZI."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike, NDArray

from czictypes.exchange.czi_content import common_times, joined_content
from czictypes.exchange.pixel_view import PixelView, pixels_for_czi, warn_of_alpha
from czictypes.exchange.source_image import SourceImage
from czictypes.metadata.document_content import DocumentContent
from czictypes.model.errors import UnsupportedDataError
from czictypes.model.geometry import Location, Size
from czictypes.model.public import Progress, show_progress
from czictypes.reading.threads import thread_count
from czictypes.writing.array_source import ArraySource, Axes, Part, parse_axes
from czictypes.writing.array_tiles import TileInfo
from czictypes.writing.pyramid.reduce import Seams
from czictypes.writing.pyramid.tile_plan import PyramidChoice
from czictypes.writing.targets import Target
from czictypes.writing.writer import CziWriter, create_czi

DEFAULT_COMPRESSION = "zstd1:ExplicitLevel=1;PreProcess=HiLoByteUnpack"

_TILE, _COLOUR_TILE, _LEVEL_TILE = 2048, 1024, 1024  # pixels along a side
_READERS = 4  # threads that fetch pixels ahead
_MICROMETRES = 1e6


class _Scene(NamedTuple):
    """An image and its position; `moments` are the times of each T for the tags of its tiles."""

    number: int
    image: SourceImage
    pixels: PixelView
    axes: Axes
    place: Location
    moments: Sequence[datetime] = ()


class _Level(NamedTuple):
    """A level of an image, `scale` times smaller than its full resolution."""

    scene: _Scene
    pixels: PixelView
    full: Size
    scale: int
    tiles: int


def write_images(
    images: Sequence[SourceImage],
    dest: Target,
    *,
    compression: str = DEFAULT_COMPRESSION,
    pyramid: PyramidChoice = None,
    tile: int | None = None,
    dtype: DTypeLike | None = None,
    content: DocumentContent | None = None,
    overwrite: bool = False,
    threads: int | None = None,
    progress: Progress = None,
    only_named_dimensions: bool = False,
) -> None:
    """Write images as the scenes of a new CZI, out of core; it appears when it is complete.

    Scenes keep their positions on the stage if all images have one and share a pixel size;
    otherwise they lie side by side. By default, the pyramid consists of the levels of the images,
    or is computed where these do not fit a CZI. Metadata of the images override `content`. With
    `only_named_dimensions`, those in which all images have one place are left out. Raises
    `UnsupportedDataError` for pixels that a CZI cannot hold; all else is as for `create_czi`.
    """
    if not images:
        raise UnsupportedDataError(f"there is no image to write to {dest!r}")
    scenes = _scenes(images, dtype)
    letters = {letter for scene in scenes for letter in (*scene.axes.planes, *scene.image.first)}
    if only_named_dimensions:
        letters = {letter for letter in letters if _has_several(letter, images)}
    readers = min(thread_count(threads), _READERS)
    side = tile or (_TILE if scenes[0].axes.samples is None else _COLOUR_TILE)
    sources = [
        ArraySource(scene.pixels, scene.axes, side, readers if scene.image.shared else 1)
        for scene in scenes
    ]
    levels = [] if pyramid is not None else _levels(scenes, dtype)
    if levels is None:
        pyramid, levels = True, []
    date = None if content is None else content.acquisition_date
    times = common_times(images, date)
    numbers, places = [scene.number for scene in scenes], [scene.place for scene in scenes]
    made = joined_content(images, numbers, content, times, places)
    scenes = [scene._replace(moments=() if times else _moments(scene, date)) for scene in scenes]
    with create_czi(
        dest,
        overwrite,
        compression,
        threads=threads,
        pyramid=pyramid,
        only_named_dimensions=only_named_dimensions,
    ) as document:
        document.write_metadata(None, content=made)
        total = sum(len(source) for source in sources) + sum(level.tiles for level in levels)
        with show_progress(progress, total, f"writing {document.name}") as advance:
            for scene, source in zip(scenes, sources):
                _write(document, scene, source, dict.fromkeys(letters, 0), advance)
            for level in levels:
                _write_level(document, level, dict.fromkeys(letters, 0), advance)
        if len(times) > 1:
            document.add_time_stamps(times)


def _has_several(letter: str, images: Sequence[SourceImage]) -> bool:
    """Return whether there are several places along a dimension, in one image or among them."""
    firsts = {image.first.get(letter, 0) for image in images}
    return len(firsts) > 1 or any(image.sizes.get(letter, 1) > 1 for image in images)


def _scenes(images: Sequence[SourceImage], dtype: DTypeLike | None) -> list[_Scene]:
    scenes = []
    for at, (image, place) in enumerate(zip(images, _places(images))):
        name = f"the image {image.name!r}" if image.name else "the image"
        pixels, letters = pixels_for_czi(
            image.pixels, image.axes, dtype, name=name, reader=image.reader
        )
        number = at if image.scene is None else image.scene
        scenes.append(_Scene(number, image, pixels, parse_axes(letters, pixels.shape), place))
    with_alpha = [image for image in images if image.sizes.get("S") in (2, 4)]
    if with_alpha:
        warn_of_alpha(with_alpha[0].sizes["S"], with_alpha[0].name)
    kinds = {(scene.pixels.dtype.name, scene.axes.samples is None) for scene in scenes}
    if len(kinds) > 1:
        listed = ", ".join(sorted(f"{'gray' if gray else 'RGB'} {name}" for name, gray in kinds))
        raise UnsupportedDataError(
            f"the images have pixels of different types ({listed}), but the scenes of a CZI share "
            "their channels; convert them one by one"
        )
    return scenes


def _places(images: Sequence[SourceImage]) -> list[Location]:
    """Return the position of the top left pixel of each image."""
    locations = [image.location for image in images if image.location is not None]
    if len(locations) == len(images):
        return locations
    origins = [image.origin for image in images]
    sizes = {(image.scaling.x, image.scaling.y) for image in images}
    x, y = next(iter(sizes)) if len(sizes) == 1 else (None, None)
    known = [origin for origin in origins if origin is not None]
    if x and y and len(known) == len(set(origins)) == len(images) > 1:
        corners = np.array(known) / (x * _MICROMETRES, y * _MICROMETRES)
        corners = np.rint(corners - corners.min(axis=0))
        if corners.max() < 2**30:
            return [Location(int(left), int(top)) for left, top in corners]
    lefts = [0]
    for image in images[:-1]:
        width = image.sizes["X"]
        lefts.append(lefts[-1] + width + max(width // 20, 16))
    return [Location(left, 0) for left in lefts]


def _levels(scenes: Sequence[_Scene], dtype: DTypeLike | None) -> list[_Level] | None:
    """Return the levels of the images; None if a CZI cannot hold them."""
    found, sizes = [], []
    for scene in scenes:
        height, width = scene.pixels.shape[scene.axes.y], scene.pixels.shape[scene.axes.x]
        views = [
            pixels_for_czi(one, scene.image.axes, dtype, reader=scene.image.reader)[0]
            for one in scene.image.levels
        ]
        sizes.append([Size(width, height)])
        for view in views:
            sizes[-1].append(Size(view.shape[scene.axes.x], view.shape[scene.axes.y]))
            number, count = len(sizes[-1]) - 1, len(ArraySource(view, scene.axes, _LEVEL_TILE))
            found.append(_Level(scene, view, sizes[-1][0], number, count))
    factor = _pyramid_factor(sizes)
    if factor is None:
        return None
    return [level._replace(scale=factor**level.scale) for level in found]


def _write(
    document: CziWriter,
    scene: _Scene,
    source: ArraySource,
    base: dict[str, int],
    advance: Callable[[int], None],
) -> None:
    """Write the tiles of a scene; the tiles of a plane share an identifier."""
    identifiers: dict[tuple[int, ...], str] = {}
    step = 1 if scene.axes.samples is None else -1  # a CZI has blue first
    with closing(iter(source)) as parts:  # so that its threads end when writing fails
        for part in parts:
            key = tuple(part.plane.values())
            identifier = identifiers.setdefault(key, str(uuid.uuid4()))
            document.write(
                part.pixels[..., ::step],
                Location(scene.place.x + part.x, scene.place.y + part.y),
                _plane(scene, base, part.plane),
                scene=scene.number,
                info=_tile_info(scene, part, identifier),
            )
            advance(1)


def _write_level(
    document: CziWriter, level: _Level, base: dict[str, int], advance: Callable[[int], None]
) -> None:
    """Write the tiles of a level."""
    scene = level.scene
    step = 1 if scene.axes.samples is None else -1
    for place_of_plane, place, pixels in _level_tiles(level):
        plane = _plane(scene, base, place_of_plane)
        document.write_pyramid_tile(
            pixels[..., ::step], place, level.scale, plane, scene=scene.number
        )
        advance(1)


def _plane(scene: _Scene, base: dict[str, int], place: Mapping[str, int]) -> dict[str, int]:
    """Return the coordinates of a plane by its indices in the image."""
    first = scene.image.first
    shifted = {letter: at + first.get(letter, 0) for letter, at in place.items()}
    found = {**base, **first, **shifted}
    return {letter: found[letter] for letter in base}


def _moments(scene: _Scene, date: datetime | None) -> list[datetime]:
    """Return the time of each T of a scene; none if they are not known."""
    image, start = scene.image, scene.image.acquisition_date or date
    if start is None or not 1 < len(image.times) == image.sizes.get("T", 1):
        return []
    try:
        return [start + timedelta(seconds=float(time)) for time in image.times]
    except (OverflowError, ValueError):
        return []


def _tile_info(scene: _Scene, part: Part, identifier: str) -> TileInfo:
    """Return the tags of a tile; the stage position is that of its centre, as ZEN has it."""
    tags, image = {"RetilingId": identifier}, scene.image
    moment = scene.moments[part.plane.get("T", 0)] if scene.moments else None
    size, origin = image.scaling, image.origin
    if origin is None or not size.x or not size.y:
        return TileInfo(acquisition_time=moment, tags=tags)
    height, width = part.pixels.shape[:2]
    return TileInfo(
        origin[0] + (part.x + width / 2) * size.x * _MICROMETRES,
        origin[1] + (part.y + height / 2) * size.y * _MICROMETRES,
        acquisition_time=moment,
        tags=tags,
    )


def _pyramid_factor(sizes: Sequence[Sequence[Size]]) -> int | None:
    """Return how much smaller each level is than the one before, 2 or 3; None if it is neither.

    `sizes` are those of all levels of each image, full resolution first.
    """
    for factor in (2, 3):  # readers of CZI tell levels apart by powers of one of these
        if all(_is_pyramid(levels, factor) for levels in sizes):
            return factor
    return None


def _is_pyramid(levels: Sequence[Size], factor: int) -> bool:
    full = levels[0]
    return all(
        _fits(have, whole, factor**number)
        for number, level in enumerate(levels)
        for have, whole in zip(level, full)
    )


def _fits(have: int, whole: int, scale: int) -> bool:
    """Return whether a level covers all whole pixels, and at most one partial pixel."""
    return whole // scale >= 1 and whole // scale <= have <= -(-whole // scale)


def _level_tiles(level: _Level) -> Iterator[tuple[Mapping[str, int], Location, NDArray[Any]]]:
    """Yield plane, position in full resolution and pixels of tiles with an edge of neighbours.

    `Seams` explains the edges. Rows and columns that cover fewer pixels than the scale are left
    out, because a tile of a pyramid must not reach beyond the pixels that it shows.
    """
    scale, corner = level.scale, level.scene.place
    width, height = level.full.w // scale, level.full.h // scale
    seams: dict[tuple[int, ...], Seams] = {}
    columns: dict[int, int] = {}
    rows: dict[int, int] = {}
    for part in ArraySource(level.pixels, level.scene.axes, _LEVEL_TILE):
        pixels = part.pixels[: height - part.y, : width - part.x]
        if not pixels.size:
            continue
        samples, dtype = pixels.shape[2], pixels.dtype

        def blank(size: Size, samples: int = samples, dtype: Any = dtype) -> NDArray[Any]:
            return np.zeros((size.h, size.w, samples), dtype)

        edges = seams.setdefault(tuple(part.plane.values()), Seams(blank))
        column = columns.setdefault(part.x, len(columns))
        row = rows.setdefault(part.y, len(rows))
        wide = edges.widened(0, column, row, pixels)
        x = part.x - (wide.shape[1] - pixels.shape[1])
        y = part.y - (wide.shape[0] - pixels.shape[0])
        yield part.plane, Location(corner.x + x * scale, corner.y + y * scale), wide
