/*
 * The flat C API of libCZI (the shared library "libCZIAPI"), as czictypes calls it.
 *
 * Two readers: cffi (native/make_declarations.py), and abi_check.cpp, which includes this file
 * inside a namespace and compares every structure and signature with libCZI's own headers. So this
 * file has no preprocessor lines, and structures, members and functions bear libCZI's names.
 *
 * Layout: libCZI packs its structures to 4 bytes. cffi knows only a packing of 1, hence the members
 * called padding*; read them with "packed" (cffi) or #pragma pack(1) (C++).
 *
 * Calling convention: the platform's own. (32-bit Windows would need __stdcall, and decorated names;
 * it is not supported.)
 *
 * Ownership: an object handle is released once, by the release function of its kind. Memory that a
 * function hands out is given back with libCZI_Free. Strings are UTF-8 and end with a zero byte.
 *
 * First in libCZI 0.65.0, but for libCZI_AllocateMemory (0.65.1) and
 * libCZI_TryGetSubBlockInfoForIndex (0.66.0).
 */

/* ---- status codes and handles ------------------------------------------------------------- */

/* 0 (or less) is success. */
typedef int32_t LibCZIApiErrorCode;

enum czictypes_status {
    CZICTYPES_OK = 0,
    CZICTYPES_INVALID_ARGUMENT = 1,
    CZICTYPES_INVALID_HANDLE = 2,
    CZICTYPES_OUT_OF_MEMORY = 3,
    CZICTYPES_INDEX_OUT_OF_RANGE = 4,
    CZICTYPES_LOCK_UNLOCK_VIOLATED = 20,
    CZICTYPES_UNSPECIFIED = 50
};

/* 0 is no object. libCZI cannot tell a released handle from a live one. */
typedef intptr_t ObjectHandle;
typedef ObjectHandle CziReaderObjectHandle;
typedef ObjectHandle SubBlockObjectHandle;
typedef ObjectHandle InputStreamObjectHandle;
typedef ObjectHandle OutputStreamObjectHandle;
typedef ObjectHandle MemoryAllocationObjectHandle;
typedef ObjectHandle BitmapObjectHandle;
typedef ObjectHandle MetadataSegmentObjectHandle;
typedef ObjectHandle AttachmentObjectHandle;
typedef ObjectHandle CziWriterObjectHandle;
typedef ObjectHandle SingleChannelScalingTileAccessorObjectHandle;
typedef ObjectHandle CziDocumentInfoHandle;
typedef ObjectHandle DisplaySettingsHandle;
typedef ObjectHandle ChannelDisplaySettingsHandle;

/* ---- small values ------------------------------------------------------------------------- */

struct IntRectInterop {
    int32_t x;
    int32_t y;
    int32_t w;
    int32_t h;
};

struct IntSizeInterop {
    int32_t w;
    int32_t h;
};

/* Bit i of dimensions_valid stands for dimension i + 1 (Z C T R S I H V B); the arrays hold one
 * element for each bit that is set, without gaps. */
struct DimBoundsInterop {
    uint32_t dimensions_valid;
    int32_t start[9];
    int32_t size[9];
};

struct CoordinateInterop {
    uint32_t dimensions_valid;
    int32_t value[9];
};

struct BoundingBoxesInterop {
    int32_t sceneIndex;
    struct IntRectInterop bounding_box;
    struct IntRectInterop bounding_box_layer0_only;
};

/* ---- library ------------------------------------------------------------------------------ */

struct LibCZIVersionInfoInterop {
    int32_t major;
    int32_t minor;
    int32_t patch;
    int32_t tweak;
};

/* Each string is NULL or ours to free. */
struct LibCZIBuildInformationInterop {
    char *compilerIdentification;
    char *repositoryUrl;
    char *repositoryBranch;
    char *repositoryTag;
};

struct InputStreamClassInfoInterop {
    char *name;
    char *description;
};

/* ---- streams ------------------------------------------------------------------------------ */

/* error_message: 0, or text in memory from libCZI_AllocateMemory, which libCZI frees. */
struct ExternalStreamErrorInfoInterop {
    int32_t error_code;
    MemoryAllocationObjectHandle error_message;
};

/* Called from any thread, also concurrently, until close_function was called, which may be long
 * after the stream's handle was released. */
struct ExternalInputStreamStructInterop {
    uintptr_t opaque_handle1;
    uintptr_t opaque_handle2;
    int32_t (*read_function)(uintptr_t opaque_handle1, uintptr_t opaque_handle2, uint64_t offset,
                             void *target, uint64_t size, uint64_t *bytes_read,
                             struct ExternalStreamErrorInfoInterop *error);
    void (*close_function)(uintptr_t opaque_handle1, uintptr_t opaque_handle2);
};

struct ExternalOutputStreamStructInterop {
    uintptr_t opaque_handle1;
    uintptr_t opaque_handle2;
    int32_t (*write_function)(uintptr_t opaque_handle1, uintptr_t opaque_handle2, uint64_t offset,
                              const void *source, uint64_t size, uint64_t *bytes_written,
                              struct ExternalStreamErrorInfoInterop *error);
    void (*close_function)(uintptr_t opaque_handle1, uintptr_t opaque_handle2);
};

/* ---- reading ------------------------------------------------------------------------------ */

struct ReaderOpenInfoInterop {
    InputStreamObjectHandle streamObject;
};

/* guid as it lies in the file (little-endian fields). */
struct FileHeaderInfoInterop {
    uint8_t guid[16];
    int32_t majorVersion;
    int32_t minorVersion;
};

/* Without any M-index: min_m_index is INT32_MAX, max_m_index INT32_MIN. */
struct SubBlockStatisticsInterop {
    int32_t sub_block_count;
    int32_t min_m_index;
    int32_t max_m_index;
    struct IntRectInterop bounding_box;
    struct IntRectInterop bounding_box_layer0;
    struct DimBoundsInterop dim_bounds;
};

struct SubBlockStatisticsInteropEx {
    int32_t sub_block_count;
    int32_t min_m_index;
    int32_t max_m_index;
    struct IntRectInterop bounding_box;
    struct IntRectInterop bounding_box_layer0;
    struct DimBoundsInterop dim_bounds;
    int32_t number_of_per_scenes_bounding_boxes;
    struct BoundingBoxesInterop per_scenes_bounding_boxes[];
};

/* m_index is INT32_MIN where the sub-block has none. */
struct SubBlockInfoInterop {
    int32_t compression_mode_raw;
    int32_t pixel_type;
    struct CoordinateInterop coordinate;
    struct IntRectInterop logical_rect;
    struct IntSizeInterop physical_size;
    int32_t m_index;
};

/* With name_overflow, name is cut and name_in_case_of_overflow has all of it (ours to free). */
struct AttachmentInfoInterop {
    uint8_t guid[16];
    uint8_t content_file_type[9];
    char name[255];
    bool name_overflow;
    uint8_t padding1[3];
    void *name_in_case_of_overflow;
};

struct MetadataAsXmlInterop {
    void *data;
    uint64_t size;
};

/* Metres per pixel; NaN when the file does not tell. */
struct ScalingInfoInterop {
    double scale_x;
    double scale_y;
    double scale_z;
};

struct BitmapInfoInterop {
    uint32_t width;
    uint32_t height;
    int32_t pixelType;
};

/* The pixels are at ptrDataRoi; size counts bytes from there. */
struct BitmapLockInfoInterop {
    void *ptrData;
    void *ptrDataRoi;
    uint32_t stride;
    uint64_t size;
};

/* A NaN in the background leaves the bitmap uninitialised. additional_parameters: NULL or JSON. */
struct AccessorOptionsInterop {
    float back_ground_color_r;
    float back_ground_color_g;
    float back_ground_color_b;
    bool sort_by_m;
    bool use_visibility_check_optimization;
    uint8_t padding1[2];
    const char *additional_parameters;
};

/* With a look-up table (256 elements for 8 bits, 65536 for 16) the two points are not used. */
struct CompositionChannelInfoInterop {
    float weight;
    uint8_t enable_tinting;
    uint8_t tinting_color_r;
    uint8_t tinting_color_g;
    uint8_t tinting_color_b;
    float black_point;
    float white_point;
    int32_t look_up_table_element_count;
    const uint8_t *ptr_look_up_table;
};

/* ---- writing ------------------------------------------------------------------------------ */

struct AddSubBlockInfoInterop {
    struct CoordinateInterop coordinate;
    uint8_t m_index_valid;
    uint8_t padding1[3];
    int32_t m_index;
    int32_t x;
    int32_t y;
    int32_t logical_width;
    int32_t logical_height;
    int32_t physical_width;
    int32_t physical_height;
    int32_t pixel_type;
    int32_t compression_mode_raw;
    uint32_t size_data;
    const void *data;
    uint32_t stride;
    uint32_t size_metadata;
    const void *metadata;
    uint32_t size_attachment;
    const void *attachment;
};

struct AddAttachmentInfoInterop {
    uint8_t guid[16];
    uint8_t contentFileType[8];
    uint8_t name[80];
    uint32_t size_attachment_data;
    const void *attachment_data;
};

struct WriteMetadataInfoInterop {
    uint32_t size_metadata;
    const void *metadata;
};

/* ---- functions: library ------------------------------------------------------------------- */

void libCZI_Free(void *memory);
LibCZIApiErrorCode libCZI_AllocateMemory(uint64_t size, void **memory);
LibCZIApiErrorCode libCZI_GetLibCZIVersionInfo(struct LibCZIVersionInfoInterop *version);
LibCZIApiErrorCode libCZI_GetLibCZIBuildInformation(struct LibCZIBuildInformationInterop *build);

/* ---- functions: streams ------------------------------------------------------------------- */

LibCZIApiErrorCode libCZI_GetStreamClassesCount(int32_t *count);
LibCZIApiErrorCode libCZI_GetStreamClassInfo(int32_t index,
                                             struct InputStreamClassInfoInterop *stream_class);
LibCZIApiErrorCode libCZI_CreateInputStream(const char *class_name, const char *properties_json,
                                            const char *identifier,
                                            InputStreamObjectHandle *stream);
LibCZIApiErrorCode libCZI_CreateInputStreamFromFileWide(const wchar_t *path,
                                                        InputStreamObjectHandle *stream);
LibCZIApiErrorCode libCZI_CreateInputStreamFromFileUTF8(const char *path,
                                                        InputStreamObjectHandle *stream);
LibCZIApiErrorCode
libCZI_CreateInputStreamFromExternal(const struct ExternalInputStreamStructInterop *functions,
                                     InputStreamObjectHandle *stream);
LibCZIApiErrorCode libCZI_ReleaseInputStream(InputStreamObjectHandle stream);
LibCZIApiErrorCode libCZI_CreateOutputStreamForFileWide(const wchar_t *path, bool overwrite,
                                                        OutputStreamObjectHandle *stream);
LibCZIApiErrorCode libCZI_CreateOutputStreamForFileUTF8(const char *path, bool overwrite,
                                                        OutputStreamObjectHandle *stream);
LibCZIApiErrorCode
libCZI_CreateOutputStreamFromExternal(const struct ExternalOutputStreamStructInterop *functions,
                                      OutputStreamObjectHandle *stream);
LibCZIApiErrorCode libCZI_ReleaseOutputStream(OutputStreamObjectHandle stream);

/* ---- functions: reader -------------------------------------------------------------------- */

LibCZIApiErrorCode libCZI_CreateReader(CziReaderObjectHandle *reader);
LibCZIApiErrorCode libCZI_ReaderOpen(CziReaderObjectHandle reader,
                                     const struct ReaderOpenInfoInterop *open_info);
LibCZIApiErrorCode libCZI_ReaderGetFileHeaderInfo(CziReaderObjectHandle reader,
                                                  struct FileHeaderInfoInterop *header);
/* An index past the end: success, and *sub_block is 0. */
LibCZIApiErrorCode libCZI_ReaderReadSubBlock(CziReaderObjectHandle reader, int32_t index,
                                             SubBlockObjectHandle *sub_block);
LibCZIApiErrorCode
libCZI_ReaderGetStatisticsSimple(CziReaderObjectHandle reader,
                                 struct SubBlockStatisticsInterop *statistics);
/* *box_count: in, how many boxes the structure has room for; out, how many there are. */
LibCZIApiErrorCode
libCZI_ReaderGetStatisticsEx(CziReaderObjectHandle reader,
                             struct SubBlockStatisticsInteropEx *statistics, int32_t *box_count);
LibCZIApiErrorCode libCZI_ReaderGetPyramidStatistics(CziReaderObjectHandle reader, char **json);
LibCZIApiErrorCode libCZI_ReaderGetMetadataSegment(CziReaderObjectHandle reader,
                                                   MetadataSegmentObjectHandle *segment);
LibCZIApiErrorCode libCZI_ReaderGetAttachmentCount(CziReaderObjectHandle reader, int32_t *count);
LibCZIApiErrorCode
libCZI_ReaderGetAttachmentInfoFromDirectory(CziReaderObjectHandle reader, int32_t index,
                                            struct AttachmentInfoInterop *info);
/* An index past the end: success, and *attachment is 0. */
LibCZIApiErrorCode libCZI_ReaderReadAttachment(CziReaderObjectHandle reader, int32_t index,
                                               AttachmentObjectHandle *attachment);
LibCZIApiErrorCode libCZI_TryGetSubBlockInfoForIndex(CziReaderObjectHandle reader, int32_t index,
                                                     struct SubBlockInfoInterop *info);
LibCZIApiErrorCode libCZI_ReleaseReader(CziReaderObjectHandle reader);

/* ---- functions: sub-blocks and attachments ------------------------------------------------ */

LibCZIApiErrorCode libCZI_SubBlockCreateBitmap(SubBlockObjectHandle sub_block,
                                               BitmapObjectHandle *bitmap);
LibCZIApiErrorCode libCZI_SubBlockGetInfo(SubBlockObjectHandle sub_block,
                                          struct SubBlockInfoInterop *info);
/* kind: 0 pixel data as stored, 1 metadata. *size: in, room at target; out, bytes there are. */
LibCZIApiErrorCode libCZI_SubBlockGetRawData(SubBlockObjectHandle sub_block, int32_t kind,
                                             uint64_t *size, void *target);
LibCZIApiErrorCode libCZI_ReleaseSubBlock(SubBlockObjectHandle sub_block);

LibCZIApiErrorCode libCZI_AttachmentGetInfo(AttachmentObjectHandle attachment,
                                            struct AttachmentInfoInterop *info);
LibCZIApiErrorCode libCZI_AttachmentGetRawData(AttachmentObjectHandle attachment, uint64_t *size,
                                               void *target);
LibCZIApiErrorCode libCZI_ReleaseAttachment(AttachmentObjectHandle attachment);

/* ---- functions: bitmaps ------------------------------------------------------------------- */

LibCZIApiErrorCode libCZI_BitmapGetInfo(BitmapObjectHandle bitmap,
                                        struct BitmapInfoInterop *info);
LibCZIApiErrorCode libCZI_BitmapLock(BitmapObjectHandle bitmap,
                                     struct BitmapLockInfoInterop *lock);
LibCZIApiErrorCode libCZI_BitmapUnlock(BitmapObjectHandle bitmap);
/* Width, height and pixel type must be the bitmap's own. */
LibCZIApiErrorCode libCZI_BitmapCopyTo(BitmapObjectHandle bitmap, uint32_t width, uint32_t height,
                                       int32_t pixel_type, uint32_t stride, void *target);
LibCZIApiErrorCode libCZI_ReleaseBitmap(BitmapObjectHandle bitmap);

/* ---- functions: metadata ------------------------------------------------------------------ */

LibCZIApiErrorCode
libCZI_MetadataSegmentGetMetadataAsXml(MetadataSegmentObjectHandle segment,
                                       struct MetadataAsXmlInterop *xml);
LibCZIApiErrorCode
libCZI_MetadataSegmentGetCziDocumentInfo(MetadataSegmentObjectHandle segment,
                                         CziDocumentInfoHandle *document_info);
LibCZIApiErrorCode libCZI_ReleaseMetadataSegment(MetadataSegmentObjectHandle segment);

LibCZIApiErrorCode
libCZI_CziDocumentInfoGetGeneralDocumentInfo(CziDocumentInfoHandle document_info, void **json);
LibCZIApiErrorCode libCZI_CziDocumentInfoGetScalingInfo(CziDocumentInfoHandle document_info,
                                                        struct ScalingInfoInterop *scaling);
/* dimensions: filled and ended with 0; room for one more than there are is required. */
LibCZIApiErrorCode
libCZI_CziDocumentInfoGetAvailableDimension(CziDocumentInfoHandle document_info,
                                            uint32_t room, uint32_t *dimensions);
LibCZIApiErrorCode
libCZI_CziDocumentInfoGetDisplaySettings(CziDocumentInfoHandle document_info,
                                         DisplaySettingsHandle *display_settings);
/* For other dimensions than Z, C and T: success, and *json is left as it was. */
LibCZIApiErrorCode libCZI_CziDocumentInfoGetDimensionInfo(CziDocumentInfoHandle document_info,
                                                          uint32_t dimension, void **json);
LibCZIApiErrorCode libCZI_ReleaseCziDocumentInfo(CziDocumentInfoHandle document_info);

LibCZIApiErrorCode
libCZI_DisplaySettingsGetChannelDisplaySettings(DisplaySettingsHandle display_settings,
                                                int32_t channel,
                                                ChannelDisplaySettingsHandle *channel_settings);
LibCZIApiErrorCode libCZI_ReleaseDisplaySettings(DisplaySettingsHandle display_settings);
LibCZIApiErrorCode
libCZI_ReleaseChannelDisplaySettings(ChannelDisplaySettingsHandle channel_settings);

/* ---- functions: tile accessor and compositor ---------------------------------------------- */

LibCZIApiErrorCode
libCZI_CreateSingleChannelTileAccessor(CziReaderObjectHandle reader,
                                       SingleChannelScalingTileAccessorObjectHandle *accessor);
LibCZIApiErrorCode
libCZI_SingleChannelTileAccessorCalcSize(SingleChannelScalingTileAccessorObjectHandle accessor,
                                         const struct IntRectInterop *roi, float zoom,
                                         struct IntSizeInterop *size);
LibCZIApiErrorCode
libCZI_SingleChannelTileAccessorGet(SingleChannelScalingTileAccessorObjectHandle accessor,
                                    const struct CoordinateInterop *coordinate,
                                    const struct IntRectInterop *roi, float zoom,
                                    const struct AccessorOptionsInterop *options,
                                    BitmapObjectHandle *bitmap);
LibCZIApiErrorCode
libCZI_ReleaseCreateSingleChannelTileAccessor(SingleChannelScalingTileAccessorObjectHandle accessor);

/* Crashes without display settings for the channel. The look-up table is ours to free. */
LibCZIApiErrorCode libCZI_CompositorFillOutCompositionChannelInfoInterop(
    DisplaySettingsHandle display_settings, int32_t channel, bool lut_for_16_bits,
    struct CompositionChannelInfoInterop *channel_info);
LibCZIApiErrorCode libCZI_CompositorDoMultiChannelComposition(
    int32_t channel_count, const BitmapObjectHandle *bitmaps,
    const struct CompositionChannelInfoInterop *channel_infos, BitmapObjectHandle *bitmap);

/* ---- functions: writer -------------------------------------------------------------------- */

LibCZIApiErrorCode libCZI_CreateWriter(CziWriterObjectHandle *writer, const char *options_json);
LibCZIApiErrorCode libCZI_WriterCreate(CziWriterObjectHandle writer,
                                       OutputStreamObjectHandle stream,
                                       const char *parameters_json);
LibCZIApiErrorCode libCZI_WriterAddSubBlock(CziWriterObjectHandle writer,
                                            const struct AddSubBlockInfoInterop *sub_block);
LibCZIApiErrorCode
libCZI_WriterAddAttachment(CziWriterObjectHandle writer,
                           const struct AddAttachmentInfoInterop *attachment);
LibCZIApiErrorCode libCZI_WriterWriteMetadata(CziWriterObjectHandle writer,
                                              const struct WriteMetadataInfoInterop *metadata);
LibCZIApiErrorCode libCZI_WriterClose(CziWriterObjectHandle writer);
LibCZIApiErrorCode libCZI_ReleaseWriter(CziWriterObjectHandle writer);
