# Links a shared library that needs nothing but the system, and exports only the names that begin
# with `prefix`, on Windows those of exports.def; included by the CMakeLists.txt of both libraries.
function(link_self_contained library prefix)
    set_target_properties(${library} PROPERTIES
        PREFIX ""
        OUTPUT_NAME ${library}
        LIBRARY_OUTPUT_DIRECTORY "$<1:${CMAKE_BINARY_DIR}/out>"
        RUNTIME_OUTPUT_DIRECTORY "$<1:${CMAKE_BINARY_DIR}/out>")
    if(WIN32)
        # Otherwise all is exported that no attribute hides.
        target_sources(${library} PRIVATE "${CZICTYPES_ABI_NAMES_DIR}/exports.def")
    endif()
    if(MSVC)
        return()
    endif()
    set(release TRUE)
    if(CZICTYPES_INSTRUMENT)
        set(release FALSE)
    endif()
    if(APPLE)
        target_link_options(${library} PRIVATE "LINKER:-dead_strip")
        if(CZICTYPES_ZIG)  # whose linker takes no list of exports: everything else is hidden instead
            target_sources(${library} PRIVATE "${CMAKE_CURRENT_FUNCTION_LIST_DIR}/allocation.cpp")
            target_compile_options(${library} PRIVATE
                "$<$<COMPILE_LANGUAGE:CXX>:-fvisibility-global-new-delete=force-hidden>")
            target_link_options(${library} PRIVATE -s)
        else()
            target_link_options(${library} PRIVATE "LINKER:-exported_symbol,_${prefix}*" "LINKER:-x")
        endif()
    elseif(WIN32)
        target_link_options(${library} PRIVATE -s)
    else()
        set(exports "${CMAKE_CURRENT_BINARY_DIR}/exports.map")
        file(WRITE "${exports}" "{ global: ${prefix}*; local: *; };\n")
        target_link_options(${library} PRIVATE
            "LINKER:--version-script=${exports}" "LINKER:--gc-sections")
        if(release)
            target_link_options(${library} PRIVATE "LINKER:--no-undefined" -s)
        endif()
        if(CZICTYPES_ZIG)
            # What is registered for the end of a thread or of the program stays behind when a
            # library that zig links is unloaded, so it must never be.
            target_link_options(${library} PRIVATE "LINKER:-z,nodelete")
        endif()
    endif()
    if(release AND NOT APPLE AND NOT CZICTYPES_ZIG)  # zig always links its own
        target_link_options(${library} PRIVATE -static-libstdc++ -static-libgcc)
    endif()
endfunction()
