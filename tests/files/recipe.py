"""Named test files: how a recipe is registered, and what comes out of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable

from numpy.typing import NDArray

from czictypes.model.geometry import Rectangle
from files.block import Block
from files.builder import AttachmentSpec, write_czi
from files.painted import box_of, paint

__all__ = ["RECIPES", "Contents", "Made", "Recipe", "build", "recipe"]

_Maker = Callable[[], "Contents"]


@dataclass(frozen=True)
class Contents:
    """What a recipe puts into its file; libCZI orders the directory of sub-blocks by itself."""

    blocks: Sequence[Block]
    metadata: bytes = b""
    attachments: Sequence[AttachmentSpec] = ()


@dataclass(frozen=True)
class Made:
    """A written test file, and everything that is known of it."""

    name: str
    path: Path
    contents: Contents

    @property
    def blocks(self) -> Sequence[Block]:
        """The sub-blocks in the order in which they were written."""
        return self.contents.blocks

    @property
    def converts(self) -> bool:
        """Whether a channel has tiles of several pixel types, so that reading it converts some."""
        types = {(block.plane.get("C"), block.pixel_type) for block in self.blocks}
        return len(types) > len({channel for channel, _ in types})

    @property
    def planes(self) -> list[dict[str, int]]:
        """The planes there are tiles in, each without its scene."""
        found = {tuple(sorted(_without_scene(block).items())) for block in self.blocks}
        return [dict(plane) for plane in sorted(found)]

    @property
    def scenes(self) -> list[int]:
        """The scenes there are tiles in."""
        return sorted({block.plane["S"] for block in self.blocks if "S" in block.plane})

    @property
    def box(self) -> Rectangle:
        """The rectangle around all tiles."""
        return box_of(self.blocks)

    def plane(
        self,
        plane: Mapping[str, int] | None = None,
        *,
        roi: Rectangle | tuple[int, int, int, int] | None = None,
        scene: int | None = None,
        background: Any = 0,
        masks: bool = False,
    ) -> NDArray[Any]:
        """Return what a reader must give at zoom 1 in the channel's own pixel type."""
        assert not self.converts, f"what reading {self.name} gives is not known beforehand"
        return paint(
            self.blocks,
            self.box if roi is None else Rectangle(*roi),
            self._selecting(plane or {}),
            scene=scene,
            background=background,
            masks=masks,
        )

    def _selecting(self, plane: Mapping[str, int]) -> dict[str, int]:
        """Leave out the dimensions that have one value: tiles need not have them."""
        values = {name: {block.plane.get(name) for block in self.blocks} - {None} for name in plane}
        return {name: at for name, at in plane.items() if len(values[name]) > 1}


@dataclass(frozen=True)
class Recipe:
    """How to make a file; `no_peer` says why other readers cannot be its oracle, if they cannot."""

    make: Callable[[], Contents]
    no_peer: str


#: Every recipe by its name.
RECIPES: dict[str, Recipe] = {}


def recipe(no_peer: str = "") -> Callable[[_Maker], _Maker]:
    """Register a function as the recipe of its name."""

    def register(make: _Maker) -> _Maker:
        assert make.__name__ not in RECIPES, make.__name__
        RECIPES[make.__name__] = Recipe(make, no_peer)
        return make

    return register


def build(name: str, folder: Path) -> Made:
    """Write the file of a recipe into a folder."""
    contents = RECIPES[name].make()
    path = write_czi(
        folder / f"{name}.czi",
        contents.blocks,
        metadata=contents.metadata,
        attachments=contents.attachments,
    )
    return Made(name, path, contents)


def _without_scene(block: Block) -> dict[str, int]:
    return {name: at for name, at in block.plane.items() if name != "S"}
