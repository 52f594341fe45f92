"""Unforeseen errors become a `CziError` that names the file; warnings name the caller's line."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

from czictypes.model.errors import (
    CorruptFileError,
    InvalidArgumentError,
    UnexpectedError,
    UnsupportedDataError,
)
from czictypes.model.public import Defence, defended, warn_caller

# The functions below stand for code of the package: their module's name says so.
at_work: dict[str, Any] = {"__name__": "czictypes.somewhere", "np": np}
exec(  # (a module of the package would have to be made for the tests alone)
    """
def divide(source): return 1 // 0
def miss(source): return source.nothing
def look_up(source): return {}["a"]
def reshape(source): return np.zeros(5).reshape(2, 3)
def refuse(source): raise ValueError("zoom must be above 0")
def warn(source): np.float32(1e39)
def call(source, function): return function()
def count(source):
    yield 1
    yield 1 // 0
""",
    at_work,
)


@pytest.mark.parametrize(
    ("name", "cause"),
    [
        ("divide", ZeroDivisionError),
        ("miss", AttributeError),
        ("look_up", KeyError),
        ("reshape", ValueError),
    ],
)
def test_an_unforeseen_error_names_the_file_and_keeps_its_cause(
    name: str, cause: type[Exception]
) -> None:
    function: Callable[[object], Any] = defended(lambda source: f"{source}.czi")(at_work[name])
    with pytest.raises(UnexpectedError, match=rf"^cells\.czi: .*{cause.__name__}") as caught:
        function("cells")
    assert type(caught.value.__cause__) is cause
    assert isinstance(caught.value, CorruptFileError)


def test_an_error_that_is_raised_on_purpose_stays_as_it_is() -> None:
    with pytest.raises(ValueError, match=r"^zoom must be above 0$") as caught:
        defended(str)(at_work["refuse"])("cells")
    assert type(caught.value) is ValueError


def test_a_warning_that_the_caller_made_an_error_stays_a_warning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(RuntimeWarning, match="overflow"):
            defended(str)(at_work["warn"])("cells")


def test_the_errors_of_a_caller_s_own_functions_stay_as_they_are() -> None:
    with pytest.raises(ZeroDivisionError):
        defended(str)(at_work["call"])("cells", lambda: 1 // 0)


def test_the_errors_of_a_caller_s_own_block_stay_as_they_are() -> None:
    with pytest.raises(ZeroDivisionError), Defence("cells.czi"):
        divmod(1, 0)
    with pytest.raises(UnexpectedError, match=r"cells\.czi"), Defence("cells.czi"):
        at_work["divide"]("cells")


def test_a_wrong_call_is_a_type_error() -> None:
    with pytest.raises(TypeError):
        defended(str)(at_work["divide"])()


def test_a_call_by_keyword_is_defended_too() -> None:
    with pytest.raises(UnexpectedError, match=r"^cells: "):
        defended(str)(at_work["divide"])(source="cells")


def test_a_generator_is_defended_to_its_end() -> None:
    found: Iterator[int] = defended(str)(at_work["count"])("cells")
    assert next(found) == 1
    with pytest.raises(UnexpectedError, match="cells"):
        next(found)


class Base:
    @property
    def size(self) -> Any:
        """The size."""
        return at_work["divide"](self)


class Thing(Base):
    name = "cells"

    def read(self) -> Any:
        """Read it."""
        return at_work["divide"](self)

    def _read(self) -> Any:
        return at_work["divide"](self)


Base.__module__ = Thing.__module__ = "czictypes.somewhere"
defended(lambda thing: f"file of {thing.name}")(Thing)


def test_the_public_methods_and_properties_of_a_class_are_defended() -> None:
    for act in (Thing().read, lambda: Thing().size):
        with pytest.raises(UnexpectedError, match="file of cells"):
            act()
    with pytest.raises(ZeroDivisionError):
        Thing()._read()
    assert (Thing.read.__doc__, Thing.size.__doc__) == ("Read it.", "The size.")
    with pytest.raises(ZeroDivisionError):
        _ = Base().size


class Refusing:
    def read(self, message: str) -> None:
        raise UnsupportedDataError(message)

    def check(self, message: str) -> None:
        raise InvalidArgumentError(message)


Refusing.__module__ = "czictypes.somewhere"
defended(lambda _: "folder/cells.czi")(Refusing)


def test_errors_about_the_content_of_a_file_name_it() -> None:
    with pytest.raises(UnsupportedDataError, match=r"^folder/cells\.czi: no such pixels$"):
        Refusing().read("no such pixels")
    with pytest.raises(UnsupportedDataError, match=r"^sub-block 3 of cells\.czi$"):
        Refusing().read("sub-block 3 of cells.czi")
    with pytest.raises(InvalidArgumentError, match=r"^no such zoom$"):
        Refusing().check("no such zoom")
    with pytest.raises(CorruptFileError, match=r"^cells\.czi: bad XML$"), Defence("cells.czi"):
        raise CorruptFileError("bad XML")


# Its frames are taken for those of the package.
within: dict[str, Any] = {
    "__name__": "czictypes.somewhere",
    "warn_caller": warn_caller,
    "contextmanager": contextmanager,
}
exec(
    """
def deep(): warn_caller("it is odd", DeprecationWarning)
def deeper(): deep()
@contextmanager
def block():
    warn_caller("it is odd", DeprecationWarning)
    yield
def in_block():
    with block(): pass
""",
    within,
)


@pytest.mark.parametrize("name", ["deep", "deeper", "in_block"])
def test_the_warning_is_at_the_line_that_calls_the_package(name: str) -> None:
    with pytest.warns(DeprecationWarning, match="it is odd") as caught:
        within[name]()
    assert [warning.filename for warning in caught] == [__file__]
