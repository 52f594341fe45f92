"""Names tell formats, and URLs from paths, those of Windows too."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from extras import needs

from czictypes import CziImage, convert, czi, imread, imwrite, open_image
from czictypes.exchange.locations import (
    Format,
    check_dest,
    filesystem_of,
    is_archive,
    is_local,
    location_path,
    source_format,
    staged_output,
    target_format,
)
from czictypes.model.errors import MissingExtraError


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


@pytest.mark.parametrize(
    "path",
    [
        r"C:\data\scan{}",
        "c:/data/scan{}",
        "C://data/scan{}",
        r"\\server\share\scan{}",
        "//server/share/scan{}",
        r"\\?\C:\data\scan{}",
    ],
)
def test_a_drive_or_a_share_is_no_url(path: str) -> None:
    assert is_local(path.format(".CZI"))
    assert filesystem_of(path.format(".czi"), None, doing="reading") is None
    assert source_format(path.format(".CZI")) is Format.CZI
    assert target_format(path.format(".ome.zarr")) is Format.OME_ZARR
    assert is_archive(path.format(".ozx"))
    assert location_path(path.format(".Zarr") + "\\").endswith("scan.zarr")


@pytest.mark.parametrize("url", ["s3://bucket/a.czi", "https://host/a.czi?x=1", "zip://a::s3://b"])
def test_a_url_is_no_path(url: str) -> None:
    assert not is_local(url)


def test_a_local_copy_has_a_name_that_every_system_takes() -> None:
    fsspec = needs("fsspec")
    url = "memory://staged/a:b?c*.txt"
    with staged_output(url, overwrite=False) as local:
        assert Path(str(local)).name == "a_b_c_.txt"
        Path(str(local)).write_bytes(b"content")
    assert fsspec.filesystem("memory").cat_file("/staged/a:b?c*.txt") == b"content"
    with pytest.raises(FileExistsError):
        check_dest(url, overwrite=False)


@pytest.mark.parametrize("name", ["a.czi", "a.ome.tif", "a.tif", "a.ome.zarr", "a.ozx", "a.nd2"])
def test_the_hint_for_a_protocol_is_the_same_for_every_format(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    needs("zarr.abc.store", "ome-zarr")
    known = needs("fsspec.registry").known_implementations
    monkeypatch.setitem(known, "gs", {"class": "no_such_package.System", "err": "Install gcsfs"})
    with pytest.raises(MissingExtraError, match=r"gs://bucket/a.*pip install 'czictypes\[gs\]'$"):
        open_image(f"gs://bucket/{name}")


@pytest.mark.parametrize("name", ["a.ome.tif", "a.png", "a.czi", "a.ome.zarr", "a.ozx"])
def test_the_hint_for_a_protocol_to_write_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    needs("zarr.abc.store", "ome-zarr")
    known = needs("fsspec.registry").known_implementations
    monkeypatch.setitem(known, "sftp", {"class": "paramiko_x.System", "err": "Install paramiko"})
    imwrite(tmp_path / "in.czi", np.zeros((4, 4), np.uint8))
    with pytest.raises(MissingExtraError, match=r"sftp://host/a.*pip install paramiko-x$"):
        convert(tmp_path / "in.czi", f"sftp://host/{name}")


@pytest.mark.parametrize("opener", [open_image, imread, CziImage, czi.open_czi])
def test_an_empty_path_is_no_file(opener: Any) -> None:
    with pytest.raises(FileNotFoundError, match="the path of the file is empty"):
        opener("")


def test_an_empty_path_is_no_target(tmp_path: Path) -> None:
    imwrite(tmp_path / "a.czi", np.zeros((4, 5), np.uint8))
    with pytest.raises(ValueError, match=r"^'' does not end in the name of a format"):
        convert(tmp_path / "a.czi", "")
