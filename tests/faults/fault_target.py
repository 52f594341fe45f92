"""Lets each system call of a write fail in turn; run under the library that `shim.cpp` makes.

    LD_PRELOAD=shim.so python fault_target.py FOLDER OPERATION [EVERY]

For each call that changes something in the folder, and each way to fail, a forked child writes
and looks at what is there then. Lines of JSON tell what is wrong, the last one what was tried.
With EVERY, only every so manieth call fails. With 0 none does, but the power goes off after each:
what was not synced is there up to that call, or not at all.
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
import shutil
import struct
import sys
import traceback
from collections.abc import Callable, Iterator
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
    with czi.create_czi(folder / "a.czi", overwrite=True, compression="zstd0:") as document:
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
        "a.czi", lambda folder: czi.imwrite(folder / "a.czi", stack(2), axes="ZYX", overwrite=True)
    ),
    "copy": Operation(
        "a.czi", lambda folder: czi.copy(_source(folder), folder / "a.czi", overwrite=True)
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
                return min(len(document.pyramid_levels()), 2)
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
            czi.imwrite(base / "one.czi", stack(value)[0], overwrite=True)
            convert(base / "one.czi", base / png)
    if name.endswith(".tif") and not (base / "before.ome.tif").exists():
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
    names = ["czictypes.writing.pyramid.build"]
    if operation in ("tiff", "png", "to czi"):
        names += ["PIL.PngImagePlugin", "czictypes.exchange.convert"]
    if operation == "tiff":
        names += ["czictypes.exchange.tiff_files", "ome_types", "tifffile", "zarr"]
    for name in names:
        import_module(name)


class Record(NamedTuple):
    """A change in the folder: created, truncated, written, synced, renamed, linked, unlinked."""

    kind: str
    path: str
    other: str
    offset: int
    data: bytes


def _records(log: bytes) -> Iterator[Record]:
    at, head = 0, struct.Struct("<5q")
    while at < len(log):
        kind, path, other, offset, size = head.unpack_from(log, at)
        at += head.size
        texts = log[at : at + path], log[at + path : at + path + other]
        at += path + other
        yield Record(chr(kind), *map(os.fsdecode, texts), offset, log[at : at + size])
        at += size


class Disk:
    """The files of a folder as they are after a number of changes.

    Parameters
    ----------
    folder
        How it was before.
    keeps
        Whether what was not synced is kept.
    """

    def __init__(self, folder: Path, *, keeps: bool) -> None:
        self._keeps = keeps
        # by path: what is in the file now, and what is on the disk
        self._files = {
            str(path): [bytearray(path.read_bytes()), bytearray(path.read_bytes())]
            for path in folder.iterdir()
        }

    def apply(self, one: Record) -> None:
        files = self._files
        if one.kind == "c":
            files.setdefault(one.path, [bytearray(), bytearray()])
        elif one.kind == "r":
            files[one.other] = files.pop(one.path)
        elif one.kind == "l":
            files[one.other] = files[one.path]
        elif one.kind == "u":
            files.pop(one.path, None)
        elif one.path in files:  # not one that is open and has no name any more
            now, _ = files[one.path]
            if one.kind == "s":
                files[one.path][1] = bytearray(now)
            elif one.kind == "t":
                now[:] = now[: one.offset].ljust(one.offset, b"\0")
            else:
                now[len(now) :] = bytes(max(one.offset - len(now), 0))
                now[one.offset : one.offset + len(one.data)] = one.data

    def put(self, folder: Path) -> None:
        """Write the files to a folder."""
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        for name, (now, synced) in self._files.items():
            (folder / Path(name).name).write_bytes(now if self._keeps else synced)


def power_loss(shim: Any, base: Path, operation: str) -> None:
    """Carry out an operation once, and look at the folder after each of its changes."""
    folder, (name, act) = _made(base, operation), OPERATIONS[operation]
    disks = [Disk(folder, keeps=keeps) for keeps in (True, False)]
    log = os.open(base / "log", os.O_RDWR | os.O_CREAT | os.O_TRUNC)
    shim.fault_log(log)
    shim.fault_arm(os.fsencode(folder) + b"/", -1, 0, 0)
    act(folder)
    shim.fault_disarm()
    shim.fault_log(-1)
    records = list(_records((base / "log").read_bytes()))
    states = set()
    for number, record in enumerate(records):
        for disk in disks:
            disk.apply(record)
            disk.put(base / "after")
            try:
                states.add(pixel_of(base / "after" / name, operation))
            except Exception:
                wrong = f"after {record._replace(data=record.data[:20])}: {traceback.format_exc()}"
                print(json.dumps({"call": number, "way": "power", "wrong": wrong}), flush=True)
    whole = {"wrong": "", "calls": len(records), "states": sorted(states)}
    print(json.dumps(whole), flush=True)


def main(base: Path, operation: str, every: int = 1) -> None:
    """Let every call of an operation fail in every way."""
    shim = ctypes.CDLL(None)
    shim.fault_disarm.restype = ctypes.c_long
    shim.fault_arm.argtypes = [ctypes.c_char_p, ctypes.c_long, ctypes.c_int, ctypes.c_int]
    if not every:
        power_loss(shim, base, operation)
        return
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
