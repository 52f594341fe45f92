"""Writes a small Leica LIF, for the readers of other packages.

The layout is that of version 2: blocks that begin with 0x70, the first with the XML in UTF-16, the
others with the pixels of one image.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["write_lif"]

_DIMENSIONS = {"X": 1, "Y": 2, "Z": 3, "T": 4}


def write_lif(
    path: Path, images: Mapping[str, NDArray[Any]], names: list[str], micrometres: float
) -> None:
    """Write images of the axes T, C, Z, Y and X; `names` are those of the channels' colours."""
    elements, blocks = [], []
    for number, (name, pixels) in enumerate(images.items()):
        # in the file, the channels of a row lie one plane after the other
        stored = np.ascontiguousarray(pixels.transpose(0, 2, 1, 3, 4))
        elements.append(_element(name, f"MemBlock_{number}", pixels, names, micrometres))
        blocks.append(_memory(f"MemBlock_{number}", stored.tobytes()))
    xml = (
        '<LMSDataContainerHeader Version="2"><Element Name="project" Visibility="1">'
        '<Memory Size="0" MemoryBlockID="MemBlock_none"/><Children>'
        + "".join(elements)
        + "</Children></Element></LMSDataContainerHeader>"
    ).encode("utf-16-le")
    head = struct.pack("<iiBi", 0x70, len(xml) + 5, 0x2A, len(xml) // 2)
    path.write_bytes(head + xml + b"".join(blocks))


def _element(
    name: str, memory: str, pixels: NDArray[Any], names: list[str], micrometres: float
) -> str:
    t, c, z, y, x = pixels.shape
    item = pixels.itemsize
    plane = x * y * item
    steps = {"X": (x, item), "Y": (y, x * item), "Z": (z, plane * c), "T": (t, plane * c * z)}
    channels = "".join(
        f'<ChannelDescription DataType="0" ChannelTag="0" Resolution="{item * 8}" NameOfMeasured'
        f'Quantity="" Min="0" Max="1" Unit="" LUTName="{one}" IsLUTInverted="0" '
        f'BytesInc="{plane * at}" BitInc="0"/>'
        for at, one in enumerate(names)
    )
    dimensions = "".join(
        f'<DimensionDescription DimID="{_DIMENSIONS[axis]}" NumberOfElements="{size}" Origin="0" '
        f'Length="{(size - 1) * micrometres * 1e-6 if axis != "T" else size - 1}" '
        f'Unit="{"s" if axis == "T" else "m"}" BytesInc="{step}" BitInc="0"/>'
        for axis, (size, step) in steps.items()
    )
    return (
        f'<Element Name="{name}" Visibility="1"><Data><Image TextDescription=""><ImageDescription>'
        f"<Channels>{channels}</Channels><Dimensions>{dimensions}</Dimensions></ImageDescription>"
        f'</Image></Data><Memory Size="{pixels.nbytes}" MemoryBlockID="{memory}"/></Element>'
    )


def _memory(name: str, data: bytes) -> bytes:
    text = name.encode("utf-16-le")
    size = 1 + 8 + 1 + 4 + len(text)
    head = struct.pack("<iiBqBi", 0x70, size, 0x2A, len(data), 0x2A, len(text) // 2)
    return head + text + data
