"""from_ome_zarr: an OME-Zarr of any version to a CZI, out of core."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from czictypes.container.limits import bytes_for, check_claim
from czictypes.exchange.converted import Choice, choose
from czictypes.exchange.czi_target import DEFAULT_COMPRESSION, write_images
from czictypes.exchange.locations import PathOrUrl, location_name, without_secrets
from czictypes.exchange.ome_xml import image_fields, parse_ome
from czictypes.exchange.ome_zarr.group_attributes import (
    ATTRIBUTE,
    OME_XML,
    read_beside,
    read_sidecar,
)
from czictypes.exchange.ome_zarr.parse import FoundImage, find_images, series_paths
from czictypes.exchange.ome_zarr.store import ZarrStore
from czictypes.exchange.source_image import SourceImage
from czictypes.metadata.channels import ChannelInfo
from czictypes.metadata.document_content import DocumentContent
from czictypes.metadata.document_info import Scaling
from czictypes.model.errors import MetadataWarning, MissingExtraError
from czictypes.model.geometry import Location
from czictypes.model.options import ChannelDisplaySettingsDataClass, Rgb8Color, TintingMode
from czictypes.model.public import Progress, defended, renamed, warn_caller
from czictypes.reading.names import channel_names
from czictypes.writing.pyramid.tile_plan import PyramidChoice
from czictypes.writing.targets import Target

_BESIDE = ("acquisition_date", "objective", "annotations")


@renamed(workers="threads", images="scenes")
@without_secrets
@defended(location_name)
def from_ome_zarr(
    source: PathOrUrl,
    dest: Target,
    *,
    scenes: Choice = "all",
    compression: str = DEFAULT_COMPRESSION,
    pyramid: PyramidChoice = None,
    tile: int | None = None,
    dtype: DTypeLike | None = None,
    overwrite: bool = False,
    threads: int | None = None,
    progress: Progress = None,
    storage_options: Mapping[str, Any] | None = None,
) -> None:
    """Write an OME-Zarr as a CZI, out of core.

    Versions 0.1 to 0.6 are read. Each image of a series or a plate becomes a scene. Pixels, axes,
    pixel sizes, times, place on the stage, wells, and names, colours and windows of
    channels are taken over, and what `write_ome_zarr` kept of a CZI comes back. The CZI appears
    when it is complete, all or nothing.

    Parameters
    ----------
    source
        A path, a URL that fsspec knows, a UPath, a store of zarr, or a dict of its buffers; also
        the path of one image in it. A name that ends in ``.ozx`` or ``.zip`` is that of a ZIP
        archive. A store that is not open yet is opened, and closed at the end.
    dest
        A path, or a file object opened for writing in binary.
    scenes
        ``"all"``, or indices or paths (``"0"``, ``"A/1/0"``) of the images to write.
    compression
        As in `create_czi`; by default fast and lossless.
    pyramid
        None takes the levels of the images if each is 2 or 3 times smaller than the one before,
        and makes new ones of others. True or `PyramidOptions` for new ones, False for none.
    tile
        The longest side of a tile in pixels.
    dtype
        ``"uint8"``, ``"uint16"`` or ``"float32"``, for pixels of another type, which must be
        values that it can hold.
    overwrite
        Whether an existing file is replaced.
    threads
        The number of threads that compress.
    progress
        True for a bar, or ``progress(done, total)``, called with numbers of tiles.
    storage_options
        The options of fsspec for the URL.

    Raises
    ------
    FileNotFoundError, FileExistsError
        If there is no store, or a file already.
    UnsupportedDataError
        If the store is no OME-Zarr, or has what a CZI cannot hold, or claims far more pixels than
        its files can hold.
    MissingExtraError
        If the extra ``ome-zarr`` is not installed.

    Examples
    --------
    >>> from_ome_zarr("slide.ome.zarr", "slide.czi")  # doctest: +SKIP
    """
    with open_ome_zarr(source, scenes, storage_options) as (found, content):
        write_images(
            found,
            dest,
            content=content,
            compression=compression,
            pyramid=pyramid,
            tile=tile,
            dtype=dtype,
            overwrite=overwrite,
            threads=threads,
            progress=progress,
        )


@contextmanager
def open_ome_zarr(
    source: PathOrUrl,
    images: Choice = "all",
    storage_options: Mapping[str, Any] | None = None,
    *,
    with_content: bool = True,
) -> Iterator[tuple[list[SourceImage], DocumentContent | None]]:
    """Open images for `write_images`, with the metadata of the CZI that they come from.

    Without `with_content`, for reading parts, the images carry all metadata themselves, and their
    sizes are not compared with the files.
    """
    with ZarrStore(source, storage_options, doing="reading OME-Zarr") as store:
        found, content = _images(store, images, with_content=with_content)
        claimed = sum(_bytes_of(one.pixels) for one in found)
        stored = store.stored_bytes(bytes_for(claimed)) if with_content else None
        if stored is not None:
            check_claim(claimed, stored, store.name)
        yield found, content


def _bytes_of(pixels: Any) -> int:
    return int(math.prod(map(int, pixels.shape)) * np.dtype(pixels.dtype).itemsize)


def _images(
    store: ZarrStore, images: Choice, *, with_content: bool
) -> tuple[list[SourceImage], DocumentContent | None]:
    found = find_images(store)
    wanted = images.strip("/") if isinstance(images, str) else images
    chosen = [found[at] for at in choose([one.path for one in found], wanted, "image")]
    kept = [_kept_of(one) for one in chosen]
    is_kept = with_content and all(one.get("start") for one in kept)
    content = read_sidecar(store, kept) if is_kept else None
    sources = [
        _source(image, one, place, content)
        for image, one, place in zip(chosen, kept, _places(kept))
    ]
    if content is None:
        described = _described(store, [one.path for one in found])
        sources = [
            _completed(one, described.get(image.path, {})) for one, image in zip(sources, chosen)
        ]
    return sources, content


def _described(store: ZarrStore, paths: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return the fields of images from the OME-XML of bioformats2raw, by their paths."""
    xml = read_beside(store, OME_XML)
    if xml is None:
        return {}
    try:
        ome = parse_ome(xml, store.name, "ome-zarr")
    except MissingExtraError as error:
        warn_caller(f"the OME-XML of {store.name} is not read: {error}", MetadataWarning)
        return {}
    if ome is None:
        return {}
    series = series_paths(store)
    listed = series if sorted(series) == sorted(paths) else paths
    if len(ome.images) != len(listed):
        return {}
    return {path: image_fields(ome, number) for number, path in enumerate(listed)}


def _completed(image: SourceImage, known: Mapping[str, Any]) -> SourceImage:
    """Add fields that OME-Zarr does not have."""
    fields = {name: known[name] for name in _BESIDE if name in known}
    if len(known.get("times", ())) == image.sizes.get("T", 1):
        fields["times"] = known["times"]
    listed = {one.index: one for one in known.get("channels", ())}
    if len(listed) == len(image.channels):
        fields["channels"] = [_filled(one, listed.get(one.index)) for one in image.channels]
    return replace(image, **fields)


def _filled(channel: ChannelInfo, known: ChannelInfo | None) -> ChannelInfo:
    """Return a channel with the fields that OME-Zarr does not have: wavelengths and so on."""
    own = {name: value for name, value in vars(channel).items() if value is not None}
    return channel if known is None else replace(known, **own)


_COLOR = re.compile(r"#?([0-9A-Fa-f]{6})")
_MICROMETRES = 1e6
_WHITE, _TINTED = Rgb8Color(255, 255, 255), TintingMode.Color


def _kept_of(image: FoundImage) -> Mapping[str, Any]:
    """Return the attribute of the original scene; empty for images from elsewhere."""
    found = image.attributes.get(ATTRIBUTE)
    return found if isinstance(found, Mapping) else {}


def _places(kept: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return scene, position and first plane of each image, if all come from one CZI."""
    try:
        found = [
            {
                "scene": int(one["number"]),
                "location": Location(*map(int, one["location"])),
                "first": {
                    str(letter): int(start) + int(one["plane"].get(letter, 0))
                    for letter, start in one["start"].items()
                },
            }
            for one in kept
        ]
    except (KeyError, TypeError, ValueError, AttributeError):
        return [{} for _ in kept]
    keys = {str(one) for one in found}
    return found if len(keys) == len(found) else [{} for _ in kept]


def _source(
    image: FoundImage,
    kept: Mapping[str, Any],
    place: Mapping[str, Any],
    content: DocumentContent | None,
) -> SourceImage:
    """Return an image for `write_images`, without metadata that `content` has as well."""
    samples = _samples(image, kept)
    axes, levels = image.axes, list(image.levels)
    if samples > 1:
        levels = [_JoinedSamples(level, axes.index("C"), samples) for level in levels]
        axes += "S"
    count = dict(zip(axes, levels[0].shape)).get("C", 1)
    first = place.get("first", {}).get("C", 0)
    channels, settings = _channels(image, samples, count, first, content, kept)
    return SourceImage(
        levels[0],
        axes,
        name=_name(image, kept),
        channels=channels,
        scaling=Scaling(*(image.scale.get(letter) for letter in "XYZ")),
        times=_times(image, kept),
        display_settings=settings,
        origin=_corner(image),
        well=image.well,
        plate=image.plate,
        acquisition=image.acquisition,
        levels=levels[1:],
        shared=True,
        metadata=lambda: dict(image.attributes),
        **place,
    )


def _name(image: FoundImage, kept: Mapping[str, Any]) -> str | None:
    """Return the name of the scene; that of an image may include places in other dimensions."""
    if "name" not in kept:
        return image.name
    return image.name if kept["name"] is not None and not kept.get("plane") else kept["name"]


def _samples(image: FoundImage, kept: Mapping[str, Any]) -> int:
    samples = kept.get("samples", 1)
    if samples not in (2, 3, 4) or "C" not in image.axes:
        return 1
    count = image.levels[0].shape[image.axes.index("C")]
    return 1 if count % samples else int(samples)


def _times(image: FoundImage, kept: Mapping[str, Any]) -> list[float]:
    """Return the time of each T: the kept ones, because an axis has a single scale."""
    if "T" not in image.axes:
        return []
    count = image.levels[0].shape[image.axes.index("T")]
    times = kept.get("times")
    if isinstance(times, list) and len(times) == count:
        numbers = [float(one) for one in times if isinstance(one, (int, float))]
        if len(numbers) == count and _same_step(numbers, image.scale.get("T")):
            return numbers
    if "T" not in image.scale:
        return []
    return [image.scale["T"] * number for number in range(count)] if count > 1 else []


def _same_step(times: Sequence[float], step: float | None) -> bool:
    """Return whether the scale is unchanged: the mean interval, or none for irregular times."""
    mean = (times[-1] - times[0]) / max(len(times) - 1, 1)
    return step is None or bool(np.isclose(step, mean, rtol=1e-6))


def _corner(image: FoundImage) -> tuple[float, float] | None:
    """Return the top left corner in micrometres, half a pixel before the first centre.

    Images without a position have a translation of exactly 0.
    """
    if not {"X", "Y"} <= image.translation.keys() or not any(image.translation.values()):
        return None
    x, y = ((image.translation[letter] - image.scale[letter] / 2) * _MICROMETRES for letter in "XY")
    return x, y


def _channels(
    image: FoundImage,
    samples: int,
    count: int,
    first: int,
    content: DocumentContent | None,
    kept: Mapping[str, Any],
) -> tuple[list[ChannelInfo], dict[int, ChannelDisplaySettingsDataClass]]:
    """Return names, colours and windows that are not known already."""
    known = {one.index: one for one in content.channels} if content is not None else {}
    shown = dict(content.display_settings) if content is not None else {}
    names = channel_names([known.get(first + at, ChannelInfo(first + at)) for at in range(count)])
    channels, settings = [], {}
    unseen = None if content is None else ChannelDisplaySettingsDataClass(True, _TINTED, _WHITE)
    for at, look in enumerate(image.channels[: count * samples : samples]):
        index = first + at
        label = _label(look, samples)
        name = None if at < len(names) and label == names[at] and index in known else label
        color = _color(look) if samples == 1 else None
        old = shown.get(index)
        if name is not None or color is not None:
            same = known[index].color or _WHITE if index in known else None
            channels.append(ChannelInfo(index, name=name, color=None if same == color else color))
        seen = _without_automatic(look, kept, at)
        setting = _setting(seen, color, image.levels[0].dtype)
        if setting is not None and not _is_same(old or unseen, setting, color):
            settings[index] = setting
    return channels, settings


def _without_automatic(
    look: Mapping[str, Any], kept: Mapping[str, Any], channel: int
) -> Mapping[str, Any]:
    """Return how a channel is shown, with the whole range where nobody changed our window."""
    try:
        window, limits = look["window"], kept["automatic"][str(channel)]
        is_ours = np.allclose((window["start"], window["end"]), limits, rtol=1e-6)
    except (KeyError, TypeError, ValueError):
        return look
    return {**look, "window": {"start": 0.0, "end": math.inf}} if is_ours else look


def _label(look: Mapping[str, Any], samples: int) -> str | None:
    label = look.get("label")
    if not isinstance(label, str) or not label:
        return None
    return label if samples == 1 else label.rpartition(" ")[0] or label


def _color(look: Mapping[str, Any]) -> Rgb8Color | None:
    match = _COLOR.fullmatch(str(look.get("color", "")))
    return Rgb8Color(*bytes.fromhex(match.group(1))) if match else None


def _setting(
    look: Mapping[str, Any], color: Rgb8Color | None, dtype: np.dtype[Any]
) -> ChannelDisplaySettingsDataClass | None:
    """Return the window as fractions of the range of pixels, the form of a CZI."""
    window = look.get("window")
    if not isinstance(window, Mapping) or dtype.kind not in "ui":
        return None
    try:
        low, high = float(window["start"]), float(window["end"])
    except (KeyError, TypeError, ValueError):
        return None
    most = float(np.iinfo(dtype).max)
    tinting = TintingMode.none if color is None else _TINTED
    enabled = bool(look.get("active", True))
    return ChannelDisplaySettingsDataClass(
        enabled, tinting, color or _WHITE, min(max(low / most, 0.0), 1.0), min(high / most, 1.0)
    )


def _is_same(
    old: ChannelDisplaySettingsDataClass | None,
    new: ChannelDisplaySettingsDataClass,
    color: Rgb8Color | None,
) -> bool:
    if old is None:
        return False
    close = np.allclose(
        (old.black_point, old.white_point), (new.black_point, new.white_point), atol=1e-5
    )
    alike = bool(close) and old.is_enabled == new.is_enabled
    return alike and (color is None or old.tinting_color == color)


class _JoinedSamples:
    """An array whose channels are grouped into samples along a new last axis."""

    def __init__(self, array: Any, axis: int, samples: int) -> None:
        self._array, self._axis, self._samples = array, axis, samples
        self.dtype = array.dtype
        self.ndim = array.ndim + 1
        self.shape = self._changed(array.shape)
        self.chunks = self._changed(array.chunks)

    def _changed(self, sizes: tuple[int, ...]) -> tuple[int, ...]:
        listed = list(sizes)
        listed[self._axis] = max(listed[self._axis] // self._samples, 1)
        return (*listed, self._samples)

    def __getitem__(self, key: Any) -> NDArray[Any]:
        """Return a part; `key` has a slice with step 1 for each axis, or fewer."""
        keys = list(key) if isinstance(key, tuple) else [key]
        keys += [slice(None)] * (self.ndim - len(keys))
        last = keys.pop()
        first, end, _ = keys[self._axis].indices(self.shape[self._axis])
        keys[self._axis] = slice(first * self._samples, end * self._samples)
        found = np.asarray(self._array[tuple(keys)])
        apart = found.reshape(
            *found.shape[: self._axis], -1, self._samples, *found.shape[self._axis + 1 :]
        )
        joined: NDArray[Any] = np.moveaxis(apart, self._axis + 1, -1)[..., last]
        return joined
