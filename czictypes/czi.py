"""The API of pylibCZIrw: read, create and edit CZI files.

``from czictypes import czi`` takes the place of ``from pylibCZIrw import czi``.

What is asked for is imported then: ``import czictypes.czi`` takes no longer than Python itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from czictypes.model.lazy import load_export

if TYPE_CHECKING:
    from czictypes.checking.check import check
    from czictypes.checking.file_view import CheckReport, Finding
    from czictypes.container.salvaged_tiles import LostPart, LostTile
    from czictypes.metadata.annotations import Annotation
    from czictypes.metadata.channels import ChannelInfo, WavelengthRange
    from czictypes.metadata.document_content import DocumentContent
    from czictypes.metadata.document_info import (
        Axis,
        GeneralDocumentInfoDto,
        Objective,
        Scaling,
        ScalingInfoDto,
        Skew,
    )
    from czictypes.metadata.records import Event
    from czictypes.metadata.scenes import SceneInfo, Well
    from czictypes.model.geometry import Color, Location, Rectangle
    from czictypes.model.options import (
        CacheInfo,
        CacheOptions,
        CacheType,
        ChannelDisplaySettingsDataClass,
        ChannelDisplaySettingsDataClassWithNameAndDescription,
        ReaderFileInputTypes,
        ReaderOptions,
        RemoteOptions,
        Rgb8Color,
        TintingMode,
    )
    from czictypes.reading.reader import CziReader, open_czi
    from czictypes.writing.array_tiles import TileInfo
    from czictypes.writing.copying.anonymized import KeptPart, RemovedPart
    from czictypes.writing.copying.copy import CopyReport, copy
    from czictypes.writing.editor import CziEditor, CziMetadataBuilder, edit_czi
    from czictypes.writing.imwrite import imwrite
    from czictypes.writing.pyramid.add import add_pyramid
    from czictypes.writing.pyramid.tile_plan import PyramidOptions
    from czictypes.writing.repair import RepairReport, repair
    from czictypes.writing.writer import CziWriter, create_czi

__all__ = [
    "Annotation",
    "Axis",
    "CacheInfo",
    "CacheOptions",
    "CacheType",
    "ChannelDisplaySettingsDataClass",
    "ChannelDisplaySettingsDataClassWithNameAndDescription",
    "ChannelInfo",
    "CheckReport",
    "Color",
    "CopyReport",
    "CziEditor",
    "CziMetadataBuilder",
    "CziReader",
    "CziWriter",
    "DocumentContent",
    "Event",
    "Finding",
    "GeneralDocumentInfoDto",
    "KeptPart",
    "Location",
    "LostPart",
    "LostTile",
    "Objective",
    "PyramidOptions",
    "ReaderFileInputTypes",
    "ReaderOptions",
    "Rectangle",
    "RemoteOptions",
    "RemovedPart",
    "RepairReport",
    "Rgb8Color",
    "Scaling",
    "ScalingInfoDto",
    "SceneInfo",
    "Skew",
    "TileInfo",
    "TintingMode",
    "WavelengthRange",
    "Well",
    "add_pyramid",
    "check",
    "copy",
    "create_czi",
    "edit_czi",
    "imwrite",
    "open_czi",
    "repair",
]

# module -> the public names that come from it, as above
_NAMES = {
    "czictypes.checking.check": ("check",),
    "czictypes.checking.file_view": ("CheckReport", "Finding"),
    "czictypes.container.salvaged_tiles": ("LostPart", "LostTile"),
    "czictypes.metadata.annotations": ("Annotation",),
    "czictypes.metadata.channels": ("ChannelInfo", "WavelengthRange"),
    "czictypes.metadata.document_content": ("DocumentContent",),
    "czictypes.metadata.document_info": (
        "Axis",
        "GeneralDocumentInfoDto",
        "Objective",
        "Scaling",
        "ScalingInfoDto",
        "Skew",
    ),
    "czictypes.metadata.records": ("Event",),
    "czictypes.metadata.scenes": ("SceneInfo", "Well"),
    "czictypes.model.geometry": ("Color", "Location", "Rectangle"),
    "czictypes.model.options": (
        "CacheInfo",
        "CacheOptions",
        "CacheType",
        "ChannelDisplaySettingsDataClass",
        "ChannelDisplaySettingsDataClassWithNameAndDescription",
        "ReaderFileInputTypes",
        "ReaderOptions",
        "RemoteOptions",
        "Rgb8Color",
        "TintingMode",
    ),
    "czictypes.reading.reader": ("CziReader", "open_czi"),
    "czictypes.writing.array_tiles": ("TileInfo",),
    "czictypes.writing.copying.anonymized": ("KeptPart", "RemovedPart"),
    "czictypes.writing.copying.copy": ("CopyReport", "copy"),
    "czictypes.writing.editor": ("CziEditor", "CziMetadataBuilder", "edit_czi"),
    "czictypes.writing.imwrite": ("imwrite",),
    "czictypes.writing.pyramid.add": ("add_pyramid",),
    "czictypes.writing.pyramid.tile_plan": ("PyramidOptions",),
    "czictypes.writing.repair": ("RepairReport", "repair"),
    "czictypes.writing.writer": ("CziWriter", "create_czi"),
}
_EXPORTS = {name: (module, name) for module, names in _NAMES.items() for name in names}

# hidden from type checkers, which would take it to mean that every name exists
if not TYPE_CHECKING:

    def __getattr__(name):
        return load_export(globals(), _EXPORTS, name)

    def __dir__():
        return sorted(set(globals()) | set(_EXPORTS))
