"""The summary of a document, made without reading pixels: as plain values, and as tables."""

from __future__ import annotations

import dataclasses
import math
import sys
from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Any
from uuid import UUID

import numpy as np

from czictypes.checking.check import check_quickly
from czictypes.cli.output import printable
from czictypes.czi import CziReader, Rgb8Color
from czictypes.model.pixel_types import Compression, PixelType
from czictypes.reading.reader import open_document_of
from czictypes.remote.urls import describe_target

if TYPE_CHECKING:
    from rich.table import Table

Values = dict[str, Any]

_MOST_ROWS = 20
_WIDTH_WHEN_PIPED = 160


def summarize(document: CziReader, path: str) -> Values:
    """Return the summary of an open document, whose path or URL is given, ready for JSON.

    Ranges are [start, end], the end excluded; a rectangle is x, y, width, height in pixels; what
    the file does not tell is None.
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
            {name: getattr(one, name) for name in ("index", "name", "content_file_type", "guid")}
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
    """Describe the channels that have pixels, with their metadata."""
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
        "largest_tile": [int(layer0[side].max(initial=0)) for side in ("stored_w", "stored_h")],
    }


def _counts(column: Any, names: type[Compression] | type[PixelType]) -> dict[str, int]:
    """Count the values of a column by their names, or by the numbers of those without one."""
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
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if dataclasses.is_dataclass(value):
        return _plain(vars(value))
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, (list, tuple)) else value


def show(summary: Values) -> None:
    """Print a summary as tables; lists of more than 20 entries are cut."""
    from rich.console import Console
    from rich.text import Text

    console = Console(
        file=sys.stdout,
        markup=False,
        highlight=False,
        emoji=False,
        width=None if sys.stdout.isatty() else _WIDTH_WHEN_PIPED,
    )
    console.print(Text(printable(summary["file"]), style="bold"))
    console.print(_facts(summary))
    console.print(_dimensions(summary))
    for table in (_channel_table(summary["channels"]), _scene_table(summary["scenes"])):
        if table.row_count:
            console.print(table)


def _facts(summary: Values) -> Table:
    from rich.table import Table

    table = Table.grid(padding=(0, 2))
    table.add_column(style="cyan", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in _fact_lines(summary).items():
        if value:
            table.add_row(name, printable(value))
    return table


def _fact_lines(summary: Values) -> dict[str, str]:
    document = summary["document"]
    program = [document["application"], document["application_version"]]
    objective = (document["objective"] or {}).get("name")
    blocks = summary["sub_blocks"]
    return {
        "size": _size(summary["file_size"]),
        "other parts": ", ".join(
            f"{name or 'missing'} ({number})" for number, name in summary["parts"].items()
        ),
        "title": document["title"] or document["name"],
        "acquired": _moment(document["acquisition_date"] or document["creation_date"]),
        "made by": " ".join(filter(None, program)),
        "microscope": ", ".join(filter(None, [document["microscope"], objective])),
        "pixel size": _pixel_size(summary["pixel_size_in_metres"]),
        "sub-blocks": _sub_block_count(blocks),
        "pixel types": _shares(blocks["pixel_types"]),
        "compression": _shares(blocks["compressions"]),
        "pyramid": _pyramid(summary["pyramid_levels"], summary["needs_pyramid"]),
        "scenes": _scene_count(summary["scenes"]),
        "attachments": _attachments(summary["attachments"]),
        "check": _check(summary["check"]),
    }


def _check(check: Values) -> str:
    """Return the worst finding of the quick check; nothing if all is well or nearly so."""
    if check["worst"] not in ("error", "warning"):
        return ""
    finding, more = check["finding"], sum(check["counts"].values()) - 1
    others = f"; czictypes check tells this and {more} more" if more else ""
    return f"{finding['severity']}: {finding['place']}: {finding['message']}{others}"


def _sub_block_count(blocks: Values) -> str:
    planes = f" with {blocks['planes']:,} planes" if blocks["planes"] > blocks["count"] else ""
    width, height = blocks["largest_tile"]
    return f"{blocks['count']:,}{planes}" + (f", tiles up to {width} x {height}" if width else "")


def _dimensions(summary: Values) -> Table:
    scale = summary["pixel_size_in_metres"]
    rows: list[list[Any]] = []
    for name in sorted(summary["dimensions"], key=_dimension_order):
        start, end = summary["dimensions"][name]
        metres = scale.get(name.lower())
        extent = _length(metres * (end - start)) if metres else ""
        positions = f"{start} to {end - 1}" if end > start else ""  # without sub-blocks
        rows.append([name, str(max(end - start, 0)), positions, extent])
    return _table(("dimension", "> size", "> positions", "> extent"), rows)


def _dimension_order(name: str) -> tuple[bool, int, str]:
    """Sort X Y C Z T first, then the others by letter."""
    position = "XYCZT".find(name)
    return position < 0, position, name


def _channel_table(channels: list[Values]) -> Table:
    from rich.text import Text

    rows: list[list[Any]] = []
    for one in channels[:_MOST_ROWS]:
        color = one.get("color")
        waves = [one.get("excitation_wavelength"), one.get("emission_wavelength")]
        rows.append(
            [
                str(one["index"]),
                printable(one.get("name") or ""),
                ", ".join(one["all_pixel_types"]) or one["pixel_type"],
                Text.assemble(("\u25a0 ", color), color) if color else "",
                *[f"{wave:g} nm" if wave else "" for wave in waves],
                _seconds(one.get("exposure_time")),
            ]
        )
    names = "> C,channel,pixel type,colour,> excitation,> emission,> exposure"
    return _with_rest(_table(tuple(names.split(",")), rows), channels)


def _scene_table(scenes: list[Values]) -> Table:
    rows: list[list[Any]] = []
    for one in scenes[:_MOST_ROWS]:
        well = (one.get("well") or {}).get("name")
        names = [printable(one.get("name") or ""), printable(well or "")]
        rows.append([str(one["index"]), *names, *map(str, one["rectangle"])])
    headings = ("> scene", "name", "well", "> x", "> y", "> width", "> height")
    return _with_rest(_table(headings, rows), scenes)


def _table(headings: tuple[str, ...], rows: list[list[Any]]) -> Table:
    """Return a table without the columns that are empty; ">" before a heading aligns right."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, pad_edge=False, header_style="cyan")
    filled = [column for column in range(len(headings)) if any(row[column] for row in rows)]
    for column in filled:
        aligned = headings[column].startswith("> ")
        table.add_column(headings[column].lstrip("> "), justify="right" if aligned else "left")
    for row in rows:
        table.add_row(*(row[column] for column in filled))
    return table


def _with_rest(table: Table, entries: list[Values]) -> Table:
    if len(entries) > _MOST_ROWS:
        table.caption = f"and {len(entries) - _MOST_ROWS:,} more; --json lists all"
        table.caption_justify = "left"
    return table


def _moment(text: str | None) -> str:
    """Return an ISO 8601 date and time to the second."""
    return f"{datetime.fromisoformat(text):%Y-%m-%d %H:%M:%S %Z}".rstrip() if text else ""


def _size(count: int) -> str:
    exact = f"{count:,} bytes"
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= size:
            return f"{count / size:.1f} {unit} ({exact})"
    return exact


def _pixel_size(scale: Values) -> str:
    known = [f"{name} {_length(metres)}" for name, metres in scale.items() if metres]
    return ", ".join(known) or "unknown"


def _length(metres: float) -> str:
    for unit, size in (("m", 1.0), ("mm", 1e-3), ("\u00b5m", 1e-6)):
        if metres >= size:
            return f"{metres / size:.4g} {unit}"
    return f"{metres * 1e9:.4g} nm"


def _seconds(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:g} s" if value >= 1 else f"{value * 1e3:g} ms"


def _shares(counts: dict[str, int]) -> str:
    if len(counts) == 1:
        return next(iter(counts))
    return ", ".join(f"{name} ({count:,})" for name, count in counts.items()) or "none"


def _pyramid(levels: list[Values], needed: bool) -> str:
    if needed:
        return "none, and the image is large enough to need one"
    if len(levels) < 2:
        return "none"
    scales = ", ".join(f"1:{one['minification']:.4g}" for one in levels[1:])
    return f"{len(levels)} levels, reduced {scales}"


def _scene_count(scenes: list[Values]) -> str:
    wells = {one["well"]["name"] for one in scenes if one.get("well")}
    if not scenes:
        return "none"
    where = f" in {len(wells):,} well{'s' if len(wells) > 1 else ''}" if wells else ""
    return f"{len(scenes):,}{where}"


def _attachments(attachments: list[Values]) -> str:
    shown = [f"{one['name']} ({one['content_file_type']})" for one in attachments[:_MOST_ROWS]]
    if len(attachments) > _MOST_ROWS:
        shown.append(f"and {len(attachments) - _MOST_ROWS:,} more")
    return ", ".join(shown) or "none"
