"""Edit the XML of a document, or fit it to a part of the document; the rest stays as it is."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from czictypes.metadata.colors import ColorLike, as_color
from czictypes.metadata.document_info import (
    CustomValue,
    GeneralDocumentInfoDto,
    Scaling,
    ScalingInfoDto,
    axis,
    scaling,
    warn_of_large_pixels,
)
from czictypes.metadata.fields import Node, ensure, format_number, put, set_name
from czictypes.metadata.scenes import covers_contour, keep_acquisitions, match_scenes
from czictypes.metadata.sections import (
    ChannelChange,
    set_attribute,
    set_channel,
    set_display_settings,
    set_general_document_info,
    set_scaling,
)
from czictypes.metadata.xml import XmlSource, parse, to_bytes, to_string
from czictypes.model.errors import CorruptFileError, OutOfBoundsError
from czictypes.model.geometry import ABSENT, DIMENSIONS, Rectangle
from czictypes.model.options import ChannelDisplaySettingsDataClass

_IMAGE = "Metadata/Information/Image"
_SCENES = f"{_IMAGE}/Dimensions/S/Scenes"
_SIZES = {f"Size{letter}" for letter in ("X", "Y", "M", *DIMENSIONS)}


def edit_advice(call: str) -> str:
    """Return the advice to change metadata by a method of `XmlEditor`.

    The command line puts the option of ``czictypes edit`` in its place.
    """
    return f"czi.edit_czi changes it in place: {call}"


class XmlEditor:
    """The XML of a document while it is edited, with the methods of pylibCZIrw's builder.

    A setter either succeeds or raises and changes nothing.

    Parameters
    ----------
    source
        The XML; empty for a document that has none.
    """

    def __init__(self, source: XmlSource = b"") -> None:
        self._root = _document(source)

    @property
    def root(self) -> ET.Element:
        """The root element as it is now."""
        return self._root

    def get_xml(self, prettify: bool = False) -> str:
        """Return the XML, on request with each element on a line of its own."""
        return to_string(self._root, indent=prettify)

    def to_bytes(self) -> bytes:
        """Return the XML ready to be stored in a metadata segment."""
        return to_bytes(self._root)

    def set_xml(self, xml_string: XmlSource) -> None:
        """Replace the whole document.

        Raises
        ------
        CorruptFileError
            If the text is no XML, or its root element is not ``ImageDocument``.
        TypeError
            If it is neither text nor bytes.
        """
        self._root = _document(xml_string)

    def set_general_document_info(
        self,
        info: GeneralDocumentInfoDto | None = None,
        *,
        name: str | None = None,
        title: str | None = None,
        user_name: str | None = None,
        description: str | None = None,
        comment: str | None = None,
        keywords: str | None = None,
        rating: float | None = None,
        creation_date_time: str | None = None,
    ) -> None:
        """Set title, comment and so on; what is None stays as it is.

        Parameters
        ----------
        info
            Fields to set.
        name, title, user_name, description, comment, keywords, rating, creation_date_time
            The same one by one; they win over `info`.

        Raises
        ------
        ValueError
            A rating that is no whole number, or text with a character that XML cannot store.
        """
        single = GeneralDocumentInfoDto(
            name, title, user_name, description, comment, keywords, rating, creation_date_time
        )
        given = {field: value for field, value in vars(single).items() if value is not None}
        wanted = replace(info or GeneralDocumentInfoDto(), **given)
        self._apply(set_general_document_info, wanted)

    def set_scaling_info(
        self,
        scaling: ScalingInfoDto | None = None,
        *,
        scale_x: float | None = None,
        scale_y: float | None = None,
        scale_z: float | None = None,
    ) -> None:
        """Set the size of a pixel in metres; what is None (or NaN) stays as it is.

        A `MetadataWarning` says that a pixel of 1 cm or more can hardly be meant.

        Raises
        ------
        ValueError
            A size that is not above 0, or infinite.
        """
        base = ScalingInfoDto() if scaling is None else scaling
        if not hasattr(base, "scale_x"):
            raise TypeError(f"scaling is a ScalingInfoDto, not {base!r}")
        wanted = Scaling(
            base.scale_x if scale_x is None else scale_x,
            base.scale_y if scale_y is None else scale_y,
            base.scale_z if scale_z is None else scale_z,
        )
        warn_of_large_pixels(wanted)
        self._apply(set_scaling, wanted)

    def set_custom_key_value(self, key: str, value: CustomValue) -> None:
        """Add or replace a custom attribute.

        Raises
        ------
        ValueError
            A key that is no XML name, or a value that is none of bool, int (of 32 bits), float
            and str.
        """
        self._apply(set_attribute, key, value)

    def set_display_settings(
        self, display_settings: Mapping[int, ChannelDisplaySettingsDataClass]
    ) -> None:
        """Change how the given channels are shown; the others stay as they are.

        A name or description that is None or empty stays as it is.

        Raises
        ------
        ValueError
            The document has no such channel, or a value cannot be written.
        """
        self._apply(set_display_settings, display_settings)

    def set_channel_info(
        self,
        channel: int,
        *,
        name: str | None = None,
        description: str | None = None,
        dye: str | None = None,
        color: ColorLike | None = None,
        excitation_wavelength: float | None = None,
        emission_wavelength: float | None = None,
    ) -> None:
        """Change name, colour, wavelengths and so on of a channel; what is None stays as it is.

        A channel is described twice, for the image and for its display; both are changed.

        Parameters
        ----------
        channel
            The index of the channel in the metadata.
        name, description, dye
            Text. A name is not empty.
        color
            The colour in which the channel is shown, which is tinted from then on: an `Rgb8Color`,
            ``"#00FF00"``, a name such as ``"green"``, or red, green and blue from 0 to 255.
        excitation_wavelength, emission_wavelength
            In nanometres.

        Raises
        ------
        OutOfBoundsError
            If there is no such channel.
        ValueError
            If a value cannot be written: an empty name, a wavelength that is not above 0, text
            with a character that XML cannot store.
        """
        shown = None if color is None else as_color(color)
        change = ChannelChange(
            name, description, dye, shown, excitation_wavelength, emission_wavelength
        )
        self._apply(set_channel, channel, change, self._channel_count())

    def set_scene_name(self, scene: int, name: str) -> None:
        """Rename a scene.

        Parameters
        ----------
        scene
            The number of the scene, as in the metadata.
        name
            Its new name, which is not empty.

        Raises
        ------
        OutOfBoundsError
            If the metadata do not list the scene.
        ValueError
            For an empty name, or one with a character that XML cannot store.
        """
        listed = self._root.findall(f"{_SCENES}/Scene")
        numbers = [_scene_index(one, position) for position, one in enumerate(listed)]
        self._apply(rename_scene, scene, name, numbers)

    def _channel_count(self) -> int:
        """Return how many channels the document has; 0 where only the XML could tell."""
        return 0

    def _apply(self, change: Callable[..., None], *arguments: Any) -> None:
        changed = parse(to_string(self._root))  # copy.deepcopy would recurse
        change(changed, *arguments)
        self._root = changed


def _document(source: XmlSource) -> ET.Element:
    root = parse(source)
    if root.tag != "ImageDocument":
        raise CorruptFileError(f"the root element is <{root.tag}>, but a CZI has <ImageDocument>")
    return root


def set_sizes(root: ET.Element, sizes: Mapping[str, int | None]) -> None:
    """Set ``SizeX``, ``SizeC`` and so on, by letter; None removes one."""
    image = ensure(root, _IMAGE)
    for letter, size in sizes.items():
        old = image.find(f"Size{letter}")
        if size is None and old is not None:
            image.remove(old)
        elif size is not None and old is None:  # beside the others, where readers expect it
            present = [position for position, one in enumerate(image) if one.tag in _SIZES]
            image.insert(max(present, default=-1) + 1, ET.Element(f"Size{letter}"))
        put(image, f"Size{letter}", size)


def keep_channels(root: ET.Element, positions: Sequence[int], count: int, *, compact: bool) -> None:
    """Keep the channels at some positions of the list, if it has the length `count`.

    The look of a channel is found by its position, which counts from C = 0: so a channel before
    one that is kept stays in ``DisplaySetting``, unless the channels are counted from 0
    now (`compact`).
    """
    kept = positions if isinstance(positions, range) else set(positions)
    listed = root.find(f"{_IMAGE}/Dimensions/Channels")
    elements = [] if listed is None else listed.findall("Channel")
    gone = []
    if listed is not None and len(elements) == count:
        gone = [element for position, element in enumerate(elements) if position not in kept]
        for element in gone:
            listed.remove(element)
    shown = root.find("Metadata/DisplaySetting/Channels")
    if shown is None:
        return
    stay = kept if compact else range(max(positions) + 1)
    by_id = {channel.get("Id") for channel in gone} - {None}
    for position, channel in enumerate(shown.findall("Channel")):
        out = channel.get("Id") in by_id if by_id and compact else position not in stay
        if out and position < count:
            shown.remove(channel)


def keep_positions(root: ET.Element, letter: str, positions: Sequence[int]) -> None:
    """Keep the positions of some planes along ``"T"`` or ``"Z"``."""
    known = axis(root, letter)
    if known is None:
        return
    step, offsets = _step(positions), known.offsets
    if known.increment is not None:
        start, increment = known.start or 0.0, known.increment
        if step is not None:
            parent = _without_positions(root, letter)
            put(parent, "Interval/Start", start + increment * positions[0])
            put(parent, "Interval/Increment", increment * step)
            return
        kept = [start + increment * position for position in positions]
    elif offsets is not None and max(positions) < len(offsets):
        kept = [offsets[position] for position in positions]
    else:
        return
    parent = _without_positions(root, letter)
    put(parent, "List/Offsets", " ".join(map(format_number, kept)))


def _step(positions: Sequence[int]) -> int | None:
    """Return the distance of neighbours, 1 for a single position; None if it is not constant."""
    if isinstance(positions, range):  # may be too long to be looped over
        return positions.step
    steps = {after - before for before, after in zip(positions, positions[1:])} or {1}
    return steps.pop() if len(steps) == 1 else None


def _without_positions(root: ET.Element, letter: str) -> ET.Element:
    parent = ensure(root, f"{_IMAGE}/Dimensions/{letter}/Positions")
    for child in list(parent):
        parent.remove(child)
    return parent


def keep_scenes(root: ET.Element, new_index: Mapping[int, int], numbers: Collection[int]) -> None:
    """Keep some scenes; `new_index` has their new index by S index, `numbers` all S indices."""
    parents = root.findall(_SCENES)
    found = [(parent, scene) for parent in parents for scene in parent.findall("Scene")]
    listed = [scene for _, scene in found]
    kept = {
        position: new_index[number]
        for number, position in _scene_positions(listed, numbers).items()
        if number in new_index
    }
    indices = {_scene_index(listed[position], position): index for position, index in kept.items()}
    keep_acquisitions(root, indices)
    for position, (parent, scene) in enumerate(found):
        if position in kept:
            scene.set("Index", str(kept[position]))
        else:
            parent.remove(scene)


def fit_scenes(
    root: ET.Element,
    boxes: Mapping[int, tuple[Rectangle, Rectangle]],
    numbers: Collection[int],
) -> None:
    """Give scenes the centre and size of what is left of them, where the size of a pixel is known.

    `boxes` has the box of a scene in pixels before and after, by S index; `numbers` has all these.
    A scene whose contour is larger than its box, as in a part of a document, stays as it is.
    """
    x, y, _ = scaling(root)
    if not x or not y:
        return
    listed = root.findall(f"{_SCENES}/Scene")
    for number, position in _scene_positions(listed, numbers).items():
        if number in boxes:
            _fit_scene(listed[position], *boxes[number], (x * 1e6, y * 1e6))


def _fit_scene(
    scene: ET.Element, before: Rectangle, after: Rectangle, pixel: tuple[float, float]
) -> None:
    node = Node(scene, "Scene")
    center, size = node.pair("CenterPosition"), node.pair("ContourSize")
    if center is None or not covers_contour(size, before, pixel):
        return
    steps = (new - old for new, old in zip(after.center, before.center))
    x, y = (old + step * one for old, step, one in zip(center, steps, pixel))
    put(scene, "CenterPosition", (x, y))
    if size is not None:
        put(scene, "ContourSize", (after.w * pixel[0], after.h * pixel[1]))


def drop_pyramid_info(root: ET.Element, scenes: Collection[int], numbers: Collection[int]) -> None:
    """Remove the description of the pyramids of some scenes; `numbers` has all S indices."""
    listed = root.findall(f"{_SCENES}/Scene")
    for number, position in _scene_positions(listed, numbers).items():
        for info in listed[position].findall("PyramidInfo") if number in scenes else ():
            listed[position].remove(info)


def rename_scene(root: ET.Element, scene: int | None, name: str, numbers: Collection[int]) -> None:
    """Rename a scene by its S index, None in a document without S; `numbers` has all S indices.

    A scene that has sub-blocks and is not listed is added.

    Raises
    ------
    OutOfBoundsError
        If there is no such scene, or the metadata do not tell which of theirs it is.
    ValueError
        For an empty name, or one that XML cannot store.
    """
    if not name.strip():
        raise ValueError(f"the name of scene {scene or 0} is empty")
    listed = root.findall(f"{_SCENES}/Scene")
    position = _scene_positions(listed, numbers).get(ABSENT if scene is None else scene)
    indices = [_scene_index(one, at) for at, one in enumerate(listed)]
    if position is not None:
        element = listed[position]
    elif set(indices) <= set(numbers) and (scene in numbers or not numbers):
        element = ET.SubElement(ensure(root, _SCENES), "Scene", {"Index": str(scene or 0)})
    else:
        known = ", ".join(map(str, indices)) or "none"
        raise OutOfBoundsError(f"the metadata have no scene {scene or 0}; they list: {known}")
    set_name(element, name, f"scene {scene or 0}")


def _scene_positions(listed: Sequence[ET.Element], numbers: Collection[int]) -> dict[int, int]:
    """Return the positions of scenes by S index; that of the only scene without S is ABSENT."""
    if not numbers:
        return {ABSENT: 0} if len(listed) == 1 else {}
    indices = [_scene_index(scene, position) for position, scene in enumerate(listed)]
    return match_scenes(indices, numbers)


def _scene_index(scene: ET.Element, position: int) -> int:
    try:
        return int(scene.get("Index", position))
    except ValueError:
        return position
