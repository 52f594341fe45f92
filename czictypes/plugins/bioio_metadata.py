"""The same as in bioio-czi: arguments, names of scenes, fields of the metadata."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta, timezone
from typing import Any, Union

from czictypes.arrays.image import CziImage
from czictypes.arrays.scene_infos import scene_infos
from czictypes.metadata.xml import parse
from czictypes.model.errors import CorruptFileError
from czictypes.reading.plane_reads import open_document_of
from czictypes.reading.reader import CziReader
from czictypes.reading.subblock import matching, sub_block_info

__all__ = [
    "AcquisitionTime",
    "acquisition_times",
    "as_element",
    "check_options",
    "duration_of",
    "element_of",
    "has_channels",
    "names_with_wells",
    "sub_blocks",
]

#: Places by the letters of dimensions, and the time.
AcquisitionTime = dict[str, Union[int, datetime]]

#: The dimensions of sub-blocks, the one that changes last first.
_ORDER = "BVHIRSTCZM"
#: The arguments of a reader besides those of its signature.
_OPTIONS = ("cache_options", "parts", "reader_options", "threads")


def check_options(options: Mapping[str, Any]) -> None:
    """Check the arguments of a reader that its signature does not have.

    Raises
    ------
    TypeError
        For one that there is not, saying what to give instead of bioio-czi's own.
    """
    if "stream_options" in options:
        raise TypeError(
            "stream_options belong to libCZI's own web access, which czictypes does not use; for "
            'a URL, give fs_kwargs, such as {"headers": {"Authorization": "Bearer ..."}}'
        )
    unknown = ", ".join(sorted(set(options) - set(_OPTIONS)))
    if unknown:
        raise TypeError(
            f"the reader has no argument {unknown}; besides those of its signature it takes "
            f"{', '.join(_OPTIONS)}"
        )


def element_of(image: CziImage) -> Any:
    """Return the root of the document's XML; its text where it is not well-formed."""
    try:
        return parse(image.reader.raw_metadata)
    except CorruptFileError:
        return image.reader.raw_metadata


def names_with_wells(image: CziImage) -> tuple[str, ...]:
    """Return the names of the scenes with their wells, as long as no two become equal."""
    numbers: list[int | None] = list(image.reader.scenes_bounding_rectangle) or [None]
    infos, names = scene_infos(image.reader), list(image.scenes)
    for place, number in enumerate(numbers):
        info = infos.get(number)
        if info is not None and info.well is not None and info.well.name:
            names[place] = f"{info.name or names[place]}-{info.well.name}"
    return tuple(names) if len(set(names)) == len(names) else image.scenes


def has_channels(image: CziImage) -> bool:
    """Tell whether an image is gray, or its file has channels beside the colours."""
    with open_document_of(image.reader) as document:
        return "C" in document.table.plane_bounds or "S" not in image.dims.order


def _places(
    reader: CziReader, where: Mapping[str, int] | None = None, scene: int | None = None
) -> list[tuple[int, dict[str, int]]]:
    """Return the index and the place of the sub-blocks in full resolution, in their order.

    Of one that holds several planes, the place is that of the first plane that is wanted.
    """
    wanted = dict(where or {}, **({} if scene is None else {"S": scene}))
    m = wanted.pop("M", None)
    found: dict[int, dict[str, int]] = {}
    with open_document_of(reader) as document:
        table = document.table
        is_mosaic = table.m_bounds is not None and table.m_bounds[1] > 1
        for row in matching(table, coordinate=wanted, roi=None, only_layer0=True):
            index, place = table.rows.sub_block_of(row), table.coordinate(row)
            info = sub_block_info(table, index)
            if is_mosaic and info.is_mindex_valid():
                place["M"] = info.mIndex
            if m is None or info.mIndex == m:
                found.setdefault(index, dict(sorted(place.items())))
    return sorted(found.items(), key=lambda one: [one[1].get(letter, 0) for letter in _ORDER])


def _moments(reader: CziReader, indices: Iterable[int]) -> dict[int, datetime]:
    """Return when sub-blocks were acquired, for those that tell."""
    indices = list(indices)
    told = reader.subblock_metadata(["acquisition_time"], indices=indices)
    return {
        index: moment.replace(tzinfo=timezone.utc)
        for index, moment in zip(indices, told["acquisition_time"].tolist())
        if moment is not None
    }


def sub_blocks(
    reader: CziReader, scene: int | None = None, where: Mapping[str, int] | None = None
) -> Iterator[tuple[dict[str, int], str]]:
    """Give the places and the XML of sub-blocks that have some."""
    places = dict(_places(reader, where, scene))
    texts = reader.subblock_metadata(["xml"], indices=list(places))["xml"]
    return ((place, text) for place, text in zip(places.values(), texts) if text)


def as_element(sub_blocks: Iterator[tuple[dict[str, int], str]]) -> ET.Element:
    """Return the XML of sub-blocks as one element; what is not well-formed is left out."""
    root = ET.Element("Subblocks")
    for place, text in sub_blocks:
        one = ET.SubElement(root, "Subblock", {name: str(at) for name, at in place.items()})
        try:
            one.append(parse(text))
        except CorruptFileError:
            continue
    return root


def acquisition_times(image: CziImage) -> list[AcquisitionTime]:
    """Return the place and the time of each tile of a scene, for those that tell the time."""
    places = dict(_places(image.reader, scene=image.scene_index))
    moments = _moments(image.reader, places)
    return [
        {**place, "acquisition_time": moments[index]}
        for index, place in places.items()
        if index in moments
    ]


def duration_of(image: CziImage) -> timedelta | None:
    """Return the time from the first T to the last one, between the first tiles of each."""
    if image.sizes["T"] < 2:
        return None
    start, stop = image.reader.total_bounding_box["T"]
    ends = []
    for at in (start, stop - 1):
        indices = [index for index, _ in _places(image.reader, {"T": at}, image.scene_index)]
        ends += [min(_moments(image.reader, indices).values(), default=None)]
    first, last = ends
    if first is not None and last is not None:
        return last - first
    times = image.time_stamps
    return None if not times else timedelta(seconds=times[-1] - times[0])
