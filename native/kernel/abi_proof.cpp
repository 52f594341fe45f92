// Compiles only if cffi and the compiler lay out the structures of kernel.h alike: kernel_abi.inc
// has the sizes and places that cffi counts on, and is written by native/abi_names.py.

#include "internal.h"

#define STRUCTURE(name, size) \
    static_assert(sizeof(name) == size, "kernel.h: wrong size of struct " #name);
#define MEMBER(name, member, place) \
    static_assert(offsetof(name, member) == place, "kernel.h: wrong place of " #name "." #member);
#include "kernel_abi.inc"
