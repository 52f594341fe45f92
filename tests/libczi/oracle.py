"""Handles that call all of libCZI's C API: czictypes needs less, tests compare with the rest."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any, Callable, NamedTuple
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from czictypes.libczi.bitmap import BitmapHandle, libczi_format
from czictypes.libczi.functions import Version, format_version
from czictypes.libczi.handle import Handle
from czictypes.libczi.library import Library, Status, get_library
from czictypes.libczi.metadata import DocumentInfoHandle, MetadataSegmentHandle
from czictypes.libczi.reader import ReaderHandle, SubBlockHandle
from czictypes.libczi.streams import InputStream, create_stream, native_path
from czictypes.model.errors import CorruptFileError, IncompatibleLibraryError, NativeCallError
from czictypes.model.geometry import ABSENT, DIMENSION_INDEX, DIMENSIONS, Rectangle, Size
from libczi.writer import OutputStream, check_int32, pack_coordinate

__all__ = [
    "AccessorOptions",
    "FullReader",
    "FullSubBlock",
    "Interval",
    "PyramidLayer",
    "ScalingInfo",
    "SceneBoxes",
    "SubBlockInfo",
    "TileAccessorHandle",
    "class_stream",
    "copied_pixels",
    "file_output",
]

# The first libCZI whose tile accessor heeds the option ``mask_aware``; older ones ignore it.
_MASK_AWARE_VERSION: Version = (0, 67, 0)

# libCZI's number for "no scene" in the pyramid statistics
_NO_SCENE = 2**31 - 1

# libCZI's sign for "nothing to bound"
_NO_BOX = Rectangle(0, 0, -1, -1)

# the dimensions for which libCZI describes more than the extent; it writes nothing for others
_DESCRIBED = ("Z", "C", "T")

_KINDS = {"data": 0, "metadata": 1}


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


class ScalingInfo(NamedTuple):
    """The size of a pixel in metres; None where the document does not tell."""

    x: float | None
    y: float | None
    z: float | None


class FullReader(ReaderHandle):
    """A reader with all that libCZI tells of a document."""

    _pyramid: dict[int | None, list[PyramidLayer]] | None = None

    def file_header_info(self) -> FileHeaderInfo:
        """Return the file's GUID and version."""
        ffi = self.library.ffi
        info = ffi.new("struct FileHeaderInfoInterop *")
        self._call("libCZI_ReaderGetFileHeaderInfo", info, what="read the file header")
        guid = UUID(bytes_le=bytes(ffi.buffer(info.guid)))
        return FileHeaderInfo(guid, info.majorVersion, info.minorVersion)

    def statistics(self) -> Statistics:
        """Return what libCZI gathered from the directory, without the scenes."""
        info = self.library.ffi.new("struct SubBlockStatisticsInterop *")
        self._call("libCZI_ReaderGetStatisticsSimple", info, what="read the statistics")
        return _unpack_statistics(info)

    def statistics_ex(self) -> Statistics:
        """Return the statistics with the boxes of each scene."""
        ffi = self.library.ffi
        room = 16
        while True:
            info = ffi.new(
                "struct SubBlockStatisticsInteropEx *", {"per_scenes_bounding_boxes": room}
            )
            available = ffi.new("int32_t *", room)
            self._call("libCZI_ReaderGetStatisticsEx", info, available, what="read the statistics")
            if available[0] <= room:
                return _unpack_statistics(info, _unpack_scenes(info))
            room = available[0]

    def pyramid_statistics(self) -> dict[int | None, list[PyramidLayer]]:
        """Return the pyramid layers of each scene; None stands for sub-blocks without a scene."""
        # libCZI sorts at each call, in place and without a lock: so it is asked once
        if self._pyramid is None:
            self._pyramid = self._read_pyramid_statistics()
        return self._pyramid

    def try_get_sub_block_info(self, index: int) -> SubBlockInfo | None:
        """Return a sub-block's entry in the directory, or None where there is no such index.

        Before libCZI 0.66.0 the sub-block itself has to be read for it, with all that is said at
        `read_sub_block`.
        """
        if not 0 <= index < self.sub_block_count:
            return None
        if not self.library.has("libCZI_TryGetSubBlockInfoForIndex"):
            with self.read_sub_block(index) as sub_block:
                return sub_block.info()
        info = self.library.ffi.new("struct SubBlockInfoInterop *")
        self._call(
            "libCZI_TryGetSubBlockInfoForIndex", index, info, what=f"describe sub-block {index}"
        )
        return _unpack_sub_block_info(info)

    def read_sub_block(self, index: int) -> FullSubBlock:
        """Read a sub-block; it outlives the reader."""
        sub_block: FullSubBlock = _taken_over(super().read_sub_block(index), FullSubBlock)
        sub_block.index = index
        return sub_block

    def attachment_count(self) -> int:
        """Return how many attachments the document has."""
        count = self.library.ffi.new("int32_t *")
        self._call("libCZI_ReaderGetAttachmentCount", count, what="count the attachments")
        return int(count[0])

    def attachment_info(self, index: int) -> AttachmentInfo:
        """Return an attachment's entry in the directory; IndexError where there is none."""
        _check_index(index, self.attachment_count(), "attachment", self.name)
        info = self.library.ffi.new("struct AttachmentInfoInterop *")
        what = f"describe attachment {index}"
        self._call("libCZI_ReaderGetAttachmentInfoFromDirectory", index, info, what=what)
        return _unpack_attachment_info(self.library, info)

    def read_attachment(self, index: int) -> AttachmentHandle:
        """Read an attachment; it outlives the reader. IndexError where there is none."""
        _check_index(index, self.attachment_count(), "attachment", self.name)
        what = f"read attachment {index}"
        raw = self._create("libCZI_ReaderReadAttachment", index, what=what)
        return AttachmentHandle(self.library, raw, self.name)

    def metadata_segment(self) -> FullMetadata:
        """Read the document's XML; NativeCallError where there is none."""
        return _taken_over(super().metadata_segment(), FullMetadata)

    def tile_accessor(self) -> TileAccessorHandle:
        """Make an accessor, which composes planes the way libCZI does.

        The file stays open until the accessor, too, is closed.
        """
        raw = self._create("libCZI_CreateSingleChannelTileAccessor", what="make a tile accessor")
        accessor = TileAccessorHandle(self.library, raw, self.name)
        accessor.reader = self  # alive as long as this
        return accessor

    def _read_pyramid_statistics(self) -> dict[int | None, list[PyramidLayer]]:
        out = self.library.ffi.new("char **")
        self._call("libCZI_ReaderGetPyramidStatistics", out, what="read the pyramid's statistics")
        scenes = json.loads(self.library.take_text(out[0]))["scenePyramidStatistics"]
        return {
            None if int(scene) == _NO_SCENE else int(scene): [
                PyramidLayer(
                    layer["layerInfo"]["minificationFactor"],
                    layer["layerInfo"]["pyramidLayerNo"],
                    layer["count"],
                )
                for layer in layers
            ]
            for scene, layers in scenes.items()
        }


class FullSubBlock(SubBlockHandle):
    """A sub-block with what libCZI tells of it."""

    index: int

    def info(self) -> SubBlockInfo:
        """Return the sub-block's description."""
        info = self.library.ffi.new("struct SubBlockInfoInterop *")
        what = f"describe sub-block {self.index}"
        self._call("libCZI_SubBlockGetInfo", info, what=what)
        return _unpack_sub_block_info(info)

    def raw_data(self, kind: str = "data") -> bytes:
        """Return the ``"data"`` (pixels as stored, compressed or not) or the ``"metadata"`` (XML).

        The C API does not give attachments of sub-blocks.
        """
        if kind not in _KINDS:
            raise ValueError(f"{kind!r} is no kind of data of a sub-block: use {list(_KINDS)}")
        what = f"get the {kind} of sub-block {self.index}"
        return _fetch_bytes(
            self.library.ffi,
            lambda size, target: self._call(
                "libCZI_SubBlockGetRawData", _KINDS[kind], size, target, what=what
            ),
        )


class FullMetadata(MetadataSegmentHandle):
    """The metadata segment."""

    def document_info(self) -> FullDocumentInfo:
        """Let libCZI parse the XML; NativeCallError where it is damaged."""
        return _taken_over(super().document_info(), FullDocumentInfo)


class FullDocumentInfo(DocumentInfoHandle):
    """All that libCZI reads from the XML."""

    def general(self) -> dict[str, Any]:
        """Return title, user_name, creation_date_time and so on, those that the XML has."""
        return self._json("libCZI_CziDocumentInfoGetGeneralDocumentInfo") or {}

    def scaling(self) -> ScalingInfo:
        """Return the size of a pixel in metres."""
        info = self.library.ffi.new("struct ScalingInfoInterop *")
        self._call("libCZI_CziDocumentInfoGetScalingInfo", info, what="get the scaling")
        values = (info.scale_x, info.scale_y, info.scale_z)
        return ScalingInfo(*(None if math.isnan(value) else value for value in values))

    def available_dimensions(self) -> list[str]:
        """Return the dimensions that the XML gives an extent for."""
        room = len(DIMENSIONS) + 1
        found = self.library.ffi.new("uint32_t[]", room)
        function = "libCZI_CziDocumentInfoGetAvailableDimension"
        self._call(function, room, found, what="list the dimensions")
        numbers = set(found)
        return [letter for letter in DIMENSIONS if DIMENSION_INDEX[letter] in numbers]

    def dimension_info(self, dimension: str) -> dict[str, Any] | None:
        """Return what the XML tells of Z, C or T; None where it tells nothing.

        Raises
        ------
        ValueError
            For another dimension: libCZI describes none.
        """
        if dimension not in _DESCRIBED:
            raise ValueError(f"libCZI describes the dimensions Z, C and T, not {dimension!r}")
        try:
            return self._json("libCZI_CziDocumentInfoGetDimensionInfo", DIMENSION_INDEX[dimension])
        except NativeCallError as error:
            if error.status == Status.INVALID_ARGUMENT:  # its way to say that there is nothing
                return None
            raise

    def _json(self, function: str, *args: Any) -> dict[str, Any] | None:
        out = self.library.ffi.new("void **")
        self._call(function, *args, out, what="describe the document")
        text = self.library.take_text(out[0])
        if not text:
            return None
        try:
            values: dict[str, Any] = json.loads(text)
        except ValueError as error:
            raise CorruptFileError(
                f"libCZI's description of {self.name} is no valid JSON; the XML has odd values"
            ) from error
        return values


class AttachmentHandle(Handle):
    """An attachment in memory."""

    _release = "libCZI_ReleaseAttachment"
    _kind = "attachment"

    def info(self) -> AttachmentInfo:
        """Return the attachment's description."""
        info = self.library.ffi.new("struct AttachmentInfoInterop *")
        self._call("libCZI_AttachmentGetInfo", info, what="describe an attachment")
        return _unpack_attachment_info(self.library, info)

    def raw_data(self) -> bytes:
        """Return the attachment's bytes."""
        return _fetch_bytes(
            self.library.ffi,
            lambda size, target: self._call(
                "libCZI_AttachmentGetRawData", size, target, what="get the data of an attachment"
            ),
        )


class AccessorOptions(NamedTuple):
    """The options of a composition.

    Attributes
    ----------
    background
        Red, green, blue as fractions of the pixel type's range.
    sort_by_m
        Whether the highest M-index is on top; else the order is libCZI's own.
    visibility_check
        Whether tiles that others hide are left out.
    mask_aware
        Whether the masks of sub-blocks are heeded; needs libCZI 0.67.0.
    """

    background: tuple[float, float, float] = (0.0, 0.0, 0.0)
    sort_by_m: bool = True
    visibility_check: bool = True
    mask_aware: bool = False


_DEFAULT = AccessorOptions()


class TileAccessorHandle(Handle):
    """A scaling tile accessor of a reader."""

    _release = "libCZI_ReleaseCreateSingleChannelTileAccessor"
    _kind = "tile accessor"

    reader: FullReader

    def calc_size(self, roi: Rectangle, zoom: float) -> Size:
        """Return the size in pixels of what `get` would give."""
        ffi = self.library.ffi
        size = ffi.new("struct IntSizeInterop *")
        function = "libCZI_SingleChannelTileAccessorCalcSize"
        area, factor = self._area(roi, zoom)
        self._call(function, area, factor, size, what="calculate the size of a plane")
        return Size(size.w, size.h)

    def get(
        self,
        coordinate: Mapping[str, int],
        roi: Rectangle,
        zoom: float = 1.0,
        options: AccessorOptions = _DEFAULT,
    ) -> BitmapHandle:
        """Compose a plane.

        Parameters
        ----------
        coordinate
            The plane, by dimension letter, as libCZI wants it: every dimension that the document
            has more than one of, C whenever it has C at all, never S.
        roi
            The area, in pixels of the whole picture.
        zoom
            The output size as a fraction of the area's.

        Raises
        ------
        ValueError
            For an empty or too large area, a zoom that is not positive, a background that is
            no number, an unknown dimension.
        NativeCallError
            When libCZI refuses, for example another plane than the document has.
        """
        area, factor = self._area(roi, zoom)
        packed = self.library.ffi.new("struct CoordinateInterop *", pack_coordinate(coordinate))
        native, keep = self._options(options)
        function = "libCZI_SingleChannelTileAccessorGet"
        raw = self._create(function, packed, area, factor, native, what="compose a plane")
        del keep
        return BitmapHandle(self.library, raw, self.name)

    def _area(self, roi: Rectangle, zoom: float) -> tuple[Any, float]:
        if roi.is_empty:
            raise ValueError(f"the area {tuple(roi)} is empty")
        if not (0 < zoom < math.inf):
            raise ValueError(f"zoom is {zoom}; it must be a positive number")
        return _pack_rectangle(self.library.ffi, roi), float(zoom)

    def _options(self, options: AccessorOptions) -> tuple[Any, Any]:
        ffi = self.library.ffi
        if not all(map(math.isfinite, options.background)):
            raise ValueError(f"the background {options.background} is not made of numbers")
        native = ffi.new("struct AccessorOptionsInterop *")
        red, green, blue = options.background
        native.back_ground_color_r = red
        native.back_ground_color_g = green
        native.back_ground_color_b = blue
        native.sort_by_m = options.sort_by_m
        native.use_visibility_check_optimization = options.visibility_check
        text = ffi.NULL
        if options.mask_aware:
            _require_version(self.library, _MASK_AWARE_VERSION, "mask-aware composition")
            text = ffi.new("char[]", json.dumps({"mask_aware": True}).encode())
        native.additional_parameters = text
        return native, text


def _check_index(index: int, count: int, what: str, file: str) -> None:
    if not 0 <= index < count:
        there_are = f"0 to {count - 1}" if count else "none"
        raise IndexError(f"{file} has no {what} {index}; there are {there_are}")


def _fetch_bytes(ffi: Any, call: Callable[[Any, Any], None]) -> bytes:
    """Return what a C function copies.

    Parameters
    ----------
    call
        Calls the function with a ``uint64_t *`` (in: room, out: bytes there are) and a target,
        which may be NULL.
    """
    size = ffi.new("uint64_t *", 0)
    call(size, ffi.NULL)
    there = int(size[0])
    if there == 0:
        return b""
    buffer = bytearray(there)
    call(size, ffi.from_buffer(buffer))
    return bytes(buffer)


def _unpack_rectangle(raw: Any) -> Rectangle:
    """Read a struct IntRectInterop."""
    return Rectangle(raw.x, raw.y, raw.w, raw.h)


def _pack_rectangle(ffi: Any, rectangle: Rectangle) -> Any:
    """Make a struct IntRectInterop; ValueError for what does not fit."""
    return ffi.new(
        "struct IntRectInterop *", [check_int32(value, "a rectangle's side") for value in rectangle]
    )


def _unpack_coordinate(raw: Any) -> dict[str, int]:
    """Read a struct CoordinateInterop."""
    return dict(zip(_letters(raw.dimensions_valid), raw.value))


def _unpack_statistics(raw: Any, scenes: dict[int, SceneBoxes] | None = None) -> Statistics:
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


def _unpack_scenes(raw: Any) -> dict[int, SceneBoxes]:
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


def _unpack_sub_block_info(raw: Any) -> SubBlockInfo:
    """Read a struct SubBlockInfoInterop."""
    return SubBlockInfo(
        raw.compression_mode_raw,
        raw.pixel_type,
        _unpack_coordinate(raw.coordinate),
        _unpack_rectangle(raw.logical_rect),
        Size(raw.physical_size.w, raw.physical_size.h),
        None if raw.m_index == ABSENT else raw.m_index,
    )


def _unpack_attachment_info(library: Any, raw: Any) -> AttachmentInfo:
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
    return _unpack_rectangle(raw) if raw.w >= 0 and raw.h >= 0 else _NO_BOX


def _letters(bits: int) -> list[str]:
    """Return the dimensions whose bit is set; values are packed in the same order."""
    return [letter for i, letter in enumerate(DIMENSIONS) if bits >> i & 1]


def fetch_bytes(ffi: Any, call: Callable[[Any, Any], None]) -> bytes:
    """Return what a C function copies.

    Parameters
    ----------
    call
        Calls the function with a ``uint64_t *`` (in: room, out: bytes there are) and a target,
        which may be NULL.
    """
    size = ffi.new("uint64_t *", 0)
    call(size, ffi.NULL)
    there = int(size[0])
    if there == 0:
        return b""
    buffer = bytearray(there)
    call(size, ffi.from_buffer(buffer))
    return bytes(buffer)


def _require_version(library: Library, needed: Version, what: str) -> None:
    """Raise IncompatibleLibraryError if the library is too old for `what`."""
    if library.version < needed:
        raise IncompatibleLibraryError(
            f"{what} needs libCZI {format_version(needed)} or later; {library.path} is libCZI "
            f"{format_version(library.version)}"
        )


def _taken_over(handle: Any, kind: Any) -> Any:
    """Return the handle as one of a subclass with more methods."""
    handle.__class__ = kind
    return handle


def class_stream(
    class_name: str, identifier: str, properties: dict[str, Any] | None = None
) -> InputStream:
    """Open a stream of one of the classes that `library_info` lists.

    Parameters
    ----------
    class_name
        For example ``"curl_http_inputstream"``.
    identifier
        The path or URL.
    properties
        The class's own settings by name.
    """
    library = get_library()
    text = json.dumps(properties) if properties else ""
    raw = create_stream(
        library,
        "libCZI_CreateInputStream",
        class_name.encode(),
        text.encode(),
        identifier.encode(),
        file=identifier,
    )
    return InputStream(library, raw, identifier)


def file_output(path: Any) -> OutputStream:
    """Let libCZI create a local file; one that is there is emptied at once."""
    library = get_library()
    function = "libCZI_CreateOutputStreamForFileUTF8"
    raw = create_stream(library, function, native_path(path), True, file=str(path))
    return OutputStream(library, raw, str(path))


def copied_pixels(bitmap: BitmapHandle) -> NDArray[Any]:
    """Return the pixels as libCZI's function copies them, an array (height, width, samples)."""
    info = bitmap.info()
    layout = libczi_format(info.pixel_type)
    array = np.empty((info.height, info.width, layout.samples), layout.dtype)
    target = bitmap.library.ffi.cast("void *", array.__array_interface__["data"][0])
    stride = info.width * layout.bytes_per_pixel
    bitmap._call("libCZI_BitmapCopyTo", *info, stride, target, what="copy a bitmap")
    return array
