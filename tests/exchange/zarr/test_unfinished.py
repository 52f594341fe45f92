"""What fails on the way is marked as unfinished, and gone on with."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from extras import needs
from files.recipes import Made
from ome_zarrs import journal, ome, stored

from czictypes import from_ome_zarr, write_ome_zarr
from czictypes.exchange.ome_zarr.journal import Journal
from czictypes.exchange.ome_zarr.store import JOURNAL
from czictypes.model.errors import CorruptFileError, IncompleteOutputError, UnsupportedDataError

needs("zarr.abc.store", "ome-zarr")  # zarr 3
zarr = needs("zarr", "ome-zarr")

OPTIONS: dict[str, Any] = {"chunks": 128, "levels": 3}


class FullStore(zarr.storage.LocalStore):  # type: ignore[misc,name-defined]
    """A disk with room for so many objects."""

    room = 10**9

    async def set(self, key: str, value: Any) -> None:
        if key.rpartition("/")[2].isdigit():  # a chunk
            if self.room <= 0:
                raise OSError(errno.ENOSPC, "No space left on device", str(self.root / key))
            self.room -= 1
        await super().set(key, value)


@pytest.fixture(autouse=True)
def _small_tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have more than one task, of files as small as these."""
    monkeypatch.setattr("czictypes.exchange.ome_zarr.tasks._AT_ONCE", 1 << 16)


@pytest.fixture
def complete(mosaic_czi: Path, tmp_path: Path) -> dict[str, bytes]:
    """The store as it is to be."""
    write_ome_zarr(mosaic_czi, tmp_path / "complete.ome.zarr", **OPTIONS)
    return stored(tmp_path / "complete.ome.zarr")


def interrupted(source: Path, dest: Path, room: int, **options: Any) -> IncompleteOutputError:
    store = FullStore(dest)
    store.room = room
    with pytest.raises(IncompleteOutputError) as caught:
        write_ome_zarr(source, store, **{**OPTIONS, **options})
    return caught.value


def test_a_full_disk_is_told_with_what_to_do(mosaic_czi: Path, dest: Path) -> None:
    error = interrupted(mosaic_czi, dest, 50)
    assert "No space left on device" in str(error)
    assert "resume=True" in str(error)
    assert isinstance(error.__cause__, OSError)


def test_a_journal_of_before_is_enough_where_none_can_be_written(
    mosaic_czi: Path, dest: Path, complete: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    write = Journal.write

    def once(journal: Journal) -> None:
        if journal.is_kept:
            raise OSError("no more of it")
        write(journal)

    with monkeypatch.context() as patch:
        patch.setattr(Journal, "write", once)
        error = interrupted(mosaic_czi, dest, 30)
    assert "resume=True goes on from what could be noted before" in str(error)
    write_ome_zarr(mosaic_czi, dest, resume=True, **OPTIONS)
    assert stored(dest) == complete


@pytest.mark.parametrize("room", [0, 30, 200])
@pytest.mark.parametrize("threads", [1, 3])
def test_resume_finishes_it(
    mosaic_czi: Path, dest: Path, complete: dict[str, bytes], room: int, threads: int
) -> None:
    interrupted(mosaic_czi, dest, room, threads=threads)
    write_ome_zarr(mosaic_czi, dest, resume=True, **OPTIONS)
    assert stored(dest) == complete


def test_what_is_done_is_not_done_again(mosaic_czi: Path, dest: Path) -> None:
    interrupted(mosaic_czi, dest, 150, threads=1)
    calls: list[tuple[int, int]] = []
    write_ome_zarr(
        mosaic_czi, dest, resume=True, progress=lambda *both: calls.append(both), **OPTIONS
    )
    assert calls[0][0] > 1
    assert calls[-1][0] == calls[-1][1]


def test_it_can_be_interrupted_again_and_again(
    mosaic_czi: Path, dest: Path, complete: dict[str, bytes]
) -> None:
    interrupted(mosaic_czi, dest, 70, threads=1)
    for _ in range(10):
        store = FullStore(dest)
        store.room = 70
        try:
            write_ome_zarr(mosaic_czi, store, resume=True, threads=1, **OPTIONS)
        except IncompleteOutputError:
            continue
        break
    assert stored(dest) == complete


def test_an_unfinished_store_does_not_look_like_an_image(mosaic_czi: Path, dest: Path) -> None:
    interrupted(mosaic_czi, dest, 50)
    assert ome(dest) == {}
    assert journal(dest)["plan"]["version"] == "0.5"
    with pytest.raises(UnsupportedDataError, match="unfinished"):
        from_ome_zarr(dest, dest.with_suffix(".czi"))


def test_a_finished_store_has_no_journal(complete: dict[str, bytes]) -> None:
    assert JOURNAL not in complete


def test_an_interrupt_of_the_user_can_be_gone_on_with(
    mosaic_czi: Path, dest: Path, complete: dict[str, bytes]
) -> None:
    def stop(done: int, total: int) -> None:
        if done > total // 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_ome_zarr(mosaic_czi, dest, progress=stop, **OPTIONS)
    write_ome_zarr(mosaic_czi, dest, resume=True, **OPTIONS)
    assert stored(dest) == complete


def test_a_broken_source_is_told_and_the_rest_is_kept(
    made: Callable[[str], Made], tmp_path: Path, dest: Path
) -> None:
    data = bytearray(made("mosaic").path.read_bytes())
    at = data.rindex(b"ZISRAWSUBBLOCK")
    data[at : at + 14] = b"XXXXXXXXXXXXXX"
    broken = tmp_path / "broken.czi"
    broken.write_bytes(data)
    with pytest.raises(IncompleteOutputError, match="unfinished") as caught:
        write_ome_zarr(broken, dest, chunks=16)
    assert isinstance(caught.value.__cause__, CorruptFileError)
    assert (dest / JOURNAL).exists()


@pytest.mark.parametrize(
    ("other", "what"),
    [
        ({"chunks": 32}, "chunks"),
        ({"version": "0.4"}, "version"),
        ({"levels": 2}, "levels"),
        ({"compression": "lz4"}, "compression"),
    ],
)
def test_only_the_same_call_goes_on(
    mosaic_czi: Path, dest: Path, other: dict[str, Any], what: str
) -> None:
    interrupted(mosaic_czi, dest, 50)
    before = stored(dest)
    with pytest.raises(ValueError, match=f"another.* {what}"):
        write_ome_zarr(mosaic_czi, dest, resume=True, **{**OPTIONS, **other})
    assert stored(dest) == before


def test_another_source_is_not_gone_on_with(
    mosaic_czi: Path, made: Callable[[str], Made], dest: Path
) -> None:
    interrupted(mosaic_czi, dest, 50)
    with pytest.raises(ValueError, match="another source"):
        write_ome_zarr(made("single").path, dest, resume=True)


def test_what_is_there_is_not_touched(mosaic_czi: Path, dest: Path) -> None:
    write_ome_zarr(mosaic_czi, dest, **OPTIONS)
    before = stored(dest)
    with pytest.raises(FileExistsError, match="overwrite=True"):
        write_ome_zarr(mosaic_czi, dest)
    with pytest.raises(FileExistsError, match="complete"):
        write_ome_zarr(mosaic_czi, dest, resume=True)
    assert stored(dest) == before


def test_an_unfinished_one_is_told_apart(mosaic_czi: Path, dest: Path) -> None:
    interrupted(mosaic_czi, dest, 50)
    with pytest.raises(FileExistsError, match="resume=True finishes it"):
        write_ome_zarr(mosaic_czi, dest)


def test_overwrite_begins_anew(mosaic_czi: Path, dest: Path, complete: dict[str, bytes]) -> None:
    interrupted(mosaic_czi, dest, 50, version="0.4")
    write_ome_zarr(mosaic_czi, dest, overwrite=True, **OPTIONS)
    assert stored(dest) == complete


def test_only_a_zarr_store_is_overwritten(mosaic_czi: Path, dest: Path) -> None:
    dest.mkdir()
    (dest / "thesis.txt").write_text("years of work")
    with pytest.raises(ValueError, match="no Zarr store"):
        write_ome_zarr(mosaic_czi, dest, overwrite=True)
    assert (dest / "thesis.txt").exists()


def test_a_file_is_no_store(mosaic_czi: Path, dest: Path) -> None:
    dest.write_text("a file")
    with pytest.raises(NotADirectoryError):
        write_ome_zarr(mosaic_czi, dest)


def test_a_journal_that_is_no_journal_is_told(mosaic_czi: Path, dest: Path) -> None:
    interrupted(mosaic_czi, dest, 50)
    (dest / JOURNAL).write_text("{")
    with pytest.raises(ValueError, match="cannot be read"):
        write_ome_zarr(mosaic_czi, dest, resume=True, **OPTIONS)


def test_what_a_killed_process_left_half_written_goes(
    mosaic_czi: Path, dest: Path, complete: dict[str, bytes]
) -> None:
    interrupted(mosaic_czi, dest, 50)
    (dest / "0" / "c.0123.partial").write_bytes(b"half")
    write_ome_zarr(mosaic_czi, dest, resume=True, **OPTIONS)
    assert stored(dest) == complete


@pytest.mark.skipif(os.name != "posix", reason="modes of files are those of POSIX")
def test_a_folder_that_is_overwritten_is_as_private_as_before(
    mosaic_czi: Path, tmp_path: Path
) -> None:
    dest = tmp_path / "private.ome.zarr"
    write_ome_zarr(mosaic_czi, dest, **OPTIONS)
    dest.chmod(0o700)
    write_ome_zarr(mosaic_czi, dest, overwrite=True, **OPTIONS)
    assert stat.S_IMODE(dest.stat().st_mode) == 0o700
