"""Pictures that Pillow knows: opens PNG, JPEG, BMP, GIF and others, writes PNG."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from czictypes.container.limits import check_claim, check_frames
from czictypes.container.pictures import picture_errors
from czictypes.exchange.converted import Choice, ConvertedImage, choose
from czictypes.exchange.locations import location_path, location_text, stored_bytes
from czictypes.exchange.pixel_view import Frames
from czictypes.exchange.source_image import SourceImage
from czictypes.metadata.document_info import Scaling
from czictypes.model.errors import MetadataWarning, PixelTypeWarning, UnsupportedDataError
from czictypes.model.geometry import checked_plane
from czictypes.model.lazy import require
from czictypes.model.public import warn_caller
from czictypes.reading.contrast import Contrast
from czictypes.reading.conversion import stretch
from czictypes.reading.names import find_channels
from czictypes.remote.urls import describe_target
from czictypes.writing.atomic import PathType, atomic_output

if TYPE_CHECKING:
    from czictypes.arrays.image_base import Image

T = TypeVar("T")

#: The formats of Pillow that are decoded within this process, and are pictures as a rule. (What
#: opens JPEG opens MPO.)
_FORMATS = (
    "PNG", "JPEG", "BMP", "DIB", "GIF", "TIFF", "WEBP", "JPEG2000", "PPM", "AVIF", "SGI", "QOI",
    "DDS",
)  # fmt: skip
#: Formats whose first bytes say too little: they are looked for behind these endings alone.
_BY_ENDING = {".tga": "TGA", ".pcx": "PCX", ".ico": "ICO", ".fli": "FLI", ".flc": "FLI"}
#: Formats whose frames may differ in size and mode: each is a picture of its own.
_ALBUMS = ("MPO", "TIFF")

_SAMPLES = {"L": 1, "LA": 2, "RGB": 3, "RGBA": 4}
_DTYPES = {"1": "bool", "F": "float32", "I": "int32"}
_ALPHA = {"PA": "RGBA", "RGBa": "RGBA", "La": "LA"}
#: Pillow's names for the pixels of PNGs with 16 bits for each sample, of which it reads 8.
_DEEP = {"LA;16B": "LA", "RGB;16B": "RGB", "RGBA;16B": "RGBA"}
_MOST_BYTES_OF_PIXEL = 4


class _Kind(NamedTuple):
    """The properties that all frames share; `mode` is that of Pillow to read them in."""

    width: int
    height: int
    mode: str
    dtype: np.dtype[Any]

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of a frame."""
        samples = _SAMPLES.get(self.mode, 1)
        return (self.height, self.width, *(() if samples == 1 else (samples,)))


class _File:
    """A picture that is opened again to go back, and after a failed read.

    Pillow cannot return to the first frames of an APNG whose frames have several chunks, and holds
    half a frame after an error or an interrupt.
    """

    def __init__(self, opener: Callable[[], Any], name: str) -> None:
        self._opener, self.name = opener, name
        self._picture, self._is_whole = opener(), True
        self.lock = threading.Lock()
        self.format = self._picture.format

    def read(self, function: Callable[[Any], T], frame: int = 0) -> T:
        """Call a function with the picture, which seeks the frame."""
        is_there = self._is_whole and (self.format in _ALBUMS or self._picture.tell() <= frame)
        self._is_whole = False
        if not is_there:
            self.close()
            self._picture = self._opener()
        found = function(self._picture)
        self._is_whole = True
        return found

    def close(self) -> None:
        """Close the file, unless the caller opened it."""
        self._picture.__exit__(None, None, None)


@contextmanager
def open_picture(source: str | os.PathLike[str] | BinaryIO) -> Iterator[Sequence[SourceImage]]:
    """Open a picture from a path or file object; several frames become a time series.

    Frames of different sizes or types, such as the views in a JPEG of a phone, become separate
    images. Frames are decoded when they are read.
    """
    name = describe_target(source)
    images = require("PIL.Image", extra="cli", doing="reading pictures")
    formats = _formats(images, location_path(location_text(source)))
    with ExitStack() as stack:
        with picture_errors(name, formats):
            file = _File(partial(images.open, source, formats=formats), name)
            stack.callback(file.close)
            kinds = file.read(partial(_kinds, name=name))
            deep = file.read(partial(_deep, name=name))
            info = file.read(lambda picture: dict(picture.info))
            if "transparency" in info and not file.read(_mode).endswith("A"):
                warn_caller(
                    f"{name} has a value that stands for transparency ({info['transparency']}), "
                    "which is taken for any other",
                    PixelTypeWarning,
                )
        common = _common(kinds)
        groups = [(at, one, 1) for at, one in enumerate(kinds)]
        common = deep or common
        if common is not None:
            groups = [(0, common, len(kinds))]
        yield [
            SourceImage(
                _frames(file, *group) if deep is None else _deep_frame(file, deep),
                "T" * (group[2] > 1) + "YXS"[: len(group[1].shape)],
                scaling=_scaling(info.get("dpi")),
                metadata=info.copy,
                shared=True,
            )
            for group in groups
        ]


def _formats(images: Any, name: str) -> list[str]:
    """Return the formats that a file of that name may have and this Pillow reads."""
    images.init()
    wanted = [*_FORMATS, _BY_ENDING.get(Path(name).suffix)]
    return [one for one in wanted if one is not None and one in images.OPEN]


def _kinds(picture: Any, name: str) -> list[_Kind]:
    """Return the kind of each frame; nothing is decoded."""
    count = getattr(picture, "n_frames", 1)
    stored = stored_bytes(picture.fp)
    claimed = count * picture.width * picture.height * _MOST_BYTES_OF_PIXEL
    check_claim(claimed, stored, name)
    check_frames(count, stored, name)
    if picture.format not in _ALBUMS:
        return [_kind(picture)] * count
    kinds = []
    for number in range(count):
        try:
            picture.seek(number)
        except Exception as error:  # Pillow raises many kinds
            if number == 0 or picture.format != "MPO":
                raise
            warn_caller(
                f"{name} says that it has {count} pictures, but the one with the number {number} "
                f"cannot be found ({error}); it and those behind it are left out",
                MetadataWarning,
            )
            break
        kinds.append(_kind(picture))
    picture.seek(0)
    sizes = (one.width * one.height * _MOST_BYTES_OF_PIXEL for one in kinds)
    check_claim(sum(sizes), stored, name)
    return kinds


def _kind(picture: Any) -> _Kind:
    mode = _mode(picture)
    dtype = "uint16" if mode.startswith("I;16") else _DTYPES.get(mode, "uint8")
    if mode == "I" and picture.format in ("PNG", "PPM"):
        dtype = "uint16"  # older Pillows hold 16 bits in 32
    return _Kind(picture.width, picture.height, mode, np.dtype(dtype))


def _deep(picture: Any, name: str) -> _Kind | None:
    """Return the kind of a PNG of which Pillow would read half of the bits, else None."""
    mode = None
    if picture.format == "PNG" and picture.tile and getattr(picture, "n_frames", 1) == 1:
        mode = _DEEP.get(picture.tile[0][3])
    if mode is None:
        return None
    if find_spec("imagecodecs") is None:
        warn_caller(
            f"{name} has 16 bits for each sample, of which Pillow reads 8; install imagecodecs to "
            "read all",
            MetadataWarning,
        )
        return None
    return _Kind(picture.width, picture.height, mode, np.dtype(np.uint16))


def _deep_frame(file: _File, kind: _Kind) -> Frames:
    import imagecodecs

    def read(number: int, part: tuple[slice, ...]) -> NDArray[Any]:
        with picture_errors(file.name):
            pixels: NDArray[Any] = imagecodecs.png_decode(file.read(_encoded))
        return pixels[..., : kind.shape[-1]][part]

    return Frames(kind.shape, kind.dtype, read, file.lock)


def _encoded(picture: Any) -> bytes:
    picture.fp.seek(0)
    return bytes(picture.fp.read())


def _mode(picture: Any) -> str:
    """Return the mode to read a frame in: gray or colours, with transparency if it has some."""
    mode = str(picture.mode)
    if mode in ("L", "RGB") and "transparency" in picture.info:
        return f"{mode}A"  # one value or colour is transparent
    if mode in _SAMPLES or mode in _DTYPES or mode.startswith("I;16"):
        return mode
    if mode == "P":
        palette = getattr(picture.palette, "mode", "RGB")
        return "RGBA" if "transparency" in picture.info or palette == "RGBA" else "RGB"
    return _ALPHA.get(mode, "RGB")


def _common(kinds: Sequence[_Kind]) -> _Kind | None:
    """Return the kind in which all frames can be read; None if they are no series."""
    first = kinds[0]
    if all(one == first for one in kinds):
        return first
    if {one[:2] for one in kinds} != {first[:2]} or not {one.mode for one in kinds} <= {*_SAMPLES}:
        return None
    needed = {letter for one in kinds for letter in one.mode}
    mode = ("RGB" if "R" in needed else "L") + "A" * ("A" in needed)
    return first._replace(mode=mode)


def _frames(file: _File, first: int, kind: _Kind, count: int) -> Frames:
    def read(number: int, part: tuple[slice, ...]) -> NDArray[Any]:
        with picture_errors(file.name):
            at = first + number
            return file.read(partial(_decoded, number=at, kind=kind, part=part), at)

    return Frames(
        kind.shape,
        kind.dtype,
        read,
        file.lock,
        count=count if count > 1 else None,
        ordered=file.format not in _ALBUMS,
        in_parts=True,
    )


def _decoded(picture: Any, number: int, kind: _Kind, part: tuple[slice, ...]) -> NDArray[Any]:
    """Return a part of a frame; only that part is converted to another mode."""
    picture.seek(number)
    picture.load()
    rows, columns = range(kind.height)[part[0]], range(kind.width)[part[1]]
    needed = set(_mode(picture))
    if picture.size != (kind.width, kind.height) or (
        kind.mode in _SAMPLES and not needed <= {*kind.mode, "L"}
    ):
        raise UnsupportedDataError(
            f"frame {number} is {picture.width} x {picture.height} pixels of {_mode(picture)}, but "
            f"the first ones are {kind.width} x {kind.height} of {kind.mode}"
        )
    low = min(columns, default=0), min(rows, default=0)
    high = max(columns, default=-1) + 1, max(rows, default=-1) + 1
    found = picture.crop((*low, *high))
    found = found if found.mode == kind.mode else found.convert(kind.mode)
    steps = slice(None, None, rows.step), slice(None, None, columns.step)
    pixels: NDArray[Any] = np.asarray(found)[steps].astype(kind.dtype, copy=False)
    return pixels[(..., part[2])] if len(part) > 2 else pixels


def _scaling(dots_per_inch: Any) -> Scaling:
    """Return metres per pixel, but not from resolutions of screens."""
    if not dots_per_inch or not all(float(dots) > 1000 for dots in dots_per_inch):
        return Scaling()
    x, y = (0.0254 / float(dots) for dots in dots_per_inch)
    return Scaling(x, y)


_MOST_PIXELS = 1 << 29


def write_png(
    image: Image,
    dest: PathType,
    *,
    scenes: Choice = "all",
    plane: Mapping[str, int | str] | None = None,
    contrast: Contrast | None = None,
    overwrite: bool = False,
) -> None:
    """Write a plane of one scene as a PNG; afterwards, the image is set to that scene.

    Gray pixels of one channel up to 16 bits and RGB pixels of 8 bits keep their values, unless
    there is a contrast. Several channels are blended as the file displays them, and other pixels
    are brought to 8 bits. Raises ValueError unless exactly one plane is chosen.
    """
    pictures = require("PIL.Image", extra="cli", doing="writing PNG")
    _choose(image, scenes)
    place = _checked(image, checked_plane(plane))
    keeps = contrast is None and _keeps_values(image, place)
    pixels = image.read_block(place) if keeps else _with_alpha(image, place, contrast or "file")
    with atomic_output(dest, overwrite=overwrite) as stream:
        pictures.fromarray(pixels).save(stream, format="PNG")


def _with_alpha(image: Image, place: Mapping[str, int], contrast: Contrast) -> NDArray[np.uint8]:
    """Return the picture of a plane, with the alpha of its only channel if that has one."""
    plane = {name: at for name, at in place.items() if name != "C"}
    picture = image._composite(plane, [place["C"]] if "C" in place else None, contrast)
    if "C" not in place or image.sizes.get("S") not in (2, 4):
        return picture
    alpha = image.read_block({**place, "S": image.sizes["S"] - 1})
    whole = float(np.iinfo(alpha.dtype).max) if alpha.dtype.kind == "u" else 1.0
    return np.dstack([picture, stretch(alpha, (0.0, whole))])


def describe_png(
    image: Image,
    scenes: Choice = "all",
    plane: Mapping[str, int | str] | None = None,
    contrast: Contrast | None = None,
) -> ConvertedImage:
    """Return the picture that `write_png` would write; it raises the same errors."""
    _choose(image, scenes)
    place = _checked(image, checked_plane(plane))
    keeps = contrast is None and _keeps_values(image, place)
    sizes = {"Y": image.sizes["Y"], "X": image.sizes["X"]}
    if "S" in image.sizes or not keeps:
        has_alpha = "C" in place and image.sizes.get("S") in (2, 4)
        sizes["S"] = image.sizes.get("S", 3) if keeps else 3 + has_alpha
    dtype = image.dtype.name if keeps else "uint8"
    return ConvertedImage(image.current_scene, "".join(sizes), tuple(sizes.values()), dtype, 1)


def _choose(image: Image, scenes: Choice) -> None:
    chosen = choose(image.scenes, scenes, "scene")
    if len(chosen) > 1:
        names = ", ".join(image.scenes)
        raise ValueError(
            f"a PNG holds one scene; name one of {names}, or give split_scenes=True for a file of "
            "each"
        )
    image.set_scene(chosen[0])


def _checked(image: Image, given: Mapping[str, int | str]) -> dict[str, int]:
    """Return the index in each dimension of a picture, without C for all channels."""
    plane: dict[str, Any] = dict(given)
    if isinstance(plane.get("C"), str):
        plane["C"] = find_channels(image.channels, plane["C"])
    sizes = {name: size for name, size in image.sizes.items() if name not in "YXS"}
    unknown = set(plane) - set(sizes)
    if unknown:
        raise ValueError(f"the image has no dimension {', '.join(sorted(unknown))}")
    several = [name for name, size in sizes.items() if size > 1 and name not in (*plane, "C")]
    if several:
        listed = ", ".join(f"{name} ({sizes[name]} places)" for name in several)
        raise ValueError(f"a PNG holds one plane; say which one in {listed} with plane=")
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
    """Return whether a PNG can hold the pixels of a plane unchanged."""
    is_gray = "S" not in image.sizes
    return "C" in place and (image.dtype == np.uint8 or (is_gray and image.dtype == np.uint16))
