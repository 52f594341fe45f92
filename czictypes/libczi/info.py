"""Facts about the loaded library."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from czictypes.kernel.library import KernelInfo, kernel_info
from czictypes.libczi.functions import FUNCTIONS, Version, format_version
from czictypes.libczi.library import Library, get_library

#: So begins the branch that build_native.py writes into a library that it has patched.
_PATCHED = "czictypes patch "


class StreamClass(NamedTuple):
    """A kind of input stream that the library was built with."""

    name: str
    description: str


@dataclass(frozen=True)
class LibraryInfo:
    """The libCZI library in use, and the kernel of czictypes.

    Attributes
    ----------
    path
        The file, or the bare name that the system's loader found it by.
    origin
        How it was found: ``use_library``, ``CZICTYPES_LIBRARY``, ``bundled`` or ``system``.
    version
        libCZI's version: major, minor, patch.
    compiler, repository, branch, tag
        How it was built; "" where it does not tell.
    patch
        The patch of czictypes that it was built with, which keeps damaged JPEG XR data from
        crashing the process; "" for a library that is not patched.
    stream_classes
        The input streams it was built with.
    optional_functions
        For each function that not every version has, whether this one has it.
    kernel
        The kernel, which reads and paints tiles of all compressions but JPEG XR: its path, or the
        reason why there is none and numpy paints more slowly.
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
    """Return what is known of the libraries in use; loads them if none was loaded before.

    Raises
    ------
    LibraryNotFoundError, IncompatibleLibraryError
        As at every first use of the library.
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
