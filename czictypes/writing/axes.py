"""The meaning of the axes of an array."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from czictypes.model.dimensions import DIMENSIONS

__all__ = ["Axes", "axes_from_names", "default_axes", "parse_axes"]

_DEFAULT = "TCZYX"
_NAMES = {
    "CHANNEL": "C",
    "CHANNELS": "C",
    "TIME": "T",
    "TIMEPOINT": "T",
    "DEPTH": "Z",
    "SCENE": "S",
    "HEIGHT": "Y",
    "WIDTH": "X",
}
_SAMPLES = ("S", "RGB", "BGR", "SAMPLE", "SAMPLES")


class Axes(NamedTuple):
    """The axes of an array, by their position in its shape.

    Parameters
    ----------
    planes
        The axis of each dimension that names a plane or scene, in the order of the array.
    y, x
        The axes of rows and columns.
    samples
        The axis of red, green and blue; None for gray.
    """

    planes: dict[str, int]
    y: int
    x: int
    samples: int | None

    def extent(self, shape: Sequence[int], letter: str) -> int:
        """Return how many places a dimension has in an array of that shape; 1 without it."""
        return shape[self.planes[letter]] if letter in self.planes else 1


def parse_axes(text: str, shape: Sequence[int]) -> Axes:
    """Turn letters such as ``"TCZYX"`` or ``"YXS"`` into axes.

    An S at the end stands for the samples red, green and blue, anywhere else for scenes.

    Raises
    ------
    ValueError
        For an unknown or repeated letter, Y or X missing, a number of letters that is not that
        of the array's axes, or other than 1 or 3 samples.
    """
    letters = text.upper()
    if len(letters) != len(shape):
        raise ValueError(f"axes {text!r} has {len(letters)} letters for an array of shape {shape}")
    samples = len(letters) - 1 if letters.endswith("S") else None
    plain = letters[:samples]
    unknown = set(plain) - {*DIMENSIONS, "Y", "X"}
    if unknown or len(set(plain)) < len(plain) or not {"Y", "X"} <= set(plain):
        raise ValueError(
            f"axes {text!r} must have Y and X, and some of {', '.join(DIMENSIONS)} beside them, "
            "each once; S at the end stands for red, green and blue"
        )
    if samples is not None and shape[samples] not in (1, 3):
        raise ValueError(
            f"axes {text!r} of shape {tuple(shape)}: {shape[samples]} samples of a pixel cannot be "
            "written, but 1 (gray) or 3 (red, green, blue); leave out what is transparency"
        )
    planes = {letter: at for at, letter in enumerate(plain) if letter not in "YX"}
    return Axes(planes, plain.index("Y"), plain.index("X"), samples)


def default_axes(shape: Sequence[int]) -> str:
    """Return the last letters of ``TCZYX``, before S if the last axis has three places.

    Raises
    ------
    ValueError
        For less than two axes, or more than there are letters for.
    """
    is_colour = len(shape) > 2 and shape[-1] == 3
    count = len(shape) - is_colour
    if not 2 <= count <= len(_DEFAULT):
        raise ValueError(f"an array of shape {tuple(shape)} needs axes=, such as 'STCZYX'")
    return _DEFAULT[-count:] + "S" * is_colour


def axes_from_names(names: Sequence[object]) -> str:
    """Return the letters for the names of dimensions: ``time``, ``C``, ``rgb``...

    Raises
    ------
    ValueError
        For a name that stands for no axis.
    """
    upper = [str(name).upper() for name in names]
    letters = []
    for position, name in enumerate(upper):
        if position == len(upper) - 1 and name in _SAMPLES:
            letters.append("S")
        elif len(name) == 1 or name in _NAMES:
            letters.append(_NAMES.get(name, name))
        else:
            raise ValueError(
                f"the dimension {names[position]!r} is not known; rename it to one of "
                f"{', '.join((*DIMENSIONS, 'Y', 'X'))} or give axes="
            )
    return "".join(letters)
