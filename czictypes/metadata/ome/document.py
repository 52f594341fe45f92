"""A document as the root object of OME's data model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from czictypes.metadata.ome.image import image
from czictypes.metadata.ome.instrument import instrument, parts_of
from czictypes.metadata.ome.make import load_model, make
from czictypes.metadata.ome.plates import plates
from czictypes.metadata.ome.rois import rois
from czictypes.metadata.ome.values import DocumentFacts

if TYPE_CHECKING:
    from ome_types import OME

__all__ = ["build_ome"]


def build_ome(facts: DocumentFacts) -> OME:
    """Return the OME metadata of a document, with ``MetadataOnly`` in place of pixels.

    Raises
    ------
    MissingExtraError
        If ome-types is not installed.
    """
    model = load_model()
    parts = parts_of([channel for one in facts.images for channel in one.channels])
    scope = instrument(model, facts.info, parts)
    drawn, references = rois(model, facts.images)
    images = [
        image(model, number, one, facts.info, parts, scope is not None)
        for number, one in enumerate(facts.images)
    ]
    for one, referred in zip(images, references):
        one.roi_refs = referred
    ome: OME = make(
        model.OME,
        "the document",
        creator="czictypes",
        instruments=[] if scope is None else [scope],
        images=images,
        plates=plates(model, facts.plate, facts.images),
        rois=drawn,
    )
    return ome
