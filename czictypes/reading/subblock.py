"""One sub-block: its pixels, raw bytes, metadata, attachment and mask, each read when asked for."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from czictypes.metadata.subblock import SubBlockMetadata, read_subblock_metadata
from czictypes.metadata.xml import to_dict, to_text
from czictypes.model.defence import defended
from czictypes.model.lazy import cached_property
from czictypes.reading.decode import SubBlockDecoder
from czictypes.reading.enumeration import SubBlockInfo

__all__ = ["SubBlock"]

_Decoder = Callable[[], "AbstractContextManager[SubBlockDecoder]"]


@defended(lambda sub_block: sub_block._file)
class SubBlock:
    """A sub-block of an open document; reading from it needs the reader to stay open.

    Parameters
    ----------
    index
        Its position in the sub-block directory.
    info
        Its entry in the directory.
    planes
        The coordinate of each plane that it holds.
    decoder
        Gives access to the file for the length of a `with` block.
    file
        What to call the file in errors.
    """

    def __init__(
        self,
        index: int,
        info: SubBlockInfo,
        planes: list[dict[str, int]],
        decoder: _Decoder,
        file: str,
    ) -> None:
        self.index = index
        self.info = info
        #: The coordinate of each plane that it holds, S included: nearly always one. Line scans
        #: hold many, at consecutive places in T.
        self.planes = planes
        self._decoder = decoder
        self._file = file

    def __repr__(self) -> str:
        x, y, w, h = self.info.logicalRect
        plane = ", ".join(f"{name}={value}" for name, value in self.info.coordinate.items())
        return f"<SubBlock {self.index}: {w} x {h} at ({x}, {y}), {plane}>"

    def pixels(self) -> NDArray[np.generic]:
        """Return the bitmap as it is stored, unscaled, as (height, width, samples).

        A sub-block that holds several planes gives (planes, height, width, samples), in the order
        of `planes`. The dtype is that of the sub-block's pixel type; colour samples are in the
        order B, G, R.

        Raises
        ------
        CorruptFileError
            If the data cannot be decoded.
        UnsupportedDataError
            If czictypes does not decode the compression.
        """
        with self._decoder() as decoder:
            pixels = decoder.pixels(self.index)
        count = len(self.planes)
        if count == 1:
            return pixels
        return pixels.reshape(count, pixels.shape[0] // count, *pixels.shape[1:])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """Return `pixels()`, for ``numpy.asarray(sub_block)``."""
        pixels = self.pixels()
        return pixels if dtype is None else pixels.astype(dtype)

    @property
    def raw_data(self) -> bytes:
        """The pixel data as they stand in the file, compressed or not."""
        with self._decoder() as decoder:
            return decoder.data(self.index)

    @cached_property
    def raw_metadata(self) -> str:
        """The sub-block's XML; empty where it has none."""
        with self._decoder() as decoder:
            return to_text(decoder.metadata(self.index))

    @property
    def metadata(self) -> dict[str, Any]:
        """The sub-block's XML as nested dictionaries; empty where it has none."""
        return to_dict(self.raw_metadata) if self.raw_metadata else {}

    @cached_property
    def _described(self) -> SubBlockMetadata:
        return read_subblock_metadata(self.raw_metadata)

    @property
    def stage_position(self) -> tuple[float | None, float | None, float | None]:
        """The stage's x, y and the focus z in micrometres, None where not recorded."""
        described = self._described
        return described.stage_x, described.stage_y, described.focus_z

    @property
    def acquisition_time(self) -> datetime | None:
        """When the pixels were acquired, or None where that is not recorded."""
        return self._described.acquisition_time

    @property
    def tags(self) -> dict[str, str]:
        """Every tag of the sub-block's metadata by name."""
        return self._described.tags

    @property
    def attachment(self) -> bytes:
        """The sub-block's attachment; empty where it has none."""
        with self._decoder() as decoder:
            return decoder.attachment(self.index)

    @property
    def mask(self) -> NDArray[np.bool_] | None:
        """The mask of valid pixels, (height, width), or None if none is stored."""
        with self._decoder() as decoder:
            return decoder.mask(self.index)
