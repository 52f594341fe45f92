"""From status codes to exceptions."""

from __future__ import annotations

import pytest

from czictypes.libczi.library import Status, failure, get_library
from czictypes.model.errors import CziError, NativeCallError, NativeMemoryError


def test_a_message_says_what_was_asked_of_which_file_and_by_which_function() -> None:
    error = failure("libCZI_ReaderOpen", Status.UNSPECIFIED, "open the document", "a.czi")
    assert str(error).startswith("cannot open the document of a.czi: ")
    assert "libCZI_ReaderOpen returned status 50" in str(error)
    assert (error.function, error.status) == ("libCZI_ReaderOpen", 50)


@pytest.mark.parametrize("status", [*Status, 17])
def test_every_status_makes_an_error_of_the_tree(status: int) -> None:
    assert isinstance(failure("libCZI_ReaderOpen", status), (CziError, RuntimeError))


def test_lack_of_memory_is_a_memory_error() -> None:
    assert isinstance(failure("f", Status.OUT_OF_MEMORY), NativeMemoryError)
    assert isinstance(failure("f", Status.OUT_OF_MEMORY), MemoryError)


def test_a_call_that_fails_raises() -> None:
    library = get_library()
    with pytest.raises(NativeCallError, match="cannot count: an argument was refused") as caught:
        library.call("libCZI_GetStreamClassesCount", library.ffi.NULL, what="count")
    assert caught.value.status == Status.INVALID_ARGUMENT
    assert caught.value.__cause__ is None


def test_text_that_libczi_did_not_give_is_empty() -> None:
    library = get_library()
    assert library.take_text(library.ffi.NULL) == ""


def test_a_companion_is_made_once_for_each_library() -> None:
    library = get_library()
    made = []

    def make(owner: object) -> object:
        made.append(owner)
        return object()

    assert library.companion(make) is library.companion(make)
    assert made == [library]
