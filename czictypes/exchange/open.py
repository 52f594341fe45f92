"""Opens image files of every known format as images with the same interface."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from functools import partial
from importlib.util import find_spec
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, overload

from numpy.typing import NDArray

from czictypes.arrays.image import CziImage as _CziImage
from czictypes.arrays.image import fsspec_options, stitches
from czictypes.arrays.image_base import Image as _Image
from czictypes.arrays.lazy import hand_over
from czictypes.exchange.bioio_source import open_with_bioio
from czictypes.exchange.converted import Choice, choose
from czictypes.exchange.imageio_source import NoPluginError, open_with_imageio
from czictypes.exchange.images import CziImage, FileImage, Image
from czictypes.exchange.lif_source import open_lif
from czictypes.exchange.locations import (
    Format,
    filesystem_of,
    is_local,
    is_store,
    location_name,
    source_format,
    without_secrets,
)
from czictypes.exchange.picture_files import open_picture
from czictypes.exchange.save import image_of, is_described
from czictypes.exchange.source_image import SourceImage
from czictypes.exchange.tiff_files import open_tiff
from czictypes.metadata.document_content import DocumentContent
from czictypes.model.errors import CorruptFileError, MissingExtraError, UnsupportedDataError
from czictypes.model.options import CacheOptions
from czictypes.model.public import defended
from czictypes.reading.damage import OnError, leaves_blank
from czictypes.reading.reader import CziReader, open_document_of
from czictypes.remote.part_files import Parts

if TYPE_CHECKING:
    import dask.array
    import xarray as xr

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
    """Refuse unknown arguments; some are AICSImageIO's, which has other names for them here."""
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
        return FileImage(images, name, close, reopen=reopen, place=place, opened=source)


@contextmanager
def open_sources(
    source: Any,
    given: Format,
    scenes: Choice,
    options: Mapping[str, Any] | None,
    *,
    with_content: bool = True,
) -> Iterator[tuple[Sequence[SourceImage], DocumentContent | None]]:
    """Open images of another format than CZI, with the metadata of a CZI as a whole, if any.

    Without `with_content`, the images carry all metadata themselves.
    """
    with ExitStack() as stack:
        if given is Format.OME_ZARR:
            from czictypes.exchange.ome_zarr.read_zarr import open_ome_zarr

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
    """Open other files: with imageio, within this process, else with bioio."""
    name = location_name(source)
    if is_local(source) and not Path(source).exists():
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), name)
    file = _local(stack, source, options)
    try:
        return stack.enter_context(open_with_imageio(file))
    except (CorruptFileError, UnsupportedDataError, MissingExtraError) as error:
        first = error
    try:
        return stack.enter_context(open_with_bioio(source, options))
    except (UnsupportedDataError, MissingExtraError) as error:
        if isinstance(first, NoPluginError) or find_spec("imageio") is None:
            raise type(error)(f"{error}; {first}") from error
        raise type(first)(f"{first}; {error}") from first


def _local(stack: ExitStack, source: Any, options: Mapping[str, Any] | None) -> Any:
    """Return a file object for a URL, because the packages that read files know paths only."""
    found = filesystem_of(source, options, doing="reading from a URL")
    if found is None:
        return source
    system, path = found
    return stack.enter_context(system.open(path, "rb"))


_CACHE = 256 << 20  # bytes of decoded tiles; neighbouring regions need the same ones


@contextmanager
def borrowed_image(source: Any, options: Mapping[str, Any] | None) -> Iterator[_Image]:
    """Yield a separate image of a source; only what is opened here is closed.

    `source` is as for `open_image`, or its result, or a `CziReader`, or as for `image_of`. An alpha
    that is 0 everywhere is left out. The document of a CZI is entered once.
    """
    with ExitStack() as stack:
        image: _Image
        if isinstance(source, (_CziImage, CziReader)):
            reader = source if isinstance(source, CziReader) else source.reader
            image = _CziImage(reader, empty_alpha="drop")
        elif isinstance(source, FileImage):
            image = source._at(source.current_scene_index)
        elif is_described(source):
            image = image_of(source)
        elif source_format(source) is not Format.CZI:
            image = stack.enter_context(open_image(source, storage_options=options))
        else:
            cache = CacheOptions(max_memory_usage=_CACHE)
            opened = _CziImage(
                source, empty_alpha="drop", storage_options=options, cache_options=cache
            )
            image = stack.enter_context(opened)
        with held(image):
            yield image


def held(image: _Image) -> AbstractContextManager[Any]:
    """Hold the document of an image; this thread compares it with the file once."""
    return open_document_of(image.reader) if isinstance(image, _CziImage) else nullcontext()


@overload
def imread(
    source: Any,
    *,
    scene: int | str | None = ...,
    dask: Literal[False] = ...,
    xarray: Literal[False] = ...,
    level: int = ...,
    storage_options: Mapping[str, Any] | None = ...,
    parts: Parts | None = ...,
    stored_resolution: bool = ...,
    on_error: OnError = ...,
) -> NDArray[Any]: ...


@overload
def imread(
    source: Any,
    *,
    scene: int | str | None = ...,
    dask: Literal[True],
    xarray: Literal[False] = ...,
    level: int = ...,
    storage_options: Mapping[str, Any] | None = ...,
    parts: Parts | None = ...,
    stored_resolution: bool = ...,
    on_error: OnError = ...,
) -> dask.array.Array: ...


@overload
def imread(
    source: Any,
    *,
    scene: int | str | None = ...,
    dask: bool = ...,
    xarray: Literal[True],
    level: int = ...,
    storage_options: Mapping[str, Any] | None = ...,
    parts: Parts | None = ...,
    stored_resolution: bool = ...,
    on_error: OnError = ...,
) -> xr.DataArray: ...


def imread(
    source: Any,
    *,
    scene: int | str | None = None,
    dask: bool = False,
    xarray: bool = False,
    level: int = 0,
    storage_options: Mapping[str, Any] | None = None,
    parts: Parts | None = None,
    stored_resolution: bool = False,
    on_error: OnError = "raise",
) -> Any:
    """Return the pixels of a scene of an image file of any format.

    Parameters
    ----------
    source
        A path, a URL that fsspec knows, a binary file object, a store of zarr, or a `CziReader`.
    scene
        Its index or its name; by default the first.
    dask
        True for a lazy array, which opens the file when it is computed: a dask array, or a
        labelled one backed by it.
    xarray
        True for a labelled array: a `xarray.DataArray` with coordinates in real units.
    level
        The resolution level; 0 is full resolution.
    storage_options
        The options of fsspec for a URL.
    parts
        The other files of a CZI of several files, in any order, or by their numbers.
    stored_resolution
        For a CZI: True to read every stored pixel of tiles that are stored in more pixels than they
        cover, with all others magnified to match.
    on_error
        For a CZI: ``"blank"`` leaves tiles that cannot be read as 0, with a `DamagedTileWarning`.

    Returns
    -------
    numpy.ndarray, dask.array.Array or xarray.DataArray
        In the order of `Image.dims`.

    Raises
    ------
    FileNotFoundError, CorruptFileError, UnsupportedDataError, OutOfBoundsError
        If there is no such file, it is damaged, no reader knows it, or it has no such scene.
    MissingExtraError
        Without dask, xarray or the extra that the format needs.

    Examples
    --------
    >>> pixels = imread("cells.czi", scene=0)  # doctest: +SKIP
    """
    chosen = {"parts": parts, "stored_resolution": stored_resolution}
    options: dict[str, Any] = {name: value for name, value in chosen.items() if value}
    if leaves_blank(on_error):
        options["on_error"] = on_error
    image = open_image(source, scene, storage_options=storage_options, **options)
    try:
        found = image.to_xarray(level, dask) if xarray else _array(image, level, dask)
    except BaseException:
        image.close()
        raise
    if not dask or isinstance(source, CziReader):
        image.close()
    elif isinstance(image, CziImage):
        hand_over(image.reader)
    return found  # a lazy array keeps a file of another format open, as long as it is there


def _array(image: Image, level: int, dask: bool) -> Any:
    return image.to_dask(level) if dask else image.asarray(level)
