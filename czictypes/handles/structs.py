"""The contents of libCZI's structures as plain values, and the way between the two."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple
from uuid import UUID

from czictypes.model.dimensions import ABSENT, DIMENSION_INDEX, DIMENSIONS
from czictypes.model.geometry import Rectangle, Size
from czictypes.model.pixel_types import PixelFormat, PixelType, pixel_format

__all__ = [
    "AttachmentInfo",
    "BitmapInfo",
    "FileHeaderInfo",
    "Interval",
    "PyramidLayer",
    "ScalingInfo",
    "SceneBoxes",
    "Statistics",
    "SubBlockInfo",
    "check_int32",
    "libczi_format",
    "pack_coordinate",
    "pack_rectangle",
    "unpack_attachment_info",
    "unpack_coordinate",
    "unpack_rectangle",
    "unpack_scenes",
    "unpack_statistics",
    "unpack_sub_block_info",
]

_INT32 = range(-(2**31), 2**31)

# libCZI's sign for "nothing to bound"
_NO_BOX = Rectangle(0, 0, -1, -1)

_COMPLEX128 = PixelFormat("<c16", 1)


def libczi_format(pixel_type: int) -> PixelFormat:
    """Return the memory layout that libCZI takes a pixel type to have.

    A pixel of Gray64ComplexFloat has 8 bytes in a file; libCZI believes 16.
    """
    wrong = pixel_type == PixelType.Gray64ComplexFloat
    return _COMPLEX128 if wrong else pixel_format(pixel_type)


class Interval(NamedTuple):
    """The values of a dimension: ``start``, and how many from there on."""

    start: int
    size: int


class SceneBoxes(NamedTuple):
    """The bounding boxes of a scene, with and without pyramid sub-blocks.

    ``(0, 0, -1, -1)`` where there is nothing to bound.
    """

    bounding_box: Rectangle
    bounding_box_layer0: Rectangle


class Statistics(NamedTuple):
    """The statistics that libCZI gathers from a document's directory.

    Attributes
    ----------
    min_m_index, max_m_index
        None when no sub-block has an M-index.
    bounding_box, bounding_box_layer0
        Of all sub-blocks, and of those of layer 0; ``(0, 0, -1, -1)`` when there are none.
    dimensions
        The interval of each dimension that occurs, Z C T R S I H V B in this order.
    scenes
        The boxes of each scene, ascending; empty unless they were asked for.
    """

    sub_block_count: int
    min_m_index: int | None
    max_m_index: int | None
    bounding_box: Rectangle
    bounding_box_layer0: Rectangle
    dimensions: dict[str, Interval]
    scenes: dict[int, SceneBoxes]


class PyramidLayer(NamedTuple):
    """The number of sub-blocks in a pyramid layer.

    Layer 0 has factor and number 0; what libCZI cannot place in a layer has 255 for both.
    """

    minification_factor: int
    layer_number: int
    sub_block_count: int


class FileHeaderInfo(NamedTuple):
    """The file's GUID and version."""

    guid: UUID
    major: int
    minor: int


class SubBlockInfo(NamedTuple):
    """A sub-block's entry in the directory.

    Attributes
    ----------
    compression, pixel_type
        The numbers as they stand in the file.
    logical_rect
        The area it covers, in pixels of the whole picture.
    physical_size
        The size of its bitmap.
    m_index
        None when it has none.
    """

    compression: int
    pixel_type: int
    coordinate: dict[str, int]
    logical_rect: Rectangle
    physical_size: Size
    m_index: int | None


class AttachmentInfo(NamedTuple):
    """An attachment's entry in the directory; the type is a short name such as ``"CZTIMS"``."""

    guid: UUID
    content_file_type: str
    name: str


class BitmapInfo(NamedTuple):
    """The size of a bitmap in pixels, and the number of its pixel type."""

    width: int
    height: int
    pixel_type: int


class ScalingInfo(NamedTuple):
    """The size of a pixel in metres; None where the document does not tell."""

    x: float | None
    y: float | None
    z: float | None


def check_int32(value: int, what: str) -> int:
    """Return `value` as an int, or raise ValueError unless it fits in 32 bits with sign."""
    number = int(value)
    if number not in _INT32:
        raise ValueError(f"{what} is {number}, which a CZI cannot hold (32 bits with sign)")
    return number


def unpack_rectangle(raw: Any) -> Rectangle:
    """Read a struct IntRectInterop."""
    return Rectangle(raw.x, raw.y, raw.w, raw.h)


def pack_rectangle(ffi: Any, rectangle: Rectangle) -> Any:
    """Make a struct IntRectInterop; ValueError for what does not fit."""
    return ffi.new(
        "struct IntRectInterop *", [check_int32(value, "a rectangle's side") for value in rectangle]
    )


def unpack_coordinate(raw: Any) -> dict[str, int]:
    """Read a struct CoordinateInterop."""
    return dict(zip(_letters(raw.dimensions_valid), raw.value))


def pack_coordinate(coordinate: Mapping[str, int]) -> dict[str, Any]:
    """Return what initialises a struct CoordinateInterop; ValueError for what does not fit."""
    unknown = set(coordinate) - set(DIMENSION_INDEX)
    if unknown:
        raise ValueError(
            f"{', '.join(sorted(map(str, unknown)))}: no dimension of a CZI; "
            f"there are {', '.join(DIMENSIONS)}"
        )
    given = [letter for letter in DIMENSIONS if letter in coordinate]
    return {
        "dimensions_valid": sum(1 << (DIMENSION_INDEX[letter] - 1) for letter in given),
        "value": [check_int32(coordinate[letter], f"dimension {letter}") for letter in given],
    }


def unpack_statistics(raw: Any, scenes: dict[int, SceneBoxes] | None = None) -> Statistics:
    """Read a struct SubBlockStatisticsInterop, or the common part of the extended one."""
    has_m = raw.min_m_index <= raw.max_m_index  # without any: INT32_MAX and INT32_MIN
    bounds = raw.dim_bounds
    return Statistics(
        raw.sub_block_count,
        raw.min_m_index if has_m else None,
        raw.max_m_index if has_m else None,
        _unpack_box(raw.bounding_box),
        _unpack_box(raw.bounding_box_layer0),
        {
            letter: Interval(start, size)
            for letter, start, size in zip(
                _letters(bounds.dimensions_valid), bounds.start, bounds.size
            )
        },
        scenes or {},
    )


def unpack_scenes(raw: Any) -> dict[int, SceneBoxes]:
    """Read the boxes of a struct SubBlockStatisticsInteropEx."""
    boxes = (
        raw.per_scenes_bounding_boxes[i] for i in range(raw.number_of_per_scenes_bounding_boxes)
    )
    return {
        box.sceneIndex: SceneBoxes(
            _unpack_box(box.bounding_box), _unpack_box(box.bounding_box_layer0_only)
        )
        for box in boxes
    }


def unpack_sub_block_info(raw: Any) -> SubBlockInfo:
    """Read a struct SubBlockInfoInterop."""
    return SubBlockInfo(
        raw.compression_mode_raw,
        raw.pixel_type,
        unpack_coordinate(raw.coordinate),
        unpack_rectangle(raw.logical_rect),
        Size(raw.physical_size.w, raw.physical_size.h),
        None if raw.m_index == ABSENT else raw.m_index,
    )


def unpack_attachment_info(library: Any, raw: Any) -> AttachmentInfo:
    """Read a struct AttachmentInfoInterop, and free the name if it did not fit in there."""
    ffi = library.ffi
    if raw.name_overflow:
        name = library.take_text(raw.name_in_case_of_overflow)
    else:
        name = ffi.string(raw.name).decode("utf-8", "replace")
    kind = bytes(ffi.buffer(raw.content_file_type)).split(b"\0", 1)[0]
    return AttachmentInfo(
        UUID(bytes_le=bytes(ffi.buffer(raw.guid))), kind.decode("utf-8", "replace"), name
    )


def _unpack_box(raw: Any) -> Rectangle:
    """Read a bounding box; where there is none libCZI leaves the position uninitialised."""
    return unpack_rectangle(raw) if raw.w >= 0 and raw.h >= 0 else _NO_BOX


def _letters(bits: int) -> list[str]:
    """Return the dimensions whose bit is set; values are packed in the same order."""
    return [letter for i, letter in enumerate(DIMENSIONS) if bits >> i & 1]
