"""Writes one plane of a CZI as a PNG."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from czictypes.exchange.choice import Choice, choose
from czictypes.exchange.conversion import ConvertedImage
from czictypes.model.errors import UnsupportedDataError
from czictypes.model.geometry import checked_plane
from czictypes.model.lazy import require
from czictypes.writing.atomic import PathType, atomic_output

if TYPE_CHECKING:
    from czictypes.arrays.image_base import Image

__all__ = ["describe_png", "write_png"]

_MOST_PIXELS = 1 << 29


def write_png(
    image: Image,
    dest: PathType,
    *,
    scenes: Choice = "all",
    plane: Mapping[str, int] | None = None,
    overwrite: bool = False,
) -> None:
    """Write a plane as a PNG.

    Gray pixels of one channel up to 16 bits and RGB ones of 8 bits keep their values. Several
    channels are blended as the file says, and other pixels are brought to 8 bits.

    Parameters
    ----------
    image
        What to write; it is at another scene afterwards.
    dest
        The path.
    scenes
        Names one scene; ``"all"`` is enough where there is just one.
    plane
        The index along each dimension that has several places; ``{"C": 1}`` for one channel.
    overwrite
        Whether an existing file is replaced.

    Raises
    ------
    ValueError
        If several scenes or planes are meant, the plane is not there, or the image is too large.
    UnsupportedDataError
        If a channel has pixel types that none holds together.
    """
    pictures = require("PIL.Image", extra="cli", doing="writing PNG")
    _choose(image, scenes)
    pixels = _pixels(image, _checked(image, checked_plane(plane)))
    with atomic_output(dest, overwrite=overwrite) as stream:
        pictures.fromarray(pixels).save(stream, format="PNG")


def describe_png(
    image: Image, scenes: Choice = "all", plane: Mapping[str, int] | None = None
) -> ConvertedImage:
    """Return what `write_png` makes of the same; the errors are the same, too."""
    _choose(image, scenes)
    place = _checked(image, checked_plane(plane))
    keeps = _keeps_values(image, place)
    sizes = {"Y": image.sizes["Y"], "X": image.sizes["X"]}
    if "S" in image.sizes or not keeps:
        sizes["S"] = image.sizes.get("S", 3) if keeps else 3
    dtype = image.dtype.name if keeps else "uint8"
    return ConvertedImage(image.current_scene, "".join(sizes), tuple(sizes.values()), dtype, 1)


def _choose(image: Image, scenes: Choice) -> None:
    chosen = choose(image.scenes, scenes, "scene")
    if len(chosen) > 1:
        raise ValueError(f"a PNG holds one scene; name one of {', '.join(image.scenes)}")
    image.set_scene(chosen[0])


def _checked(image: Image, plane: Mapping[str, int]) -> dict[str, int]:
    """Return the index in each dimension of a picture; without C for all channels."""
    sizes = {name: size for name, size in image.sizes.items() if name not in "YXS"}
    unknown = set(plane) - set(sizes)
    if unknown:
        raise ValueError(f"the image has no dimension {', '.join(sorted(unknown))}")
    several = [name for name, size in sizes.items() if size > 1 and name not in (*plane, "C")]
    if several:
        listed = ", ".join(f"{name} ({sizes[name]} places)" for name in several)
        raise ValueError(f"a PNG holds one plane; say which one in {listed}")
    beyond = [name for name, at in plane.items() if not 0 <= at < sizes[name]]
    if beyond:
        raise ValueError(f"{beyond[0]}={plane[beyond[0]]} is not from 0 to {sizes[beyond[0]] - 1}")
    if image.sizes.get("S", 1) > 4:
        raise UnsupportedDataError(
            f"the image has {image.sizes['S']} samples in a pixel, but a PNG at most 4"
        )
    if image.sizes["Y"] * image.sizes["X"] > _MOST_PIXELS:
        raise UnsupportedDataError(
            f"{image.sizes['X']} x {image.sizes['Y']} pixels are too many for a PNG; write a part "
            "or an overview of it with czictypes plane --zoom"
        )
    wanted = {name: plane.get(name, 0) for name in sizes if name != "C"}
    return {**wanted, "C": plane.get("C", 0)} if "C" in plane or sizes["C"] == 1 else wanted


def _keeps_values(image: Image, place: Mapping[str, int]) -> bool:
    """Tell whether a PNG can hold the pixels of a plane as they are."""
    is_gray = "S" not in image.sizes
    return "C" in place and (image.dtype == np.uint8 or (is_gray and image.dtype == np.uint16))


def _pixels(image: Image, place: Mapping[str, int]) -> NDArray[Any]:
    return image.read_block(place) if _keeps_values(image, place) else image._composite(place)
