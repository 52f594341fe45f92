"""Bytes out of functions that tell their size first and copy them next."""

from __future__ import annotations

from typing import Any, Callable

__all__ = ["fetch_bytes"]


def fetch_bytes(ffi: Any, call: Callable[[Any, Any], None]) -> bytes:
    """Return what a C function copies.

    Parameters
    ----------
    call
        Calls the function with a ``uint64_t *`` (in: room, out: bytes there are) and a target,
        which may be NULL.
    """
    size = ffi.new("uint64_t *", 0)
    call(size, ffi.NULL)
    there = int(size[0])
    if there == 0:
        return b""
    buffer = bytearray(there)
    call(size, ffi.from_buffer(buffer))
    return bytes(buffer)
