# Found by libCZI's find_package(Eigen3): the headers that build_native.py unpacked.
add_library(Eigen3::Eigen INTERFACE IMPORTED)
set_target_properties(Eigen3::Eigen PROPERTIES
    INTERFACE_INCLUDE_DIRECTORIES "${CZICTYPES_EIGEN_DIR}"
    INTERFACE_COMPILE_DEFINITIONS EIGEN_MPL2_ONLY)
set(Eigen3_FOUND TRUE)
