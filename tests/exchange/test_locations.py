"""Names tell formats."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from czictypes.exchange.locations import Format, source_format, target_format


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("slide.czi", Format.CZI),
        ("SLIDE.CZI", Format.CZI),
        ("a.ome.zarr", Format.OME_ZARR),
        ("a.zarr/", Format.OME_ZARR),
        ("my slide.ozx", Format.OME_ZARR),
        ("a.ome.zarr.ZIP", Format.OME_ZARR),
        ("https://host/a.ozx?token=x.czi", Format.OME_ZARR),
        ({}, Format.OME_ZARR),
        ("s3://bucket/a.zarr", Format.OME_ZARR),
        ("https://host/a.ome.tiff?token=x.czi", Format.OME_TIFF),
        ("zip://a.czi::https://host/all.zip", Format.CZI),
        ("a.ome.tif", Format.OME_TIFF),
        ("a.tif", Format.TIFF),
        ("a.png", Format.PICTURE),
        (Path("a.lif"), Format.LIF),
        (Path("a.nd2"), Format.OTHER),
    ],
)
def test_the_longest_ending_decides(name: Any, found: Format) -> None:
    assert source_format(name) is found


def test_a_folder_of_another_name_is_a_zarr_by_what_is_in_it(tmp_path: Path) -> None:
    assert source_format(tmp_path) is Format.OTHER
    (tmp_path / "zarr.json").write_text("{}")
    assert source_format(tmp_path) is Format.OME_ZARR


@pytest.mark.parametrize("name", ["a", "a.lif", "a.jpg", "a.svs", "a.lsm"])
def test_what_is_not_written_is_refused_with_what_is(name: str) -> None:
    with pytest.raises(ValueError, match=r"use \.czi"):
        target_format(name)
