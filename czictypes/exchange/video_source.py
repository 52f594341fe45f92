"""Opens videos through PyAV, as imageio does, but for frames in any order."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from czictypes.container.limits import check_claim, check_frames
from czictypes.exchange.frames import Frames
from czictypes.exchange.source_image import SourceImage
from czictypes.model.errors import CorruptFileError, UnsupportedDataError

__all__ = ["open_video"]

#: A video may name other files and addresses to go on with; it may open none.
_OPTIONS = {"protocol_whitelist": "none"}
#: A frame that is so few frames ahead is reached by decoding.
_NEAR = 16


def open_video(
    stack: ExitStack, source: Any, name: str, stored: int, lock: threading.Lock
) -> SourceImage:
    """Open the first video stream of a file: red, green and blue along T.

    Parameters
    ----------
    stack
        Closes it.
    source
        A path, or a file object.
    name, stored
        The name of the file in messages, and its size in bytes.
    lock
        Is held while a frame is decoded.

    Raises
    ------
    ImportError
        Without the package av.
    ValueError
        If FFmpeg does not know it.
    UnsupportedDataError
        If there is no video in it, or it claims more than its bytes can hold.
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
    told = video.metadata
    return SourceImage(
        pixels,
        "TYXS" if many else "YXS",
        times=tuple(float(at / video.rate) for at in range(count)) if many and video.rate else (),
        metadata=told.copy,
        shared=True,
        reader="PyAV",
    )


class _Video:
    """Decodes the frames of a video.

    Frames are found by the times that were seen when they were first decoded, so the file need not
    have a constant rate.

    Parameters
    ----------
    container
        The file, as PyAV opened it.
    name
        The name of the file in messages.
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
        """Decode up to a frame: from where the video is, from a key frame, or the beginning."""
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
        """Go to the last key frame up to a frame whose time is known, where that can be told."""
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
