"""Times of T through other formats and back, irregular ones too."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from described import image_xml, planes, write_described
from extras import needs
from files.block import Block
from files.xml import subblock_xml

from czictypes import CziImage, convert, czi
from czictypes.exchange.czi_target import write_images
from czictypes.exchange.source_image import SourceImage
from czictypes.model.errors import MetadataWarning

IRREGULAR = [1951.0, 2011.0, 2081.0, 2131.0]
START = datetime(2024, 5, 6, 7, 8, tzinfo=timezone.utc)


@pytest.fixture(params=["out.ome.tif", "out.ome.zarr"])
def there_and_back(request: Any, tmp_path: Path, tifffile: Any) -> Any:
    """Convert a file to another format and back; open what comes out of it."""
    needs("zarr.abc.store", "ome-zarr")
    opened = []

    def run(source: Path) -> CziImage:
        convert(source, tmp_path / request.param)
        convert(tmp_path / request.param, tmp_path / "back.czi")
        opened.append(CziImage(tmp_path / "back.czi"))
        return opened[-1]

    yield run
    for image in opened:
        image.close()


def relative(times: list[float] | None) -> list[float]:
    assert times is not None
    return [round(time - times[0], 6) for time in times]


@pytest.mark.parametrize("stamps", [IRREGULAR, [0.0, 2.0, 4.0, 6.0]])
@pytest.mark.parametrize("sizes", [{"T": 4}, {"C": 2, "T": 4, "Z": 3}])
@pytest.mark.parametrize("scenes", [0, 2])
def test_time_stamps_come_back(
    tmp_path: Path, there_and_back: Any, stamps: list[float], sizes: dict[str, int], scenes: int
) -> None:
    source = write_described(tmp_path, sizes=sizes, scenes=scenes, stamps=stamps)
    image = there_and_back(source)
    for scene in range(max(scenes, 1)):
        image.set_scene(scene)
        assert relative(image.time_stamps) == relative(stamps)
    found = image.reader.attachments.time_stamps
    assert relative(found.tolist()) == relative(stamps)
    assert (image.time_interval is None) == (stamps is IRREGULAR)


def test_a_part_that_begins_later_comes_back(tmp_path: Path, there_and_back: Any) -> None:
    blocks = [Block(np.zeros((4, 6), "u1"), plane={"T": t}, m=0) for t in (2, 3, 4)]
    source = write_described(tmp_path, blocks=blocks, stamps=[0.0, 1.0, 5.0, 6.0, 9.0])
    assert relative(there_and_back(source).time_stamps) == [0.0, 1.0, 4.0]


def deltas(image: CziImage) -> list[list[float | None]]:
    return [[plane.delta_t for plane in one.pixels.planes] for one in image.ome_metadata.images]


@pytest.mark.parametrize(("later", "slower"), [(1, 1), (60, 0), (0, 1)])
def test_scenes_keep_times_of_their_own(
    later: int, slower: int, tmp_path: Path, there_and_back: Any
) -> None:
    def tags(plane: dict[str, int]) -> bytes:
        seconds = 5 + later * plane["S"] + (10 + slower * plane["S"]) * plane["T"]
        moment = START + timedelta(seconds=seconds)
        return subblock_xml({"AcquisitionTime": moment.isoformat().replace("+00:00", "Z")})

    date = f"<AcquisitionDateAndTime>{START:%Y-%m-%dT%H:%M:%SZ}</AcquisitionDateAndTime>"
    blocks = planes({"T": 3}, scenes=2, metadata=tags)
    source = write_described(tmp_path, image_xml(more=date), blocks=blocks)
    image = there_and_back(source)
    assert image.time_stamps == [0.0, 10.0, 20.0]
    image.set_scene(1)
    assert image.time_stamps == [0.0, 10.0 + slower, 20.0 + 2 * slower]
    with CziImage(source) as before:
        assert deltas(before) == deltas(image)


def test_times_of_ome_tiff_are_those_of_its_planes(tmp_path: Path, tifffile: Any) -> None:
    source = write_described(tmp_path, sizes={"T": 4, "C": 2}, stamps=IRREGULAR)
    convert(source, tmp_path / "out.ome.tif")
    ome_types = needs("ome_types", "ome-tiff")
    with tifffile.TiffFile(tmp_path / "out.ome.tif") as file:
        pixels = ome_types.from_xml(file.ome_metadata, validate=True).images[0].pixels
    assert pixels.time_increment is None
    assert [one.delta_t for one in pixels.planes] == [0, 0, 60, 60, 130, 130, 180, 180]


@pytest.mark.parametrize("series", [None, ["1", "0"]])
def test_times_of_an_ome_zarr_of_bioformats2raw(
    tmp_path: Path, tifffile: Any, series: list[str] | None
) -> None:
    zarr = needs("zarr", "ome-zarr")
    needs("zarr.abc.store", "ome-zarr")
    source = write_described(tmp_path, sizes={"T": 4}, scenes=2, stamps=IRREGULAR)
    convert(source, tmp_path / "out.zarr")
    (tmp_path / "out.zarr" / "OME" / "METADATA.czi.xml").unlink()
    for path in ("0", "1"):
        group = zarr.open_group(str(tmp_path / "out.zarr"), path=path, mode="a")
        del group.attrs["czictypes"]
    if series:
        root = zarr.open_group(str(tmp_path / "out.zarr"), path="OME", mode="a")
        root.attrs.update({"ome": {"version": "0.5", "series": series}})
    convert(tmp_path / "out.zarr", tmp_path / "back.czi")
    with CziImage(tmp_path / "back.czi") as image:
        assert image.time_stamps == [0.0, 60.0, 130.0, 180.0]


def test_without_a_date_scenes_have_the_times_of_the_first(tmp_path: Path) -> None:
    images = [
        SourceImage(np.zeros((3, 4, 5), "u1"), "TYX", times=times)
        for times in ([0.0, 1.0, 2.0], [0.0, 2.0, 4.0])
    ]
    with pytest.warns(MetadataWarning, match="the images have different times, and no date"):
        write_images(images, tmp_path / "out.czi")
    with CziImage(tmp_path / "out.czi") as image:
        assert image.time_stamps == [0.0, 1.0, 2.0]


class TestCopies:
    @pytest.mark.parametrize("renumber", [False, True])
    @pytest.mark.parametrize(
        ("first", "stamps", "kept", "expected"),
        [
            (0, IRREGULAR, [1, 2, 3], [2011.0, 2081.0, 2131.0]),
            (0, IRREGULAR, [0, 1, 2, 3], IRREGULAR),
            (5, IRREGULAR, [6, 7], [2011.0, 2081.0]),
            (1, [9.0, *IRREGULAR, 3000.0], [2, 3, 4], [2011.0, 2081.0, 2131.0]),
        ],
    )
    def test_keep_the_time_stamps_of_their_planes(
        self,
        tmp_path: Path,
        first: int,
        stamps: list[float],
        kept: list[int],
        expected: list[float],
        *,
        renumber: bool,
    ) -> None:
        blocks = [Block(np.zeros((4, 6), "u1"), plane={"T": first + t}, m=0) for t in range(4)]
        source = write_described(tmp_path, blocks=blocks, stamps=stamps)
        czi.copy(source, tmp_path / "copy.czi", planes={"T": kept}, renumber=renumber)
        with CziImage(tmp_path / "copy.czi") as image:
            assert image.time_stamps == expected

    def test_with_fewer_time_stamps_than_t(self, tmp_path: Path) -> None:
        needs("ome_types", "ome")
        source = write_described(tmp_path, sizes={"T": 4}, stamps=[1.0, 2.0, 5.0])
        czi.copy(source, tmp_path / "copy.czi", planes={"T": [1, 2, 3]}, renumber=True)
        with CziImage(tmp_path / "copy.czi") as image:
            found = image.ome_metadata.images[0].pixels.planes
        assert [one.delta_t for one in found] == [0.0, 3.0, None]
