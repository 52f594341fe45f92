"""Copies that are cut to the pixels of a region: `copy` with ``crop=True``."""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from extras import needs
from files.block import Block
from files.builder import write_czi
from files.masks import CHUNK_CONTAINER_XML, chunk, mask_chunk
from files.painted import box_of
from files.patterns import noise
from files.recipes import Made
from stored import stored_blocks

from czictypes.arrays.image import CziImage
from czictypes.checking.check import check
from czictypes.metadata.annotations import Annotation
from czictypes.metadata.document_content import DocumentContent
from czictypes.metadata.document_info import Scaling
from czictypes.metadata.scenes import SceneInfo
from czictypes.model.errors import CorruptFileError, CziError, DamagedTileWarning
from czictypes.model.geometry import Rectangle
from czictypes.model.options import ReaderOptions
from czictypes.model.pixel_types import Compression, PixelType
from czictypes.reading.reader import CziReader
from czictypes.writing.array_tiles import TileInfo
from czictypes.writing.copying.copy import copy
from czictypes.writing.pyramid.tile_plan import PyramidOptions
from czictypes.writing.writer import create_czi

MadeFiles = Callable[[str], Made]
START = datetime.datetime(2024, 5, 6, 7, 8, 9, tzinfo=datetime.timezone.utc)


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "cropped.czi"


def inner(box: Rectangle) -> Rectangle:
    """Return a region that no border of tiles is likely to share."""
    left, top = max(box.w // 5, 1) % box.w, max(box.h // 4, 1) % box.h
    return Rectangle(box.x + left, box.y + top, max(box.w // 2 - 1, 1), max(box.h // 2 - 1, 1))


def tile(one: Any) -> Rectangle:
    """Return the rectangle of a block, or of an entry of `subblocks`."""
    if isinstance(one, Block):
        return box_of([one])
    return Rectangle(*(int(one[name]) for name in "xywh"))


def masked(path: Path) -> CziReader:
    return CziReader(path, reader_options=ReaderOptions(enable_mask_awareness=True))


def planes(reader: CziReader) -> Iterator[dict[str, int]]:
    """Yield the first, a middle and the last place of each dimension."""
    bounds = {name: span for name, span in reader.total_bounding_box.items() if name not in "XYS"}
    for share in (0.0, 0.5, 1.0):
        yield {
            name: first + int(share * (end - 1 - first)) for name, (first, end) in bounds.items()
        }


def has_tiles_in_its_middle(made: Made) -> bool:
    return any(min(tile(one).intersection(inner(made.box))[2:]) > 0 for one in made.blocks)


def test_a_cropped_copy_of_made_files_reads_as_the_source(every_made: Made, target: Path) -> None:
    if not has_tiles_in_its_middle(every_made):
        pytest.skip("no tile lies in the middle of this file")
    if every_made.converts:
        pytest.skip("the first tile decides on the pixel type of what is read")
    roi = inner(every_made.box)
    copy(every_made.path, target, roi=roi, crop=True)
    assert check(target).ok
    with masked(every_made.path) as whole, masked(target) as part:
        assert part.total_bounding_rectangle.intersection(roi) == part.total_bounding_rectangle
        for plane in planes(part):
            assert np.array_equal(part.read(roi, plane), whole.read(roi, plane)), plane
            theirs = whole.valid_pixels(roi, plane)
            assert np.array_equal(part.valid_pixels(roi, plane), theirs), plane


def test_a_cropped_copy_of_real_files_has_the_pixels_of_the_region(
    every_real_file: Path, target: Path
) -> None:
    with CziReader(every_real_file) as whole:
        x, y, w, h = tile(whole.subblocks[0])
        roi = Rectangle(x + 3, y + 2, w // 2, h // 3)
        copy(every_real_file, target, roi=roi, crop=True)
        with CziReader(target) as part:
            assert part.total_bounding_rectangle == roi
            for plane in planes(whole):
                assert np.array_equal(part.read(plane=plane), whole.read(roi, plane))
    assert check(target).ok


# Tiles


def test_tiles_inside_move_as_they_are(made: MadeFiles, target: Path) -> None:
    source = made("multi_scene_pyramid").path
    copy(source, target, roi=(5, 0, 59, 70), crop=True)
    before, after = stored_blocks(source), stored_blocks(target)
    assert 0 < sum(block in before for block in after) < len(after)


def test_a_region_along_the_borders_of_tiles_moves_all(made: MadeFiles, target: Path) -> None:
    source = made("mosaic").path
    with CziReader(source) as reader:
        roi = tile(reader.subblocks[0])
    copy(source, target, roi=roi, crop=True)
    assert all(block in stored_blocks(source) for block in stored_blocks(target))


def test_a_region_around_everything_changes_nothing(made: MadeFiles, target: Path) -> None:
    source = made("multi_scene_pyramid").path
    copy(source, target, roi=(-50, -50, 1000, 1000), crop=True)
    assert stored_blocks(target) == stored_blocks(source)


@pytest.mark.parametrize("compression", ["uncompressed:", "zstd0:", "zstd1:", "jpgxr:"])
def test_edges_keep_their_compression_without_loss(
    tmp_path: Path, target: Path, compression: str
) -> None:
    if compression == "jpgxr:":
        needs("imagecodecs")
    pixels = noise(PixelType.Gray16, 40, 60, 7)
    with create_czi(tmp_path / "whole.czi", compression=compression) as document:
        document.write(pixels)
    copy(tmp_path / "whole.czi", target, roi=(11, 7, 31, 22), crop=True)
    with CziReader(tmp_path / "whole.czi") as whole, CziReader(target) as part:
        (before,), (after,) = whole.subblocks, part.subblocks
        is_lossy = before["compression"] == Compression.JpegXr
        assert after["compression"] == (Compression.Zstd1 if is_lossy else before["compression"])
        assert np.array_equal(part.read()[..., 0], whole.read((11, 7, 31, 22))[..., 0])


def test_all_may_be_encoded_anew(tmp_path: Path, target: Path) -> None:
    with create_czi(tmp_path / "whole.czi") as document:
        for x in (0, 20):
            document.write(noise(PixelType.Gray8, 20, 20, x), (x, 0))
    copy(tmp_path / "whole.czi", target, roi=(0, 0, 30, 20), crop=True, compression="zstd1:")
    with CziReader(target) as part:
        assert set(part.subblocks["compression"].tolist()) == {Compression.Zstd1.value}


def test_masks_are_cut_with_their_tiles(tmp_path: Path, target: Path) -> None:
    mask = noise(PixelType.Gray8, 30, 50, 3)[..., 0] > 100
    with create_czi(tmp_path / "whole.czi") as document:
        document.write(noise(PixelType.Gray8, 30, 50, 4), mask=mask)
    copy(tmp_path / "whole.czi", target, roi=(13, 5, 21, 17), crop=True)
    with masked(target) as part:
        assert np.array_equal(part.valid_pixels(), mask[5:22, 13:34])


def test_other_parts_of_an_attachment_stay_beside_the_mask(tmp_path: Path, target: Path) -> None:
    mask = np.eye(8, dtype=bool)
    other = chunk(uuid.UUID(int=5), b"something else")
    block = Block(
        noise(PixelType.Gray8, 8, 8, 1),
        attachment=other + mask_chunk(mask),
        metadata=CHUNK_CONTAINER_XML,
    )
    copy(write_czi(tmp_path / "whole.czi", [block]), target, roi=(2, 1, 5, 5), crop=True)
    with masked(target) as part:
        (kept,) = stored_blocks(target)
        assert kept[-1] == other + mask_chunk(mask[1:6, 2:7])
        assert np.array_equal(part.valid_pixels(), mask[1:6, 2:7])


@pytest.mark.parametrize(
    ("roi", "stored"),
    [((2, 4, 8, 6), (4, 3)), ((3, 4, 8, 6), (8, 6)), ((2, 3, 7, 5), (7, 5))],
)
def test_binned_tiles_stay_binned_where_the_cut_goes_between_their_pixels(
    tmp_path: Path, target: Path, roi: tuple[int, int, int, int], stored: tuple[int, int]
) -> None:
    block = Block(noise(PixelType.Gray8, 10, 12, 1), plane={"C": 0}, logical=(24, 20))
    source = write_czi(tmp_path / "binned.czi", [block])
    copy(source, target, roi=roi, crop=True)
    with CziReader(source) as whole, CziReader(target) as part:
        (one,) = part.subblocks
        assert (one["stored_w"], one["stored_h"]) == stored
        assert np.array_equal(part.read(), whole.read(roi))


# Scenes and the pyramid


@pytest.mark.parametrize("factor", [2, 3])
def test_a_large_crop_has_a_new_pyramid(tmp_path: Path, target: Path, factor: int) -> None:
    pixels = noise(PixelType.Gray8, 700, 3000, 1)
    source = tmp_path / "whole.czi"
    with create_czi(source, pyramid=PyramidOptions(factor=factor)) as document:
        for x in (0, 1500):
            document.write(pixels[:, x : x + 1500], (x, 0))
    copy(source, target, roi=(101, 50, 2500, 601), crop=True)
    with CziImage(target) as image:
        assert [level.factor for level in image.levels][1] == factor
        assert np.array_equal(np.squeeze(image.asarray(0)), pixels[50:651, 101:2601, 0])
        shape = image.asarray(1).shape[-2:]
    assert shape == (601 // factor, 2500 // factor)
    assert check(target).ok


def test_a_small_crop_needs_no_pyramid_and_shows_no_holes(made: MadeFiles, target: Path) -> None:
    source = made("multi_scene_pyramid").path
    copy(source, target, roi=(5, 6, 70, 50), crop=True)
    with CziReader(source) as whole, CziReader(target) as part:
        assert part.total_bounding_rectangle == (5, 6, 70, 50)
        assert np.array_equal(part.read(), whole.read((5, 6, 70, 50)))
        assert part.read(zoom=0.25).min() > 0


def test_scenes_are_cut_and_those_outside_are_left_out(made: MadeFiles, target: Path) -> None:
    copy(made("multi_scene_pyramid").path, target, roi=(40, 20, 130, 30), crop=True)
    with CziReader(target) as part:
        assert part.scenes_bounding_rectangle == {0: (40, 20, 50, 30), 1: (150, 20, 20, 30)}


# Metadata


@pytest.fixture
def described(tmp_path: Path) -> Path:
    """Two scenes at known places of the stage, three times, an annotation; pixels of half a um."""
    content = DocumentContent(
        scaling=Scaling(5e-7, 5e-7),
        acquisition_date=START,
        scenes=[
            SceneInfo(0, "left", center=(1025.0, 2010.0), size=(50.0, 20.0)),
            SceneInfo(1, "right", center=(1150.0, 2010.0), size=(50.0, 20.0)),
        ],
        annotations=[Annotation("Rectangle", "rectangle", ((30.0, 10.0), (40.0, 20.0)))],
    )
    path = tmp_path / "described.czi"
    with create_czi(path) as document:
        document.write_metadata(content=content)
        for scene, x in enumerate((0, 250)):
            for t in range(3):
                info = TileInfo(1025.0 + x / 2, 2010.0, 5.0, START + datetime.timedelta(seconds=t))
                document.write(
                    noise(PixelType.Gray8, 40, 100, x + t), (x, 0), {"T": t}, scene=scene, info=info
                )
        document.add_time_stamps([0.0, 1.0, 2.0])
    return path


def test_the_place_on_the_stage_moves_with_the_corner(described: Path, target: Path) -> None:
    copy(described, target, roi=(20, 10, 300, 25), crop=True)
    for scene, shift in (("left", 20), ("right", 0)):
        with CziImage(described, scene=scene) as whole, CziImage(target, scene=scene) as part:
            assert whole.origin is not None
            assert part.origin is not None
            moved = whole.origin[0] + shift / 2, whole.origin[1] + 10 / 2
            assert part.origin == pytest.approx(moved)


def test_scenes_have_the_centre_and_size_of_what_is_left(described: Path, target: Path) -> None:
    copy(described, target, roi=(20, 10, 300, 25), crop=True)
    with CziReader(target) as part:
        left, right = part.scenes
    assert (left.center, left.size) == ((1030.0, 2011.25), (40.0, 12.5))
    assert (right.center, right.size) == ((1142.5, 2011.25), (35.0, 12.5))


def test_tiles_tell_where_the_stage_would_have_been(described: Path, target: Path) -> None:
    copy(described, target, roi=(20, 10, 300, 25), crop=True)
    with CziReader(target) as part:
        found = part.subblock_metadata(["stage_x", "stage_y", "focus_z"])
    assert sorted(set(found["stage_x"])) == [1030.0, 1142.5]
    assert set(found["stage_y"]) == {2011.25}
    assert set(found["focus_z"]) == {5.0}


def test_tiles_alone_tell_the_place_too(described: Path, target: Path, tmp_path: Path) -> None:
    bare = tmp_path / "bare.czi"
    copy(described, bare, scenes=0, metadata=_without_scenes)
    copy(bare, target, roi=(20, 10, 30, 25), crop=True)
    with CziImage(bare) as whole, CziImage(target) as part:
        assert whole.origin is not None
        assert part.origin == pytest.approx((whole.origin[0] + 10, whole.origin[1] + 5))


def _without_scenes(editor: Any) -> None:
    dimensions = editor.root.find("Metadata/Information/Image/Dimensions")
    dimensions.remove(dimensions.find("S"))


def test_annotations_and_times_follow(described: Path, target: Path) -> None:
    copy(described, target, planes={"T": [1, 2]}, roi=(20, 5, 60, 30), crop=True)
    with CziImage(target, scene=0) as part:
        assert part.annotations[0].points == ((10.0, 5.0), (20.0, 15.0))
        assert part.time_stamps == [1.0, 2.0]
        assert part.acquisition_date == START


def test_the_thumbnail_of_the_whole_is_left_out(described: Path, target: Path) -> None:
    report = copy(described, target, roi=(20, 10, 300, 25), crop=True)
    assert [one.name for one in report.removed] == ["Thumbnail"]


def test_a_copy_of_whole_tiles_has_their_bounds_in_its_scenes(tmp_path: Path, target: Path) -> None:
    content = DocumentContent(
        scaling=Scaling(1e-6, 1e-6), scenes=[SceneInfo(0, "A", center=(20.0, 10.0))]
    )
    with create_czi(tmp_path / "mosaic.czi") as document:
        document.write_metadata(content=content)
        for x in (0, 20):
            document.write(noise(PixelType.Gray8, 20, 20, x), (x, 0))
    copy(tmp_path / "mosaic.czi", target, roi=(25, 5, 3, 3))
    with CziImage(target) as part:
        assert part.origin == pytest.approx((20.5, 0.5))


def test_a_crop_needs_a_region(described: Path, target: Path) -> None:
    with pytest.raises(ValueError, match="give roi="):
        copy(described, target, crop=True)
    assert not target.exists()


# With the other choices


def test_an_anonymised_crop_has_neutral_names(described: Path, target: Path) -> None:
    copy(described, target, roi=(20, 10, 300, 25), crop=True, anonymize=["left"])
    with CziReader(described) as whole, CziReader(target) as part:
        assert np.array_equal(part.read(), whole.read((20, 10, 300, 25)))
        assert "left" not in part.raw_metadata


def test_a_damaged_tile_on_the_edge_is_left_out_if_asked_to(tmp_path: Path, target: Path) -> None:
    blocks = [Block(noise(PixelType.Gray8, 20, 20, x), x, 0, {"C": 0}, m=x) for x in (0, 20)]
    blocks[0] = replace(blocks[0], payload=bytes(100))  # too few
    source = write_czi(tmp_path / "whole.czi", blocks)
    with pytest.raises(CorruptFileError):
        copy(source, target, roi=(5, 5, 30, 10), crop=True)
    assert not target.exists()
    with pytest.warns(DamagedTileWarning):
        report = copy(source, target, roi=(5, 5, 30, 10), crop=True, on_error="blank")
    assert len(report.damaged) == 1
    with CziReader(source) as whole, CziReader(target) as part:
        assert part.total_bounding_rectangle == (20, 5, 15, 10)
        assert np.array_equal(part.read(), whole.read((20, 5, 15, 10)))


def test_a_file_may_be_replaced_by_its_own_crop(described: Path) -> None:
    with CziReader(described) as whole:
        expected = whole.read((20, 10, 50, 20))
    copy(described, described, roi=(20, 10, 50, 20), crop=True, overwrite=True)
    with CziReader(described) as part:
        assert part.total_bounding_rectangle == (20, 10, 50, 20)
        assert np.array_equal(part.read(), expected)


def test_a_claim_of_far_more_pixels_than_are_stored_is_refused(
    tmp_path: Path, target: Path
) -> None:
    side = 1 << 20
    block = Block(noise(PixelType.Gray8, 3, 3, 1), plane={"C": 0}, logical=(side, side))
    source = write_czi(tmp_path / "claims.czi", [block])
    with pytest.raises(CziError, match="claims"):
        copy(source, target, roi=(1, 1, side - 2, side - 2), crop=True)
    assert not target.exists()
