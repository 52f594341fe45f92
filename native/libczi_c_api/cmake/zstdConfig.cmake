# Found by libCZI's find_package(zstd): the target zstd::libzstd_static is in ../CMakeLists.txt.
set(zstd_FOUND TRUE)
