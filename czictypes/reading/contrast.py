"""The contrast of pictures: the pixel values that are shown as black and as white."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Union

import numpy as np
from numpy.typing import NDArray

from czictypes.model.errors import InvalidArgumentError, OutOfBoundsError
from czictypes.model.options import ChannelDisplaySettingsDataClass
from czictypes.reading.conversion import dark_and_bright, finite_range, real_values

#: The pixel values shown as black and as white.
Limits = tuple[float, float]
#: ``"file"``, ``"auto"``, ``"full"``, or the pixel values shown as black and as white.
ChannelContrast = Union[str, Sequence[float]]
#: One contrast for all channels, or one for each channel, by its number or name.
Contrast = Union[ChannelContrast, Mapping[Any, ChannelContrast]]

FILE, AUTO, FULL = "file", "auto", "full"

_ENOUGH_PIXELS = 1 << 22
#: A picture that uses at most this part of the grays looks flat, or black.
_FLAT = 1 / 4


def chosen_contrast(
    contrast: Any, channels: Collection[int], number: Callable[[str], int]
) -> Callable[[int], ChannelContrast]:
    """Return a function that gives the contrast of a channel; it is ``"file"`` if not given.

    `channels` are the numbers of all channels, and `number` turns a name into one of them. Raises
    InvalidArgumentError for a contrast that is none, OutOfBoundsError for an unknown channel.
    """
    if not isinstance(contrast, Mapping):
        same = _checked(contrast)
        return lambda _: same
    chosen = {number(at) if isinstance(at, str) else at: one for at, one in contrast.items()}
    for channel in chosen:
        if channel not in channels:
            raise OutOfBoundsError(
                f"contrast names channel {channel}; there are {min(channels)} to {max(channels)}"
            )
    checked = {channel: _checked(one) for channel, one in chosen.items()}
    return lambda channel: checked.get(channel, FILE)


def _checked(contrast: Any) -> ChannelContrast:
    if isinstance(contrast, str) and contrast in (FILE, AUTO, FULL):
        return contrast
    try:
        low, high = (float(value) for value in contrast if not isinstance(value, (str, bytes)))
    except (TypeError, ValueError):
        low, high = math.nan, math.nan
    if not -math.inf < low < high < math.inf:
        raise InvalidArgumentError(
            f'contrast={contrast!r}: give "file", "auto", "full", or the pixel values shown as '
            "black and as white, such as (100, 4000), for all channels or in a dict by channel"
        )
    return low, high


def points_of(settings: ChannelDisplaySettingsDataClass | None) -> Limits | None:
    """Return black and white point of display settings; None where they make no sense."""
    if settings is None or not 0 <= settings.black_point < settings.white_point <= 1:
        return None
    return float(settings.black_point), float(settings.white_point)


def shown_limits(
    pixels: NDArray[Any], contrast: ChannelContrast = FILE, stored: Limits | None = None
) -> Limits:
    """Return the values of a picture that become black and white; the first is the lower one.

    Parameters
    ----------
    pixels
        (y, x) or (y, x, samples); all samples get the same limits.
    contrast
        ``"file"``: those that the file has (`stored`). Where it has none, or its limits are the
        whole range and more than 8 bits would look flat with them, as ``"auto"``. Colours of 8
        bits without limits are shown as they are. ``"auto"``: see `auto_limits`. ``"full"``: the
        range of the pixel type, see `whole_range`. Two values stand for themselves.
    stored
        Black and white point as fractions of `whole_range`.
    """
    limits = replaced_limits(pixels, contrast, stored)
    if limits is not None:
        return limits
    low, high = whole_range(pixels)
    black, white = stored or (0.0, 1.0)
    return low + black * (high - low), low + white * (high - low)


def replaced_limits(
    pixels: NDArray[Any], contrast: ChannelContrast = FILE, stored: Limits | None = None
) -> Limits | None:
    """Return what `shown_limits` does, but None where the stored ones hold."""
    if not isinstance(contrast, str):
        return contrast[0], contrast[1]
    is_photograph = pixels.dtype == np.uint8 and pixels.ndim == 3 and pixels.shape[2] >= 3
    if contrast == FULL or (contrast == FILE and is_photograph and stored is None):
        return whole_range(pixels)
    if contrast == AUTO or stored is None:
        return auto_limits(pixels)
    if tuple(stored) != (0.0, 1.0) or pixels.dtype == np.uint8:
        return None
    low, high = whole_range(pixels)
    limits = auto_limits(pixels)
    return limits if limits[1] - limits[0] <= _FLAT * (high - low) else None


def whole_range(pixels: NDArray[Any]) -> Limits:
    """Return the range of uint8 and uint16; of other types, smallest and largest finite value."""
    if pixels.dtype.kind == "u" and pixels.dtype.itemsize <= 2:
        return 0.0, float(np.iinfo(pixels.dtype).max)
    return finite_range(pixels)


def auto_limits(pixels: NDArray[Any]) -> Limits:
    """Return the percentiles 0.2 and 99.8 of the finite pixels that are not 0.

    0 is where no tile lies. Large pictures are sampled. A picture of one value, or of none, is
    shown from 0, or that value, on. Complex numbers count by their magnitude.
    """
    step = math.ceil(math.sqrt(max(pixels.size / _ENOUGH_PIXELS, 1)))
    return limits_of_values(pixels[::step, ::step])


def limits_of_values(values: NDArray[Any]) -> Limits:
    """Return the limits that `auto_limits` gives for a picture of these values."""
    counted = values if values.dtype in (np.uint8, np.uint16) else real_values(values)
    low, high = dark_and_bright(counted[counted != 0])
    if values.dtype.kind in "ub" and low <= 1:
        low = 0.0  # labels and masks: 1 is not black
    if high > low:
        return low, high
    if low == 0:
        return 0.0, 1.0
    return (0.0, high) if high > 0 else (low, 0.0)
