"""Metadata that a new file takes over from another image: all that fits what is written."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import fields, replace
from typing import Any, NamedTuple

import numpy as np

from czictypes.metadata.channels import ChannelInfo
from czictypes.metadata.document_content import DocumentContent, ImageSummary
from czictypes.metadata.scenes import SceneInfo
from czictypes.model.pixel_types import PixelType, pixel_format
from czictypes.model.public import check_options

#: The fields of a scene that are true of all of its pixels, and of a part of them.
_OF_ALL = ("center", "size", "contour", "region_id")


class Like(NamedTuple):
    """The metadata of another image, and what they are true of."""

    content: DocumentContent
    sizes: Mapping[str, int]  # by dimension; 1 for those that are missing
    pixel_types: Mapping[int, str]  # dtype and samples, by channel index
    times: tuple[float, ...] = ()

    def count(self, letter: str) -> int:
        """Return the size of a dimension."""
        return self.sizes.get(letter, 1)


def like_of(source: Any) -> Like:
    """Return what a reader or image tells; a TypeError says what may be given."""
    if not hasattr(source, "as_content"):
        raise TypeError(
            "like is a CziReader, or an image such as a CziImage or what open_image(path) gives, "
            f"not {source!r}"
        )
    content: DocumentContent = source.as_content()
    content = replace(content, application=None, application_version=None)
    if hasattr(source, "total_bounding_box"):
        sizes = {name: end - start for name, (start, end) in source.total_bounding_box.items()}
        sizes["S"] = len(source.scenes_bounding_rectangle) or 1
        types = {
            index: _form(PixelType[name].value)
            for index, name in source.pixel_types.items()
            if name in PixelType.__members__
        }
        return Like(content, sizes, types)
    sizes = {name: size for name, size in source.sizes.items() if name != "S"}
    form = f"{source.dtype.str} x {max(source.sizes.get('S', 1), 1)}"
    types = dict.fromkeys(range(sizes.get("C", 1)), form)
    return Like(content, sizes, types, tuple(source.time_stamps or ()))


def _form(pixel_type: int) -> str:
    layout = pixel_format(pixel_type)
    return f"{np.dtype(layout.dtype).str} x {layout.samples}"


def filled(content: DocumentContent | None, like: Like | None) -> DocumentContent | None:
    """Return content with its gaps filled by that of another image."""
    check_options(content, DocumentContent)
    if like is None or content is None:
        return content if like is None else like.content
    empty = DocumentContent()
    given = {
        field.name: getattr(content, field.name)
        for field in fields(content)
        if getattr(content, field.name) != getattr(empty, field.name)
    }
    return replace(like.content, **given)


def fitted(
    content: DocumentContent, like: Like, written: ImageSummary, scenes: Collection[int]
) -> DocumentContent:
    """Leave out what came from the other image and is not true of what was written.

    `scenes` are the indices of the scenes that were written.
    """
    own = like.content
    changes: dict[str, Any] = {}
    same_plane = (written.width, written.height) == (like.count("X"), like.count("Y"))
    if not same_plane and content.annotations is own.annotations:
        changes["annotations"] = ()
    for letter, names in (("T", ("time_axis",)), ("Z", ("depth_axis", "skew"))):
        if written.sizes.get(letter, 1) != like.count(letter):
            changes.update(
                {one: None for one in names if getattr(content, one) is getattr(own, one)}
            )
    if content.scenes is own.scenes:
        if len(own.scenes) == len(scenes) == 1:
            kept = [replace(own.scenes[0], index=next(iter(scenes)))]
        else:
            kept = [scene for scene in own.scenes if scene.index in scenes]
        changes["scenes"] = kept if same_plane else [_without_place(scene) for scene in kept]
    changes["channels"] = [_fitted(one, like, written) for one in content.channels]
    if content.display_settings == own.display_settings:
        fits = all(_same_type(index, like, written) for index in content.display_settings)
        changes["display_settings"] = own.display_settings if fits else {}
    return replace(content, **changes)


def _without_place(scene: SceneInfo) -> SceneInfo:
    nothing: dict[str, Any] = dict.fromkeys(_OF_ALL)
    return replace(scene, **nothing)


def _same_type(index: int, like: Like, written: ImageSummary) -> bool:
    """Return whether a channel has the pixel type that it has in the other image."""
    if written.sizes.get("C", 1) != like.count("C"):
        return False
    number = written.pixel_types.get(index, written.pixel_type)
    return number is not None and like.pixel_types.get(index) == _form(number)


def _fitted(channel: ChannelInfo, like: Like, written: ImageSummary) -> ChannelInfo:
    """Leave out the bits of another pixel type, and all if there are other channels."""
    own = next((one for one in like.content.channels if one.index == channel.index), None)
    if own is None or _same_type(channel.index, like, written):
        return channel
    if written.sizes.get("C", 1) == like.count("C"):
        names: Collection[str] = ("component_bit_count",)
    else:
        names = [field.name for field in fields(own) if field.name != "index"]
    nothing: dict[str, Any] = {
        name: None for name in names if getattr(channel, name) == getattr(own, name)
    }
    return replace(channel, **nothing)
