"""How many planes and pixels a document may have for its sub-blocks and bytes."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from extras import needs
from files.block import Block
from files.builder import write_czi
from files.patterns import noise
from files.xml import document_xml

from czictypes import CziImage, convert, czi
from czictypes.model.errors import ResultTooLargeError, SparseDocumentError
from czictypes.model.pixel_types import PixelType

FAR = 2**27
SPARSE = czi.ReaderOptions(allow_sparse=True)


def two_tiles(path: Path, *planes: dict[str, int], apart: int = 0, xml: bytes = b"") -> Path:
    blocks = [
        Block(noise(PixelType.Gray8, 4, 4, n), x=n * apart, plane={"C": 0, **plane}, m=n)
        for n, plane in enumerate(planes)
    ]
    return write_czi(path, blocks, metadata=xml)


@pytest.mark.parametrize("letter", "CZTHIVBR")
def test_a_coordinate_far_from_the_others_makes_no_array(tmp_path: Path, letter: str) -> None:
    path = two_tiles(tmp_path / "far.czi", {letter: 0}, {letter: FAR})
    with CziImage(path) as image:
        with pytest.raises(SparseDocumentError, match=f"{letter} 0 to {FAR}.*allow_sparse=True"):
            image.shape  # noqa: B018
        pixels = image.reader.read(plane={letter: FAR})
    np.testing.assert_array_equal(pixels, noise(PixelType.Gray8, 4, 4, 1))


def test_planes_in_several_dimensions_count_together(tmp_path: Path) -> None:
    path = two_tiles(tmp_path / "far.czi", {"T": 0, "Z": 0}, {"T": 999, "Z": 999})
    with CziImage(path) as image, pytest.raises(SparseDocumentError, match="1000000 planes"):
        image.shape  # noqa: B018


def test_who_means_it_reads_a_sparse_document(tmp_path: Path) -> None:
    path = two_tiles(tmp_path / "far.czi", {"T": 0}, {"T": FAR})
    with CziImage(path, reader_options=SPARSE) as image:
        assert image.sizes["T"] == FAR + 1
        np.testing.assert_array_equal(
            image.read_block({"T": -1, "C": 0, "Z": 0}), noise(PixelType.Gray8, 4, 4, 1)[..., 0]
        )


def test_a_stack_with_few_of_its_planes_is_an_array(tmp_path: Path) -> None:
    path = two_tiles(tmp_path / "few.czi", {"T": 0, "Z": 0}, {"T": 29, "Z": 29})
    with CziImage(path) as image:
        assert (image.sizes["T"], image.sizes["Z"]) == (30, 30)


def test_a_composite_shows_the_channels_that_there_are(tmp_path: Path) -> None:
    settings = {at: czi.ChannelDisplaySettingsDataClass(
        True, czi.TintingMode.Color, czi.Rgb8Color(*color), 0.0, 1.0
    ) for at, color in ((0, (255, 0, 0)), (1, (0, 255, 0)), (FAR, (0, 255, 0)))}  # fmt: skip
    pictures = []
    for last in (1, FAR):
        path = two_tiles(tmp_path / f"{last}.czi", {"C": 0}, {"C": last})
        with czi.open_czi(path) as document:
            chosen = {at: settings[at] for at in (0, last)}
            pictures.append(document.composite(display_settings=chosen))
            pictures.append(document.composite())
    np.testing.assert_array_equal(pictures[2], pictures[0])
    assert pictures[3].shape == (4, 4, 3)


@pytest.mark.parametrize("letter", "CZTH")
@pytest.mark.parametrize("choice", [None, 0, FAR, slice(None, None, 2)])
@pytest.mark.parametrize("renumber", [False, True])
def test_a_copy_takes_no_longer_than_its_sub_blocks(
    tmp_path: Path, letter: str, choice: Any, renumber: bool
) -> None:
    step = "<Positions><Interval><Start>1</Start><Increment>2</Increment></Interval></Positions>"
    xml = document_xml(image=f"<Dimensions><{letter}>{step}</{letter}></Dimensions>")
    path = two_tiles(tmp_path / "far.czi", {letter: 0}, {letter: FAR}, xml=xml)
    target = io.BytesIO()
    planes = None if choice is None else {letter: choice}
    report = czi.copy(path, target, planes=planes, renumber=renumber)
    with czi.open_czi(target) as document:
        found = sorted(plane[letter] for plane in (
            document.read_subblock(n).planes[0] for n in range(report.sub_blocks)
        ))  # fmt: skip
    chosen = [choice] if isinstance(choice, int) else [0, FAR]
    assert found == ([place for place, _ in enumerate(chosen)] if renumber else chosen)


@pytest.mark.parametrize("ending", ["ome.tif", "tif", "ome.zarr"])
@pytest.mark.parametrize(
    ("where", "apart", "shape", "reason"),
    [
        (({}, {}), 2**30, (1, 1, 1, 4, 2**30 + 4), r"far more pixels than its \d+ bytes"),
        (({"C": 0}, {"C": FAR}), 0, (1, FAR + 1, 1, 4, 4), f"C 0 to {FAR}"),
        (({"T": 0, "Z": 0}, {"T": 2000, "Z": 2000}), 0, (2001, 1, 2001, 4, 4), "4004001 planes"),
    ],
    ids=["tiles", "channels", "stack"],
)
def test_what_is_mostly_empty_is_not_converted_and_a_dry_run_says_so(
    tmp_path: Path, where: Any, apart: int, shape: tuple[int, ...], reason: str, ending: str
) -> None:
    needs("tifffile", "ome-tiff")
    needs("zarr.abc.store", "ome-zarr")
    path = two_tiles(tmp_path / "far.czi", *where, apart=apart)
    target = tmp_path / f"out.{ending}"
    with pytest.warns(UserWarning, match=f"would be refused: .*{reason}"):
        plan = convert(path, target, dry_run=True)
    assert [image.shape for image in plan.images] == [shape]
    with pytest.raises(SparseDocumentError, match=reason):
        convert(path, target)
    assert not target.exists()


def test_a_dry_run_warns_of_what_is_mostly_empty(tmp_path: Path) -> None:
    needs("tifffile", "ome-tiff")
    path = two_tiles(tmp_path / "far.czi", {}, {}, apart=2**30)
    with czi.open_czi(path, reader_options=SPARSE) as document:
        with pytest.warns(UserWarning, match="times as many: most of them are empty"):
            plan = convert(document, tmp_path / "out.ome.tif", dry_run=True)
    assert plan.nbytes == 4 * (2**30 + 4)


@pytest.mark.parametrize("letter", "HIVBR")
@pytest.mark.parametrize("ending", ["ome.tif", "tif", "ome.zarr"])
def test_not_far_more_images_are_written_than_there_are_sub_blocks(
    tmp_path: Path, letter: str, ending: str
) -> None:
    needs("tifffile", "ome-tiff")
    needs("zarr.abc.store", "ome-zarr")
    path = two_tiles(tmp_path / "far.czi", {letter: 0}, {letter: 102})
    with pytest.raises(SparseDocumentError, match="103 images, but has only 2 sub-blocks"):
        convert(path, tmp_path / f"out.{ending}")
    path = two_tiles(tmp_path / "near.czi", {letter: 0}, {letter: 101})
    assert len(convert(path, tmp_path / f"out.{ending}", dry_run=True).images) == 102


def test_a_pyramid_is_not_made_of_what_cannot_be_there(tmp_path: Path) -> None:
    wide = Block(noise(PixelType.Gray8, 4, 4, 1), logical=(2**30, 2**30), pyramid_type=0)
    path = write_czi(tmp_path / "wide.czi", [wide])
    with pytest.raises(SparseDocumentError):
        czi.add_pyramid(path, dest=tmp_path / "out.czi")


def test_a_result_has_a_limit_and_an_array_of_yours_has_none(tmp_path: Path) -> None:
    options = czi.ReaderOptions(max_result_bytes=15)
    path = two_tiles(tmp_path / "two.czi", {"T": 0}, {"T": 1})
    with CziImage(path, reader_options=options) as image:
        for act in (
            image.reader.read, image.reader.composite, image.reader.valid_pixels, image.asarray,
            image.valid_pixels, image.get_stack, image.reader.read_subblock(0).pixels,
            lambda: image.get_image_data("YX", T=0),
        ):  # fmt: skip
            with pytest.raises(ResultTooLargeError, match=r"two\.czi takes .*max_result_bytes"):
                act()
        assert image.reader.read(zoom=0.5).size == 4
        mine = np.empty((4, 4, 1), np.uint8)
        np.testing.assert_array_equal(image.reader.read(out=mine), noise(PixelType.Gray8, 4, 4, 0))
        mine = np.empty((2, 1, 1, 4, 4), np.uint8)
        np.testing.assert_array_equal(
            image.read_block({}, out=mine)[1, 0, 0, ..., None], noise(PixelType.Gray8, 4, 4, 1)
        )
