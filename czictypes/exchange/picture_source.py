"""Opens pictures: PNG, JPEG, BMP, GIF and what else Pillow knows."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from czictypes.container.limits import check_claim
from czictypes.container.picture import decoded_picture
from czictypes.container.targets import describe_target
from czictypes.exchange.source_image import SourceImage
from czictypes.metadata.scaling import Scaling

__all__ = ["open_picture"]

# Modes of Pillow whose arrays are what they show; all others are turned into RGB.
_PLAIN_MODES = ("L", "LA", "RGB", "RGBA", "I;16", "I;16B", "I", "F", "1")
_MOST_BYTES_OF_PIXEL = 4

#: The formats of Pillow that are decoded within this process, and are pictures as a rule. (What
#: opens JPEG opens MPO.)
_FORMATS = ("PNG", "JPEG", "BMP", "DIB", "GIF", "TIFF", "WEBP", "JPEG2000", "PPM")


@contextmanager
def open_picture(source: str | os.PathLike[str] | BinaryIO) -> Iterator[Sequence[SourceImage]]:
    """Open a picture; one of several frames becomes a time series.

    Parameters
    ----------
    source
        A path, or a file object.

    Raises
    ------
    UnsupportedDataError
        If it is no picture in a format that Pillow decodes itself, or claims far more pixels than
        the file can hold.
    CorruptFileError
        If it is damaged.
    MissingExtraError
        Without Pillow.
    """
    name = describe_target(source)
    opened = decoded_picture(source, _FORMATS, name, extra="cli", doing="reading pictures")
    with opened as picture:
        count = getattr(picture, "n_frames", 1)
        claimed = count * picture.width * picture.height * _MOST_BYTES_OF_PIXEL
        check_claim(claimed, _stored(picture.fp), name)
        frames = [_frame(picture, number) for number in range(count)]
        info = dict(picture.info)
        pixels = frames[0] if len(frames) == 1 else np.stack(frames)
    axes = "T" * (len(frames) > 1) + ("YX" if frames[0].ndim == 2 else "YXS")
    yield [SourceImage(pixels, axes, scaling=_scaling(info.get("dpi")), metadata=info.copy)]


def _stored(file: BinaryIO) -> int:
    place = file.tell()
    size = file.seek(0, os.SEEK_END)
    file.seek(place)
    return size


def _frame(picture: Any, number: int) -> NDArray[Any]:
    picture.seek(number)
    shown = picture if picture.mode in _PLAIN_MODES else picture.convert("RGB")
    pixels = np.asarray(shown)
    # Pillow holds 16 bits in 32 where a file has more than it can name
    if shown.mode == "I" and pixels.size and 0 <= pixels.min() <= pixels.max() < 2**16:
        pixels = pixels.astype(np.uint16)
    return pixels


def _scaling(dots_per_inch: Any) -> Scaling:
    """Return metres per pixel; screen resolutions say nothing of what a picture shows."""
    if not dots_per_inch or not all(float(dots) > 1000 for dots in dots_per_inch):
        return Scaling()
    x, y = (0.0254 / float(dots) for dots in dots_per_inch)
    return Scaling(x, y)
