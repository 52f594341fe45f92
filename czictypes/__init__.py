"""czictypes: ZEISS CZI microscopy images through libCZI's C API, on every Python.

Every public name is here; ``from czictypes import czi`` gives those that pylibCZIrw's API has, and
more of its kind. Importing the package loads neither libCZI nor any other package; what is used is
imported when it is asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from czictypes import czi as czi
    from czictypes import errors as errors
    from czictypes.czi import (
        Annotation,
        Axis,
        CacheInfo,
        CacheOptions,
        CacheType,
        ChannelDisplaySettingsDataClass,
        ChannelDisplaySettingsDataClassWithNameAndDescription,
        ChannelInfo,
        CheckReport,
        Color,
        CopyReport,
        CziEditor,
        CziMetadataBuilder,
        CziReader,
        CziWriter,
        DocumentContent,
        Event,
        Finding,
        GeneralDocumentInfoDto,
        KeptPart,
        Location,
        LostPart,
        LostTile,
        Objective,
        PyramidOptions,
        ReaderFileInputTypes,
        ReaderOptions,
        Rectangle,
        RemoteOptions,
        RemovedPart,
        RepairReport,
        Rgb8Color,
        Scaling,
        ScalingInfoDto,
        SceneInfo,
        Skew,
        TileInfo,
        TintingMode,
        WavelengthRange,
        Well,
        add_pyramid,
        check,
        copy,
        create_czi,
        edit_czi,
        imwrite,
        open_czi,
        repair,
    )
    from czictypes.exchange.convert import convert as convert
    from czictypes.exchange.images import CziImage as CziImage
    from czictypes.exchange.images import Image as Image
    from czictypes.exchange.montage import write_montage as write_montage
    from czictypes.exchange.movie import write_movie as write_movie
    from czictypes.exchange.ome_zarr.ngff_objects import from_hcs_zarr as from_hcs_zarr
    from czictypes.exchange.ome_zarr.ngff_objects import from_ngff_zarr as from_ngff_zarr
    from czictypes.exchange.ome_zarr.ngff_objects import to_multiscales as to_multiscales
    from czictypes.exchange.ome_zarr.ngff_objects import to_ngff_image as to_ngff_image
    from czictypes.exchange.ome_zarr.ngff_objects import to_ngff_zarr as to_ngff_zarr
    from czictypes.exchange.ome_zarr.read_zarr import from_ome_zarr as from_ome_zarr
    from czictypes.exchange.ome_zarr.write_zarr import write_ome_zarr as write_ome_zarr
    from czictypes.exchange.open import imread as imread
    from czictypes.exchange.open import open_image as open_image
    from czictypes.exchange.save import save as save
    from czictypes.libczi.info import LibraryInfo as LibraryInfo
    from czictypes.libczi.info import library_info as library_info
    from czictypes.libczi.library import use_library as use_library
    from czictypes.model.version import __version__ as __version__
    from czictypes.plugins.deepzoom import DeepZoomTiles as DeepZoomTiles
    from czictypes.plugins.deepzoom import write_deepzoom as write_deepzoom
    from czictypes.plugins.slide import CziSlide as CziSlide
    from czictypes.plugins.zarr import ZarrServer as ZarrServer
    from czictypes.plugins.zarr import aszarr as aszarr

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
    "CziImage",
    "CziMetadataBuilder",
    "CziReader",
    "CziSlide",
    "CziWriter",
    "DeepZoomTiles",
    "DocumentContent",
    "Event",
    "Finding",
    "GeneralDocumentInfoDto",
    "Image",
    "KeptPart",
    "LibraryInfo",
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
    "ZarrServer",
    "__version__",
    "add_pyramid",
    "aszarr",
    "check",
    "convert",
    "copy",
    "create_czi",
    "czi",
    "edit_czi",
    "errors",
    "from_hcs_zarr",
    "from_ngff_zarr",
    "from_ome_zarr",
    "imread",
    "imwrite",
    "library_info",
    "open_czi",
    "open_image",
    "repair",
    "save",
    "to_multiscales",
    "to_ngff_image",
    "to_ngff_zarr",
    "use_library",
    "write_deepzoom",
    "write_montage",
    "write_movie",
    "write_ome_zarr",
]

# public name -> module, and the name in it (none: the module itself)
_EXPORTS = {
    "CziImage": ("czictypes.exchange.images", "CziImage"),
    "CziSlide": ("czictypes.plugins.slide", "CziSlide"),
    "DeepZoomTiles": ("czictypes.plugins.deepzoom", "DeepZoomTiles"),
    "Image": ("czictypes.exchange.images", "Image"),
    "LibraryInfo": ("czictypes.libczi.info", "LibraryInfo"),
    "ZarrServer": ("czictypes.plugins.zarr", "ZarrServer"),
    "__version__": ("czictypes.model.version", "__version__"),
    "aszarr": ("czictypes.plugins.zarr", "aszarr"),
    "convert": ("czictypes.exchange.convert", "convert"),
    "czi": ("czictypes.czi", None),
    "errors": ("czictypes.errors", None),
    "from_ome_zarr": ("czictypes.exchange.ome_zarr.read_zarr", "from_ome_zarr"),
    "imread": ("czictypes.exchange.open", "imread"),
    "library_info": ("czictypes.libczi.info", "library_info"),
    "open_image": ("czictypes.exchange.open", "open_image"),
    "save": ("czictypes.exchange.save", "save"),
    "from_hcs_zarr": ("czictypes.exchange.ome_zarr.ngff_objects", "from_hcs_zarr"),
    "from_ngff_zarr": ("czictypes.exchange.ome_zarr.ngff_objects", "from_ngff_zarr"),
    "to_ngff_zarr": ("czictypes.exchange.ome_zarr.ngff_objects", "to_ngff_zarr"),
    "to_multiscales": ("czictypes.exchange.ome_zarr.ngff_objects", "to_multiscales"),
    "to_ngff_image": ("czictypes.exchange.ome_zarr.ngff_objects", "to_ngff_image"),
    "use_library": ("czictypes.libczi.library", "use_library"),
    "write_deepzoom": ("czictypes.plugins.deepzoom", "write_deepzoom"),
    "write_montage": ("czictypes.exchange.montage", "write_montage"),
    "write_movie": ("czictypes.exchange.movie", "write_movie"),
    "write_ome_zarr": ("czictypes.exchange.ome_zarr.write_zarr", "write_ome_zarr"),
}

# and the names of czictypes.czi
_EXPORTS.update({name: ("czictypes.czi", name) for name in __all__ if name not in _EXPORTS})

# hidden from type checkers, which would take it to mean that every name exists
if not TYPE_CHECKING:

    def __getattr__(name):
        from czictypes.model.lazy import load_export

        return load_export(globals(), _EXPORTS, name)

    def __dir__():
        return sorted(set(globals()) | set(_EXPORTS))
