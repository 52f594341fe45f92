# The compilers of the Python package ziglang, for any platform. build_native.py passes:
#   CZICTYPES_ZIG            the program
#   CZICTYPES_ZIG_TRIPLE     the platform in zig's words
#   CZICTYPES_ZIG_SYSTEM     the platform in cmake's words
#   CZICTYPES_ZIG_PROCESSOR

set(CMAKE_TRY_COMPILE_PLATFORM_VARIABLES
    CZICTYPES_ZIG CZICTYPES_ZIG_TRIPLE CZICTYPES_ZIG_SYSTEM CZICTYPES_ZIG_PROCESSOR)
set(CMAKE_SYSTEM_NAME "${CZICTYPES_ZIG_SYSTEM}")
set(CMAKE_SYSTEM_PROCESSOR "${CZICTYPES_ZIG_PROCESSOR}")

# Every processor of the kind can run it; zig would take all that this one has.
set(CMAKE_C_COMPILER "${CZICTYPES_ZIG}" cc -mcpu=baseline)
set(CMAKE_CXX_COMPILER "${CZICTYPES_ZIG}" c++ -mcpu=baseline)
set(CMAKE_C_COMPILER_TARGET "${CZICTYPES_ZIG_TRIPLE}")
set(CMAKE_CXX_COMPILER_TARGET "${CZICTYPES_ZIG_TRIPLE}")
# Checks compile and do not link: for a program, zig would compile one more C++ library, for minutes.
set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)
set(CMAKE_ASM_COMPILER ${CMAKE_C_COMPILER} -target "${CZICTYPES_ZIG_TRIPLE}")
# Programs that cmake looks for on Windows and macOS, and that nothing here runs.
set(CMAKE_RC_COMPILER "${CZICTYPES_ZIG}")
set(CMAKE_INSTALL_NAME_TOOL "${CZICTYPES_ZIG}")
foreach(language C CXX)
    set(CMAKE_${language}_ARCHIVE_CREATE "\"${CZICTYPES_ZIG}\" ar qcD <TARGET> <OBJECTS>")
    set(CMAKE_${language}_ARCHIVE_APPEND "\"${CZICTYPES_ZIG}\" ar qD <TARGET> <OBJECTS>")
    set(CMAKE_${language}_ARCHIVE_FINISH "\"${CZICTYPES_ZIG}\" ranlib <TARGET>")
endforeach()

# libCZI's checks that run a program: no answer can be had while another platform is built for.
set(CRASH_ON_UNALIGNED_ACCESS 0 CACHE INTERNAL "")
set(IS_BIG_ENDIAN 0 CACHE INTERNAL "")
set(ADDITIONAL_LIBS_REQUIRED_FOR_ATOMIC "" CACHE INTERNAL "")
set(NEON_INTRINSICS_CAN_BE_USED 1 CACHE INTERNAL "")
