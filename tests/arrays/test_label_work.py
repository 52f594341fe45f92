"""Describing an image takes little: XML is parsed once, few tiles' metadata are read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from described import image_xml, planes, scaling_xml, write_described
from extras import needs
from files.block import Block
from files.recipes import Made
from files.xml import subblock_xml

from czictypes import CziImage
from czictypes.reading import document, subblock


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Collect the length of every XML of a document that is parsed."""
    lengths: list[int] = []

    def parse(xml: bytes) -> Any:
        lengths.append(len(xml))
        return original(xml)

    original = document.parse
    monkeypatch.setattr(document, "parse", parse)
    return lengths


@pytest.fixture
def looked_at(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Collect the sub-blocks whose metadata are read."""
    indices: list[int] = []

    def read(source: Any, directory: Any, wanted: list[int]) -> Any:
        indices.extend(wanted)
        return original(source, directory, wanted)

    original = subblock.read_many_metadata
    monkeypatch.setattr(subblock, "read_many_metadata", read)
    return indices


def describe_all(image: CziImage) -> None:
    for scene in image.scenes:
        image.set_scene(scene)
        assert image.channel_names
        for name in ("channel_colors", "contrast_limits", "origin", "well", "field", "plate"):
            getattr(image, name)
        image.coords()
        assert image.document_info


def test_the_xml_is_parsed_once(made: Callable[[str], Made], parsed: list[int]) -> None:
    with CziImage(made("multi_scene_pyramid").path) as image:
        describe_all(image)
        describe_all(image)
    assert len(parsed) == 1


def test_each_part_of_it_is_described_once(
    made: Callable[[str], Made], monkeypatch: pytest.MonkeyPatch
) -> None:
    from czictypes.metadata.fields import Node

    with CziImage(made("described").path) as image:
        describe_all(image)
        # from now on nothing is looked for in the tree any more
        monkeypatch.setattr(Node, "child", lambda self, path: pytest.fail(f"{path} is read again"))
        describe_all(image)


def mosaic(count: int, **tags: str) -> list[Block]:
    xml = subblock_xml(tags)
    return [
        Block(np.zeros((4, 4), "u1"), 4 * m, 0, {"C": 0}, m=m, metadata=xml) for m in range(count)
    ]


def test_the_origin_takes_a_few_tiles(tmp_path: Path, looked_at: list[int]) -> None:
    blocks = mosaic(100, StageXPosition="1", StageYPosition="2")
    with CziImage(write_described(tmp_path, scaling_xml(X=1e-6, Y=1e-6), blocks=blocks)) as image:
        assert image.origin == (1 - 1.5, 2 - 1.5)
        assert image.origin is not None
    assert len(looked_at) == 16


def test_times_take_one_tile_for_each_t(tmp_path: Path, looked_at: list[int]) -> None:
    def tags(plane: dict[str, int]) -> bytes:
        return subblock_xml({"AcquisitionTime": f"2024-05-06T07:08:{plane['T']:02}Z"})

    blocks = planes({"T": 10, "Z": 5, "C": 2}, metadata=tags)
    with CziImage(write_described(tmp_path, blocks=blocks)) as image:
        assert image.time_stamps == list(range(10))
        assert image.time_stamps == list(range(10))
    assert len(looked_at) == 2 + 10  # the first two show whether the others are worth it


def test_without_times_in_the_first_tiles_no_others_are_read(
    tmp_path: Path, looked_at: list[int]
) -> None:
    interval = "<T><Positions><Interval><Increment>2</Increment></Interval></Positions></T>"
    inner = image_xml(dimensions=interval)
    with CziImage(write_described(tmp_path, inner, sizes={"T": 50})) as image:
        assert image.time_stamps == [2.0 * t for t in range(50)]
    assert len(looked_at) == 2


def test_time_stamps_spare_all_of_them(tmp_path: Path, looked_at: list[int]) -> None:
    path = write_described(tmp_path, sizes={"T": 3}, stamps=[1.0, 2.0, 3.0])
    with CziImage(path) as image:
        assert image.time_stamps == [1.0, 2.0, 3.0]
    assert looked_at == []


def test_ome_metadata_take_one_tile_for_each_plane(tmp_path: Path, looked_at: list[int]) -> None:
    needs("ome_types", "ome")
    with CziImage(write_described(tmp_path, blocks=mosaic(100))) as image:
        image.to_ome(planes=True)
        assert len(looked_at) == 1
        image.to_ome(planes=False)
    assert len(looked_at) == 1
