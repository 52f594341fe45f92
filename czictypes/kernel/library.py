"""Loads the kernel. If none fits, numpy paints (`reading.fallback`)."""

from __future__ import annotations

import importlib
import logging
import os
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from numpy.typing import NDArray

_LOG = logging.getLogger(__name__)

_VARIABLE = "CZICTYPES_KERNEL"

_C_ARRAYS = {
    "i4": "int32_t[]", "i8": "int64_t[]", "i2": "int16_t[]", "u1": "uint8_t[]", "b1": "uint8_t[]",
    "f4": "float[]",
}  # fmt: skip
_ENDING = {"win32": ".dll", "darwin": ".dylib"}.get(sys.platform, ".so")
_BUNDLED = Path(__file__).resolve().parent.parent / "_native" / f"czictypes_kernel{_ENDING}"


class Kernel(NamedTuple):
    """A loaded kernel: its file, cffi's declarations, and its functions."""

    path: str
    ffi: Any
    lib: Any

    def pointer(self, column: NDArray[Any]) -> Any:
        """Return a typed pointer to a contiguous column, which the caller keeps alive."""
        return self.ffi.from_buffer(_C_ARRAYS[column.dtype.str[1:]], column)


class KernelInfo(NamedTuple):
    """The kernel in use.

    Attributes
    ----------
    path
        Its file; "" if numpy paints.
    version
        The version of its interface; 0 without a kernel.
    zstd
        Its version of zstd; "" without a kernel.
    reason
        The reason why there is none; "" if there is one.
    """

    path: str = ""
    version: int = 0
    zstd: str = ""
    reason: str = ""


def get_kernel() -> Kernel | None:
    """Return the kernel, loaded at the first call, or None if there is none that fits.

    The environment variable ``CZICTYPES_KERNEL`` names a file to load instead of the bundled
    kernel; 0 disables the kernel.
    """
    return _loaded(os.environ.get(_VARIABLE, ""))[0]


def kernel_info() -> KernelInfo:
    """Return a description of the kernel, or the reason why there is none."""
    kernel, reason = _loaded(os.environ.get(_VARIABLE, ""))
    if kernel is None:
        return KernelInfo(reason=reason)
    zstd = kernel.ffi.string(kernel.lib.czk_zstd_version()).decode("ascii")
    return KernelInfo(kernel.path, kernel.lib.czk_abi(), zstd)


@cache
def _loaded(named: str) -> tuple[Kernel | None, str]:
    kernel, reason = _load(named)
    if kernel is not None:
        _LOG.info("loaded the kernel from %s", kernel.path)
    else:
        # A file that is there, or that you name, should have loaded.
        is_expected = named != "0" and (bool(named) or _BUNDLED.exists())
        level = logging.WARNING if is_expected else logging.INFO
        _LOG.log(level, "reads are painted by numpy, without the kernel: %s", reason)
    return kernel, reason


def _load(named: str) -> tuple[Kernel | None, str]:
    if named == "0":
        return None, f"{_VARIABLE}=0 switches it off"
    path = named or str(_BUNDLED)
    try:
        ffi = importlib.import_module("czictypes.kernel._declarations").ffi
    except ModuleNotFoundError:
        return None, "its declarations are missing; python build_native.py writes them"
    if not named and not _BUNDLED.exists():
        return None, f"there is no {path}; python build_native.py builds it"
    try:
        lib = ffi.dlopen(path)
        version = lib.czk_abi()
    except (OSError, AttributeError, ffi.error) as error:
        return None, f"{path} cannot be loaded: {' '.join(str(error).split())}"
    if version != lib.CZK_ABI:
        return None, (
            f"{path} has version {version} of the interface, where czictypes needs {lib.CZK_ABI}; "
            "python build_native.py builds it anew"
        )
    return Kernel(path, ffi, lib), ""
