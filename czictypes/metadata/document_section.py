"""Write the general description of a document: ``Information/Document``."""

from __future__ import annotations

import xml.etree.ElementTree as ET

from czictypes.metadata.document import GeneralDocumentInfoDto
from czictypes.metadata.elements import ensure, put_all

__all__ = ["set_general_document_info"]


def set_general_document_info(root: ET.Element, info: GeneralDocumentInfoDto) -> None:
    """Set the fields that are given; the others stay as they are.

    Raises
    ------
    ValueError
        A rating that is no whole number, or text with a character that XML cannot store.
    """
    rating = info.rating
    if rating is not None and not float(rating).is_integer():
        raise ValueError(f"the rating is {rating}, but it must be a whole number")
    if any(value is not None for value in vars(info).values()):
        put_all(
            ensure(root, "Metadata/Information/Document"),
            {
                "Name": info.name,
                "Title": info.title,
                "UserName": info.user_name,
                "Description": info.description,
                "Comment": info.comment,
                "Keywords": info.keywords,
                "CreationDate": info.creation_date_time,
                "Rating": None if rating is None else int(rating),
            },
        )
