"""The wells that scenes lie in as OME's ``Plate``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from types import ModuleType
from typing import Any

from czictypes.metadata.ome.image import image_id
from czictypes.metadata.ome.make import make, within
from czictypes.metadata.ome.values import ImageFacts
from czictypes.metadata.scenes import Plate

__all__ = ["plates"]

_MOST = 10_000  # rows or columns; what is beyond is no plate, and takes software by surprise


def plates(model: ModuleType, plate: Plate | None, images: Sequence[ImageFacts]) -> list[Any]:
    """Return the plate, in a list; an empty one where no scene lies in a well with a place."""
    members: dict[tuple[int, int], list[int]] = {}
    for number, facts in enumerate(images):
        place = _place(facts)
        if place is not None:
            members.setdefault(place, []).append(number)
    if not members:
        return []
    samples = _Samples(model, images)
    wells = [
        make(
            model.Well,
            f"well {row}, {column}",
            id=f"Well:0:{number}",
            row=row - 1,
            column=column - 1,
            well_samples=samples.of(number, scenes),
        )
        for number, ((row, column), scenes) in enumerate(sorted(members.items()))
    ]
    return [_plate(model, plate, list(members), wells)]


def _place(facts: ImageFacts) -> tuple[int, int] | None:
    well = None if facts.scene is None else facts.scene.well
    if well is None:
        return None
    row = within(well.row, _MOST, f"scene {facts.name!r}", "the row of the well")
    column = within(well.column, _MOST, f"scene {facts.name!r}", "the column of the well")
    return None if row is None or column is None else (row, column)


def _plate(
    model: ModuleType, plate: Plate | None, places: Sequence[tuple[int, int]], wells: Iterable[Any]
) -> Any:
    rows = None if plate is None else within(plate.rows, _MOST, "the plate", "ShapeRows")
    columns = None if plate is None else within(plate.columns, _MOST, "the plate", "ShapeColumns")
    return make(
        model.Plate,
        "the plate",
        id="Plate:0",
        name=None if plate is None else plate.name,
        rows=rows if rows is None else max(rows, *(row for row, _ in places)),
        columns=columns if columns is None else max(columns, *(column for _, column in places)),
        row_naming_convention=model.NamingConvention.LETTER,
        column_naming_convention=model.NamingConvention.NUMBER,
        wells=list(wells),
    )


class _Samples:
    """Makes well samples; their index counts through the plate, as the schema has it."""

    def __init__(self, model: ModuleType, images: Sequence[ImageFacts]) -> None:
        self._model = model
        self._images = images
        self._count = 0

    def of(self, well: int, numbers: Sequence[int]) -> list[Any]:
        """Return the samples of a well, given the numbers of its images."""
        return [self._sample(well, at, number) for at, number in enumerate(numbers)]

    def _sample(self, well: int, at: int, number: int) -> Any:
        scene, unit = self._images[number].scene, self._model.UnitsLength.MICROMETER
        center = None if scene is None else scene.center
        x, y = center or (None, None)
        self._count += 1
        return make(
            self._model.WellSample,
            f"scene {self._images[number].name!r}",
            id=f"WellSample:0:{well}:{at}",
            index=self._count - 1,
            image_ref=self._model.ImageRef(id=image_id(number)),
            position_x=x,
            position_y=y,
            position_x_unit=None if x is None else unit,
            position_y_unit=None if y is None else unit,
        )
