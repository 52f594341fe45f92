# zstd as the static library `zstd`, from the sources in CZICTYPES_ZSTD_DIR; included by the
# CMakeLists.txt of both libraries.

file(GLOB zstd_files "${CZICTYPES_ZSTD_DIR}/common/*.c" "${CZICTYPES_ZSTD_DIR}/compress/*.c"
    "${CZICTYPES_ZSTD_DIR}/decompress/*.c")
add_library(zstd STATIC ${zstd_files})
target_include_directories(zstd PUBLIC "${CZICTYPES_ZSTD_DIR}")
# Nothing of it is for others; its headers would say that all of it is.
target_compile_definitions(zstd PRIVATE ZSTD_LEGACY_SUPPORT=0
    ZSTDLIB_VISIBLE= ZSTDERRORLIB_VISIBLE=)
# Its loop for Huffman codes on x86-64, in assembly, decodes zstd0 tiles in 14 % less time than what
# gcc makes of the one in C (clang: 9 %). Sanitizers do not see into it, and MSVC cannot read it.
if(CMAKE_C_COMPILER_ID MATCHES "GNU|Clang" AND NOT MSVC AND NOT CZICTYPES_INSTRUMENT)
    enable_language(ASM)
    target_sources(zstd PRIVATE "${CZICTYPES_ZSTD_DIR}/decompress/huf_decompress_amd64.S")
else()
    target_compile_definitions(zstd PRIVATE ZSTD_DISABLE_ASM)
endif()
