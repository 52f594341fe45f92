"""Opens image files of every format that is known, as images that have the same face."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import partial
from importlib.util import find_spec
from inspect import signature
from pathlib import Path
from typing import Any

from czictypes.arrays.open_image import fsspec_options, stitches
from czictypes.exchange.bioio_source import open_with_bioio
from czictypes.exchange.choice import Choice, choose
from czictypes.exchange.file_image import FileImage
from czictypes.exchange.formats import Format, is_local, is_store, location_name, source_format
from czictypes.exchange.image import CziImage, Image
from czictypes.exchange.imageio_source import NoPluginError, open_with_imageio
from czictypes.exchange.lif_source import open_lif
from czictypes.exchange.picture_source import open_picture
from czictypes.exchange.remote_file import filesystem_of, without_secrets
from czictypes.exchange.source_image import SourceImage
from czictypes.exchange.tiff_source import open_tiff
from czictypes.metadata.document_content import DocumentContent
from czictypes.model.defence import defended
from czictypes.model.errors import CorruptFileError, MissingExtraError, UnsupportedDataError
from czictypes.reading.reader import CziReader

__all__ = ["open_image", "open_sources"]

#: The arguments of AICSImageIO's readers that say how lazy arrays are cut.
_CHUNKS_THERE = ("chunk_dims", "dask_tiles", "tile_size")


@without_secrets
@defended(location_name)
def open_image(
    source: Any,
    scene: int | str | None = None,
    *,
    mosaic: bool = True,
    reader: type[Any] | None = None,
    storage_options: Mapping[str, Any] | None = None,
    reconstruct_mosaic: bool | None = None,
    fs_kwargs: Mapping[str, Any] | None = None,
    **options: Any,
) -> Image:
    """Open an image file of any format: CZI, OME-Zarr, OME-TIFF, TIFF, LIF, PNG, MP4...

    The ending of the name tells the format; of a file object, its first bytes. TIFFs of ImageJ and
    of slide scanners are known. What has no reader here goes to the plug-in of imageio for its
    ending (videos, FITS, DICOM, SPE, NRRD...), and else to the reader of bioio, as far as they are
    installed. No plug-in of imageio is asked that starts a program or downloads something.

    Parameters
    ----------
    source
        A path, a URL that fsspec knows, a binary file object (CZI, TIFF, PNG, JPEG, GIF...), a
        store of zarr; or a `CziReader`, which you close yourself.
    scene
        Its index or its name; by default the first.
    mosaic
        False for the single tiles of a mosaic, as for `CziImage`. Other files have no tiles to
        tell apart, and are read as they are.
    reader
        A reader class of bioio, such as ``bioio_tifffile.Reader``, that reads the file instead.
    storage_options
        The options of fsspec for a URL.
    reconstruct_mosaic, fs_kwargs
        AICSImageIO's names of `mosaic` and `storage_options`.
    **options
        For a CZI, more arguments of `CziImage`.

    Returns
    -------
    Image
        A `CziImage` for a CZI. Close it, or use it in a ``with`` block.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    UnsupportedDataError
        If no reader knows it.
    CorruptFileError
        If it is damaged.
    OutOfBoundsError
        If there is no such scene.
    MissingExtraError
        Without the extra that the format needs.

    Examples
    --------
    >>> with open_image("cells.ome.tiff") as image:  # doctest: +SKIP
    ...     plane = image.get_image_data("YX", T=0, C=1, Z=3)
    """
    mosaic = stitches(mosaic, reconstruct_mosaic)
    storage_options = fsspec_options(storage_options, fs_kwargs)
    given = Format.CZI if isinstance(source, CziReader) else source_format(source)
    if options:
        _check(options)
    if given is Format.CZI and reader is None:
        return CziImage(source, scene, mosaic=mosaic, storage_options=storage_options, **options)
    if options:
        name, file = next(iter(options)), location_name(source)
        known = ", which a reader of bioio reads" if reader else ""
        raise TypeError(f"{name}= is for CZI files alone, not for {file}{known}")
    image = _file_image(source, given, storage_options, reader)
    if scene is not None:
        try:
            image.set_scene(scene)
        except BaseException:
            image.close()
            raise
    return image


def _check(options: Mapping[str, Any]) -> None:
    """Refuse arguments that nothing here has; some are AICSImageIO's and have another name."""
    for name in options.keys() - signature(CziImage).parameters.keys():
        hint = "; its chunks are those of to_dask(chunks=)" if name in _CHUNKS_THERE else ""
        raise TypeError(f"open_image has no argument {name}{hint}")


def _file_image(
    source: Any,
    given: Format,
    options: Mapping[str, Any] | None,
    reader: type[Any] | None = None,
) -> FileImage:
    with ExitStack() as stack:
        if reader is None:
            opened = open_sources(source, given, "all", options, with_content=False)
            images, _ = stack.enter_context(opened)
        else:
            images = stack.enter_context(open_with_bioio(source, options, reader))
        is_path = not hasattr(source, "read") and not is_store(source)
        reopen = partial(_file_image, source, given, options, reader) if is_path else None
        place = (source, options) if is_path and reader is None else None
        name, close = location_name(source), stack.pop_all().close
        return FileImage(images, name, close, reopen=reopen, place=place)


@contextmanager
def open_sources(
    source: Any,
    given: Format,
    scenes: Choice,
    options: Mapping[str, Any] | None,
    *,
    with_content: bool = True,
) -> Iterator[tuple[Sequence[SourceImage], DocumentContent | None]]:
    """Open images of another format than CZI, with what the file knows of a CZI as a whole.

    Parameters
    ----------
    source, given
        The file and its format.
    scenes
        ``"all"``, or the names or numbers of those that are wanted.
    options
        The options of fsspec for a URL.
    with_content
        Whether what is known of a CZI as a whole is left out of the images.
    """
    with ExitStack() as stack:
        if given is Format.OME_ZARR:
            from czictypes.exchange.ome_zarr.read import open_ome_zarr

            opened = open_ome_zarr(source, scenes, options, with_content=with_content)
            yield stack.enter_context(opened)
            return
        opener = _OPENERS.get(given)
        if opener is None:
            images = _open_other(stack, source, options)
        elif given is Format.LIF and find_spec("liffile") is None:
            images = stack.enter_context(open_with_bioio(source, options))
        else:
            images = stack.enter_context(opener(_local(stack, source, options)))
        names = [image.name or str(number) for number, image in enumerate(images)]
        yield [images[at] for at in choose(names, scenes, "image")], None


_OPENERS: dict[Format, Callable[[Any], AbstractContextManager[Sequence[SourceImage]]]] = {
    Format.OME_TIFF: open_tiff,
    Format.TIFF: open_tiff,
    Format.LIF: open_lif,
    Format.PICTURE: open_picture,
}


def _open_other(
    stack: ExitStack, source: Any, options: Mapping[str, Any] | None
) -> Sequence[SourceImage]:
    """Open what has no reader here: with imageio, within this process, else with bioio."""
    name = location_name(source)
    if is_local(source) and not Path(source).exists():
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), name)
    try:
        return stack.enter_context(open_with_imageio(_local(stack, source, options)))
    except (CorruptFileError, UnsupportedDataError, MissingExtraError) as error:
        first = error
    try:
        return stack.enter_context(open_with_bioio(source, options))
    except (UnsupportedDataError, MissingExtraError) as error:
        if isinstance(first, NoPluginError) or find_spec("imageio") is None:
            raise type(error)(f"{error}; {first}") from error
        raise type(first)(f"{first}; {error}") from first


def _local(stack: ExitStack, source: Any, options: Mapping[str, Any] | None) -> Any:
    """Return a file object for a URL, which the packages that read files know nothing of."""
    found = filesystem_of(source, options, doing="reading from a URL")
    if found is None:
        return source
    system, path = found
    return stack.enter_context(system.open(path, "rb"))
