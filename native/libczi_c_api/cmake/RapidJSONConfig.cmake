# Found by libCZI's find_package(RapidJSON): the headers that build_native.py unpacked.
set(RAPIDJSON_INCLUDE_DIRS "${CZICTYPES_RAPIDJSON_DIR}")
set(RapidJSON_FOUND TRUE)
