"""Writes a test file: the C API's own writer, then the fields it cannot set."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from libczi.oracle import file_output
from libczi.writer import SubBlockSpec, WriterHandle

from czictypes.model.pixel_types import Compression
from files.block import Block
from files.encode import encode
from files.patch import mark_blocks

__all__ = ["AttachmentSpec", "write_czi"]

_FILE_GUID = uuid.UUID("0a0b0c0d-1011-1213-1415-161718191a1b")  # the same files at every run
_ATTACHMENT_GUID = uuid.UUID("12345678-9abc-def0-1122-334455667788")


@dataclass(frozen=True)
class AttachmentSpec:
    """An attachment to write: its name, kind of content (``"JPG"``, ``"CZTIMS"``...) and bytes."""

    name: str
    content_file_type: str
    data: bytes
    guid: uuid.UUID = _ATTACHMENT_GUID


def write_czi(
    path: Path,
    blocks: Sequence[Block],
    *,
    metadata: bytes = b"",
    attachments: Sequence[AttachmentSpec] = (),
    reserved: int | None = None,
) -> Path:
    """Write a CZI with exactly these sub-blocks, in this order, and return its path.

    A file that is there is replaced. With room `reserved` for so many sub-blocks, attachments and
    a KB of metadata for each, directories and XML come first, as in files by ZEN.
    """
    stream = file_output(path)
    with WriterHandle.create(
        stream,
        allow_duplicates=True,
        file_guid=_FILE_GUID,
        reserved_sub_blocks=reserved,
        reserved_attachments=reserved,
        reserved_metadata=None if reserved is None else reserved << 10,
    ) as writer:
        for block in blocks:
            writer.add_sub_block(_specification(block))
        for one in attachments:
            writer.add_attachment(one.guid, one.content_file_type, one.name, one.data)
        if metadata:
            writer.write_metadata(metadata)
    mark_blocks(path, blocks)
    return path


def _specification(block: Block) -> SubBlockSpec:
    return SubBlockSpec(
        coordinate=block.plane,
        x=block.x,
        y=block.y,
        width=block.rectangle.w,
        height=block.rectangle.h,
        pixel_type=block.pixel_type,
        data=encode(block),
        # The C API then takes the bytes as they are, whatever it believes of the pixel type.
        compression=block.compression or Compression.Zstd0,
        physical_size=block.physical,
        m_index=block.m,
        metadata=block.metadata,
        attachment=block.attachment,
    )
