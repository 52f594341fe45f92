"""Anonymised copies: nothing of who, when and where is left anywhere in the file."""

from __future__ import annotations

import io
import re
import struct
import warnings
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from files.block import Block
from files.builder import AttachmentSpec, write_czi
from files.documents import event_list, time_stamps
from files.encode import encode, zstd_frame
from files.masks import mask_chunk
from files.patterns import noise
from files.xml import document_xml, subblock_xml
from hypothesis import given, settings
from hypothesis import strategies as st
from stored import open_document, stored_attachments, stored_blocks, stored_xml

from czictypes.metadata.known_values import is_known_words
from czictypes.metadata.xml_editor import XmlEditor
from czictypes.model.errors import CorruptFileError
from czictypes.model.pixel_types import Compression, PixelType
from czictypes.reading.reader import CziReader
from czictypes.writing.copying.anonymized import KeptPart, RemovedPart, strip_jpeg
from czictypes.writing.copying.copy import copy

SECRETS = ["Ada Lovelace", "LAB-PC-7", "2024-05-06", "alovelace", "Patient 12"]

DOCUMENT = (
    "<Title>slide</Title><UserName>Ada Lovelace</UserName>"
    "<CreationDate>2024-05-06T07:08:09Z</CreationDate>"
)
HARDWARE = (
    "<Experiment><ComputerName>LAB-PC-7</ComputerName>"
    r"<Path>C:\Users\alovelace\images</Path><Note>seen by alovelace</Note></Experiment>"
)
TAGS = {
    "AcquisitionTime": "2024-05-06T07:08:10Z",
    "Operator": "Ada Lovelace",
    "FocusPosition": "12.5",
}


def jpeg(comment: bytes = b"taken by Ada Lovelace") -> bytes:
    """A JPEG in form: application segments, a comment, a scan."""
    parts = [b"\xff\xd8"]
    jfif = b"JFIF\0" + bytes(9)
    exif = b"Exif\0\0 2024-05-06"
    for marker, content in ((0xE0, jfif), (0xE1, exif), (0xFE, comment), (0xDB, bytes(65))):
        parts.append(struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content)
    return b"".join([*parts, b"\xff\xda\0\x08\1\1\0\0\x3f\0 scan \xff\0 more \xff\xd9", b"after"])


def source_at(path: Path, *, mask: Any = None, document: str = DOCUMENT) -> Path:
    pixels = noise(PixelType.Gray16, 16, 20, 1)
    nested = io.BytesIO(b"ZISRAWFILE Patient 12").getvalue()
    foreign = bytes(16) + struct.pack("<I", 10) + b"Patient 12"
    schema = b"</Tags><AttachmentSchema><DataFormat>CHUNKCONTAINER</DataFormat></AttachmentSchema>"
    tags = subblock_xml(TAGS)
    blocks = [
        Block(pixels, plane={"C": 0}, m=0, metadata=tags, attachment=b"Patient 12"),
        Block(
            pixels,
            x=20,
            plane={"C": 0},
            m=1,
            metadata=tags.replace(b"</Tags>", schema),
            attachment=foreign + mask_chunk(pixels[..., 0] > 9),
        ),
    ]
    return write_czi(
        path,
        blocks,
        metadata=document_xml(channels=["DAPI", "Ada's channel"], document=document, more=HARDWARE),
        attachments=[
            AttachmentSpec("Label", "CZI", nested),
            AttachmentSpec("SlidePreview", "CZI", nested),
            AttachmentSpec("Prescan", "CZI", nested),
            AttachmentSpec("Thumbnail", "JPG", jpeg()),
            AttachmentSpec("TimeStamps", "CZTIMS", time_stamps([1.7e9, 1.7e9 + 2.5])),
            AttachmentSpec("EventList", "CZEVL", event_list([(1.0, 0, "Ada Lovelace came")])),
            AttachmentSpec("Notes", "TXT", b"Patient 12"),
        ],
    )


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return source_at(tmp_path / "source.czi")


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "anonymous.czi"


def found_in(path: Path, words: list[str]) -> list[str]:
    content = path.read_bytes()
    encodings = ("utf-8", "utf-16-le")
    return [word for word in words if any(word.encode(one) in content for one in encodings)]


def test_nothing_is_left_anywhere_in_the_file(source: Path, target: Path) -> None:
    assert found_in(source, SECRETS) == SECRETS
    copy(source, target, anonymize=True)
    assert found_in(target, SECRETS) == []


def test_the_report_says_what_was_removed(source: Path, target: Path) -> None:
    removed = copy(source, target, anonymize=True).removed
    assert [str(one) for one in removed] == [
        "ImageDocument/Metadata/Experiment/ComputerName",
        "ImageDocument/Metadata/Experiment/Note",
        "ImageDocument/Metadata/Experiment/Path",
        "ImageDocument/Metadata/Information/Document/CreationDate",
        "ImageDocument/Metadata/Information/Document/Title",
        "ImageDocument/Metadata/Information/Document/UserName",
        "ImageDocument/Metadata/Information/Image/Dimensions/Channels/Channel/@Name: "
        "all but a neutral name",
        "sub-block METADATA/Tags/AcquisitionTime",
        "sub-block METADATA/Tags/Operator",
        "sub-block attachments: all but masks",
        "attachment Label",
        "attachment SlidePreview",
        "attachment Prescan",
        "attachment Thumbnail: all but the picture",
        "attachment TimeStamps",
        "attachment EventList",
        "attachment Notes",
    ]
    assert removed[8] == RemovedPart(
        "sub-block metadata", "METADATA/Tags/Operator", values=("Ada Lovelace",)
    )
    assert removed[9] == RemovedPart("sub-block attachments", kept="masks")
    assert removed[6].values == ("Ada's channel",)
    assert [one.kept for one in removed if one.name == "Thumbnail"] == ["the picture"]


def test_the_report_says_what_stayed(source: Path, target: Path) -> None:
    channel = "ImageDocument/Metadata/Information/Image/Dimensions/Channels/Channel"
    assert copy(source, target, anonymize=True).kept == [
        KeptPart("metadata", f"{channel}/@Id", ("Channel:0", "Channel:1")),
        KeptPart("metadata", f"{channel}/@Name", ("DAPI",)),
        KeptPart("sub-block metadata", "METADATA/AttachmentSchema/DataFormat", ("CHUNKCONTAINER",)),
        KeptPart("sub-block metadata", "METADATA/Tags/FocusPosition", ("12.5",)),
        KeptPart("attachment", "Thumbnail"),
    ]
    assert copy(source, target, overwrite=True).kept == []


def test_what_tells_nothing_stays(source: Path, target: Path) -> None:
    copy(source, target, anonymize=True)
    with CziReader(source) as before, CziReader(target) as after:
        assert np.array_equal(before.read(), after.read())
        assert after.channel_names == ["DAPI", "Channel 1"]
        assert after.read_subblock(0).tags == {"FocusPosition": "12.5"}
        assert after.attachments.names == ["Thumbnail"]
        assert after.read_subblock(0).attachment == b""
        for index in (0, 1):
            masks = [one.read_subblock(index).mask for one in (before, after)]
            assert (masks[0] is None) == (masks[1] is None) == (index == 0)
        assert np.array_equal(*(one.read_subblock(1).mask for one in (before, after)))


def test_times_stay_as_differences_if_asked_for(source: Path, target: Path) -> None:
    copy(source, target, anonymize=True, keep_relative_times=True)
    assert found_in(target, SECRETS) == []
    with CziReader(target) as after:
        assert after.attachments.names == ["Thumbnail", "TimeStamps"]
        assert after.attachments.time_stamps is not None
        assert after.attachments.time_stamps.tolist() == [0, 2.5]
        tags = [after.read_subblock(index).tags["AcquisitionTime"] for index in (0, 1)]
        assert tags == ["2000-01-01T00:00:00.0000000Z"] * 2


def test_attachments_stay_if_they_are_named(source: Path, target: Path) -> None:
    label = source.parent / "label.czi"
    copy(source, label)
    picture = AttachmentSpec("Label", "JPG", jpeg())
    inner = AttachmentSpec("SlidePreview", "CZI", label.read_bytes())
    broken = AttachmentSpec("Prescan", "CZI", b"ZISRAWFILE Patient 12")
    block = Block(noise(PixelType.Gray8, 4, 4, 1))
    write_czi(source, [block], attachments=[picture, inner, broken])
    report = copy(
        source, target, anonymize=True, keep_attachments=["label", "slidepreview", "prescan"]
    )
    assert found_in(target, SECRETS) == []
    assert [str(one) for one in report.removed] == [
        "attachment Label: all but the picture",
        "attachment SlidePreview: all but what is known to be harmless",
        "attachment Prescan",
    ]
    with CziReader(target) as after, CziReader(label) as whole:
        preview = CziReader(io.BytesIO(after.attachments["SlidePreview"].data))
        assert np.array_equal(preview.read(), whole.read())
        assert preview.attachments.names == ["Thumbnail"]
        preview.close()


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "BMP", "GIF"])
def test_pictures_that_stay_are_pixels_alone(source: Path, target: Path, kind: str) -> None:
    image = pytest.importorskip("PIL.Image", reason="makes the picture; pip install pillow")
    options: dict[str, Any] = {
        "PNG": {"exif": b"Exif\0\0 alovelace", "icc_profile": b"LAB-PC-7"},
        "TIFF": {"tiffinfo": {0x013B: "Ada Lovelace", 0x0132: "2024-05-06"}},
        "GIF": {"comment": b"Ada Lovelace"},
    }.get(kind, {})
    stored = io.BytesIO()
    pixels = noise(PixelType.Bgr24, 12, 16, 1) // 128 * 255
    image.fromarray(pixels).save(stored, kind, **options)
    label = AttachmentSpec("Label", kind, stored.getvalue() + b"Patient 12")
    write_czi(source, [Block(pixels)], attachments=[label])
    copy(source, target, anonymize=True, keep_attachments=["Label"])
    assert found_in(target, SECRETS) == []
    with CziReader(target) as after:
        assert np.array_equal(after.attachments["Label"].image(), pixels)


def test_a_thumbnail_may_be_a_png(source: Path, target: Path) -> None:
    image = pytest.importorskip("PIL.Image", reason="makes the picture; pip install pillow")
    stored = io.BytesIO()
    pixels = noise(PixelType.Gray8, 12, 16, 1)
    image.fromarray(pixels[..., 0]).save(stored, "PNG", icc_profile=b"LAB-PC-7")
    thumbnail = AttachmentSpec("Thumbnail", "JPG", stored.getvalue())
    write_czi(source, [Block(pixels)], attachments=[thumbnail])
    copy(source, target, anonymize=True)
    assert found_in(target, SECRETS) == []
    assert stored_attachments(target)[0][:2] == ("Thumbnail", "PNG")


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("CZFOC", b"Patient 12 xxxxx"),
        ("CZFOC", struct.pack("<dd", 1.0, 1.7e9)),
        ("CZTIMS", struct.pack("<dd", 0.0, 1.7e9)),
        ("CZTIMS", struct.pack("<d6sH", 0.0, b"Jo Doe", 0x7FF8)),
    ],
)
def test_numbers_that_are_text_or_dates_go(
    source: Path, target: Path, kind: str, content: bytes
) -> None:
    data = struct.pack("<ii", 8 + len(content), 2) + content
    block = Block(noise(PixelType.Gray8, 4, 4, 1))
    write_czi(source, [block], attachments=[AttachmentSpec("Numbers", kind, data)])
    copy(source, target, anonymize=True, keep_relative_times=True)
    assert found_in(target, ["Patient 1", "Jo Doe"]) == []
    assert struct.pack("<d", 1.7e9) not in target.read_bytes()


@pytest.mark.parametrize("option", [{"keep_relative_times": True}, {"keep_attachments": ["Label"]}])
def test_options_of_anonymising_need_it(source: Path, target: Path, option: Any) -> None:
    with pytest.raises(ValueError, match="need anonymize=True"):
        copy(source, target, **option)


def test_names_of_attachments_that_stay_are_ours(source: Path, target: Path) -> None:
    block = Block(noise(PixelType.Gray8, 4, 4, 1))
    stamps, focus = time_stamps([5.0, 6.0]) + b"alovelace", time_stamps([1.0])
    attachments = [
        AttachmentSpec("Ada Lovelace", "CZTIMS", stamps),
        AttachmentSpec("alovelace", "CZFOC", focus),
        AttachmentSpec("TimeStamps", "CZTIMS", stamps),
    ]
    write_czi(source, [block], attachments=attachments)
    copy(source, target, anonymize=True, keep_relative_times=True)
    assert found_in(target, SECRETS) == []
    assert [one[0] for one in stored_attachments(target)] == ["TimeStamps", "FocusPositions"]


def test_attachments_get_new_guids(source: Path, target: Path) -> None:
    copy(source, target, anonymize=True)
    before = {guid for _, _, guid, _ in stored_attachments(source)}
    assert before.isdisjoint(guid for _, _, guid, _ in stored_attachments(target))


def test_further_words_are_taken_out(tmp_path: Path, target: Path) -> None:
    named = source_at(tmp_path / "named.czi", document=f"{DOCUMENT}<Name>Patient 12</Name>")
    copy(named, target, anonymize=["Patient 12"])
    assert found_in(target, SECRETS) == []


def test_what_the_caller_adds_is_cleaned_as_well(source: Path, target: Path) -> None:
    def edit(xml: XmlEditor) -> None:
        xml.set_general_document_info(user_name="Grace Hopper", comment="nice")

    copy(source, target, anonymize=True, metadata=edit)
    assert found_in(target, ["Grace Hopper", "nice"]) == []
    assert b"<Document />" in stored_xml(target)


def test_a_label_asked_for_by_name_is_dropped_all_the_same(source: Path, target: Path) -> None:
    removed = copy(source, target, anonymize=True, attachments=["Label"]).removed
    assert stored_attachments(target) == []
    assert RemovedPart("attachment", "Label") in removed


def test_document_metadata_that_cannot_be_understood_are_an_error(
    tmp_path: Path, target: Path
) -> None:
    block = Block(noise(PixelType.Gray8, 4, 4, 1))
    source = write_czi(tmp_path / "bad.czi", [block], metadata=b"<ImageDocument><Ada Lovelace")
    with pytest.raises(CorruptFileError):
        copy(source, target, anonymize=True)
    assert not target.exists()


def test_sub_block_metadata_that_cannot_be_understood_are_dropped(
    tmp_path: Path, target: Path
) -> None:
    block = Block(noise(PixelType.Gray8, 4, 4, 1), metadata=b"Ada <Lovelace", attachment=b"Ada")
    source = write_czi(tmp_path / "bad.czi", [block])
    report = copy(source, target, anonymize=True)
    assert report.removed == [RemovedPart("sub-block metadata")]
    assert str(report.removed[0]) == "sub-block metadata that are no XML"
    assert stored_blocks(target)[0][-2:] == (b"", b"")


def test_the_file_is_the_same_for_any_number_of_threads(source: Path, tmp_path: Path) -> None:
    for threads in (1, 4):
        copy(source, tmp_path / f"{threads}.czi", anonymize=True, threads=threads)
    assert stored_blocks(tmp_path / "1.czi") == stored_blocks(tmp_path / "4.czi")


def test_real_files_lose_their_dates_and_users(every_real_file: Path, target: Path) -> None:
    copy(every_real_file, target, anonymize=True)
    date = re.compile(rb"20[012]\d-[01]\d-[0-3]\dT")
    with open_document(target) as document:
        texts = [document.xml, *(part for one in stored_blocks(target) for part in one[-2:])]
    with CziReader(every_real_file) as before, CziReader(target) as after:
        user = before.document_info.user_name
        assert np.array_equal(before.read(), after.read())
    for text in texts:
        assert not date.search(text)
        assert not user or user.encode() not in text


# What is beside the pixels in their data


def behind(data: bytes) -> bytes:
    return data + b"Patient 12"


def within_jpegxr(data: bytes) -> bytes:
    """A directory at the end, with one tag more: the artist's name."""
    text, count = b"Patient 12\0", 8
    entries = [struct.unpack_from("<HHII", data, 34 + 12 * number) for number in range(count)]
    entries.insert(0, (0x013B, 2, len(text), len(data)))
    directory = b"".join(struct.pack("<HHII", *entry) for entry in entries) + bytes(4)
    start = struct.pack("<I", len(data) + len(text))
    return data[:4] + start + data[8:] + text + struct.pack("<H", count + 1) + directory


@pytest.mark.parametrize("change", [behind, within_jpegxr])
@pytest.mark.parametrize(
    ("compression", "options"),
    [
        (Compression.Uncompressed, {}),
        (Compression.Zstd0, {}),
        (Compression.Zstd1, {}),
        (Compression.Zstd1, {"hilo": True}),
        (Compression.JpegXr, {}),
    ],
)
def test_data_hold_pixels_alone(
    tmp_path: Path, target: Path, change: Any, compression: Compression, options: Any
) -> None:
    if change is within_jpegxr and compression != Compression.JpegXr:
        change = behind
    pixels = noise(PixelType.Gray16, 16, 20, 1)
    block = Block(pixels, compression=compression, **options)
    clean = encode(block)
    planted = replace(block, payload=change(clean), x=20)
    source = write_czi(tmp_path / "source.czi", [block, planted])
    assert found_in(source, ["Patient 12"])
    copy(source, target, anonymize=True)
    assert found_in(target, ["Patient 12"]) == []
    with CziReader(target) as after:
        assert np.array_equal(after.read()[:, :20], after.read()[:, 20:])
        assert np.array_equal(after.read()[:, :20], pixels)


def test_a_jpeg_tile_loses_its_exif(tmp_path: Path, target: Path) -> None:
    image = pytest.importorskip("PIL.Image", reason="makes the tile; pip install pillow")
    exif, stored = image.Exif(), io.BytesIO()
    exif[0x013B] = "Ada Lovelace"
    pixels = noise(PixelType.Gray8, 16, 24, 1)
    image.fromarray(pixels[..., 0]).save(stored, "JPEG", exif=exif, comment=b"Patient 12")
    block = Block(pixels, compression=Compression.Jpg, payload=stored.getvalue())
    source = write_czi(tmp_path / "source.czi", [block])
    copy(source, target, anonymize=True)
    assert found_in(target, SECRETS) == []
    with CziReader(source) as before, CziReader(target) as after:
        assert np.array_equal(before.read(), after.read())


def test_data_with_more_than_the_bitmap_within_are_encoded_anew(
    tmp_path: Path, target: Path
) -> None:
    pixels = noise(PixelType.Gray8, 16, 24, 1)
    payload = zstd_frame(pixels.tobytes() + b"Patient 12")
    block = Block(pixels, compression=Compression.Zstd0, payload=payload)
    source = write_czi(tmp_path / "source.czi", [block])
    copy(source, target, anonymize=True)
    with CziReader(target) as after:
        assert np.array_equal(after.read(), pixels)
        assert zstd_frame(pixels.tobytes() + b"Patient 12") not in target.read_bytes()


# Anything anywhere

PLACES = (
    "<{0}>{1}</{0}>",
    '<Scaling {0}="{1}" />',
    '<Channels><Channel {0}="{1}"><{0}>{1}</{0}></Channel></Channels>',
    "<Information>{1}<Image>{1}<SizeX>{1}</SizeX></Image>{1}</Information>",
    "<Layers><Layer><Elements><Rectangle><{0}>{1}</{0}></Rectangle></Elements></Layer></Layers>",
    "<Experiment><Track><{0}>{1}</{0}></Track></Experiment>",
    "<!--{1}-->",
)
NAMES = (
    *("Name", "Id", "SizeX", "LensNA", "Fluor", "ExposureTime", "Color", "Ranges", "Model"),
    *("Comment", "RegionId", "Barcode", "AcquisitionTime", "Text", "ShortName", "IsSelected"),
)
WRITTEN = ("{}", "{} 12 May 2024", "DAPI {}", "Channel:{}", "D:/data/{}/x.czi", "{}@home.org")


@given(st.data())
@settings(max_examples=30)
def test_a_name_planted_anywhere_is_gone(data: st.DataObject) -> None:
    # hypothesis tries "undefined", a word of the format, which is kept
    names = st.text("aeioubdfgklmnprst", min_size=8, max_size=12)
    secret = data.draw(names.filter(lambda name: not is_known_words(name)))
    planted = "".join(
        place.format(name, written.format(secret))
        for place, name, written in data.draw(
            st.lists(st.tuples(*map(st.sampled_from, (PLACES, NAMES, WRITTEN))), max_size=30)
        )
    )
    encoding = data.draw(st.sampled_from(["utf-8", "utf-16"]))
    xml = f"<ImageDocument><Metadata>{planted}</Metadata></ImageDocument>".encode(encoding)
    tags = subblock_xml({data.draw(st.sampled_from(NAMES)): secret, "FocusPosition": secret})
    block = Block(noise(PixelType.Gray8, 4, 4, 1), metadata=tags, attachment=secret.encode())
    attachments = [
        AttachmentSpec(secret, kind, secret.encode())
        for kind in data.draw(st.sets(st.sampled_from(["JPG", "CZTIMS", "CZEVL", "CZI"])))
    ]
    with TemporaryDirectory() as folder:
        source, target = Path(folder, "source.czi"), Path(folder, "copy.czi")
        write_czi(source, [block], metadata=xml, attachments=attachments)
        assert found_in(source, [secret]) == [secret]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # attachments that are no lists of numbers
            copy(source, target, anonymize=True, keep_relative_times=data.draw(st.booleans()))
        assert found_in(target, [secret]) == []


# The picture of a thumbnail


def test_a_jpeg_keeps_its_picture_alone() -> None:
    stripped = strip_jpeg(jpeg())
    assert stripped is not None
    assert b"Ada" not in stripped
    assert b"Exif" not in stripped
    assert b"JFIF" in stripped
    assert stripped.endswith(b" scan \xff\0 more \xff\xd9")
    assert strip_jpeg(stripped) == stripped


@pytest.mark.parametrize(
    "segment",
    [
        b"\xff\xdb\0\x07\x00Jane",  # a table that is too short
        b"\xff\xc4\0\x18" + bytes(17) + b"Jane",  # a table with more behind it
        b"\xff\xc0\0\x0d\x08\0\1\0\1\0Jane!",
        b"\xff\x02\0\x06Jane",
    ],
)
def test_a_jpeg_whose_tables_hold_other_things_is_not_understood(segment: bytes) -> None:
    whole = jpeg()
    assert strip_jpeg(whole[:2] + segment + whole[2:]) is None


def test_comments_between_the_scans_of_a_jpeg_go() -> None:
    scan = b"\xff\xda\0\x08\1\1\0\0\x3f\0 scan "
    comment = b"\xff\xfe\0\x06Jane"
    whole = b"\xff\xd8" + scan + comment + scan + comment + b"\xff\xd9 Jane \xff\xd9"
    assert strip_jpeg(whole) == b"\xff\xd8" + scan + scan + b"\xff\xd9"


def test_a_real_jpeg_shows_the_same_picture(every_real_file: Path) -> None:
    image = pytest.importorskip("PIL.Image", reason="Pillow is the oracle; pip install pillow")
    thumbnails = [one[3] for one in stored_attachments(every_real_file) if one[0] == "Thumbnail"]
    for data in thumbnails:
        stripped = strip_jpeg(data)
        assert stripped is not None
        with image.open(io.BytesIO(data)) as before, image.open(io.BytesIO(stripped)) as after:
            assert np.array_equal(np.asarray(before), np.asarray(after))
    if not thumbnails:
        assert every_real_file.name in {
            "100x100.czi",
            "CellDivision_T3_Z5_CH2_X240_Y170_comp1.czi",
        }


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"PNG",
        b"\xff\xd8",
        b"\xff\xd8\xff\xe0\x00\x01",
        b"\xff\xd8\xff\xdb\xff\xff" + bytes(9),
        b"\xff\xd8\xff\xda\x00\x02 no end",
        jpeg()[:60],
    ],
)
def test_what_is_no_whole_jpeg_is_not_understood(data: bytes) -> None:
    assert strip_jpeg(data) is None


def test_a_misspelt_name_of_an_attachment_that_is_to_stay_is_told(tmp_path: Path) -> None:
    note = AttachmentSpec("Note", "TXT", b"text")
    source = write_czi(tmp_path / "in.czi", [Block(np.zeros((4, 4), np.uint8))], attachments=[note])
    with pytest.warns(UserWarning, match=r"keep_attachments names notes, .* attachments are Note"):
        copy(source, tmp_path / "out.czi", anonymize=True, keep_attachments=["Notes"])
