"""Former names of parameters and attributes work, warn at the caller's line, and are not shown."""

from __future__ import annotations

import inspect

import pytest

from czictypes.model.public import former_name, renamed


@renamed({"filepath": "source"}, dst="dest")
def move(source: str, dest: str = "there", *, threads: int = 1) -> tuple[str, str, int]:
    """Move it."""
    return source, dest, threads


class Thing:
    """A thing with an attribute that had another name."""

    number = 3
    index = former_name("index", "number")


def test_names_of_today_and_positions_work() -> None:
    assert move("a", "b", threads=2) == move(source="a", dest="b", threads=2) == ("a", "b", 2)


def test_a_former_name_works_and_warns_at_the_line_of_the_caller() -> None:
    with pytest.warns(DeprecationWarning, match=r"^move\(\): dst= is called dest= now$") as caught:
        assert move("a", dst="b") == ("a", "b", 1)
    assert caught[0].filename == __file__


def test_names_of_other_libraries_work_silently() -> None:
    assert move(filepath="a") == ("a", "there", 1)


def test_a_parameter_by_both_of_its_names_is_refused() -> None:
    for given in ({"filepath": "a", "source": "b"}, {"source": "b", "filepath": "a"}):
        with pytest.raises(TypeError, match=r"move\(\) got 'source' twice"):
            move(**given)
    with pytest.warns(DeprecationWarning, match="dst="), pytest.raises(TypeError, match="multiple"):
        move("a", "b", dst="c")  # type: ignore[call-arg]


def test_signatures_and_help_show_the_names_of_today() -> None:
    assert list(inspect.signature(move).parameters) == ["source", "dest", "threads"]
    assert move.__doc__ == "Move it."


def test_a_former_attribute_works_and_warns() -> None:
    with pytest.warns(DeprecationWarning, match=r"Thing.index is called number now") as caught:
        assert Thing().index == 3
    assert caught[0].filename == __file__
