"""Describe the loaded library."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from czictypes.kernel.library import KernelInfo, kernel_info
from czictypes.libczi.functions import FUNCTIONS, Version, format_version
from czictypes.libczi.library import Library, get_library

#: The start of the branch name that build_native.py writes into a patched library.
_PATCHED = "czictypes patch "


class StreamClass(NamedTuple):
    """A kind of input stream that the library supports."""

    name: str
    description: str


@dataclass(frozen=True)
class LibraryInfo:
    """The libCZI library in use, and the kernel of czictypes.

    Attributes
    ----------
    path
        The file, or a bare name that the system's loader found.
    origin
        How it was found: ``use_library``, ``CZICTYPES_LIBRARY``, ``bundled`` or ``system``.
    version
        libCZI's version: major, minor, patch.
    compiler, repository, branch, tag
        How it was built; "" if unknown.
    patch
        The patch of czictypes that it was built with, which keeps damaged JPEG XR data from
        crashing the process; "" for an unpatched library.
    stream_classes
        The kinds of input streams that it supports.
    optional_functions
        For each function that only some versions have, whether this version has it.
    kernel
        The kernel, which reads and paints tiles of all compressions except JPEG XR: its path, or
        the reason why it is missing, so that numpy paints more slowly.
    """

    path: str
    origin: str
    version: Version
    compiler: str
    repository: str
    branch: str
    tag: str
    patch: str
    stream_classes: tuple[StreamClass, ...]
    optional_functions: dict[str, bool]
    kernel: KernelInfo

    @property
    def version_text(self) -> str:
        """The version as text, ``"0.67.4"``."""
        return format_version(self.version)

    @property
    def is_patched(self) -> bool:
        """Whether its decoder of JPEG XR has the patch of czictypes."""
        return bool(self.patch)


def library_info() -> LibraryInfo:
    """Describe the libraries in use; load them if necessary.

    Returns
    -------
    LibraryInfo
        The paths, the versions and the features.

    Raises
    ------
    LibraryNotFoundError, IncompatibleLibraryError
        If the library cannot be loaded.
    """
    library = get_library()
    build = library.ffi.new("struct LibCZIBuildInformationInterop *")
    library.call("libCZI_GetLibCZIBuildInformation", build, what="ask how libCZI was built")
    compiler, repository, branch, tag = (
        library.take_text(text)
        for text in (
            build.compilerIdentification,
            build.repositoryUrl,
            build.repositoryBranch,
            build.repositoryTag,
        )
    )
    return LibraryInfo(
        path=library.path,
        origin=library.origin,
        version=library.version,
        compiler=compiler,
        repository=repository,
        branch=branch,
        tag=tag,
        patch=branch[len(_PATCHED) :] if branch.startswith(_PATCHED) else "",
        stream_classes=_stream_classes(library),
        optional_functions={
            name: library.has(name)
            for name, function in FUNCTIONS.items()
            if function.optional and not function.left_out
        },
        kernel=kernel_info(),
    )


def _stream_classes(library: Library) -> tuple[StreamClass, ...]:
    count = library.ffi.new("int32_t *")
    library.call("libCZI_GetStreamClassesCount", count, what="count libCZI's stream classes")
    classes = []
    for index in range(count[0]):
        info = library.ffi.new("struct InputStreamClassInfoInterop *")
        library.call(
            "libCZI_GetStreamClassInfo", index, info, what=f"describe stream class {index}"
        )
        classes.append(
            StreamClass(library.take_text(info.name), library.take_text(info.description))
        )
    return tuple(classes)
