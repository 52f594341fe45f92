"""The content for a new document, read from the metadata of another one."""

from __future__ import annotations

from dataclasses import replace

from czictypes.metadata.annotations import read_annotations
from czictypes.metadata.attributes import custom_attributes
from czictypes.metadata.axes import axis, skew
from czictypes.metadata.channels import channels
from czictypes.metadata.content import DocumentContent
from czictypes.metadata.display_settings import display_settings
from czictypes.metadata.document import document_info, general_document_info
from czictypes.metadata.fields import NodeSource, root_node
from czictypes.metadata.scaling import scaling
from czictypes.metadata.scenes import plate, scenes

__all__ = ["read_content"]


def read_content(source: NodeSource, channel_start: int = 0) -> DocumentContent:
    """Return the content of a document's metadata, as `build_document` takes it.

    Parameters
    ----------
    source
        The document's XML.
    channel_start
        The C index of the first channel; the XML does not tell it.
    """
    root = root_node(source)
    info = document_info(root)
    return DocumentContent(
        info=general_document_info(root),
        channels=[replace(one, id=None) for one in channels(root, channel_start)],
        scaling=scaling(root),
        custom_attributes=custom_attributes(root) or {},
        display_settings={
            channel_start + position: one for position, one in display_settings(root).items()
        },
        scenes=scenes(root),
        plate=plate(root),
        objective=info.objective,
        microscope=info.microscope,
        microscope_type=info.microscope_type,
        acquisition_date=info.acquisition_date,
        time_axis=axis(root, "T"),
        depth_axis=axis(root, "Z"),
        skew=skew(root),
        application=info.application,
        application_version=info.application_version,
        annotations=read_annotations(root),
    )
