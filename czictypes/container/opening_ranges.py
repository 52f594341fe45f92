"""The ranges that opening a document reads, from its header, so that they come at once."""

from __future__ import annotations

from czictypes.container.byte_source import ByteSource, Range
from czictypes.container.segments import read_file_header

__all__ = ["opening_ranges"]

#: A directory of so many bytes has 1,500 entries; the rest of what is larger comes later.
_MOST = 256 << 10


def opening_ranges(source: ByteSource) -> list[Range]:
    """Return where directory, attachment directory and metadata may reach, from the file header.

    Each ends at the latest where the next of them begins, mostly there: programs write them one
    behind the other, after all sub-blocks. Of a part of a document of several files nothing: it is
    mostly opened for what the master lists.

    Raises
    ------
    CorruptFileError
        If the file header is damaged.
    """
    header = read_file_header(source)
    if header.file_part > 0:
        return []
    size = source.size()
    named = (
        header.directory_position,
        header.attachment_directory_position,
        header.metadata_position,
    )
    inside = [position for position in named if 0 < position < size]
    ends = sorted([*inside, size])
    return [
        (position, min(next(end for end in ends if end > position) - position, _MOST))
        for position in inside
    ]
