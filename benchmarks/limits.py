"""The limits of the machine: nobody who does all of the work can be faster."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from czictypes import czi
from czictypes.model.pixel_types import PixelType
from czictypes.reading.threads import thread_count
from czictypes.writing.compression import encode, parse_compression

__all__ = [
    "copying",
    "copying_file",
    "decoding",
    "encoding",
    "reading",
    "reading_pieces",
    "writing",
]

Shape = tuple[int, int]
_PAGE = 4096


def copying(shape: Shape) -> Callable[[], Any]:
    """Return a call that copies as many 16-bit pixels."""
    source, target = np.ones(shape, np.uint16), np.ones(shape, np.uint16)
    return lambda: np.copyto(target, source)


def reading(path: Path, shape: Shape) -> Callable[[], Any]:
    """Return a call that reads as many 16-bit pixels of a file into a new array.

    Its memory begins in the middle of a page: the system copies four times slower to what lies 1 to
    31 bytes further into a page than the bytes in the file do (seen on AMD EPYC), and that is
    where large arrays of numpy begin for a file that is read from its start.
    """
    size = 2 * shape[0] * shape[1]

    def read() -> Any:
        memory = np.empty(size + _PAGE, np.uint8)
        start = (_PAGE // 2 - memory.ctypes.data) % _PAGE
        view, done = memory[start : start + size].data, 0
        with path.open("rb", buffering=0) as file:
            while done < size and (count := file.readinto(view[done:])):
                done += count
        return memory

    return read


def reading_pieces(path: Path, size: int) -> Callable[[], Any]:
    """Return a call that reads a file in pieces of so many bytes, each into a new array."""

    def read() -> None:
        with path.open("rb", buffering=0) as file:
            file.seek(_PAGE // 2)  # for the same reason as above
            while file.readinto(np.empty(size, np.uint8)) == size:
                pass

    return read


def decoding(path: Path) -> Callable[[], Any]:
    """Return a call that decompresses the zstd data of all sub-blocks, on all CPUs."""
    import zstandard

    frames = []
    with czi.open_czi(os.fspath(path)) as document:
        indices: list[int] = []
        document.enumerate_subblocks(lambda index, _: indices.append(index) is None)
        for index in indices:
            data = document.read_subblock(index).raw_data
            frames.append(data[data.index(b"\x28\xb5\x2f\xfd") :])
    batches = [frames[start :: thread_count()] for start in range(thread_count())]

    def decode_some(some: list[bytes]) -> None:
        target = bytearray(1 << 21)
        for frame in some:
            reader = zstandard.ZstdDecompressor().stream_reader(frame, read_size=len(frame))
            reader.readinto(target)

    def decode() -> None:
        with ThreadPoolExecutor(len(batches)) as pool:
            list(pool.map(decode_some, batches))

    return decode


def writing(path: Path, arrays: Sequence[NDArray[Any]]) -> Callable[[], Any]:
    """Return a call that writes arrays to a file, one behind the other."""

    def write() -> None:
        with path.open("wb", buffering=0) as file:
            for array in arrays:
                view = memoryview(array).cast("B")
                while view:
                    view = view[file.write(view) :]

    return write


def encoding(arrays: Sequence[NDArray[np.uint16]], compression: str) -> Callable[[], Any]:
    """Return a call that compresses arrays as a CZI has them, on all CPUs."""
    options = parse_compression(compression)

    def encode_one(array: NDArray[np.uint16]) -> int:
        return len(encode(array[..., np.newaxis], options, PixelType.Gray16))

    def compress() -> int:
        with ThreadPoolExecutor(thread_count()) as pool:
            return sum(pool.map(encode_one, arrays))

    return compress


def copying_file(source: Path, target: Path) -> Callable[[], Any]:
    """Return a call that reads a file in pieces and writes them to another."""

    def copy() -> None:
        piece = memoryview(bytearray(1 << 21))
        with source.open("rb", buffering=0) as read, target.open("wb", buffering=0) as write:
            while count := read.readinto(piece):
                rest = piece[:count]
                while rest:
                    rest = rest[write.write(rest) :]

    return copy
