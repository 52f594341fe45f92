"""The attachment directory, and the bytes of attachments."""

from __future__ import annotations

import uuid

import pytest

from container.czi_bytes import ATTACHMENT_ENTRY_SIZE, GUID, AttachedFile, Built, build_czi
from czictypes.container.attachments import (
    AttachmentEntry,
    read_attachment_data,
    read_attachment_directory,
)
from czictypes.container.byte_source import ByteSource
from czictypes.container.segments import read_file_header
from czictypes.model.errors import CorruptFileError

FILES = [
    AttachedFile(b"TimeStamps", b"CZTIMS", bytes(range(40))),
    AttachedFile("Größe".encode(), b"CZEVL", b"", guid=uuid.UUID(int=5)),
    AttachedFile(b"x" * 80, b"ZIP-COMP", b"third"),
]
FILE = build_czi(attachments=FILES)
FIRST_ENTRY = FILE.attachment_directory + 32 + 256


def entries(built: Built) -> list[AttachmentEntry]:
    source = built.source()
    return read_attachment_directory(source, read_file_header(source))


def refused(built: Built, match: str) -> None:
    with pytest.raises(CorruptFileError, match=match):
        read_attachment_data(built.source(), entries(built)[0])


def test_entries_tell_names_types_and_ids() -> None:
    first, second, third = entries(FILE)
    assert (first.index, first.name, first.content_file_type) == (0, "TimeStamps", "CZTIMS")
    assert (first.guid, first.file_position) == (GUID, FILE.attachments[0])
    assert (second.name, second.guid) == ("Größe", uuid.UUID(int=5))
    assert (third.index, third.content_file_type) == (2, "ZIP-COMP")
    assert third.name == "x" * 79  # the last of the 80 bytes ends it


def test_their_bytes_are_read() -> None:
    source = FILE.source()
    found = [read_attachment_data(source, entry) for entry in entries(FILE)]
    assert found == [bytes(range(40)), b"", b"third"]


def test_a_file_without_an_attachment_directory_has_none() -> None:
    assert entries(build_czi()) == []


def test_many_entries_are_read() -> None:
    many = [AttachedFile(str(number).encode(), data=b"") for number in range(300)]
    assert [entry.name for entry in entries(build_czi(attachments=many))] == [
        str(number) for number in range(300)
    ]


def test_entries_of_another_schema_are_not_counted() -> None:
    built = FILE.patched(FIRST_ENTRY + ATTACHMENT_ENTRY_SIZE, "<2s", b"A2")
    assert [(entry.index, entry.content_file_type) for entry in entries(built)] == [
        (0, "CZTIMS"),
        (1, "ZIP-COMP"),
    ]


@pytest.mark.parametrize("size", [-1, -(2**63), 10**6, 2**62])
def test_a_wrong_size_is_refused(size: int) -> None:
    built = FILE.patched(FILE.attachments[0] + 32, "<q", size)
    refused(built, r"attachment 0 \('TimeStamps', at byte \d+\) of built\.czi")


@pytest.mark.parametrize("position", [-1, 0, 2**62])
def test_a_wrong_position_is_refused(position: int) -> None:
    refused(FILE.patched(FIRST_ENTRY + 12, "<q", position), f"attachment 0 .*at byte {position}")


def test_an_attachment_cut_off_meanwhile_is_refused() -> None:
    class Shrinking(ByteSource):
        def _size(self) -> int:
            return len(FILE.data)

        def _release(self) -> None:
            pass

        def _read(self, offset: int, count: int) -> bytes:
            return FILE.data[: FILE.attachments[0] + 300][offset : offset + count]

    with pytest.raises(CorruptFileError, match=r"40 bytes asked for, 12 found"):
        read_attachment_data(Shrinking("shrinking.czi"), entries(FILE)[0])
