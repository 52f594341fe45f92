"""A program as pylibCZIrw's users write it, step after step: it runs here as there.

The steps call what the notebooks of pylibCZIrw call, in their order.
"""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from files.block import Block
from files.builder import write_czi
from files.patterns import noise
from peers import pylibczirw

from czictypes import czi
from czictypes.model.pixel_types import PixelType

XML = b"""<ImageDocument><Metadata><Information><Image><SizeX>240</SizeX></Image></Information>
</Metadata></ImageDocument>"""

Box = tuple[int, int, int, int]


@pytest.fixture
def sample(tmp_path: Path) -> str:
    """Give the name of a file with two scenes, two channels, three times, four focal planes."""
    blocks = [
        Block(
            noise(PixelType.Gray16, 60, 80, seed=1000 * m + 100 * c + 10 * t + z),
            x=x,
            y=7 * scene,
            plane={"C": c, "T": t, "Z": z, "S": scene},
            m=m,
        )
        for scene, c, t, z in itertools.product(range(2), range(2), range(3), range(4))
        for m, x in enumerate((160 * scene, 160 * scene + 70))
    ]
    return str(write_czi(tmp_path / "sample.czi", blocks, metadata=XML))


def describe(library: Any, path: str) -> Iterator[Any]:
    """Ask for all that is told of a document, each in a block of its own."""
    with library.open_czi(path, library.ReaderFileInputTypes.Standard) as document:
        yield "SizeX" in document.raw_metadata
        yield document.metadata["ImageDocument"]["Metadata"]["Information"]["Image"]
    with library.open_czi(path) as document:
        box = document.total_bounding_box
    yield box
    yield document.total_bounding_rectangle
    with library.open_czi(path) as document:
        yield document.scenes_bounding_rectangle
        yield document.get_channel_pixel_type(0)
        yield document.pixel_types


def read(library: Any, path: str) -> Iterator[Any]:
    """Read planes, regions, scenes, other pixel types, zooms and backgrounds."""
    with library.open_czi(path) as document:
        yield document.read()
        yield document.read(plane={"C": 0, "Z": 2, "T": 1})
        yield document.read(plane={"C": 1, "Z": 3, "T": 2})
        for channel in range(2):
            yield document.read(roi=(120, 5, 60, 40), plane={"C": channel})
        yield document.read(roi=document.total_bounding_rectangle, scene=0)
        for scene, channel in itertools.product(range(2), range(2)):
            yield document.read(plane={"C": channel}, scene=scene)
        for kind in ("Gray8", "Gray32Float", "Bgr48"):
            yield document.read(pixel_type=kind)
        for zoom in (1, 1.0, 0.25, 0.1):
            yield document.read(roi=(20, 10, 50, 40), scene=0, zoom=zoom, pixel_type="Gray8")
        for color in ((0, 0, 0), (255, 0, 0), library.Color(0.5, 0.25, 1)):
            yield document.read(background_pixel=color, pixel_type="Bgr24")


def written(library: Any, path: str) -> Iterator[Any]:
    """Read back what a new document holds; planes one by one."""
    with library.open_czi(path) as document:
        box = document.total_bounding_box
        yield box
        yield document.scenes_bounding_rectangle
        for z in range(*box["Z"]):
            yield document.read(plane={"Z": z})


def write(library: Any, folder: Path) -> Iterator[Any]:
    """Write stacks, places, scenes, compressed planes and metadata."""
    stack = [noise(PixelType.Gray8, 24, 20, seed=number) for number in range(16)]
    path = str(folder / "below" / "new.czi")
    for _ in range(2):
        with library.create_czi(path, exist_ok=True) as document:
            for z, plane in enumerate(stack):
                document.write(data=plane, plane={"Z": z})
    yield from written(library, path)
    with pytest.raises(FileExistsError):
        library.create_czi(path).__enter__()
    with library.create_czi(path, exist_ok=True) as document:
        for step in range(4):
            document.write(stack[step], plane={"C": 0}, location=(30 * step, 0))
    yield from written(library, path)
    with library.create_czi(path, True) as document:
        for scene, (x, y) in enumerate(itertools.product(range(4), range(4))):
            document.write(
                stack[scene][..., 0], location=(64 * x, 64 * y), plane={"C": 0}, scene=scene
            )
    yield from written(library, path)
    with library.create_czi(path, True, "uncompressed:") as document:
        where = {"plane": {"C": 0, "T": 0, "Z": 0}, "scene": 0, "location": (0, 0)}
        document.write(data=stack[0], compression_options="zstd0:ExplicitLevel=10", **where)
        document.write(data=stack[1], plane={"C": 1})
        document.write(np.repeat(stack[2], 3, axis=2), plane={"C": 2})
    yield from written(library, path)
    with library.create_czi(path, compression_options="zstd1:", exist_ok=True) as document:
        document.write(stack[0], plane={"C": 0})
        document.write(stack[1], plane={"C": 1})
        document.write_metadata(
            document_name="a walk",
            channel_names={0: "red", 1: "green"},
            custom_attributes={"who": "nobody", "count": 3, "exact": True, "ratio": 0.5},
            scale_x=0.1 * 10**-6,
            scale_y=0.1 * 10**-6,
            scale_z=0.2 * 10**-6,
        )
    with library.open_czi(path) as document:
        yield document.custom_attributes_metadata
        tree = document.metadata["ImageDocument"]["Metadata"]
    yield tree["Information"]["Document"]["Title"]
    yield [
        one["@Name"] for one in tree["Information"]["Image"]["Dimensions"]["Channels"]["Channel"]
    ]
    yield {one["@Id"]: float(one["Value"]) for one in tree["Scaling"]["Items"]["Distance"]}


def tiles(box: Box, size: int, border: int) -> Iterator[Box]:
    """Cut a rectangle into tiles that reach into each other."""
    x, y, w, h = box
    for top, left in itertools.product(range(y, y + h, size), range(x, x + w, size)):
        right, bottom = min(left + size + border, x + w), min(top + size + border, y + h)
        yield max(left - border, x), max(top - border, y), right - left, bottom - top


def process(library: Any, source: str, folder: Path) -> Iterator[Any]:
    """Copy a document tile by tile, changed on the way, with two of them open; use a cache."""
    path = str(folder / "processed.czi")
    options = library.CacheOptions(library.CacheType.Standard)
    with library.open_czi(source) as document, library.create_czi(path) as new:
        for scene, box in document.scenes_bounding_rectangle.items():
            for channel in range(document.total_bounding_box["C"][1]):
                for tile in tiles(tuple(box), 50, 6):
                    pixels = document.read(plane={"C": channel}, roi=tile, scene=scene)
                    new.write(pixels // 2, location=tile[:2], plane={"C": channel}, scene=scene)
    yield from written(library, path)
    with library.open_czi(path, cache_options=options) as document:
        yield [document.read(plane={"C": channel}) for channel in (0, 1, 0)]
    yield document.get_cache_info().elements_count


def walk(library: Any, sample: str, folder: Path) -> list[Any]:
    steps = (
        describe(library, sample),
        read(library, sample),
        write(library, folder),
        process(library, sample, folder),
    )
    return list(itertools.chain.from_iterable(steps))


def test_a_program_for_pylibczirw_does_the_same_here(
    sample: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CZICTYPES_OVERLAP", "allow")  # it writes tiles that overlap
    with pytest.warns(UserWarning, match=r"\(255, 0, 0\) is clipped"):
        ours = walk(czi, sample, tmp_path / "ours")
    theirs = walk(pylibczirw(), sample, tmp_path / "theirs")
    assert len(ours) == len(theirs)
    for step, (one, other) in enumerate(zip(ours, theirs)):
        np.testing.assert_equal(one, other, err_msg=f"step {step}")


def test_it_warns_of_one_thing_alone(sample: str, tmp_path: Path) -> None:
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        list(itertools.chain(describe(czi, sample), read(czi, sample), write(czi, tmp_path)))
    assert len(told) == 1
