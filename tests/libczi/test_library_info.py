"""What the library says of itself."""

from __future__ import annotations

from typing import Any

import pytest

from czictypes import LibraryInfo, library_info
from czictypes.kernel.library import kernel_info
from czictypes.libczi.library import get_library


def test_it_tells_where_and_what_the_library_is() -> None:
    info = library_info()
    assert isinstance(info, LibraryInfo)
    assert info.path == get_library().path
    assert info.version >= (0, 65, 0)
    assert info.version_text == "{}.{}.{}".format(*info.version)
    assert info.compiler


def test_it_tells_of_the_kernel() -> None:
    assert library_info().kernel == kernel_info()


def test_it_lists_the_stream_classes() -> None:
    classes = library_info().stream_classes
    assert classes
    assert all(each.name and each.description for each in classes)


def test_it_tells_which_optional_functions_are_there() -> None:
    info = library_info()
    assert info.optional_functions == {
        "libCZI_AllocateMemory": info.version >= (0, 65, 1),
        "libCZI_TryGetSubBlockInfoForIndex": info.version >= (0, 66, 0),
    }


@pytest.mark.parametrize(
    ("branch", "patch"),
    [("czictypes patch jxrlib-0123456789ab", "jxrlib-0123456789ab"), ("main", ""), ("", "")],
)
def test_it_tells_whether_the_library_is_patched(
    branch: str, patch: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = get_library()
    take = library.take_text
    branches = iter(["a compiler", "a repository", branch])
    monkeypatch.setattr(
        library, "take_text", lambda pointer: (take(pointer), next(branches, ""))[1]
    )
    info = library_info()
    assert (info.branch, info.patch, info.is_patched) == (branch, patch, bool(patch))


def test_it_gives_all_memory_back(monkeypatch: pytest.MonkeyPatch) -> None:
    library = get_library()
    freed: list[Any] = []
    free = library.free
    monkeypatch.setattr(library, "free", lambda pointer: (freed.append(pointer), free(pointer)))
    info = library_info()
    build = (info.compiler, info.repository, info.branch, info.tag)
    given = [text for text in (*build, *sum(info.stream_classes, ())) if text]
    assert len(freed) == len(given)
