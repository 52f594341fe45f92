"""Byte sources: paths and file objects, many threads, closing while others read."""

from __future__ import annotations

import io
import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest
from extras import replaces_open_files

from czictypes.container.file_source import extended_path
from czictypes.model.errors import ClosedError
from czictypes.remote.open import FileSource, StreamSource, open_source

CONTENT = bytes(range(256)) * 64


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "grün 細胞.bin"
    path.write_bytes(CONTENT)
    return path


def test_a_file_gives_bytes_by_position(path: Path) -> None:
    with FileSource(path) as source:
        assert source.size() == len(CONTENT)
        assert source.read_at(1000, 10) == CONTENT[1000:1010]
        assert source.read_at(0, 0) == b""


def test_only_the_end_of_a_file_makes_a_read_short(path: Path) -> None:
    with FileSource(path) as source:
        assert source.read_at(len(CONTENT) - 3, 10) == CONTENT[-3:]
        assert source.read_at(len(CONTENT) + 5, 10) == b""


@pytest.mark.parametrize("stream", [False, True])
def test_a_damaged_length_allocates_nothing(path: Path, stream: bool) -> None:
    with open_source(io.BytesIO(CONTENT) if stream else path) as source:
        assert source.read_at(10, 2**62) == CONTENT[10:]


@pytest.mark.parametrize(("offset", "count"), [(-1, 5), (0, -5)])
def test_negative_positions_are_refused(path: Path, offset: int, count: int) -> None:
    with FileSource(path) as source, pytest.raises(ValueError, match="cannot read"):
        source.read_at(offset, count)


@pytest.mark.parametrize("kind", [str, os.fsencode, Path])
def test_every_kind_of_path_opens(path: Path, kind: type) -> None:
    with open_source(kind(path)) as source:
        assert source.read_at(0, 4) == CONTENT[:4]
        assert source.name == str(path)


def test_a_file_ends_where_it_ends(path: Path) -> None:
    with FileSource(path) as source:
        assert source.read_at(len(CONTENT) - 1, 5) == CONTENT[-1:]
        assert source.read_at(len(CONTENT), 5) == b""
        assert source.read_at(1 << 40, 5) == b""


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (r"C:\short\scan.czi", r"C:\short\scan.czi"),
        (rf"C:\{'d' * 200}\scan.czi", rf"\\?\C:\{'d' * 200}\scan.czi"),
        (f"C:/{'d' * 200}/./x/../scan.czi", rf"\\?\C:\{'d' * 200}\scan.czi"),
        (rf"\\host\share\{'d' * 200}\a.czi", rf"\\?\UNC\host\share\{'d' * 200}\a.czi"),
        (f"//host/share/{'d' * 200}/a.czi", rf"\\?\UNC\host\share\{'d' * 200}\a.czi"),
        (rf"\\?\C:\{'d' * 200}\a.czi", rf"\\?\C:\{'d' * 200}\a.czi"),
        (rf"\\.\{'d' * 200}", rf"\\.\{'d' * 200}"),
    ],
)
def test_long_paths_of_windows_get_the_form_that_has_no_limit(given: str, expected: str) -> None:
    assert extended_path(given) == expected


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"missing\.czi"):
        open_source(tmp_path / "missing.czi")


def test_a_directory_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError) as caught:
        open_source(tmp_path)
    assert caught.value.filename == str(tmp_path)


def test_a_forbidden_file_is_named(users_folder: Path) -> None:
    path = users_folder / "file.bin"
    path.write_bytes(b"x")
    path.chmod(0)
    with pytest.raises(PermissionError, match=r"bin"):
        open_source(path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes in the file system here")
def test_a_pipe_is_refused_instead_of_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="not a regular file"):
        open_source(tmp_path / "pipe")


@pytest.mark.parametrize("target", [7, None, bytearray(b"x.czi"), object()])
def test_what_is_neither_path_nor_file_is_a_type_error(target: object) -> None:
    with pytest.raises(TypeError, match="give a path"):
        open_source(target)  # type: ignore[arg-type]


def test_a_source_is_taken_as_it_is(path: Path) -> None:
    with FileSource(path) as source:
        assert open_source(source) is source


def test_the_identity_changes_with_the_file(path: Path) -> None:
    with FileSource(path) as source:
        before = source.identity()
        assert before == source.opened_identity()
        path.write_bytes(CONTENT + b"more")
        assert source.identity() != before


@replaces_open_files
def test_a_replaced_file_is_told_from_the_opened_one(path: Path, tmp_path: Path) -> None:
    with FileSource(path) as source:
        other = tmp_path / "other"
        other.write_bytes(CONTENT)
        other.replace(path)
        assert source.identity() != source.opened_identity()


def test_a_changed_working_directory_keeps_the_identity(
    path: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(path.parent)
    with FileSource(path.name) as source:
        (tmp_path / "elsewhere").mkdir()
        monkeypatch.chdir(tmp_path / "elsewhere")
        assert source.identity() == source.opened_identity()


def test_after_close_nothing_is_read(path: Path) -> None:
    source = FileSource(path)
    source.close()
    source.close()
    assert source.closed
    for act in (lambda: source.read_at(0, 1), source.size, source.opened_identity):
        with pytest.raises(ClosedError, match="closed"):
            act()


class SlowStream(io.BytesIO):
    """Waits inside `read` until it is told to go on."""

    def __init__(self, content: bytes) -> None:
        super().__init__(content)
        self.reading = threading.Event()
        self.go_on = threading.Event()

    def read(self, count: int | None = -1) -> bytes:
        if count:
            self.reading.set()
            self.go_on.wait()
        return super().read(count)


def test_close_lets_a_read_in_flight_finish() -> None:
    stream = SlowStream(CONTENT)
    source = StreamSource(stream, owns=True)
    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(source.read_at, 5, 5)
        stream.reading.wait()
        source.close()
        assert not stream.closed
        stream.go_on.set()
        assert reading.result() == CONTENT[5:10]
    assert stream.closed


@pytest.mark.parametrize("stream", [False, True])
def test_many_threads_read_at_once(path: Path, stream: bool) -> None:
    offsets = [(17 * number) % len(CONTENT) for number in range(500)]
    with ExitStack() as stack:
        file = stack.enter_context(path.open("rb"))
        source = stack.enter_context(open_source(file if stream else path))
        pool = stack.enter_context(ThreadPoolExecutor(8))
        found = pool.map(lambda offset: source.read_at(offset, 16), offsets)
        assert list(found) == [CONTENT[offset : offset + 16] for offset in offsets]


def test_the_callers_stream_stays_open() -> None:
    stream = io.BytesIO(CONTENT)
    open_source(stream).close()
    assert not stream.closed


def test_a_stream_that_gives_little_at_a_time_is_read_to_the_end() -> None:
    class Dripping(io.BytesIO):
        def read(self, count: int | None = -1) -> bytes:
            return super().read(min(count or 0, 3))

    assert StreamSource(Dripping(CONTENT)).read_at(1, 10) == CONTENT[1:11]


def test_a_stream_has_no_identity() -> None:
    assert open_source(io.BytesIO(CONTENT)).identity() is None


def test_a_text_file_is_refused(path: Path) -> None:
    with path.open(encoding="latin-1") as file, pytest.raises(TypeError, match="mode 'rb'"):
        open_source(file)  # type: ignore[arg-type]


def test_a_file_open_for_writing_is_refused(tmp_path: Path) -> None:
    with (tmp_path / "new").open("wb") as file, pytest.raises(ValueError, match="not readable"):
        open_source(file)


def test_a_closed_stream_is_refused() -> None:
    stream = io.BytesIO()
    stream.close()
    with pytest.raises(ValueError, match="is closed"):
        open_source(stream)


@pytest.mark.skipif(sys.platform == "win32", reason="a pipe of Windows is another thing")
def test_a_stream_that_cannot_seek_is_refused() -> None:
    read_end, write_end = os.pipe()
    os.close(write_end)
    with os.fdopen(read_end, "rb") as file, pytest.raises(ValueError, match="not seekable"):
        open_source(file)


def test_what_a_source_is_called(path: Path) -> None:
    with path.open("rb") as file, open_source(file) as source:
        assert source.name == str(path)
    assert open_source(io.BytesIO()).name == "<BytesIO>"
    assert repr(source) == f"<StreamSource {str(path)!r} (closed)>"
