"""A file appears when complete; nothing is left of one that is not."""

from __future__ import annotations

import errno
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from czictypes.container.file_source import FileSource
from czictypes.model.errors import FilePermissionError
from czictypes.writing import atomic
from czictypes.writing.atomic import AtomicFile, keep_access, remove_folder

posix_only = pytest.mark.skipif(sys.platform == "win32", reason="about POSIX file systems")


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def write(path: Path, data: bytes, *, overwrite: bool = False) -> None:
    file = AtomicFile(path, overwrite=overwrite)
    file.write_at(0, memoryview(data))
    file.commit()


def test_a_file_appears_at_commit_and_not_before(tmp_path: Path) -> None:
    path = tmp_path / "new.czi"
    file = AtomicFile(path, overwrite=False)
    file.write_at(3, memoryview(b"def"))
    file.write_at(0, memoryview(b"abc"))
    assert not path.exists()
    file.commit()
    assert path.read_bytes() == b"abcdef"
    assert names(tmp_path) == ["new.czi"]


def test_abort_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "old.czi"
    path.write_bytes(b"old")
    file = AtomicFile(path, overwrite=True)
    file.write_at(0, memoryview(b"new"))
    file.abort()
    file.abort()
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["old.czi"]


def test_a_file_that_is_forgotten_leaves_nothing(tmp_path: Path) -> None:
    file = AtomicFile(tmp_path / "lost.czi", overwrite=False)
    file.write_at(0, memoryview(b"new"))
    finalizer = file._abort
    del file
    finalizer()  # what the garbage collector, or the end of the interpreter, calls
    assert names(tmp_path) == []


def test_missing_folders_are_made(tmp_path: Path) -> None:
    write(tmp_path / "a" / "b" / "new.czi", b"x")
    assert (tmp_path / "a" / "b" / "new.czi").read_bytes() == b"x"


def test_an_existing_file_is_replaced_only_when_that_is_allowed(tmp_path: Path) -> None:
    path = tmp_path / "old.czi"
    path.write_bytes(b"old")
    with pytest.raises(FileExistsError, match=r"overwrite=True.*old\.czi"):
        AtomicFile(path, overwrite=False)
    write(path, b"new", overwrite=True)
    assert path.read_bytes() == b"new"


def test_a_file_that_appeared_meanwhile_is_not_replaced(tmp_path: Path) -> None:
    path = tmp_path / "raced.czi"
    file = AtomicFile(path, overwrite=False)
    path.write_bytes(b"faster")
    with pytest.raises(FileExistsError):
        file.commit()
    file.abort()
    assert path.read_bytes() == b"faster"
    assert names(tmp_path) == ["raced.czi"]


def test_without_hard_links_a_file_is_renamed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_links(*_: object) -> None:
        raise PermissionError(errno.EPERM, "no hard links here")

    monkeypatch.setattr(os, "link", no_links)
    write(tmp_path / "new.czi", b"x")
    assert names(tmp_path) == ["new.czi"]


def in_use(number: int) -> PermissionError:
    """Return an error as Windows has it for a file that is open."""
    error = PermissionError(errno.EACCES, "Access is denied")
    error.winerror = number  # type: ignore[attr-defined, unused-ignore]
    return error


@pytest.mark.parametrize("number", [5, 32, 33])
def test_a_file_that_is_open_for_a_moment_is_replaced_afterwards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    path, replace, refusals = tmp_path / "scanned.czi", Path.replace, [in_use(number)] * 3

    def refuse_first(source: Path, target: Path) -> None:
        if refusals:
            raise refusals.pop()
        replace(source, target)

    path.write_bytes(b"old")
    monkeypatch.setattr(Path, "replace", refuse_first)
    write(path, b"new", overwrite=True)
    assert (path.read_bytes(), refusals) == (b"new", [])


def test_a_file_that_stays_open_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise in_use(5)

    path = tmp_path / "open.czi"
    path.write_bytes(b"old")
    monkeypatch.setattr(Path, "replace", refuse)
    monkeypatch.setattr(atomic, "_PAUSES", (0.0,))
    file = AtomicFile(path, overwrite=True)
    with pytest.raises(FilePermissionError, match=r"open in a program.*open\.czi"):
        file.commit()
    file.abort()
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["open.czi"]


def test_other_refusals_are_told_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(errno.EPERM, "not yours")

    path = tmp_path / "owned.czi"
    path.write_bytes(b"old")
    monkeypatch.setattr(Path, "replace", refuse)
    monkeypatch.setattr(atomic, "_PAUSES", (1000.0,))
    file = AtomicFile(path, overwrite=True)
    with pytest.raises(FilePermissionError, match="not yours"):
        file.commit()
    file.abort()


@pytest.mark.skipif(sys.platform != "win32", reason="other systems replace files that are open")
def test_windows_replaces_no_file_that_is_open(tmp_path: Path) -> None:
    path = tmp_path / "open.czi"
    path.write_bytes(b"old")
    with FileSource(path) as source:
        file = AtomicFile(path, overwrite=True)
        with pytest.raises(FilePermissionError, match="open in a program"):
            file.commit()
        file.abort()
        assert source.read_at(0, 3) == b"old"
    write(path, b"new", overwrite=True)
    assert path.read_bytes() == b"new"


def test_a_folder_is_no_target(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError):
        AtomicFile(tmp_path, overwrite=True)
    with pytest.raises(IsADirectoryError):
        AtomicFile(f"{tmp_path}{os.sep}new{os.sep}", overwrite=True)


@posix_only
def test_a_device_is_never_replaced() -> None:
    with pytest.raises(OSError, match="not an ordinary file"):
        AtomicFile("/dev/null", overwrite=True)
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)


@posix_only
def test_a_link_stays_and_its_file_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "file.czi").write_bytes(b"old")
    (tmp_path / "link.czi").symlink_to(tmp_path / "real" / "file.czi")
    write(tmp_path / "link.czi", b"new", overwrite=True)
    assert (tmp_path / "link.czi").is_symlink()
    assert (tmp_path / "real" / "file.czi").read_bytes() == b"new"


@posix_only
def test_the_mode_follows_the_file_before_or_the_umask(tmp_path: Path) -> None:
    old = tmp_path / "old.czi"
    old.write_bytes(b"old")
    old.chmod(0o640)
    write(old, b"new", overwrite=True)
    assert stat.S_IMODE(old.stat().st_mode) == 0o640
    plain = tmp_path / "plain"
    plain.write_bytes(b"")
    write(tmp_path / "new.czi", b"x")
    assert (tmp_path / "new.czi").stat().st_mode == plain.stat().st_mode


@posix_only
@pytest.mark.parametrize("mode", [0o600, 0o640, 0o644])
def test_nobody_else_reads_the_new_content_of_a_file_before_it_is_there(
    tmp_path: Path, mode: int
) -> None:
    path = tmp_path / "private.czi"
    path.write_bytes(b"old")
    path.chmod(mode)
    file = AtomicFile(path, overwrite=True)
    assert stat.S_IMODE(file.temporary.stat().st_mode) == 0o600
    file.commit()
    assert stat.S_IMODE(path.stat().st_mode) == mode


@pytest.mark.skipif(not hasattr(os, "setxattr"), reason="a system without extended attributes")
def test_extended_attributes_stay(tmp_path: Path) -> None:
    path = tmp_path / "marked.czi"
    path.write_bytes(b"old")
    try:
        os.setxattr(path, "user.project", b"cells")
    except OSError:
        pytest.skip("a file system without extended attributes")
    write(path, b"new", overwrite=True)
    assert path.read_bytes() == b"new"
    assert os.getxattr(path, "user.project") == b"cells"


@pytest.mark.skipif(not hasattr(os, "fchown"), reason="a system without owners of files")
@pytest.mark.parametrize(("allowed", "mode"), [(True, 0o664), (False, 0o644)])
def test_a_group_that_cannot_be_kept_gives_no_rights_to_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, allowed: bool, mode: int
) -> None:
    path = tmp_path / "shared.czi"
    path.write_bytes(b"old")
    path.chmod(0o664)
    found = path.stat()
    owned = os.stat_result((*found[:4], 4711, 4712, *found[6:]))
    monkeypatch.setattr(Path, "stat", lambda self, **_: owned)
    asked = []

    def fchown(descriptor: int, user: int, group: int) -> None:
        asked.append((user, group))
        if not allowed:
            raise PermissionError(1, "not yours")

    monkeypatch.setattr(os, "fchown", fchown)
    with (tmp_path / "new").open("wb") as file:
        keep_access(path, file.fileno())
        assert stat.S_IMODE(os.fstat(file.fileno()).st_mode) == mode
    assert asked == [(4711, -1), (-1, 4712)]


@pytest.mark.parametrize("name", ["x" * 250 + ".czi", "名前" * 40 + ".czi", "a b'[1].czi"])
def test_long_and_odd_names_work(tmp_path: Path, name: str) -> None:
    write(tmp_path / name, b"x")
    assert names(tmp_path) == [name]


def test_two_at_once_do_not_meet_and_the_last_one_stays(tmp_path: Path) -> None:
    path = tmp_path / "both.czi"
    one, two = AtomicFile(path, overwrite=True), AtomicFile(path, overwrite=True)
    one.write_at(0, memoryview(b"one"))
    two.write_at(0, memoryview(b"two"))
    two.commit()
    one.commit()
    assert path.read_bytes() == b"one"
    assert names(tmp_path) == ["both.czi"]


@pytest.fixture
def killed(tmp_path: Path) -> Callable[[Path], None]:
    """A function that begins to write a file in another process, and kills that."""
    code = (
        "import sys; from czictypes.writing.atomic import AtomicFile\n"
        "file = AtomicFile(sys.argv[1], overwrite=True); file.write_at(0, memoryview(b'half'))\n"
        "print('written', flush=True); sys.stdin.read()"
    )

    def kill(path: Path) -> None:
        with subprocess.Popen(
            [sys.executable, "-c", code, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == b"written" + os.linesep.encode()
            os.kill(process.pid, getattr(signal, "SIGKILL", signal.SIGTERM))

    return kill


def test_what_a_killed_process_left_is_removed_by_the_next_writer(
    tmp_path: Path, killed: Callable[[Path], None]
) -> None:
    path = tmp_path / "killed.czi"
    path.write_bytes(b"old")
    killed(path)
    killed(path)
    assert path.read_bytes() == b"old"
    assert len(names(tmp_path)) == 2
    write(path, b"new", overwrite=True)
    assert names(tmp_path) == ["killed.czi"]


def test_a_living_writer_is_left_in_peace(tmp_path: Path, killed: Callable[[Path], None]) -> None:
    path = tmp_path / "alive.czi"
    alive = AtomicFile(path, overwrite=True)
    alive.write_at(0, memoryview(b"alive"))
    killed(path)
    write(path, b"new", overwrite=True)
    alive.commit()
    assert path.read_bytes() == b"alive"
    assert names(tmp_path) == ["alive.czi"]


@posix_only
def test_a_forked_child_takes_nothing_away(tmp_path: Path) -> None:
    file = AtomicFile(tmp_path / "forked.czi", overwrite=False)
    child = os.fork()
    if child == 0:
        file._abort()
        os._exit(0)
    os.waitpid(child, 0)
    file.write_at(0, memoryview(b"parent"))
    file.commit()
    assert (tmp_path / "forked.czi").read_bytes() == b"parent"


def test_a_folder_is_removed_and_what_its_links_point_to_is_not(tmp_path: Path) -> None:
    kept, folder = tmp_path / "kept", tmp_path / "folder"
    for place in (kept, folder / "a" / "b", folder / "c"):
        place.mkdir(parents=True)
        (place / "file").write_bytes(b"content")
    (folder / "a" / "link").symlink_to(kept)
    (folder / "link").symlink_to(kept / "file")
    remove_folder(folder)
    assert names(tmp_path) == ["kept"]
    assert names(kept) == ["file"]
