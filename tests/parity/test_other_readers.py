"""aicspylibczi and czifile find the same tiles, attachments and metadata in the real files."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from peers import aicspylibczi, czifile

from czictypes import czi


@contextmanager
def open_czifile(path: Path) -> Iterator[Any]:
    """Open a file with czifile, which warns of everything that a file lacks."""
    module = czifile()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with module.CziFile(str(path)) as document:
            yield document


def test_the_attachments_are_those_that_czifile_finds(every_real_file: Path) -> None:
    with open_czifile(every_real_file) as peer:
        theirs = [
            (
                attachment.attachment_entry.name,
                str(attachment.attachment_entry.content_file_type),
                attachment.data(raw=True),
            )
            for attachment in peer.attachments()
        ]
    with czi.open_czi(every_real_file) as document:
        ours = [
            (attachment.name, attachment.content_file_type, attachment.data)
            for attachment in document.attachments
        ]
    assert sorted(ours) == sorted(theirs)


def test_the_metadata_are_the_text_that_czifile_finds(every_real_file: Path) -> None:
    with open_czifile(every_real_file) as peer, czi.open_czi(every_real_file) as document:
        ours, theirs = document.raw_metadata, peer.metadata()
    assert ours.replace("\r\n", "\n").strip() == theirs.replace("\r\n", "\n").strip()


def test_single_tiles_are_those_that_aicspylibczi_reads(
    every_real_file: Path, rng: np.random.Generator
) -> None:
    with every_real_file.open("rb") as file, czi.open_czi(every_real_file) as document:
        peer = aicspylibczi().CziFile(file)
        rows = document.subblocks
        layer0 = np.flatnonzero(rows["level"] == 0)
        for index in rng.permutation(layer0)[:10]:
            sub_block = document.read_subblock(int(index))
            place = dict(sub_block.info.coordinate)
            if peer.is_mosaic():
                place["M"] = sub_block.info.mIndex
            theirs, _ = peer.read_image(**place)
            ours = sub_block.pixels()
            if ours.shape[2] == 1:
                ours = ours[:, :, 0]
            assert np.array_equal(np.squeeze(theirs), ours), place
