// Stands between a program and the C library (LD_PRELOAD): the n-th system call that changes
// something below a folder fails, or writes half. It can log what is changed, for a replay.

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <string>

namespace {

std::string folder;
std::atomic<long> count{0};
std::atomic<long> failing{-1};
int failure = 0;
bool halves = false;
int log_file = -1;

template <typename F>
F* next(const char* name) {
  return reinterpret_cast<F*>(dlsym(RTLD_NEXT, name));
}

bool is_below(const char* path) {
  return !folder.empty() && path != nullptr && strncmp(path, folder.c_str(), folder.size()) == 0;
}

std::string path_of(int file) {
  char link[64], path[4096];
  snprintf(link, sizeof link, "/proc/self/fd/%d", file);
  const ssize_t size = readlink(link, path, sizeof path - 1);
  return size < 0 ? std::string() : std::string(path, static_cast<size_t>(size));
}

// Whether this call is to fail; writes that are to be halved are the only ones that can be.
bool fails(bool is_write = false) {
  if (++count != failing.load() || (halves && !is_write)) return false;
  errno = failure;
  return true;
}

// A record: kind, lengths of two texts, offset, length of the data; then texts and data.
void note(char kind, const std::string& path, const std::string& other, int64_t offset,
          const void* data, size_t size) {
  if (log_file < 0) return;
  const int64_t head[5] = {kind, static_cast<int64_t>(path.size()),
                           static_cast<int64_t>(other.size()), offset, static_cast<int64_t>(size)};
  std::string record(reinterpret_cast<const char*>(head), sizeof head);
  record += path + other;
  record.append(static_cast<const char*>(data), size);
  syscall(SYS_write, log_file, record.data(), record.size());
}

int open_it(int folder_file, const char* path, int flags, mode_t mode) {
  const bool changes = (flags & (O_CREAT | O_TRUNC | O_WRONLY | O_RDWR)) != 0;
  if (changes && is_below(path) && fails()) return -1;
  const long file = syscall(SYS_openat, folder_file, path, flags | O_LARGEFILE, mode);
  if (file >= 0 && is_below(path) && (flags & O_CREAT)) note('c', path, "", 0, "", 0);
  if (file >= 0 && is_below(path) && (flags & O_TRUNC)) note('t', path, "", 0, "", 0);
  return static_cast<int>(file);
}

ssize_t write_it(int file, const void* data, size_t size, int64_t offset) {
  const std::string path = path_of(file);
  size_t part = size;
  if (is_below(path.c_str()) && fails(true)) {
    if (!halves) return -1;
    part = size - size / 2;
  }
  const int64_t place = offset >= 0 ? offset : syscall(SYS_lseek, file, 0, SEEK_CUR);
  const ssize_t done = offset >= 0 ? syscall(SYS_pwrite64, file, data, part, offset)
                                   : syscall(SYS_write, file, data, part);
  if (done > 0 && is_below(path.c_str())) note('w', path, "", place, data, static_cast<size_t>(done));
  return done;
}

int truncate_it(int file, off64_t size) {
  const std::string path = path_of(file);
  if (is_below(path.c_str()) && fails()) return -1;
  const long done = syscall(SYS_ftruncate, file, size);
  if (done == 0 && is_below(path.c_str())) note('t', path, "", size, "", 0);
  return static_cast<int>(done);
}

int sync_it(int file, long call) {
  const std::string path = path_of(file);
  if (is_below(path.c_str()) && fails()) return -1;
  const long done = syscall(call, file);
  if (done == 0 && is_below(path.c_str())) note('s', path, "", 0, "", 0);
  return static_cast<int>(done);
}

}  // namespace

extern "C" {

void fault_arm(const char* below, long number, int error, int half) {
  folder = below;
  count = 0;
  failing = number;
  failure = error;
  halves = half != 0;
}

long fault_disarm() {
  folder.clear();
  return count.load();
}

void fault_log(int file) { log_file = file; }

int open64(const char* path, int flags, ...) {
  va_list more;
  va_start(more, flags);
  const mode_t mode = (flags & O_CREAT) ? va_arg(more, mode_t) : 0;
  va_end(more);
  return open_it(AT_FDCWD, path, flags, mode);
}

int open(const char* path, int flags, ...) {
  va_list more;
  va_start(more, flags);
  const mode_t mode = (flags & O_CREAT) ? va_arg(more, mode_t) : 0;
  va_end(more);
  return open_it(AT_FDCWD, path, flags, mode);
}

int openat64(int place, const char* path, int flags, ...) {
  va_list more;
  va_start(more, flags);
  const mode_t mode = (flags & O_CREAT) ? va_arg(more, mode_t) : 0;
  va_end(more);
  return open_it(place, path, flags, mode);
}

ssize_t write(int file, const void* data, size_t size) { return write_it(file, data, size, -1); }

ssize_t pwrite64(int file, const void* data, size_t size, off64_t offset) {
  return write_it(file, data, size, offset);
}

ssize_t pwrite(int file, const void* data, size_t size, off_t offset) {
  return write_it(file, data, size, offset);
}

int ftruncate64(int file, off64_t size) noexcept { return truncate_it(file, size); }

int ftruncate(int file, off_t size) noexcept { return truncate_it(file, size); }

int fsync(int file) { return sync_it(file, SYS_fsync); }

int fdatasync(int file) { return sync_it(file, SYS_fdatasync); }

int close(int file) {
  const bool below = is_below(path_of(file).c_str());
  const bool failed = below && fails();
  const int error = errno;
  const long done = syscall(SYS_close, file);
  if (failed) errno = error;
  return failed ? -1 : static_cast<int>(done);
}

int rename(const char* from, const char* to) noexcept {
  if (is_below(to) && fails()) return -1;
  const int done = next<int(const char*, const char*)>("rename")(from, to);
  if (done == 0 && is_below(to)) note('r', from, to, 0, "", 0);
  return done;
}

int renameat(int from_place, const char* from, int to_place, const char* to) noexcept {
  if (is_below(to) && fails()) return -1;
  const int done = next<int(int, const char*, int, const char*)>("renameat")(from_place, from,
                                                                              to_place, to);
  if (done == 0 && is_below(to)) note('r', from, to, 0, "", 0);
  return done;
}

int link(const char* from, const char* to) noexcept {
  if (is_below(to) && fails()) return -1;
  const int done = next<int(const char*, const char*)>("link")(from, to);
  if (done == 0 && is_below(to)) note('l', from, to, 0, "", 0);
  return done;
}

int linkat(int from_place, const char* from, int to_place, const char* to, int flags) noexcept {
  if (is_below(to) && fails()) return -1;
  const int done = next<int(int, const char*, int, const char*, int)>("linkat")(
      from_place, from, to_place, to, flags);
  if (done == 0 && is_below(to)) note('l', from, to, 0, "", 0);
  return done;
}

int unlink(const char* path) noexcept {
  const int done = next<int(const char*)>("unlink")(path);
  if (done == 0 && is_below(path)) note('u', path, "", 0, "", 0);
  return done;
}

}  // extern "C"
