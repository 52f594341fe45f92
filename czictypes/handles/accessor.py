"""libCZI's own composition of planes; czictypes has another, this one is its oracle in tests."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from czictypes.abi.functions import MASK_AWARE_VERSION
from czictypes.handles.bitmap import BitmapHandle
from czictypes.handles.handle import Handle
from czictypes.handles.structs import pack_coordinate, pack_rectangle
from czictypes.model.geometry import Rectangle, Size

__all__ = ["AccessorOptions", "TileAccessorHandle"]


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
        return pack_rectangle(self.library.ffi, roi), float(zoom)

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
            self.library.require_version(MASK_AWARE_VERSION, "mask-aware composition")
            text = ffi.new("char[]", json.dumps({"mask_aware": True}).encode())
        native.additional_parameters = text
        return native, text
