"""The arguments of `write_metadata` to what the XML builder takes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

from czictypes.metadata.axes import Scaling
from czictypes.metadata.builder import check_content
from czictypes.metadata.channels import ChannelInfo
from czictypes.metadata.content import DocumentContent
from czictypes.metadata.document import CustomValue
from czictypes.model.display import ChannelDisplaySettingsDataClass

__all__ = ["DEFAULT_TITLE", "make_content"]

#: The title that pylibCZIrw gives to a document without one.
DEFAULT_TITLE = "CZI"


def make_content(
    content: DocumentContent | None,
    document_name: str | None,
    channel_names: Mapping[int, str] | None = None,
    scales: tuple[float | None, float | None, float | None] = (None, None, None),
    custom_attributes: Mapping[str, CustomValue] | None = None,
    display_settings: Mapping[int, ChannelDisplaySettingsDataClass] | None = None,
) -> DocumentContent:
    """Return `content` with what else is given put into it, checked.

    Raises
    ------
    ValueError
        For a value that cannot be written; the message names it.
    """
    base = content or DocumentContent()
    keep_title = base.info.title is not None and document_name in (None, DEFAULT_TITLE)
    title = base.info.title if keep_title else document_name
    made = replace(
        base,
        info=replace(base.info, title=title),
        channels=_named(base, channel_names or {}),
        scaling=Scaling(*(_scale(new, old) for new, old in zip(scales, base.scaling))),
        custom_attributes={**base.custom_attributes, **(custom_attributes or {})},
        display_settings=display_settings or base.display_settings,
        application=base.application or "czictypes",
        application_version=base.application_version or _version(),
    )
    check_content(made)
    return made


def _named(base: DocumentContent, names: Mapping[int, str]) -> list[ChannelInfo]:
    channels = {channel.index: channel for channel in base.channels}
    for index, name in names.items():
        if not isinstance(name, str):
            raise ValueError(f"the name of channel {index} is {name!r}, which is no text")
        channels[index] = replace(channels.get(index, ChannelInfo(index)), name=name)
    return list(channels.values())


def _scale(given: float | None, before: float | None) -> float | None:
    """Return a size in metres; as in pylibCZIrw, 0 stands for unknown."""
    if given is None or given == 0 or math.isnan(given):
        return before
    return float(given)


def _version() -> str:
    from czictypes import __version__

    return __version__
