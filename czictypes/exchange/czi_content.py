"""The metadata of the images of another format, as those of one CZI."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timezone

import numpy as np

from czictypes.exchange.source_image import SourceImage
from czictypes.metadata.annotations import Annotation
from czictypes.metadata.channels import ChannelInfo
from czictypes.metadata.document_content import DocumentContent
from czictypes.metadata.document_info import Axis, Scaling
from czictypes.metadata.scenes import Plate, SceneInfo
from czictypes.model.errors import MetadataWarning
from czictypes.model.geometry import Location
from czictypes.model.public import warn_caller
from czictypes.writing.array_notes import time_axis

_MICROMETRES = 1e6


def joined_content(
    images: Sequence[SourceImage],
    scenes: Sequence[int],
    base: DocumentContent | None = None,
    times: Sequence[float] = (),
    places: Sequence[Location] = (),
) -> DocumentContent:
    """Join the metadata of images in their scenes; the first of several values wins.

    `base` fills the gaps. `places` are the positions of the images, to which annotations are moved,
    and `times` those of all T.
    """
    base = base or DocumentContent()
    settings = dict(base.display_settings)
    for image in reversed(images):
        settings.update(image.display_settings)
    first = images[0]
    x, y, z = (new or old for new, old in zip(first.scaling, base.scaling))
    info = base.info
    return replace(
        base,
        info=replace(info, description=first.description or info.description),
        channels=_channels(images, base),
        scaling=Scaling(x, y, z),
        display_settings=settings,
        scenes=_scenes(images, scenes, base),
        objective=next((one.objective for one in images if one.objective), base.objective),
        acquisition_date=next(
            (one.acquisition_date for one in images if one.acquisition_date), base.acquisition_date
        ),
        time_axis=_time_axis(tuple(times), base),
        plate=_plate(images, base),
        annotations=[*base.annotations, *_drawn(images, places)],
        depth_axis=base.depth_axis or (Axis(0.0, z * _MICROMETRES) if z else None),
    )


def common_times(images: Sequence[SourceImage], date: datetime | None = None) -> tuple[float, ...]:
    """Return the times of all T, if every image has as many T as there are times; else nothing.

    Images with different times, or with different starts, have none in common if the date of the
    acquisition is known: then each tile carries its own. Otherwise the times of the first image
    win.
    """
    counts = {image.sizes.get("T", 1) for image in images}
    times = tuple(float(time) for time in images[0].times)
    if counts != {len(times)}:
        return ()
    known = [one.acquisition_date or date for one in images]
    dates = [one if one.tzinfo else one.replace(tzinfo=timezone.utc) for one in known if one]
    if len(dates) == len(images):
        begun = [(one - dates[0]).total_seconds() for one in dates]
    else:
        begun = [-float(one.times[0]) if len(one.times) else 0.0 for one in images]
    clock = [np.add(one.times, start) for one, start in zip(images, begun) if len(one.times)]
    if all(np.allclose(one, clock[0], rtol=1e-9, atol=1e-6) for one in clock):
        return times
    if len(dates) == len(images):
        return ()
    warn_caller(
        "the images have different times, and no date to count them from; all scenes get the "
        "times of the first image",
        MetadataWarning,
    )
    return times


def _channels(images: Sequence[SourceImage], base: DocumentContent) -> list[ChannelInfo]:
    channels = {channel.index: channel for channel in base.channels}
    for image in reversed(images):
        for channel in image.channels:
            known = channels.get(channel.index, ChannelInfo(channel.index))
            given = {name: value for name, value in vars(channel).items() if value is not None}
            channels[channel.index] = replace(known, **given)
    return [channels[index] for index in sorted(channels)]


def _drawn(images: Sequence[SourceImage], places: Sequence[Location]) -> list[Annotation]:
    """Return the annotations of all images, in pixels of the document."""
    if len(places) != len(images):
        return []
    left, top = min(place.x for place in places), min(place.y for place in places)
    return [
        one.moved(place.x - left, place.y - top)
        for image, place in zip(images, places)
        for one in image.annotations
    ]


def _plate(images: Sequence[SourceImage], base: DocumentContent) -> Plate | None:
    """Return the plate; if it is the known one, with the details that are known."""
    known = base.plate
    for plate in (image.plate for image in images):
        if plate is not None:
            alike = known and (known.rows, known.columns) == (plate.rows, plate.columns)
            return replace(known, acquisitions=plate.acquisitions) if known and alike else plate
    return known


def _time_axis(times: tuple[float, ...], base: DocumentContent) -> Axis | None:
    """Return the positions along T; the known ones if they agree."""
    made = time_axis(times)
    known = base.time_axis
    if made is None or known is None:
        return made or known
    steps = made.step(), known.step()
    return known if None not in steps and np.isclose(*steps) else made  # type: ignore[arg-type]


def _scenes(
    images: Sequence[SourceImage], scenes: Sequence[int], base: DocumentContent
) -> list[SceneInfo]:
    """Describe the scenes; if the images come from a CZI, only those that it described."""
    known = {scene.index: scene for scene in base.scenes}
    found: dict[int, SceneInfo] = {}
    for number, image in zip(scenes, images):
        if number in known:
            found.setdefault(number, _updated(image, known[number]))
        elif image.location is None:
            found.setdefault(number, _described(image, number))
    return list(found.values())


def _described(image: SourceImage, number: int) -> SceneInfo:
    info = SceneInfo(number, image.name, well=image.well, acquisition=image.acquisition)
    extent = _extent(image)
    if extent is None or image.origin is None:
        return replace(info, size=extent)
    return replace(info, size=extent, center=_center(image.origin, extent))


def _updated(image: SourceImage, known: SceneInfo) -> SceneInfo:
    """Return a known scene with the fields that the image changes.

    If the contour of the scene is larger than the image, its centre is not that of the image.
    """
    well = image.well
    if well and known.well and (well.row, well.column) == (known.well.row, known.well.column):
        well = known.well
    info = replace(
        known,
        name=image.name or known.name,
        well=well or known.well,
        acquisition=known.acquisition if image.plate is None else image.acquisition,
    )
    extent = _extent(image)
    if extent is None or image.origin is None:
        return info
    if known.size is not None and any(a > b * 1.01 for a, b in zip(known.size, extent)):
        return info
    center = _center(image.origin, extent)
    same = known.center is not None and np.allclose(known.center, center, rtol=1e-9, atol=1e-3)
    return info if same else replace(info, center=center)


def _extent(image: SourceImage) -> tuple[float, float] | None:
    size = image.scaling
    if not size.x or not size.y:
        return None
    return image.sizes["X"] * size.x * _MICROMETRES, image.sizes["Y"] * size.y * _MICROMETRES


def _center(corner: tuple[float, float], extent: tuple[float, float]) -> tuple[float, float]:
    return corner[0] + extent[0] / 2, corner[1] + extent[1] / 2
