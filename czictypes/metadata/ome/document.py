"""A document as the root object of OME's data model."""

from __future__ import annotations

from collections.abc import Iterator
from types import ModuleType
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import quoteattr

from czictypes.metadata.ome.image import image, middle_of_band
from czictypes.metadata.ome.instrument import instrument, parts_of
from czictypes.metadata.ome.make import load_model, make
from czictypes.metadata.ome.plates import plates
from czictypes.metadata.ome.rois import rois
from czictypes.metadata.ome.values import DocumentFacts, ImageFacts

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
    dimensions = []
    for number, (one, told) in enumerate(zip(images, facts.images)):
        found = list(_modulo(model, number, told))
        one.roi_refs = references[number]
        one.annotation_refs = [model.AnnotationRef(id=each.id) for each in found]
        dimensions += found
    ome: OME = make(
        model.OME,
        "the document",
        creator="czictypes",
        instruments=[] if scope is None else [scope],
        images=images,
        plates=plates(model, facts.plate, facts.images),
        rois=drawn,
        structured_annotations=dimensions,
    )
    return ome


#: The names that OME's annotation has for the dimensions of a CZI.
_MEANINGS = {
    "H": ("phase", "phases"),
    "V": ("angle", "views"),
    "R": ("angle", "rotations"),
    "I": ("other", "illuminations"),
    "B": ("other", "acquisition blocks"),
}
_NAMESPACE = "openmicroscopy.org/omero/dimension/modulo"


def _modulo(model: ModuleType, number: int, facts: ImageFacts) -> Iterator[Any]:
    """Give the annotations that say which further dimension T and C stand for, if they do."""
    others = [name for name, size in facts.along_t.items() if size > 1]
    if len(others) == 1 and others[0] in _MEANINGS:
        kind, words = _MEANINGS[others[0]]
        last = facts.along_t[others[0]] - 1
        inner = f"Type={quoteattr(kind)} TypeDescription={quoteattr(words)} "
        yield _dimension(model, "T", number, f'{inner}Start="0" End="{last}" Step="1"')
    waves = [middle_of_band(one) for one in facts.channels]
    known = [wave for wave in waves if wave is not None]
    if 2 < facts.sizes.c == len(known) == len(waves) and facts.samples == 1:
        step = (known[-1] - known[0]) / (len(known) - 1)
        even = all(abs(b - a - step) <= 0.05 * abs(step) for a, b in zip(known, known[1:]))
        if step > 0 and even:
            inner = f'Start="{known[0]!r}" End="{known[-1]!r}" Step="{step!r}"'
            yield _dimension(model, "C", number, f'Type="lambda" Unit="nm" {inner}')


def _dimension(model: ModuleType, axis: str, number: int, attributes: str) -> Any:
    schema = "http://www.openmicroscopy.org/Schemas/Additions/2011-09"
    return model.XMLAnnotation(
        id=f"Annotation:Modulo{axis}:{number}",
        namespace=_NAMESPACE,
        value=f'<Modulo namespace="{schema}"><ModuloAlong{axis} {attributes}/></Modulo>',
    )
