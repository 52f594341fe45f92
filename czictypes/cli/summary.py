"""The summary of a document, made without reading pixels: as plain values, and as tables."""

from __future__ import annotations

import dataclasses
import math
import re
import sys
import warnings
from collections.abc import Iterator
from datetime import datetime
from enum import Enum
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID

import numpy as np

from czictypes.arrays.image import CziImage
from czictypes.checking.check import check_quickly
from czictypes.cli.output import printable
from czictypes.czi import CziReader, Rgb8Color
from czictypes.model.errors import MetadataWarning
from czictypes.model.pixel_types import Compression, PixelType, pixel_format
from czictypes.reading.reader import open_document_of
from czictypes.remote.urls import describe_target

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

Values = dict[str, Any]

_MOST_ROWS = 20
#: Facts that only files with pixels have.
_UNKNOWN: Values = dict.fromkeys(
    ("time_interval_in_seconds", "duration_in_seconds", "stage_position_in_micrometres")
)
_BYTES = {int(one): pixel_format(one).bytes_per_pixel for one in PixelType}
_WIDTH_WHEN_PIPED = 160
_COLOUR = re.compile(r"#[0-9A-F]{6}")


def summarize(document: CziReader, path: str) -> Values:
    """Return the summary of an open document, whose path or URL is given, ready for JSON.

    Ranges are [start, end], the end excluded; a rectangle is x, y, width, height in pixels; what
    the file does not tell is None.
    """
    with open_document_of(document) as opened:
        size = opened.source.end_of(0)
        report = check_quickly(opened)
        opened.ignore_damaged_metadata()
        blocks = _sub_blocks(document)
        measured = _measured(document) if blocks["count"] else _UNKNOWN
    summary = {
        "file": describe_target(path),
        "file_size": size,
        "uncompressed_size": blocks["uncompressed_size"],
        "compression_ratio": round(blocks["uncompressed_size"] / size, 3) if size else None,
        "parts": document.parts,
        "document": document.document_info,
        "dimensions": document.total_bounding_box,
        "bounding_rectangle": document.total_bounding_rectangle,
        "bounding_rectangle_no_pyramid": document.total_bounding_rectangle_no_pyramid,
        "pixel_size_in_metres": document.scaling._asdict(),
        "skew": document.skew,
        **measured,
        "channels": _channels(document),
        "scenes": _scenes(document),
        "sub_blocks": blocks,
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
            "findings": [vars(finding) for finding in report.findings],
        },
        "plate": document.plate,
        "channel_names": document.channel_names,
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
    planes = document.subblocks
    tiles = planes[planes["level"] == 0]
    return [
        {
            **described.get(number, {}),
            "index": number,
            "tiles": len(np.unique(tiles["index"][tiles["scene"] == number])),
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
        "uncompressed_size": _uncompressed_size(planes),
        "largest_tile": [int(layer0[side].max(initial=0)) for side in ("stored_w", "stored_h")],
    }


def _uncompressed_size(planes: Any) -> int:
    """Return how many bytes all pixels take, those of the pyramid included."""
    pixels = planes["stored_w"].astype(np.int64) * planes["stored_h"].astype(np.int64)
    types, at = np.unique(planes["pixel_type"], return_inverse=True)
    sizes = [_BYTES.get(number, 0) for number in types.tolist()]
    return int((pixels * np.array(sizes, np.int64)[at]).sum()) if len(pixels) else 0


def _measured(document: CziReader) -> Values:
    """Return times and place of the first scene; of damaged metadata, the check tells."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MetadataWarning)
        image = CziImage(document)
        times, interval = image.time_stamps or [], image.time_interval
        return {
            "time_interval_in_seconds": None if interval is None else interval.total_seconds(),
            "duration_in_seconds": times[-1] - times[0] if len(times) > 1 else None,
            "stage_position_in_micrometres": image.origin,
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


class Rows(NamedTuple):
    """A table: ">" before a heading aligns its column to the right."""

    headings: tuple[str, ...]
    rows: list[list[str]]
    rest: int = 0

    def filled(self) -> Rows:
        """Return the table without the columns that are empty."""
        at = [n for n in range(len(self.headings)) if any(row[n] for row in self.rows)]
        headings = tuple(self.headings[n] for n in at)
        return Rows(headings, [[row[n] for n in at] for row in self.rows], self.rest)

    def lines(self) -> Iterator[str]:
        """Yield the lines of the table as plain text."""
        headings = [one.lstrip("> ") for one in self.headings]
        widths = [max(map(len, column)) for column in zip(headings, *self.rows)]
        for row in (headings, *self.rows):
            cells = (
                text.rjust(size) if heading.startswith("> ") else text.ljust(size)
                for text, size, heading in zip(row, widths, self.headings)
            )
            yield "  ".join(cells).rstrip()
        if self.caption:
            yield self.caption

    @property
    def caption(self) -> str:
        """The line about rows that are left out; "" if there are none."""
        return f"and {self.rest:,} more; --json lists all" if self.rest else ""


def show(summary: Values) -> None:
    """Print a summary as tables, with rich if it is installed; long lists are cut."""
    title = printable(summary["file"])
    facts = {name: printable(one) for name, one in _fact_lines(summary).items() if one}
    all_ = (
        _dimensions(summary),
        _channel_rows(summary["channels"]),
        _scene_rows(summary["scenes"]),
    )
    tables = [table.filled() for table in all_ if table.rows]
    if find_spec("rich") is None:
        _show_plainly(title, facts, tables)
    else:
        _show_richly(title, facts, tables)


def _show_plainly(title: str, facts: dict[str, str], tables: list[Rows]) -> None:
    print(title)
    width = max(map(len, facts), default=0)
    for name, fact in facts.items():
        print(f"{name:<{width}}  {fact}")
    for table in tables:
        print()
        for line in table.lines():
            print(line)


def _show_richly(title: str, facts: dict[str, str], tables: list[Rows]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(
        file=sys.stdout,
        markup=False,
        highlight=False,
        emoji=False,
        width=None if sys.stdout.isatty() else _WIDTH_WHEN_PIPED,
    )
    console.print(Text(title, style="bold"))
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="cyan", no_wrap=True)
    grid.add_column(overflow="fold")
    for name, fact in facts.items():
        grid.add_row(name, Text(fact, style="bold red") if name == "damaged" else fact)
    console.print(grid)
    for table in tables:
        console.print(_rich_table(table))


def _rich_table(table: Rows) -> Table:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    shown = Table(box=SIMPLE_HEAD, pad_edge=False, header_style="cyan")
    for heading in table.headings:
        side: Any = "right" if heading.startswith("> ") else "left"
        shown.add_column(heading.lstrip("> "), justify=side)
    for row in table.rows:
        shown.add_row(*map(_coloured, row))
    if table.caption:
        shown.caption, shown.caption_justify = table.caption, "left"
    return shown


def _coloured(text: str) -> Text | str:
    """Return a colour with a spot of it before."""
    from rich.text import Text

    return Text.assemble(("\u25a0 ", text), text) if _COLOUR.fullmatch(text) else text


def _fact_lines(summary: Values) -> dict[str, str]:
    document = summary["document"]
    program = [document["application"], document["application_version"]]
    objective = (document["objective"] or {}).get("name")
    blocks = summary["sub_blocks"]
    return {
        "damaged": _finding(summary["check"], "error"),
        "size": _size(summary["file_size"]),
        "other parts": ", ".join(
            f"{name or 'missing'} ({number})" for number, name in summary["parts"].items()
        ),
        "title": document["title"] or document["name"],
        "acquired": _moment(document["acquisition_date"] or document["creation_date"]),
        "made by": " ".join(filter(None, program)),
        "microscope": ", ".join(filter(None, [document["microscope"], objective])),
        "pixel size": _pixel_size(summary["pixel_size_in_metres"]),
        "times": _times(summary),
        "stage": _stage(summary["stage_position_in_micrometres"]),
        "sub-blocks": _sub_block_count(blocks),
        "pixel types": _shares(blocks["pixel_types"]),
        "compression": _shares(blocks["compressions"]),
        "uncompressed": _uncompressed(summary),
        "pyramid": _pyramid(summary["pyramid_levels"], summary["needs_pyramid"]),
        "scenes": _scene_count(summary["scenes"]),
        "attachments": _attachments(summary["attachments"]),
        "check": _finding(summary["check"], "warning"),
    }


def _finding(check: Values, severity: str) -> str:
    """Return the first of the worst findings if they have this severity; else nothing."""
    if check["worst"] != severity:
        return ""
    finding, more = check["finding"], sum(check["counts"].values()) - 1
    others = f"; czictypes check tells this and {more} more" if more else ""
    start = "" if severity == "error" else f"{severity}: "
    return f"{start}{finding['place']}: {finding['message']}{others}"


def _times(summary: Values) -> str:
    interval, duration = summary["time_interval_in_seconds"], summary["duration_in_seconds"]
    every = "" if interval is None else f"every {_seconds(interval)}"
    whole = "" if duration is None else f"{_seconds(duration)} from the first to the last"
    return ", ".join(filter(None, [every, whole]))


def _stage(place: list[float] | None) -> str:
    if place is None:
        return ""
    return f"x {place[0]:,.1f} \u00b5m, y {place[1]:,.1f} \u00b5m at the first pixel"


def _uncompressed(summary: Values) -> str:
    size, ratio = summary["uncompressed_size"], summary["compression_ratio"]
    return f"{_size(size).partition(' (')[0]}, {ratio:.3g} times the file" if size and ratio else ""


def _sub_block_count(blocks: Values) -> str:
    planes = f" with {blocks['planes']:,} planes" if blocks["planes"] > blocks["count"] else ""
    width, height = blocks["largest_tile"]
    return f"{blocks['count']:,}{planes}" + (f", tiles up to {width} x {height}" if width else "")


def _dimensions(summary: Values) -> Rows:
    scale = summary["pixel_size_in_metres"]
    rows: list[list[str]] = []
    for name in sorted(summary["dimensions"], key=_dimension_order):
        start, end = summary["dimensions"][name]
        metres = scale.get(name.lower())
        extent = _length(metres * (end - start)) if metres else ""
        positions = f"{start} to {end - 1}" if end > start else ""  # without sub-blocks
        rows.append([name, str(max(end - start, 0)), positions, extent])
    return Rows(("dimension", "> size", "> positions", "> extent"), rows)


def _dimension_order(name: str) -> tuple[bool, int, str]:
    """Sort X Y C Z T first, then the others by letter."""
    position = "XYCZT".find(name)
    return position < 0, position, name


def _channel_rows(channels: list[Values]) -> Rows:
    rows: list[list[str]] = []
    for one in channels[:_MOST_ROWS]:
        waves = [one.get("excitation_wavelength"), one.get("emission_wavelength")]
        bits = one.get("component_bit_count")
        rows.append(
            [
                str(one["index"]),
                printable(one.get("name") or ""),
                ", ".join(one["all_pixel_types"]) or one["pixel_type"],
                str(bits or ""),
                one.get("color") or "",
                *[f"{wave:g} nm" if wave else "" for wave in waves],
                _seconds(one.get("exposure_time")),
            ]
        )
    names = "> C,channel,pixel type,> bits,colour,> excitation,> emission,> exposure"
    return Rows(tuple(names.split(",")), rows, max(len(channels) - _MOST_ROWS, 0))


def _scene_rows(scenes: list[Values]) -> Rows:
    rows: list[list[str]] = []
    for one in scenes[:_MOST_ROWS]:
        well = (one.get("well") or {}).get("name")
        names = [printable(one.get("name") or ""), printable(well or "")]
        rows.append([str(one["index"]), *names, *map(str, one["rectangle"]), str(one["tiles"])])
    headings = ("> scene", "name", "well", "> x", "> y", "> width", "> height", "> tiles")
    return Rows(headings, rows, max(len(scenes) - _MOST_ROWS, 0))


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
    return f"{value:.6g} s" if value >= 1 else f"{value * 1e3:.6g} ms"


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
