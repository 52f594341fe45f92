"""Which libCZI is loaded, when, and what is said when there is none."""

from __future__ import annotations

import ctypes.util
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from czictypes import library_info, use_library
from czictypes.libczi import library as loading
from czictypes.libczi.library import (
    ENVIRONMENT_VARIABLE,
    Candidate,
    Library,
    candidates,
    get_library,
    loaded_libraries,
)
from czictypes.model.errors import IncompatibleLibraryError, LibraryNotFoundError

Installer = Callable[[bytes], Path]


def real_path(library: Library) -> Path:
    path = Path(library.path)
    if not path.exists():
        pytest.skip("libCZI was found by bare name; name its path in CZICTYPES_LIBRARY")
    return path


@pytest.mark.usefixtures("nothing_loaded")
def test_the_bundled_library_comes_before_the_systems() -> None:
    origins = [candidate.origin for candidate in candidates()]
    assert origins == sorted(origins, key=["bundled", "system"].index)
    assert {"bundled", "system"} == set(origins)


def test_the_environment_variable_excludes_all_others(monkeypatch: pytest.MonkeyPatch) -> None:
    named = str(Path("/some/libCZIAPI.so").absolute())  # on Windows with a drive
    monkeypatch.setenv(ENVIRONMENT_VARIABLE, named)
    assert list(candidates()) == [Candidate(named, ENVIRONMENT_VARIABLE, True)]


def test_an_empty_environment_variable_counts_as_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ENVIRONMENT_VARIABLE, "")
    assert next(candidates()).origin == "bundled"


def test_use_library_goes_before_the_environment_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ENVIRONMENT_VARIABLE, "/some/libCZIAPI.so")
    other = str(Path("/other.so").absolute())
    assert list(candidates(other)) == [Candidate(other, "use_library", True)]


def test_a_relative_path_does_not_depend_on_the_current_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    assert next(candidates("build/x.so")).path == str(tmp_path / "build" / "x.so")


def test_a_bare_name_is_left_to_the_systems_loader(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    assert next(candidates("libCZIAPI.so.0")).path == "libCZIAPI.so.0"


@pytest.mark.usefixtures("nothing_loaded")
def test_use_library_loads_from_any_path(real_library: Library, tmp_path: Path) -> None:
    copy = tmp_path / "Bücherei 図書館" / real_path(real_library).name
    copy.parent.mkdir()
    copy.write_bytes(real_path(real_library).read_bytes())
    use_library(copy)
    assert library_info().path == str(copy)
    assert library_info().origin == "use_library"


@pytest.mark.usefixtures("nothing_loaded")
def test_the_environment_variable_is_obeyed(
    real_library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(ENVIRONMENT_VARIABLE, str(real_path(real_library)))
    assert get_library().origin == ENVIRONMENT_VARIABLE


@pytest.mark.usefixtures("nothing_loaded")
def test_a_named_library_that_is_missing_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ENVIRONMENT_VARIABLE, "/no/such/libCZIAPI.so")
    with pytest.raises(
        LibraryNotFoundError, match=r"no.such.libCZIAPI\.so.*no such file"
    ) as caught:
        get_library()
    assert ENVIRONMENT_VARIABLE in str(caught.value)


def test_a_named_file_that_is_no_library_is_never_passed_over(
    installed: Installer, real_library: Library, tmp_path: Path
) -> None:
    installed(real_path(real_library).read_bytes())  # there would be a good one
    broken = tmp_path / "broken.so"
    broken.write_bytes(b"not a library")
    with pytest.raises(LibraryNotFoundError, match=r"broken\.so"):
        use_library(broken)


def test_a_failed_use_library_leaves_the_library_in_use(
    installed: Installer, real_library: Library
) -> None:
    good = installed(real_path(real_library).read_bytes())
    use_library(good)
    with pytest.raises(LibraryNotFoundError):
        use_library("/no/such/thing.so")
    assert get_library().path == str(good)


def test_use_library_none_goes_back_to_the_search(
    installed: Installer, real_library: Library
) -> None:
    bundled = installed(real_path(real_library).read_bytes())
    use_library(real_path(real_library))
    use_library(None)
    assert (get_library().path, get_library().origin) == (str(bundled), "bundled")


def test_nothing_found_is_one_error_that_lists_what_was_tried(installed: Installer) -> None:
    broken = installed(b"not a library")
    with pytest.raises(LibraryNotFoundError) as caught:
        get_library()
    message = str(caught.value)
    assert str(broken) in message
    assert "\n  libNoSuchThing.so (system)" in message
    for advice in ("pip install", "build_native.py", "use_library", ENVIRONMENT_VARIABLE, "0.65.0"):
        assert advice in message


@pytest.mark.usefixtures("nothing_loaded")
def test_a_library_without_the_c_api_is_called_incompatible() -> None:
    name = ctypes.util.find_library("m") or ctypes.util.find_library("msvcrt")
    if name is None:
        pytest.skip("found no library that every system has, to take for a wrong one")
    with pytest.raises(IncompatibleLibraryError, match=r"lacks 61 functions.*0\.65\.0"):
        use_library(name)


@pytest.mark.usefixtures("nothing_loaded")
def test_a_library_before_the_c_api_is_called_too_old(
    real_library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading, "FIRST_VERSION", (99, 1, 0))
    with pytest.raises(IncompatibleLibraryError, match=r"99\.1\.0 or later is needed"):
        use_library(real_path(real_library))


@pytest.mark.usefixtures("nothing_loaded")
def test_a_missing_optional_function_names_the_version_that_has_it(real_library: Library) -> None:
    library = Library(Candidate(real_library.path, "use_library", True))
    del library._functions["libCZI_TryGetSubBlockInfoForIndex"]
    assert not library.has("libCZI_TryGetSubBlockInfoForIndex")
    with pytest.raises(IncompatibleLibraryError, match=r"libCZI 0\.66\.0 or later"):
        library.call("libCZI_TryGetSubBlockInfoForIndex")


@pytest.mark.usefixtures("nothing_loaded")
def test_many_threads_load_the_library_once(
    real_library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Library] = []
    barrier = threading.Barrier(8)
    results: list[Library] = []

    class Counted(Library):
        def __init__(self, candidate: Candidate) -> None:
            super().__init__(candidate)
            made.append(self)

    def work() -> None:
        barrier.wait()
        results.append(get_library())

    monkeypatch.setattr(loading, "Library", Counted)
    monkeypatch.setenv(ENVIRONMENT_VARIABLE, real_library.path)
    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1
    assert results == made * 8
    assert loaded_libraries() == made


@pytest.mark.usefixtures("nothing_loaded")
def test_a_library_is_loaded_at_first_use_only(
    real_library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(ENVIRONMENT_VARIABLE, real_library.path)
    assert loaded_libraries() == []
    get_library()
    assert [library.path for library in loaded_libraries()] == [real_library.path]
