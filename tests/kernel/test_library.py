"""Which kernel is loaded, and what is done without one."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from czictypes import library_info
from czictypes.container.file_source import FileSource
from czictypes.kernel import library as loading
from czictypes.kernel.library import get_kernel, kernel_info
from czictypes.reading.reader import CziReader


@pytest.fixture
def named(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Name a kernel for the length of a test; "" is the bundled one."""

    def name(path: str) -> None:
        monkeypatch.setenv("CZICTYPES_KERNEL", path)

    loading._loaded.cache_clear()
    yield name
    loading._loaded.cache_clear()


@pytest.fixture
def bundled(named: Any) -> str:
    """The path of the bundled kernel."""
    named("")
    kernel = get_kernel()
    if kernel is None:
        pytest.skip(f"there is no kernel: {kernel_info().reason}")
    return kernel.path


def test_the_bundled_kernel_is_used(bundled: str) -> None:
    info = kernel_info()
    assert Path(info.path).parent.name == "_native"
    assert (info.path, info.reason) == (bundled, "")
    assert info.version >= 1
    assert info.zstd.count(".") == 2


def test_a_named_kernel_is_used(bundled: str, named: Any, tmp_path: Path) -> None:
    copy = tmp_path / Path(bundled).name
    copy.write_bytes(Path(bundled).read_bytes())
    named(str(copy))
    assert kernel_info().path == str(copy)


def test_zero_does_without(named: Any) -> None:
    named("0")
    assert get_kernel() is None
    assert kernel_info().path == ""
    assert kernel_info().reason == "CZICTYPES_KERNEL=0 switches it off"


def test_a_named_kernel_that_is_not_there_is_told(named: Any, tmp_path: Path) -> None:
    named(str(tmp_path / "none.so"))
    assert get_kernel() is None
    assert str(tmp_path / "none.so") in kernel_info().reason
    assert "cannot be loaded" in kernel_info().reason


def test_another_library_is_no_kernel(named: Any) -> None:
    named(library_info().path)
    assert get_kernel() is None
    assert "czk_abi" in kernel_info().reason


def test_a_missing_bundled_kernel_is_told(
    named: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    named("")
    monkeypatch.setattr(loading, "_BUNDLED", tmp_path / "czictypes_kernel.so")
    assert get_kernel() is None
    assert "build_native.py builds it" in kernel_info().reason


def test_a_kernel_of_another_version_is_refused(
    bundled: str, named: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    older = SimpleNamespace(czk_abi=lambda: 0, CZK_ABI=7)
    ffi = SimpleNamespace(dlopen=lambda path: older, error=OSError)
    declared = SimpleNamespace(ffi=ffi)
    monkeypatch.setattr("importlib.import_module", lambda name: declared)
    loading._loaded.cache_clear()
    assert get_kernel() is None
    assert "version 0" in kernel_info().reason
    assert "needs 7" in kernel_info().reason


def test_a_kernel_that_cannot_be_used_is_logged(
    named: Any, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    named(str(tmp_path / "none.so"))
    get_kernel()
    get_kernel()
    (record,) = caplog.records
    assert (record.name, record.levelname) == ("czictypes.kernel.library", "WARNING")
    assert "numpy" in record.getMessage()


_READ = """
import sys, numpy
from czictypes.reading.reader import CziReader
from czictypes.kernel.library import get_kernel
with CziReader(sys.argv[1]) as reader:
    numpy.save(sys.argv[2], reader.read(zoom=0.3))
print(get_kernel() is None)
"""


@pytest.mark.parametrize("inode", [2**63 - 1, 2**63, 2**64 - 1, 2**100 + 5])
def test_an_inode_may_have_any_size(
    bundled: str, made: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch, inode: int
) -> None:
    path = made("multi_scene_pyramid").path
    with CziReader(path) as reader:
        expected = reader.read(zoom=0.3)
    of_file, of_path = FileSource.opened_identity, FileSource.identity
    monkeypatch.setattr(FileSource, "opened_identity", lambda self: (*of_file(self)[:2], inode))
    monkeypatch.setattr(FileSource, "identity", lambda self: (*of_path(self)[:2], inode))
    monkeypatch.setattr(FileSource, "is_still", lambda self, old: self.opened_identity() == old)
    with CziReader(path) as reader:
        np.testing.assert_array_equal(reader.read(zoom=0.3), expected)


def test_pixels_are_the_same_without_a_kernel(made: Callable[[str], Any], tmp_path: Path) -> None:
    path = made("multi_scene_pyramid").path
    done = subprocess.run(
        [sys.executable, "-c", _READ, str(path), str(tmp_path / "pixels.npy")],
        env={**os.environ, "CZICTYPES_KERNEL": "0"},
        check=True,
        stdout=subprocess.PIPE,
        encoding="utf-8",
    )
    assert done.stdout.split() == ["True"]
    with CziReader(path) as reader:
        np.testing.assert_array_equal(reader.read(zoom=0.3), np.load(tmp_path / "pixels.npy"))
