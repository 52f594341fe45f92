"""A slide's properties and associated images, named as in OpenSlide; its pictures, their look."""

from __future__ import annotations

import hashlib
import math
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from czictypes.arrays.image import CziImage
from czictypes.arrays.image_base import layout_of
from czictypes.arrays.layout import Level, Selection
from czictypes.metadata.xml import parse
from czictypes.model.errors import CorruptFileError, CziError
from czictypes.model.geometry import Rectangle
from czictypes.model.lazy import require
from czictypes.model.options import ChannelDisplaySettingsDataClass
from czictypes.model.pixel_types import PixelType, pixel_format
from czictypes.reading.attachments import Attachments
from czictypes.reading.composite import compose_channels
from czictypes.reading.contrast import (
    AUTO,
    FILE,
    FULL,
    ChannelContrast,
    Contrast,
    Limits,
    chosen_contrast,
    points_of,
    replaced_limits,
    whole_range,
)
from czictypes.reading.conversion import eight_bit, stretch
from czictypes.reading.names import numbers_of
from czictypes.reading.reader import CziReader, open_document_of

if TYPE_CHECKING:
    from PIL.Image import Image


Settings = Mapping[int, ChannelDisplaySettingsDataClass]

#: The longer side, in pixels, of the picture that the contrast of a whole slide is taken from.
_OVERVIEW = 512
#: Of a slide that is but a line, with a pixel across, so many along it are looked at.
_LONGEST = 1 << 16
#: Pixel types with a range of their own; what is of another needs one to be shown.
_BOUNDED = (
    PixelType.Gray8,
    PixelType.Gray16,
    PixelType.Bgr24,
    PixelType.Bgr48,
    PixelType.Bgra32,
)


@dataclass(frozen=True)
class SlideLook:
    """The display of the channels of a slide, the same in every region."""

    pixel_types: Mapping[int, PixelType]
    #: The display settings of each channel; None for those of the file.
    settings: Settings | None
    #: Of channels of more than 16 bits, the values that are taken for the ends of their range.
    windows: Mapping[int, Limits]
    #: The contrast of each channel; None for the points of its settings.
    contrast: Mapping[int, ChannelContrast | None]
    #: Whether the only channel is of 8-bit colours, which are shown as they are.
    is_photograph: bool


def slide_look(
    image: CziImage,
    box: Rectangle,
    plane: Mapping[str, int],
    settings: Settings | None,
    contrast: Contrast,
) -> SlideLook:
    """Return the display of a whole slide.

    The display settings are the caller's or those of the file. Limits that these do not say come
    from a small picture of the whole slide: those that each region found for itself would differ
    at its borders.
    """
    pixel_types = layout_of(image).pixel_types
    with open_document_of(image.reader) as document:
        number = partial(numbers_of, document.table, "C")
        of_channel = chosen_contrast(contrast, list(pixel_types), number)
    asked = {channel: of_channel(channel) for channel in pixel_types}
    photograph = list(pixel_types.values()) in ([PixelType.Bgr24], [PixelType.Bgra32])
    if photograph and settings is None and {*asked.values()} <= {FILE, FULL}:
        return SlideLook(pixel_types, None, {}, {}, True)
    stored = image.reader.display_settings
    windows: dict[int, Limits] = {}
    chosen: dict[int, ChannelContrast | None] = {}
    for channel, pixel_type in pixel_types.items():
        points = points_of(stored.get(channel))
        is_given = settings is not None and asked[channel] == FILE
        chosen[channel] = None if is_given else asked[channel]
        is_bounded = pixel_type in _BOUNDED
        if is_bounded and (is_given or not _depends_on_pixels(asked[channel], points)):
            continue
        overview = _overview(image, box, {**plane, "C": channel}, pixel_type)
        limits = None if is_given else replaced_limits(overview, asked[channel], points)
        chosen[channel] = limits if is_bounded or limits is None else FULL
        if not is_bounded:
            windows[channel] = limits or whole_range(overview)
    return SlideLook(pixel_types, settings, windows, chosen, False)


def _depends_on_pixels(contrast: ChannelContrast, points: Limits | None) -> bool:
    return contrast == AUTO or (contrast == FILE and points in (None, (0.0, 1.0)))


def _overview(
    image: CziImage, box: Rectangle, plane: dict[str, int], pixel_type: PixelType
) -> NDArray[Any]:
    zoom = max(_OVERVIEW / max(box.w, box.h), 1 / min(box.w, box.h))
    zoom = min(1.0, 1.001 * zoom)
    most = int(_LONGEST / zoom)
    part = Rectangle(box.x, box.y, min(box.w, most), min(box.h, most))
    return image.reader.read(part, plane, image.scene_number, zoom, pixel_type.name)


#: Gives the pixels (y, x, samples) of a channel, colours as blue, green, red.
_Fetch = Callable[[int], NDArray[Any]]


class SlidePictures:
    """Makes pictures of a plane of a slide, each (y, x, 4): red, green, blue, alpha."""

    def __init__(self, image: CziImage, plane: Mapping[str, int], look: SlideLook) -> None:
        self._image, self._plane, self._look = image, dict(plane), look
        planes = layout_of(image).planes
        self._indices: dict[str, Selection] = {
            name: positions.index(self._plane[name]) if name in self._plane else 0
            for name, positions in planes.items()
            if name != "C"
        }
        self._channels = planes["C"]

    def of_level(self, level: int, box: Rectangle) -> NDArray[np.uint8]:
        """Return a region of a level; it is transparent beyond the edges of the level."""
        picture = self.transparent(box.h, box.w)
        of_level = self._image.levels[level]
        left, top = max(box.x, 0), max(box.y, 0)
        right, bottom = min(box.x + box.w, of_level.width), min(box.y + box.h, of_level.height)
        if left >= right or top >= bottom:
            return picture
        where = {**self._indices, "Y": slice(top, bottom), "X": slice(left, right)}
        valid = np.asarray(self._image.valid_pixels(where, level=level).any(axis=0))

        def fetch(channel: int) -> NDArray[Any]:
            selection = {**where, "C": self._channels.index(channel)}
            pixels = self._image.read_block(selection, level=level)
            if pixels.ndim == 2:
                return pixels[..., np.newaxis]
            return pixels[..., [2, 1, 0, 3][: pixels.shape[2]]]

        part = picture[top - box.y : bottom - box.y, left - box.x : right - box.x]
        self._fill(part, valid, fetch)
        return picture

    def transparent(self, height: int, width: int) -> NDArray[np.uint8]:
        """Return a picture whose pixels are all transparent."""
        with open_document_of(self._image.reader) as document:
            return document.memory.make((height, width, 4), np.dtype(np.uint8), np.zeros)

    def of_zoom(self, roi: Rectangle, zoom: float) -> NDArray[np.uint8]:
        """Return a region at any zoom, sampled from full resolution as `CziReader.read` does."""
        reader, scene = self._image.reader, self._image.scene_number

        def fetch(channel: int) -> NDArray[Any]:
            pixel_type = self._look.pixel_types[channel]
            return reader.read(roi, {**self._plane, "C": channel}, scene, zoom, pixel_type.name)

        planes = ({**self._plane, "C": channel} for channel in self._channels)
        valid = np.logical_or.reduce(
            [reader.valid_pixels(roi, plane, scene, zoom) for plane in planes]
        )
        picture = self.transparent(*valid.shape)
        self._fill(picture, valid, fetch)
        return picture

    def _fill(self, picture: NDArray[np.uint8], valid: NDArray[np.bool_], fetch: _Fetch) -> None:
        if not valid.any():
            return
        alpha: Any = 255
        if self._look.is_photograph:
            pixels = fetch(self._channels[0])
            colors = pixels[..., 2::-1]
        else:
            with open_document_of(self._image.reader) as document:
                colors = compose_channels(
                    document,
                    lambda channel: self._channel(channel or 0, fetch),
                    self._look.settings,
                    self._look.contrast.get,
                )
        if self._image.sizes.get("S") == 4 and len(self._channels) == 1:
            alpha = fetch(self._channels[0])[..., 3]
        picture[..., :3] = colors
        picture[..., 3] = alpha
        picture *= valid[..., np.newaxis]  # as picture[~valid] = 0, without another mask

    def _channel(self, channel: int, fetch: _Fetch) -> tuple[NDArray[Any], PixelType]:
        """Return a channel in its pixel type, or stretched to 16 bits if it has more."""
        pixel_type = self._look.pixel_types[channel]
        own = pixel_format(pixel_type)
        pixels = fetch(channel)[..., : own.samples]
        window = self._look.windows.get(channel)
        if window is None:  # complex where another channel is
            return np.real(pixels).astype(own.dtype, copy=False), pixel_type
        levels = stretch(pixels, window, np.uint16)
        return levels, PixelType.Gray16 if own.samples == 1 else PixelType.Bgr48


#: The parts of the metadata that OpenSlide tells of, and no others.
_PARTS = ("AttachmentInfos", "DisplaySetting", "Information", "Scaling")
_ASSOCIATED = "openslide.associated."
_ELEMENT = str  # comments and processing instructions have a function for a tag


class SlideProperties(Mapping[str, str]):
    """Properties by name; all values are strings.

    The sizes of the pictures beside the slide take reading these, so they are measured only when
    one of them, or the names of all properties, are asked for.
    """

    def __init__(self, known: Mapping[str, str], pictures: AssociatedImages) -> None:
        self._known, self._pictures = dict(known), pictures
        self._is_measured = False

    def __getitem__(self, name: str) -> str:
        if isinstance(name, str) and name.startswith(_ASSOCIATED):
            return self._all()[name]
        return self._known[name]

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._all()))

    def __len__(self) -> int:
        return len(self._all())

    def __repr__(self) -> str:
        return f"<SlideProperties {dict(self)!r}>"

    def _all(self) -> Mapping[str, str]:
        if not self._is_measured:
            for name, size in self._pictures.sizes().items():
                for side, length in zip(("width", "height"), size):
                    self._known[f"{_ASSOCIATED}{name}.{side}"] = str(length)
            self._is_measured = True
        return self._known


def slide_properties(
    image: CziImage, box: Rectangle, levels: Sequence[Level], pictures: AssociatedImages
) -> SlideProperties:
    """Return the properties that OpenSlide gives for a box of a slide."""
    texts = dict(_metadata_texts(image.reader))
    known = {
        **texts,
        "openslide.vendor": "zeiss",
        "openslide.quickhash-1": _quick_hash(image.reader),
        **_scale(texts, image.reader.magnification),
        **_levels(levels),
    }
    is_all = image.scene_number is None
    scenes = list(image.reader.scenes_bounding_rectangle_no_pyramid.values()) if is_all else []
    for number, scene in enumerate(scenes or [box]):
        corner = {"x": scene.x - box.x, "y": scene.y - box.y, "width": scene.w, "height": scene.h}
        known.update({f"openslide.region[{number}].{name}": str(at) for name, at in corner.items()})
    return SlideProperties(known, pictures)


def _quick_hash(reader: CziReader) -> str:
    """Return the hash of the GUIDs and of the XML up to its first NUL."""
    with open_document_of(reader) as document:
        guids = document.header.primary_file_guid.bytes_le + document.header.file_guid.bytes_le
        return hashlib.sha256(guids + document.xml.partition(b"\0")[0] + b"\0").hexdigest()


def _scale(texts: Mapping[str, str], magnification: tuple[float, float]) -> dict[str, str]:
    reference = texts.get("zeiss.Information.Image.ObjectiveSettings.ObjectiveRef.Id")
    start, end = "zeiss.Information.Instrument.Objectives.", ".NominalMagnification"
    powers = {name: at for name, at in texts.items() if name.startswith(start) and end in name}
    power = texts.get(f"{start}{reference}{end}")
    if reference is None and len(powers) == 1:  # OpenSlide wants the reference even so
        (power,) = powers.values()
    found = {"objective-power": _number(power)}
    for axis, times in zip("xy", magnification):
        metres = _number(texts.get(f"zeiss.Scaling.Items.{axis.upper()}.Value"))
        found[f"mpp-{axis}"] = None if metres is None else metres * 1e6 / times
    return {f"openslide.{name}": f"{at:.17g}" for name, at in found.items() if at is not None}


def _number(text: str | None) -> float | None:
    try:
        number = float(text or "nan")
    except ValueError:
        return None
    return None if math.isnan(number) else number


def _levels(levels: Sequence[Level]) -> dict[str, str]:
    found = {"openslide.level-count": str(len(levels))}
    for level in levels:
        start = f"openslide.level[{level.index}]"
        found[f"{start}.downsample"] = f"{level.factor:.17g}"
        found[f"{start}.width"], found[f"{start}.height"] = str(level.width), str(level.height)
    return found


def _metadata_texts(reader: CziReader) -> Iterator[tuple[str, str]]:
    """Yield the texts in the XML, each after its path, joined by dots."""
    try:
        root = parse(reader.raw_metadata)
    except CorruptFileError:
        return
    for name in _PARTS:
        part = root.find(f"Metadata/{name}")
        if part is not None:
            yield from _texts(part, "zeiss", name)


def _texts(element: ET.Element, path: str, name: str) -> Iterator[tuple[str, str]]:
    """Yield the texts and attributes of an element and of those within it.

    An entry of a list is named by its Id or Name. What has no name of its own is left out.
    """
    here = f"{path}.{name}"
    for attribute, value in element.attrib.items():
        if value.strip() and not attribute.startswith("xmlns"):
            yield f"{here}.{_local(attribute)}", value
    for text in (element.text, *(child.tail for child in element)):
        if text and text.strip():
            yield here, text
    children = [child for child in element if isinstance(child.tag, _ELEMENT)]
    names = [_name(child, name) for child in children]
    repeated = {name for name, count in Counter(names).items() if count > 1}
    for child, child_name in zip(children, names):
        if child_name is not None and child_name not in repeated:
            yield from _texts(child, here, child_name)


def _name(element: ET.Element, parent: str) -> str | None:
    """Return the name of an element in a path; None for an entry of a list without Id or Name."""
    name = _local(element.tag)
    if parent == f"{name}s" or (parent, name) == ("Items", "Distance"):
        return element.get("Id", element.get("Name"))
    return name


def _local(name: str) -> str:
    return name.rpartition(":")[2].rpartition("}")[2]


#: OpenSlide's name of a picture, and those of the attachments it may be in.
_ATTACHMENTS = {
    "label": ("Label",),
    "macro": ("SlidePreview", "Prescan", "Preview"),
    "thumbnail": ("Thumbnail",),
}


class AssociatedImages(Mapping[str, "Image"]):
    """Pillow pictures of mode RGBA by OpenSlide's names; each is read when it is asked for."""

    def __init__(self, attachments: Attachments) -> None:
        self._found = {
            name: found
            for name, attachment_names in _ATTACHMENTS.items()
            for found in map(attachments.find, attachment_names)
            if found is not None
        }

    def __getitem__(self, name: str) -> Image:
        found = self._found[name]
        module = require("PIL.Image", extra="cli", doing="pictures of slides")
        picture: Image = module.fromarray(eight_bit(found.image())).convert("RGBA")
        return picture

    def __iter__(self) -> Iterator[str]:
        return iter(self._found)

    def __len__(self) -> int:
        return len(self._found)

    def __repr__(self) -> str:
        return f"<AssociatedImages {', '.join(self)}>"

    def sizes(self) -> dict[str, tuple[int, int]]:
        """Return the width and height of each picture that can be read."""
        found = {}
        for name, attachment in self._found.items():
            try:
                height, width = attachment.image().shape[:2]
            except CziError:  # no picture, or no Pillow
                continue
            found[name] = width, height
        return found
