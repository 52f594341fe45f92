"""The scenes of an image: names that are views as well, and the one that a thread reads."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Any, Generic, TypeVar

from czictypes.arrays.layout import Layout
from czictypes.model.errors import OutOfBoundsError
from czictypes.reading import html
from czictypes.reading.names import find_scene

T = TypeVar("T")
Self = TypeVar("Self", bound="SceneMethods")


#: What xarray takes for an array has this attribute.
_OF_ARRAYS = ("ndim",)


class SceneView(str):
    """The name of a scene, which has the attributes of a view of the scene as well.

    It is a text like any other: ``image.set_scene(scene)``, ``f"{scene}.tiff"``. Every other
    attribute is that of `view`: ``scene.dims``, ``scene.data``, ``scene.read_block({"C": 1})``. In
    brackets, a single index or slice takes letters of the name, anything else pixels:
    ``scene[0, "DAPI"]``. Pickled and copied, only the name is left; ``str(scene)`` is it, too.
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
        """Return an attribute of the view, unless it is private or would make arrays of texts."""
        if name.startswith("_") or name in _OF_ARRAYS:
            raise AttributeError(f"the name of a scene has no attribute {name!r}; view may have it")
        return getattr(self.view, name)

    def __getitem__(self, key: Any) -> Any:
        """Return letters of the name, or pixels where the key cannot be one of a text."""
        return super().__getitem__(key) if is_of_text(key) else self.view[key]

    def __dir__(self) -> list[str]:
        """Return the names of all attributes."""
        of_view = {name for name in dir(type(self._parent)) if name[0] != "_"}
        return sorted({*super().__dir__(), *of_view.difference(_OF_ARRAYS)})

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
        The image or slide that has these scenes.
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


class SceneMethods(ABC):
    """The scenes of an image and their resolution levels: which there are, and which is read."""

    #: Whether only one scene is meant where all scenes of an image would be.
    _is_view = False
    #: What each thread reads by default: the scene, as the class keeps it, and the level.
    _choice: ThreadChoice[tuple[Any, int]]

    @property
    @abstractmethod
    def _layout(self) -> Layout:
        """The layout of the array."""

    @abstractmethod
    def _at(self: Self, scene: int | str) -> Self:
        """Return another image of the open file, of a scene at the same level."""

    @property
    @abstractmethod
    def scenes(self) -> Scenes:
        """The names of the scenes, each one its own; ``"Image:0"`` where the file has none.

        Each name is also a view of the scene, as `scene` gives it.
        """

    @property
    def current_scene(self) -> str:
        """The name of the scene that is read; of a CZI, ``"all"`` where all are."""
        index = self.current_scene_index
        return str(self.scenes[0 if index is None else index])

    @property
    @abstractmethod
    def current_scene_index(self) -> int | None:
        """The index of the scene in `scenes`; of a CZI, None where all are read."""

    def scene(self: Self, scene: int | str) -> Self:
        """Return a view of one scene: an image of its own that shares the open file.

        A view costs no more than a read. What you set of it (`set_scene`,
        `set_resolution_level`) changes neither this image nor another view, so each thread can
        have views of its own.

        Parameters
        ----------
        scene
            Its index in `scenes` or its name; of a CZI also ``"all"``, for all scenes in one plane.

        Returns
        -------
        Image
            Of the same class, at the current resolution level; what takes all scenes of an image by
            default, such as `save`, takes this one. It reads until this image is
            closed; then it is closed too, and its methods raise `ClosedError`. Closing the view
            does not close this image, and a view keeps the file open when you drop this image.

        Raises
        ------
        OutOfBoundsError
            If there is no such scene, or it does not have the current resolution level.

        Examples
        --------
        >>> with open_image("plate.czi") as image:  # doctest: +SKIP
        ...     means = {scene: scene.data.mean() for scene in image.scenes}
        """
        if scene is None:
            find_scene(self.scenes, scene)  # tells how a scene is given
        view = self._at(scene)
        check_level(view._layout, view._level, scene)
        view._is_view = True
        return view

    def _of(self: Self, scene: int | str | None) -> Self:
        """Return the image that a method with ``scene=`` reads: this one if none is named."""
        return self if scene is None else self._at(scene)

    @abstractmethod
    def set_scene(self, scene: int | str) -> None:
        """Choose the scene of this object, as in AICSImageIO, by index or name; the level stays.

        Each thread has the scene that it chose itself, and until then the one that any thread chose
        last. A program with threads is simpler where each call names its scene (``scene="B1"``), or
        reads from a view (`scene`).

        Raises
        ------
        OutOfBoundsError
            If there is no such scene, or it does not have the current resolution level.
        """

    # Resolution levels

    @property
    def resolution_levels(self) -> tuple[int, ...]:
        """The numbers of the resolution levels of the scene, 0 being full resolution."""
        return tuple(range(len(self._layout.grids)))

    @property
    def current_resolution_level(self) -> int:
        """The resolution level that is read by default; 0 at first."""
        return self._level

    @property
    def _level(self) -> int:
        return self._choice.get()[1]

    def set_resolution_level(self, resolution_level: int) -> None:
        """Choose the resolution level that is read by default.

        `dims`, `shape`, `data` and its siblings, `physical_pixel_sizes`, and methods called
        without `level` follow it. As for the scene (`set_scene`), each thread has the level that it
        chose itself, and until then the one that any thread chose last.

        Parameters
        ----------
        resolution_level
            One of `resolution_levels`; negative ones count from the coarsest.

        Raises
        ------
        OutOfBoundsError
            If the scene has no such level.
        """
        level = self._layout.level(resolution_level).index
        self._choice.set((self._choice.get()[0], level))

    def _begun(self: Self, *, level: int) -> Self:
        """Return this image, new, at a level that all threads begin with."""
        self._choice = ThreadChoice((self._choice.get()[0], level))
        return self

    def _chosen(self, level: int | None) -> int:
        return self._level if level is None else level


def viewed_scene(image: Any) -> int | None:
    """Return the index of the scene of a view; None for anything else."""
    is_view = isinstance(image, SceneMethods) and image._is_view
    return image.current_scene_index if is_view else None


def check_level(layout: Layout, level: int, scene: int | str) -> None:
    """Refuse a scene that does not have the current level."""
    count = len(layout.grids)
    if level >= count:
        raise OutOfBoundsError(
            f"scene {scene!r} has no resolution level {level}, its levels go from 0 to "
            f"{count - 1}; choose one of them by set_resolution_level first"
        )
