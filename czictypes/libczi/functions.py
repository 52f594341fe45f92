"""The table of all functions of libCZI's C API.

The prototypes are in ``native/libczi_c_api/libczi_c_api.h``. A test checks that both list the same
functions, and that each function is either called somewhere or left out here with a reason.
"""

from __future__ import annotations

from typing import NamedTuple

Version = tuple[int, int, int]

#: The first libCZI with the C API.
FIRST_VERSION: Version = (0, 65, 0)


class Function(NamedTuple):
    """A function of the C API.

    Attributes
    ----------
    since
        The first libCZI version with the function; it is optional if later than `FIRST_VERSION`.
    left_out
        The reason why czictypes does not call it; empty if it does.
    """

    name: str
    since: Version = FIRST_VERSION
    left_out: str = ""

    @property
    def optional(self) -> bool:
        """Whether a library without the function can be used."""
        return self.since > FIRST_VERSION or bool(self.left_out)


_WIDE = "the variant for byte paths opens every file, on Windows by UTF-8"

_TABLE = (
    Function("libCZI_Free"),
    Function("libCZI_AllocateMemory", since=(0, 65, 1)),
    Function("libCZI_GetLibCZIVersionInfo"),
    Function("libCZI_GetLibCZIBuildInformation"),
    Function("libCZI_GetStreamClassesCount"),
    Function("libCZI_GetStreamClassInfo"),
    Function("libCZI_CreateInputStream"),
    Function("libCZI_CreateInputStreamFromFileWide", left_out=_WIDE),
    Function("libCZI_CreateInputStreamFromFileUTF8"),
    Function("libCZI_CreateInputStreamFromExternal"),
    Function("libCZI_ReleaseInputStream"),
    Function("libCZI_CreateOutputStreamForFileWide", left_out=_WIDE),
    Function("libCZI_CreateOutputStreamForFileUTF8"),
    Function("libCZI_CreateOutputStreamFromExternal"),
    Function("libCZI_ReleaseOutputStream"),
    Function("libCZI_CreateReader"),
    Function("libCZI_ReaderOpen"),
    Function("libCZI_ReaderGetFileHeaderInfo"),
    Function("libCZI_ReaderReadSubBlock"),
    Function("libCZI_ReaderGetStatisticsSimple"),
    Function("libCZI_ReaderGetStatisticsEx"),
    Function("libCZI_ReaderGetPyramidStatistics"),
    Function("libCZI_ReaderGetMetadataSegment"),
    Function("libCZI_ReaderGetAttachmentCount"),
    Function("libCZI_ReaderGetAttachmentInfoFromDirectory"),
    Function("libCZI_ReaderReadAttachment"),
    Function("libCZI_TryGetSubBlockInfoForIndex", since=(0, 66, 0)),
    Function("libCZI_ReleaseReader"),
    Function("libCZI_SubBlockCreateBitmap"),
    Function("libCZI_SubBlockGetInfo"),
    Function("libCZI_SubBlockGetRawData"),
    Function("libCZI_ReleaseSubBlock"),
    Function("libCZI_AttachmentGetInfo"),
    Function("libCZI_AttachmentGetRawData"),
    Function("libCZI_ReleaseAttachment"),
    Function("libCZI_BitmapGetInfo"),
    Function("libCZI_BitmapLock"),
    Function("libCZI_BitmapUnlock"),
    Function("libCZI_BitmapCopyTo"),
    Function("libCZI_ReleaseBitmap"),
    Function("libCZI_MetadataSegmentGetMetadataAsXml"),
    Function("libCZI_MetadataSegmentGetCziDocumentInfo"),
    Function("libCZI_ReleaseMetadataSegment"),
    Function("libCZI_CziDocumentInfoGetGeneralDocumentInfo"),
    Function("libCZI_CziDocumentInfoGetScalingInfo"),
    Function("libCZI_CziDocumentInfoGetAvailableDimension"),
    Function("libCZI_CziDocumentInfoGetDisplaySettings"),
    Function("libCZI_CziDocumentInfoGetDimensionInfo"),
    Function("libCZI_ReleaseCziDocumentInfo"),
    Function("libCZI_DisplaySettingsGetChannelDisplaySettings"),
    Function("libCZI_ReleaseDisplaySettings"),
    Function("libCZI_ReleaseChannelDisplaySettings"),
    Function("libCZI_CreateSingleChannelTileAccessor"),
    Function("libCZI_SingleChannelTileAccessorCalcSize"),
    Function("libCZI_SingleChannelTileAccessorGet"),
    Function("libCZI_ReleaseCreateSingleChannelTileAccessor"),
    Function("libCZI_CompositorFillOutCompositionChannelInfoInterop"),
    Function("libCZI_CompositorDoMultiChannelComposition"),
    Function("libCZI_CreateWriter"),
    Function("libCZI_WriterCreate"),
    Function("libCZI_WriterAddSubBlock"),
    Function("libCZI_WriterAddAttachment"),
    Function("libCZI_WriterWriteMetadata"),
    Function("libCZI_WriterClose"),
    Function("libCZI_ReleaseWriter"),
)

#: The table by function name.
FUNCTIONS: dict[str, Function] = {function.name: function for function in _TABLE}


def format_version(version: Version) -> str:
    """Return ``"0.67.4"`` for ``(0, 67, 4)``."""
    return ".".join(map(str, version))
