"""The checks to make before libCZI opens a file, since it crashes on some damaged ones."""

from __future__ import annotations

from typing import NamedTuple

from czictypes.container.attachments import AttachmentEntry, read_attachment_directory
from czictypes.container.byte_source import ByteSource
from czictypes.container.directory import Directory, read_directory
from czictypes.container.segments import FileHeader, read_file_header

__all__ = ["CheckedDocument", "check_document"]


class CheckedDocument(NamedTuple):
    """The file header and both directories, as the checks read them."""

    header: FileHeader
    directory: Directory
    attachments: list[AttachmentEntry]


def check_document(
    source: ByteSource, *, strict: bool = False, ignore_sizem_for_pyramid: bool = False
) -> CheckedDocument:
    """Check all that libCZI's ReaderOpen reads: file header and both directories.

    Sub-blocks, attachments and metadata have their own checks, made when they are read:
    `read_subblock_segment`, `check_pixels`, `read_attachment_segment`,
    `read_metadata_segment`.

    Parameters
    ----------
    source
        The file.
    strict, ignore_sizem_for_pyramid
        As for `read_directory`.

    Raises
    ------
    NotCziError
        If the file is no CZI.
    CorruptFileError
        If it is damaged or truncated in these parts; the message names the part.
    UnsupportedDataError
        If it is of a kind that libCZI does not read.
    """
    header = read_file_header(source)
    directory = read_directory(
        source, header, strict=strict, ignore_sizem_for_pyramid=ignore_sizem_for_pyramid
    )
    return CheckedDocument(header, directory, read_attachment_directory(source, header))
