"""Opens a file, perhaps a damaged one, and reads everything in it; run in a process of its own.

    python tests/fuzz_target.py FILE...     says for each file what came of it

Without arguments it takes paths line by line and answers each with a line of JSON. JPEG XR data
are not decoded by a libCZI that is not patched: hostile ones crash it, whatever is checked before.
"""

from __future__ import annotations

import faulthandler
import functools
import json
import os
import sys
import traceback
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

from czictypes import czi, library_info
from czictypes.container.attachments import read_attachment_directory, read_attachment_segment
from czictypes.container.check import CheckedDocument, check_document
from czictypes.container.file_source import FileSource
from czictypes.container.masks import find_mask
from czictypes.container.metadata_segment import read_metadata_segment
from czictypes.container.segments import iter_segments
from czictypes.container.subblock import (
    check_pixels,
    read_attachment_bytes,
    read_data_bytes,
    read_subblock_segment,
)
from czictypes.container.zstd import decode_zstd
from czictypes.handles.reader import ReaderHandle
from czictypes.handles.streams import InputStream
from czictypes.model.errors import CziError, NativeMemoryError
from czictypes.model.pixel_types import Compression, pixel_format

__all__ = ["ADDRESS_SPACE", "exercise"]

#: Bytes that the process may use in all: a file of a few kilobytes must never need more.
ADDRESS_SPACE = 1 << 30

_MOST = 40  # sub-blocks looked at in one file
_ROI = 256  # pixels of a side


class Trials:
    """Runs the parts of an exercise one by one, and counts what was refused."""

    def __init__(self) -> None:
        self.refused: list[str] = []

    def attempt(self, act: Callable[[], Any]) -> Any:
        """Return what `act` returns, or None where it is refused as a damaged file is."""
        try:
            return act()
        except NativeMemoryError:  # a small file that wants much memory got past the checks
            raise
        except CziError as error:
            self.refused.append(f"{type(error).__name__}: {error}")
            return None


def exercise(path: Path) -> list[str]:
    """Open a file and read everything, through libCZI as is and through the reader.

    Returns
    -------
    list of str
        What was refused. Any exception but a `CziError` is a bug and is raised.
    """
    trials = Trials()
    trials.attempt(lambda: _exercise_libczi(path, trials))
    trials.attempt(lambda: _exercise_reader(path, trials))
    return trials.refused


def _exercise_libczi(path: Path, trials: Trials) -> None:
    """Do what the floors below the reader do: check, then call libCZI."""
    with FileSource(path) as source:
        trials.attempt(lambda: list(iter_segments(source)))
        document = check_document(source)
        trials.attempt(lambda: check_document(source, strict=True))
        with ReaderHandle.open(InputStream.from_path(path)) as reader:
            reader.statistics_ex()
            reader.pyramid_statistics()
            trials.attempt(lambda: _metadata(source, document, reader, trials))
            for index in range(min(document.directory.count, _MOST)):
                reader.try_get_sub_block_info(index)
                trials.attempt(lambda index=index: _sub_block(source, document, reader, index))
            for entry in read_attachment_directory(source, document.header):
                trials.attempt(lambda entry=entry: _attachment(source, entry, reader))


def _metadata(
    source: FileSource, document: CheckedDocument, reader: ReaderHandle, trials: Trials
) -> None:
    if read_metadata_segment(source, document.header) is None:
        return
    with reader.metadata_segment() as segment:
        segment.xml()
        with segment.document_info() as info:
            for act in (info.general, info.scaling, info.available_dimensions):
                trials.attempt(act)
            trials.attempt(lambda: info.dimension_info("C"))
            settings = info.display_settings()
            if settings is not None:
                settings.close()


def _sub_block(
    source: FileSource, document: CheckedDocument, reader: ReaderHandle, index: int
) -> None:
    segment = read_subblock_segment(source, document.directory, index)
    attachment = read_attachment_bytes(source, segment)
    with reader.read_sub_block(index) as sub_block:
        data = sub_block.raw_data("data")
        assert data == read_data_bytes(source, segment)
        sub_block.raw_data("metadata")
        check_pixels(source, segment)
        if segment.compression not in _trusted():
            with sub_block.create_bitmap() as bitmap:
                bitmap.to_numpy()
    if segment.compression in (Compression.Zstd0, Compression.Zstd1):
        layout = pixel_format(segment.pixel_type)
        size = segment.physical_w, segment.physical_h
        decode_zstd(data, segment.compression, *size, layout)
    if attachment:
        find_mask(attachment)


def _attachment(source: FileSource, entry: Any, reader: ReaderHandle) -> None:
    segment = read_attachment_segment(source, entry)
    reader.attachment_info(entry.index)
    with reader.read_attachment(entry.index) as attachment:
        assert len(attachment.raw_data()) == segment.data_size


def _exercise_reader(path: Path, trials: Trials) -> None:
    """Do what a user does."""
    options = czi.ReaderOptions(enable_mask_awareness=True)
    with czi.open_czi(path, reader_options=options, threads=1) as document:
        for name in ("total_bounding_box", "scenes_bounding_rectangle", "pixel_types", "metadata"):
            trials.attempt(lambda name=name: getattr(document, name))
        trials.attempt(document.pyramid_levels)
        table = document.subblocks
        for row in table[:_MOST]:
            if row["compression"] in _trusted():
                continue
            index = int(row["index"])
            trials.attempt(lambda index=index: _read_sub_block(document, index))
        if not np.isin(table["compression"], _trusted()).any():
            for row in table[:_MOST]:
                trials.attempt(lambda row=row: _read_around(document, row))
        for attachment in document.attachments:
            trials.attempt(lambda attachment=attachment: attachment.data)


def _read_sub_block(document: Any, index: int) -> None:
    sub_block = document.read_subblock(index)
    for name in ("raw_data", "raw_metadata", "attachment", "mask", "stage_position", "tags"):
        getattr(sub_block, name)
    sub_block.pixels()


def _read_around(document: Any, row: Any) -> None:
    """Read the part of a plane where a sub-block is."""
    ranges = document.total_bounding_box
    absent = -(2**31)
    plane = {
        name: int(row[name])
        for name in ranges
        if name in row.dtype.names and name not in "XYS" and row[name] != absent
    }
    x, y = (min(max(int(row[name]) - 5, absent), -absent - _ROI - 1) for name in ("x", "y"))
    roi = (x, y, _ROI, _ROI)
    document.read(roi=roi, plane=plane)
    document.read(roi=roi, plane=plane, zoom=0.3)


def _answer(path: Path) -> dict[str, Any]:
    try:
        return {"refused": exercise(path)}
    except Exception:  # the parent tells it as a failure; the next file is to be tried all the same
        return {"failed": traceback.format_exc()}


@functools.cache
def _trusted() -> tuple[int, ...]:
    """Return the schemes whose decoder takes its data as they come, if libCZI is not patched."""
    return () if library_info().is_patched else (int(Compression.JpegXr),)


def _limit_memory() -> None:
    if "libasan" in os.environ.get("LD_PRELOAD", ""):  # it reserves far more than it uses
        return
    try:
        import resource
    except ImportError:  # Windows
        return
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))


def _serve(lines: Iterable[str]) -> None:
    for line in lines:
        print(json.dumps(_answer(Path(json.loads(line)))), flush=True)


def main(arguments: list[str]) -> None:
    """Try the files named, or those named line by line on standard input."""
    faulthandler.enable()
    _limit_memory()
    if not arguments:
        _serve(sys.stdin)
    for argument in arguments:
        answer = _answer(Path(argument))
        print(argument, answer.get("failed") or answer["refused"] or "fine", sep="\n  ")


if __name__ == "__main__":
    main(sys.argv[1:])
