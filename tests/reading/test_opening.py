"""Opening: every kind of path, and files that are missing, wrong, damaged or changed."""

from __future__ import annotations

import gc
import io
import os
import shutil
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from extras import replaces_open_files
from files.recipe import build
from peers import pylibczirw

from czictypes import CziImage, czi
from czictypes.container.file_source import FileSource
from czictypes.kernel.tiles import Reads
from czictypes.model.errors import ClosedError, CorruptFileError, FileChangedError, NotCziError
from czictypes.reading.reader import open_document_of


def test_paths_of_every_kind_and_file_objects_read_alike(made) -> None:
    path = made("mosaic").path
    with czi.open_czi(str(path)) as document:
        expected = document.read()
    with path.open("rb") as file:
        for target in (path, os.fsencode(path), file, io.BytesIO(path.read_bytes())):
            with czi.open_czi(target) as document:
                np.testing.assert_array_equal(document.read(), expected)


def test_a_relative_path_survives_a_change_of_folder(
    made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = made("mosaic").path
    monkeypatch.chdir(path.parent)
    with czi.open_czi(path.name) as document:
        expected = document.read()
        monkeypatch.chdir(tmp_path)
        np.testing.assert_array_equal(document.read(), expected)


@pytest.mark.parametrize("name", ["Zürich µm.czi", "细胞 🔬.czi", "a'b\"c.czi"])
def test_names_in_any_script(made, tmp_path: Path, name: str) -> None:
    target = tmp_path / (name if sys.platform != "win32" else name.replace('"', "_"))
    shutil.copy(made("mosaic").path, target)
    with czi.open_czi(target) as document:
        assert document.read().shape == (44, 73, 1)


def test_a_name_that_is_no_utf8(made, tmp_path: Path) -> None:
    target = os.fsencode(tmp_path) + b"/caf\xe9.czi"
    try:
        shutil.copy(os.fsencode(made("mosaic").path), target)
    except (OSError, UnicodeDecodeError):
        pytest.skip("this system refuses names that are no UTF-8")
    with czi.open_czi(target) as document:
        assert document.read().shape == (44, 73, 1)


def test_closing_a_reader_leaves_the_callers_file_object_open(made) -> None:
    with made("mosaic").path.open("rb") as file:
        czi.open_czi(file).close()
        assert not file.closed


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="nothing there"):
        czi.open_czi(tmp_path / "nothing there.czi")


@pytest.mark.parametrize("second", ["w", "curl?", 5, None])
def test_a_second_argument_that_is_no_kind_of_input_is_refused(made, second: object) -> None:
    with pytest.raises(ValueError, match=r"ReaderFileInputTypes.*create_czi"):
        czi.open_czi(made("mosaic").path, second)


def test_the_input_types_of_pylibczirw_are_known(made) -> None:
    kinds = pylibczirw().ReaderFileInputTypes
    czi.open_czi(made("mosaic").path, kinds.Standard).close()
    with pytest.raises(FileNotFoundError, match="is not a URL"):
        czi.open_czi(str(made("mosaic").path), kinds.Curl)


def test_a_directory_is_named(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError, match=tmp_path.name):
        czi.open_czi(tmp_path)


def test_a_file_without_permission_is_named(users_folder: Path) -> None:
    target = users_folder / "locked.czi"
    target.write_bytes(b"ZISRAWFILE")
    target.chmod(0)
    with pytest.raises(PermissionError, match="locked"):
        czi.open_czi(target)


@pytest.mark.parametrize("content", [b"", b"x", b"II*\0" * 400], ids=["empty", "short", "tiff"])
def test_what_is_no_czi_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "other.czi"
    path.write_bytes(content)
    with pytest.raises(NotCziError, match=r"other\.czi"):
        czi.open_czi(path)


@pytest.mark.parametrize("kept", [40, 100, 600, 3000])
def test_a_truncated_file_is_refused_or_names_the_sub_block(
    made, tmp_path: Path, kept: int
) -> None:
    path = tmp_path / "cut.czi"
    path.write_bytes(made("mosaic").path.read_bytes()[:kept])
    with pytest.raises(CorruptFileError, match=r"cut\.czi"):
        czi.open_czi(path)


def test_text_is_no_file_object() -> None:
    with pytest.raises(TypeError, match="'rb'"):
        czi.open_czi(io.StringIO("x"))


def test_a_number_is_no_path() -> None:
    with pytest.raises(TypeError, match="path"):
        czi.open_czi(3.5)


def test_curl_wants_a_url(made) -> None:
    with pytest.raises(FileNotFoundError, match="URL"):
        czi.open_czi(str(made("mosaic").path), czi.ReaderFileInputTypes.Curl)


def test_without_with_it_is_closed_by_close(made) -> None:
    document = czi.open_czi(made("mosaic").path)
    assert not document.closed
    document.close()
    document.close()
    assert document.closed
    with pytest.raises(ClosedError, match="mosaic"):
        document.read()
    with pytest.raises(ClosedError):
        _ = document.total_bounding_box


def test_a_damaged_sub_block_is_named_and_others_are_read(made, tmp_path: Path) -> None:
    path = tmp_path / "damaged.czi"
    shutil.copy(made("mosaic").path, path)
    with czi.open_czi(path) as document:
        row = document.subblocks[3]
        expected = document.read_subblock(0).pixels()
    with path.open("r+b") as file:
        file.seek(int(row["file_position"]))
        file.write(b"garbage here")
    with czi.open_czi(path) as document:
        with pytest.raises(CorruptFileError, match=r"sub-block 3 .*damaged\.czi"):
            document.read_subblock(3).pixels()
        with pytest.raises(CorruptFileError, match="sub-block 3"):
            document.read(plane={"C": int(row["C"])})
        np.testing.assert_array_equal(document.read_subblock(0).pixels(), expected)


class TestChangedOnDisk:
    """A reader follows its file."""

    @replaces_open_files
    def test_the_next_call_sees_the_new_content(self, tmp_path: Path) -> None:
        path = build("mosaic", tmp_path).path
        options = czi.CacheOptions()
        with czi.open_czi(path, cache_options=options) as document:
            before = document.read()
            replacement = build("stack", tmp_path).path
            replacement.replace(path)
            assert document.total_bounding_box["T"] == (0, 3)
            assert document.read().shape != before.shape
            assert document.channel_names == ["A", "B"]

    @replaces_open_files
    def test_the_document_that_a_thread_holds_stays_the_same(self, tmp_path: Path) -> None:
        path, before = build("mosaic", tmp_path).path, build("stack", tmp_path).path
        with czi.open_czi(path) as document:
            box = document.total_bounding_box
            with open_document_of(document):
                with open_document_of(document):
                    before.replace(path)
                assert document.total_bounding_box == box
                with ThreadPoolExecutor(1) as other:
                    assert other.submit(lambda: document.total_bounding_box).result() != box
                assert document.total_bounding_box != box
            assert document.total_bounding_box != box

    def test_caches_are_dropped(self, tmp_path: Path) -> None:
        path = build("multi_scene_pyramid", tmp_path).path
        with czi.open_czi(path, cache_options=czi.CacheOptions()) as document:
            document.read(scene=0)
            assert document.get_cache_info().elements_count
            os.utime(path, ns=(1, 1))
            assert document.get_cache_info().elements_count == 0

    def test_a_file_that_became_unreadable_is_a_clear_error(self, tmp_path: Path) -> None:
        path = build("mosaic", tmp_path).path
        with czi.open_czi(path) as document:
            path.write_bytes(b"nonsense")
            with pytest.raises(FileChangedError, match=r"mosaic\.czi changed on disk"):
                document.read()

    @replaces_open_files
    def test_a_file_that_is_gone_is_a_clear_error(self, tmp_path: Path) -> None:
        path = build("mosaic", tmp_path).path
        with czi.open_czi(path) as document:
            path.unlink()
            with pytest.raises(FileChangedError, match=r"mosaic\.czi"):
                document.read()

    def test_it_reads_again_when_the_file_is_back(self, tmp_path: Path) -> None:
        path = build("mosaic", tmp_path).path
        content = path.read_bytes()
        with czi.open_czi(path) as document:
            expected = document.read()
            path.write_bytes(b"nonsense")
            with pytest.raises(FileChangedError):
                document.read()
            path.write_bytes(content)
            np.testing.assert_array_equal(document.read(), expected)


def change_at(patch: pytest.MonkeyPatch, number: int, change: Callable[[], object]) -> None:
    """Change the file before one of the reads from it, of Python or of the kernel."""
    read, of_kernel, calls = FileSource._read_into, (Reads.read, Reads.paint), [0]

    def count() -> None:
        calls[0] += 1
        if calls[0] == number:
            change()

    def read_into(source: FileSource, offset: int, buffer: memoryview) -> int:
        count()
        return read(source, offset, buffer)

    def paint_one(way: Callable[[Reads, int], Any]) -> Callable[[Reads, int], Any]:
        def paint(reads: Reads, slice_us: int) -> Any:
            count()
            return way(reads, 0)

        return paint

    patch.setattr(FileSource, "_read_into", read_into)
    for way in of_kernel:
        patch.setattr(Reads, way.__name__, paint_one(way))


class TestChangedInPlaceWhileItIsRead:
    """A read gives pixels of one version of the file, or an error."""

    @pytest.fixture
    def versions(self, tmp_path: Path) -> list[bytes]:
        found = []
        for value in (1, 2, 3):
            path = tmp_path / f"{value}.czi"
            with czi.create_czi(path, thumbnail=False) as document:
                for column in range(8 + (value == 3)):
                    pixels = np.full((512, 512), value, np.uint16)
                    document.write(pixels, location=(512 * column, 0))
            found.append(path.read_bytes())
        return found

    @pytest.mark.parametrize("number", [1, 4, 8])
    @pytest.mark.parametrize("kind", ["same size", "longer", "cut"])
    @pytest.mark.parametrize("way", ["read", "array", "sub-block"])
    def test_it_is_noticed(
        self,
        versions: list[bytes],
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        number: int,
        kind: str,
        way: str,
    ) -> None:
        path = tmp_path / "live.czi"
        path.write_bytes(versions[0])
        os.utime(path, ns=(1, 1))
        content = {"same size": versions[1], "longer": versions[2], "cut": versions[0][:9000]}[kind]

        def change() -> None:
            with path.open("r+b") as file:
                file.write(content)
                file.truncate()

        with CziImage(path, threads=1) as image:
            ways = {
                "read": image.reader.read,
                "array": lambda: image.data,
                "sub-block": lambda: [image.reader.read_subblock(at).pixels() for at in range(8)],
            }
            with monkeypatch.context() as patch:
                change_at(patch, number, change)
                with pytest.raises(FileChangedError, match=r"live\.czi"):
                    ways[way]()

    @replaces_open_files
    def test_a_file_that_takes_its_place_does_not_matter(
        self, versions: list[bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = tmp_path / "live.czi"
        path.write_bytes(versions[0])
        with czi.open_czi(path, threads=1) as document:
            with monkeypatch.context() as patch:
                change = (tmp_path / "2.czi").replace
                change_at(patch, 4, lambda: change(path))
                assert (document.read() == 1).all()
            assert (document.read() == 2).all()


@pytest.mark.skipif(sys.implementation.name != "cpython", reason="others free nothing at once")
def test_a_closed_reader_is_freed_without_the_garbage_collector(made) -> None:
    path = made("mosaic").path

    def use() -> None:
        with czi.open_czi(path) as document:
            document.read()
            document.read(zoom=0.5)
        assert document.total_bounding_rectangle.w > 0

    use()
    gc.collect()
    gc.disable()
    try:
        use()
        assert gc.collect() == 0
    finally:
        gc.enable()
