"""Writes the DeepZoom tiles of a slide into a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from czictypes.model.defence import defended
from czictypes.plugins.deepzoom import DeepZoomTiles
from czictypes.plugins.slide import CziSlide
from czictypes.remote.urls import describe_target
from czictypes.writing.atomic import remove_folder
from czictypes.writing.progress import Progress, show_progress

__all__ = ["write_deepzoom"]


@defended(describe_target)
def write_deepzoom(
    source: Any,
    path: Any,
    *,
    tile_size: int = 254,
    overlap: int = 1,
    picture_format: str = "jpeg",
    quality: int = 90,
    progress: Progress = None,
    **slide_options: Any,
) -> Path:
    """Write a slide as DeepZoom: ``NAME.dzi``, and the tiles in the folder ``NAME_files``.

    If it fails or is interrupted, nothing of it stays behind.

    Parameters
    ----------
    source
        A `CziSlide`, or what `CziSlide` opens.
    path
        The path of the ``.dzi``; it is written when all tiles are there.
    tile_size, overlap
        As for `DeepZoomTiles`.
    picture_format, quality
        ``"jpeg"`` or ``"png"``, and the quality of the former (1 to 95).
    progress
        True for a bar, or a function of the tiles done and all tiles.
    **slide_options
        As for `CziSlide`: scene, plane, display_settings, ...

    Returns
    -------
    pathlib.Path
        The path of the ``.dzi``.

    Raises
    ------
    FileExistsError
        If the ``.dzi`` or its folder is there.
    """
    if picture_format not in ("jpeg", "png"):
        raise ValueError(f'picture_format must be "jpeg" or "png", not {picture_format!r}')
    target = Path(path)
    folder = target.with_name(f"{target.stem}_files")
    for there in (target, folder):
        if there.exists():
            raise FileExistsError(f"{there} exists; remove it first, or choose another name")
    options = {"quality": quality} if picture_format == "jpeg" else {}
    slide = source if isinstance(source, CziSlide) else CziSlide(source, **slide_options)
    try:
        slide._image._layout.check_extent()
        tiles = DeepZoomTiles(slide, tile_size, overlap)
        _write_tiles(tiles, folder, picture_format, options, progress)
        target.write_text(tiles.get_dzi(picture_format), encoding="utf-8")
    except BaseException:
        target.unlink(missing_ok=True)
        if folder.exists():
            remove_folder(folder)
        raise
    finally:
        if slide is not source:
            slide.close()
    return target


def _write_tiles(
    tiles: DeepZoomTiles,
    folder: Path,
    picture_format: str,
    options: dict[str, int],
    progress: Progress,
) -> None:
    with show_progress(progress, tiles.tile_count, "DeepZoom") as step:
        for level, (columns, rows) in enumerate(tiles.level_tiles):
            inside = folder / str(level)
            inside.mkdir(parents=True)
            for row in range(rows):
                for column in range(columns):
                    tile = tiles.get_tile(level, (column, row))
                    tile.save(
                        inside / f"{column}_{row}.{picture_format}", picture_format, **options
                    )
                    step(1)
