"""Colours are given by name, by code or by numbers; what is none is refused."""

from __future__ import annotations

from typing import Any

import pytest

from czictypes.metadata.colors import as_color
from czictypes.model.options import Rgb8Color


@pytest.mark.parametrize(
    "given",
    ["cyan", " Cyan ", "#00FFFF", "00ffff", "#FF00FFFF", (0, 255, 255), Rgb8Color(0, 255, 255)],
)
def test_one_colour_has_many_forms(given: Any) -> None:
    assert as_color(given) == Rgb8Color(0, 255, 255)


@pytest.mark.parametrize("given", ["cyanide", "", "#00FF", (0, 255), (0.5, 1, 1), (0, 0, 256), 7])
def test_what_is_no_colour_is_named(given: Any) -> None:
    with pytest.raises(ValueError, match=r"is (no|not a) colour") as caught:
        as_color(given)
    assert repr(given) in str(caught.value)
