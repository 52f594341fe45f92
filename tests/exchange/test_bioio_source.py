"""What bioio reads to CZI; a LIF stands for all of it."""

from __future__ import annotations

from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from extras import needs
from lif_file import write_lif

from czictypes import CziImage, convert
from czictypes.exchange import open as opening
from czictypes.model.errors import CorruptFileError, UnsupportedDataError

needs("bioio", "convert")


@pytest.fixture(autouse=True)
def _without_liffile(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have bioio read LIF, which czictypes reads by itself where liffile is installed."""
    monkeypatch.setattr(opening, "find_spec", lambda name: None)


def test_the_scenes_of_a_lif(tmp_path: Path, rng: np.random.Generator) -> None:
    needs("bioio_lif")
    images = {
        "left": rng.integers(0, 65535, (2, 2, 3, 20, 30), np.uint16),
        "right": rng.integers(0, 65535, (1, 2, 1, 25, 15), np.uint16),
    }
    write_lif(tmp_path / "in.lif", images, ["Green", "Red"], micrometres=0.5)
    convert(tmp_path / "in.lif", tmp_path / "out.czi")
    with CziImage(tmp_path / "out.czi") as image:
        assert [name.rpartition("/")[2] for name in image.scenes] == list(images)
        for scene, pixels in enumerate(images.values()):
            image.set_scene(scene)
            np.testing.assert_array_equal(image.get_image_data("TCZYX"), pixels)
        assert pytest.approx(0.5) == image.physical_pixel_sizes.X
        assert len(set(image.channel_names)) == 2


@pytest.mark.parametrize("axes", ["LYX", "TLYX", "ZX", "TX", "TZX"])
def test_an_intact_file_that_the_reader_does_not_know_is_not_called_damaged(
    tmp_path: Path, axes: str
) -> None:
    """Lambda scans, and scans along z or time in place of y."""
    needs("bioio_lif")
    pixels = np.zeros([{"X": 30}.get(axis, 4) for axis in axes], np.uint16)
    write_lif(tmp_path / "my scan.lif", {"scan": pixels}, ["Gray"], 0.5, axes)
    with pytest.raises(UnsupportedDataError, match=f"bioio-lif {version('bioio-lif')}") as caught:
        convert(tmp_path / "my scan.lif", tmp_path / "out.czi")
    assert not isinstance(caught.value, CorruptFileError)
    assert "scan" in str(caught.value)
    assert str(caught.value.__cause__) in str(caught.value)  # in the reader's words
    assert not (tmp_path / "out.czi").exists()


def test_a_file_that_the_reader_refuses_is_told_in_its_words(tmp_path: Path) -> None:
    needs("bioio_lif")
    (tmp_path / "in.lif").write_bytes(b"this is no LIF")
    with pytest.raises(UnsupportedDataError, match=r"bioio-lif says: .*not a Leica") as caught:
        convert(tmp_path / "in.lif", tmp_path / "out.czi")
    assert "install" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "package"),
    [("in.nd2", "bioio-nd2"), ("IN.SLDY", "bioio-sldy"), ("in.oib", "bioio-bioformats")],
)
def test_a_reader_that_is_missing_is_named_if_there_is_one(
    tmp_path: Path, name: str, package: str
) -> None:
    if find_spec(package.replace("-", "_")):
        pytest.skip(f"{package} is installed, so nothing is missing")
    (tmp_path / name).write_bytes(b"anything")
    with pytest.raises(UnsupportedDataError, match=f"pip install {package}"):
        convert(tmp_path / name, tmp_path / "out.czi")
