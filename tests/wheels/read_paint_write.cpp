// Tries the two libraries of a wheel where there is no Python: reads CZI files with libCZI, paints
// them with the kernel, and writes one. Prints numbers and hashes that are equal on all platforms.
//
//   read_paint_write LIBCZI KERNEL FOLDER FILE...
//
// The file that is written comes into FOLDER, under a name that is not ASCII.

#include <cinttypes>
#include <climits>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string>
#include <vector>

#ifdef _WIN32
#define NOMINMAX
#include <windows.h>
// after it
#include <fcntl.h>
#include <io.h>
#include <shellapi.h>
#else
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#endif

extern "C" {
#pragma pack(push, 1)
#include "libczi_c_api.h"
#pragma pack(pop)
#include "kernel.h"
}

namespace {

[[noreturn]] void fail(const std::string &what, int64_t code = 0) {
    std::fflush(stdout);
    std::fprintf(stderr, "failed: %s (%" PRId64 ")\n", what.c_str(), code);
    std::exit(1);
}

void expect(bool is_true, const std::string &what, int64_t code = 0) {
    if (!is_true) fail(what, code);
}

// ---- the system: libraries, paths, files ---------------------------------------------------------

#ifdef _WIN32
std::wstring wide(const std::string &text) {
    std::wstring found(text.size() + 1, 0);  // room enough: UTF-16 needs no more units than UTF-8
    const int size = MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, text.c_str(), -1, &found[0],
                                         static_cast<int>(found.size()));
    expect(size > 0, "a path that is not UTF-8: " + text);
    found.resize(size - 1);
    return found;
}

std::vector<std::string> arguments(int, char **) {
    int count = 0;
    wchar_t **const found = CommandLineToArgvW(GetCommandLineW(), &count);
    std::vector<std::string> all;
    for (int at = 0; at < count; at++) {
        std::string text(3 * wcslen(found[at]) + 1, 0);
        const int size = WideCharToMultiByte(CP_UTF8, 0, found[at], -1, &text[0],
                                             static_cast<int>(text.size()), nullptr, nullptr);
        text.resize(size - 1);
        all.push_back(text);
    }
    _setmode(_fileno(stdout), _O_BINARY);
    return all;
}
#else
std::vector<std::string> arguments(int count, char **values) { return {values, values + count}; }
#endif

class Library {
public:
    void open(const std::string &path) {
#ifdef _WIN32
        library_ = LoadLibraryW(wide(path).c_str());
        expect(library_, "loading " + path, GetLastError());
#else
        library_ = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
        expect(library_, library_ ? "" : dlerror());
#endif
    }
    void *find(const char *name) const {
#ifdef _WIN32
        auto *const found = reinterpret_cast<void *>(GetProcAddress(library_, name));
#else
        void *const found = dlsym(library_, name);
#endif
        expect(found, std::string("no function ") + name);
        return found;
    }
    // The process must survive this, and its own end.
    void close() {
#ifdef _WIN32
        expect(FreeLibrary(library_), "unloading a library", GetLastError());
#else
        expect(!dlclose(library_), "unloading a library");
#endif
    }

private:
#ifdef _WIN32
    HMODULE library_ = nullptr;
#else
    void *library_ = nullptr;
#endif
};

Library libczi, kernel;

#define KERNEL(name) (*reinterpret_cast<decltype(&name)>(kernel.find(#name)))
#define LIBCZI(name) (*reinterpret_cast<decltype(&libCZI_##name)>(libczi.find("libCZI_" #name)))
#define MUST(name, ...)                               \
    do {                                              \
        const int32_t status_ = LIBCZI(name)(__VA_ARGS__); \
        expect(status_ == 0, "libCZI_" #name, status_);    \
    } while (0)

// A file as Python opens it for the kernel, and what os.fstat says about it.
struct File {
    explicit File(const std::string &path) {
#ifdef _WIN32
        HANDLE const handle =
            CreateFileW(wide(path).c_str(), GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_WRITE, nullptr,
                        OPEN_EXISTING, FILE_ATTRIBUTE_NORMAL, nullptr);
        expect(handle != INVALID_HANDLE_VALUE, "opening " + path, GetLastError());
        number = reinterpret_cast<intptr_t>(handle);
        FILE_BASIC_INFO times;  // not the function that the kernel calls
        FILE_STANDARD_INFO sizes;
        FILE_ID_INFO id;
        expect(GetFileInformationByHandleEx(handle, FileBasicInfo, &times, sizeof times), "times");
        expect(GetFileInformationByHandleEx(handle, FileStandardInfo, &sizes, sizeof sizes), "size");
        expect(GetFileInformationByHandleEx(handle, FileIdInfo, &id, sizeof id), "identity");
        size = sizes.EndOfFile.QuadPart;
        modified_ns = (times.LastWriteTime.QuadPart - 116444736000000000) * 100;
        std::memcpy(&inode, &id.FileId, sizeof inode);
#else
        number = open(path.c_str(), O_RDONLY | O_CLOEXEC);
        expect(number >= 0, "opening " + path);
        struct stat found;
        expect(!fstat(static_cast<int>(number), &found), "fstat");
#ifdef __APPLE__
        const timespec modified = found.st_mtimespec;
#else
        const timespec modified = found.st_mtim;
#endif
        size = found.st_size, inode = static_cast<int64_t>(found.st_ino);
        modified_ns = int64_t{modified.tv_sec} * 1000000000 + modified.tv_nsec;
#endif
    }
    File(const File &) = delete;
    ~File() {
#ifdef _WIN32
        CloseHandle(reinterpret_cast<HANDLE>(static_cast<intptr_t>(number)));
#else
        close(static_cast<int>(number));
#endif
    }
    std::vector<uint8_t> read(int64_t offset, int64_t wanted) const {
        std::vector<uint8_t> data(static_cast<size_t>(wanted));
#ifdef _WIN32
        OVERLAPPED place{};
        place.Offset = static_cast<DWORD>(offset), place.OffsetHigh = static_cast<DWORD>(offset >> 32);
        DWORD found = 0;
        ReadFile(reinterpret_cast<HANDLE>(static_cast<intptr_t>(number)), data.data(),
                 static_cast<DWORD>(wanted), &found, &place);
#else
        const int64_t found = pread(static_cast<int>(number), data.data(), data.size(), offset);
#endif
        expect(static_cast<int64_t>(found) == wanted, "reading a file", found);
        return data;
    }

    int64_t number = -1, size = 0, modified_ns = 0, inode = 0;
};

// ---- hashes --------------------------------------------------------------------------------------

// FNV-1a of 64 bits, for words instead of bytes: an emulated processor is slow.
class Hash {
public:
    void add(const void *data, size_t size) {
        const auto *bytes = static_cast<const uint8_t *>(data);
        for (; size >= 8; bytes += 8, size -= 8) {
            uint64_t word;
            std::memcpy(&word, bytes, 8);
            mix(word);
        }
        for (; size; bytes++, size--) mix(*bytes);
    }
    std::string text() const {
        char digits[17];
        std::snprintf(digits, sizeof digits, "%016" PRIx64, value_);
        return digits;
    }

private:
    void mix(uint64_t word) {
        value_ = (value_ ^ word) * 0x100000001b3;
        value_ ^= value_ >> 32;
    }
    uint64_t value_ = 0xcbf29ce484222325;
};

std::string hash_of(const void *data, size_t size) {
    Hash hash;
    hash.add(data, size);
    return hash.text();
}

// ---- reading with libCZI -------------------------------------------------------------------------

int64_t pixel_size(int32_t pixel_type) {
    const std::map<int32_t, int64_t> sizes{{0, 1},  {1, 2},   {2, 4},   {3, 3},  {4, 6}, {8, 12},
                                           {9, 4}, {10, 16}, {11, 24}, {12, 4}, {13, 8}};
    const auto found = sizes.find(pixel_type);
    expect(found != sizes.end(), "an unknown pixel type", pixel_type);
    return found->second;
}

struct Image {
    int32_t w = 0, h = 0, pixel_type = 0;
    std::vector<uint8_t> pixels;

    int64_t stride() const { return w * pixel_size(pixel_type); }
    std::string hash() const { return hash_of(pixels.data(), pixels.size()); }
};

// Returns the pixels of a bitmap, and releases it.
Image take(BitmapObjectHandle bitmap) {
    BitmapInfoInterop info;
    BitmapLockInfoInterop lock;
    MUST(BitmapGetInfo, bitmap, &info);
    MUST(BitmapLock, bitmap, &lock);
    Image image{static_cast<int32_t>(info.width), static_cast<int32_t>(info.height), info.pixelType, {}};
    const auto row = static_cast<size_t>(image.stride());
    image.pixels.resize(row * info.height);
    for (size_t at = 0; at < info.height; at++)
        std::memcpy(&image.pixels[at * row],
                    static_cast<const uint8_t *>(lock.ptrDataRoi) + at * lock.stride, row);
    MUST(BitmapUnlock, bitmap);
    MUST(ReleaseBitmap, bitmap);
    return image;
}

class Reader {
public:
    explicit Reader(const std::string &path, bool is_wide = false) {
        InputStreamObjectHandle stream = 0;
#ifdef _WIN32
        if (is_wide) MUST(CreateInputStreamFromFileWide, wide(path).c_str(), &stream);
#endif
        if (!stream) MUST(CreateInputStreamFromFileUTF8, path.c_str(), &stream);
        (void)is_wide;
        MUST(CreateReader, &handle);
        const ReaderOpenInfoInterop info{stream};
        MUST(ReaderOpen, handle, &info);
        MUST(ReleaseInputStream, stream);
        MUST(ReaderGetStatisticsSimple, handle, &statistics);
    }
    Reader(const Reader &) = delete;
    ~Reader() { MUST(ReleaseReader, handle); }

    // A plane: the first or last one in each dimension but S, which the accessor refuses.
    CoordinateInterop plane(bool is_last) const {
        CoordinateInterop found{};
        const DimBoundsInterop &bounds = statistics.dim_bounds;
        for (int bit = 0, at = 0, to = 0; bit < 9; bit++) {
            if (!(bounds.dimensions_valid >> bit & 1)) continue;
            if (bit != 4) {
                found.dimensions_valid |= 1u << bit;
                found.value[to++] = bounds.start[at] + (is_last ? bounds.size[at] - 1 : 0);
            }
            at++;
        }
        return found;
    }

    Image decode(int32_t sub_block) const {
        SubBlockObjectHandle block = 0;
        BitmapObjectHandle bitmap = 0;
        MUST(ReaderReadSubBlock, handle, sub_block, &block);
        expect(block, "a sub-block that is not there", sub_block);
        MUST(SubBlockCreateBitmap, block, &bitmap);
        MUST(ReleaseSubBlock, block);
        return take(bitmap);
    }

    Image paint(const CoordinateInterop &plane, const IntRectInterop &roi, float zoom) const {
        SingleChannelScalingTileAccessorObjectHandle accessor = 0;
        BitmapObjectHandle bitmap = 0;
        const AccessorOptionsInterop options{0, 0, 0, true, true, {}, nullptr};
        MUST(CreateSingleChannelTileAccessor, handle, &accessor);
        MUST(SingleChannelTileAccessorGet, accessor, &plane, &roi, zoom, &options, &bitmap);
        MUST(ReleaseCreateSingleChannelTileAccessor, accessor);
        return take(bitmap);
    }

    CziReaderObjectHandle handle = 0;
    SubBlockStatisticsInterop statistics{};
};

void print_box(const char *name, const IntRectInterop &box) {
    std::printf(" %s %d %d %d %d", name, box.x, box.y, box.w, box.h);
}

void print_statistics(const Reader &reader) {
    const SubBlockStatisticsInterop &found = reader.statistics;
    std::printf("  sub-blocks %d M %d %d", found.sub_block_count, found.min_m_index, found.max_m_index);
    print_box("box", found.bounding_box), print_box("layer 0", found.bounding_box_layer0);
    for (int bit = 0, at = 0; bit < 9; bit++)
        if (found.dim_bounds.dimensions_valid >> bit & 1) {
            std::printf(" %c %d %d", "ZCTRSIHVB"[bit], found.dim_bounds.start[at], found.dim_bounds.size[at]);
            at++;
        }
    char *json = nullptr;
    MUST(ReaderGetPyramidStatistics, reader.handle, &json);
    std::printf("\n  pyramid %s\n", hash_of(json, std::strlen(json)).c_str());
    LIBCZI(Free)(json);
}

void print_sub_blocks(const Reader &reader) {
    std::map<int32_t, int> count;
    Hash raw_data;
    for (int32_t at = 0; at < reader.statistics.sub_block_count; at++) {
        SubBlockInfoInterop info;
        SubBlockObjectHandle block = 0;
        uint64_t size = 0;
        MUST(TryGetSubBlockInfoForIndex, reader.handle, at, &info);
        MUST(ReaderReadSubBlock, reader.handle, at, &block);
        MUST(SubBlockGetRawData, block, 0, &size, nullptr);
        std::vector<uint8_t> raw(size);
        MUST(SubBlockGetRawData, block, 0, &size, raw.data());
        MUST(ReleaseSubBlock, block);
        raw_data.add(raw.data(), raw.size());
        count[info.compression_mode_raw]++;
        const Image image = reader.decode(at);
        std::printf("  sub-block %d compression %d type %d size %d %d pixels %s\n", at,
                    info.compression_mode_raw, image.pixel_type, image.w, image.h, image.hash().c_str());
    }
    std::printf("  raw data %s", raw_data.text().c_str());
    for (const auto &[compression, number] : count) std::printf(", compression %d: %d", compression, number);
    std::printf("\n");
}

void print_document(const Reader &reader) {
    MetadataSegmentObjectHandle segment = 0;
    CziDocumentInfoHandle document = 0;
    MetadataAsXmlInterop xml;
    ScalingInfoInterop scaling;
    void *json = nullptr;
    const int32_t status = LIBCZI(ReaderGetMetadataSegment)(reader.handle, &segment);
    if (status) {
        std::printf("  no XML (%d)\n", status);
        return;
    }
    MUST(MetadataSegmentGetMetadataAsXml, segment, &xml);
    std::printf("  XML %s\n", hash_of(xml.data, xml.size).c_str());
    LIBCZI(Free)(xml.data);
    MUST(MetadataSegmentGetCziDocumentInfo, segment, &document);
    MUST(CziDocumentInfoGetGeneralDocumentInfo, document, &json);
    std::printf("  document %s\n", static_cast<const char *>(json));
    LIBCZI(Free)(json);
    MUST(CziDocumentInfoGetScalingInfo, document, &scaling);
    const double all[] = {scaling.scale_x, scaling.scale_y, scaling.scale_z};
    for (const double one : all)  // to the bit, but for the sign of NaN
        std::printf("  scale %s", one == one ? hash_of(&one, sizeof one).c_str() : "unknown");
    MUST(ReleaseCziDocumentInfo, document);
    MUST(ReleaseMetadataSegment, segment);
    std::printf("\n");
}

void print_attachments(const Reader &reader) {
    int32_t count = 0;
    MUST(ReaderGetAttachmentCount, reader.handle, &count);
    for (int32_t at = 0; at < count; at++) {
        AttachmentObjectHandle attachment = 0;
        AttachmentInfoInterop info;
        uint64_t size = 0;
        MUST(ReaderReadAttachment, reader.handle, at, &attachment);
        MUST(AttachmentGetInfo, attachment, &info);
        MUST(AttachmentGetRawData, attachment, &size, nullptr);
        std::vector<uint8_t> data(size);
        MUST(AttachmentGetRawData, attachment, &size, data.data());
        MUST(ReleaseAttachment, attachment);
        std::printf("  attachment %s %.8s %s\n", info.name, info.content_file_type,
                    hash_of(data.data(), data.size()).c_str());
        if (info.name_overflow) LIBCZI(Free)(info.name_in_case_of_overflow);
    }
}

// ---- painting with the kernel --------------------------------------------------------------------

constexpr char letters[] = "ZCTRSIHVB";

// The sub-blocks of a file as the kernel sees them, each of which is one tile.
class Tiles {
public:
    explicit Tiles(const File &file) : file_(file) {
        const std::vector<uint8_t> header = file.read(0, 128);
        int64_t position, entries_size;
        int32_t count;
        std::memcpy(&position, &header[84], sizeof position);
        const std::vector<uint8_t> segment = file.read(position, 36);
        std::memcpy(&entries_size, &segment[24], sizeof entries_size);
        std::memcpy(&count, &segment[32], sizeof count);
        const std::vector<uint8_t> entries = file.read(position + 160, entries_size - 128);
        position_.resize(count);
        czk_columns parsed{};
        parsed.count = count, parsed.position = position_.data();
        std::memcpy(parsed.letters, letters, sizeof letters);
        for (int at = 0; at < CZK_FIELDS; at++) column_[at].resize(count), parsed.column[at] = column_[at].data();
        const int64_t done = KERNEL(czk_parse)(&parsed, entries.data(), static_cast<int64_t>(entries.size()));
        expect(done >= 0 && parsed.filled == count, "czk_parse", done);
        set_directory(count);
        set_tiles(count);
    }
    Tiles(const Tiles &) = delete;

    // Paints a region, and has libCZI decode what the kernel leaves to its caller.
    Image paint(const Reader &reader, const CoordinateInterop &plane, const IntRectInterop &roi,
                float zoom, Image image) {
        const czk_plane shown{number_of(plane), 0};
        czk_region region{};
        region.x = roi.x, region.y = roi.y, region.w = roi.w, region.h = roi.h;
        region.out_w = image.w, region.out_h = image.h, region.out_stride = image.stride();
        region.planes = &shown, region.plane_count = 1, region.only = -1;
        region.mode = zoom == 1 ? CZK_COPY : CZK_ZOOM, region.zoom = zoom, region.scene = CZK_ABSENT;
        std::vector<czk_job> jobs(1 << 16);
        const auto room = static_cast<int64_t>(jobs.size());
        const int64_t chosen = KERNEL(czk_choose)(&tiles_, &region, 1, jobs.data(), room);
        expect(chosen >= 0 && chosen <= room, "czk_choose", chosen);
        jobs.resize(chosen);
        std::fill(image.pixels.begin(), image.pixels.end(), uint8_t{0});
        output = {image.pixels.data(), static_cast<int64_t>(image.pixels.size()), file_.number,
                  3600 * INT64_C(1000000), image.pixel_type, 2, 0, 0};
        std::map<int64_t, Image> decoded;
        std::vector<czk_given> given;
        int64_t left = paint_jobs(region, jobs, given), by_libczi = 0;
        expect(left >= 0, "czk_paint", left);
        for (czk_job &job : jobs) {
            if (job.status != CZK_UNUSUAL) continue;
            if (!decoded.count(job.tile)) decoded[job.tile] = reader.decode(static_cast<int32_t>(job.tile));
            const Image &tile = decoded[job.tile];
            job.status = CZK_PENDING, job.given = static_cast<int32_t>(given.size()), by_libczi++;
            given.push_back({nullptr, 0, 0, tile.pixels.data(), 0, tile.h, tile.stride(), tile.w, tile.h,
                             nullptr, 0});
        }
        if (left) left = paint_jobs(region, jobs, given);
        expect(left == 0, "czk_paint, with given pixels", left);
        std::printf(" jobs %" PRId64 " given %" PRId64 " covered %" PRId64, chosen, by_libczi, region.covered);
        return image;
    }

    czk_directory directory{};
    czk_output output{};

private:
    int64_t paint_jobs(const czk_region &region, std::vector<czk_job> &jobs, const std::vector<czk_given> &given) {
        return KERNEL(czk_paint)(&directory, &tiles_, &region, 1, jobs.data(),
                                 static_cast<int64_t>(jobs.size()), given.data(),
                                 static_cast<int64_t>(given.size()), &output);
    }

    void set_directory(int32_t count) {
        const int32_t **const all[] = {&directory.x, &directory.y, &directory.w, &directory.h,
                                       &directory.stored_w, &directory.stored_h, &directory.m,
                                       &directory.pixel_type, &directory.compression};
        for (int at = 0; at < 9; at++) *all[at] = column_[at].data();
        for (int at = 0; at < 9; at++) directory.coordinate[at] = column_[11 + at].data();
        known_[0].resize(count), known_[1].resize(count);
        directory.count = count, directory.position = position_.data();
        directory.file_size = file_.size, directory.modified_ns = file_.modified_ns;
        directory.inode = file_.inode;
        directory.data_offset = known_[0].data(), directory.data_size = known_[1].data();
        std::memcpy(directory.letters, letters, sizeof letters);
    }

    void set_tiles(int32_t count) {
        const czk_directory &own = directory;
        const int32_t *const scene = own.coordinate[4];
        std::map<int32_t, std::vector<int64_t>> scenes;
        for (int32_t at = 0; at < count; at++) {
            const bool is_wide = own.stored_w[at] > own.stored_h[at];
            zoom_.push_back(is_wide ? static_cast<float>(own.stored_w[at]) / static_cast<float>(own.w[at])
                                    : static_cast<float>(own.stored_h[at]) / static_cast<float>(own.h[at]));
            layer0_.push_back(own.w[at] == own.stored_w[at] && own.h[at] == own.stored_h[at]);
            CoordinateInterop place{};
            for (int bit = 0, to = 0; bit < 9; bit++)
                if (bit != 4 && own.coordinate[bit][at] != CZK_ABSENT)
                    place.dimensions_valid |= 1u << bit, place.value[to++] = own.coordinate[bit][at];
            plane_.push_back(number_of(place));
            if (scene[at] == CZK_ABSENT) continue;
            const int64_t box[] = {own.x[at], own.y[at], int64_t{own.x[at]} + own.w[at],
                                   int64_t{own.y[at]} + own.h[at]};
            std::vector<int64_t> &all = scenes[scene[at]];
            if (all.empty()) all.assign(box, box + 4);
            for (int side = 0; side < 4; side++)
                all[side] = side < 2 ? std::min(all[side], box[side]) : std::max(all[side], box[side]);
        }
        for (const auto &[number, box] : scenes)
            scenes_.push_back(number), boxes_.insert(boxes_.end(), box.begin(), box.end());
        level_.resize(count), order_.resize(count);
        tiles_.count = count, tiles_.x = own.x, tiles_.y = own.y, tiles_.w = own.w, tiles_.h = own.h;
        tiles_.read_w = own.stored_w, tiles_.read_h = own.stored_h, tiles_.m = own.m;
        tiles_.scene = scene, tiles_.pixel_type = own.pixel_type, tiles_.zoom = zoom_.data();
        tiles_.level = level_.data(), tiles_.layer0 = layer0_.data(), tiles_.plane = plane_.data();
        tiles_.scenes = scenes_.data(), tiles_.boxes = boxes_.data();
        tiles_.scene_count = static_cast<int64_t>(scenes_.size()), tiles_.order = order_.data();
        const int64_t groups = KERNEL(czk_sort)(&tiles_);
        expect(groups >= 0, "czk_sort", groups);
        groups_.resize(groups), cells_.resize(tiles_.ordered + 2 * groups);
        tiles_.groups = groups_.data(), tiles_.group_count = groups, tiles_.cells = cells_.data();
        expect(KERNEL(czk_index)(&tiles_) == 0, "czk_index");
    }

    int64_t number_of(const CoordinateInterop &place) {
        const std::string key(reinterpret_cast<const char *>(&place), sizeof place);
        return numbers_.emplace(key, static_cast<int64_t>(numbers_.size())).first->second;
    }

    const File &file_;
    czk_tiles tiles_{};
    std::vector<int64_t> position_, known_[2], plane_, scenes_, boxes_;
    std::vector<int32_t> column_[CZK_FIELDS], order_, cells_;
    std::vector<float> zoom_;
    std::vector<int16_t> level_;
    std::vector<uint8_t> layer0_;
    std::vector<czk_group> groups_;
    std::map<std::string, int64_t> numbers_;
};

// Paints parts of the first and last plane with both libraries.
void print_paintings(const Reader &reader, const std::string &path) {
    constexpr int32_t most = 2400;  // pixels along a side
    IntRectInterop roi = reader.statistics.bounding_box_layer0;
    if (roi.w > most) roi.x += (roi.w - most) / 2, roi.w = most;
    if (roi.h > most) roi.y += (roi.h - most) / 2, roi.h = most;
    const File file(path);
    Tiles tiles(file);
    for (const bool is_last : {false, true})
        for (const float zoom : {1.0f, 0.5f, 0.3f, 0.07f}) {
            const CoordinateInterop plane = reader.plane(is_last);
            const Image image = reader.paint(plane, roi, zoom);
            if (image.pixels.empty()) continue;
            std::printf("  %s plane, zoom %.2f: %d %d type %d pixels %s kernel", is_last ? "last" : "first",
                        static_cast<double>(zoom), image.w, image.h, image.pixel_type, image.hash().c_str());
            const Image painted = tiles.paint(reader, plane, roi, zoom, image);
            expect(tiles.output.unchanged == 1, "the kernel does not find the file unchanged");
            tiles.directory.modified_ns += 100;
            std::printf(" %s\n", painted.pixels == image.pixels ? "equal" : painted.hash().c_str());
            tiles.paint(reader, plane, {roi.x, roi.y, 1, 1}, 1, {1, 1, image.pixel_type,
                        std::vector<uint8_t>(pixel_size(image.pixel_type))});
            std::printf(" one pixel\n");
            expect(tiles.output.unchanged == 0, "the kernel does not see that the file has changed");
            tiles.directory.modified_ns -= 100;
        }
}

void print_file(const std::string &path, bool is_wide = false) {
    const size_t slash = path.find_last_of("/\\");
    std::printf("%s\n", path.substr(slash + 1).c_str());
    const Reader reader(path, is_wide);
    print_statistics(reader);
    print_document(reader);
    print_attachments(reader);
    print_sub_blocks(reader);
    print_paintings(reader, path);
    std::fflush(stdout);
}

// ---- writing -------------------------------------------------------------------------------------

constexpr int32_t side = 1200;

std::vector<uint16_t> pattern(int32_t number) {
    std::vector<uint16_t> pixels(side * side);
    for (int32_t at = 0; at < side * side; at++)
        pixels[at] = static_cast<uint16_t>((at % side) * (at / side) / (number + 3) ^ number * 977);
    return pixels;
}

void print_packing() {
    const std::vector<uint16_t> pixels = pattern(1);
    const auto *const from = reinterpret_cast<const uint8_t *>(pixels.data());
    const auto size = static_cast<int64_t>(pixels.size() * 2);
    for (const int32_t compression : {5, 6}) {
        std::vector<uint8_t> data(KERNEL(czk_pack_bound)(size)), found(size);
        const auto room = static_cast<int64_t>(data.size());
        const int64_t packed = KERNEL(czk_pack)(compression, from, size, compression == 6, 3, data.data(), room);
        expect(packed > 0, "czk_pack", packed);
        const int32_t status = KERNEL(czk_unpack)(compression, data.data(), packed, found.data(), size, size, 1);
        expect(status == 0 && !std::memcmp(found.data(), from, found.size()), "czk_unpack", status);
        std::printf("compression %d: %" PRId64 " bytes %s\n", compression, packed,
                    hash_of(data.data(), packed).c_str());
    }
}

// Writes a mosaic of two tiles by two, large enough for the kernel to start threads.
void write_file(const std::string &path, bool is_wide) {
    OutputStreamObjectHandle stream = 0;
    CziWriterObjectHandle writer = 0;
#ifdef _WIN32
    if (is_wide) MUST(CreateOutputStreamForFileWide, wide(path).c_str(), true, &stream);
#endif
    if (!stream) MUST(CreateOutputStreamForFileUTF8, path.c_str(), true, &stream);
    (void)is_wide;
    MUST(CreateWriter, &writer, "{}");
    MUST(WriterCreate, writer, stream, "{\"file_guid\": \"5a7ce3f2-07c1-4c4e-9a0b-5d1f6e2a9b01\"}");
    for (int32_t at = 0; at < 4; at++) {
        const std::vector<uint16_t> pixels = pattern(at);
        AddSubBlockInfoInterop info{};
        info.coordinate.dimensions_valid = 1 << 1;  // C
        info.m_index_valid = 1, info.m_index = at;
        info.x = at % 2 * side, info.y = at / 2 * side;
        info.logical_width = info.logical_height = info.physical_width = info.physical_height = side;
        info.pixel_type = 1, info.size_data = side * side * 2, info.data = pixels.data();
        info.stride = side * 2;
        MUST(WriterAddSubBlock, writer, &info);
    }
    AddAttachmentInfoInterop attachment{};
    std::memcpy(attachment.contentFileType, "TXT", 4), std::memcpy(attachment.name, "Label", 6);
    attachment.guid[0] = 1, attachment.size_attachment_data = 5, attachment.attachment_data = "hello";
    MUST(WriterAddAttachment, writer, &attachment);
    const char xml[] = "<ImageDocument><Metadata><Information><Image><SizeC>1</SizeC></Image></Information>"
                       "</Metadata></ImageDocument>";
    const WriteMetadataInfoInterop metadata{sizeof xml - 1, xml};
    MUST(WriterWriteMetadata, writer, &metadata);
    MUST(WriterClose, writer);
    MUST(ReleaseWriter, writer);
    MUST(ReleaseOutputStream, stream);
}

}  // namespace

int main(int count, char **values) {
    const std::vector<std::string> given = arguments(count, values);
    expect(given.size() >= 4, "usage: read_paint_write LIBCZI KERNEL FOLDER FILE...");
    libczi.open(given[1]), kernel.open(given[2]);
    LibCZIVersionInfoInterop version;
    MUST(GetLibCZIVersionInfo, &version);
    expect(KERNEL(czk_abi)() == CZK_ABI, "czk_abi", KERNEL(czk_abi)());
    std::printf("libCZI %d.%d.%d, kernel %d, zstd %s\n", version.major, version.minor, version.patch,
                CZK_ABI, KERNEL(czk_zstd_version)());
    for (size_t at = 4; at < given.size(); at++) print_file(given[at]);
    print_packing();
    for (const bool is_wide : {false, true}) {  // elsewhere there is but one kind of path
        const std::string path = given[3] + "/Zellen \u00df\u7d30\u80de\U0001f52c.czi";
        write_file(path, is_wide);
        print_file(path, !is_wide);
        const File file(path);
        std::printf("written %" PRId64 " bytes %s\n", file.size,
                    hash_of(file.read(0, file.size).data(), file.size).c_str());
    }
    kernel.close(), libczi.close();
    std::printf("done\n");
    return 0;
}
