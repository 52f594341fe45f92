"""write_movie: the planes along a dimension as a GIF, by Pillow, or an MP4, by PyAV."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from numbers import Real
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from czictypes.arrays.image_base import Image
from czictypes.arrays.layout import Selection
from czictypes.arrays.pictures import checked_bar
from czictypes.exchange.drawing import check_picture_size, draw_label
from czictypes.exchange.excerpt import Projection, image_name
from czictypes.exchange.panels import (
    Look,
    Panel,
    checked_size,
    fixed_places,
    labels_of,
    opened_scenes,
    planes_of,
    time_texts,
)
from czictypes.model.errors import InvalidArgumentError, UnsupportedDataError
from czictypes.model.lazy import require
from czictypes.model.public import Progress, defended, show_progress
from czictypes.reading.contrast import Contrast
from czictypes.remote.urls import describe_target
from czictypes.writing.atomic import PathType, atomic_output, check_new_file

GIF, MP4 = ".gif", ".mp4"
#: By ending: the longest side by default and at most, and the most frames in a second.
_SIDES = {GIF: (512, 65_535), MP4: (1024, 16_384)}
_FASTEST = {GIF: 50, MP4: 240}
_USUAL = 10  # frames in a second; short series last two seconds or more
#: Between black and full quality of H.264, this is hard to tell from the original.
_QUALITY = {"crf": "18"}


class Movie(NamedTuple):
    """A movie that `write_movie` has written: its size in pixels, frames and speed."""

    width: int
    height: int
    frames: int
    fps: float
    along: str


@defended(describe_target)
def write_movie(
    source: Any,
    dest: PathType,
    *,
    along: str | None = None,
    fps: float | None = None,
    scene: int | str | None = None,
    plane: Mapping[str, Selection] | None = None,
    contrast: Contrast = "file",
    size: int | None = None,
    scale_bar: bool | float = True,
    labels: bool = True,
    roi: Any = None,
    project: Projection = None,
    overwrite: bool = False,
    progress: Progress = None,
    storage_options: Mapping[str, Any] | None = None,
) -> Movie:
    """Write the planes along a dimension as a movie, with their times and a scale bar.

    All frames have the same contrast. One is in memory at a time.

    Parameters
    ----------
    source
        As for `open_image`, or what it gives, or a `CziReader`, which stay open.
    dest
        The path of a ``.gif``, which runs for ever in every browser, or of an ``.mp4`` (H.264).
    along
        The dimension; by default T, or Z if there is one T only, or another with several places.
    fps
        Frames in a second; by default 10, and fewer for less than 20 frames. A GIF has up to 50.
    scene
        The index or the name; by default the current one, in a file the first.
    plane
        The places along dimensions, from 0 on: ``{"T": range(0, 100, 10), "Z": 3, "C": "DAPI"}``;
        by default all along which the movie goes, the middle of Z, the first of other dimensions,
        and all channels that the file shows.
    contrast
        The pixel values shown as black and white, see `Image.to_rgb`. ``"auto"`` looks at 16
        frames from the first to the last.
    size
        The longest side in pixels; by default 512 for a GIF and 1024 for an MP4, or less where the
        image is smaller. Small images are magnified by a whole number.
    scale_bar
        Whether there is one, if the size of a pixel is known; or its length in micrometres.
    labels
        Whether the time, or the place along the dimension, is written.
    roi
        (x, y, w, h): only this region, in pixels of the document for a CZI, of the image otherwise.
    project
        ``"max"``, ``"mean"`` or ``"sum"`` along Z, or by dimension, as in `convert`.
    overwrite
        Whether an existing file is replaced.
    progress
        True for a bar, or a function of the frames done and all frames.
    storage_options
        The options of fsspec for a URL.

    Returns
    -------
    Movie
        (width, height, frames, fps, along): the size in pixels, the number of frames and of frames
        in a second, and the dimension.

    Raises
    ------
    ValueError
        If there is only one picture, or for a dimension that the image does not have.
    OutOfBoundsError
        For a scene, a channel or a place that there is not.
    UnsupportedDataError
        If a frame would have more than 100 megapixels, or a side that the format cannot have.
    FileExistsError
        If `dest` exists and is not to be replaced.
    MissingExtraError
        Without Pillow (the extra ``cli``), or for an MP4 without PyAV (the extra ``movie``).

    Examples
    --------
    >>> write_movie("cells.czi", "cells.mp4", plane={"Z": 4}, fps=15)  # doctest: +SKIP
    >>> write_movie("cells.czi", "cells.gif", project="max")  # doctest: +SKIP
    """
    name = os.fsdecode(dest)
    ending = Path(name).suffix.lower()
    if ending not in (GIF, MP4):
        raise InvalidArgumentError(f"{name}: a movie is a .gif or an .mp4; give such a name")
    check_new_file(dest, overwrite=overwrite)
    if ending == MP4:
        require("av", extra="movie", doing="writing an MP4")
    bar, side = checked_bar(scale_bar), checked_size(size, _SIDES[ending][0])
    with opened_scenes(source, scene, roi, project, storage_options) as images:
        axis, panels = _panels(images[0], along, plane)
        speed = _checked_speed(fps, len(panels), ending)
        look = Look(panels, contrast, side, bar)
        _check_size(look, side, ending)
        look.check_bar()
        shape, rate = (look.width, look.height), Fraction(speed).limit_denominator(1000)
        write = _write_gif if ending == GIF else _write_mp4
        output = atomic_output(dest, overwrite=overwrite)
        with show_progress(progress, len(panels), "movie") as step, output as stream:
            write(stream, _frames(look, panels, labels, step), shape, rate)
    return Movie(look.width, look.height, len(panels), speed, axis)


def _panels(
    image: Image, along: str | None, plane: Mapping[str, Selection] | None
) -> tuple[str, list[Panel]]:
    """Return the dimension of a movie and its frames."""
    planes = planes_of(image, plane)
    sizes = {name: size for name, size in image.sizes.items() if name not in "YXSM"}
    places = {name: planes.get(name, list(range(size))) for name, size in sizes.items()}
    if along is not None and along not in tuple(sizes):
        raise InvalidArgumentError(f"along={along!r} is none of {', '.join(sizes)}")
    several = [name for name in ("T", "Z", *sizes) if name != "C" and len(places[name]) > 1]
    axis = along or (several[0] if several else "T")
    if len(places[axis]) < 2:
        raise InvalidArgumentError(
            f"{image_name(image)}: this is one picture only{f' along {axis}' if along else ''}, "
            "and a movie has several; Image.to_rgb, or czictypes plane, makes one"
        )
    fixed = fixed_places(planes, axis)
    labels = labels_of(image, axis, places[axis])
    if axis == "T" and image.time_stamps is not None:
        labels = time_texts(image.time_stamps, places["T"])
    return axis, [
        Panel(image, {**fixed, axis: [at] if axis == "C" else at}, label)
        for label, at in zip(labels, places[axis])
    ]


def _checked_speed(fps: float | None, frames: int, ending: str) -> float:
    if fps is None:
        return min(_USUAL, max(1.0, frames / 2))
    if not isinstance(fps, Real) or not 0.01 <= fps <= _FASTEST[ending]:
        hint = f", or write an {MP4}" if ending == GIF else ""
        raise InvalidArgumentError(
            f"fps={fps!r}: {ending} has from 0.01 to {_FASTEST[ending]} frames in a second; give "
            f"such a number{hint}"
        )
    return float(fps)


def _check_size(look: Look, side: int, ending: str) -> None:
    check_picture_size(look.width, look.height, side, "give size={zoom}, or a region by roi=")
    most = _SIDES[ending][1]
    if max(look.width, look.height) > most:
        raise UnsupportedDataError(
            f"a frame would have {look.width} x {look.height} pixels, but the sides of {ending} "
            f"have at most {most}; give size={most}, or a region by roi="
        )


def _frames(
    look: Look, panels: list[Panel], labels: bool, step: Callable[[int], Any]
) -> Iterator[NDArray[np.uint8]]:
    """Give one frame after the other."""
    size = max(10, look.height // 20)
    for panel in panels:
        picture = look.picture(panel, bar=True)
        if labels:
            draw_label(picture, panel.label, (0, 0), look.width, size)
        yield picture
        step(1)


def _write_gif(
    stream: BinaryIO, frames: Iterator[NDArray[np.uint8]], size: tuple[int, int], fps: Fraction
) -> None:
    """Write a GIF frame by frame; Pillow itself would hold all of them until the last."""
    width, height = (side.to_bytes(2, "little") for side in size)
    stream.write(b"GIF89a" + width + height + b"\x70\0\0")
    stream.write(b"\x21\xff\x0bNETSCAPE2.0\x03\x01\0\0\0")  # for ever
    for number, frame in enumerate(frames):
        hundredths = round((number + 1) * 100 / fps) - round(number * 100 / fps)
        stream.write(b"\x21\xf9\x04\x04" + min(hundredths, 65_535).to_bytes(2, "little") + b"\0\0")
        stream.write(_gif_image(frame))
    stream.write(b";")


def _gif_image(frame: NDArray[np.uint8]) -> bytes:
    """Return a frame as a GIF stores it, with its own colours: taken out of a GIF by Pillow."""
    pictures = require("PIL.Image", extra="cli", doing="writing a GIF")
    is_gray = bool((frame[..., :1] == frame).all())
    picture = pictures.fromarray(np.ascontiguousarray(frame[..., 0] if is_gray else frame))
    if not is_gray:
        picture = picture.quantize(256, dither=0)  # patterns would flicker
    whole = io.BytesIO()
    picture.save(whole, format="GIF")
    data = whole.getvalue()
    flags = data[10]
    at = 13 + (3 << (flags & 7) + 1 if flags & 0x80 else 0)
    colors = data[13:at]
    while data[at] == 0x21:  # extensions
        at += 2
        while data[at]:
            at += data[at] + 1
        at += 1
    local = data[at + 9] & 0x40 | 0x80 | flags & 7
    return data[at : at + 9] + bytes([local]) + colors + data[at + 10 : -1]


def _write_mp4(
    stream: BinaryIO, frames: Iterator[NDArray[np.uint8]], size: tuple[int, int], fps: Fraction
) -> None:
    """Write an MP4 that browsers play: H.264, whose sides are even."""
    av = require("av", extra="movie", doing="writing an MP4")
    name = "libx264" if "libx264" in av.codecs_available else "h264"
    odd = size[0] % 2, size[1] % 2
    with av.open(stream, "w", format="mp4") as movie:
        track = movie.add_stream(name, rate=fps, options=_QUALITY if name == "libx264" else {})
        track.width, track.height = size[0] + odd[0], size[1] + odd[1]
        track.pix_fmt = "yuv420p"
        for frame in frames:
            even = np.pad(frame, ((0, odd[1]), (0, odd[0]), (0, 0)), mode="edge")
            movie.mux(track.encode(av.VideoFrame.from_ndarray(even, format="rgb24")))
        movie.mux(track.encode())
