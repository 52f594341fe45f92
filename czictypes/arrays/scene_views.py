"""The scenes of an image: names that are views as well, and the one that a thread has chosen."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import Any, Generic, TypeVar

from czictypes.reading import html

T = TypeVar("T")


class SceneView(str):
    """The name of a scene, which has the attributes of a view of the scene as well.

    It is a text like any other: ``image.set_scene(scene)``, ``f"{scene}.tiff"``. Every other
    attribute is that of `view`: ``scene.dims``, ``scene.data``, ``scene.read_block({"C": 1})``. In
    brackets, a single index or slice takes letters of the name, anything else pixels:
    ``scene[0, "DAPI"]``. Pickled and copied, only the name is left.
    """

    __slots__ = ("_parent", "_view")
    _parent: Any
    _view: Any

    def __new__(cls, name: str, parent: Any) -> SceneView:
        """Make a name of the image or the slide that has the scene."""
        made = super().__new__(cls, name)
        made._parent, made._view = parent, None
        return made

    @property
    def view(self) -> Any:
        """The view, as ``image.scene(name)`` gives it; made when it is first asked for."""
        if self._view is None:
            self._view = self._parent.scene(str(self))
        return self._view

    def __getattr__(self, name: str) -> Any:
        """Return an attribute of the view; private ones are none of its own."""
        if name.startswith("_"):
            raise AttributeError(f"the name of a scene has no attribute {name!r}")
        return getattr(self.view, name)

    def __getitem__(self, key: Any) -> Any:
        """Return letters of the name, or pixels where the key cannot be one of a text."""
        return super().__getitem__(key) if is_of_text(key) else self.view[key]

    def __dir__(self) -> list[str]:
        """Return the names of all attributes."""
        return sorted({*super().__dir__(), *(name for name in dir(self.view) if name[0] != "_")})

    def __reduce__(self) -> tuple[type[str], tuple[str]]:
        """Pickle as the name."""
        return str, (str(self),)


def is_of_text(key: Any) -> bool:
    """Return whether a key in brackets is one of a text: an index or a slice."""
    return isinstance(key, slice) or hasattr(key, "__index__")


class Scenes(tuple[SceneView, ...]):
    """The names of the scenes of an image, each one its own, and each also a view of the scene.

    Notebooks show them with their wells.

    Parameters
    ----------
    names
        The names.
    parent
        What has these scenes: an image or a slide.
    wells
        The name of the well of each scene, None for one without.
    """

    wells: tuple[str | None, ...]

    def __new__(cls, names: Iterable[str], parent: Any, wells: Iterable[str | None] = ()) -> Scenes:
        """Make a tuple of the names."""
        made = super().__new__(cls, [SceneView(name, parent) for name in names])
        made.wells = tuple(wells) or (None,) * len(made)
        return made

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle as the names."""
        return tuple, (list(self),)

    def _repr_html_(self) -> str:
        """Return the names with their wells, for notebooks."""
        facts = {"Names": lambda: html.scene_list(self, self.wells)}
        return html.page(self, lambda: html.card("Scenes", f"{len(self):,}", facts))


class ThreadChoice(Generic[T]):
    """A value that a thread sets for itself, and for those that set none of their own."""

    def __init__(self, value: T) -> None:
        self._last, self._own, self._is_set = value, threading.local(), False

    def get(self) -> T:
        """Return what this thread has set, else what was set last."""
        return getattr(self._own, "value", self._last) if self._is_set else self._last

    def set(self, value: T) -> None:
        """Set the value of this thread."""
        self._own.value = self._last = value
        self._is_set = True
