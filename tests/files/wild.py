"""Small files whose numbers are huge: the format allows each, but it claims more than it holds."""

from __future__ import annotations

import struct
from dataclasses import replace
from functools import partial
from typing import Callable

from container.czi_bytes import AttachedFile, Dimension, Tile, build_czi, mask_chunk

from files.masks import CHUNK_CONTAINER_XML

__all__ = ["WILD_FILES"]

_LAST = 2**31 - 1
_FIRST = -(2**31) + 1  # the smallest is libCZI's mark of a dimension that is not there
_FAR = 2**27
_TILE = Tile(coordinates={"C": 0, "Z": 0, "T": 0})
_CONTENT = bytes(range(12))

#: Places of tiles along a dimension.
_FAR_PLACES = {
    "apart": (0, _FAR), "few_thousand_apart": (0, 9000), "to_the_end": (0, _LAST - 1),
    "from_below": (_FIRST, 0), "whole_range": (_FIRST, _LAST - 1), "at_end": (_LAST - 1,),
}  # fmt: skip

#: The bytes of each file, by a name that says what is huge.
WILD_FILES: dict[str, Callable[[], bytes]] = {}


def _tiles(*tiles: Tile, **options: object) -> bytes:
    filled = [replace(tile, data=_CONTENT) if tile.data is None else tile for tile in tiles]
    return build_czi(filled, **options).data  # type: ignore[arg-type]


def _in_dimensions(*values: dict[str, int]) -> bytes:
    """Return a file with a tile for each place, in the dimensions that it names."""
    tiles = []
    for place in values:
        m = place.get("M")
        plane = {name: at for name, at in place.items() if name != "M"}
        tiles.append(Tile(coordinates={"C": 0, **plane}, m=m, x=4 * len(tiles) if m else 0))
    return _tiles(*tiles)


def _sized(letter: str, size: int, start: int = 0) -> bytes:
    """Return a file whose only tile claims many planes in a dimension."""
    dimensions = [
        Dimension(b"X", 0, 4), Dimension(b"Y", 0, 3), Dimension(letter.encode(), start, size)
    ]  # fmt: skip
    return _tiles(Tile(dimensions=dimensions, data=_CONTENT))


def _xml(image: str = "", more: str = "", information: str = "") -> bytes:
    inside = f"<Information><Image>{image}</Image>{information}</Information>{more}"
    xml = f"<ImageDocument><Metadata>{inside}</Metadata></ImageDocument>".encode()
    tiles = [_TILE, replace(_TILE, coordinates={"C": 1, "Z": 0, "T": 0})]
    return _tiles(*tiles, metadata=xml)


def _attached(name: bytes, kind: bytes, data: bytes) -> bytes:
    return _tiles(_TILE, attachments=[AttachedFile(name, kind, data)])


def _nested(name: bytes, distance: int) -> bytes:
    inside = _tiles(_TILE, replace(_TILE, x=distance, y=distance))
    return _attached(name, b"CZI", inside)


def _scenes(*numbers: int, apart: int = 0) -> bytes:
    return _tiles(
        *(
            replace(_TILE, coordinates={"C": 0, "S": scene}, x=apart * place, y=apart * place)
            for place, scene in enumerate(numbers)
        )
    )


def _register() -> None:
    for letter in "CZTSHIVBRM":
        for name, values in _FAR_PLACES.items():
            if letter in "CTSM" or name in ("apart", "whole_range"):
                places = [{letter: value} for value in values]
                WILD_FILES[f"{letter}_{name}"] = partial(_in_dimensions, *places)
        if letter not in "SM":
            WILD_FILES[f"{letter}_of_huge_size"] = partial(_sized, letter, _LAST)
    WILD_FILES["T_of_large_size"] = partial(_sized, "T", 5000)
    for count in (200, 2000):
        far = {"C": count, "Z": count, "T": count}
        WILD_FILES[f"CTZ_{count}_apart"] = partial(_in_dimensions, dict.fromkeys(far, 0), far)
    everything = dict.fromkeys("CZTHIVBR", 60)
    WILD_FILES["all_dimensions_apart"] = partial(
        _in_dimensions, dict.fromkeys(everything, 0), everything
    )
    for name, (x, y) in {
        "X": (2**30, 0), "Y": (0, 2**30), "XY": (2**30, 2**30), "XY_a_little": (30000, 30000),
        "X_a_little": (50_000_000, 0), "Y_a_little": (0, 40_000_000), "XY_less": (10000, 10000),
    }.items():  # fmt: skip
        WILD_FILES[f"tiles_apart_in_{name}"] = partial(_tiles, _TILE, replace(_TILE, x=x, y=y))
    low = replace(_TILE, x=_FIRST, y=_FIRST)
    high = replace(_TILE, x=_LAST - 8, y=_LAST - 8)
    WILD_FILES["tiles_at_both_ends"] = partial(_tiles, low, high)
    WILD_FILES["tile_at_low_end"] = partial(_tiles, low)
    WILD_FILES["tile_at_high_end"] = partial(_tiles, high)
    for name, (w, h) in {
        "X": (2**30, 3), "Y": (4, 2**30), "XY": (2**30, 2**30), "XY_a_little": (40000, 40000),
"XY_less": (5000, 5000),
    }.items():  # fmt: skip
        wide = Tile(w=w, h=h, physical=(4, 3), coordinates={"C": 0}, data=_CONTENT)
        WILD_FILES[f"tile_covers_much_{name}"] = partial(_tiles, wide)
        WILD_FILES[f"pyramid_tile_covers_much_{name}"] = partial(
            _tiles, _TILE, replace(wide, pyramid_type=2)
        )
        fine = Tile(w=1, h=1, physical=(w, h), coordinates={"C": 0}, data=_CONTENT)
        WILD_FILES[f"tile_stores_much_{name}"] = partial(_tiles, fine)
        WILD_FILES[f"tile_claims_much_{name}"] = partial(
            _tiles, Tile(w=w, h=h, coordinates={"C": 0}, data=_CONTENT)
        )
    WILD_FILES["scenes_apart"] = partial(_scenes, 0, 1, apart=2**29)
    WILD_FILES["scenes_far_numbers"] = partial(_scenes, 0, 7, _FAR, _LAST - 1, apart=10)
    for number in (_LAST, 20000):
        sizes = "".join(f"<Size{letter}>{number}</Size{letter}>" for letter in "XYCZTSHIVBRM")
        WILD_FILES[f"xml_sizes_{number}"] = partial(_xml, sizes)
        channel = f'<Channel Id="Channel:{number}" Name="far"/>'
        WILD_FILES[f"xml_channel_{number}"] = partial(
            _xml, f"<Dimensions><Channels>{channel}</Channels></Dimensions>",
            f"<DisplaySetting><Channels>{channel}</Channels></DisplaySetting>",
        )  # fmt: skip
        scene = (
            f'<Scene Index="{number}" Name="far"><CenterPosition>1,2</CenterPosition>'
            f"<Shape Name='B{number}'><RowIndex>{number}</RowIndex><ColumnIndex>{number}"
            f"</ColumnIndex></Shape><PyramidInfo><PyramidLayersCount>{number}</PyramidLayersCount>"
            f"<MinificationFactor>2</MinificationFactor></PyramidInfo></Scene>"
        )
        template = f"<ShapeRows>{number}</ShapeRows><ShapeColumns>{number}</ShapeColumns>"
        WILD_FILES[f"xml_scenes_{number}"] = partial(
            _xml,
            f"<Dimensions><S><Scenes>{scene}</Scenes></S><T><Positions><Interval><Increment>1"
            f"</Increment></Interval></Positions></T></Dimensions><SizeS>{number}</SizeS>",
            f"<ImageScaling/><Experiment><ExperimentBlocks><AcquisitionBlock><SubDimensionSetups>"
            f"<RegionsSetup><SampleHolder><Template>{template}</Template></SampleHolder>"
            "</RegionsSetup></SubDimensionSetups></AcquisitionBlock></ExperimentBlocks>"
            "</Experiment>",
        )  # fmt: skip
    for count in (_LAST, 20000):
        WILD_FILES[f"time_stamps_{count}"] = partial(
            _attached, b"TimeStamps", b"CZTIMS", struct.pack("<ii", 8 + 8 * count & _LAST, count)
        )
        WILD_FILES[f"events_{count}"] = partial(
            _attached, b"EventList", b"CZEVL", struct.pack("<ii", _LAST, count)
        )
    for name in (b"Thumbnail", b"Label", b"SlidePreview"):
        WILD_FILES[f"nested_{name.decode()}"] = partial(_nested, name, 2**30)
        WILD_FILES[f"nested_{name.decode()}_little"] = partial(_nested, name, 30000)
    chunk = mask_chunk(12, 6, bytes(12))
    for name, (w, h) in {"wide": (_LAST, 6), "4g": (60000, 60000), "negative": (-1, 6)}.items():
        masked = Tile(w=12, h=6, physical=(w, h), coordinates={"C": 0}, data=_CONTENT)
        masked = replace(masked, metadata=CHUNK_CONTAINER_XML, attachment=chunk)
        WILD_FILES[f"mask_{name}"] = partial(_tiles, masked)
    huge = mask_chunk(_LAST, _LAST, bytes(12), 0)
    masked = replace(_TILE, metadata=CHUNK_CONTAINER_XML, attachment=huge)
    WILD_FILES["mask_claims_much"] = partial(_tiles, masked)


_register()
