// operator new and delete for one library alone. macOS gives those of zig's C++ library to every
// other library that defines them too. These are compiled to be hidden.

#include <cstdlib>
#include <new>

namespace {

void *allocated(std::size_t size) {
    if (void *memory = std::malloc(size ? size : 1)) return memory;
    throw std::bad_alloc();
}

void *allocated(std::size_t size, std::align_val_t alignment) {
    void *memory = nullptr;
    if (!posix_memalign(&memory, static_cast<std::size_t>(alignment), size ? size : 1))
        return memory;
    throw std::bad_alloc();
}

}  // namespace

void *operator new(std::size_t size) { return allocated(size); }
void *operator new[](std::size_t size) { return allocated(size); }
void *operator new(std::size_t size, std::align_val_t bytes) { return allocated(size, bytes); }
void *operator new[](std::size_t size, std::align_val_t bytes) { return allocated(size, bytes); }
void *operator new(std::size_t size, const std::nothrow_t &) noexcept {
    return std::malloc(size ? size : 1);
}
void *operator new[](std::size_t size, const std::nothrow_t &) noexcept {
    return std::malloc(size ? size : 1);
}

void operator delete(void *memory) noexcept { std::free(memory); }
void operator delete[](void *memory) noexcept { std::free(memory); }
void operator delete(void *memory, std::size_t) noexcept { std::free(memory); }
void operator delete[](void *memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void *memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete[](void *memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void *memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }
void operator delete[](void *memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }
