"""Document and sub-block XML for test files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

__all__ = ["document_xml", "subblock_xml"]


def document_xml(
    *,
    channels: Sequence[str] = (),
    scaling: Mapping[str, float] | None = None,
    display: Sequence[str] = (),
    attributes: str = "",
    document: str = "",
    image: str = "",
    more: str = "",
) -> bytes:
    """Return ``ImageDocument`` XML.

    Parameters
    ----------
    channels
        The names of the channels.
    scaling
        Metres per pixel by axis (``"X"``, ``"Y"``, ``"Z"``).
    display
        The content of each channel's ``DisplaySetting`` element.
    attributes, document, image, more
        XML inside ``CustomAttributes/KeyValue``, ``Information/Document``, ``Information/Image``,
        and ``Metadata``.
    """
    information = _inside("Image", image + _channels(channels))
    information += _inside("Document", document)
    information += _inside("CustomAttributes", _inside("KeyValue", attributes))
    content = f"<Information>{information}</Information>" + _scaling(scaling or {})
    content += _display(display) + more
    return f"<ImageDocument><Metadata>{content}</Metadata></ImageDocument>".encode()


def subblock_xml(tags: Mapping[str, str]) -> bytes:
    """Return a sub-block's XML with these tags."""
    inside = "".join(f"<{name}>{value}</{name}>" for name, value in tags.items())
    return f"<METADATA><Tags>{inside}</Tags></METADATA>".encode()


def _inside(name: str, content: str) -> str:
    return f"<{name}>{content}</{name}>" if content else ""


def _channels(names: Sequence[str]) -> str:
    channels = "".join(
        f'<Channel Id="Channel:{index}" Name="{name}"></Channel>'
        for index, name in enumerate(names)
    )
    return _inside("Dimensions", _inside("Channels", channels))


def _scaling(scaling: Mapping[str, float]) -> str:
    items = "".join(
        f'<Distance Id="{axis}"><Value>{value!r}</Value></Distance>'
        for axis, value in scaling.items()
    )
    return _inside("Scaling", _inside("Items", items))


def _display(channels: Sequence[str]) -> str:
    inside = "".join(
        f'<Channel Id="Channel:{index}">{content}</Channel>'
        for index, content in enumerate(channels)
    )
    return _inside("DisplaySetting", _inside("Channels", inside))
