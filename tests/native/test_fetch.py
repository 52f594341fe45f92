"""Downloads go through pip, are checked, and happen once."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from native import fetch as fetch_module
from native.cache import cache_folder, sha256_of
from native.errors import BuildError
from native.fetch import fetch
from native.sources import Source

METADATA = "Metadata-Version: 2.1\nName: tiny-source\nVersion: 1.0\n"
SETUP = "import pathlib\npathlib.Path({marker!r}).write_text('setup.py ran')\n"


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is all that pip knows of."""
    folder = tmp_path / "index"
    folder.mkdir()
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


@pytest.fixture
def marker(tmp_path: Path) -> Path:
    """The file that appears when somebody runs the setup.py of the package."""
    return tmp_path / "setup-ran"


@pytest.fixture
def sdist(index: Path, marker: Path) -> Source:
    """A source distribution in the index."""
    path = index / "tiny-source-1.0.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        for name, text in [("PKG-INFO", METADATA), ("setup.py", SETUP.format(marker=str(marker)))]:
            info = tarfile.TarInfo(f"tiny-source-1.0/{name}")
            info.size = len(text)
            tar.addfile(info, io.BytesIO(text.encode()))
    return Source("tiny-source", "1.0", path.name, sha256_of(path), "tiny-source-1.0")


@pytest.fixture
def wheel(index: Path) -> Source:
    """A wheel in the index."""
    path = index / "tiny_headers-1.0-py3-none-any.whl"
    info = "tiny_headers-1.0.dist-info"
    with zipfile.ZipFile(path, "w") as zipped:
        zipped.writestr(f"{info}/METADATA", METADATA.replace("source", "headers"))
        zipped.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        zipped.writestr(f"{info}/RECORD", "")
    return Source("tiny-headers", "1.0", path.name, sha256_of(path), "include")


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """A cache folder that does not exist yet."""
    return tmp_path / "cache"


def test_a_source_distribution_arrives_and_its_code_does_not_run(
    sdist: Source, cache: Path, marker: Path
) -> None:
    path = fetch(sdist, cache)
    assert path == cache / sdist.file
    assert sha256_of(path) == sdist.sha256
    assert not marker.exists()


def test_a_wheel_arrives(wheel: Source, cache: Path) -> None:
    assert sha256_of(fetch(wheel, cache)) == wheel.sha256


def test_nothing_but_the_file_is_left_in_the_cache(sdist: Source, cache: Path) -> None:
    fetch(sdist, cache)
    assert [path.name for path in cache.iterdir()] == [sdist.file]


def test_the_second_time_nothing_is_downloaded(
    sdist: Source, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = fetch(sdist, cache)

    def no_program(*arguments: object, **options: object) -> None:
        raise AssertionError("pip was started")

    monkeypatch.setattr(subprocess, "run", no_program)
    assert fetch(sdist, cache) == first


def test_a_damaged_file_in_the_cache_is_downloaded_again(sdist: Source, cache: Path) -> None:
    cache.mkdir()
    (cache / sdist.file).write_bytes(b"half a downl")
    assert sha256_of(fetch(sdist, cache)) == sdist.sha256


def test_another_file_than_the_pinned_one_is_refused(
    sdist: Source, index: Path, cache: Path
) -> None:
    with tarfile.open(index / sdist.file, "w:gz") as tar:
        tar.addfile(tarfile.TarInfo("tiny-source-1.0/PKG-INFO"))
    found = sha256_of(index / sdist.file)
    with pytest.raises(BuildError) as caught:
        fetch(sdist, cache)
    message = str(caught.value)
    assert message.startswith("tiny-source-1.0.tar.gz from the package index is not the pinned")
    assert found in message
    assert sdist.sha256 in message
    assert "\n" not in message
    assert not any(cache.iterdir())


def test_a_hash_that_only_pip_let_through_is_refused(
    sdist: Source, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def swapped(source: Source, folder: Path, cache: Path) -> Path:
        path = folder / source.file
        path.write_bytes(b"something else")
        return path

    monkeypatch.setattr(fetch_module, "_download", swapped)
    with pytest.raises(BuildError, match="is not the pinned file"):
        fetch(sdist, cache)


def test_a_missing_package_is_named_with_what_pip_said(
    sdist: Source, index: Path, cache: Path
) -> None:
    (index / sdist.file).unlink()
    with pytest.raises(BuildError, match=r"^tiny-source 1\.0 cannot be downloaded \(pip says: ERR"):
        fetch(sdist, cache)


def test_an_index_out_of_reach_is_told_as_such(
    sdist: Source, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.delenv("PIP_FIND_LINKS")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_RETRIES", "1")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with pytest.raises(BuildError, match=r"pip reaches no package index.*put tiny-source-1\.0"):
        fetch(sdist, cache)


def test_an_old_pip_is_told_as_such(
    sdist: Source, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = "print('no such option: --ignore-requires-python'); raise SystemExit(2)"
    monkeypatch.setattr(fetch_module, "_pip_command", lambda *_: [sys.executable, "-c", said])
    with pytest.raises(BuildError, match=r"pip is older than 21\.2: run `.* --upgrade pip`"):
        fetch(sdist, cache)


def test_constraints_of_the_user_do_not_change_the_pinned_version(
    sdist: Source, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    constraints = tmp_path / "constraints.txt"
    constraints.write_text("tiny-source==2.0\n")
    monkeypatch.setenv("PIP_CONSTRAINT", str(constraints))
    assert fetch(sdist, cache).is_file()


def test_the_cache_folder_is_where_the_environment_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CZICTYPES_CACHE", str(tmp_path / "here"))
    assert cache_folder() == (tmp_path / "here").resolve()


def test_the_cache_folder_has_the_name_of_the_project(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CZICTYPES_CACHE", raising=False)
    assert "czictypes" in cache_folder().parts
