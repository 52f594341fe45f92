"""Documents as notebooks show them: short HTML that is safe for whatever a file holds.

It takes text colour and background from the page, so it fits light and dark themes. All text of the
file is cut and escaped. No part that cannot be made keeps the others from being shown.
"""

from __future__ import annotations

import math
import re
import struct
import zlib
from base64 import b64encode
from collections.abc import Callable, Iterable, Mapping, Sequence
from html import escape, unescape
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from czictypes.metadata.channels import ChannelInfo
from czictypes.model.geometry import Rectangle
from czictypes.model.options import Rgb8Color
from czictypes.reading.conversion import stretch

if TYPE_CHECKING:
    from czictypes.reading.reader import CziReader

#: The sides of the picture, and the most bytes of one; base64 makes them a third more.
_SIDE, _PICTURE_BYTES = 256, 48_000
#: The most pixels that are read for a picture, of local files and of others.
_MOST_PIXELS, _MOST_REMOTE_PIXELS = 1 << 24, 1 << 20
_MOST_LISTED, _MOST_TEXT = 24, 80

_MUTED = "opacity:.65"
_LINE = "1px solid rgba(128,128,128,.45)"


class Html(str):
    """Text that is HTML already, which is not escaped again."""

    __slots__ = ()


def text(value: object) -> Html:
    """Return a value as HTML: escaped, cut if it is long; HTML as it is."""
    if isinstance(value, Html):
        return value
    shown = "".join(one if one.isprintable() else " " for one in str(value))
    return Html(escape(shown if len(shown) <= _MOST_TEXT else shown[: _MOST_TEXT - 1] + "\u2026"))


def page(owner: object, make: Callable[[], str]) -> str:
    """Return what `make` returns, or the plain text of the owner where it raises."""
    try:
        return make()
    except Exception:
        return f"<pre>{text(_plain(owner))}</pre>"


def _plain(owner: object) -> str:
    try:
        return repr(owner)
    except Exception:
        return f"<{type(owner).__name__}>"


def card(
    title: str,
    name: str,
    facts: Mapping[str, Callable[[], object]],
    pictures: Iterable[Html | None] = (),
) -> str:
    """Return a title, pictures, and facts, each on a line of its own.

    A fact is left out where its function raises, or returns nothing.
    """
    lines = []
    for label, find in facts.items():
        found = _tried(find)
        if found:
            muted = f'<div style="{_MUTED}">{text(label)}</div>'
            lines.append(f"{muted}<div>{text(found)}</div>")
    head = f'<b>{text(title)}</b> <span style="{_MUTED}">{text(name)}</span>'
    return (
        f'<div style="display:flex;flex-wrap:wrap;gap:12px;align-items:flex-start;border:{_LINE};'
        f'border-radius:6px;padding:8px 10px;width:fit-content;max-width:100%;line-height:1.45">'
        f"{''.join(one for one in pictures if one)}"
        f'<div><div style="margin-bottom:4px">{head}</div>'
        '<div style="display:grid;grid-template-columns:max-content auto;column-gap:12px">'
        f"{''.join(lines)}</div></div></div>"
    )


class Summary(str):
    """A text of several lines that consoles and notebooks show as it is."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def summary(title: str, name: str, facts: Mapping[str, Callable[[], object]]) -> Summary:
    """Return the facts of `card` as plain text, each on a line of its own."""
    found = {label: _tried(find) for label, find in facts.items()}
    known = {label: _without_tags(text(one)) for label, one in found.items() if one}
    width = max(map(len, known), default=0)
    lines = [f"  {label:<{width}}  {one}" for label, one in known.items()]
    return Summary("\n".join([f"{title} {_without_tags(text(name))}", *lines]))


def _without_tags(value: Html) -> str:
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]*>", "", value))).strip()


def _tried(find: Callable[[], object]) -> object:
    try:
        return find()
    except Exception:  # a field of a damaged file, or a missing package
        return None


# Parts


def channel_list(names: Sequence[str], infos: Sequence[ChannelInfo]) -> Html:
    """Return names with their colours and wavelengths."""
    shown = [_channel(name, info) for name, info in zip(names[:_MOST_LISTED], infos)]
    return _listed(shown, len(names), " &nbsp; ")


def _channel(name: str, info: ChannelInfo) -> Html:
    swatch = "" if info.color is None else _swatch(info.color)
    waves = (info.excitation_wavelength, info.emission_wavelength)
    known = "/".join("?" if wave is None else f"{wave:.0f}" for wave in waves)
    muted = "" if waves == (None, None) else f' <span style="{_MUTED}">{known} nm</span>'
    return _together(f"{swatch}{text(name)}{muted}")


def _swatch(color: Rgb8Color) -> str:
    shown = f"rgb({int(color.r)},{int(color.g)},{int(color.b)})"
    return (
        f'<span style="display:inline-block;width:.75em;height:.75em;border:{_LINE};'
        f'border-radius:2px;background:{shown}"></span> '
    )


def _together(inside: str) -> Html:
    return Html(f'<span style="white-space:nowrap">{inside}</span>')


def scene_list(names: Sequence[str], wells: Sequence[str | None]) -> Html:
    """Return the names of scenes with their wells."""
    shown = []
    for name, well in zip(names[:_MOST_LISTED], wells):
        where = f' <span style="{_MUTED}">{text(well)}</span>' if well and well != name else ""
        shown.append(_together(f"{text(name)}{where}"))
    return _listed(shown, len(names), " &middot; ")


def _listed(items: Sequence[Html], count: int, separator: str) -> Html:
    more = count - len(items)
    return Html(separator.join(items) + (f" and {more:,} more" if more > 0 else ""))


def names_list(names: Sequence[str]) -> Html:
    """Return names, one after the other."""
    return _listed([text(name) for name in names[:_MOST_LISTED]], len(names), ", ")


def sizes(found: Mapping[str, int]) -> Html:
    """Return the sizes of dimensions: ``T 3 x C 2 x Y 170 x X 240``."""
    return Html(" &times; ".join(f"{text(name)} {size:,}" for name, size in found.items()))


def micrometres(x: float | None, y: float | None, z: float | None) -> Html:
    """Return the size of a pixel along each axis where it is known."""
    known = [(name, size) for name, size in (("X", x), ("Y", y), ("Z", z)) if size is not None]
    return Html(" &times; ".join(f"{name} {size:.4g} \u00b5m" for name, size in known))


# Pictures


def picture(
    find: Callable[[], NDArray[Any] | None], most_bytes: int = _PICTURE_BYTES, side: int = _SIDE
) -> Html | None:
    """Return a small picture as an element; None where its function raises, or gives none."""
    try:
        pixels = find()
        if pixels is None or not pixels.size:
            return None
        return _element(pixels, most_bytes, side)
    except Exception:  # a damaged picture, or one in a format that needs a package
        return None


def _element(pixels: NDArray[Any], most_bytes: int, side: int) -> Html:
    pixels = stretch(pixels, dtype=np.uint8) if pixels.dtype != np.uint8 else pixels
    step = max(math.ceil(max(pixels.shape[:2]) / side), 1)
    data = _png(pixels[::step, ::step])
    while len(data) > most_bytes:
        step += 1
        data = _png(pixels[::step, ::step])
    code = b64encode(data).decode("ascii")
    return Html(
        f'<img src="data:image/png;base64,{code}" alt="" style="max-width:{side}px;'
        f'max-height:{side}px;border-radius:3px;border:{_LINE}">'
    )


def _png(pixels: NDArray[np.uint8]) -> bytes:
    """Return a picture of gray or red, green and blue as PNG."""
    rows = np.ascontiguousarray(pixels).reshape(pixels.shape[0], -1)
    height, width = pixels.shape[:2]
    gray = rows.shape[1] == width
    lines = np.empty((height, rows.shape[1] + 1), np.uint8)
    lines[:, 0] = 2  # each byte less the one above, which packs better
    lines[0, 1:] = rows[0]
    np.subtract(rows[1:], rows[:-1], out=lines[1:, 1:])
    head = struct.pack(">IIBBBBB", width, height, 8, 0 if gray else 2, 0, 0, 0)
    chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(lines.tobytes(), 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(name, data) for name, data in chunks)


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def overview(
    reader: CziReader,
    box: Rectangle,
    scene: int | None = None,
    plane: Mapping[str, int] | None = None,
) -> NDArray[np.uint8] | None:
    """Return a scene (or all) in small; None where too many pixels would have to be read."""
    from czictypes.reading.reader import open_document_of

    if box.is_empty:
        return None
    zoom = min(1.0, _SIDE / max(box.w, box.h))
    levels = [one.zoom for one in reader.pyramid_levels(scene)]
    from_level = min((one for one in levels if one >= zoom), default=1.0)
    with open_document_of(reader) as document:
        most = _MOST_REMOTE_PIXELS if document.source.is_remote else _MOST_PIXELS
        channels = len(document.table.channel_pixel_types)
    if box.w * box.h * from_level**2 * max(channels, 1) > most:
        return None
    return reader.composite(tuple(box), plane, scene, zoom)
