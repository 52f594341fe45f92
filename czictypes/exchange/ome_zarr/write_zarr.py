"""write_ome_zarr: a CZI to an OME-Zarr, out of core and in parallel."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from czictypes.arrays.image_base import Image
from czictypes.container.workers import aside
from czictypes.exchange.converted import Choice, choose, scenes_of
from czictypes.exchange.images import FileImage
from czictypes.exchange.locations import PathOrUrl, location_name, without_secrets
from czictypes.exchange.ome_zarr.group_attributes import (
    StoreLayout,
    automatic_limits,
    image_attributes,
    lay_out,
    omero,
    sidecar_attributes,
    write_sidecar,
)
from czictypes.exchange.ome_zarr.image_plan import (
    AXES,
    Chunking,
    ChunkSizes,
    ImagePlan,
    LevelPlan,
    make_chunking,
    plan_image,
)
from czictypes.exchange.ome_zarr.journal import FoundStore, Journal, check_store, remove_leftovers
from czictypes.exchange.ome_zarr.store import ZarrStore
from czictypes.exchange.ome_zarr.tasks import (
    Job,
    LevelSweep,
    Runner,
    choose_runner,
    knows_array,
    plan_sweeps,
    uses_tensorstore,
)
from czictypes.exchange.open import borrowed_image
from czictypes.model.errors import IncompleteOutputError
from czictypes.model.geometry import whole_number
from czictypes.model.lazy import require
from czictypes.model.public import Progress, defended, renamed, show_progress

Groups = Mapping[str, Mapping[str, Any]]

_VERSIONS = ("0.5", "0.4", "0.6", "0.9.dev1")
_UNFINISHED = "It is marked as unfinished; "


@dataclass(frozen=True)
class OmeZarrPlan:
    """The plan, or the result, of `write_ome_zarr`.

    Parameters
    ----------
    version
        Of OME-Zarr.
    images
        The images with their levels.
    layout
        The groups around the images.
    """

    version: str
    images: tuple[ImagePlan, ...]
    layout: StoreLayout

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype that holds the pixels of all images; each has its own in `ImagePlan.dtype`."""
        return np.result_type(*(image.dtype for image in self.images))

    @property
    def nbytes(self) -> int:
        """The size of all pixels before they are compressed, in bytes."""
        return sum(
            math.prod(level.shape) * image.dtype.itemsize
            for image in self.images
            for level in image.levels
        )


@renamed(workers="threads", compressor="compression")
@without_secrets
@defended(location_name)
def write_ome_zarr(
    source: Any,
    dest: PathOrUrl,
    *,
    scenes: Choice = "all",
    version: str = "0.5",
    chunks: ChunkSizes = None,
    shards: ChunkSizes = None,
    chunks_per_shard: ChunkSizes = None,
    compression: Any = None,
    levels: int | None = None,
    plate: bool | None = None,
    progress: Progress = None,
    overwrite: bool = False,
    resume: bool = False,
    scheduler: Any = None,
    threads: int | None = None,
    storage_options: Mapping[str, Any] | None = None,
    source_options: Mapping[str, Any] | None = None,
    tensorstore: bool | None = None,
    use_tensorstore: bool | None = None,
    validate: bool = False,
    dry_run: bool = False,
) -> OmeZarrPlan:
    """Write an image as OME-Zarr, out of core and in parallel.

    The pixels are the same, bit for bit. One scene becomes an image, several become a series of
    images (bioformats2raw.layout), and scenes that lie in wells a plate. Each image has the axes
    t, c, z, y and x; red, green and blue become three channels, and there is an image for each
    place along V, H, I, R and B. Levels of the file are taken over, coarser ones computed.

    Parameters
    ----------
    source
        As for `open_image`, or what it gives, or a `CziReader`, which stay open; an array, as for
        `save`; or an image or multiscales of ngff-zarr.
    dest
        A path, a URL that fsspec knows, a UPath, a store of zarr, or a dict. A name that ends in
        ``.ozx`` or ``.zip`` makes a ZIP archive, which is there when it is complete. A store that
        is not open yet is opened, and closed at the end; one that is open stays the caller's.
    scenes
        ``"all"``, an index or a name, or several of them. Of a view of one scene, ``"all"`` is this
        scene.
    version
        ``"0.5"`` or ``"0.6"`` (Zarr format 3), or ``"0.4"`` (Zarr format 2); ``"0.9.dev1"`` is a
        draft, as the installed ngff-zarr has it.
    chunks, shards
        A length for y and x, a mapping of axes to lengths, or five lengths (t, c, z, y, x); by
        default chunks of 1024 x 1024 pixels, and no shards.
    chunks_per_shard
        In place of `shards`, how many chunks a shard has: one number for all axes, one for each of
        the last axes, or by axis.
    compression
        ``"lz4"`` (in Blosc; the default), ``"zstd"``, ``"blosc"`` (with zstd), ``"gzip"`` or
        ``"none"``, with a level if you like (``"zstd:5"``), or a codec of zarr (0.5) or numcodecs
        (0.4).
    levels
        The number of levels of each image; by default those of the file, and coarser ones until
        one fits into a chunk.
    plate
        True to insist on a plate, False to have a series in its place.
    progress
        True for a bar, or ``progress(done, total)``, called with numbers of regions.
    overwrite
        Whether an existing store is replaced. It is removed first if the source is a CZI; all else
        may be read from that store, so the new one is written beside it and takes its place.
    resume
        Whether to finish a store that an interrupted call with the same arguments has begun;
        not for archives, in which nothing can be changed.
    scheduler
        ``"threads"``, ``"synchronous"``, ``"distributed"`` or a client of dask.distributed; by
        default the active client if there is one, else threads. Threads write archives and stores
        in memory.
    threads
        The number of threads; by default CZICTYPES_THREADS, or the CPUs this process may use.
    storage_options, source_options
        The options of fsspec for the URL of `dest`, and for that of `source`.
    tensorstore
        Whether tensorstore writes the chunks, which takes less time than zarr; by default where it
        is installed and `dest` is a folder. `use_tensorstore` is ngff-zarr's name of it.
    validate
        Whether ngff-zarr is to check the metadata of the images, and of the plate, that were
        written.
    dry_run
        Write nothing; refuse what would be refused.

    Returns
    -------
    OmeZarrPlan
        The written images, or the plan.

    Raises
    ------
    FileExistsError
        If something is at `dest`, and neither `overwrite` nor `resume` is set.
    ValueError
        For an argument that is none of the above.
    OutOfBoundsError
        If a scene does not exist.
    IncompleteOutputError
        If reading or writing failed on the way. The store is marked as unfinished, and the same
        call with ``resume=True`` continues it. A `ZipStore` has no group then, so no reader takes
        it for an image; ``overwrite=True`` writes it again.
    MissingExtraError
        If the extra ``ome-zarr`` is not installed.

    Examples
    --------
    >>> write_ome_zarr("slide.czi", "slide.ome.zarr")  # doctest: +SKIP
    """
    if version not in _VERSIONS:
        known = ", ".join(map(repr, _VERSIONS))
        text = "" if isinstance(version, str) else ", which is no text"
        raise ValueError(f"version is one of {known}, not {version!r}{text}")
    require("zarr.abc.store", extra="ome-zarr", doing="writing OME-Zarr")  # which zarr 2 has not
    chunking = make_chunking(chunks, shards, version, chunks_per_shard)
    codec = _make_compressor(compression, version)
    tensorstore = use_tensorstore if tensorstore is None else tensorstore
    require("ome_types", extra="ome-zarr", doing="writing OME-Zarr")  # before the work begins
    store = ZarrStore(dest, storage_options, doing="writing OME-Zarr", writing=True)
    runner = choose_runner(scheduler, threads, only_here=None if store.is_shared else store.name)
    fast = uses_tensorstore(tensorstore, store)
    with store, borrowed_image(source, source_options) as image, ExitStack() as beside:
        chosen = scenes_of(source, scenes)
        plan = _plan(image, chosen, version, chunking, levels, plate)
        stages = plan_sweeps(plan.images, plan.dtype.itemsize)
        sweeps = [sweep for stage in stages for sweep in stage]
        summary = _summary(image, plan, compression)
        found = check_store(store, summary, overwrite=overwrite, resume=resume)
        if dry_run:
            return plan
        if found.is_in_the_way and isinstance(image, FileImage):
            if store.folder is not None:
                store = beside.enter_context(store.beside(version))
                found = FoundStore(is_empty=True)
            elif image._origin_name == store.name and not isinstance(dest, Mapping):
                raise ValueError(
                    f"{store.name} cannot replace itself, because it is read while it is written; "
                    "write it elsewhere"
                )
        with store.writable(version, overwrite=overwrite, clear=found.is_in_the_way):
            if found.done is not None:
                remove_leftovers(store)
            journal = Journal(store, summary, [len(sweep) for sweep in sweeps], found.done)
            job: Job | None = None
            try:
                with _resumable(store, journal):
                    groups = plan.layout.groups
                    _create_arrays(store, plan.images, groups, version, codec)
                    if store.archive is not None:  # its documents come first, as RFC-9 wants them
                        _describe(store, image, plan.images, groups, version)
                        store.put_documents()
                    first = plan.images[0].array_path(0)
                    fast = fast and knows_array(tensorstore, store, version, first)
                    job = Job(image, store, plan.images, sweeps, version, fast=fast)
                    _run(job, stages, journal, runner, progress, store.name)
                    if store.archive is None:
                        _describe(store, image, plan.images, groups, version)
                    journal.remove()
                    store.put_documents()
            finally:
                if job is not None:
                    job.close()
    if validate:
        stores = require(
            "czictypes.exchange.ome_zarr.ngff_stores", extra="ome-zarr", doing="validating"
        )
        stores.check_metadata(dest, storage_options, [image.path for image in plan.images])
    return plan


def _plan(
    image: Image,
    scenes: Choice,
    version: str,
    chunking: Chunking,
    levels: int | None,
    plate: bool | None,
) -> OmeZarrPlan:
    if levels is not None and whole_number(levels, "levels") < 1:
        raise ValueError(f"levels is {levels}, but an image has at least one")
    layout = lay_out(image, choose(image.scenes, scenes, "scene"), version, plate=plate)
    images = []
    for place in layout.places:
        image.set_scene(place.scene)
        images.append(plan_image(image, place.path, place.plane, chunking, levels))
    return OmeZarrPlan(version, tuple(images), layout)


def _summary(image: Image, plan: OmeZarrPlan, compression: Any) -> dict[str, Any]:
    """Return the facts that must not change between an interrupted call and its continuation."""
    return {
        "source": image._identity,
        "version": plan.version,
        "levels": [
            [image.path, level.path, *level.shape, level.stored, level.factor]
            for image in plan.images
            for level in image.levels
        ],
        "chunks": [list(image.levels[0].chunking.unit) for image in plan.images],
        "dtypes": [image.dtype.str for image in plan.images],
        "compression": str(compression),
    }


def _run(
    job: Job,
    stages: Sequence[Sequence[LevelSweep]],
    journal: Journal,
    runner: Runner,
    progress: Progress,
    name: str,
) -> None:
    total = sum(len(one) for stage in stages for one in stage)
    with show_progress(progress, total, f"writing {name}") as advance:
        if journal.count_done:
            advance(journal.count_done)

        def done(number: int, task: int) -> None:
            journal.mark(number, task)
            advance(1)

        first = 0
        for stage in stages:
            numbers = range(first, first + len(stage))
            tasks = ((number, task) for number in numbers for task in journal.open_tasks(number))
            runner(job, tasks, done)
            first += len(stage)


@contextmanager
def _resumable(store: ZarrStore, journal: Journal) -> Iterator[None]:
    """Write the journal before the work and, if anything fails, after it."""
    try:
        journal.write()
        yield
    except BaseException as error:
        is_saved = False
        with suppress(Exception):
            journal.write()
            is_saved = True
        if not isinstance(error, Exception) or store.archive is not None or store.is_beside:
            raise  # archives and replaced folders leave nothing behind
        if not store.can_change:
            advice = (
                "It is unfinished and cannot be resumed, because nothing in an archive can be "
                "changed; start again with overwrite=True"
            )
        elif is_saved:
            advice = _UNFINISHED + "the same call with resume=True goes on from there"
        elif journal.is_kept:
            advice = (
                _UNFINISHED + "the same call with resume=True goes on from what could be noted "
                "before"
            )
        else:
            advice = _UNFINISHED + "nothing could be noted, so begin anew with overwrite=True"
        reason = str(error) or type(error).__name__
        raise IncompleteOutputError(f"writing {store.name} failed: {reason}. {advice}") from error


def _create_arrays(
    store: ZarrStore,
    images: Sequence[ImagePlan],
    groups: Groups,
    version: str,
    codec: Any,
) -> None:
    """Create missing groups and arrays; `_describe` adds their attributes."""
    for path in sorted({"", *groups, *(image.path for image in images)}):
        store.open_group(path, "a", zarr_format=_zarr_format(version))
    document = ".zarray" if version == "0.4" else "zarr.json"
    for image in images:
        for number, level in enumerate(image.levels):
            path = image.array_path(number)
            if store.read(f"{path}/{document}") is None:
                _create(store, path, level, image.dtype, version, codec)


def _describe(
    store: ZarrStore, image: Image, images: Sequence[ImagePlan], groups: Groups, version: str
) -> None:
    """Write the sidecar, and the attributes of all groups, the root last."""
    attributes: dict[str, dict[str, Any]] = {path: dict(one) for path, one in groups.items()}
    looks: dict[int | str, Any] = {}
    limits: dict[int | str, Any] = {}
    for plan in images:
        image.set_scene(plan.scene)
        if plan.scene not in looks:
            limits[plan.scene] = automatic_limits(image)
            looks[plan.scene] = omero(image, version, limits[plan.scene])
        attributes[plan.path] = {
            **image_attributes(plan, looks[plan.scene], version),
            **sidecar_attributes(image, plan, limits[plan.scene]),
        }
    write_sidecar(store, image, images, is_single=not groups)
    for path in sorted(attributes, reverse=True):
        group = store.open_group(path, "r+", zarr_format=_zarr_format(version))
        aside(partial(group.attrs.put, attributes[path]))


def _create(
    store: ZarrStore,
    path: str,
    level: LevelPlan,
    dtype: np.dtype[Any],
    version: str,
    codec: Any,
) -> None:
    zarr = require("zarr", extra="ome-zarr", doing="writing OME-Zarr")
    more: dict[str, Any] = {}
    if version == "0.4":
        more = {"chunk_key_encoding": {"name": "v2", "separator": "/"}}
    else:
        more = {"dimension_names": tuple(AXES), "shards": level.chunking.shard}
    create = partial(
        zarr.create_array,
        store.zarr,
        name=store.at(path),
        shape=level.shape,
        chunks=level.chunking.chunk,
        dtype=dtype.newbyteorder("<"),
        compressors=codec,
        fill_value=0,
        zarr_format=_zarr_format(version),
        **more,
    )
    aside(create)


def _zarr_format(version: str) -> int:
    return 2 if version == "0.4" else 3


_COMPRESSORS = ("lz4", "zstd", "blosc", "gzip", "none")


def _make_compressor(given: Any, version: str) -> Any:
    """Return the codec for a name with or without a level; other values are returned unchanged.

    The default is Blosc with lz4, the fastest that every reader knows, as in bioformats2raw.
    """
    if given is not None and not isinstance(given, str):
        return given
    name, _, digits = (given or "lz4").partition(":")
    if name not in _COMPRESSORS or (digits and not digits.lstrip("-").isdigit()):
        raise ValueError(
            f"{given!r} is no compressor; use {', '.join(_COMPRESSORS)}, with a level if you like "
            '("zstd:5"), or a codec of zarr'
        )
    if name == "none":
        return None
    level = int(digits) if digits else {"zstd": 1, "gzip": 5}.get(name, 3)
    is_v2 = version == "0.4"
    module = "numcodecs" if is_v2 else "zarr.codecs"
    codecs = require(module, extra="ome-zarr", doing="writing OME-Zarr")
    if name == "zstd":
        return (codecs.Zstd if is_v2 else codecs.ZstdCodec)(level=level)
    if name == "gzip":
        return (codecs.GZip if is_v2 else codecs.GzipCodec)(level=level)
    blosc, shuffle = (codecs.Blosc, 1) if is_v2 else (codecs.BloscCodec, "shuffle")
    return blosc(cname="zstd" if name == "blosc" else "lz4", clevel=level, shuffle=shuffle)
