"""The segment with the document's XML."""

from __future__ import annotations

import pytest

from container.czi_bytes import Built, build_czi
from czictypes.container.byte_source import ByteSource
from czictypes.container.segments import read_file_header, read_metadata_segment, read_metadata_xml
from czictypes.model.errors import CorruptFileError

XML = "<ImageDocument>µ</ImageDocument>".encode()
FILE = build_czi(metadata=XML)


def xml(built: Built) -> bytes:
    source = built.source()
    return read_metadata_xml(source, read_file_header(source))


def refused(built: Built, match: str = "metadata segment of built.czi") -> None:
    with pytest.raises(CorruptFileError, match=match):
        xml(built)


def test_the_xml_is_given_as_stored() -> None:
    assert xml(FILE) == XML


def test_the_segment_tells_its_room() -> None:
    source = FILE.source()
    segment = read_metadata_segment(source, read_file_header(source))
    assert segment is not None
    assert (segment.position, segment.xml_offset) == (FILE.metadata, FILE.metadata + 288)
    assert (segment.xml_size, segment.attachment_size, segment.allocated_size) == (33, 0, 320)


def test_a_file_may_have_no_metadata() -> None:
    built = build_czi(metadata=None)
    assert xml(built) == b""
    assert read_metadata_segment(built.source(), read_file_header(built.source())) is None


@pytest.mark.parametrize("position", [-2, 5, 2**62, 544 + 32])
def test_a_wrong_position_is_refused(position: int) -> None:
    refused(FILE.patched(92, "<q", position))


@pytest.mark.parametrize("size", [-1, -(2**31), 10**6, 2**31 - 1])
@pytest.mark.parametrize("offset", [32, 36])
def test_a_wrong_size_of_xml_or_attachment_is_refused(offset: int, size: int) -> None:
    refused(FILE.patched(FILE.metadata + offset, "<i", size))


def test_xml_cut_off_meanwhile_is_refused() -> None:
    class Shrinking(ByteSource):
        def _size(self) -> int:
            return len(FILE.data)

        def _release(self) -> None:
            pass

        def _read(self, offset: int, count: int) -> bytes:
            return FILE.data[: FILE.metadata + 290][offset : offset + count]

    source = Shrinking("shrinking.czi")
    with pytest.raises(CorruptFileError, match="33 bytes asked for, 2 found"):
        read_metadata_xml(source, read_file_header(source))
