// Positional reads of a file. It is not mapped, because truncating it would crash the process.

#pragma once

#include <algorithm>
#include <cerrno>
#include <cstdint>

#ifdef _WIN32
#define NOMINMAX
#define WIN32_LEAN_AND_MEAN
#include <windows.h>
#else
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>
#endif

namespace czk {

// Each takes a descriptor, on Windows a HANDLE; -1 for no file, from which nothing can be read.
// Windows moves the file's position with every read, so nobody else may depend on it.

#ifdef _WIN32
inline HANDLE handle_of(int64_t number) {
    return reinterpret_cast<HANDLE>(static_cast<intptr_t>(number));
}
#else
static_assert(sizeof(off_t) == sizeof(int64_t), "files may be larger than 2 GiB");
#endif

// Returns the number of bytes read; fewer if the file ends or cannot be read.
inline int64_t read_bytes(int64_t handle, int64_t offset, uint8_t *to, int64_t size) {
    int64_t done = 0;
    while (handle != -1 && done < size) {
        const int64_t from = offset + done, some = std::min<int64_t>(size - done, 1 << 30);
#ifdef _WIN32
        OVERLAPPED place{};
        place.Offset = static_cast<DWORD>(from), place.OffsetHigh = static_cast<DWORD>(from >> 32);
        DWORD count = 0;  // 0 after an error, one of which is the end of the file
        if (!ReadFile(handle_of(handle), to + done, static_cast<DWORD>(some), &count, &place)) break;
        const int64_t found = count;
#else
        const ssize_t found = pread(static_cast<int>(handle), to + done, static_cast<size_t>(some),
                                    static_cast<off_t>(from));
        if (found < 0 && errno == EINTR) continue;
#endif
        if (found <= 0) break;
        done += found;
    }
    return done;
}

// Reads consecutive rows into rows of the output; returns false if they cannot all be read this way.
inline bool read_rows(int64_t handle, int64_t offset, uint8_t *to, int64_t row, int64_t count,
                      int64_t stride) {
    if (row == stride) return read_bytes(handle, offset, to, row * count) == row * count;
#ifdef _WIN32
    constexpr int64_t worth_a_call = 64 << 10;  // there is no preadv
    if (row < worth_a_call) return false;
    for (int64_t at = 0; at < count; at++)
        if (read_bytes(handle, offset + at * row, to + at * stride, row) != row) return false;
    return true;
#else
    constexpr int64_t at_once = 512;
    iovec places[at_once];
    for (int64_t first = 0; first < count; first += at_once) {
        const int64_t some = std::min(at_once, count - first);
        for (int64_t at = 0; at < some; at++)
            places[at] = {to + (first + at) * stride, static_cast<size_t>(row)};
        const ssize_t found = preadv(static_cast<int>(handle), places, static_cast<int>(some),
                                     static_cast<off_t>(offset + first * row));
        if (found != row * some) return false;
    }
    return true;
#endif
}

// Returns whether the file is known to have this size, time of modification and inode.
inline bool is_still(int64_t handle, int64_t size, int64_t modified_ns, int64_t inode) {
#ifdef _WIN32
    BY_HANDLE_FILE_INFORMATION found;  // the numbers that os.fstat of Python gives
    if (!GetFileInformationByHandle(handle_of(handle), &found)) return false;
    auto is = [](int64_t number, DWORD high, DWORD low) {
        return static_cast<uint64_t>(number) == (uint64_t{high} << 32 | low);
    };
    constexpr int64_t epoch = 116444736000000000, unit_ns = 100;  // 1970, counted from 1601
    const FILETIME &modified = found.ftLastWriteTime;
    return is(size, found.nFileSizeHigh, found.nFileSizeLow) &&
           is(inode, found.nFileIndexHigh, found.nFileIndexLow) && modified_ns % unit_ns == 0 &&
           is(modified_ns / unit_ns + epoch, modified.dwHighDateTime, modified.dwLowDateTime);
#else
    struct stat found;
    if (fstat(static_cast<int>(handle), &found)) return false;
#ifdef __APPLE__
    const timespec modified = found.st_mtimespec;
#else
    const timespec modified = found.st_mtim;
#endif
    return found.st_size == size && static_cast<int64_t>(found.st_ino) == inode &&
           int64_t{modified.tv_sec} * 1000000000 + modified.tv_nsec == modified_ns;
#endif
}

}  // namespace czk
