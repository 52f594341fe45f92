# Older libCZI asks for Eigen 3.3 or newer; the pinned Eigen is newer than all that any asks for.
set(PACKAGE_VERSION "${PACKAGE_FIND_VERSION}")
set(PACKAGE_VERSION_COMPATIBLE TRUE)
