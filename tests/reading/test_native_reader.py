"""The reader of libCZI is opened when it is needed, on the file that was opened."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from libczi.oracle import FullReader

import czictypes
from czictypes import czi
from czictypes.libczi import library
from czictypes.libczi.handle import live_handles
from czictypes.libczi.reader import ReaderHandle
from czictypes.libczi.streams import InputStream
from czictypes.model.errors import (
    ClosedError,
    CorruptFileError,
    LibraryNotFoundError,
    NativeCallError,
)
from czictypes.reading.native_reader import NativeReader
from czictypes.remote.open import open_source


def readers() -> list[str]:
    return [label for label in live_handles() if label.startswith("the reader")]


def test_what_is_stored_plainly_is_read_without_it(made) -> None:
    with czi.open_czi(made("mosaic").path) as document:
        document.read()
        assert document.metadata
        assert not readers()


def test_it_opens_once_for_all_threads(made) -> None:
    with open_source(made("jpegxr").path) as source, ThreadPoolExecutor(4) as pool:
        native = NativeReader(source)
        list(pool.map(lambda _: native.handle.sub_block_count, range(12)))
        assert len(readers()) == 1
        native.close()
    assert not readers()


def test_jpeg_xr_leaves_no_reader_behind(made) -> None:
    with czi.open_czi(made("jpegxr").path) as document, ThreadPoolExecutor(4) as pool:
        count = len(document.subblocks)
        list(pool.map(lambda index: document.read_subblock(index).pixels(), [*range(count)] * 3))
        assert not readers()


@pytest.fixture
def nothing_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    """No libCZI was loaded before."""
    monkeypatch.setattr(library, "_state", library._State())


@pytest.fixture
def no_library(nothing_loaded: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """No libCZI is anywhere."""
    monkeypatch.setattr(library, "candidates", lambda chosen=None: iter(()))
    monkeypatch.delenv(library.ENVIRONMENT_VARIABLE, raising=False)


@pytest.mark.usefixtures("nothing_loaded")
def test_a_named_library_that_is_missing_is_told_at_opening(
    made, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(library.ENVIRONMENT_VARIABLE, "/no/such/libCZIAPI.so")
    with pytest.raises(LibraryNotFoundError, match=r"/no/such/libCZIAPI\.so"):
        czi.open_czi(made("mosaic").path)


@pytest.mark.usefixtures("no_library")
def test_without_a_library_all_but_jpeg_xr_is_read(made) -> None:
    with czi.open_czi(made("mosaic").path) as document:
        assert document.read().any()
    with (
        closing(czi.open_czi(made("jpegxr").path)) as document,
        pytest.raises(LibraryNotFoundError, match="no libCZI library"),
    ):
        document.read()


@pytest.mark.usefixtures("no_library")
def test_the_search_is_not_repeated_until_one_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    assert library.find_library() is None
    there = Path(czictypes.__file__).parent / "_native" / library.library_names()[0]
    if not there.is_file():
        pytest.skip(f"no bundled library at {there}: run `python build_native.py`")
    tried = library.Candidate(str(there), "bundled")
    monkeypatch.setattr(library, "candidates", lambda chosen=None: iter([tried]))
    assert library.find_library() is None
    czictypes.use_library(None)
    assert library.find_library() is not None


def test_a_document_stays_with_the_library_it_was_opened_with(made, tmp_path: Path) -> None:
    before = library.get_library()
    with open_source(made("jpegxr").path) as source, closing(NativeReader(source)) as native:
        try:
            czictypes.use_library(shutil.copy(before.path, tmp_path))
            assert library.get_library() is not before
            assert native.handle.library is before
        finally:
            czictypes.use_library(None)


def test_a_file_that_was_replaced_is_still_the_one_that_was_opened(made, tmp_path: Path) -> None:
    path = Path(shutil.copy(made("jpegxr").path, tmp_path / "one.czi"))
    with open_source(path) as source, closing(NativeReader(source)) as native:
        Path(shutil.copy(made("mosaic").path, tmp_path / "other.czi")).replace(path)
        with FullReader.open(InputStream.from_path(made("jpegxr").path)) as expected:
            assert FullReader.statistics(native.handle) == expected.statistics()


def test_what_only_libczi_refuses_names_the_file_at_the_first_use(
    made, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: Any) -> ReaderHandle:
        raise NativeCallError("refused", "libCZI_ReaderOpen", 50)

    with open_source(made("jpegxr").path) as source, closing(NativeReader(source)) as native:
        with monkeypatch.context() as patched:
            patched.setattr(ReaderHandle, "open", refuse)
            with pytest.raises(CorruptFileError, match=r"libCZI cannot open .*jpegxr"):
                _ = native.handle
        assert native.handle.sub_block_count  # it is tried again


def test_it_does_not_open_after_close(made) -> None:
    with open_source(made("mosaic").path) as source:
        native = NativeReader(source)
        native.close()
        with pytest.raises(ClosedError, match="mosaic"):
            _ = native.handle
