"""What a document tells of itself."""

from __future__ import annotations

import pytest

from czictypes import czi
from czictypes.model.errors import ClosedError, OutOfBoundsError


def test_ranges_start_where_the_file_starts(made) -> None:
    with czi.open_czi(made("negative_planes").path) as document:
        box = document.total_bounding_box
        assert (box["Z"], box["T"], box["C"]) == ((-2, 1), (5, 7), (0, 1))
        assert document.read().shape == (8, 9, 1)


def test_a_file_whose_only_channel_is_1_is_read(made) -> None:
    with czi.open_czi(made("gapped_channels").path) as document:
        assert document.pixel_types == {1: "Gray8"}
        assert document.read().tobytes() == made("gapped_channels").blocks[0].pixels.tobytes()


def test_missing_dimensions_have_one_place(made) -> None:
    with czi.open_czi(made("no_coordinates").path) as document:
        assert document.total_bounding_box == {
            "T": (0, 1),
            "Z": (0, 1),
            "C": (0, 1),
            "X": (0, 11),
            "Y": (0, 9),
        }
        assert document.pixel_types == {0: "Gray8"}
        assert document.scenes_bounding_rectangle == {}


def test_an_unknown_channel_has_no_pixel_type(made) -> None:
    with czi.open_czi(made("mosaic").path) as document:
        assert document.get_channel_pixel_type(1) == "Gray16"
        assert document.get_channel_pixel_type(2) == "Invalid"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("mosaic", "Gray16"),
        ("gapped_channels", "Gray8"),
        ("channels_with_a_gap", "Gray16"),
        ("no_coordinates", "Gray8"),
        ("empty", "Invalid"),
    ],
)
def test_a_pixel_type_is_that_of_the_lowest_channel(made, name: str, expected: str) -> None:
    with czi.open_czi(made(name).path) as document:
        assert document.get_channel_pixel_type() == expected
        first = document.total_bounding_box["C"][0]
        assert document.get_channel_pixel_type(channel_index=first) == expected


def test_a_channel_is_a_whole_number_or_a_name(made) -> None:
    with czi.open_czi(made("mosaic").path) as document:
        with pytest.raises(TypeError):
            document.get_channel_pixel_type(0.5)
        with pytest.raises(OutOfBoundsError, match="there is no channel 'Gray8'"):
            document.get_channel_pixel_type("Gray8")


@pytest.mark.parametrize("name", ["mosaic", "multi_scene_pyramid", "negative", "empty"])
def test_the_rectangles_outlive_the_reader(made, name: str) -> None:
    rectangles = ("total_bounding_rectangle", "total_bounding_rectangle_no_pyramid")
    with czi.open_czi(made(name).path) as document:
        pass  # as they are computed when they are asked for
    with czi.open_czi(made(name).path) as fresh:
        expected = [getattr(fresh, one) for one in rectangles]
    document.close()
    assert [getattr(document, one) for one in rectangles] == expected
    with pytest.raises(ClosedError):
        document.total_bounding_box  # noqa: B018


def test_the_two_coordinate_systems(made) -> None:
    with czi.open_czi(made("negative").path) as document:
        assert document.to_pixel_coordinates(-40, -1030) == czi.Location(0, 0)
        assert document.to_pixel_coordinates(-30, -1000) == (10, 30)
        assert document.from_pixel_coordinates(10, 30) == (-30, -1000)


def test_described_metadata(made) -> None:
    with czi.open_czi(made("described").path) as document:
        assert document.scaling == (1.5e-07, 2e-07, 1e-06)
        assert document.channel_names == ["DAPI", "Grün"]
        assert document.custom_attributes_metadata == {
            "count": -5,
            "exact": True,
            "label": "a & b",
            "ratio": 0.25,
        }
        assert document.document_info.title == "A title"
        settings = document.display_settings
        assert settings[0].tinting_color == czi.Rgb8Color(0, 0, 255)
        assert (settings[0].black_point, settings[0].white_point) == (0.1, 0.75)
        assert not settings[1].is_enabled
        assert document.raw_metadata.startswith("<ImageDocument>")


def test_metadata_are_parsed_once(made) -> None:
    with czi.open_czi(made("described").path) as document:
        assert document.metadata is document.metadata
        assert document.metadata["ImageDocument"]["Metadata"]["Information"]["Document"]["Name"]


def test_a_document_without_metadata(made) -> None:
    with czi.open_czi(made("tiny").path) as document:
        assert document.raw_metadata == ""
        assert document.metadata == {}
        assert document.custom_attributes_metadata is None
        assert document.scaling == (None, None, None)
        assert document.channels == []
        assert document.display_settings == {}


def test_only_the_import_line_changes() -> None:
    public = {
        "CziReader",
        "Rectangle",
        "Location",
        "Color",
        "CacheOptions",
        "CacheType",
        "ReaderOptions",
        "ReaderFileInputTypes",
        "Rgb8Color",
        "TintingMode",
        "ChannelDisplaySettingsDataClass",
        "open_czi",
    }
    assert public <= set(czi.__all__)


@pytest.mark.parametrize("name", ["BLACK_COLOR", "PIXEL_TYPES", "CZI_DIMS"])
def test_class_constants_of_pylibczirw_are_there(name: str) -> None:
    assert getattr(czi.CziReader, name)
