"""Single fields are read without failing on any of them."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from czictypes.metadata.fields import (
    Node,
    format_color,
    format_datetime,
    parse_color,
    parse_datetime,
    root_node,
)
from czictypes.model.errors import MetadataWarning
from czictypes.model.options import Rgb8Color


def field(text):
    return root_node(f"<ImageDocument><F>{text}</F></ImageDocument>")


@pytest.mark.parametrize(
    ("text", "value"),
    [("1.5", 1.5), (" 1E-07 ", 1e-7), ("+000000058989.1110", 58989.111), (".5", 0.5), ("-3", -3.0)],
)
def test_number(text, value):
    assert field(text).number("F") == value


@pytest.mark.parametrize("text", ["", " ", "NaN", "n/a", "INF", "-Infinity"])
def test_a_number_that_says_unknown_is_none(text):
    assert field(text).number("F") is None


@pytest.mark.parametrize("text", ["1,5", "1_000", "50 %", "0x10", "1e999", "\u0661"])
def test_a_malformed_number_is_none_with_a_warning_that_names_it(text, warns):
    with warns("ImageDocument/F is .* not a number"):
        assert field(text).number("F") is None


@pytest.mark.parametrize(("text", "value"), [("14", 14), ("-2", -2), ("5.0", 5), ("1e3", 1000)])
def test_integer(text, value):
    assert field(text).integer("F") == value


@pytest.mark.parametrize("text", ["1.5", "many", "9" * 5000])
def test_a_malformed_integer_is_none(text, warns):
    with warns("not a whole number"):
        assert field(text).integer("F") is None


@pytest.mark.parametrize(("text", "value"), [("true", True), ("False", False), ("1", True)])
def test_boolean(text, value):
    assert field(text).boolean("F") is value


def test_a_malformed_boolean_is_none(warns):
    with warns("not true or false"):
        assert field("perhaps").boolean("F") is None


def test_pair_and_list_of_numbers():
    assert field("49500,35500.5").pair("F") == (49500.0, 35500.5)
    assert field("0 60.075\n120.15").numbers("F") == [0.0, 60.075, 120.15]


@pytest.mark.parametrize("text", ["1", "1,2,3", "a,b"])
def test_a_malformed_pair_is_none(text, warns):
    with warns("two numbers"):
        assert field(text).pair("F") is None


def test_a_malformed_list_is_none(warns):
    with warns("list of numbers"):
        assert field("1 x").numbers("F") is None


def test_what_is_absent_is_none_all_the_way_down():
    node = root_node("<ImageDocument/>").child("A/B/C")
    assert not node
    assert node.children("D") == []
    values = [node.text(), node.number("N"), node.integer(), node.boolean(), node.moment()]
    values += [node.pair(), node.numbers(), node.attribute("Id"), node.raw_text("x")]
    assert values == [None] * 9


def test_another_root_is_not_read(warns):
    with warns("root element is 'Other'"):
        assert not root_node("<Other><F>1</F></Other>")


def test_a_node_is_taken_as_it_is():
    node = Node(None, "somewhere")
    assert root_node(node) is node


def test_a_date_with_seven_digits_and_an_offset():
    moment = parse_datetime("2016-02-12T10:41:02.5655647+01:00")
    zone = timezone(timedelta(hours=1))
    assert moment == datetime(2016, 2, 12, 10, 41, 2, 565564, zone)


def test_a_negative_offset():
    moment = parse_datetime("2019-12-06T16:35:44-08:30")
    assert moment.utcoffset() == timedelta(hours=-8, minutes=-30)


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00", "0001-01-01T01:00:00+01:00"])
def test_the_year_one_means_unknown(text):
    assert field(text).moment("F") is None


@pytest.mark.parametrize("text", ["2016-02-30T00:00:00", "2016-02-12", "11/04/2020 14:11:35"])
def test_a_malformed_date_is_none_with_a_warning(text, warns):
    with warns("not a date and time"):
        assert field(text).moment("F") is None


@given(
    st.datetimes(
        min_value=datetime(2, 1, 1),
        timezones=st.sampled_from([None, timezone.utc, timezone(timedelta(hours=-3, minutes=-30))]),
    )
)
def test_dates_come_back_as_written(moment):
    assert parse_datetime(format_datetime(moment)) == moment


@pytest.mark.parametrize("text", ["#FF00FF33", "#00FF33", " #0000ff33 "])
def test_colour_with_and_without_alpha(text):
    assert parse_color(text) == Rgb8Color(0, 255, 51)


@given(st.builds(Rgb8Color, *[st.integers(0, 255)] * 3))
def test_colours_come_back_as_written(color):
    assert parse_color(format_color(color)) == color


def test_a_colour_component_beyond_a_byte_is_an_error():
    with pytest.raises(ValueError, match="0 to 255"):
        format_color(Rgb8Color(256, 0, 0))


@pytest.mark.parametrize("text", ["red", "#FFF", "#GG000000"])
def test_a_malformed_colour_is_none_with_a_warning(text, warns):
    with warns("not a colour"):
        assert field(text).color("F") is None


@given(st.text(st.characters(min_codepoint=32, exclude_categories=["Cs"]), max_size=30))
@pytest.mark.filterwarnings("ignore::czictypes.model.errors.MetadataWarning")
def test_no_text_makes_a_field_fail(text):
    node = root_node("<ImageDocument><F/></ImageDocument>").child("F")
    node.element.text = text
    for read in (node.number, node.integer, node.boolean, node.moment, node.pair, node.numbers):
        read()
    node.color("F")


def test_the_warning_points_to_the_caller():
    with pytest.warns(MetadataWarning) as caught:
        field("x").number("F")
    assert caught[0].filename == __file__
