"""What tells who, when and where on a computer is taken out; the rest stays."""

from __future__ import annotations

import re
from xml.sax.saxutils import escape

import pytest

from czictypes.metadata.anonymize import Anonymizer, anonymize_document
from czictypes.metadata.axes import axis
from czictypes.metadata.channels import channels
from czictypes.metadata.display_settings import display_settings
from czictypes.metadata.document import document_info
from czictypes.metadata.scaling import scaling
from czictypes.metadata.scenes import plate, scenes
from czictypes.metadata.subblock import read_subblock_metadata
from czictypes.metadata.xml import parse

# People, accounts and clock readings that the real files mention.
KNOWN = re.compile(
    r"m1srh|\bTimm\b|zjwsk|\\Users\\|AuditTrail|[12]\d{3}-\d\d-\d\d[T ]\d\d:|\d\d/\d\d/20\d\d"
    r"|_17001|\b63[5-8]\d{15}\b",
    re.IGNORECASE,
)


def anonymous(document, inner):
    result = anonymize_document(document(inner))
    text = result.xml.decode()
    prefix = "ImageDocument/Metadata/"
    return text[len("<ImageDocument><Metadata>") : -len("</Metadata></ImageDocument>")], [
        path.replace(prefix, "", 1) for path in result.removed
    ]


def test_nothing_known_is_left_in_real_files(any_real):
    before = any_real.xml.decode()
    result = anonymize_document(any_real.xml)
    assert KNOWN.findall(result.xml.decode()) == []
    assert bool(result.removed) == bool(KNOWN.search(before))


def test_nothing_known_is_left_in_real_sub_blocks(any_real):
    anonymizer = Anonymizer()
    anonymizer.document(any_real.xml)
    for stored in any_real.subblocks:
        result = anonymizer.subblock(stored)
        assert not KNOWN.search(result.xml.decode())
        before, after = read_subblock_metadata(stored), read_subblock_metadata(result.xml)
        assert after.acquisition_time is None
        assert (after.stage_x, after.focus_z) == (before.stage_x, before.focus_z)
        assert (after.exposure_time, after.camera) == (before.exposure_time, before.camera)
        assert bool(result.removed) == (before.acquisition_time is not None)


def test_what_describes_the_image_stays_in_real_files(any_real):
    xml, kept = any_real.xml, anonymize_document(any_real.xml).xml
    for read in (scaling, channels, display_settings, plate):
        assert read(kept) == read(xml)
    assert document_info(kept).objective == document_info(xml).objective
    assert axis(kept, "Z") == axis(xml, "Z")
    for before, after in zip(scenes(xml), scenes(kept)):
        assert (after.name, after.center, after.well) == (before.name, before.center, before.well)


def test_a_second_time_finds_nothing(any_real):
    once = anonymize_document(any_real.xml)
    assert anonymize_document(once.xml) == (once.xml, [])


def test_the_source_tree_is_not_changed(document):
    root = parse(document("<Information><Document><UserName>x</UserName></Document></Information>"))
    anonymize_document(root)
    assert root.find("Metadata/Information/Document/UserName").text == "x"


@pytest.mark.parametrize(
    "element",
    [
        "<UserName>x</UserName>",
        "<User><DisplayName>x</DisplayName></User>",
        "<ComputerName>x</ComputerName>",
        "<CreationDate>yesterday</CreationDate>",
        "<Anything>2016-02-12T10:41:02Z</Anything>",
        "<Anything>on 11/04/2020 it was</Anything>",
        "<Anything>12.2.2016</Anything>",
        "<Anything>LM - 20191121_170014</Anything>",
        "<Anything>New-20191121</Anything>",
        "<Anything>C:\\data\\x.czi</Anything>",
        "<Anything>\\\\server\\share\\x.czi</Anything>",
        "<Anything>/home/someone/x.czi</Anything>",
        "<Anything>someone@example.org</Anything>",
        "<AuditTrail>step</AuditTrail>",
    ],
)
def test_elements_that_go(document, element):
    name = element[1:].partition(">")[0]
    assert anonymous(document, f"<A>1</A>{element}") == ("<A>1</A>", [name])


@pytest.mark.parametrize(
    "element",
    [
        '<User Id="0" />',
        "<Version>3.7.97.00000</Version>",
        "<Value>9.0576674152210312E-08</Value>",
        "<ExposureTime>20191121</ExposureTime>",
        "<StartTime>0</StartTime>",
        "<Id>b467074b-a3e2-487e-ba26-658ada12b782</Id>",
        "<Color>#FF00A1FF</Color>",
        "<Number>637593337196963</Number>",
        "<Name>a/data/b</Name>",
    ],
)
def test_elements_that_stay(document, element):
    assert anonymous(document, element) == (element, [])


def test_attributes_go_alone(document):
    found = anonymous(document, '<S Name="LM - 20191121_170014" Id="5"><V>1</V></S>')
    assert found == ('<S Id="5"><V>1</V></S>', ["S/@Name"])


def test_an_element_with_attributes_is_emptied(document):
    found = anonymous(document, '<P Status="Valid">C:\\Users\\x</P>')
    assert found == ('<P Status="Valid" />', ["P"])


def test_a_name_found_in_one_place_goes_everywhere(document):
    inner = "<UserName>Jo Smith</UserName><T>seen by jo smith</T><Q>Jo Smithers</Q>"
    assert anonymous(document, inner) == ("<Q>Jo Smithers</Q>", ["T", "UserName"])


def test_the_owner_of_a_folder_is_a_name(document):
    inner = "<F>C:\\Users\\jsmith\\x</F><T>jsmith, left</T>"
    assert anonymous(document, inner) == ("", ["F", "T"])


def test_identifiers_that_are_clock_readings_are_renumbered_alike(document):
    inner = '<R Id="637593337196963923" /><R Id="637593336858541362" /><I>637593337196963923</I>'
    assert anonymous(document, inner) == (
        '<R Id="1" /><R Id="2" /><I>1</I>',
        ["I", "R/@Id"],
    )


def test_xml_within_text_is_cleaned_too(document):
    inner = "<C><Time>2016-02-12T10:41:02Z</Time><E>5</E></C>"
    assert anonymous(document, f"<D>{escape(inner)}</D>") == (
        f"<D>{escape('<C><E>5</E></C>')}</D>",
        ["D"],
    )


def test_comments_go(document):
    assert anonymous(document, "<A /><!-- by Jo -->") == ("<A />", ["comment()"])


def test_more_words_can_be_named():
    xml = "<ImageDocument><T>Patient X 17</T><U>kept</U></ImageDocument>"
    result = anonymize_document(xml, also=["patient x"])
    assert result == (b"<ImageDocument><U>kept</U></ImageDocument>", ["ImageDocument/T"])


def test_a_sub_block_knows_the_names_of_its_document(document):
    anonymizer = Anonymizer()
    anonymizer.document(document("<UserName>Jo Smith</UserName>"))
    result = anonymizer.subblock("<METADATA><Tags><N>Jo Smith</N><S>1</S></Tags></METADATA>")
    assert result == (b"<METADATA><Tags><S>1</S></Tags></METADATA>", ["METADATA/Tags/N"])


@pytest.mark.parametrize("empty", [b"", b"\0", "", None])
def test_a_sub_block_without_xml(empty):
    assert Anonymizer().subblock(empty) == (b"", [])


def test_long_values_are_searched_in_one_pass(document):
    # Backtracking from every position of such a value would take hours.
    long = "A1" * 500_000
    assert anonymous(document, f"<A>{long}</A>") == (f"<A>{long}</A>", [])
