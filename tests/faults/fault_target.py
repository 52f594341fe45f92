"""Lets each system call of a write fail in turn; run under the library that `shim.cpp` makes.

    LD_PRELOAD=shim.so python fault_target.py FOLDER OPERATION [EVERY]

For each call that changes something in the folder, and each way to fail, a forked child writes
and looks at what is there then. Lines of JSON tell what is wrong, the last one what was tried.
With EVERY, only every so manieth call fails.
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
import shutil
import sys
import traceback
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from czictypes import convert, czi, library_info

__all__ = ["OPERATIONS", "pixel_of"]

WAYS = {"ENOSPC": errno.ENOSPC, "EIO": errno.EIO, "EINTR": errno.EINTR, "half": 0}
SIDE = 96


class Operation(NamedTuple):
    """A way to write `name`, whose pixels (or title) become 2 where they were 1."""

    name: str
    act: Callable[[Path], Any]


def stack(value: int) -> Any:
    return np.full((2, SIDE, SIDE), value, np.uint8)


def _create(folder: Path) -> None:
    with czi.create_czi(folder / "a.czi", exist_ok=True, compression_options="zstd0:") as document:
        for z in range(2):
            document.write(stack(2)[z], plane={"Z": z})


def _edit(folder: Path) -> None:
    with czi.edit_czi(folder / "a.czi") as editor, editor.edit_session() as session:
        session.set_general_document_info(title="2" * 9000)


def _pyramid(folder: Path) -> None:
    czi.add_pyramid(folder / "a.czi", czi.PyramidOptions(until=16))


def _source(folder: Path) -> Path:
    return folder.with_name("source.czi")


OPERATIONS = {
    "create": Operation("a.czi", _create),
    "imwrite": Operation(
        "a.czi", lambda folder: czi.imwrite(folder / "a.czi", stack(2), axes="ZYX", exist_ok=True)
    ),
    "copy": Operation(
        "a.czi", lambda folder: czi.copy(_source(folder), folder / "a.czi", exist_ok=True)
    ),
    "edit": Operation("a.czi", _edit),
    "pyramid": Operation("a.czi", _pyramid),
    "tiff": Operation(
        "a.ome.tif",
        lambda folder: convert(_source(folder), folder / "a.ome.tif", overwrite=True),
    ),
    "png": Operation(
        "a.png",
        lambda folder: convert(_source(folder), folder / "a.png", plane={"Z": 0}, overwrite=True),
    ),
    "to czi": Operation(
        "a.czi",
        lambda folder: convert(folder.with_name("source.png"), folder / "a.czi", overwrite=True),
    ),
}


def pixel_of(path: Path, operation: str) -> int:
    """Return 1 or 2: what is in the file that an operation writes; anything else is an error."""
    if path.suffix == ".czi":
        with czi.open_czi(path, threads=1) as document:
            if operation == "edit":
                return (
                    2
                    if document.metadata["ImageDocument"]["Metadata"]["Information"]["Document"]
                    .get("Title", "")
                    .startswith("2")
                    else 1
                )
            if operation == "pyramid":
                assert (document.read() == 1).all()
                return 1 + bool(document.pyramid_levels())
            pixels = document.read()
    elif path.suffix == ".png":
        from PIL import Image

        with Image.open(path) as picture:
            pixels = np.asarray(picture)
    else:
        import tifffile

        pixels = tifffile.imread(path)
    values = np.unique(pixels)
    assert len(values) == 1, f"pixels of {values}"
    return int(values[0])


def _made(base: Path, operation: str) -> Path:
    """Make the folder as it is before: the file with 1 in its pixels, and sources with 2 beside."""
    folder = base / "folder"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    name = OPERATIONS[operation].name
    if not (base / "source.czi").exists():
        czi.imwrite(base / "source.czi", stack(2), axes="ZYX")
        czi.imwrite(base / "before.czi", stack(1), axes="ZYX")
        for value, png in ((1, "before.png"), (2, "source.png")):
            czi.imwrite(base / "one.czi", stack(value)[0], exist_ok=True)
            convert(base / "one.czi", base / png)
        convert(base / "before.czi", base / "before.ome.tif")
    shutil.copy(base / name.replace("a", "before", 1), folder / name)
    return folder


def _in_child(act: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Run a function in a forked process, and return what it returns."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        try:
            told = act()
        except BaseException:
            told = {"wrong": traceback.format_exc()}
        os.write(writing, json.dumps(told).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as answers:
        answer = answers.read()
    os.waitpid(child, 0)
    return json.loads(answer) if answer else {"wrong": "the process died"}


def _trial(shim: Any, base: Path, operation: str, number: int, way: str) -> dict[str, Any]:
    """Let a call fail (none with -1); return what is wrong, and how many calls there were."""
    folder, act = _made(base, operation), OPERATIONS[operation].act
    failed: BaseException | None = None
    shim.fault_arm(os.fsencode(folder) + b"/", number, WAYS[way], int(way == "half"))
    try:
        act(folder)
    except Exception as error:
        failed = error
    finally:
        calls = shim.fault_disarm()
    wrong = _judged(folder, operation, failed)
    return {"calls": calls, "failed": failed is not None, "wrong": wrong}


def _judged(folder: Path, operation: str, failed: BaseException | None) -> str:
    name = OPERATIONS[operation].name
    found = sorted(entry.name for entry in folder.iterdir())
    if found != [name]:
        return f"the folder holds {found} after {failed!r}"
    try:
        state = pixel_of(folder / name, operation)
    except Exception:
        return f"after {failed!r}: {traceback.format_exc()}"
    if failed is None and state != 2:
        return "no error, but the file is the old one"
    if failed is not None and (not isinstance(failed, OSError) or name not in str(failed)):
        return f"the error does not name {name}: {failed!r}"
    return ""


def _import_all(operation: str) -> None:
    """Import now what each child would import; no threads are started."""
    library_info()
    for name in ("add_pyramid", "copy", "create_czi", "edit_czi", "imwrite", "open_czi"):
        getattr(czi, name)
    names = ["czictypes.writing.pyramid.write"]
    if operation in ("tiff", "png", "to czi"):
        names += ["PIL.PngImagePlugin", "czictypes.exchange.to_czi", "czictypes.exchange.from_czi"]
    if operation == "tiff":
        names += ["czictypes.exchange.tiff_target", "ome_types", "tifffile", "zarr"]
    for name in names:
        import_module(name)


def main(base: Path, operation: str, every: int = 1) -> None:
    """Let every call of an operation fail in every way."""
    shim = ctypes.CDLL(None)
    shim.fault_disarm.restype = ctypes.c_long
    shim.fault_arm.argtypes = [ctypes.c_char_p, ctypes.c_long, ctypes.c_int, ctypes.c_int]
    _import_all(operation)
    whole = _in_child(lambda: _trial(shim, base, operation, -1, "EIO"))
    tried = failures = 0
    for number in range(1, whole.get("calls", 0) + 1, every):
        for way in WAYS:
            told = _in_child(lambda: _trial(shim, base, operation, number, way))  # noqa: B023
            tried, failures = tried + 1, failures + bool(told.get("failed"))
            if told["wrong"]:
                print(json.dumps({"call": number, "way": way, "wrong": told["wrong"]}), flush=True)
    print(json.dumps({**whole, "tried": tried, "failures": failures}), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve(), sys.argv[2], *map(int, sys.argv[3:4]))
