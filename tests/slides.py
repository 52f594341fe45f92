"""A whole slide for tests: two scenes apart, colours, a pyramid, a label."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from files.block import Block
from files.builder import AttachmentSpec, write_czi
from files.layouts import pyramid_tiles
from files.patterns import noise
from files.xml import document_xml
from numpy.typing import NDArray

from czictypes.model.pixel_types import PixelType

__all__ = ["SCENES", "slide_blocks", "write_slide"]

#: x, y, width and height of each scene.
SCENES = ((-50, -30, 300, 200), (398, 98, 160, 220))


def slide_blocks(kind: PixelType = PixelType.Bgr24, channels: int = 1) -> list[Block]:
    """Return the tiles of the slide, three levels of each scene and channel."""
    blocks: list[Block] = []
    for scene, (x, y, width, height) in enumerate(SCENES):
        for channel in range(channels):
            picture = noise(kind, height, width, 1000 + 7 * channel + scene)
            plane = {"C": channel, "S": scene}
            blocks += pyramid_tiles(picture, x, y, plane, tile=64, levels=3)
    return blocks


def write_slide(path: Path, pictures: Mapping[str, NDArray[Any]] | None = None) -> Path:
    """Write the slide with pictures by their names, CZIs in the CZI as ZEN has them.

    By default that is a red label. OpenSlide opens no CZI without attachments.
    """
    red = np.full((20, 30, 3), (30, 10, 250), "u1")
    attached = [
        AttachmentSpec(name, "CZI", write_czi(path.with_suffix(".tmp"), [Block(one)]).read_bytes())
        for name, one in (pictures or {"Label": red}).items()
    ]
    objective = '<Objectives><Objective Id="Objective:1"><NominalMagnification>20'
    objective += "</NominalMagnification></Objective></Objectives>"
    return write_czi(
        path,
        slide_blocks(),
        metadata=document_xml(
            channels=["TL"],
            scaling={"X": 2.5e-7, "Y": 2.5e-7},
            image="<SizeX>608</SizeX><SizeY>348</SizeY><SizeS>2</SizeS>",
        ).replace(b"<Information>", f"<Information><Instrument>{objective}</Instrument>".encode()),
        attachments=attached,
    )
