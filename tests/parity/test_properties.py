"""What a document tells of itself is what pylibCZIrw tells, on every file."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from files.recipes import RECIPES
from peers import open_pylibczirw, pylibczirw
from reads import facts_of, random_read
from real_files import find_real_file, real_file_names

from czictypes import czi
from czictypes.model.geometry import Rectangle

FILES = [*real_file_names(), *sorted(RECIPES)]

#: Every property, and where ours differs on purpose: all else must be equal.
ON_PURPOSE = {
    "total_bounding_box": "ranges start where the file's do; pylibCZIrw says (0, size)",
    "total_bounding_box_no_pyramid": "the same",
    "pixel_types": "the channels there are, of all types; pylibCZIrw counts from 0 and knows six",
    "raw_metadata": "the text as it is stored; pylibCZIrw prints it anew, with a declaration",
    "metadata": "empty where a file has none; pylibCZIrw raises",
    "custom_attributes_metadata": "None where the metadata has no Information; pylibCZIrw raises",
    "scenes_bounding_rectangle": "also of scenes that do not count up; pylibCZIrw raises",
    "scenes_bounding_rectangle_no_pyramid": "the same",
    "total_bounding_rectangle": "(0, 0, -1, -1) for an empty file; pylibCZIrw's is not initialised",
    "total_bounding_rectangle_no_pyramid": "the same",
}


@pytest.fixture(params=FILES)
def path(request: pytest.FixtureRequest, made: Callable[[str], Any]) -> Path:
    """Give every file there is, real or made."""
    name = request.param
    found: Path = made(name).path if name in RECIPES else find_real_file(name)
    return found


@pytest.fixture
def both(path: Path) -> Iterator[tuple[Any, Any]]:
    """Open a file with czictypes and with pylibCZIrw."""
    with open_pylibczirw(path) as theirs, czi.open_czi(path) as ours:
        yield ours, theirs


def is_empty(document: Any) -> bool:
    return bool(document.total_bounding_rectangle.is_empty)


def sizes(box: dict[str, tuple[int, int]]) -> dict[str, int]:
    return {name: end - start for name, (start, end) in box.items()}


def as_lines(xml: str) -> list[tuple[str, dict[str, str], str]]:
    """Return tag, attributes and text of every element, spaces around the text left aside."""
    elements = ElementTree.fromstring(xml).iter()
    return [(one.tag, dict(one.attrib), (one.text or "").strip()) for one in elements]


def test_rectangles(both: tuple[Any, Any]) -> None:
    ours, theirs = both
    for name in ("total_bounding_rectangle", "total_bounding_rectangle_no_pyramid"):
        if is_empty(ours):
            assert getattr(ours, name) == (0, 0, -1, -1)
        else:
            assert getattr(ours, name) == getattr(theirs, name), name


@pytest.mark.parametrize("name", ["total_bounding_box", "total_bounding_box_no_pyramid"])
def test_boxes(name: str, both: tuple[Any, Any]) -> None:
    ours, theirs = getattr(both[0], name), getattr(both[1], name)
    assert sizes(ours) == sizes(theirs)
    if not is_empty(both[0]):
        assert (ours["X"], ours["Y"]) == (theirs["X"], theirs["Y"])


@pytest.mark.parametrize(
    "name", ["scenes_bounding_rectangle", "scenes_bounding_rectangle_no_pyramid"]
)
def test_scenes(name: str, both: tuple[Any, Any]) -> None:
    ours = getattr(both[0], name)
    numbers = sorted(ours)
    if numbers and len(numbers) != numbers[-1] - numbers[0] + 1:
        with pytest.raises(ValueError, match="does not match"):
            getattr(both[1], name)
    else:
        assert ours == getattr(both[1], name)
        assert all(type(box) is Rectangle for box in ours.values())


def test_pixel_types(both: tuple[Any, Any]) -> None:
    ours, theirs = both
    for channel, name in ours.pixel_types.items():
        assert ours.get_channel_pixel_type(channel) == name
        if name in theirs.PIXEL_TYPES or name == "Invalid":
            assert theirs.get_channel_pixel_type(channel) == name
    if ours.get_channel_pixel_type(77) in (*theirs.PIXEL_TYPES, "Invalid"):
        assert ours.get_channel_pixel_type(77) == theirs.get_channel_pixel_type(77)
    assert len(ours.pixel_types) == len(theirs.pixel_types)


def test_metadata(both: tuple[Any, Any]) -> None:
    ours, theirs = both
    try:
        text = theirs.raw_metadata
    except RuntimeError:
        assert ours.raw_metadata == ""
        assert ours.metadata == {}
        return
    assert as_lines(ours.raw_metadata) == as_lines(text)
    assert ours.metadata == theirs.metadata


def test_custom_attributes(both: tuple[Any, Any]) -> None:
    ours, theirs = both
    try:
        expected = theirs.custom_attributes_metadata
    except (RuntimeError, TypeError):  # there is no XML, or nothing in its Information
        expected = None
    assert ours.custom_attributes_metadata == expected


def listed(document: Any, **arguments: Any) -> list[tuple[Any, ...]]:
    """Return what the enumeration tells of each sub-block, in a form both readers share."""
    found = []

    def note(index: int, info: Any) -> bool:
        rectangle = info.logicalRect
        found.append(
            (
                index,
                info.compressionModeRaw,
                info.get_compression_mode().name,
                int(info.pixelType),
                info.coordinate.to_dict(),
                (rectangle.x, rectangle.y, rectangle.w, rectangle.h),
                (info.physicalSize.w, info.physicalSize.h),
                info.mIndex,
                info.get_zoom(),
                info.is_mindex_valid(),
            )
        )
        return True

    document.enumerate_subblocks_subset(note, **arguments)
    return found


def test_enumeration(both: tuple[Any, Any]) -> None:
    assert listed(both[0]) == listed(both[1])


def test_enumeration_of_a_subset(both: tuple[Any, Any], rng: np.random.Generator) -> None:
    facts = facts_of(both[0])
    if is_empty(both[0]):
        assert listed(both[0], roi=(0, 0, 9, 9)) == []
        return
    for _ in range(20):
        read = random_read(rng, facts)
        # Reduced tiles that are all there is of a plane count as full resolution here.
        has_all = "only_pyramid" not in str(both[0])
        arguments: dict[str, Any] = {"only_layer0": has_all and bool(rng.random() < 0.5)}
        # Sub-blocks that lack a dimension are listed at each place in it here.
        if rng.random() < 0.7 and "partial_coordinates" not in str(both[0]):
            arguments["plane"] = dict(read.plane)
        if rng.random() < 0.7:
            arguments["roi"] = facts.roi_of(read)
        assert listed(both[0], **arguments) == listed(both[1], **arguments), arguments


def test_an_enumeration_ends_when_told_to(both: tuple[Any, Any]) -> None:
    for document in both:
        seen: list[int] = []
        document.enumerate_subblocks(lambda index, _, seen=seen: seen.append(index) or index < 1)
        assert seen == list(range(min(len(listed(document)), 2)))


def test_every_property_of_pylibczirw_is_compared() -> None:
    reader = pylibczirw().CziReader
    names = {name for name in dir(reader) if isinstance(getattr(reader, name), property)}
    assert names == set(ON_PURPOSE)
