"""The machine-learning example of pylibCZIrw's documentation, with the import line changed."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from czictypes import czi


def settings(module: Any, points: tuple[float, float] = (0.0, 1.0)) -> Any:
    """Class 1 in green, class 2 in blue."""
    green = module.Rgb8Color(np.uint8(0x00), np.uint8(0xFF), np.uint8(0x00))
    blue = module.Rgb8Color(np.uint8(0x00), np.uint8(0x00), np.uint8(0xFF))
    make, mode = module.ChannelDisplaySettingsDataClass, module.TintingMode.Color
    return {0: make(True, mode, green, *points), 1: make(True, mode, blue, *points)}


def write_classes(module: Any, path: Path, classes: Any, points: tuple[float, float]) -> None:
    """Write two classes as two channels, each with its own compression."""
    with module.create_czi(str(path)) as document:
        document.write(
            data=classes[0, :, :],
            location=(0, 0),
            plane={"C": 0},
            compression_options="zstd0:ExplicitLevel=0",
        )
        document.write(
            data=classes[1, :, :],
            location=(0, 0),
            plane={"C": 1},
            compression_options="zstd1:ExplicitLevel=2",
        )
        document.write_metadata(
            channel_names={0: "C1", 1: "C2"},
            scale_x=0.1 * 1e-6,
            scale_y=0.1 * 1e-6,
            custom_attributes={"key1": "value1", "key2": "value2"},
            display_settings=settings(module, points),
        )


@pytest.mark.parametrize("points", [(0.0, 1.0), (0.2, 0.8)])
def test_classes_are_read_back(
    tmp_path: Path, rng: np.random.Generator, points: tuple[float, float]
) -> None:
    classes = rng.integers(0, 255, (2, 300, 400)).astype(np.uint8)
    write_classes(czi, tmp_path / "classes.czi", classes, points)
    with czi.open_czi(tmp_path / "classes.czi") as read:
        for channel in range(2):
            assert np.array_equal(read.read(plane={"C": channel})[..., 0], classes[channel])
        assert read.subblocks["compression"].tolist() == [5, 6]
        assert read.channel_names == ["C1", "C2"]
        assert read.scaling[:2] == pytest.approx((1e-7, 1e-7))
        assert read.custom_attributes_metadata == {"key1": "value1", "key2": "value2"}
        shown = read.display_settings
        assert [
            (one.tinting_color.r, one.tinting_color.g, one.tinting_color.b)
            for one in shown.values()
        ] == [(0, 255, 0), (0, 0, 255)]
        assert [(one.black_point, one.white_point) for one in shown.values()] == [points] * 2


def test_pylibczirw_reads_the_same_of_both(
    tmp_path: Path, rng: np.random.Generator, peers: ModuleType
) -> None:
    classes = rng.integers(0, 255, (2, 300, 400)).astype(np.uint8)
    write_classes(czi, tmp_path / "ours.czi", classes, (0.2, 0.8))
    write_classes(peers.pylibczirw(), tmp_path / "theirs.czi", classes, (0.2, 0.8))
    with (
        peers.open_pylibczirw(tmp_path / "ours.czi") as ours,
        peers.open_pylibczirw(tmp_path / "theirs.czi") as theirs,
    ):
        assert ours.total_bounding_box == theirs.total_bounding_box
        assert ours.pixel_types == theirs.pixel_types
        assert ours.custom_attributes_metadata == theirs.custom_attributes_metadata
        for channel in range(2):
            plane = {"C": channel}
            assert np.array_equal(ours.read(plane=plane), theirs.read(plane=plane))
        documents = [read.metadata["ImageDocument"]["Metadata"] for read in (ours, theirs)]
    for part in ("Scaling", "DisplaySetting"):
        assert part in documents[0]
        assert part in documents[1]
    named = [one["Information"]["Image"]["Dimensions"]["Channels"] for one in documents]
    assert [[c["@Name"] for c in one["Channel"]] for one in named] == [["C1", "C2"]] * 2


def test_later_metadata_add_to_earlier_ones(tmp_path: Path) -> None:
    with czi.create_czi(tmp_path / "classes.czi") as document:
        document.write(np.zeros((4, 4), np.uint8))
        document.write_metadata(channel_names={0: "C1"})
        document.write_metadata(display_settings=settings(czi))
    with czi.open_czi(tmp_path / "classes.czi") as read:
        assert read.channel_names == ["C1"]
        assert len(read.display_settings) == 2
