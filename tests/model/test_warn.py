"""A warning points at the line of the caller, however deep in the package it arises."""

from __future__ import annotations

from contextlib import contextmanager
from typing import Any

import pytest

from czictypes.model.warn import warn_caller

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
