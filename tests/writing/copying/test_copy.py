"""Copying documents: all of one, some scenes, planes or a region; edited, recompressed."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from files.block import Block
from files.builder import AttachmentSpec, write_czi
from files.documents import time_stamps
from files.patterns import noise
from files.recipes import Made
from files.xml import document_xml
from hypothesis import given
from hypothesis import strategies as st
from libczi.oracle import FullReader
from stored import open_document, stored_attachments, stored_blocks, stored_xml

from czictypes.libczi.streams import InputStream
from czictypes.metadata.document_content import DocumentContent
from czictypes.metadata.scenes import Acquisition, Plate, SceneInfo, Well
from czictypes.metadata.xml_editor import XmlEditor
from czictypes.model.errors import CorruptFileError, FileChangedError, OutOfBoundsError
from czictypes.model.pixel_types import Compression, PixelType
from czictypes.reading.reader import CziReader
from czictypes.writing.copying.copy import copy
from czictypes.writing.writer import create_czi

MadeFiles = Callable[[str], Made]


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "copy.czi"


@pytest.fixture
def stack(tmp_path: Path) -> Path:
    """Three channels, five times, three depths; time stamps and a thumbnail."""
    blocks = [
        Block(noise(PixelType.Gray8, 6, 8, c + 10 * t + 100 * z), plane={"C": c, "T": t, "Z": z})
        for c in range(3)
        for t in range(5)
        for z in range(3)
    ]
    axes = (
        "<SizeX>8</SizeX><SizeY>6</SizeY><SizeC>3</SizeC><SizeZ>3</SizeZ><SizeT>5</SizeT>"
        "<Dimensions><T><Positions><List><Offsets>0 1 2 4 8</Offsets></List></Positions></T>"
        "<Z><Positions><Interval><Start>10</Start><Increment>2</Increment></Interval></Positions>"
        "</Z>"
    )
    shown = tuple(f"<Low>0.{channel}</Low>" for channel in range(3))
    xml = document_xml(channels=["A", "B", "C"], display=shown)
    return write_czi(
        tmp_path / "stack.czi",
        blocks,
        metadata=xml.replace(b"<Dimensions>", axes.encode(), 1),
        attachments=[
            AttachmentSpec("TimeStamps", "CZTIMS", time_stamps([5, 6, 7, 9, 13])),
            AttachmentSpec("Thumbnail", "JPG", b"\xff\xd8 a picture"),
            AttachmentSpec("Notes", "TXT", b"free"),
        ],
    )


def image(xml: bytes) -> Any:
    found = XmlEditor(xml).root.find("Metadata/Information/Image")
    assert found is not None
    return found


# All of a document


def test_a_copy_has_every_byte_of_made_files(every_made: Made, target: Path) -> None:
    report = copy(every_made.path, target)
    assert report.sub_blocks == len(every_made.blocks)
    assert report.removed == []
    assert stored_blocks(target) == stored_blocks(every_made.path)
    assert stored_attachments(target) == stored_attachments(every_made.path)
    assert stored_xml(target) == stored_xml(every_made.path)


def test_a_copy_has_every_byte_of_real_files(every_real_file: Path, target: Path) -> None:
    report = copy(every_real_file, target)
    blocks = stored_blocks(every_real_file)
    assert stored_blocks(target) == blocks
    assert report.bytes == sum(len(part) for block in blocks for part in block[-3:])
    assert stored_attachments(target) == stored_attachments(every_real_file)
    assert stored_xml(target) == stored_xml(every_real_file)


def test_other_readers_read_a_copy(every_real_file: Path, target: Path, peers: ModuleType) -> None:
    copy(every_real_file, target)
    with peers.open_pylibczirw(target) as theirs, CziReader(every_real_file) as ours:
        assert theirs.total_bounding_box == ours.total_bounding_box
        assert np.array_equal(theirs.read(), ours.read())
    with (
        peers.czifile().CziFile(target) as ours,
        peers.czifile().CziFile(every_real_file) as theirs,
    ):
        assert ours.metadata() == theirs.metadata()


def test_the_copy_has_a_guid_of_its_own(made: MadeFiles, target: Path) -> None:
    copy(made("mosaic").path, target)
    assert made("mosaic").path.read_bytes()[64:80] != target.read_bytes()[64:80]


def test_choosing_everything_changes_nothing(stack: Path, target: Path) -> None:
    copy(stack, target, planes={"C": range(3), "T": slice(None)}, roi=(0, 0, 8, 6))
    assert stored_xml(target) == stored_xml(stack)
    assert stored_attachments(target) == stored_attachments(stack)


def test_file_objects_are_source_and_target(made: MadeFiles) -> None:
    target = io.BytesIO()
    with made("mosaic").path.open("rb") as source:
        copy(source, target)
    target.seek(0)
    with CziReader(target) as ours:
        assert np.array_equal(ours.read(), made("mosaic").plane({"C": 0}))


# Scenes, planes, regions


def test_some_scenes_are_copied_with_their_pyramid(made: MadeFiles, target: Path) -> None:
    source = made("multi_scene_pyramid").path
    copy(source, target, scenes=[0, 2])
    with CziReader(source) as whole, CziReader(target) as part:
        boxes = whole.scenes_bounding_rectangle
        assert part.scenes_bounding_rectangle == {0: boxes[0], 2: boxes[2]}
        for scene in (0, 2):
            for zoom in (1.0, 0.5, 0.3, 0.25):
                read = {"scene": scene, "plane": {"C": 1}, "zoom": zoom}
                assert np.array_equal(whole.read(**read), part.read(**read))


def test_what_belongs_to_no_scene_goes_with_the_others(made: MadeFiles, target: Path) -> None:
    report = copy(made("shared_pyramid").path, target, scenes=1)
    assert report.sub_blocks == 1


def test_the_metadata_of_some_scenes_fit(real_file: Callable[[str], Path], target: Path) -> None:
    source = real_file("S3_1Pos_2Mosaic_T2_Z3_CH2_sm.czi")
    report = copy(source, target, scenes=[1, 2])
    (thumbnail,) = report.removed
    assert (thumbnail.kind, thumbnail.name) == ("attachment", "Thumbnail")
    assert str(thumbnail) == "attachment Thumbnail (it shows the whole image)"
    with CziReader(source) as whole, CziReader(target) as part:
        assert [one for one in whole.scenes if one.index in (1, 2)] == part.scenes
        box = part.total_bounding_rectangle_no_pyramid
        assert part.scenes_bounding_rectangle == {
            scene: whole.scenes_bounding_rectangle[scene] for scene in (1, 2)
        }
    found = image(stored_xml(target))
    assert (found.findtext("SizeX"), found.findtext("SizeY")) == (str(box.w), str(box.h))
    assert found.findtext("SizeS") == "2"
    assert found.findtext("SizeT") == "2"


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        (1, [1]),
        (np.int64(1), [1]),
        ([3, 1, 1], [1, 3]),
        (range(1, 4), [1, 2, 3]),
        (slice(1, 3), [1, 2]),
        (slice(None, None, 2), [0, 2, 4]),
        (slice(-2, None), [3, 4]),
        (slice(3, 99), [3, 4]),
        ((0, 4), [0, 4]),
        (np.array([2]), [2]),
    ],
)
def test_planes_are_named_in_many_ways(
    stack: Path, target: Path, chosen: Any, expected: list[int]
) -> None:
    copy(stack, target, planes={"T": chosen, "C": 0})
    with CziReader(stack) as whole, CziReader(target) as part:
        assert sorted(set(part.subblocks["T"].tolist())) == expected
        assert set(part.subblocks["C"].tolist()) == {0}
        plane = {"T": expected[-1], "Z": 1, "C": 0}
        assert np.array_equal(whole.read(plane=plane), part.read(plane=plane))


@given(data=st.data())
def test_any_choice_copies_exactly_those_planes(
    data: st.DataObject, made: MadeFiles, tmp_path_factory: pytest.TempPathFactory
) -> None:
    source = made("many_dimensions")
    places = st.lists(st.integers(0, 1), min_size=1, max_size=2)
    planes = data.draw(st.dictionaries(st.sampled_from("HVIR"), places))
    target = tmp_path_factory.mktemp("any") / "copy.czi"
    copy(source.path, target, planes=planes, threads=1)
    wanted = [
        block
        for block in source.blocks
        if all(block.plane[letter] in chosen for letter, chosen in planes.items())
    ]
    with CziReader(target) as part:
        found = [part.read_subblock(index).info for index in range(len(part.subblocks))]
    assert sorted(map(str, (info.coordinate.to_dict() for info in found))) == sorted(
        str({letter: block.plane[letter] for letter in "ZCTRSIHVB"}) for block in wanted
    )


def test_channels_times_and_depths_that_are_left_are_described(stack: Path, target: Path) -> None:
    report = copy(stack, target, planes={"C": [1], "T": [1, 3], "Z": slice(1, None)})
    assert report.sub_blocks == 4
    found = image(stored_xml(target))
    assert {one.tag: one.text for one in found if one.tag.startswith("Size")} == {
        "SizeX": "8",
        "SizeY": "6",
        "SizeC": "1",
        "SizeZ": "2",
        "SizeT": "3",  # 1 to 3, though 2 is missing
    }
    assert [one.get("Name") for one in found.iter("Channel")] == ["B"]
    assert found.findtext("Dimensions/T/Positions/List/Offsets") == "1 2 4"
    assert found.findtext("Dimensions/Z/Positions/Interval/Start") == "12"
    with CziReader(target) as part:
        assert part.attachments.time_stamps is not None
        assert part.attachments.time_stamps.tolist() == [6, 7, 9]
        assert part.attachments.names == ["TimeStamps", "Notes"]
        assert [(one.index, one.name) for one in part.channels] == [(1, "B")]
        assert part.display_settings[1].black_point == 0.1


def test_a_copy_can_be_numbered_from_0(stack: Path, target: Path, peers: ModuleType) -> None:
    copy(stack, target, planes={"C": [2, 1], "T": [1, 3], "Z": [0, 2]}, renumber=True)
    found = image(stored_xml(target))
    assert [found.findtext(f"Size{one}") for one in "CZT"] == ["2", "2", "2"]
    assert found.findtext("Dimensions/T/Positions/List/Offsets") == "1 4"
    assert found.findtext("Dimensions/Z/Positions/Interval/Start") == "10"
    assert found.findtext("Dimensions/Z/Positions/Interval/Increment") == "4"
    with CziReader(stack) as whole, CziReader(target) as part:
        assert [(one.index, one.name) for one in part.channels] == [(0, "B"), (1, "C")]
        assert [one.black_point for one in part.display_settings.values()] == [0.1, 0.2]
        assert part.attachments.time_stamps is not None
        assert part.attachments.time_stamps.tolist() == [6, 9]
        old, new = {"C": 2, "T": 3, "Z": 2}, {"C": 1, "T": 1, "Z": 1}
        expected = whole.read(plane=old)
        assert np.array_equal(part.read(plane=new), expected)
    with peers.open_pylibczirw(target) as theirs:
        assert np.array_equal(theirs.read(plane=new), expected)
        assert theirs.total_bounding_box["T"] == (0, 2)


def test_scenes_can_be_numbered_from_0(real_file: Callable[[str], Path], target: Path) -> None:
    source = real_file("S3_1Pos_2Mosaic_T2_Z3_CH2_sm.czi")
    copy(source, target, scenes=[2], renumber=True)
    with CziReader(source) as whole, CziReader(target) as part:
        assert np.array_equal(whole.read(scene=2), part.read(scene=0))
        assert [(one.index, one.name) for one in part.scenes] == [(0, whole.scenes[2].name)]


@pytest.mark.parametrize(
    ("planes", "kept"),
    [
        ({"Z": 1, "T": 2}, {"C"}),
        ({"C": 1}, {"T", "Z"}),
        ({"C": 2, "T": 4, "Z": 2}, set()),
        ({}, {"C", "T", "Z"}),
    ],
)
@pytest.mark.parametrize("renumber", [False, True])
def test_dimensions_of_one_place_can_be_left_out(
    stack: Path, target: Path, planes: dict[str, int], kept: set[str], renumber: bool
) -> None:
    copy(stack, target, planes=planes, only_named_dimensions=True, renumber=renumber)
    with open_document(target) as document:
        stored = set(document.directory.coordinates) - {"S"}
        assert stored == kept
    with CziReader(stack) as old, CziReader(target) as new:
        names = old.channel_names
        assert new.channel_names == (names if "C" in kept else [names[planes["C"]]])
        np.testing.assert_array_equal(new.read(), old.read(plane=planes))
        sizes = new.metadata["ImageDocument"]["Metadata"]["Information"]["Image"]
        assert {letter for letter in "CTZ" if f"Size{letter}" in sizes} == kept
    with FullReader.open(InputStream.from_path(target)) as libczi:
        assert libczi.statistics().sub_block_count == len(stored_blocks(target))


@pytest.mark.parametrize(("renumber", "number"), [(True, 0), (False, 2)])
def test_a_scene_takes_its_acquisition_along(
    tmp_path: Path, target: Path, renumber: bool, number: int
) -> None:
    rounds = (Acquisition(4, "first", start=1343731272), Acquisition(7, "second"))
    infos = [SceneInfo(at, well=Well("A1", 1, 1), acquisition=4 + 3 * (at == 2)) for at in range(3)]
    content = DocumentContent(scenes=infos, plate=Plate("p", 2, 3, acquisitions=rounds))
    with create_czi(tmp_path / "plate.czi") as document:
        for at in range(3):
            document.write(np.zeros((5, 6), np.uint8), (at * 10, 0), scene=at)
        document.write_metadata(content=content)
    copy(tmp_path / "plate.czi", target, scenes=[2], renumber=renumber)
    with CziReader(target) as part:
        assert [(one.index, one.acquisition) for one in part.scenes] == [(number, 7)]
        assert part.plate is not None
        assert part.plate.acquisitions == rounds
    copy(tmp_path / "plate.czi", tmp_path / "all.czi", anonymize=True)
    with CziReader(tmp_path / "all.czi") as whole:
        assert [one.acquisition for one in whole.scenes] == [4, 4, 7]
        assert "1343731272" not in whole.raw_metadata


def test_a_region_takes_the_tiles_that_meet_it_whole(made: MadeFiles, target: Path) -> None:
    source = made("mosaic")
    roi = (source.box.x + 1, source.box.y + 1, 3, 3)
    copy(source.path, target, roi=roi)
    with CziReader(source.path) as whole, CziReader(target) as part:
        assert len(part.subblocks) < len(whole.subblocks)
        assert np.array_equal(part.read(roi=roi), whole.read(roi=roi))
        box = part.total_bounding_rectangle
    found = image(stored_xml(target)) if stored_xml(target) else None
    if found is not None and found.find("SizeX") is not None:
        assert found.findtext("SizeX") == str(box.w)


def test_a_level_that_shows_more_than_the_region_goes_whole(made: MadeFiles, target: Path) -> None:
    source = made("multi_scene_pyramid").path
    report = copy(source, target, roi=(5, 5, 20, 20))  # one tile of scene 0
    levels = [one for one in report.removed if one.kind == "pyramid level"]
    assert [(one.scene, one.level) for one in levels] == [(0, 1), (0, 2)]
    assert [str(one) for one in levels] == [
        "pyramid level 1 of scene 0 (it shows more than the region)",
        "pyramid level 2 of scene 0 (it shows more than the region)",
    ]
    with CziReader(source) as whole, CziReader(target) as part:
        assert part.total_bounding_rectangle == (0, 0, 32, 32)
        assert np.array_equal(part.read(roi=(0, 0, 32, 32)), whole.read(roi=(0, 0, 32, 32)))
        assert part.read(zoom=0.25).min() > 0  # no holes


def test_a_level_within_the_tiles_that_are_kept_stays(made: MadeFiles, target: Path) -> None:
    source = made("multi_scene_pyramid").path
    copy(source, target, roi=(160, 20, 40, 40))  # all of scene 1
    with CziReader(source) as whole, CziReader(target) as part:
        for zoom in (1.0, 0.5, 0.25, 0.2):
            read = {"roi": (150, 10, 64, 64), "zoom": zoom}
            assert np.array_equal(whole.read(**read), part.read(**read))
        assert len(part.subblocks) == 2 * (4 + 1 + 1)


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ({"scenes": 7}, "there is no scene 7; the document has the scenes 0, 1, 2"),
        ({"scenes": []}, "there is no scene chosen"),
        ({"planes": {"C": [0, 9, 8]}}, "there is no C 8, 9; the document has the places in C 0, 1"),
        ({"planes": {"H": 0}}, "no dimension H"),
        ({"roi": (10_000, 0, 5, 5)}, "no sub-blocks in roi"),
        ({"attachments": ["Label"]}, "no attachment Label"),
        ({"planes": {"Q": 0}}, "'Q' is not a dimension"),
        ({"planes": {"S": 0}}, "give scenes="),
        ({"planes": {"C": 0.5}}, "C: 0.5 is neither"),
        ({"planes": {"C": "0"}}, "there is no channel '0'"),
        ({"roi": (0, 0, 0, 5)}, "empty"),
        ({"compression": "best"}, "compression options 'best'"),
        ({"metadata": "<Other/>"}, "<Other>"),
        ({"metadata": "no xml"}, "XML"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_written(
    made: MadeFiles, target: Path, choice: dict[str, Any], message: str
) -> None:
    source = made("multi_scene_pyramid").path
    with pytest.raises(ValueError, match=message) as caught:
        copy(source, target, **choice)
    if "there is no" in message:
        assert isinstance(caught.value, OutOfBoundsError)
    assert list(target.parent.iterdir()) == []


def test_the_dimensions_that_every_document_has_may_be_named(made: MadeFiles, target: Path) -> None:
    assert copy(made("no_coordinates").path, target, planes={"C": 0, "T": [0]}).sub_blocks > 0


# Recompression


@pytest.mark.parametrize(
    "options", ["uncompressed:", "zstd0:", "zstd1:ExplicitLevel=1;PreProcess=HiLoByteUnpack"]
)
@pytest.mark.parametrize("name", ["all_pixel_types", "compressions", "multi_scene_pyramid"])
def test_recompressed_pixels_are_the_same(
    made: MadeFiles, target: Path, name: str, options: str
) -> None:
    source = made(name).path
    copy(source, target, compression=options)
    method = {"u": Compression.Uncompressed, "0": Compression.Zstd0, "1": Compression.Zstd1}
    with CziReader(source) as before, CziReader(target) as after:
        assert set(after.subblocks["compression"].tolist()) == {
            method[options[0] if options[0] == "u" else options[4]]
        }
        assert len(after.subblocks) == len(before.subblocks)
        for index in range(len(before.subblocks)):
            ours, theirs = after.read_subblock(index), before.read_subblock(index)
            if ours.info[1:] == theirs.info[1:]:  # libCZI orders equal places by itself
                assert np.array_equal(ours.pixels(), theirs.pixels(), equal_nan=True)


def test_the_file_is_the_same_for_any_number_of_threads(made: MadeFiles, tmp_path: Path) -> None:
    source = made("multi_scene_pyramid").path
    for threads in (1, 4):
        copy(source, tmp_path / f"{threads}.czi", compression="zstd0:", threads=threads)
    one, four = ((tmp_path / f"{threads}.czi").read_bytes() for threads in (1, 4))
    assert one[80:] == four[80:]  # all but the GUIDs in the file's header


def test_pixels_that_a_method_cannot_hold_are_named(made: MadeFiles, target: Path) -> None:
    pytest.importorskip("imagecodecs", reason="imagecodecs is missing: pip install imagecodecs")
    with pytest.raises(ValueError, match="jpgxr: "):
        copy(made("all_pixel_types").path, target, compression="jpgxr:")


# Metadata and attachments


def test_the_metadata_are_edited_on_the_way(made: MadeFiles, target: Path) -> None:
    def edit(xml: XmlEditor) -> None:
        xml.set_general_document_info(title="Copied")
        xml.set_scaling_info(scale_x=2e-7)

    copy(made("described").path, target, metadata=edit)
    with CziReader(made("described").path) as before, CziReader(target) as after:
        assert after.document_info.title == "Copied"
        assert after.scaling.x == 2e-7
        assert after.scaling.z == before.scaling.z
        assert after.channels == before.channels
        assert np.array_equal(after.read(), before.read())


def test_xml_takes_the_place_of_the_metadata(made: MadeFiles, target: Path) -> None:
    xml = "<ImageDocument><Metadata><Tags>mine</Tags></Metadata></ImageDocument>"
    copy(made("described").path, target, metadata=xml)
    assert stored_xml(target) == xml.encode()


def test_metadata_of_another_kind_are_refused(made: MadeFiles, target: Path) -> None:
    with pytest.raises(TypeError, match="metadata is XML or a function"):
        copy(made("described").path, target, metadata={"Title": "x"})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (None, ["TimeStamps", "EventList", "Notes"]),
        ((), []),
        (["notes"], ["Notes"]),
        ("EventList", ["EventList"]),
    ],
)
def test_attachments_are_chosen_by_name(
    made: MadeFiles, target: Path, names: Any, expected: list[str]
) -> None:
    copy(made("attached").path, target, attachments=names)
    with CziReader(target) as read:
        assert read.attachments.names == expected


def test_a_thumbnail_of_a_part_stays_if_it_is_named(stack: Path, target: Path) -> None:
    report = copy(stack, target, planes={"C": 0}, attachments=["Thumbnail"])
    assert report.removed == []
    with CziReader(target) as read:
        assert read.attachments.names == ["Thumbnail"]


# Guarantees


def test_what_is_there_is_replaced_on_request_alone(made: MadeFiles, target: Path) -> None:
    target.write_bytes(b"before")
    with pytest.raises(FileExistsError):
        copy(made("mosaic").path, target)
    assert target.read_bytes() == b"before"
    copy(made("mosaic").path, target, overwrite=True)
    assert stored_blocks(target) == stored_blocks(made("mosaic").path)


def test_a_document_may_be_replaced_by_its_own_copy(stack: Path, target: Path) -> None:
    copy(stack, target)
    copy(target, target, planes={"C": 1}, overwrite=True)
    with CziReader(target) as read:
        assert len(read.subblocks) == 15
    assert sorted(path.name for path in target.parent.iterdir()) == ["copy.czi", "stack.czi"]


def test_a_damaged_source_leaves_what_was_there(made: MadeFiles, target: Path) -> None:
    content = bytearray(made("mosaic").path.read_bytes())
    last = content.rfind(b"ZISRAWSUBBLOCK\0")
    content[last : last + 4] = b"XXXX"
    source = target.with_name("damaged.czi")
    source.write_bytes(content)
    target.write_bytes(b"before")
    with pytest.raises(CorruptFileError, match="sub-block"):
        copy(source, target, overwrite=True)
    assert target.read_bytes() == b"before"
    assert sorted(path.name for path in target.parent.iterdir()) == ["copy.czi", "damaged.czi"]


class Failing(io.BytesIO):
    """A file object that takes some bytes and no more."""

    def __init__(self, room: int) -> None:
        super().__init__()
        self.room = room

    def write(self, data: Any) -> int:
        if self.tell() + len(memoryview(data)) > self.room:
            raise OSError(28, "No space left on device")
        return super().write(data)


def test_a_full_target_is_an_error_and_is_emptied(made: MadeFiles) -> None:
    target = Failing(1000)
    with pytest.raises(OSError, match="No space left"):
        copy(made("mosaic").path, target)
    assert target.getvalue() == b""


def test_a_source_that_changes_meanwhile_is_an_error(stack: Path, target: Path) -> None:
    def change(done: int, total: int) -> None:
        if done == total:
            os.utime(stack, ns=(1, 1))

    with pytest.raises(FileChangedError, match="changed while it was copied"):
        copy(stack, target, progress=change)
    assert not target.exists()


def test_progress_is_told_sub_block_by_sub_block(stack: Path, target: Path) -> None:
    told: list[tuple[int, int]] = []
    copy(stack, target, planes={"C": 0}, progress=lambda done, total: told.append((done, total)))
    assert told == [(number, 15) for number in range(1, 16)]


def test_an_error_in_the_callers_functions_leaves_nothing(stack: Path, target: Path) -> None:
    def fail(*_: Any) -> None:
        raise KeyError("mine")

    for how in ({"progress": fail}, {"metadata": fail}):
        with pytest.raises(KeyError, match="mine"):
            copy(stack, target, **how)
        assert [path.name for path in target.parent.iterdir()] == ["stack.czi"]


def test_masks_and_tags_of_tiles_come_along(tmp_path: Path, target: Path) -> None:
    pixels = np.arange(48, dtype=np.uint16).reshape(6, 8)
    mask = pixels % 3 == 0
    with create_czi(tmp_path / "masked.czi") as document:
        document.write(pixels, mask=mask)
    copy(tmp_path / "masked.czi", target, compression="zstd1:")
    with CziReader(target) as read:
        found = read.read_subblock(0).mask
        assert found is not None
        assert np.array_equal(found, mask)
        assert "RetilingId" in read.read_subblock(0).tags
