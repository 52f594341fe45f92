"""Small files whose metadata a test chooses, and the XML to put into them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from files.block import Block
from files.builder import AttachmentSpec, write_czi
from files.documents import time_stamps

__all__ = ["display_xml", "image_xml", "planes", "scaling_xml", "scenes_xml", "write_described"]


def write_described(
    folder: Path,
    inner: str = "",
    *,
    blocks: Sequence[Block] | None = None,
    stamps: Sequence[float] = (),
    xml: bytes | None = None,
    **sizes: Any,
) -> Path:
    """Write a CZI of a few planes; return its path.

    Parameters
    ----------
    folder
        Where to; the file has always the same name.
    inner
        The XML inside ``ImageDocument/Metadata``.
    blocks, sizes
        The sub-blocks, or what `planes` is to be told.
    stamps
        The time stamps that are attached.
    xml
        The whole XML, instead of `inner`.
    """
    document = f"<ImageDocument><Metadata>{inner}</Metadata></ImageDocument>".encode()
    return write_czi(
        folder / "described.czi",
        planes(**sizes) if blocks is None else blocks,
        metadata=document if xml is None else xml,
        attachments=[AttachmentSpec("TimeStamps", "CZTIMS", time_stamps(stamps))] if stamps else [],
    )


def planes(
    sizes: dict[str, int] | None = None,
    scenes: int | Sequence[int] = 0,
    dtype: str = "u2",
    metadata: Callable[[dict[str, int]], bytes] = lambda plane: b"",
) -> list[Block]:
    """Return a tile of 6 x 4 pixels for each plane, scenes side by side.

    `scenes` are their S indices, or how many there are; without any, the tiles have no S.
    """
    shape = sizes or {"C": 1}
    found = []
    scenes = range(scenes) if isinstance(scenes, int) else scenes
    for scene in scenes or [0]:
        for place in np.ndindex(*shape.values()):
            plane = dict(zip(shape, place))
            if scenes:
                plane["S"] = scene
            pixels = np.zeros((4, 6), dtype)
            found.append(Block(pixels, 10 * scene, 0, plane, m=0, metadata=metadata(plane)))
    return found


def image_xml(channels: str = "", more: str = "", *, dimensions: str = "") -> str:
    """Return ``Information/Image`` with the content of its channels and other elements."""
    inside = f"<Channels>{channels}</Channels>" if channels else ""
    image = f"{more}<Dimensions>{inside}{dimensions}</Dimensions>"
    return f"<Information><Image>{image}</Image></Information>"


def scaling_xml(**metres: object) -> str:
    """Return ``Scaling`` with a distance for each axis."""
    items = "".join(
        f'<Distance Id="{axis}"><Value>{value}</Value></Distance>' for axis, value in metres.items()
    )
    return f"<Scaling><Items>{items}</Items></Scaling>"


def display_xml(*channels: str) -> str:
    """Return ``DisplaySetting`` with the content of each channel."""
    inside = "".join(
        f'<Channel Id="Channel:{index}">{content}</Channel>'
        for index, content in enumerate(channels)
    )
    return f"<DisplaySetting><Channels>{inside}</Channels></DisplaySetting>"


def scenes_xml(*scenes: str, indices: Sequence[object] | None = None) -> str:
    """Return the list of scenes P1, P2..., for `image_xml`'s dimensions.

    `indices` are theirs, by default 0, 1...; None for one without.
    """
    attributes = [
        "" if index is None else f'Index="{index}" '
        for index in (range(len(scenes)) if indices is None else indices)
    ]
    inside = "".join(
        f'<Scene {attribute}Name="P{at + 1}">{content}</Scene>'
        for at, (attribute, content) in enumerate(zip(attributes, scenes))
    )
    return f"<S><Scenes>{inside}</Scenes></S>"
