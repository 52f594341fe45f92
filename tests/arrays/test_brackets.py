"""Images are indexed by position, like arrays, with names for channels; and tell what they are."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from extras import needs

from czictypes import CziImage, Image, czi, open_image
from czictypes.model.errors import ClosedError, OutOfBoundsError

CELLS = np.random.default_rng(9).integers(0, 4096, (2, 3, 4, 40, 50)).astype(np.uint16)
NAMES = ["DAPI", "EGFP", "Cy5"]


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("brackets") / "cells.czi"
    pyramid = czi.PyramidOptions(tile=16, until=20)
    sizes = (1e-7, 1e-7, 5e-7)
    czi.imwrite(found, CELLS, channel_names=NAMES, pixel_size=sizes, pyramid=pyramid)
    return found


_ = np.s_
KEYS: list[tuple[Any, Any]] = [
    (_[...], _[...]),
    (_[:], _[:]),
    (_[0], _[0]),
    (_[-1, 2], _[-1, 2]),
    (_[1, 2, 3, 4, 5], _[1, 2, 3, 4, 5]),
    (_[..., 5], _[..., 5]),
    (_[1, ..., 7:9], _[1, ..., 7:9]),
    (_[0, "EGFP", :, 10:20], _[0, 1, :, 10:20]),
    (_[:, "EGFP"], _[:, 1]),
    (_[:, ["Cy5", "DAPI"]], _[:, [2, 0]]),
    (_[:, ["Cy5", 0]], _[:, [2, 0]]),
    (_[..., ::-1, ::4], _[..., ::-1, ::4]),
    (_[np.int64(1), np.array(2)], _[1, 2]),
    (_[:, [True, False, True]], _[:, [True, False, True]]),
    (_[..., np.arange(50) % 7 == 0], _[..., np.arange(50) % 7 == 0]),
    (_[5:], _[5:]),
    (_[0, 0, 0, 0, 0, ...], _[0, 0, 0, 0, 0, ...]),
    ({"C": "EGFP", "Z": 3}, _[:, 1, 3]),
    ({}, _[...]),
]


@pytest.mark.parametrize(("key", "same"), KEYS, ids=str)
def test_brackets_are_those_of_an_array_with_names_of_channels(
    image: Image, key: Any, same: Any
) -> None:
    found = image[key]
    assert isinstance(found, np.ndarray)
    np.testing.assert_array_equal(found, CELLS[same])


def test_several_lists_are_taken_one_after_the_other(image: Image) -> None:
    found = image[0, [2, 0], :, [1, 1, 3], :]
    np.testing.assert_array_equal(found, CELLS[0][[2, 0]][:, :, [1, 1, 3]])


def test_brackets_read_the_current_level_and_scene(path: Path) -> None:
    with CziImage(path) as image:
        image.set_resolution_level(1)
        np.testing.assert_array_equal(image[1, "Cy5", 0, 3:9], image.asarray(1)[1, 2, 0, 3:9])
        np.testing.assert_array_equal(image.scene(0)[1, 0], image.asarray(1)[1, 0])


def test_the_samples_of_a_colour_come_last(tmp_path: Path) -> None:
    picture = CELLS[0, 0, :3].transpose(1, 2, 0).astype(np.uint8)
    czi.imwrite(tmp_path / "picture.czi", picture, axes="YXS")
    with CziImage(tmp_path / "picture.czi") as image:
        np.testing.assert_array_equal(image[0, 0, 0, 3:5, ..., 2], picture[3:5, :, 2])


def test_the_first_axis_can_be_gone_through(image: Image) -> None:
    found = list(image)  # type: ignore[call-overload]
    assert len(found) == 2
    np.testing.assert_array_equal(found[1], CELLS[1])


def test_dask_takes_an_image_as_an_array(image: Image) -> None:
    da = needs("dask.array", "dask")
    lazy = da.from_array(image, chunks=(1, 1, 4, 40, 50), name=False)
    np.testing.assert_array_equal(lazy[:, 2].max(axis=1).compute(), CELLS[:, 2].max(axis=1))


@pytest.mark.parametrize(
    ("key", "message"),
    [
        (_[0, 0, 0, 0, 0, 0], "6 items .* there are 5 dimensions, T, C, Z, Y, X"),
        (_[..., 0, ...], "2 ... are chosen"),
        (_[2], "there is no T=2; T goes from 0 to 1"),
        (_[0, 3], "there is no C=3; C goes from 0 to 2"),
        (_[:, "RFP"], "there is no channel 'RFP'; the channels are 'DAPI', 'EGFP', 'Cy5'"),
        (_[:, [True]], "the mask of C has 1 values, but C has 3"),
    ],
)
def test_what_is_not_there_is_an_index_error(image: Image, key: Any, message: str) -> None:
    with pytest.raises(OutOfBoundsError, match=message):
        image[key]


@pytest.mark.parametrize(
    ("key", "message"),
    [
        (_["EGFP"], "T takes .*, not 'EGFP'; only channels .C. have names"),
        (_[0, 1.0], "C takes an index or a name"),
        (_[True], "T takes an index"),
        (_[np.newaxis], "None adds no axis here"),
        (_[0, :, 0.5:3], "Z takes an index"),
        ({"Q": 0}, "there is no dimension Q; they are T, C, Z, Y, X"),
    ],
)
def test_what_is_no_index_is_told(image: Image, key: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        image[key]


# What the file is


def test_path_and_name_are_those_of_the_file(file: Path) -> None:
    for source in (file, str(file)):
        with open_image(source) as image:
            assert (image.path, image.name) == (file, file.name)
            assert (image.scene(0).path, image.scene(0).name) == (file, file.name)


def test_a_reader_has_path_and_name(path: Path) -> None:
    with czi.open_czi(path) as document:
        assert (document.path, document.name) == (path, "cells.czi")
    assert document.path == path  # closed as well


def test_what_is_no_local_file_has_a_name_without_secrets(path: Path) -> None:
    fsspec = needs("fsspec", "remote")
    fsspec.filesystem("memory").put_file(str(path), "/brackets/far.czi")
    url = "memory://user:secret@brackets/far.czi?token=secret"
    with CziImage("memory://brackets/far.czi", storage_options={}) as image:
        assert (image.path, image.name) == (None, "far.czi")
    from czictypes.remote.urls import local_path, short_name

    assert (local_path(url), short_name(url)) == (None, "far.czi")
    assert short_name("zip://in.czi::s3://bucket/all.zip") == "in.czi"


def test_file_objects_have_the_names_that_they_have(path: Path) -> None:
    with path.open("rb") as stream, czi.open_czi(stream) as document:
        assert (document.path, document.name) == (None, "cells.czi")
    with czi.open_czi(io.BytesIO(path.read_bytes())) as document:
        assert (document.path, document.name) == (None, "BytesIO")


def test_info_is_a_text_of_what_there_is(image: Image) -> None:
    text = image.info()
    assert repr(text) == text == str(text)
    assert text.splitlines()[0] == f"{type(image).__name__} {image.name}"
    for part in ("T 2", "X 50", "uint16", "DAPI", "EGFP", "Cy5", "X 0.1 µm", "Z 0.5 µm"):
        assert part in text, part
    assert "<" not in text
    image.close()
    with pytest.raises(ClosedError):
        image.info()


def test_info_of_a_reader_is_that_of_the_document(path: Path) -> None:
    with czi.open_czi(path) as document:
        text = document.info()
    assert text.splitlines()[0] == "CziReader cells.czi"
    for part in ("T 2", "X 50", "Gray16", "EGFP", "Attachments", "Thumbnail"):
        assert part in text, part
    with pytest.raises(ClosedError):
        document.info()


def test_names_with_markup_are_told_as_they_are(tmp_path: Path) -> None:
    name = "<b>GFP</b> & Z"
    czi.imwrite(tmp_path / "odd.czi", CELLS[0, :1], axes="CZYX", channel_names=[name])
    with CziImage(tmp_path / "odd.czi") as image:
        assert name in image.info()
