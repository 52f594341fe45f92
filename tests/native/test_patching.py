"""Our patch of jxrlib is applied to the texts that it was made for, and to nothing else."""

from __future__ import annotations

import hashlib
import tarfile
from pathlib import Path
from typing import Any

import pytest

import build_native
from native.errors import BuildError
from native.patching import JXRLIB_PATCH, apply_patch, patch_name, read_patch
from native.sources import Source
from native.unpack import unpack

BEFORE = "int limit(int n)\n{\n    return table[n];\n}\n"
AFTER = "int limit(int n)\n{\n    return n < 3 ? table[n] : 0;\n}\n"


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@pytest.fixture
def patch(tmp_path: Path) -> Path:
    """A patch of src/a.c, which may be one of two texts before."""
    path = tmp_path / "some.patch"
    path.write_text(
        "- A line of prose.\n\n"
        f"sha256 {sha256('another' + BEFORE)} in 1.0\nsha256 {sha256(BEFORE)} in 1.1\n"
        "--- a/src/a.c\n+++ b/src/a.c\n@@ -2,3 +2,3 @@\n {\n"
        "-    return table[n];\n+    return n < 3 ? table[n] : 0;\n }\n"
    )
    return path


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    """A folder with src/a.c."""
    folder = tmp_path / "sources"
    (folder / "src").mkdir(parents=True)
    (folder / "src" / "a.c").write_bytes(BEFORE.encode())
    return folder


def test_the_lines_are_replaced(patch: Path, sources: Path) -> None:
    apply_patch(sources, patch)
    assert (sources / "src" / "a.c").read_bytes() == AFTER.encode()


def test_ends_of_lines_do_not_matter(patch: Path, sources: Path) -> None:
    (sources / "src" / "a.c").write_bytes(("another" + BEFORE).replace("\n", "\r\n").encode())
    apply_patch(sources, patch)
    assert (sources / "src" / "a.c").read_bytes() == ("another" + AFTER).encode()


def test_another_text_is_refused_and_left_alone(patch: Path, sources: Path) -> None:
    other = BEFORE + "// newer\n"
    (sources / "src" / "a.c").write_bytes(other.encode())
    with pytest.raises(BuildError) as caught:
        apply_patch(sources, patch)
    for words in ("a.c", sha256(other), sha256(BEFORE), "--source DIR"):
        assert words in str(caught.value)
    assert (sources / "src" / "a.c").read_bytes() == other.encode()


def test_a_missing_file_is_told(patch: Path, sources: Path) -> None:
    (sources / "src" / "a.c").unlink()
    with pytest.raises(BuildError, match=r"a\.c, which is not there"):
        apply_patch(sources, patch)


def test_a_patch_that_fits_twice_is_refused(patch: Path, sources: Path) -> None:
    twice = BEFORE + BEFORE
    (sources / "src" / "a.c").write_bytes(twice.encode())
    patch.write_text(patch.read_text().replace(sha256(BEFORE), sha256(twice)))
    with pytest.raises(BuildError, match="2 times"):
        apply_patch(sources, patch)


def test_unpacked_sources_follow_the_patch(patch: Path, tmp_path: Path) -> None:
    (tmp_path / "a.c").write_bytes(BEFORE.encode())
    archive = tmp_path / "pack-1.0.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(tmp_path / "a.c", "pack-1.0/src/a.c")
    source = Source("pack", "1.0", archive.name, "0" * 64, "pack-1.0")
    target = tmp_path / "out"
    file = target / "src" / "a.c"
    for expected in (AFTER, AFTER):  # the second time what is there stays
        assert unpack(source, archive, target, patch) == target
        assert file.read_text() == expected
    patch.write_text(patch.read_text().replace("n < 3", "n < 4"))
    unpack(source, archive, target, patch)
    assert "n < 4" in file.read_text()
    unpack(source, archive, target)
    assert file.read_text() == BEFORE


def test_the_patch_of_jxrlib_is_whole() -> None:
    parts = read_patch(JXRLIB_PATCH)
    assert {Path(part.file).name for part in parts} >= {"JXRGlueJxr.c", "segdec.c", "strdec.c"}
    for part in parts:
        assert part.file.startswith("Src/JxrDecode/jxrlib/")
        assert part.sha256
        assert all(hunk.before and hunk.before != hunk.after for hunk in part.hunks)
        assert part.hunks
    assert patch_name().startswith("jxrlib-")


@pytest.mark.parametrize("own", [False, True])
def test_a_folder_of_the_user_is_not_patched(
    own: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    header = tmp_path / "Src" / "libCZIAPI" / "inc" / "libCZIApi.h"
    header.parent.mkdir(parents=True)
    header.write_text("")
    patched = []

    def unpacked(source: Source, archive: Path, target: Path, patch: Path | None = None) -> Path:
        patched.extend([source.package] if patch else [])
        return target

    def nothing(*_: Any) -> Path:
        return tmp_path

    monkeypatch.setattr(build_native, "unpack", unpacked)
    monkeypatch.setattr(build_native, "fetch", nothing)
    plan = build_native._plan(tmp_path if own else None, None, sanitize=False)
    folders = build_native._prepare_sources(plan, tmp_path, nothing)
    assert patched == ([] if own else [plan.sources["libczi"].package])
    assert folders.patch == (None if own else f"czictypes patch {patch_name()}")
