"""What the directory says of planes, channels, M-indices, places of tiles, scenes and pyramids."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from container.czi_bytes import Dimension, Tile
from good_file import found, good_file, good_tiles


def severities(tiles: list[Tile], check: str) -> list[str]:
    return [severity for severity, _ in found(good_file(tiles), check, quick=True)]


@pytest.mark.parametrize("w", [0, -4, 2**31 - 1])
def test_sizes_that_cannot_be(w: int) -> None:
    tiles = [*good_tiles(), Tile(x=2, w=w, coordinates={"C": 0}, m=2, data=bytes(12))]
    assert severities(tiles, "subblkentries") == ["error"]


def test_unknown_types() -> None:
    tiles = [replace(one, pixel_type=77, data=bytes(12)) for one in good_tiles()]
    assert severities(tiles, "subblkentries") == ["error"] * 4
    tiles = [replace(one, compression=200) for one in good_tiles()]
    assert severities(tiles, "subblkentries") == ["warning"] * 4


def test_several_planes_in_a_sub_block_are_refused_by_pylibczirw() -> None:
    scan = [Dimension(b"X", 0, 4), Dimension(b"Y", 0, 3), Dimension(b"T", 0, 5)]
    tiles = [Tile(dimensions=scan, data=bytes(60))]
    assert severities(tiles, "strictparsing") == ["info"]
    assert severities(tiles, "consecutiveplaneindices") == []
    assert severities(good_tiles(), "strictparsing") == []


def test_different_dimensions() -> None:
    tiles = [*good_tiles(), Tile(x=20, coordinates={"C": 0, "Z": 0}, m=2)]
    assert severities(tiles, "subblkdimconsistent") == ["warning"]


def test_a_pyramid_tile_of_several_scenes_has_none() -> None:
    tiles = [Tile(x=4 * s, coordinates={"C": 0, "S": s}, m=0) for s in range(2)]
    shared = Tile(w=8, h=3, physical=(4, 2), coordinates={"C": 0})
    assert severities([*tiles, shared], "subblkdimconsistent") == []
    assert severities([*tiles, Tile(x=9, coordinates={"C": 0}, m=0)], "subblkdimconsistent")


@pytest.mark.parametrize("m", [0, None])
def test_the_same_tile_twice(m: int | None) -> None:
    tiles = [Tile(coordinates={"C": 0}, m=m), Tile(coordinates={"C": 0}, m=m)]
    assert severities(tiles, "subblkcoordsunique") == ["error"]
    assert severities(tiles, "overlappingtiles") == []


def test_tiles_without_any_dimension_twice() -> None:
    assert severities([Tile(), Tile()], "subblkcoordsunique") == ["error"]
    assert severities([Tile(), Tile(x=4)], "subblkcoordsunique") == []
    assert severities([Tile(), Tile(x=4)], "minallsubblks") == ["warning"]


def test_the_same_m_at_two_places() -> None:
    tiles = [Tile(x=4 * n, coordinates={"C": 0}, m=0) for n in range(3)]
    assert severities(tiles, "subblkcoordsunique") == ["warning", "warning"]
    levels = [Tile(m=0), Tile(w=8, h=6, m=0), Tile(w=8, h=6, physical=(4, 3), m=0)]
    assert severities(levels[1:], "subblkcoordsunique") == []


@pytest.mark.parametrize(("places", "severity"), [((0,), "info"), ((0, 1), "warning")])
def test_dimension_b(places: tuple[int, ...], severity: str) -> None:
    tiles = [Tile(coordinates={"C": 0, "B": b}, m=0) for b in places]
    assert severities(tiles, "benabled") == [severity]
    assert severities(good_tiles(), "benabled") == []


@pytest.mark.parametrize("coordinates", [{"C": 1}, {}])
def test_several_pixel_types_in_a_channel(coordinates: dict[str, int]) -> None:
    tiles = [
        Tile(x=4 * kind, coordinates=coordinates, m=kind, pixel_type=kind) for kind in range(2)
    ]
    ((severity, message),) = found(good_file(tiles), "samepixeltypeperchannel")
    assert severity == "warning"
    assert message.startswith("it is Gray16, but the first sub-block of")
    apart = [Tile(coordinates={"C": kind}, m=0, pixel_type=kind) for kind in range(2)]
    assert severities(apart, "samepixeltypeperchannel") == []


@pytest.mark.parametrize("letter", ["Z", "T", "S", "C", "H"])
def test_places_that_do_not_begin_at_0_or_have_gaps(letter: str) -> None:
    late = [Tile(coordinates={letter: at}, m=0) for at in (3, 4)]
    assert severities(late, "planesstartindex") == ["warning"]
    assert severities(late, "consecutiveplaneindices") == []
    gaps = [Tile(coordinates={letter: at}, m=0) for at in (0, 2, 7)]
    assert severities(gaps, "planesstartindex") == []
    ((severity, message),) = found(good_file(gaps), "consecutiveplaneindices")
    assert (severity, message) == ("warning", "no sub-block has the places 1, 3 to 6")


def test_m_indices() -> None:
    assert severities([replace(one, m=None) for one in good_tiles()], "minallsubblks") == [
        "warning"
    ]
    single = [Tile(coordinates={"Z": z}) for z in range(3)]
    assert severities(single, "minallsubblks") == ["info"]
    late = [replace(one, m=(one.m or 0) + 1) for one in good_tiles()]
    assert severities(late, "mindicesconsecutive") == ["warning"] * 2
    gap = [Tile(x=4 * m, m=m) for m in (0, 1, 4)]
    ((_, message),) = found(good_file(gap), "mindicesconsecutive")
    assert "4 stands where 2 should" in message
    assert severities(good_tiles(), "mindicesconsecutive") == []
    none = [Tile(x=4 * at, m=2**31 - 1) for at in range(2)]
    assert severities(none, "minallsubblks") == ["warning"]


def messages(tiles: list[Tile], check: str) -> list[str]:
    everything = found(good_file(tiles), check, quick=True)
    return [message for severity, message in everything if severity != "info"]


def scene(number: int, x: int, **more: Any) -> Tile:
    return Tile(**{"x": x, "w": 10, "h": 8, "coordinates": {"C": 0, "S": number}, "m": 0, **more})


def test_a_tile_that_hides_another() -> None:
    tiles = [Tile(w=10, h=8, m=0), Tile(x=2, w=10, h=8, m=1)]
    assert len(messages(tiles, "overlappingtiles")) == 2
    assert messages([Tile(w=10, h=8, m=0), Tile(x=8, w=10, h=8, m=1)], "overlappingtiles") == []
    other = Tile(x=2, w=10, h=8, m=0, coordinates={"C": 1})
    assert messages([Tile(w=10, h=8, m=0, coordinates={"C": 0}), other], "overlappingtiles") == []


def test_scenes_that_overlap() -> None:
    ((message),) = messages([scene(0, 0), scene(1, 9), scene(2, 40)], "overlappingscenes")
    assert "scenes 0 and 1 overlap" in message
    assert messages([scene(0, 0), scene(1, 10)], "overlappingscenes") == []
    elsewhere = scene(1, 9, coordinates={"C": 1, "S": 1})
    assert messages([scene(0, 0), elsewhere], "overlappingscenes") == []


def test_scenes_whose_rectangles_overlap_but_not_their_tiles() -> None:
    corner = [scene(0, 0), scene(0, 10, m=1), scene(0, 0, y=8, m=2)]
    assert messages([*corner, scene(1, 10, y=8)], "overlappingscenes") == []
    assert len(messages([*corner, scene(1, 9, y=8)], "overlappingscenes")) == 1


def test_many_scenes_take_time_in_proportion() -> None:
    plate = [scene(number, 10 * number) for number in range(3000)]
    assert messages(plate, "overlappingscenes") == []


def pyramid(reduced: Tile, *more: Tile) -> list[Tile]:
    base = [Tile(x=8 * m, w=8, h=8, m=m, coordinates={"C": 0}) for m in range(2)]
    return [*base, reduced, *more]


def level(x: int = 0, w: int = 16, stored: int = 8, **more: Any) -> Tile:
    place = {"x": x, "w": w, "h": 8, "physical": (stored, 4), "coordinates": {"C": 0}}
    return Tile(**{"pyramid_type": 2, **place, **more})


def test_a_pyramid_without_fault() -> None:
    assert messages(pyramid(level()), "pyramid") == []
    assert messages(pyramid(level(w=8, stored=4), level(8, w=8, stored=4)), "pyramid") == []


def test_a_hole_in_a_level() -> None:
    assert messages(pyramid(level(w=8, stored=4)), "pyramid") == [
        "it does not show 1 tile of full resolution, sub-block 1 first"
    ]


def test_a_plane_without_pyramid() -> None:
    other = Tile(w=16, h=8, m=0, coordinates={"C": 1})
    (message,) = messages(pyramid(level(), other), "pyramid")
    assert "sub-block 3 first" in message


def test_a_small_scene_may_have_fewer_levels() -> None:
    tiles = [
        scene(0, 0, w=16),
        level(coordinates={"C": 0, "S": 0}),
        level(coordinates={"C": 0, "S": 0}, physical=(4, 2)),
        scene(1, 100, w=8),
        level(100, w=8, stored=4, coordinates={"C": 0, "S": 1}),
    ]
    assert messages(tiles, "pyramid") == []


def test_a_level_beside_the_image() -> None:
    (message,) = messages(pyramid(level(), level(100)), "pyramid")
    assert "no full resolution where it lies" in message


def test_a_tile_that_is_stretched() -> None:
    tiles = [
        Tile(w=64, h=64, m=0),
        Tile(w=64, h=64, physical=(32, 8), pyramid_type=2),
    ]
    (message,) = messages(tiles, "pyramid")
    assert "reduced by 2 along X, but by 8 along Y" in message


def test_a_large_image_without_pyramid() -> None:
    wide = [Tile(m=0), Tile(x=5000, m=1)]
    ((severity, _),) = found(good_file(wide), "pyramid", quick=True)
    assert severity == "info"
    assert found(good_file(good_tiles()), "pyramid", quick=True) == []
