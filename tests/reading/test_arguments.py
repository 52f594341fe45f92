"""Wrong arguments of a read: the error says what is allowed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from files.block import Block
from files.builder import write_czi

from czictypes import czi
from czictypes.model.errors import InvalidArgumentError, OutOfBoundsError
from czictypes.reading.threads import thread_count


@pytest.fixture
def document(made):
    with czi.open_czi(made("multi_scene_pyramid").path) as opened:
        yield opened


WRONG: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"plane": "C1"}, TypeError, "plane must be a mapping"),
    ({"plane": 5}, TypeError, "plane must be a mapping"),
    ({"plane": {"C": 2}}, IndexError, "C goes from 0 to 1"),
    ({"plane": {"C": -1}}, ValueError, "C goes from 0 to 1"),
    ({"plane": {"Z": 1}}, IndexError, "Z goes from 0 to 0"),
    ({"plane": {"Q": 0}}, ValueError, "use one of Z, C, T"),
    ({"plane": {"S": 0}}, ValueError, "scene="),
    ({"plane": {"C": "x"}}, ValueError, "there is no channel 'x'"),
    ({"plane": {"C": 0.5}}, ValueError, "whole number or a name"),
    ({"scene": 3}, IndexError, "scenes 0 to 2"),
    ({"scene": 3}, ValueError, "scenes 0 to 2"),
    ({"scene": "A"}, ValueError, "there is no scene 'A'"),
    ({"scene": 0.5}, ValueError, "whole number or a name"),
    ({"pixel_type": 3}, ValueError, "'?3'? is not a pixel type"),
    ({"zoom": 0}, ValueError, "greater than 0"),
    ({"zoom": 1.01}, ValueError, "at most 1"),
    ({"zoom": float("nan")}, ValueError, "at most 1"),
    ({"zoom": 1e-5}, ValueError, "larger zoom"),
    ({"roi": (0, 0, 0, 5)}, ValueError, "empty"),
    ({"roi": (0, 0, 5)}, ValueError, "four whole numbers"),
    ({"roi": (0, 0, 5.5, 5)}, ValueError, "four whole numbers"),
    ({"roi": (2**31, 0, 5, 5)}, ValueError, "32-bit"),
    ({"pixel_type": "Gray17"}, ValueError, "Gray8, Gray16"),
    ({"background_pixel": (0, 0)}, ValueError, "three numbers"),
    ({"background_pixel": (0, 0, float("nan"))}, ValueError, "from 0 to 1"),
    ({"background_pixel": "black"}, ValueError, "three numbers"),
    ({"background_pixel": 65536}, ValueError, "0 to 65535"),
    ({"background_pixel": 0.5}, ValueError, "whole number"),
    ({"background_pixel": 1, "pixel_type": "Bgr24"}, ValueError, "three numbers"),
]


@pytest.mark.parametrize(("arguments", "error", "message"), WRONG, ids=lambda value: str(value))
def test_a_wrong_argument_tells_what_is_allowed(
    document: czi.CziReader, arguments: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        document.read(**arguments)


def test_what_the_document_does_not_have_is_said_with_its_name(document: czi.CziReader) -> None:
    with pytest.raises(OutOfBoundsError, match=r"multi_scene_pyramid\.czi: plane C=9"):
        document.read(plane={"C": 9})
    with pytest.raises(OutOfBoundsError, match=r"multi_scene_pyramid\.czi: there is no scene 9"):
        document.composite(scene=9)


def test_a_dimension_the_document_lacks_may_be_given_as_zero(document: czi.CziReader) -> None:
    np.testing.assert_array_equal(document.read(plane={"T": 0, "H": 0}), document.read())


@pytest.mark.parametrize("scene", [{}, {"S": 0}, {"S": 5}], ids=["none", "0", "5"])
def test_a_scene_may_be_given_in_the_plane_where_there_is_no_choice(
    tmp_path: Path, scene: dict[str, int]
) -> None:
    write_czi(tmp_path / "a.czi", [Block(np.full((4, 5), 7, np.uint8), plane={"C": 0, **scene})])
    number = scene.get("S", 0)
    with czi.open_czi(tmp_path / "a.czi") as document:
        assert (document.read(plane={"S": number}) == 7).all()
        assert (document.read(plane={"C": 0, "S": number}, zoom=0.5) == 7).all()
        with pytest.raises(OutOfBoundsError, match=f"S goes from {number} to {number}"):
            document.read(plane={"S": number + 1})
        with pytest.raises(ValueError, match="whole number"):
            document.read(plane={"S": 0.5})
        with pytest.raises(ValueError, match="there is no scene 'first'"):
            document.read(plane={"S": "first"})


def test_scenes_with_a_gap_are_listed(made) -> None:
    with czi.open_czi(made("gapped_scenes").path) as document:
        with pytest.raises(OutOfBoundsError, match="scenes 1, 4"):
            document.read(scene=2)


def test_a_document_without_scenes_says_so(made) -> None:
    with czi.open_czi(made("mosaic").path) as document:
        with pytest.raises(OutOfBoundsError, match="no scenes"):
            document.read(scene=0)


def test_an_empty_document_has_nothing_to_read(made) -> None:
    with czi.open_czi(made("empty").path) as document:
        with pytest.raises(OutOfBoundsError, match="no sub-blocks"):
            document.read()


def test_a_zoom_that_leaves_no_pixel_is_refused(document: czi.CziReader) -> None:
    with pytest.raises(InvalidArgumentError, match="the zoom is so small"):
        document.read(zoom=1e-6)


@pytest.mark.parametrize("roi", [(2**31 - 5, 0, 10, 3), (0, -(2**31) - 1, 10, 3)])
def test_a_region_beyond_all_coordinates_is_out_of_bounds(document: czi.CziReader, roi) -> None:
    with pytest.raises(OutOfBoundsError, match="32-bit"):
        document.read(roi=roi)


def test_numpy_numbers_are_taken_as_numbers(document: czi.CziReader) -> None:
    roi = tuple(np.array([3, 4, 20, 10], dtype=np.int64))
    pixels = document.read(
        roi=roi, plane={"C": np.int32(1)}, scene=np.int16(0), zoom=np.float32(0.5)
    )
    assert pixels.shape == (5, 10, 1)


def test_a_single_number_is_the_background_of_a_gray_read(document: czi.CziReader) -> None:
    pixels = document.read(roi=(-5, -5, 4, 4), background_pixel=1234)
    assert (pixels == 1234).all()


def test_a_channel_without_sub_blocks_is_all_background(made) -> None:
    with czi.open_czi(made("channels_with_a_gap").path) as document:
        pixels = document.read(plane={"C": 2}, background_pixel=7)
        assert pixels.dtype == np.uint16
        assert (pixels == 7).all()


class TestTheBackgroundOfBgra32:
    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        """Two tiles with a gap between them."""
        pixels = np.full((5, 5, 4), 9, np.uint8)
        return write_czi(tmp_path / "bgra.czi", [Block(pixels), Block(pixels, x=20)])

    @pytest.mark.parametrize(
        ("arguments", "expected"),
        [
            ({}, [0, 0, 0, 0]),
            ({"zoom": 0.5}, [0, 0, 0, 0]),
            ({"background_pixel": (0, 0.5, 1, 0.25)}, [0, 128, 255, 64]),
            ({"background_pixel": [0, 0.5, 1, 1]}, [0, 128, 255, 255]),
            ({"background_pixel": (0, 0.5, 1)}, [0, 128, 255, 255]),
            ({"background_pixel": czi.Color(0, 0, 0)}, [0, 0, 0, 255]),
        ],
        ids=str,
    )
    def test_it_may_have_an_alpha(
        self, path: Path, arguments: dict[str, Any], expected: list[int]
    ) -> None:
        with czi.open_czi(path) as document:
            pixels = document.read(**arguments)
            gap = pixels[:, pixels.shape[1] // 2]
            assert (gap == expected).all()
            assert (pixels[:, 0] == 9).all()

    def test_four_numbers_are_for_it_alone(self, path: Path) -> None:
        with czi.open_czi(path) as document:
            with pytest.raises(ValueError, match="a Bgra32 read four"):
                document.read(pixel_type="Bgr24", background_pixel=(0, 0, 0, 0))
            with pytest.raises(ValueError, match="three numbers"):
                document.read(background_pixel=3)
            assert document.read(pixel_type="Bgr24")[0, 10].tolist() == [0, 0, 0]
            assert document.read(pixel_type="Gray8", background_pixel=7)[0, 10].tolist() == [7]


class TestOut:
    """The caller's own array."""

    def test_it_is_filled_and_returned(self, document: czi.CziReader) -> None:
        expected = document.read(scene=0)
        out = np.full(expected.shape, 9, expected.dtype)
        assert document.read(scene=0, out=out) is out
        np.testing.assert_array_equal(out, expected)

    def test_its_rows_may_be_strided(self, document: czi.CziReader) -> None:
        expected = document.read(scene=0)
        height, width, _ = expected.shape
        big = np.full((height, width + 10, 1), 5, expected.dtype)
        document.read(scene=0, out=big[:, 3 : 3 + width])
        np.testing.assert_array_equal(big[:, 3 : 3 + width], expected)
        assert (big[:, :3] == 5).all()
        assert (big[:, 3 + width :] == 5).all()

    def test_it_may_be_a_view_with_an_axis_for_the_samples(self, document: czi.CziReader) -> None:
        plane = np.zeros((72, 92), np.uint16)
        document.read(scene=0, out=plane[..., np.newaxis])
        np.testing.assert_array_equal(plane, document.read(scene=0)[..., 0])

    @pytest.mark.parametrize(
        ("out", "message"),
        [
            (np.zeros((72, 92), np.uint16), "shape"),
            (np.zeros((72, 92, 1), np.uint8), "dtype"),
            (np.zeros((72, 184, 1), np.uint16)[:, ::2], "adjacent"),
            ([[0]], "numpy array"),
        ],
        ids=["shape", "dtype", "stride", "list"],
    )
    def test_an_array_that_does_not_fit_is_refused(
        self, document: czi.CziReader, out: Any, message: str
    ) -> None:
        with pytest.raises(ValueError, match=message):
            document.read(scene=0, out=out)

    def test_a_read_only_array_is_refused(self, document: czi.CziReader) -> None:
        out = np.zeros((72, 92, 1), np.uint16)
        out.flags.writeable = False
        with pytest.raises(ValueError, match="read-only"):
            document.read(scene=0, out=out)


class TestThreadCount:
    """How many threads decode."""

    def test_what_is_asked_for_counts_first(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("CZICTYPES_THREADS", "7")
        assert thread_count(3) == 3

    def test_then_the_environment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("CZICTYPES_THREADS", "7")
        assert thread_count() == 7

    def test_then_the_cpus(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("CZICTYPES_THREADS", raising=False)
        assert thread_count() >= 1

    @pytest.mark.parametrize("number", [0, -1])
    def test_less_than_one_is_refused(self, number: int) -> None:
        with pytest.raises(ValueError, match="at least 1"):
            thread_count(number)

    def test_a_variable_that_is_no_number_is_named(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("CZICTYPES_THREADS", "many")
        with pytest.raises(ValueError, match="CZICTYPES_THREADS"):
            thread_count()
