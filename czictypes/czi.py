"""The API of pylibCZIrw: read, create and edit CZI files.

``from czictypes import czi`` takes the place of ``from pylibCZIrw import czi``.
"""

from __future__ import annotations

from czictypes.metadata.axes import Axis
from czictypes.metadata.channels import ChannelInfo
from czictypes.metadata.content import DocumentContent
from czictypes.metadata.document import GeneralDocumentInfoDto, Objective
from czictypes.metadata.records import Event
from czictypes.metadata.scaling import ScalingInfoDto
from czictypes.metadata.scenes import SceneInfo, Well
from czictypes.model.display import (
    ChannelDisplaySettingsDataClass,
    ChannelDisplaySettingsDataClassWithNameAndDescription,
    Rgb8Color,
    TintingMode,
)
from czictypes.model.geometry import Color, Location, Rectangle
from czictypes.model.options import (
    CacheInfo,
    CacheOptions,
    CacheType,
    ReaderFileInputTypes,
    ReaderOptions,
)
from czictypes.reading.reader import CziReader, Source
from czictypes.writing.copy import CopyReport, copy
from czictypes.writing.create import create_czi
from czictypes.writing.editor import CziEditor, CziMetadataBuilder, edit_czi
from czictypes.writing.extras import TileInfo
from czictypes.writing.imwrite import imwrite
from czictypes.writing.pyramid_add import add_pyramid
from czictypes.writing.pyramid_options import PyramidOptions
from czictypes.writing.writer import CziWriter

__all__ = [
    "Axis",
    "CacheInfo",
    "CacheOptions",
    "CacheType",
    "ChannelDisplaySettingsDataClass",
    "ChannelDisplaySettingsDataClassWithNameAndDescription",
    "ChannelInfo",
    "Color",
    "CopyReport",
    "CziEditor",
    "CziMetadataBuilder",
    "CziReader",
    "CziWriter",
    "DocumentContent",
    "Event",
    "GeneralDocumentInfoDto",
    "Location",
    "Objective",
    "PyramidOptions",
    "ReaderFileInputTypes",
    "ReaderOptions",
    "Rectangle",
    "Rgb8Color",
    "ScalingInfoDto",
    "SceneInfo",
    "TileInfo",
    "TintingMode",
    "Well",
    "add_pyramid",
    "copy",
    "create_czi",
    "edit_czi",
    "imwrite",
    "open_czi",
]


def open_czi(
    filepath: Source,
    file_input_type: ReaderFileInputTypes = ReaderFileInputTypes.Standard,
    cache_options: CacheOptions | None = None,
    *,
    reader_options: ReaderOptions | None = None,
    threads: int | None = None,
) -> CziReader:
    """Open a CZI for reading.

    Use the result in a `with` block, or call its `close`. The parameters and errors are those
    of `CziReader`.

    Examples
    --------
    >>> with open_czi("image.czi") as document:  # doctest: +SKIP
    ...     pixels = document.read(plane={"C": 0})
    """
    return CziReader(filepath, file_input_type, cache_options, reader_options, threads=threads)
