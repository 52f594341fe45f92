"""What pylibCZIrw raises as a RuntimeError is one here too: programs written for it catch that."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from peers import pylibczirw

from czictypes import czi, errors
from czictypes.container.file_source import FileSource
from czictypes.model.public import file_error, file_errors

GRAY = np.zeros((8, 9, 1), np.uint8)

Call = Callable[[Any, Path], Any]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Give a folder with a good file and what becomes of one."""
    good = tmp_path / "good.czi"
    with czi.create_czi(good, compression_options="zstd0:", thumbnail=False) as document:
        for z in range(3):
            document.write(GRAY, plane={"Z": z})
    data = good.read_bytes()
    pixels = data.index(b"\x28\xb5\x2f\xfd")
    files = {
        "empty": b"",
        "text": b"nothing but text\n" * 100,
        "short": b"text",
        "cut in the header": data[:100],
        "cut": data[:1500],
        "no directory": data.replace(b"ZISRAWDIRECTORY", b"ZISRAW_________"),
        "no sub-block": data.replace(b"ZISRAWSUBBLOCK", b"ZISRAW________"),
        "damaged pixels": data[:pixels] + b"\0\0\0\0" + data[pixels + 4 :],
        "bad XML": data.replace(b"<ImageDocument>", b"<ImageDocument<"),
        "other XML": data.replace(b"ImageDocument>", b"Picture______>"),
    }
    for name, content in files.items():
        (tmp_path / f"{name}.czi").write_bytes(content)
    (tmp_path / "folder.czi").mkdir()
    return tmp_path


def reading(name: str = "good", **arguments: Any) -> Call:
    def read(library: Any, folder: Path) -> Any:
        with library.open_czi(str(folder / f"{name}.czi")) as document:
            return document.read(**arguments)

    return read


def asking(name: str, question: Callable[[Any], Any]) -> Call:
    def ask(library: Any, folder: Path) -> Any:
        with library.open_czi(str(folder / f"{name}.czi")) as document:
            return question(document)

    return ask


def asking_the_closed(question: Callable[[Any], Any]) -> Call:
    def ask(library: Any, folder: Path) -> Any:
        with library.open_czi(str(folder / "good.czi")) as document:
            pass
        return question(document)

    return ask


def writing(name: str = "new", compression: str | None = None, **arguments: Any) -> Call:
    def write(library: Any, folder: Path) -> None:
        path = str(folder / f"{name}.czi")
        with library.create_czi(path, compression_options=compression) as document:
            document.write(GRAY, **arguments)

    return write


def editing(name: str, change: Callable[[Any], Any]) -> Call:
    def edit(library: Any, folder: Path) -> None:
        with library.edit_czi(str(folder / f"{name}.czi")) as editor:
            with editor.edit_session() as builder:
                change(builder)

    return edit


def enumerating(plane: Any) -> Call:
    return asking("good", lambda document: document.enumerate_subblocks_subset(bool, plane=plane))


COMPRESSIONS = ["hello", "zstd0", "zstd2:", "zstd0:ExplicitLevel=x", "zstd1:ExplicitLevel="]
DAMAGED = ["cut in the header", "cut", "no directory", "no sub-block", "damaged pixels"]

CALLS: dict[str, Call] = {
    **{f"opening {name}": reading(name) for name in ["nowhere", "folder", "good.czi/below"]},
    **{f"opening {name}": reading(name) for name in ["empty", "text", "short", *DAMAGED]},
    "a plane outside": reading(plane={"Z": 9}),
    "a plane below": reading(plane={"Z": -1}),
    "a scene that is no number": reading(scene="first", roi=(0, 0, 5, 5)),
    "XML that is none": asking("bad XML", lambda document: document.metadata),
    "attributes of such": asking("bad XML", lambda document: document.custom_attributes_metadata),
    **{f"enumerating {plane}": enumerating(plane) for plane in ["Q0", "hello", "C0C1"]},
    "enumerating text": enumerating({"C": "a"}),
    "closed: read": asking_the_closed(lambda document: document.read()),
    "closed: metadata": asking_the_closed(lambda document: document.raw_metadata),
    "closed: box": asking_the_closed(lambda document: document.total_bounding_box),
    "closed: scenes": asking_the_closed(lambda document: document.scenes_bounding_rectangle),
    "closed: types": asking_the_closed(lambda document: document.pixel_types),
    "closed: sub-blocks": asking_the_closed(lambda document: document.enumerate_subblocks(bool)),
    **{f"creating with {text}": writing(compression=text) for text in COMPRESSIONS},
    **{f"writing with {text}": writing(compression_options=text) for text in COMPRESSIONS},
    "writing to a folder": writing("folder"),
    "writing a name too long": writing("x" * 300),
    "editing a folder": editing("folder", lambda builder: None),
    "editing text": editing("text", lambda builder: None),
    "editing XML that is none": editing("bad XML", lambda builder: None),
    "editing other XML": editing("other XML", lambda builder: None),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_it_is_a_runtime_error(call: Call, folder: Path) -> None:
    with pytest.raises(RuntimeError) as caught:
        call(czi, folder)
    assert isinstance(caught.value, errors.CziError)
    assert isinstance(caught.value, (OSError, ValueError)), "and what a Python programmer expects"


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_so_is_pylibczirws(call: Call, folder: Path) -> None:
    with pytest.raises(RuntimeError):
        call(pylibczirw(), folder)


@pytest.mark.parametrize(
    ("use", "name", "expected"),
    [
        (use, name, expected)
        for use in (czi.open_czi, czi.edit_czi, czi.create_czi)
        for name, expected in (
            ("nowhere", FileNotFoundError),
            ("folder", IsADirectoryError),
            ("good.czi/below", NotADirectoryError),
            ("x" * 300, OSError),
        )
        if use is not czi.create_czi or expected in (IsADirectoryError, OSError)
    ],
)
def test_a_file_error_tells_all_that_the_builtin_tells(
    use: Callable[[Path], Any], name: str, expected: type[OSError], folder: Path
) -> None:
    path = folder / f"{name}.czi"
    with pytest.raises(expected) as caught:
        use(path)
    error = caught.value
    assert isinstance(error, errors.FileAccessError)
    assert error.errno
    assert error.filename == str(path)
    assert str(path) in str(error)
    copy = pickle.loads(pickle.dumps(error))
    assert (type(copy), str(copy), copy.errno) == (type(error), str(error), error.errno)


def test_a_file_that_is_there_already_is_the_builtin_error(folder: Path) -> None:
    for library in (czi, pylibczirw()):
        with pytest.raises(FileExistsError):
            library.create_czi(str(folder / "good.czi")).__enter__()


def test_a_failing_disk_is_told_while_reading(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> bytes:
        raise OSError(5, "Input/output error")

    with czi.open_czi(folder / "good.czi") as document:
        for name in ("pread", "preadv"):
            monkeypatch.setattr(os, name, fail, raising=False)  # PyPy has no preadv
        monkeypatch.setattr(FileSource, "descriptor", lambda source: -1)  # for the kernel
        with pytest.raises(RuntimeError, match=r"Input/output error.*good\.czi"):
            document.read()


def test_an_error_without_a_number_stays_as_it_is() -> None:
    error = OSError("the server is asleep")
    assert file_error(error, "a file") is error
    with pytest.raises(OSError, match="asleep") as caught, file_errors("a file"):
        raise error
    assert caught.value is error
    assert error.filename is None


@pytest.mark.parametrize("name", [name for name in errors.__all__ if name.endswith("Error")])
def test_every_error_is_a_runtime_error_with_its_message(name: str) -> None:
    kind = getattr(errors, name)
    assert issubclass(kind, RuntimeError)
    assert str(kind("why")) == "why"
