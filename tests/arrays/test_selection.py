"""get_image_data takes what AICSImageIO's takes, and gives the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from extras import needs
from files.recipes import Made

from czictypes import CziImage


@pytest.fixture
def stack(made: Callable[[str], Made]) -> Iterator[CziImage]:
    with CziImage(made("stack").path) as image:
        yield image


CASES: list[tuple[str | None, dict[str, Any]]] = [
    (None, {}),
    ("YX", {}),
    ("CZYX", {"T": 0}),
    ("ZYX", {"T": 1, "C": -1}),
    ("XYZ", {"T": 2, "C": 1}),
    ("TCZYX", {"T": 1, "Z": [0, 2, 3]}),
    ("ZYX", {"Z": (3, -4), "X": range(2, 20, 5)}),
    ("YXZ", {"Z": slice(0, -1, 2), "Y": slice(3, 9)}),
    ("TYX", {"T": slice(None, None, -1)}),
    ("BMTCZYXS", {"B": 0, "S": slice(None)}),
]


@pytest.mark.parametrize(("order", "selections"), CASES)
def test_selections_are_those_of_aicsimageio(
    stack: CziImage, order: str | None, selections: dict[str, Any]
) -> None:
    transforms = needs("bioio_base.transforms")
    known = {name: item for name, item in selections.items() if name in stack.dims}
    known = {
        name: list(range(*item.indices(stack.sizes[name]))) if isinstance(item, slice) else item
        for name, item in known.items()
    }
    expected = transforms.reshape_data(stack.data, stack.dims.order, order or "TCZYX", **known)
    np.testing.assert_array_equal(stack.get_image_data(order, **selections), expected)


def test_several_lists_are_taken_one_after_the_other(stack: CziImage) -> None:
    found = stack.get_image_data("CYX", T=2, C=[1, 0], Y=[1, 1, 0])
    assert (found == stack.data[2, :, 0][[1, 0]][:, [1, 1, 0]]).all()


@pytest.mark.parametrize(("order", "selections"), CASES)
def test_lazy_selections_are_the_same(
    stack: CziImage, order: str | None, selections: dict[str, Any]
) -> None:
    needs("dask.array", "dask")
    lazy = stack.get_image_dask_data(order, **selections)
    np.testing.assert_array_equal(lazy.compute(), stack.get_image_data(order, **selections))


@pytest.mark.parametrize(
    ("order", "selections", "message"),
    [
        ("CZYXQ", {}, "no dimension Q; this image has T, C, Z, Y, X"),
        ("CZYX", {"channel": 1}, "no dimension channel"),
        ("CCZYX", {}, "'CCZYX' names a dimension twice"),
        ("ZYX", {"T": [0, 1]}, "several indices, but T is not in the order 'ZYX'"),
        ("ZYX", {"H": 1}, "no H=1; H goes from 0 to 0"),
        ("ZYX", {"T": 3}, "no T=3; T goes from 0 to 2"),
    ],
)
def test_what_cannot_be_given_is_named(
    stack: CziImage, order: str, selections: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        stack.get_image_data(order, **selections)


def test_levels_are_selected_as_well(made: Callable[[str], Made]) -> None:
    with CziImage(made("multi_scene_pyramid").path, 2) as image:
        whole = image.asarray(1)
        assert (image.get_image_data("XC", level=1, Y=5) == whole[0, :, 0, 5].T).all()
