"""Only the needed folder of an archive is unpacked, and nothing outside of it is written."""

from __future__ import annotations

import io
import tarfile
import zipfile
from pathlib import Path

import pytest

from native.errors import BuildError
from native.sources import Source
from native.unpack import unpack

MEMBERS = {
    "pack-1.0/src/a.c": b"a",
    "pack-1.0/src/deep/b.h": b"b",
    "pack-1.0/other.txt": b"not asked for",
    "pack-1.0/src/../../escaped.txt": b"not let out",
}


def source(sha256: str = "0" * 64, folder: str = "pack-1.0/src") -> Source:
    return Source("pack", "1.0", "pack-1.0.tar.gz", sha256, folder)


@pytest.fixture(params=["tar.gz", "zip"])
def archive(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """The members in an archive; the tar also has a symbolic link."""
    path = tmp_path / f"pack-1.0.{request.param}"
    if request.param == "zip":
        with zipfile.ZipFile(path, "w") as zipped:
            for name, data in MEMBERS.items():
                zipped.writestr(name, data)
        return path
    with tarfile.open(path, "w:gz") as tar:
        for name, data in MEMBERS.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
        link = tarfile.TarInfo("pack-1.0/src/link")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
    return path


def files_below(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_the_folder_and_nothing_else(archive: Path, tmp_path: Path) -> None:
    target = tmp_path / "out" / "pack"
    unpack(source(), archive, target)
    assert files_below(target) == {"a.c": b"a", "deep/b.h": b"b"}
    assert not list(tmp_path.rglob("escaped.txt"))


def test_what_was_unpacked_before_is_left_alone(archive: Path, tmp_path: Path) -> None:
    target = unpack(source(), archive, tmp_path / "out")
    before = (target / "a.c").stat().st_mtime_ns
    unpack(source(), archive, target)
    assert (target / "a.c").stat().st_mtime_ns == before


def test_another_file_replaces_what_was_unpacked_before(archive: Path, tmp_path: Path) -> None:
    target = unpack(source(), archive, tmp_path / "out")
    (target / "stale.c").write_text("from the file before")
    unpack(source("1" * 64), archive, target)
    assert sorted(files_below(target)) == ["a.c", "deep/b.h"]


def test_a_folder_that_the_archive_does_not_have(archive: Path, tmp_path: Path) -> None:
    with pytest.raises(BuildError, match="has no folder pack-2"):
        unpack(source(folder="pack-2.0"), archive, tmp_path / "out")
