"""A sub-block that was read."""

from __future__ import annotations

from czictypes.abi.library import Library
from czictypes.handles.bitmap import BitmapHandle
from czictypes.handles.handle import Handle
from czictypes.handles.raw import fetch_bytes
from czictypes.handles.structs import SubBlockInfo, unpack_sub_block_info

__all__ = ["SubBlockHandle"]

_KINDS = {"data": 0, "metadata": 1}


class SubBlockHandle(Handle):
    """A sub-block in memory, as it stands in the file."""

    _release = "libCZI_ReleaseSubBlock"
    _kind = "sub-block"

    def __init__(self, library: Library, raw: int, name: str, index: int) -> None:
        super().__init__(library, raw, name)
        self.index = index

    def info(self) -> SubBlockInfo:
        """Return the sub-block's description."""
        info = self.library.ffi.new("struct SubBlockInfoInterop *")
        what = f"describe sub-block {self.index}"
        self._call("libCZI_SubBlockGetInfo", info, what=what)
        return unpack_sub_block_info(info)

    def raw_data(self, kind: str = "data") -> bytes:
        """Return the ``"data"`` (pixels as stored, compressed or not) or the ``"metadata"`` (XML).

        The C API does not give attachments of sub-blocks.
        """
        if kind not in _KINDS:
            raise ValueError(f"{kind!r} is no kind of data of a sub-block: use {list(_KINDS)}")
        what = f"get the {kind} of sub-block {self.index}"
        return fetch_bytes(
            self.library.ffi,
            lambda size, target: self._call(
                "libCZI_SubBlockGetRawData", _KINDS[kind], size, target, what=what
            ),
        )

    def create_bitmap(self) -> BitmapHandle:
        """Decode the pixels; the bitmap outlives the sub-block.

        Raises
        ------
        NativeCallError
            When the data are damaged, or compressed in a way that libCZI does not decode.
        """
        what = f"decode sub-block {self.index}"
        raw = self._create("libCZI_SubBlockCreateBitmap", what=what)
        return BitmapHandle(self.library, raw, self.name)
