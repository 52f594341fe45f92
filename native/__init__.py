"""The native build of czictypes: libCZI with its C API, and the kernel.

The command is `build_native.py` beside this folder; `hatch_build.py` calls it for the wheel. Each
module has one step: sources, cache, fetch, unpack, toolchain, compiling, licence_texts, stamp,
wheel_tag. None of this is installed.
"""
