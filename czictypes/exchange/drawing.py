"""Scale bars and labels, drawn into pictures with Pillow."""

from __future__ import annotations

import math
import unicodedata
from typing import Any

import numpy as np
from numpy.typing import NDArray

from czictypes.arrays.pictures import bar_label, bar_length, check_bar_fits
from czictypes.model.errors import UnsupportedDataError
from czictypes.model.lazy import require

_MOST_PIXELS = 100_000_000
_SMALLEST_TEXT = 10  # in pixels


def check_picture_size(width: int, height: int, zoom: float, advice: str) -> None:
    """Refuse a picture that hardly any program shows, with an UnsupportedDataError.

    The `advice` may name a ``{zoom}``: that of a picture of the allowed size, where it is now
    `zoom`.
    """
    if width * height > _MOST_PIXELS:
        share = math.sqrt(_MOST_PIXELS / (width * height)) * zoom
        digits = 10.0 ** (1 - math.floor(math.log10(share)))
        raise UnsupportedDataError(
            f"the picture would have {width} x {height} pixels, {width * height / 1e6:.0f} "
            f"megapixels, but at most {_MOST_PIXELS // 10**6} are written; "
            + advice.format(zoom=f"{math.floor(share * digits) / digits:g}")
        )


def draw_scale_bar(
    picture: NDArray[np.uint8], pixel: float, length: float | None = None
) -> NDArray[np.uint8]:
    """Return a picture (y, x[, samples]) as RGB with a scale bar at its lower right.

    `pixel` is the width of a pixel and `length` that of the bar in micrometres; by default about a
    quarter of the picture. Raises ValueError for a bar that is longer than the picture.
    """
    found = _rgb(picture)
    length = length or bar_length(found.width * pixel)
    bar, thick = round(length / pixel), max(2, found.height // 120)
    check_bar_fits(length, pixel, found.width)
    label, margin = _label(bar_label(length), text_size(found.height)), 2 * thick
    width, height = max(bar, label.width), label.height + thick + margin
    left, top = max(0, found.width - width - 2 * margin), max(0, found.height - height - 2 * margin)
    found.paste("black", (left, top, found.width, found.height))
    middle, top = left + margin + width // 2, top + margin
    found.paste("white", (middle - bar // 2, top, middle - bar // 2 + bar, top + thick))
    found.paste("white", (middle - label.width // 2, top + thick + margin), label)
    drawn: NDArray[np.uint8] = np.array(found)
    return drawn


def text_size(height: int) -> int:
    """Return the size of the text in a picture of that height, in pixels."""
    return max(_SMALLEST_TEXT, height // 30)


def draw_label(
    picture: NDArray[np.uint8], text: str, corner: tuple[int, int], width: int, size: int
) -> None:
    """Draw a text into an RGB picture, white on black, with its upper left corner at (x, y).

    It is shortened to a width; where not even two letters have room, nothing is drawn.
    """
    margin, mask = size // 4, None
    for count in range(len(text), 1, -1):
        shown = text if count == len(text) else f"{text[:count].rstrip()}..."
        mask = _label(shown, size)
        if mask.width + 2 * margin <= width:
            break
    else:
        if mask is not None or len(text) != 1:
            return
        mask = _label(text, size)
    (x, y), letters = corner, np.asarray(mask)[..., np.newaxis]
    box = picture[y : y + letters.shape[0] + 2 * margin, x : x + letters.shape[1] + 2 * margin]
    box[:] = 0
    inside = box[margin : margin + letters.shape[0], margin : margin + letters.shape[1]]
    inside[:] = letters[: inside.shape[0], : inside.shape[1]]


def _rgb(picture: NDArray[np.uint8]) -> Any:
    """Return a picture of Pillow, RGBA or RGB."""
    pillow = require("PIL.Image", extra="cli", doing="drawing a scale bar")
    plain = picture[..., 0] if picture.ndim == 3 and picture.shape[2] == 1 else picture
    found = pillow.fromarray(np.ascontiguousarray(plain))
    return found.copy() if found.mode == "RGBA" else found.convert("RGB")


def _label(text: str, size: int) -> Any:
    """Return a text as a mask of Pillow."""
    pillow = require("PIL.Image", extra="cli", doing="drawing labels")
    fonts = require("PIL.ImageFont", extra="cli", doing="drawing labels")
    drawing = require("PIL.ImageDraw", extra="cli", doing="drawing labels")
    try:
        font = fonts.load_default(size)
    except TypeError:  # before Pillow 10.1, where it has one size
        font = fonts.load_default()
    text = _drawable(text)
    mask = pillow.new("L", (len(text) * 2 * size, 3 * size))
    drawing.Draw(mask).text((size // 2, size // 2), text, fill=255, font=font)
    return mask.crop(mask.getbbox())


def _drawable(text: str) -> str:
    """Return a text in letters that Pillow's own font has: those of ASCII.

    It is a part of Aileron (up to Pillow 13), without a micro sign.
    """
    text = text.replace("\u00b5", "u").replace("\u03bc", "u")
    plain = unicodedata.normalize("NFKD", text)
    return (
        "".join(one for one in plain if not unicodedata.combining(one))
        .encode("ascii", "replace")
        .decode()
    )
