"""All that names a file: URLs of any protocol, chains, UPath, OpenFile, open files of fsspec."""

from __future__ import annotations

import io
import pickle
import re
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

import numpy as np
import pytest
from extras import needs
from files.recipe import Made

from czictypes import czi
from czictypes.model.errors import (
    CorruptFileError,
    FileChangedError,
    MissingExtraError,
    RemoteError,
)
from czictypes.remote.open import FileSource, open_source
from remote.server import RangeServer

fsspec = needs("fsspec", "remote")

Make = Callable[[str], Made]


@pytest.fixture
def file(made: Make) -> Made:
    return made("multi_scene_pyramid")


@pytest.fixture
def memory(file: Made) -> Iterator[Any]:
    """Give fsspec's memory with the file in it, and in two archives."""
    system = fsspec.filesystem("memory")
    data = file.path.read_bytes()
    system.pipe_file("/folder/image.czi", data)
    for name, method in (("stored", zipfile.ZIP_STORED), ("packed", zipfile.ZIP_DEFLATED)):
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w", method) as written:
            written.writestr("other.txt", "x" * 1000)
            written.writestr("inner/image.czi", data)
        system.pipe_file(f"/{name}.zip", archive.getvalue())
    yield system
    for path in list(system.store):
        system.rm_file(path)


def check(target: Any, file: Made, **options: Any) -> None:
    """Compare what a target gives with what is known of the file."""
    scene = file.scenes[0]
    with czi.open_czi(target, **options) as document, czi.open_czi(file.path) as local:
        found = document.read(scene=scene)
        assert np.array_equal(found, local.read(scene=scene))
        assert document.raw_metadata == local.raw_metadata


@pytest.mark.parametrize(
    "url",
    [
        "memory://folder/image.czi",
        "memory:///folder/image.czi",
        "zip://inner/image.czi::memory://stored.zip",
        "zip://inner/image.czi::memory://packed.zip",
        "simplecache::memory://folder/image.czi",
        "filecache::memory://folder/image.czi",
        "blockcache::memory://folder/image.czi",
        "simplecache::zip://inner/image.czi::memory://packed.zip",
        "dir://image.czi::memory://folder",
    ],
)
def test_a_url(memory: Any, file: Made, url: str) -> None:
    check(url, file)


@pytest.mark.parametrize("name", ["stored", "packed"])
def test_an_archive_on_a_web_server(
    memory: Any, server: RangeServer, file: Made, name: str
) -> None:
    url = server.put("/archive.zip", memory.cat_file(f"/{name}.zip"))
    check(f"zip://inner/image.czi::{url}", file)


def test_of_an_archive_only_what_is_needed_travels(
    server: RangeServer, tmp_path: Path, rng: np.random.Generator
) -> None:
    tiles = rng.integers(0, 4000, (16, 256, 256, 1)).astype(np.uint16)
    with czi.create_czi(tmp_path / "a.czi") as writer:
        for number, tile in enumerate(tiles):
            writer.write(tile, location=(number % 4 * 256, number // 4 * 256))
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as written:
        written.write(tmp_path / "a.czi", "a.czi")
    url = server.put("/archive.zip", archive.getvalue())
    with czi.open_czi(f"zip://a.czi::{url}") as document:
        assert np.array_equal(document.read(roi=(256, 512, 256, 256)), tiles[9])
        assert server.sent < 600_000
        server.put("/archive.zip", archive.getvalue() + b" ")
        with pytest.raises(FileChangedError, match=r"archive\.zip changed"):
            document.read()


def test_a_file_that_is_not_in_the_archive(memory: Any) -> None:
    with pytest.raises(FileNotFoundError, match=r"no file 'none\.czi' in memory://stored\.zip"):
        czi.open_czi("zip://none.czi::memory://stored.zip")


def test_an_archive_on_disk(memory: Any, file: Made, tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(memory.cat_file("/stored.zip"))
    check(f"zip://inner/image.czi::{tmp_path}/a.zip", file)


def test_a_copy_of_a_file_on_a_web_server(server: RangeServer, file: Made, tmp_path: Path) -> None:
    url = server.put("/image.czi", file.path.read_bytes())
    options = {"simplecache": {"cache_storage": str(tmp_path / "copies")}}
    check(f"simplecache::{url}", file, storage_options=options)
    assert list((tmp_path / "copies").iterdir())


def test_a_cache_of_blocks_is_ours(server: RangeServer, file: Made) -> None:
    url = server.put("/image.czi", file.path.read_bytes())
    check(f"blockcache::{url}", file)


def test_a_upath(memory: Any, file: Made) -> None:
    path = needs("upath").UPath("memory://folder/image.czi")
    check(path, file)
    with czi.open_czi(path) as document:
        assert "memory://" in repr(document)


def test_a_upath_of_a_web_server(server: RangeServer, file: Made) -> None:
    url = server.put("/image.czi", file.path.read_bytes())
    check(needs("upath").UPath(url), file)


@pytest.mark.parametrize("form", ["upath", "file upath", "url", "open file"])
def test_a_local_file_by_another_name_is_a_local_file(file: Made, form: str) -> None:
    url = f"file://{file.path}"
    target = {
        "upath": lambda: needs("upath").UPath(file.path),
        "file upath": lambda: needs("upath").UPath(url),
        "url": lambda: url,
        "open file": lambda: fsspec.open(url),
    }[form]()
    with open_source(target) as source:
        assert isinstance(source, FileSource)
    check(target, file)


def test_an_open_file(memory: Any, file: Made) -> None:
    check(fsspec.open("memory://folder/image.czi"), file)


def test_an_open_file_for_text_is_refused(memory: Any) -> None:
    with pytest.raises(TypeError, match="mode 'rb'"):
        czi.open_czi(fsspec.open("memory://folder/image.czi", "rt"))


def test_a_file_that_fsspec_opened(server: RangeServer, file: Made) -> None:
    url = server.put("/image.czi", file.path.read_bytes())
    with fsspec.open(url) as opened:
        check(opened, file)
        assert not opened.closed


def test_a_file_in_memory_that_fsspec_opened(memory: Any, file: Made) -> None:
    with memory.open("/folder/image.czi", "rb") as opened:
        check(opened, file)


def test_a_file_that_was_closed_is_refused(server: RangeServer, file: Made) -> None:
    with fsspec.open(server.put("/image.czi", file.path.read_bytes())) as opened:
        pass
    with pytest.raises(ValueError, match="closed"):
        czi.open_czi(opened)


def test_an_unknown_protocol() -> None:
    with pytest.raises(FileNotFoundError, match=r"nosuch.*Protocol not known"):
        czi.open_czi("nosuch://a/b.czi")


def test_a_protocol_whose_package_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    known = needs("fsspec.registry").known_implementations
    missing = {"class": "no_such_package.System", "err": "Please install gcsfs to access GCS"}
    monkeypatch.setitem(known, "gs", missing)
    with pytest.raises(MissingExtraError, match=r"gs://a/b\.czi.*gcsfs.*czictypes\[gs\]"):
        czi.open_czi("gs://a/b.czi")


@pytest.mark.parametrize(
    ("protocol", "hint"),
    [("s3a", "'czictypes[s3]'"), ("abfs", "'czictypes[azure]'"), ("az", "'czictypes[azure]'")],
)
def test_the_hint_names_the_extra_of_the_protocol(
    monkeypatch: pytest.MonkeyPatch, protocol: str, hint: str
) -> None:
    known = needs("fsspec.registry").known_implementations
    monkeypatch.setitem(known, protocol, {"class": "no_such_package.System", "err": "Install it"})
    with pytest.raises(MissingExtraError, match=rf"pip install {re.escape(hint)}$"):
        czi.open_czi(f"{protocol}://a/b.czi")


def test_the_hint_names_the_package_of_a_protocol_without_an_extra(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    known = needs("fsspec.registry").known_implementations
    for module, package in (("smbclient.x", "smbprotocol"), ("no_such.System", "no-such")):
        missing = {"class": module, "err": "Install it"}
        monkeypatch.setitem(sys.modules, module.partition(".")[0], None)
        monkeypatch.setitem(known, "smb", missing)
        with pytest.raises(MissingExtraError, match=rf"pip install {package}$"):
            czi.open_czi("smb://a/b.czi")


def test_a_protocol_that_fsspec_learns_from_its_package_is_not_called_unknown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delitem(needs("fsspec.registry").known_implementations, "abfss", raising=False)
    with pytest.raises(MissingExtraError, match=r"czictypes\[azure\]"):
        czi.open_czi("abfss://a/b.czi")


@pytest.mark.parametrize("path", ["C://images/a.czi", "folder::a.czi", "a:b.czi"])
def test_what_only_looks_like_a_url_is_a_path(path: str) -> None:
    with pytest.raises(FileNotFoundError) as caught:
        czi.open_czi(path)
    assert not isinstance(caught.value, RemoteError)


@pytest.mark.parametrize("kind", [PurePosixPath, PureWindowsPath])
def test_a_url_that_became_a_path_is_told_without_its_credentials(kind: type) -> None:
    with pytest.raises(
        FileNotFoundError, match=r"is a URL.*'https://\*\*\*@host/a/b\.czi'"
    ) as caught:
        czi.open_czi(kind("https://me:secret@host/a/b.czi"))
    assert "secret" not in str(caught.value)


def test_a_path_where_a_url_is_asked_for(file: Made) -> None:
    with pytest.raises(FileNotFoundError, match="is not a URL"):
        czi.open_czi(str(file.path), czi.ReaderFileInputTypes.Curl)


def test_a_file_in_memory_that_is_replaced_is_opened_anew(memory: Any, made: Make) -> None:
    with czi.open_czi("memory://folder/image.czi") as document:
        document.read()
        memory.pipe_file("/folder/image.czi", made("mosaic").path.read_bytes())
        assert np.array_equal(document.read(plane={"C": 1}), made("mosaic").plane({"C": 1}))


def test_a_file_in_memory_that_goes_away(memory: Any) -> None:
    with czi.open_czi("memory://folder/image.czi") as document:
        memory.rm_file("/folder/image.czi")
        with pytest.raises(FileChangedError, match="memory://folder"):
            document.read()


def test_a_directory_is_no_file(memory: Any) -> None:
    with pytest.raises(OSError, match="directory"):
        czi.open_czi("memory://folder")


def test_a_broken_archive(memory: Any) -> None:
    memory.pipe_file("/broken.zip", b"PK no archive")
    with pytest.raises(CorruptFileError, match=r"broken\.zip cannot be read as a ZIP archive"):
        czi.open_czi("zip://a.czi::memory://broken.zip")


@pytest.mark.parametrize("kind", ["url", "upath", "open file"])
def test_a_pickled_reader_opens_the_same(memory: Any, file: Made, kind: str) -> None:
    url = "memory://folder/image.czi"
    target = {
        "url": lambda: url,
        "upath": lambda: needs("upath").UPath(url),
        "open file": lambda: fsspec.open(url),
    }[kind]()
    with czi.open_czi(target) as document:
        with pickle.loads(pickle.dumps(document)) as copied:
            assert np.array_equal(copied.read(), document.read())


def test_an_asynchronous_filesystem(memory: Any, file: Made) -> None:
    # any that is not the web's or S3's: it is asked for its information after each range
    wrapper = needs("fsspec.implementations.asyn_wrapper").AsyncFileSystemWrapper
    path = needs("fsspec.core").OpenFile(wrapper(memory, asynchronous=False), "/folder/image.czi")
    check(path, file)


def test_an_asynchronous_filesystem_whose_file_changes(memory: Any, made: Make) -> None:
    wrapper = needs("fsspec.implementations.asyn_wrapper").AsyncFileSystemWrapper
    path = needs("fsspec.core").OpenFile(wrapper(memory, asynchronous=False), "/folder/image.czi")
    padded = made("mosaic").path.read_bytes() + bytes(300_000)
    memory.pipe_file("/folder/image.czi", padded)
    small = {"czictypes": {"block_bytes": 512, "cache_bytes": 4096}}
    with czi.open_czi(path, storage_options=small) as document:
        memory.pipe_file("/folder/image.czi", padded)
        with pytest.raises(FileChangedError, match="changed on the server"):
            document.read()
