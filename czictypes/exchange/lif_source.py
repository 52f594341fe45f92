"""Opens Leica's LIF files through liffile, a frame at a time."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from czictypes.container.targets import describe_target
from czictypes.exchange.source_image import SourceImage, axis_letters
from czictypes.metadata.channels import ChannelInfo
from czictypes.metadata.scaling import Scaling
from czictypes.model.errors import UnsupportedDataError
from czictypes.model.extras import require

__all__ = ["open_lif"]

_WAVELENGTHS = "\u03bb\u039b"


@contextmanager
def open_lif(source: str | os.PathLike[str] | BinaryIO) -> Iterator[Sequence[SourceImage]]:
    """Open the images of a LIF, those of tile scans and of wavelength and xz scans among them.

    Wavelengths are channels where there are no others, and H beside them. An image without an axis
    X or Y, such as an xz scan, has one of the size 1.

    Parameters
    ----------
    source
        A path, or a file object.

    Raises
    ------
    UnsupportedDataError
        If it is no LIF, or one that cannot be read.
    MissingExtraError
        Without liffile.
    """
    liffile = require("liffile", extra="convert", doing="reading LIF")
    name = describe_target(source)
    try:
        file = liffile.LifFile(source)
    except (liffile.LifFileError, ValueError) as error:
        raise UnsupportedDataError(f"{name} is no LIF that can be read: {error}") from error
    with file:
        yield [_image(image, file.xml_header) for image in file.images]


def _image(image: Any, header: Any) -> SourceImage:
    pixels = _Frames(image)
    # angles, loops, tiles and the bins of a histogram are no planes of a stack
    meanings = {one: "CHIRVB" if one in _WAVELENGTHS else "HIRVB" for one in image.dims}
    axes = pixels.added + axis_letters(image.dims, meanings)
    return SourceImage(
        pixels,
        axes,
        name=str(image.name),
        channels=_channels(image, axes),
        scaling=Scaling(*(_step(image, letter) for letter in "XYZ")),
        times=_times(image),
        metadata=lambda: header() if callable(header) else header,
        reader="liffile",
    )


def _channels(image: Any, axes: str) -> list[ChannelInfo]:
    """Return the names of channels: colours as LAS names them, or wavelengths."""
    listed = image.xml_element.findall("./Data/Image/ImageDescription/Channels/ChannelDescription")
    names = [one.get("LUTName") or None for one in listed]
    at = axes.find("C") - (len(axes) - len(image.dims))
    if at >= 0 and image.dims[at] in _WAVELENGTHS:
        lengths = np.asarray(image.coords.get(image.dims[at], ()), float) * 1e9
        names = [f"{length:.0f} nm" for length in lengths]
    return [ChannelInfo(number, name=name) for number, name in enumerate(names) if name]


def _step(image: Any, letter: str) -> float | None:
    """Return metres from one pixel to the next."""
    places = np.asarray(image.coords.get(letter, ()), float)
    if len(places) < 2:
        return None
    step = abs(float(places[-1] - places[0])) / (len(places) - 1)
    return step if 0 < step < np.inf else None


def _times(image: Any) -> tuple[float, ...]:
    places = np.asarray(image.coords.get("T", ()), float)
    return tuple((places - places[0]).tolist()) if len(places) > 1 else ()


class _Frames:
    """The pixels of an image, with the axes X and Y in front if it lacks them.

    Each frame that is needed is read whole: the two innermost dimensions, and samples.
    """

    def __init__(self, image: Any) -> None:
        self._image = image
        self.added = "".join(letter for letter in "YX" if letter not in image.dims)
        self.dtype = np.dtype(image.dtype)
        self.shape = (*(1 for _ in self.added), *image.shape)
        self._outer = [name for name in image.dims if name not in image.frames.frame_dims]

    def __getitem__(self, key: tuple[slice, ...]) -> NDArray[Any]:
        dims = self._image.dims
        wanted = dict(zip(dims, key[len(self.added) :]))
        places = [range(*wanted[name].indices(self._image.sizes[name])) for name in self._outer]
        inner = tuple(wanted[name] for name in dims if name not in self._outer)
        frames = [
            self._image.frame(**dict(zip(self._outer, place)))[inner]
            for place in itertools.product(*places)
        ]
        shape = (*map(len, places), *frames[0].shape)
        found = np.stack(frames).reshape(shape)
        order = [*self._outer, *(name for name in dims if name not in self._outer)]
        found = found.transpose([order.index(name) for name in dims])
        whole: NDArray[Any] = found.reshape(*(1 for _ in self.added), *found.shape)
        return whole
