// Compiles only if cffi and the compiler agree on the layout of the structures of kernel.h.
// native/abi_names.py writes kernel_abi.inc with the sizes and offsets that cffi uses.

#include "internal.h"

#define STRUCTURE(name, size) \
    static_assert(sizeof(name) == size, "kernel.h: wrong size of struct " #name);
#define MEMBER(name, member, place) \
    static_assert(offsetof(name, member) == place, "kernel.h: wrong place of " #name "." #member);
#include "kernel_abi.inc"
