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

#: L stands for the wavelength of a lambda scan.
_DIMENSIONS = {"X": 1, "Y": 2, "Z": 3, "T": 4, "L": 5, "M": 10}


def write_lif(
    path: Path,
    images: Mapping[str, NDArray[Any]],
    names: list[str],
    micrometres: float,
    axes: str = "TCZYX",
    more: str = "",
) -> None:
    """Write images; `names` are those of the channels' colours.

    `axes` are some of T, C, L, M, Z, Y, X, as the pixels have them; with C among them, there is a
    name for each channel. A name such as ``plate/A/1/R1`` puts the image into folders. `more` is
    XML that each image has beside its description.
    """
    elements, blocks = [], []
    for number, (name, pixels) in enumerate(images.items()):
        # in the file, the channels of a row lie one plane after the other
        order = sorted(axes, key="TLMZCYX".index)
        stored = np.ascontiguousarray(pixels.transpose([axes.index(axis) for axis in order]))
        steps = {
            axis: (size, step) for axis, size, step in zip(order, stored.shape, stored.strides)
        }
        channels = _channels(names, steps.pop("C", (1, 0))[1], pixels.itemsize)
        *folders, last = name.split("/")
        memory = f"MemBlock_{number}"
        element = _element(last, memory, stored.nbytes, channels, steps, micrometres, more)
        for folder in reversed(folders):
            element = (
                f'<Element Name="{folder}" Visibility="1"><Data/><Children>{element}</Children>'
                "</Element>"
            )
        elements.append(element)
        blocks.append(_memory(f"MemBlock_{number}", stored.tobytes()))
    xml = (
        '<LMSDataContainerHeader Version="2"><Element Name="project" Visibility="1">'
        '<Memory Size="0" MemoryBlockID="MemBlock_none"/><Children>'
        + "".join(elements)
        + "</Children></Element></LMSDataContainerHeader>"
    ).encode("utf-16-le")
    head = struct.pack("<iiBi", 0x70, len(xml) + 5, 0x2A, len(xml) // 2)
    path.write_bytes(head + xml + b"".join(blocks))


def _channels(names: list[str], step: int, itemsize: int) -> str:
    return "".join(
        f'<ChannelDescription DataType="0" ChannelTag="0" Resolution="{itemsize * 8}" '
        f'NameOfMeasuredQuantity="" Min="0" Max="1" Unit="" LUTName="{one}" IsLUTInverted="0" '
        f'BytesInc="{step * at}" BitInc="0"/>'
        for at, one in enumerate(names)
    )


def _element(
    name: str,
    memory: str,
    nbytes: int,
    channels: str,
    steps: Mapping[str, tuple[int, int]],
    micrometres: float,
    more: str,
) -> str:
    dimensions = "".join(
        f'<DimensionDescription DimID="{_DIMENSIONS[axis]}" NumberOfElements="{size}" Origin="0" '
        f'Length="{(size - 1) * micrometres * 1e-6 if axis != "T" else size - 1}" '
        f'Unit="{"s" if axis == "T" else "m"}" BytesInc="{step}" BitInc="0"/>'
        for axis, (size, step) in steps.items()
    )
    return (
        f'<Element Name="{name}" Visibility="1"><Data><Image TextDescription=""><ImageDescription>'
        f"<Channels>{channels}</Channels><Dimensions>{dimensions}</Dimensions></ImageDescription>{more}"
        f'</Image></Data><Memory Size="{nbytes}" MemoryBlockID="{memory}"/></Element>'
    )


def _memory(name: str, data: bytes) -> bytes:
    text = name.encode("utf-16-le")
    size = 1 + 8 + 1 + 4 + len(text)
    head = struct.pack("<iiBqBi", 0x70, size, 0x2A, len(data), 0x2A, len(text) // 2)
    return head + text + data
