"""The native build of czictypes: how libCZI's C API becomes the one bundled shared library.

`build_native.py` beside this folder is the command; `hatch_build.py` calls it for the wheel.
Each module here has one step: sources, cache, fetch, unpack, toolchain, compiling, licence_texts,
stamp, wheel_tag. Nothing of this is installed.
"""
