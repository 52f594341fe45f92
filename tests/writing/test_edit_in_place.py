"""Metadata replaced in place: the file is valid at every moment, and nothing else changes."""

from __future__ import annotations

import io
import itertools
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from czictypes.container.directory import read_directory
from czictypes.container.edit import EditableFile, read_metadata, replace_metadata
from czictypes.container.segments import iter_segments, read_file_header
from czictypes.container.subblock import read_data_bytes, read_subblock_segment
from czictypes.model.errors import CorruptFileError, NotCziError
from czictypes.model.geometry import Rectangle, Size
from czictypes.model.pixel_types import PixelType
from czictypes.remote.open import open_source
from czictypes.writing.assembly import Assembly
from czictypes.writing.new_segments import EncodedSubBlock
from czictypes.writing.writer import create_czi


class Recorder(EditableFile):
    """A file that notes what is written to it; None stands for a sync."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.log: list[tuple[int, bytes] | None] = []

    def write_at(self, offset: int, data: bytes) -> None:
        super().write_at(offset, data)
        self.log.append((offset, bytes(data)))

    def sync(self) -> None:
        super().sync()
        self.log.append(None)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A document of two sub-blocks, an attachment and some metadata."""
    path = tmp_path / "edited.czi"
    with create_czi(path, compression="zstd0:") as document:
        for channel in range(2):
            document.write(np.full((30, 40), channel, np.uint16), plane={"C": channel})
        document.add_attachment("Note", "TXT", b"a note")
        document.write_metadata("before")
    return path


def edited(path: Path, xml: bytes) -> list[tuple[int, bytes] | None]:
    recorder = Recorder(path)
    with recorder as file:
        replace_metadata(file, xml)
    return recorder.log


def metadata_of(data: bytes) -> bytes:
    return read_metadata(open_source(io.BytesIO(data)))


def contents_of(data: bytes) -> list[bytes]:
    """The data of all sub-blocks, read as the file's directory says."""
    source = open_source(io.BytesIO(data))
    directory = read_directory(source, read_file_header(source))
    return [
        read_data_bytes(source, read_subblock_segment(source, directory, index))
        for index in range(directory.count)
    ]


def segments_of(data: bytes) -> list[str]:
    return [segment.id for segment in iter_segments(open_source(io.BytesIO(data)))]


def states_after_a_crash(before: bytes, log: list[tuple[int, bytes] | None]) -> Iterator[bytes]:
    """Every file that a crash may leave.

    Writes before a sync are there. Of those after it, any may be there or not, or in part.
    """
    data = bytearray(before)
    group: list[tuple[int, bytes]] = []
    for entry in [*log, None]:
        if entry is not None:
            group.append(entry)
            continue
        for chosen in itertools.product((0.0, 0.3, 0.9, 1.0), repeat=len(group)):
            state = bytearray(data)
            for part, (offset, content) in zip(chosen, group):
                # eight bytes within a sector are written at once or not at all
                length = int(part * len(content)) if len(content) > 8 else int(part) * len(content)
                put(state, offset, content[:length])
            yield bytes(state)
        for offset, content in group:
            put(data, offset, content)
        group = []


def put(data: bytearray, offset: int, content: bytes) -> None:
    if content:
        data.extend(bytes(max(offset - len(data), 0)))
        data[offset : offset + len(content)] = content


def test_editors_wait_for_each_other(path: Path) -> None:
    order = []

    def edit() -> None:
        with EditableFile(path) as other, other.locked():
            order.append("other")

    thread = threading.Thread(target=edit)
    with EditableFile(path) as file, file.locked():
        thread.start()
        thread.join(0.3)
        assert file.read_at(0, 10) == b"ZISRAWFILE"  # others may read it as well
        assert path.read_bytes()[:10] == b"ZISRAWFILE"
        order.append("first")
    thread.join()
    assert order == ["first", "other"]


@pytest.mark.parametrize("size", [10, 500, 5000])
@pytest.mark.parametrize("edits", [0, 1, 2, 3])
def test_a_crash_at_any_moment_leaves_the_old_or_the_new(path: Path, size: int, edits: int) -> None:
    for number in range(edits):
        edited(path, b"<edit/>" * (50 + 20 * number))
    before = path.read_bytes()
    old, new, pixels = metadata_of(before), b"<new>" + b"x" * size + b"</new>", contents_of(before)
    log = edited(path, new)
    seen = set()
    for state in states_after_a_crash(before, log):
        assert metadata_of(state) in (old, new)
        assert contents_of(state) == pixels
        seen.add(metadata_of(state))
    assert seen == {old, new}


def test_an_edit_after_a_crash_works(path: Path, tmp_path: Path) -> None:
    before = path.read_bytes()
    pixels = contents_of(before)
    log = edited(path, b"<new/>" * 100)
    for number, state in enumerate(states_after_a_crash(before, log)):
        crashed = tmp_path / f"{number}.czi"
        crashed.write_bytes(state)
        edited(crashed, b"<after/>" * 90)
        after = crashed.read_bytes()
        assert metadata_of(after) == b"<after/>" * 90
        assert contents_of(after) == pixels


def test_only_the_pointer_and_the_old_segment_change(path: Path) -> None:
    before = path.read_bytes()
    segments = {
        segment.position: segment for segment in iter_segments(open_source(io.BytesIO(before)))
    }
    old = segments[read_file_header(open_source(io.BytesIO(before))).metadata_position]
    edited(path, b"<new/>" * 1000)
    after = path.read_bytes()
    changed = [i for i, (a, b) in enumerate(zip(before, after)) if a != b]
    allowed = {*range(92, 100), *range(old.position, old.end)}
    assert set(changed) <= allowed


def test_the_text_that_was_replaced_is_wiped(path: Path) -> None:
    edited(path, b"<secret/>" * 200)
    edited(path, b"<new/>")
    assert b"secret" not in path.read_bytes()


def test_many_edits_do_not_make_the_file_grow(path: Path, rng: np.random.Generator) -> None:
    sizes = []
    for size in rng.integers(0, 3000, 40):
        xml = b"<a>" + b"x" * int(size) + b"</a>"
        edited(path, xml)
        data = path.read_bytes()
        sizes.append(len(data))
        assert metadata_of(data) == xml
        assert "ZISRAWMETADATA" in segments_of(data)
    assert sizes[-1] <= sizes[0] + 3 * 3400


def test_metadata_that_are_the_first_ones(tmp_path: Path) -> None:
    path = tmp_path / "none.czi"
    assembly = Assembly(path)
    assembly.commit()
    assert metadata_of(path.read_bytes()) == b""
    edited(path, b"<first/>")
    assert metadata_of(path.read_bytes()) == b"<first/>"


def test_bytes_behind_the_last_segment_are_left_alone(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"something of another program" * 50)
    edited(path, b"<new/>")
    edited(path, b"<newer/>")
    data = path.read_bytes()
    assert b"something of another program" * 50 in data
    assert metadata_of(data) == b"<newer/>"


def test_segments_that_nothing_refers_to_are_left_alone(path: Path) -> None:
    other = create_other(path.parent / "other.czi")
    with path.open("ab") as file:
        file.write(other)
    edited(path, b"<new/>")
    assert other in path.read_bytes()
    assert metadata_of(path.read_bytes()) == b"<new/>"


def create_other(path: Path) -> bytes:
    """The segments of another document, its file header left out."""
    assembly = Assembly(path)
    block = EncodedSubBlock(
        {"C": 0}, Rectangle(0, 0, 4, 1), Size(4, 1), PixelType.Gray8, 0, b"abcd"
    )
    assembly.add(block)
    assembly.commit()
    return path.read_bytes()[544:]


def test_a_failed_write_leaves_the_file_as_it_was(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = path.read_bytes()
    with EditableFile(path) as file:
        whole: Callable[[int, bytes], None] = file.write_at

        def half(offset: int, data: bytes) -> None:
            whole(offset, data[: len(data) // 2])
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(file, "write_at", half)
        with pytest.raises(OSError, match="No space left"):
            replace_metadata(file, b"<new/>" * 500)
    assert path.read_bytes() == before


def test_a_file_that_is_no_czi_is_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "not.czi"
    for content in (b"", b"short", b"x" * 1000):
        path.write_bytes(content)
        with EditableFile(path) as file, pytest.raises(NotCziError):
            replace_metadata(file, b"<new/>")
        assert path.read_bytes() == content


def test_a_damaged_file_is_not_touched(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[84:92] = (5).to_bytes(8, "little")  # the directory's position
    path.write_bytes(data)
    with EditableFile(path) as file, pytest.raises(CorruptFileError):
        replace_metadata(file, b"<new/>")
    assert path.read_bytes() == data


def test_a_missing_file_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"missing\.czi"):
        EditableFile(tmp_path / "missing.czi")
    with pytest.raises(IsADirectoryError):
        EditableFile(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_real_files_keep_their_pixels(every_real_file: Path, tmp_path: Path, peers: Any) -> None:
    path = tmp_path / "copy.czi"
    shutil.copyfile(every_real_file, path)
    path.chmod(0o600)
    pixels = contents_of(path.read_bytes())
    xml = metadata_of(path.read_bytes())
    for edit in (xml + b" " * 100, xml, b"<ImageDocument/>"):
        edited(path, edit)
        assert metadata_of(path.read_bytes()) == edit
    assert contents_of(path.read_bytes()) == pixels
    with peers.open_accessor(path):
        pass
