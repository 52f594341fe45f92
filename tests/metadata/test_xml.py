"""Stored bytes become trees and dictionaries."""

from __future__ import annotations

import contextlib
import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from czictypes.metadata.xml import parse, to_bytes, to_dict, to_string, to_text
from czictypes.model.errors import CorruptFileError, MetadataWarning

BOMB = """<?xml version="1.0"?><!-- hello -->
<!DOCTYPE lolz [<!ENTITY lol "lol"><!ENTITY lol1 "&lol;&lol;&lol;">]>
<ImageDocument>&lol1;</ImageDocument>"""


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
def test_every_unicode_encoding_is_recognised(encoding):
    assert parse("<A>µm</A>".encode(encoding)).text == "µm"


def test_the_declared_encoding_counts():
    stored = '<?xml version="1.0" encoding="iso-8859-1"?><A>µm</A>'.encode("latin-1")
    assert parse(stored).text == "µm"


def test_a_declaration_that_cannot_be_true_is_ignored():
    assert parse(b'<?xml version="1.0" encoding="utf-16"?><A>x</A>').text == "x"


def test_what_follows_the_first_nul_is_no_content():
    assert to_text(b"<A/>\0\0\0") == "<A/>"
    assert parse(b"<A>x</A>\0\0 trash").text == "x"


def test_text_that_is_not_utf8_is_read_with_a_warning(warns):
    with warns("not valid utf-8 at byte 3"):
        assert parse(b"<A>\xb5m</A>").text == "\ufffdm"


@pytest.mark.parametrize("text", ["a\x01b", "a&#1;b", "a&#xFFFE;b", "a&#x110000;b"])
def test_characters_that_xml_forbids_are_replaced_with_a_warning(text, warns):
    with warns("characters that XML does not allow"):
        assert parse(f"<A>{text}</A>").text == "a\ufffdb"


def test_lone_surrogates_in_text_are_replaced():
    assert parse("<A>\ud800</A>").text == "\ufffd"


@pytest.mark.parametrize("empty", [b"", b"\0\0", "", " \n", None])
def test_no_xml_is_an_empty_document(empty):
    assert to_string(parse(empty)) == "<ImageDocument />"
    assert to_dict(empty) == {}


@pytest.mark.parametrize("read", [parse, to_dict])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_a_document_type_definition_is_refused(read, encoding):
    with pytest.raises(CorruptFileError, match="document type definition"):
        read(BOMB.encode(encoding))


@pytest.mark.parametrize("read", [parse, to_dict])
@pytest.mark.parametrize("xml", ["<A>", "<A></B>", "trash", "<A>&unknown;</A>", "<A/><B/>"])
def test_what_is_no_xml_is_a_corrupt_file(read, xml):
    with pytest.raises(CorruptFileError, match="not well-formed"):
        read(xml)


def test_prefixes_comments_and_instructions_are_kept():
    xml = '<A xmlns:x="urn:x" x:type="x:y"><!--note--><?pi data?><x:B>1</x:B></A>'
    assert to_string(parse(xml)) == xml


def test_a_tree_parsed_before_is_taken_as_it_is():
    root = ET.fromstring("<A><B>1</B></A>")
    assert parse(root) is root
    assert to_dict(root) == {"A": {"B": "1"}}


def test_dictionary_has_attributes_text_and_lists():
    xml = '<A><B Id="1">x</B><B Id="2"/><C/></A>'
    assert to_dict(xml) == {
        "A": {"B": [{"@Id": "1", "#text": "x"}, {"@Id": "2"}], "C": None},
    }


def test_depth_is_no_recursion():
    depth = 50_000
    root = parse("<A>" * depth + "x" + "</A>" * depth)
    assert to_string(root) == "<A>" * depth + "x" + "</A>" * depth


def test_indented_text_says_the_same():
    root = parse("<A><B>x</B><C k='v'><D/></C><E>mixed<F/>text</E></A>")
    expected = """<A>
  <B>x</B>
  <C k="v">
    <D />
  </C>
  <E>mixed<F />text</E>
</A>"""
    assert to_string(root, indent=True) == expected


def test_the_dictionary_is_the_peers_on_real_files(any_real, pylibczirw):
    with pylibczirw.open_czi(str(any_real.path)) as peer:
        assert to_dict(any_real.xml) == peer.metadata


def test_real_files_survive_the_way_through_a_tree(any_real):
    root = parse(any_real.xml)
    assert to_dict(to_bytes(root)) == to_dict(any_real.xml)
    assert to_dict(to_string(root, indent=True)) == to_dict(any_real.xml)


NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_.-]{0,8}", fullmatch=True)
TEXTS = st.text(
    st.characters(min_codepoint=32, exclude_categories=["Cs"], exclude_characters="\ufffe\uffff")
    | st.sampled_from("\t\n\r<>&\"'"),
    max_size=20,
)


def build(children):
    return st.builds(_element, NAMES, st.dictionaries(NAMES, TEXTS, max_size=3), TEXTS, children)


def _element(tag, attributes, text, children):
    element = ET.Element(tag, attributes)
    element.text = text or None
    for child, tail in children:
        child.tail = tail or None
        element.append(child)
    return element


TREES = st.recursive(
    build(st.just([])),
    lambda inner: build(st.lists(st.tuples(inner, TEXTS), max_size=3)),
    max_leaves=8,
)


@given(TREES)
def test_any_tree_comes_back_as_it_was_written(tree):
    assert ET.tostring(parse(to_bytes(tree))) == ET.tostring(tree)


@given(
    st.binary(max_size=60)
    | TREES.map(to_bytes).flatmap(lambda xml: st.binary(max_size=4).map(xml.__add__))
)
@pytest.mark.filterwarnings("ignore::czictypes.model.errors.MetadataWarning")
def test_any_bytes_give_a_tree_or_one_kind_of_error(data):
    with contextlib.suppress(CorruptFileError):
        parse(data)


def test_the_warning_has_a_category_of_its_own():
    assert issubclass(MetadataWarning, UserWarning)
