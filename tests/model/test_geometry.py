"""Units as OME, OME-Zarr, ImageJ and xarray write them."""

from __future__ import annotations

import pytest
from extras import needs

from czictypes.model.geometry import metres_of, seconds_of


@pytest.mark.parametrize(
    ("unit", "metres"),
    [
        *(("m", 1.0), ("mm", 1e-3), ("nm", 1e-9), ("km", 1e3), ("in", 0.0254), ("\u00c5", 1e-10)),
        *(("um", 1e-6), ("\u00b5m", 1e-6), ("\u03bcm", 1e-6), ("micron", 1e-6)),
        *(("micrometer", 1e-6), ("micrometres", 1e-6), ("meter", 1.0), ("angstrom", 1e-10)),
        *(("pixel", None), ("s", None), ("", None)),
    ],
)
def test_lengths(unit: str, metres: float | None) -> None:
    assert metres_of(unit) == metres
    assert metres_of(unit, any_case=True) == metres


@pytest.mark.parametrize(
    ("unit", "seconds"),
    [
        *(("s", 1.0), ("sec", 1.0), ("ms", 1e-3), ("\u00b5s", 1e-6), ("min", 60.0), ("h", 3600.0)),
        *(("millisecond", 1e-3), ("seconds", 1.0), ("minutes", 60.0), ("day", 86400.0)),
        *(("m", None), ("frame", None)),
    ],
)
def test_times(unit: str, seconds: float | None) -> None:
    assert seconds_of(unit) == seconds
    assert seconds_of(unit, any_case=True) == seconds


def test_case_counts_unless_it_is_said_not_to() -> None:
    assert (metres_of("Mm"), metres_of("Mm", any_case=True)) == (1e6, 1e-3)
    assert (metres_of("UM"), metres_of("UM", any_case=True)) == (None, 1e-6)
    assert (seconds_of("Minutes"), seconds_of("Minutes", any_case=True)) == (None, 60.0)


def test_every_prefix_of_the_ome_model_is_known() -> None:
    model = needs("ome_types.model", "ome-tiff")
    for units, size, base in (
        (model.UnitsLength, metres_of, "m"),
        (model.UnitsTime, seconds_of, "s"),
    ):
        known = [one.value for one in units if size(one.value) is not None]
        assert {one.value for one in units if one.value.endswith(base)} <= set(known)
