"""What a reader tells of a document."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

import numpy as np
import pytest

from czictypes.libczi.streams import InputStream
from czictypes.model.errors import NativeCallError
from czictypes.model.geometry import Rectangle, Size
from libczi.made import Memory, document, gray, tile
from libczi.oracle import FullReader, Interval, PyramidLayer, SceneBoxes
from libczi.writer import OutputStream, SubBlockSpec, WriterHandle


def open_document(content: bytes) -> FullReader:
    return FullReader.open(InputStream.from_source(Memory(content)))


def pyramid_tile(scene: int) -> SubBlockSpec:
    return SubBlockSpec({"S": scene}, 0, 0, 8, 8, 0, bytes(16), physical_size=(4, 4), m_index=None)


def scene_tile(scene: int) -> SubBlockSpec:
    return SubBlockSpec({"S": scene}, 10 * scene, 0, 8, 8, 0, bytes(64), m_index=0)


def test_the_file_header() -> None:
    guid = UUID("12345678-9abc-def0-1122-334455667788")
    sink = Memory()
    WriterHandle.create(OutputStream.from_sink(sink), file_guid=guid).close()
    with open_document(bytes(sink.content)) as reader:
        assert reader.file_header_info() == (guid, 1, 0)


def test_the_statistics(reader: FullReader) -> None:
    statistics = reader.statistics()
    assert statistics.sub_block_count == reader.sub_block_count == 2
    assert statistics.bounding_box == Rectangle(-3, 5, 8, 4)
    assert statistics.bounding_box_layer0 == Rectangle(-3, 5, 8, 4)
    assert statistics.dimensions == {"C": Interval(0, 2)}
    assert (statistics.min_m_index, statistics.max_m_index) == (0, 0)
    assert statistics.scenes == {}


def test_dimensions_keep_their_values_where_others_are_missing() -> None:
    sub_blocks = [tile(0, coordinate={"B": 0, "T": t, "C": 4}) for t in (-1, 0, 7)]
    with open_document(document(*sub_blocks)) as reader:
        dimensions = reader.statistics().dimensions
    assert dimensions == {"C": Interval(4, 1), "T": Interval(-1, 9), "B": Interval(0, 1)}
    assert list(dimensions) == ["C", "T", "B"]


def test_without_m_there_is_no_range_of_m() -> None:
    with open_document(document(tile(0, m_index=None))) as reader:
        statistics = reader.statistics()
    assert (statistics.min_m_index, statistics.max_m_index) == (None, None)


def test_an_empty_document() -> None:
    sink = Memory()
    WriterHandle.create(OutputStream.from_sink(sink)).close()
    with open_document(bytes(sink.content)) as reader:
        statistics = reader.statistics_ex()
        assert statistics.sub_block_count == 0
        assert statistics.bounding_box == Rectangle(0, 0, -1, -1)
        assert (statistics.dimensions, statistics.scenes) == ({}, {})
        with pytest.raises(IndexError, match=r"there are none"):
            reader.read_sub_block(0)


def test_the_boxes_of_many_scenes() -> None:
    with open_document(document(*map(scene_tile, range(40)))) as reader:
        scenes = reader.statistics_ex().scenes
    assert list(scenes) == list(range(40))
    assert scenes[39] == SceneBoxes(Rectangle(390, 0, 8, 8), Rectangle(390, 0, 8, 8))


def test_the_pyramid_is_asked_once(calls: list[str]) -> None:
    with open_document(document(scene_tile(0), pyramid_tile(0), scene_tile(1))) as reader:
        first = reader.pyramid_statistics()
        assert reader.pyramid_statistics() is first
    assert first == {0: [PyramidLayer(0, 0, 1), PyramidLayer(2, 1, 1)], 1: [PyramidLayer(0, 0, 1)]}
    assert calls.count("libCZI_ReaderGetPyramidStatistics") == 1


def test_the_pyramid_of_a_document_without_scenes(reader: FullReader) -> None:
    assert reader.pyramid_statistics() == {None: [PyramidLayer(0, 0, 2)]}


def test_a_sub_blocks_description(reader: FullReader) -> None:
    info = reader.try_get_sub_block_info(1)
    assert info is not None
    assert info.coordinate == {"C": 1}
    assert info.logical_rect == Rectangle(-3, 5, 8, 4)
    assert info.physical_size == Size(8, 4)
    assert (info.pixel_type, info.compression, info.m_index) == (1, 0, 0)
    with reader.read_sub_block(1) as sub_block:
        assert sub_block.info() == info


@pytest.mark.parametrize("index", [-1, 2, 2**31])
def test_an_index_that_is_not_there(reader: FullReader, index: int) -> None:
    assert reader.try_get_sub_block_info(index) is None
    with pytest.raises(IndexError, match=rf"no sub-block {index}; there are 0 to 1"):
        reader.read_sub_block(index)


def test_an_older_library_describes_sub_blocks_as_well(
    reader: FullReader, without: Callable[[str], None]
) -> None:
    expected = reader.try_get_sub_block_info(1)
    without("libCZI_TryGetSubBlockInfoForIndex")
    assert reader.try_get_sub_block_info(1) == expected
    assert reader.try_get_sub_block_info(2) is None


def test_a_sub_blocks_data_and_metadata() -> None:
    xml = "<METADATA><Tags>ß</Tags></METADATA>".encode()
    with open_document(document(tile(0, metadata=xml), tile(1))) as reader:
        with reader.read_sub_block(0) as sub_block:
            assert sub_block.raw_data() == gray(0).tobytes()
            assert sub_block.raw_data("metadata") == xml
            with pytest.raises(ValueError, match="attachment"):
                sub_block.raw_data("attachment")
        with reader.read_sub_block(1) as sub_block:
            assert sub_block.raw_data("metadata") == b""


def test_attachments() -> None:
    sink = Memory()
    guid = UUID(int=77)
    with WriterHandle.create(OutputStream.from_sink(sink)) as writer:
        writer.add_attachment(guid, "CZTIMS", "TimeStamps", np.arange(3.0))
        writer.add_attachment(guid, "Zip-Comp", "ä" * 39, b"x")
        writer.add_attachment(guid, "", "empty", b"")
    with open_document(bytes(sink.content)) as reader:
        assert reader.attachment_count() == 3
        assert reader.attachment_info(0) == (guid, "CZTIMS", "TimeStamps")
        assert reader.attachment_info(1) == (guid, "Zip-Comp", "ä" * 39)
        with reader.read_attachment(0) as attachment:
            assert attachment.raw_data() == np.arange(3.0).tobytes()
            assert attachment.info() == reader.attachment_info(0)
        with reader.read_attachment(2) as attachment:
            assert attachment.raw_data() == b""
        for method in (reader.attachment_info, reader.read_attachment):
            with pytest.raises(IndexError, match="no attachment 3; there are 0 to 2"):
                method(3)


def test_a_document_without_xml() -> None:
    with (
        open_document(document(tile(0), xml=b"")) as reader,
        pytest.raises(NativeCallError, match="cannot read the metadata of in memory"),
    ):
        reader.metadata_segment()
