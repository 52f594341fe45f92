"""Opens Leica's LIF files through liffile, a frame at a time."""

from __future__ import annotations

import itertools
import os
import re
import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime, timezone
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from czictypes.exchange.source_image import SourceImage, axis_letters
from czictypes.metadata.channels import ChannelInfo
from czictypes.metadata.document_info import Objective, Scaling
from czictypes.metadata.scenes import Well, well_name
from czictypes.model.errors import UnsupportedDataError
from czictypes.model.lazy import require
from czictypes.remote.urls import describe_target

_WAVELENGTHS = "\u03bb\u039b"
_FOLDERS_OF_WELLS = re.compile(r"(?:^|/)([A-Z])/([1-9]\d?)/[^/]+$")


@contextmanager
def open_lif(source: str | os.PathLike[str] | BinaryIO) -> Iterator[Sequence[SourceImage]]:
    """Open the images of a LIF, including tile scans, wavelength scans and xz scans.

    Wavelengths are channels if there are no other channels, else H. Images without an axis X or Y,
    such as xz scans, get one of length 1.
    """
    liffile = require("liffile", extra="convert", doing="reading LIF")
    name = describe_target(source)
    try:
        file = liffile.LifFile(source)
    except (liffile.LifFileError, ValueError) as error:
        raise UnsupportedDataError(f"{name} is no LIF that can be read: {error}") from error
    with file:
        images, lock = list(file.images), threading.Lock()
        names = Counter(image.name for image in images)
        yield [
            _image(image, file, image.name if names[image.name] == 1 else image.path, lock)
            for image in images
        ]


def _image(image: Any, file: Any, name: str, lock: threading.Lock) -> SourceImage:
    pixels = _Frames(image, lock)
    # angles, loops, tiles and the bins of a histogram are no planes of a stack
    meanings = {one: "CHIRVB" if one in _WAVELENGTHS else "HIRVB" for one in image.dims}
    axes = pixels.added + axis_letters(image.dims, meanings)
    header = file.xml_header
    steps = {letter: _step(image, letter) for letter in "XYZ"}
    stamps = image.timestamps
    start = file.datetime if stamps is None or not len(stamps) else _moment(stamps[0])
    return SourceImage(
        pixels,
        axes,
        name=str(name),
        channels=_channels(image, axes),
        scaling=Scaling(steps["X"], steps["Y"], steps["Z"]),
        times=_times(image),
        origin=_origin(image, steps),
        well=_well(image.path),
        acquisition_date=start,
        objective=_objective(image),
        metadata=lambda: header() if callable(header) else header,
        shared=True,
        reader="liffile",
    )


def _channels(image: Any, axes: str) -> list[ChannelInfo]:
    """Return the names of channels: LAS's names of their colours, or wavelengths."""
    listed = image.xml_element.findall("./Data/Image/ImageDescription/Channels/ChannelDescription")
    names = [one.get("LUTName") or None for one in listed]
    at = axes.find("C") - (len(axes) - len(image.dims))
    if at >= 0 and image.dims[at] in _WAVELENGTHS:
        lengths = np.asarray(image.coords.get(image.dims[at], ()), float) * 1e9
        names = [f"{length:.0f} nm" for length in lengths]
    return [ChannelInfo(number, name=name) for number, name in enumerate(names) if name]


def _step(image: Any, letter: str) -> float | None:
    """Return the distance between pixels in metres."""
    places = np.asarray(image.coords.get(letter, ()), float)
    if len(places) < 2:
        return None
    step = abs(float(places[-1] - places[0])) / (len(places) - 1)
    return step if 0 < step < np.inf else None


def _times(image: Any) -> tuple[float, ...]:
    """Return the seconds of each T, from the time stamps of frames or evenly spaced."""
    count = int(image.sizes.get("T", 1))
    stamps = image.timestamps
    if stamps is not None and count > 1 and len(stamps) and len(stamps) % count == 0:
        outer = next(iter(image.dims)) == "T"  # the frames of one T follow each other
        first = stamps[:: len(stamps) // count] if outer else stamps[:0]
        seconds = (first - stamps[0]) / np.timedelta64(1, "s")
        if len(seconds) == count and (np.diff(seconds) > 0).all():
            return tuple(seconds.tolist())
    places = np.asarray(image.coords.get("T", ()), float)
    return tuple((places - places[0]).tolist()) if len(places) > 1 else ()


def _moment(stamp: Any) -> datetime:
    milliseconds = int(stamp.astype("datetime64[ms]").astype(np.int64))
    return datetime.fromtimestamp(milliseconds / 1000, timezone.utc)


def _settings(image: Any) -> dict[str, str]:
    """Return the settings of the microscope, confocal or camera."""
    names = ("ATLConfocalSettingDefinition", "ATLCameraSettingDefinition")
    found = (image.xml_element.find(f"./Data/Image/Attachment//{name}") for name in names)
    return next((dict(one.attrib) for one in found if one is not None), {})


def _number(values: Mapping[str, str], name: str) -> float | None:
    with suppress(ValueError):
        value = float(values.get(name, ""))
        return value if np.isfinite(value) else None
    return None


def _origin(image: Any, steps: Mapping[str, float | None]) -> tuple[float, float] | None:
    """Return the stage position of the corner of a single field, in micrometres.

    The position of a field is that of its centre. The tiles of a scan are separate planes, so no
    position is that of the whole.
    """
    tiles = image.tilescan
    if tiles is not None and len(tiles) == 1:
        centre: list[Any] = [float(tiles[0][f"pos_{axis}"]) for axis in "xy"]
    elif tiles is None:
        settings = _settings(image)
        centre = [_number(settings, f"StagePos{axis}") for axis in "XY"]
    else:
        return None
    sizes = [image.sizes.get(axis, 1) * (steps[axis] or 0.0) for axis in "XY"]
    if None in centre or not all(sizes):
        return None
    x, y = ((place - size / 2) * 1e6 for place, size in zip(centre, sizes))
    return x, y


def _well(path: str) -> Well | None:
    """Return the well from the folders that LAS X makes for a plate: ``TileScan 1/D/6/R1``."""
    found = _FOLDERS_OF_WELLS.search(path)
    if found is None:
        return None
    row, column = ord(found.group(1)) - ord("A") + 1, int(found.group(2))
    return Well(well_name(row, column), row, column)


def _objective(image: Any) -> Objective | None:
    settings = _settings(image)
    if not settings.get("ObjectiveName"):
        return None
    return Objective(
        name=settings["ObjectiveName"].strip(),
        magnification=_number(settings, "Magnification"),
        numerical_aperture=_number(settings, "NumericalAperture"),
        immersion=(settings.get("Immersion") or "").strip().capitalize() or None,
        refractive_index=_number(settings, "RefractionIndex"),
    )


class _Frames:
    """The pixels of an image, with leading axes X and Y if it lacks them.

    Frames are read whole: the two innermost dimensions, and samples.
    """

    def __init__(self, image: Any, lock: threading.Lock) -> None:
        self._image, self._lock = image, lock
        self.added = "".join(letter for letter in "YX" if letter not in image.dims)
        self.dtype = np.dtype(image.dtype)
        self.shape = (*(1 for _ in self.added), *image.shape)
        self._outer = [name for name in image.dims if name not in image.frames.frame_dims]

    def __getitem__(self, key: tuple[slice, ...]) -> NDArray[Any]:
        dims = self._image.dims
        wanted = dict(zip(dims, key[len(self.added) :]))
        places = [range(*wanted[name].indices(self._image.sizes[name])) for name in self._outer]
        inner = tuple(wanted[name] for name in dims if name not in self._outer)
        frames = []
        for place in itertools.product(*places):
            with self._lock:
                frames.append(self._image.frame(**dict(zip(self._outer, place)))[inner])
        shape = (*map(len, places), *frames[0].shape)
        found = np.stack(frames).reshape(shape)
        order = [*self._outer, *(name for name in dims if name not in self._outer)]
        found = found.transpose([order.index(name) for name in dims])
        whole: NDArray[Any] = found.reshape(*(1 for _ in self.added), *found.shape)
        return whole
