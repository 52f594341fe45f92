"""The open parts of an image: its document, and the scene that is read from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from czictypes.arrays.alpha import EMPTY_ALPHA, EmptyAlpha
from czictypes.arrays.image_base import Image
from czictypes.arrays.layout import Layout
from czictypes.arrays.scene_names import find_scene, scene_names
from czictypes.arrays.view import ArrayView
from czictypes.model.options import CacheOptions, ReaderOptions
from czictypes.reading.damage import OnError, leaves_blank
from czictypes.reading.plane_reads import open_document_of
from czictypes.reading.reader import CziReader, Source
from czictypes.remote.part_files import Parts

__all__ = ["ALL_SCENES", "OpenImage", "fsspec_options", "stitches"]

#: Names the image of all scenes in one plane.
ALL_SCENES = "all"


class OpenImage(Image):
    """An open document and its current scene; the parameters are those of `CziImage`."""

    def __init__(
        self,
        source: Source | CziReader,
        scene: int | str | None = None,
        *,
        mosaic: bool = True,
        empty_alpha: EmptyAlpha = "keep",
        storage_options: Mapping[str, Any] | None = None,
        cache_options: CacheOptions | None = None,
        reader_options: ReaderOptions | None = None,
        threads: int | None = None,
        parts: Parts | None = None,
        stored_resolution: bool = False,
        on_error: OnError = "raise",
        reconstruct_mosaic: bool | None = None,
        fs_kwargs: Mapping[str, Any] | None = None,
    ) -> None:
        mosaic = stitches(mosaic, reconstruct_mosaic)
        storage_options = fsspec_options(storage_options, fs_kwargs)
        if empty_alpha not in EMPTY_ALPHA:
            known = ", ".join(map(repr, EMPTY_ALPHA))
            raise ValueError(f"empty_alpha must be one of {known}, not {empty_alpha!r}")
        chosen: dict[str, Any] = {"stored_resolution": True} if stored_resolution else {}
        if leaves_blank(on_error):
            chosen["on_error"] = on_error
        if chosen and isinstance(source, CziReader):
            name, value = next(iter(chosen.items()))
            raise ValueError(
                f"{name} must be chosen when the file is opened: give a path, or open the "
                f"CziReader with ReaderOptions({name}={value!r})"
            )
        if chosen:
            reader_options = replace(reader_options or ReaderOptions(), **chosen)
        self._owns = not isinstance(source, CziReader)
        if isinstance(source, CziReader):
            self._reader = source
        else:
            self._reader = CziReader(
                source,
                cache_options=cache_options,
                reader_options=reader_options,
                threads=threads,
                storage_options=storage_options,
                parts=parts,
            )
        self._is_all = False
        self._view = ArrayView(None, mosaic, empty_alpha)
        try:
            self.set_scene(0 if scene is None else scene)
        except BaseException:
            self.close()
            raise

    @property
    def reader(self) -> CziReader:
        """The open document."""
        return self._reader

    @property
    def closed(self) -> bool:
        """Whether the document was closed."""
        return self._reader.closed

    def close(self) -> None:
        """Close the document, unless it is the caller's own `CziReader`."""
        if self._owns:
            self._reader.close()

    @property
    def _origin_name(self) -> str:
        return repr(self._reader)

    @property
    def _layout(self) -> Layout:
        with open_document_of(self._reader) as document:
            return self._view.layout(document)

    # Scenes

    @property
    def scenes(self) -> tuple[str, ...]:
        """The names of the scenes, each one its own; ``"Image:0"`` where the file has none."""
        return scene_names(self._reader)

    @property
    def current_scene(self) -> str:
        """The name of the scene that is read; ``"all"`` where all are."""
        index = self.current_scene_index
        return ALL_SCENES if index is None else self.scenes[index]

    @property
    def current_scene_index(self) -> int | None:
        """The position of the scene in `scenes`; None where all are read."""
        if self._is_all:
            return None
        numbers = list(self._reader.scenes_bounding_rectangle)
        return 0 if self._view.scene is None else numbers.index(self._view.scene)

    @property
    def scene_index(self) -> int | None:
        """The number of the scene in the file; None where it has none, or all are read."""
        return self._view.scene

    def set_scene(self, scene: int | str) -> None:
        """Choose the scene by its index in `scenes` or its name; ``"all"`` for all at once.

        The resolution level stays what it is.

        Raises
        ------
        OutOfBoundsError
            If there is no such scene, or it does not have the current resolution level.
        """
        numbers = list(self._reader.scenes_bounding_rectangle)
        is_all = isinstance(scene, str) and scene == ALL_SCENES and ALL_SCENES not in self.scenes
        if is_all and numbers and not self._view.mosaic:
            raise ValueError("tiles (mosaic=False) belong to one scene; choose one")
        index = 0 if is_all else self._position(scene, max(len(numbers), 1))
        number = numbers[index] if numbers and not is_all else None
        view = replace(self._view, scene=number)
        if self._level:
            with open_document_of(self._reader) as document:
                self._check_level(view.layout(document), scene)
        self._view, self._is_all = view, is_all

    def _position(self, scene: int | str, count: int) -> int:
        """Return the position of a scene; its name is looked for only where one is given."""
        if not isinstance(scene, str) and -count <= scene < count:
            return int(scene) % count
        return find_scene(self.scenes, scene)


def stitches(mosaic: bool, reconstruct_mosaic: bool | None) -> bool:
    """Return whether mosaics are stitched, by either of the two names that this has."""
    if reconstruct_mosaic and not mosaic:
        raise ValueError("reconstruct_mosaic is another name of mosaic; give one of them")
    return mosaic if reconstruct_mosaic is None else reconstruct_mosaic


def fsspec_options(
    storage_options: Mapping[str, Any] | None, fs_kwargs: Mapping[str, Any] | None
) -> Mapping[str, Any] | None:
    """Return the options of fsspec, by either of the two names that they have."""
    if storage_options is not None and fs_kwargs is not None:
        raise ValueError("fs_kwargs is another name of storage_options; give one of them")
    return storage_options if fs_kwargs is None else fs_kwargs
