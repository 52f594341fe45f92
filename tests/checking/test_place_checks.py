"""Tiles that hide each other, scenes that overlap, pyramids with holes."""

from __future__ import annotations

from typing import Any

from container.czi_bytes import Tile
from good_file import found, good_file, good_tiles


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
