"""Edit the XML of a document; what is not edited stays as it is."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from czictypes.metadata.axes import Scaling, ScalingInfoDto
from czictypes.metadata.document import CustomValue, GeneralDocumentInfoDto
from czictypes.metadata.sections import (
    set_attribute,
    set_display_settings,
    set_general_document_info,
    set_scaling,
)
from czictypes.metadata.xml import XmlSource, parse, to_bytes, to_string
from czictypes.model.errors import CorruptFileError
from czictypes.model.options import ChannelDisplaySettingsDataClass

__all__ = ["XmlEditor"]


class XmlEditor:
    """The XML of a document while it is edited, with the methods of pylibCZIrw's builder.

    A setter either does all that it was asked or raises and changes nothing.

    Parameters
    ----------
    source
        The XML; empty for a document that has none.
    """

    def __init__(self, source: XmlSource = b"") -> None:
        self._root = _document(source)

    @property
    def root(self) -> ET.Element:
        """The root element as it is now."""
        return self._root

    def get_xml(self, prettify: bool = False) -> str:
        """Return the XML, on request with each element on a line of its own."""
        return to_string(self._root, indent=prettify)

    def to_bytes(self) -> bytes:
        """Return the XML ready to be stored in a metadata segment."""
        return to_bytes(self._root)

    def set_xml(self, xml_string: XmlSource) -> None:
        """Replace the whole document.

        Raises
        ------
        CorruptFileError
            If the text is no XML, or its root element is not ``ImageDocument``.
        TypeError
            If it is neither text nor bytes.
        """
        self._root = _document(xml_string)

    def set_general_document_info(
        self,
        info: GeneralDocumentInfoDto | None = None,
        *,
        name: str | None = None,
        title: str | None = None,
        user_name: str | None = None,
        description: str | None = None,
        comment: str | None = None,
        keywords: str | None = None,
        rating: float | None = None,
        creation_date_time: str | None = None,
    ) -> None:
        """Set title, comment and so on; what is None stays as it is.

        Parameters
        ----------
        info
            Fields to set.
        name, title, user_name, description, comment, keywords, rating, creation_date_time
            The same one by one; they win over `info`.

        Raises
        ------
        ValueError
            A rating that is no whole number, or text with a character that XML cannot store.
        """
        fields: dict[str, Any] = {
            "name": name,
            "title": title,
            "user_name": user_name,
            "description": description,
            "comment": comment,
            "keywords": keywords,
            "rating": rating,
            "creation_date_time": creation_date_time,
        }
        given = {field: value for field, value in fields.items() if value is not None}
        wanted = replace(info or GeneralDocumentInfoDto(), **given)
        self._apply(set_general_document_info, wanted)

    def set_scaling_info(
        self,
        scaling: ScalingInfoDto | None = None,
        *,
        scale_x: float | None = None,
        scale_y: float | None = None,
        scale_z: float | None = None,
    ) -> None:
        """Set the size of a pixel in metres; what is None (or NaN) stays as it is.

        Raises
        ------
        ValueError
            A size that is not above 0, or infinite.
        """
        base = ScalingInfoDto() if scaling is None else scaling
        if not hasattr(base, "scale_x"):
            raise TypeError(f"scaling is a ScalingInfoDto, not {base!r}")
        wanted = Scaling(
            base.scale_x if scale_x is None else scale_x,
            base.scale_y if scale_y is None else scale_y,
            base.scale_z if scale_z is None else scale_z,
        )
        self._apply(set_scaling, wanted)

    def set_custom_key_value(self, key: str, value: CustomValue) -> None:
        """Add or replace a custom attribute.

        Raises
        ------
        ValueError
            A key that is no XML name, or a value that is none of bool, int (of 32 bits), float
            and str.
        """
        self._apply(set_attribute, key, value)

    def set_display_settings(
        self, display_settings: Mapping[int, ChannelDisplaySettingsDataClass]
    ) -> None:
        """Change how the given channels are shown; the others stay as they are.

        A name or description that is None or empty stays as it is.

        Raises
        ------
        ValueError
            The document has no such channel, or a value cannot be written.
        """
        self._apply(set_display_settings, display_settings)

    def _apply(self, change: Callable[..., None], *arguments: Any) -> None:
        changed = parse(to_string(self._root))  # copy.deepcopy would recurse
        change(changed, *arguments)
        self._root = changed


def _document(source: XmlSource) -> ET.Element:
    root = parse(source)
    if root.tag != "ImageDocument":
        raise CorruptFileError(f"the root element is <{root.tag}>, but a CZI has <ImageDocument>")
    return root
