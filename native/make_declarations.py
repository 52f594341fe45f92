"""Turns a header into the Python module of declarations that cffi reads at run time.

The module is in cffi's out-of-line ABI mode: plain Python, the same for every interpreter and
platform, so that czictypes needs neither a C compiler nor pycparser at run time.
"""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

__all__ = ["make"]

MODULE_NAME = "_declarations"

HERE = Path(__file__).resolve().parent
HEADER = HERE / "libczi_c_api" / "libczi_c_api.h"
TARGET = HERE.parent / "czictypes" / "libczi" / f"{MODULE_NAME}.py"


def make(header: Path = HEADER, target: Path = TARGET) -> Path:
    """Write the declarations of `header` to the Python file `target` and return its path.

    The file is replaced in one step, and left alone when its content would not change, so
    that builds running side by side do no harm to each other.

    Parameters
    ----------
    header
        C declarations without preprocessor lines; structures are taken as packed to 1 byte.
    target
        The module to write; its folder must exist.
    """
    import cffi  # a build requirement only here: importing this file must not need it

    ffi = cffi.FFI()
    ffi.cdef(header.read_text(encoding="utf-8"), packed=True)
    ffi.set_source(MODULE_NAME, None)
    with TemporaryDirectory(dir=str(target.parent), prefix=".declarations-") as folder:
        fresh = Path(folder) / target.name
        ffi.emit_python_code(str(fresh))
        if not target.exists() or target.read_bytes() != fresh.read_bytes():
            fresh.replace(target)
    return target


if __name__ == "__main__":
    print(make(*map(Path, sys.argv[1:3])))
