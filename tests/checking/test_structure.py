"""Header, segments, parts and attachments: what is found in good and in damaged files."""

from __future__ import annotations

import io
import struct
import uuid
from pathlib import Path

import pytest
from container.czi_bytes import AttachedFile, Tile, build_czi, build_parts, segment, write_parts
from extras import needs
from good_file import found, good_file

from czictypes import czi


def test_a_file_without_fault_has_no_finding() -> None:
    report = czi.check(io.BytesIO(good_file().data), pixels=True)
    assert report.findings == ()
    assert report
    assert report.worst is None
    assert str(report) == "<BytesIO>: nothing is wrong"


def test_a_file_that_is_no_czi() -> None:
    (finding,) = czi.check(io.BytesIO(b"PK\x03\x04" + bytes(600)), quick=True).findings
    assert (finding.check, finding.severity) == ("fileheader", "error")
    assert "not a CZI file" in finding.message


def test_a_header_that_is_cut_off() -> None:
    assert found(good_file().cut(100), "fileheader") == [
        ("error", "<BytesIO> is cut off inside its file header: it has 100 bytes, the header alone "
         "needs 544")
    ]  # fmt: skip


def test_another_version_of_the_format() -> None:
    ((severity, message),) = found(good_file().patched(32, "<i", 2), "fileheader")
    assert severity == "warning"
    assert "version 2.0" in message


def test_an_unfinished_change() -> None:
    ((severity, message),) = found(good_file().patched(100, "<i", 0xFFFF), "updatepending")
    assert severity == "warning"
    assert "interrupted" in message


def test_guids() -> None:
    nobody, other = uuid.UUID(int=0), uuid.UUID(int=7)
    assert found(good_file(guids=(nobody, nobody)), "fileguid")[0][0] == "info"
    ((severity, message),) = found(good_file(guids=(other, uuid.UUID(int=8))), "fileguid")
    assert severity == "warning"
    assert str(other) in message


@pytest.mark.parametrize(("field", "value"), [(84, 0), (84, 600), (84, 10**12)])
def test_a_directory_that_is_not_there(field: int, value: int) -> None:
    built = good_file().patched(field, "<q", value)
    ((severity, _),) = found(built, "subblkdirectory")
    assert severity == "error"
    ((severity, message),) = found(built, "segments")
    assert (severity, message) == ("info", "4 sub-blocks can be found without the directory")


def test_an_entry_with_too_many_dimensions() -> None:
    built = good_file()
    ((severity, message),) = found(
        built.patched(built.entries[2] + 28, "<i", 41), "subblkdirectory"
    )
    assert severity == "error"
    assert "41 dimensions" in message


def test_an_attachment_directory_that_is_not_there() -> None:
    assert found(good_file().patched(104, "<q", 544), "attachmentdirectory")[0][0] == "error"


def test_missing_parts(tmp_path: Path) -> None:
    path = write_parts(tmp_path / "scan.czi", build_parts([Tile()], [Tile()], [Tile(), Tile()]))
    assert czi.check(path).of("fileparts") == []
    path.with_name("scan (2).czi").unlink()
    report = czi.check(path)
    (finding,) = report.of("fileparts")
    assert finding.severity == "error"
    assert finding.place == "part 2 of the document"
    assert "2 sub-blocks" in finding.message
    assert report.of("subblksegmentsvalid") == []
    moved = tmp_path / "elsewhere.czi"
    path.with_name("scan (1).czi").rename(moved)
    assert len(czi.check(path, parts=[moved]).of("fileparts")) == 1


def test_a_part_by_itself_says_so(tmp_path: Path) -> None:
    path = write_parts(tmp_path / "scan.czi", build_parts([Tile()], [Tile()]))
    (finding,) = czi.check(path.with_name("scan (1).czi")).of("fileparts")
    assert finding.severity == "info"
    assert "part 1" in finding.message


def test_damage_in_a_part_is_told_with_its_place_in_it(tmp_path: Path) -> None:
    master, part = build_parts([Tile()], [Tile(coordinates={"C": 1})])
    damaged = part.patched(part.subblocks[0], "<4s", b"NONE")
    path = write_parts(tmp_path / "scan.czi", [master, damaged])
    report = czi.check(path)
    assert not report
    assert any("sub-block" in one.message or "part 1" in one.place for one in report.findings)


def test_bytes_between_segments() -> None:
    built = good_file()
    at = built.subblocks[1]
    ((severity, message),) = found(built.patched(at + 16, "<qq", 100, 100), "segments")
    assert severity == "error"
    assert "no segment" in message


@pytest.mark.parametrize("behind", [bytes(4096), b"junk" * 100])
def test_bytes_behind_the_last_segment(behind: bytes) -> None:
    built = good_file()
    (finding,) = czi.check(io.BytesIO(built.data + behind)).findings
    assert (finding.check, finding.severity) == ("segments", "warning")
    assert finding.offset == len(built.data)
    assert f"{len(behind)} bytes after the last segment" in finding.message


def test_a_segment_that_uses_more_than_it_has() -> None:
    built = good_file()
    (used,) = struct.unpack_from("<q", built.data, built.subblocks[3] + 24)
    assert found(built.patched(built.subblocks[3] + 24, "<q", used + 32), "segments")


def test_a_sub_block_that_no_directory_lists() -> None:
    built = good_file()
    lost = Tile(coordinates={"C": 5})
    data = built.data + lost.segment(len(built.data))
    report = czi.check(io.BytesIO(data))
    (finding,) = report.findings
    assert (finding.check, finding.severity) == ("segments", "warning")
    assert finding.offset == len(built.data)
    removed = built.data + segment(b"DELETED", bytes(64))
    assert not czi.check(io.BytesIO(removed)).findings


def test_a_file_that_is_cut_tells_what_is_lost() -> None:
    built = good_file()
    report = czi.check(io.BytesIO(built.data[: built.subblocks[3] + 290]))
    assert not report
    assert {"subblkdirectory", "segments"} <= {one.check for one in report.findings}
    assert "3 sub-blocks can be found" in str(report)
    assert "the file ends within it" in str(report)


def test_attachments() -> None:
    built = good_file()
    entry = built.attachment_directory + 288
    ((severity, _),) = found(built.patched(entry + 12, "<q", 10**9), "attachmentsinfile")
    assert severity == "error"
    ((severity, _),) = found(
        built.patched(built.attachments[0], "<4s", b"NONE"), "attachmentsvalid"
    )
    assert severity == "error"
    ((severity, message),) = found(
        good_file(attachments=[AttachedFile(b"Label", b"CZI", b"\xff\xd8\xff no CZI")]),
        "attachmentsvalid",
    )
    assert severity == "warning"
    assert "begins with" in message
    times = struct.pack("<ii", 800, 100)
    ((severity, message),) = found(
        good_file(attachments=[AttachedFile(b"TimeStamps", b"CZTIMS", times)]), "attachmentsvalid"
    )
    assert severity == "warning"
    assert "100 time stamps" in message
    nobody = AttachedFile(b"Notes", b"TXT", b"", guid=uuid.UUID(int=0))
    assert found(good_file(attachments=[nobody]), "attachmentsinfile") == [
        ("info", "it has no GUID")
    ]


def test_a_czi_in_an_attachment() -> None:
    inside = good_file()
    label = AttachedFile(b"Label", b"CZI", inside.data)
    assert found(good_file(attachments=[label]), "attachmentsvalid") == []
    broken = AttachedFile(b"Label", b"CZI", inside.patched(84, "<q", 7).data)
    ((severity, message),) = found(good_file(attachments=[broken]), "attachmentsvalid")
    assert severity == "warning"
    assert "the CZI in the attachment" in message


def test_pictures_in_attachments() -> None:
    images = needs("PIL.Image", "cli")
    stream = io.BytesIO()
    images.new("RGB", (40, 30), "red").save(stream, "JPEG")
    whole = stream.getvalue()
    for data, severities in ((whole, []), (whole[:-200], ["warning"]), (b"%!PS-Adobe", [])):
        attached = AttachedFile(b"Thumbnail", b"JPG", data)
        everything = found(good_file(attachments=[attached]), "attachmentpictures", pixels=True)
        assert [severity for severity, _ in everything] == severities


def test_an_empty_document_has_no_fault() -> None:
    report = czi.check(io.BytesIO(good_file([]).data), pixels=True)
    assert report
    assert {one.check for one in report.findings} <= {"basicxmlmetadata"}


def test_a_directory_that_points_behind_the_end() -> None:
    built = good_file()
    beyond = built.patched(built.entries[1] + 6, "<q", len(built.data) + 5)
    ((severity, message),) = found(beyond, "subblksegmentsinfile", quick=True)
    assert severity == "error"
    assert "the file ends before it" in message
    assert found(built.patched(built.entries[1] + 6, "<q", -3), "subblksegmentsinfile")


def test_pixels_that_cannot_be_in_the_file() -> None:
    big = Tile(w=4000, h=3000, data=bytes(12))
    ((severity, message),) = found(build_czi([big]), "subblksegmentsinfile", quick=True)
    assert severity == "error"
    assert "12000288 bytes" in message
