"""The properties and the associated images of a slide, under the names of OpenSlide."""

from __future__ import annotations

import hashlib
import math
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from czictypes.arrays.image import CziImage
from czictypes.arrays.layout import Level
from czictypes.metadata.xml import parse
from czictypes.model.errors import CorruptFileError, CziError
from czictypes.model.geometry import Rectangle
from czictypes.model.lazy import require
from czictypes.reading.attachments import Attachments
from czictypes.reading.conversion import eight_bit
from czictypes.reading.plane_reads import open_document_of
from czictypes.reading.reader import CziReader

if TYPE_CHECKING:
    from PIL.Image import Image

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
