"""All that is known of a document without reading pixels, as plain values ready for JSON."""

from __future__ import annotations

import dataclasses
import math
from datetime import datetime
from enum import Enum
from typing import Any

import numpy as np

from czictypes.checking.check import check_quickly
from czictypes.czi import CziReader, Rgb8Color
from czictypes.model.pixel_types import Compression, PixelType
from czictypes.reading.plane_reads import open_document_of
from czictypes.remote.urls import describe_target

__all__ = ["summarize"]

Values = dict[str, Any]


def summarize(document: CziReader, path: str) -> Values:
    """Describe an open document.

    Parameters
    ----------
    document
        The document.
    path
        Its file, or URL.

    Returns
    -------
    dict
        Numbers, texts, lists and dictionaries. Ranges are [start, end], the end excluded; a
        rectangle is x, y, width, height in pixels; None is what the file does not tell.
    """
    with open_document_of(document) as opened:
        size = opened.source.end_of(0)
        report = check_quickly(opened)
    summary = {
        "file": describe_target(path),
        "file_size": size,
        "parts": document.parts,
        "document": document.document_info,
        "dimensions": document.total_bounding_box,
        "bounding_rectangle": document.total_bounding_rectangle,
        "bounding_rectangle_no_pyramid": document.total_bounding_rectangle_no_pyramid,
        "pixel_size_in_metres": document.scaling._asdict(),
        "skew": document.skew,
        "channels": _channels(document),
        "scenes": _scenes(document),
        "sub_blocks": _sub_blocks(document),
        "pyramid_levels": [level._asdict() for level in document.pyramid_levels()],
        "needs_pyramid": document.needs_pyramid,
        "attachments": [
            {
                "index": one.index,
                "name": one.name,
                "content_file_type": one.content_file_type,
                "guid": str(one.guid),
            }
            for one in document.attachments
        ],
        "annotations": document.annotations,
        "custom_attributes": document.custom_attributes_metadata or {},
        "check": {
            "worst": report.worst,
            "counts": dict(report.counts),
            "finding": vars(report.findings[0]) if report.findings else None,
        },
    }
    plain: Values = _plain(summary)
    return plain


def _channels(document: CziReader) -> list[Values]:
    """Describe the channels that have pixels, in order, and what the metadata tell of each."""
    described = {channel.index: vars(channel) for channel in document.channels}
    settings, types = document.display_settings, document.all_pixel_types
    return [
        {
            **described.get(number, {}),
            "index": number,
            "pixel_type": pixel_type,
            "all_pixel_types": types[number],
            "display_settings": settings.get(number),
        }
        for number, pixel_type in document.pixel_types.items()
    ]


def _scenes(document: CziReader) -> list[Values]:
    described = {scene.index: vars(scene) for scene in document.scenes}
    layer0 = document.scenes_bounding_rectangle_no_pyramid
    return [
        {
            **described.get(number, {}),
            "index": number,
            "rectangle": box,
            "rectangle_no_pyramid": None if layer0[number].is_empty else layer0[number],
        }
        for number, box in document.scenes_bounding_rectangle.items()
    ]


def _sub_blocks(document: CziReader) -> Values:
    planes = document.subblocks
    table = planes[np.unique(planes["index"], return_index=True)[1]]
    layer0 = table[table["level"] == 0]
    return {
        "count": len(table),
        "planes": len(planes),
        "compressions": _counts(table["compression"], Compression),
        "pixel_types": _counts(table["pixel_type"], PixelType),
        "largest_tile": [int(layer0[side].max(initial=0)) for side in ("physical_w", "physical_h")],
    }


def _counts(column: Any, names: type[Compression] | type[PixelType]) -> dict[str, int]:
    """Count the values of a column by their names; a number without a name is its own."""
    known = {int(one): one.name for one in names}
    values, counts = np.unique(column, return_counts=True)
    return {
        known.get(value, str(value)): count
        for value, count in zip(values.tolist(), counts.tolist())
    }


def _plain(value: Any) -> Any:
    """Turn dataclasses into dictionaries, colours into #RRGGBB, dates into ISO 8601.

    JSON has no number that is not finite: such a one becomes None.
    """
    if isinstance(value, Rgb8Color):
        return f"#{int(value.r):02X}{int(value.g):02X}{int(value.b):02X}"
    if isinstance(value, Enum):
        return value.name
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if dataclasses.is_dataclass(value):
        return _plain(vars(value))
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, (list, tuple)) else value
