"""Make the XML of a document fit a part of it: its sizes, channels, scenes, positions."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Collection, Mapping, Sequence

from czictypes.metadata.acquisitions import keep_acquisitions
from czictypes.metadata.axes import axis
from czictypes.metadata.elements import ensure, format_number, put
from czictypes.metadata.scenes import match_scenes
from czictypes.model.geometry import ABSENT

__all__ = ["drop_pyramid_info", "keep_channels", "keep_positions", "keep_scenes", "set_sizes"]

_IMAGE = "Metadata/Information/Image"
_SCENES = f"{_IMAGE}/Dimensions/S/Scenes"


def set_sizes(root: ET.Element, sizes: Mapping[str, int]) -> None:
    """Set ``SizeX``, ``SizeC`` and so on, by letter."""
    image = ensure(root, _IMAGE)
    for letter, size in sizes.items():
        if image.find(f"Size{letter}") is None:  # beside the other sizes, where readers expect it
            last = max((at for at, one in enumerate(image) if _is_size(one)), default=-1)
            image.insert(last + 1, ET.Element(f"Size{letter}"))
        put(image, f"Size{letter}", size)


def _is_size(element: ET.Element) -> bool:
    return isinstance(element.tag, str) and len(element.tag) == 5 and element.tag[:4] == "Size"


def keep_channels(root: ET.Element, positions: Sequence[int], count: int, *, compact: bool) -> None:
    """Keep some of the channels.

    The look of a channel is found by its position, which counts from C = 0: so a channel before
    one that is kept stays in ``DisplaySetting``, unless the channels are numbered anew.

    Parameters
    ----------
    positions
        Which of the channels stay, in the order of the list.
    count
        How many the document has; a list of another length is left as it is.
    compact
        Whether the channels are counted from 0 now.
    """
    listed = root.find(f"{_IMAGE}/Dimensions/Channels")
    gone = _keep(listed, "Channel", positions, count)
    shown = root.find("Metadata/DisplaySetting/Channels")
    if shown is None:
        return
    channels = shown.findall("Channel")
    stay = _quick(positions) if compact else range(max(positions) + 1)
    by_id = {channel.get("Id") for channel in gone} - {None}
    for position, channel in enumerate(channels):
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
        kept = [start + increment * at for at in positions]
    elif offsets is not None and max(positions) < len(offsets):
        kept = [offsets[at] for at in positions]
    else:
        return
    parent = _without_positions(root, letter)
    put(parent, "List/Offsets", " ".join(map(format_number, kept)))


def _step(positions: Sequence[int]) -> int | None:
    """Return the distance of neighbours, 1 for a single position; None where it is not always one.

    A range may be longer than anything that can be looped over.
    """
    if isinstance(positions, range):
        return positions.step
    steps = {after - before for before, after in zip(positions, positions[1:])} or {1}
    return steps.pop() if len(steps) == 1 else None


def _without_positions(root: ET.Element, letter: str) -> ET.Element:
    parent = ensure(root, f"{_IMAGE}/Dimensions/{letter}/Positions")
    for child in list(parent):
        parent.remove(child)
    return parent


def keep_scenes(root: ET.Element, new_index: Mapping[int, int], numbers: Collection[int]) -> None:
    """Keep some of the scenes.

    Parameters
    ----------
    new_index
        The index that each of them gets, by its S index.
    numbers
        All S indices of the document.
    """
    matched = _scenes(root, numbers)
    kept = {id(element): new_index.get(number) for number, element in matched}
    places = {id(element): at for at, element in enumerate(root.findall(f"{_SCENES}/Scene"))}
    moved = {
        _scene_index(element, places[id(element)]): new_index[number]
        for number, element in matched
        if number in new_index
    }
    keep_acquisitions(root, moved)
    for parent in root.findall(_SCENES):
        for scene in parent.findall("Scene"):
            index = kept.get(id(scene))
            if index is None:
                parent.remove(scene)
            else:
                scene.set("Index", str(index))


def drop_pyramid_info(root: ET.Element, scenes: Collection[int], numbers: Collection[int]) -> None:
    """Remove what is said of the pyramids of some scenes; `numbers` are all of the document."""
    for number, scene in _scenes(root, numbers):
        for info in scene.findall("PyramidInfo"):
            if number in scenes:
                scene.remove(info)


def _scenes(root: ET.Element, numbers: Collection[int]) -> list[tuple[int, ET.Element]]:
    """Return the scenes of which it is known which ones they are, with their S index.

    That of the only scene of a document without S is ABSENT.
    """
    listed = root.findall(f"{_SCENES}/Scene")
    if not numbers:
        return [(ABSENT, one) for one in listed] if len(listed) == 1 else []
    indices = [_scene_index(scene, at) for at, scene in enumerate(listed)]
    return [(number, listed[at]) for number, at in match_scenes(indices, numbers).items()]


def _scene_index(scene: ET.Element, position: int) -> int:
    try:
        return int(scene.get("Index", position))
    except ValueError:
        return position


def _keep(
    parent: ET.Element | None, name: str, positions: Sequence[int], count: int
) -> list[ET.Element]:
    """Remove the children of a name that are at other positions, and return them."""
    children = [] if parent is None else parent.findall(name)
    if parent is None or len(children) != count:
        return []
    kept = _quick(positions)
    gone = [child for at, child in enumerate(children) if at not in kept]
    for child in gone:
        parent.remove(child)
    return gone


def _quick(positions: Sequence[int]) -> Collection[int]:
    """Return positions as something that is quick to look into; a range is, and may be long."""
    return positions if isinstance(positions, range) else set(positions)
