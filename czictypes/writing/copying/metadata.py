"""The XML of a copy: the source's, made to fit what is copied, and edited by the caller."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Union

from czictypes.metadata.annotations import move_annotations
from czictypes.metadata.edit import XmlEditor
from czictypes.metadata.subset import (
    drop_pyramid_info,
    keep_channels,
    keep_positions,
    keep_scenes,
    set_sizes,
)
from czictypes.writing.copying.layout import Layout

__all__ = ["MetadataChange", "copied_metadata"]

#: XML that takes the place of the source's, or a function that edits it.
MetadataChange = Union[str, bytes, Callable[[XmlEditor], Any], None]


def copied_metadata(
    xml: bytes, layout: Layout, change: MetadataChange, bare_scenes: set[int]
) -> bytes:
    """Return the XML of the copy.

    Parameters
    ----------
    xml
        The source's XML; returned as it is if nothing changes.
    layout
        What the choice of sub-blocks changes.
    change
        What the caller gave.
    bare_scenes
        The scenes that lose a level of their pyramid.

    Raises
    ------
    CorruptFileError, ValueError
        If XML that has to be changed is malformed, or what the caller gave is no XML of a CZI.
    TypeError
        If `change` is nothing of the kind.
    """
    if isinstance(change, (str, bytes)):
        return XmlEditor(change).to_bytes()
    if change is not None and not callable(change):
        raise TypeError(f"metadata is XML or a function that edits it, not {change!r}")
    fits = layout.is_same() and not bare_scenes
    if change is None and (fits or not xml):
        return xml
    editor = XmlEditor(xml)
    if not fits and xml:
        drop_pyramid_info(editor.root, bare_scenes, layout.scenes)
        _fit(editor, layout)
    if change is not None:
        change(editor)
    return editor.to_bytes()


def _fit(editor: XmlEditor, layout: Layout) -> None:
    changed = layout.changed
    sizes = {
        axis: after
        for axis, before, after in zip("XY", layout.size_before, layout.size_after)
        if after != before
    }
    sizes.update(
        (letter, len(extent.positions))
        for letter, extent in changed.items()
        if len(extent.positions) != extent.size
    )
    set_sizes(editor.root, sizes)
    for letter in ("T", "Z"):
        if letter in changed:
            keep_positions(editor.root, letter, changed[letter].positions)
    if "C" in changed:
        channel = changed["C"]
        keep_channels(editor.root, channel.positions, channel.size, compact=channel.new_start == 0)
    if layout.moved != (0, 0):
        move_annotations(editor.root, *(-distance for distance in layout.moved))
    if "S" in changed:
        scenes = changed["S"]
        new_index = {place: scenes.moved(place) for place in scenes.places}
        keep_scenes(editor.root, new_index, layout.scenes)
