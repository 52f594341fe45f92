"""Opens files with plug-ins of imageio (FITS, DICOM, SPE, ITK), and videos with PyAV."""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from fractions import Fraction
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from czictypes.container.limits import check_claim, check_frames
from czictypes.container.workers import aside
from czictypes.exchange.locations import (
    is_local,
    location_name,
    location_path,
    location_text,
    stored_bytes,
)
from czictypes.exchange.pixel_view import Frames, reason
from czictypes.exchange.source_image import SourceImage, axis_letters
from czictypes.model.errors import (
    CorruptFileError,
    CziError,
    MissingExtraError,
    UnsupportedDataError,
)
from czictypes.model.lazy import require

#: The plug-ins that decode within this process. Others start programs (FFMPEG, DICOM), fetch
#: libraries from the net (FreeImage), open other files (GDAL), look at the screen, or read what has
#: a module of its own here.
_PLUGINS = ("pyav", "SPE", "pydicom", "rawpy", "opencv", "FITS", "ITK")
#: A place and the bytes there tell the format of a file object without a name.
_MARKS = (
    (4, b"ftyp", ".mp4"), (8, b"AVI ", ".avi"), (0, b"\x1aE\xdf\xa3", ".mkv"),
    (0, b"SIMPLE  =", ".fits"), (128, b"DICM", ".dcm"), (0, b"NRRD", ".nrrd"),
)  # fmt: skip
#: The packages that have other names than their plug-ins.
_PACKAGES = {"pyav": "av", "FITS": "astropy", "ITK": "SimpleITK", "opencv": "opencv-python"}


class NoPluginError(UnsupportedDataError):
    """imageio has no plug-in for the ending of a file."""


@contextmanager
def open_with_imageio(
    source: str | os.PathLike[str] | BinaryIO,
) -> Iterator[Sequence[SourceImage]]:
    """Open a path or file object with the plug-in of imageio that is installed for its ending.

    Frames are decoded when they are read; FITS and ITK files, one image at a time. Raises
    `NoPluginError` if imageio has no plug-in, and `MissingExtraError` without imageio or the
    package of the only plug-in.
    """
    name = location_name(source)
    require("imageio.v3", extra="imageio", doing=f"reading {name}")
    if is_local(source) and not Path(source).is_file():  # type: ignore[arg-type]
        raise UnsupportedDataError(f"{name} is no file, and imageio reads no folders")
    with ExitStack() as stack:
        yield _opened(stack, source, name)


def _ending(source: Any) -> str:
    """Return the ending that imageio knows; for a nameless file object, by its first bytes."""
    from imageio.config import known_extensions

    text = location_text(source)
    path = Path("" if text == str(source) and hasattr(source, "read") else location_path(text))
    found = "".join(path.suffixes[-2:])  # .nii.gz
    if found not in known_extensions:
        found = path.suffix
    if found in known_extensions or not hasattr(source, "read"):
        return found
    place = source.tell()
    head = source.read(max(at + len(mark) for at, mark, _ in _MARKS))
    source.seek(place)
    marked = (ending for at, mark, ending in _MARKS if head[at:].startswith(mark))
    return next(marked, found)


def _opened(stack: ExitStack, source: Any, name: str) -> list[SourceImage]:
    """Return the images from the first plug-in that can read the file."""
    from imageio.config import known_extensions, known_plugins

    ending = _ending(source)
    wanted = [one for kind in known_extensions.get(ending, ()) for one in kind.priority]
    wanted = [one for one in dict.fromkeys(wanted) if one in _PLUGINS and one in known_plugins]
    if not wanted:
        raise NoPluginError(f"imageio has no plug-in for {ending or 'a name without an ending'}")
    said: list[Exception] = []
    for kind in wanted:
        package = _PACKAGES.get(kind, kind)
        with ExitStack() as own:
            try:
                images = _images(own, kind, source, ending)
            except ImportError:
                why = f"imageio reads {ending} with the package {package}: pip install {package}"
                said.append(MissingExtraError(why))
            except CorruptFileError as error:
                said.append(error)
            except (CziError, FileNotFoundError, PermissionError, MemoryError, Warning):
                raise
            except Exception as error:
                cause = error.__cause__ if isinstance(error.__cause__, Exception) else error
                why = f"{_called(kind)} cannot read {name}: {reason(cause)}"
                said.append(UnsupportedDataError(why))
            else:
                stack.push(own.pop_all())
                return images
    first = next((one for one in said if not isinstance(one, MissingExtraError)), said[0])
    raise type(first)("; ".join(map(str, said)))


def _copied(stack: ExitStack, source: Any, ending: str) -> str:
    """Return the path of a temporary copy of a file object."""
    folder = tempfile.TemporaryDirectory()
    stack.callback(aside, folder.cleanup)
    path = Path(folder.name) / f"copy{ending}"
    place = source.tell()
    source.seek(0)
    with path.open("wb") as copy:
        shutil.copyfileobj(source, copy)
    source.seek(place)
    return str(path)


class _LentFile:
    """A file object that its readers do not close."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def close(self) -> None:
        """Do nothing; the file belongs to the caller."""


def _called(plugin: str) -> str:
    return f"imageio's plug-in {plugin}"


def _images(stack: ExitStack, kind: str, source: Any, ending: str) -> list[SourceImage]:
    imopen = require("imageio.v3", extra="imageio", doing="reading").imopen
    name, stored, lock = location_name(source), stored_bytes(source), threading.Lock()
    if kind == "pyav":
        return [_open_video(stack, source, name, stored, lock)]
    given = os.fspath(source) if not hasattr(source, "read") else _LentFile(source)
    if hasattr(source, "read") and kind == "SPE":  # reads paths alone; imageio copies for ITK
        given = _copied(stack, source, ending)
    plugin = imopen(given, "r", plugin=kind, extension=ending)
    stack.callback(plugin.close)
    if hasattr(plugin, "legacy_get_reader"):
        check_claim(_CLAIMS[kind](plugin), stored, name)
        reader = plugin.legacy_get_reader()
        stack.callback(reader.close)
        return _separate(reader, kind, name, lock)
    found = plugin.properties(index=...)
    count, shape = int(found.shape[0]), tuple(map(int, found.shape[1:]))
    dtype = np.dtype(found.dtype).newbyteorder("=")
    check_claim(int(np.prod(shape, dtype=object)) * dtype.itemsize, stored, name)
    check_frames(count, stored, name)
    several = count > 1

    def read(number: int, part: tuple[slice, ...]) -> NDArray[Any]:
        pixels = np.asarray(plugin.read(index=number))
        return pixels[part].astype(dtype, copy=False)

    pixels = Frames(shape, dtype, read, lock, count=count if several else None)
    image = SourceImage(
        pixels,
        _axes(pixels.shape, "T" if several and kind == "SPE" else ""),
        metadata=partial(_metadata, plugin, lock),
        shared=True,
        reader=_called(kind),
    )
    return [image]


def _separate(reader: Any, kind: str, name: str, lock: threading.Lock) -> list[SourceImage]:
    """Return the images of a plug-in with imageio's old interface; each has its own shape."""
    images = []
    for number in range(reader.get_length()):
        probe = np.asarray(reader.get_data(number))
        if probe.ndim < 2:
            continue
        dtype = probe.dtype.newbyteorder("=")

        def read(_: int, part: tuple[slice, ...], at: int = number, as_type: Any = dtype) -> Any:
            return np.asarray(reader.get_data(at))[part].astype(as_type, copy=False)

        pixels = Frames(probe.shape, dtype, read, lock)
        images.append(SourceImage(pixels, _axes(probe.shape), shared=True, reader=_called(kind)))
    if not images:
        raise UnsupportedDataError(f"{name} has no image of two dimensions")
    return images


def _axes(shape: Sequence[int], first: str = "") -> str:
    """Return the letters of the axes; a last axis of 3 or 4 means colours, as for arrays."""
    colours = "S" * (len(shape) > 2 + len(first) and shape[-1] in (3, 4))
    unknown = len(shape) - len(first) - len(colours) - 2
    return axis_letters([*first, *(f"axis {at}" for at in range(unknown)), *f"YX{colours}"])


def _metadata(plugin: Any, lock: threading.Lock) -> Any:
    with lock, suppress(Exception):  # not all plug-ins have some
        return plugin.metadata()
    return {}


def _claim_of_fits(plugin: Any) -> int:
    """Return the bytes that the images of a FITS file claim in their headers."""
    fits = require("astropy.io.fits", extra=None, doing="reading FITS")
    file = plugin.request.get_file()
    file.seek(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what is wrong is warned of when it is read
        units = fits.open(file)  # not closed: that would close the file, which is read on
        shapes = [unit.shape for unit in units if unit.is_image]
    file.seek(0)
    return sum(int(np.prod(shape, dtype=object)) * _MOST_BYTES_OF_PIXEL for shape in shapes)


def _claim_of_itk(plugin: Any) -> int:
    """Return the bytes that an image in a format of ITK claims in its header."""
    itk = require("SimpleITK", extra=None, doing="reading formats of ITK")
    reader = itk.ImageFileReader()
    reader.SetFileName(plugin.request.get_local_filename())
    reader.ReadImageInformation()
    values = (*reader.GetSize(), reader.GetNumberOfComponents())
    return int(np.prod(values, dtype=object)) * _MOST_BYTES_OF_PIXEL


_MOST_BYTES_OF_PIXEL = 8
_CLAIMS = {"FITS": _claim_of_fits, "ITK": _claim_of_itk}


#: A video may name other files and addresses to go on with; it may open none.
_OPTIONS = {"protocol_whitelist": "none"}
#: A frame that is so few frames ahead is reached by decoding.
_NEAR = 16


def _open_video(
    stack: ExitStack, source: Any, name: str, stored: int, lock: threading.Lock
) -> SourceImage:
    """Open the first video stream of a path or file object: RGB along T.

    `stored` is the file size in bytes, `lock` is held while a frame is decoded, and `stack` closes
    the file. Raises ImportError without the package av, and ValueError if FFmpeg does not know the
    file.
    """
    import av

    if not hasattr(source, "read"):
        # FFmpeg opens a path itself only by a protocol, and none is allowed
        source = stack.enter_context(Path(source).open("rb"))  # noqa: SIM115
    try:
        container = av.open(source, options=_OPTIONS)
    except av.FFmpegError as error:
        raise ValueError(error.strerror) from None  # some are errors of files, which these are not
    stack.callback(container.close)
    if not container.streams.video:
        raise UnsupportedDataError(f"{name} has no video in it")
    video = _Video(container, name)
    shape = video.height, video.width, 3
    check_claim(int(np.prod(shape, dtype=object)), stored, name)
    count = video.claimed or video.count()
    check_frames(count, stored, name)
    dtype = np.dtype(np.uint8)
    many = count if count > 1 else None
    pixels = Frames(shape, dtype, video.part, lock, count=many, ordered=True)
    metadata = video.metadata
    return SourceImage(
        pixels,
        "TYXS" if many else "YXS",
        times=tuple(float(at / video.rate) for at in range(count)) if many and video.rate else (),
        metadata=metadata.copy,
        shared=True,
        reader="PyAV",
    )


class _Video:
    """Decodes the frames of a video that PyAV opened.

    Frames are found by the times seen when they were first decoded, so the rate may vary.
    """

    def __init__(self, container: Any, name: str) -> None:
        self._container, self._name = container, name
        self._stream = container.streams.video[0]
        self._stream.thread_type = "AUTO"
        self._times: list[int | None] = []
        self._decoded: Iterator[Any] = container.decode(self._stream)
        self._next, self._can_seek = 0, True
        self._is_whole = True  # and not left in the middle of a frame, by an error or interrupt
        size = self._stream.codec_context
        self.width, self.height = int(size.width), int(size.height)
        self.claimed = int(self._stream.frames)
        self.rate: Fraction | None = self._stream.guessed_rate or self._stream.average_rate

    @property
    def metadata(self) -> dict[str, Any]:
        """The codec, the rate, and what the file tells as text."""
        codec = self._stream.codec_context
        rate = None if self.rate is None else float(self.rate)
        known = {"codec": codec.name, "video_format": codec.pix_fmt, "fps": rate}
        return {**known, **self._container.metadata, **self._stream.metadata}

    def count(self) -> int:
        """Return how many frames there are, by decoding all."""
        for _ in iter(self._advance, None):
            pass
        return self._next

    def part(self, number: int, part: tuple[slice, ...]) -> NDArray[Any]:
        """Return a part of a frame."""
        if not self._is_whole:
            self._begin()
        self._is_whole = False
        self._go_to(number)
        frame = self._advance()
        self._is_whole = True
        if frame is None:
            raise CorruptFileError(
                f"{self._name} has no frame {number}; it is damaged, or claims more than it has"
            )
        pixels: NDArray[Any] = frame.to_ndarray(format="rgb24")
        if pixels.shape != (self.height, self.width, 3):
            raise UnsupportedDataError(
                f"frame {number} of {self._name} is {frame.width} x {frame.height} pixels, but the "
                f"video {self.width} x {self.height}"
            )
        return pixels[part]

    def _advance(self) -> Any:
        """Return the next frame; None after the last one."""
        import av

        try:
            frame = next(self._decoded, None)
        except av.FFmpegError as error:
            raise CorruptFileError(
                f"frame {self._next} of {self._name} is damaged: {error}"
            ) from error
        if frame is not None:
            if self._next == len(self._times):
                self._times.append(frame.pts)
            elif frame.pts != self._times[self._next]:  # some were left out behind a key frame
                wanted = self._next
                self._begin()
                self._can_seek = False
                self._go_to(wanted)
                return self._advance()
            self._next += 1
        return frame

    def _go_to(self, number: int) -> None:
        """Decode up to a frame: from the current position, a key frame, or the beginning."""
        known = min(number, len(self._times) - 1)
        if not self._next <= number < self._next + _NEAR and known > 0:
            self._seek(known)
        if number < self._next:
            self._begin()
        while self._next < number and self._advance() is not None:
            pass

    def _begin(self) -> None:
        self._container.seek(0)
        self._decoded, self._next = self._container.decode(self._stream), 0

    def _seek(self, number: int) -> None:
        """Go to the last key frame before a frame whose time is known, if it can be found."""
        time = self._times[number]
        if not self._can_seek or time is None or self._times.count(time) != 1:
            return
        self._container.seek(time, stream=self._stream)
        decoded = self._container.decode(self._stream)
        first = next(decoded, None)
        at = self._times.index(first.pts) if first and first.pts in self._times else number + 1
        if first is not None and first.key_frame and at <= number:
            self._decoded, self._next = chain([first], decoded), at
        else:
            self._begin()
