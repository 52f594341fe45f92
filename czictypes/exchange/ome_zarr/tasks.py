"""The work of filling the arrays: sweeps over levels, tasks, their workers, opening of arrays."""

from __future__ import annotations

import itertools
import math
import pickle
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from czictypes.arrays.image_base import Image
from czictypes.container.workers import Bell, Task, Workers, aside, settle
from czictypes.exchange.ome_zarr.image_plan import (
    FiveAxes,
    ImagePlan,
    Region,
    reduce_block,
    reduced_region,
)
from czictypes.exchange.ome_zarr.store import ZarrStore
from czictypes.exchange.open import held
from czictypes.model.lazy import require
from czictypes.reading.threads import thread_count

#: Bytes of pixels that a task reads at once, unless a single unit of the store is larger.
_AT_ONCE = 16 << 20


@dataclass(frozen=True)
class LevelSweep:
    """A sweep over one level of one image, region by region.

    A region is written to its level if `writes` is set (else it is read back from the store), and
    reduced to the `depth` levels that follow. It begins and ends where objects of the store do, on
    every one of these levels, so no two tasks ever write to the same object.
    """

    image: int
    level: int
    writes: bool
    depth: int
    shape: tuple[int, ...]
    step: tuple[int, ...]

    @property
    def grid(self) -> tuple[int, ...]:
        """How many regions there are along each axis."""
        return tuple(-(-size // step) for size, step in zip(self.shape, self.step))

    def __len__(self) -> int:
        """Return how many regions there are."""
        return math.prod(self.grid)

    def region(self, number: int) -> Region:
        """Return a region by its number."""
        places = []
        for count in reversed(self.grid):
            number, place = divmod(number, count)
            places.append(place)
        return [
            (place * step, min((place + 1) * step, size))
            for place, step, size in zip(reversed(places), self.step, self.shape)
        ]


def plan_sweeps(images: Sequence[ImagePlan], itemsize: int) -> list[list[LevelSweep]]:
    """Plan the work in stages, each of which needs what those before it have written."""
    stages: list[list[LevelSweep]] = []
    for number, image in enumerate(images):
        for stage, sweep in _sweeps(number, image, itemsize):
            while len(stages) <= stage:
                stages.append([])
            stages[stage].append(sweep)
    return stages


def _sweeps(number: int, image: ImagePlan, itemsize: int) -> Iterator[tuple[int, LevelSweep]]:
    """Yield the sweeps of an image, each with its stage."""

    def sweep(level: int, writes: bool, depth: int) -> LevelSweep:
        shape = image.levels[level].shape
        step = _lengths(_whole_units(image, level, depth), shape, itemsize)
        return LevelSweep(number, level, writes, depth, shape, step)

    level = sum(level.stored is not None for level in image.levels) - 1
    for finer in range(level):
        yield 0, sweep(finer, True, 0)
    for stage in itertools.count():
        depth = _depth(image, level, itemsize)
        yield stage, sweep(level, stage == 0, depth)
        level += depth
        if level == len(image.levels) - 1:
            return


def _depth(image: ImagePlan, level: int, itemsize: int) -> int:
    """Return how many levels one sweep makes: as many as fit into memory."""
    further = len(image.levels) - 1 - level
    depth = min(further, 1)
    while depth < further and _fits(_whole_units(image, level, depth + 1), itemsize):
        depth += 1
    return depth


def _whole_units(image: ImagePlan, level: int, depth: int) -> list[int]:
    """Return the smallest region of whole objects on all levels, and of whole colours."""
    unit = list(image.levels[0].chunking.unit)
    if image.levels[level].stored is not None:
        unit[1] = math.lcm(unit[1], image.samples)
    factor = math.prod(one.factor for one in image.levels[level + 1 : level + depth + 1])
    return [*unit[:3], unit[3] * factor, unit[4] * factor]


def _lengths(unit: Sequence[int], shape: Sequence[int], itemsize: int) -> tuple[int, ...]:
    """Return the lengths of a region: as wide as fits, then as high, then through many planes."""
    lengths = list(unit)
    for axis in (4, 3, 2, 1, 0):
        while lengths[axis] < shape[axis] and _fits([2, *lengths], itemsize):
            lengths[axis] *= 2
    return tuple(lengths)


def _fits(lengths: Sequence[int], itemsize: int) -> bool:
    return math.prod(lengths) * itemsize <= _AT_ONCE


class Job:
    """Reads regions of an image and writes them to existing arrays.

    Many threads may use it at once. It pickles, and opens what it needs where it is unpickled. The
    image that it is given stays open.
    """

    def __init__(
        self,
        image: Image,
        store: ZarrStore,
        images: Sequence[ImagePlan],
        sweeps: Sequence[LevelSweep],
        version: str,
        *,
        fast: bool = False,
    ) -> None:
        self._image: Image | None = image
        self._reopen = b""
        self._store = store
        self._images, self._sweeps = tuple(images), tuple(sweeps)
        self._engine = version, fast
        self._begin()

    def _begin(self) -> None:
        self._lock = threading.Lock()
        self._arrays: dict[str, ArrayAccess] = {}
        self._sources: dict[tuple[int, int], FiveAxes] = {}

    def __getstate__(self) -> tuple[Any, ...]:
        reopen = self._reopen or pickle.dumps(self._image)
        return reopen, self._store, self._images, self._sweeps, self._engine

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        # The document is opened by the first task: a scheduler only passes a job on.
        self._reopen, self._store, self._images, self._sweeps, self._engine = state
        self._image = None
        self._begin()

    def run(self, number: int, task: int) -> None:
        """Do one task of a sweep."""
        work = self._sweeps[number]
        plan = self._images[work.image]
        region = work.region(task)
        if work.writes:
            block = self._read(work.image, work.level, region)
            self._write(plan, work.level, region, block)
        else:
            block = self._array(plan, work.level).read(_slices(region))
        for level in range(work.level + 1, work.level + 1 + work.depth):
            factor = plan.levels[level].factor
            block, region = reduce_block(block, factor), reduced_region(region, factor)
            if not block.size:
                break
            self._write(plan, level, region, block)

    def close(self) -> None:
        """Forget the arrays, and close the document if it was opened here."""
        with self._lock:
            self._arrays.clear()
            self._sources.clear()
            if self._reopen and self._image is not None:
                self._image.close()
                self._image = None

    def _write(self, plan: ImagePlan, level: int, region: Region, block: NDArray[Any]) -> None:
        if block.dtype.byteorder == ">":
            block = block.astype(block.dtype.newbyteorder("<"))
        self._array(plan, level).write(_slices(region), np.ascontiguousarray(block))

    def _array(self, plan: ImagePlan, level: int) -> ArrayAccess:
        path = plan.array_path(level)
        version, fast = self._engine
        with self._lock:
            if path not in self._arrays:
                self._arrays[path] = open_array(self._store, version, path, fast=fast)
            return self._arrays[path]

    def _read(self, number: int, level: int, region: Region) -> NDArray[Any]:
        plan = self._images[number]
        with self._lock:
            if self._image is None:
                self._image = pickle.loads(self._reopen)
            image = self._image
        assert image is not None
        with held(image):
            with self._lock:
                if (number, level) not in self._sources:
                    scene = image._at(plan.scene)
                    self._sources[number, level] = FiveAxes(scene, plan, level)
                source = self._sources[number, level]
            return source.read(region)


def _slices(region: Region) -> tuple[slice, ...]:
    return tuple(slice(*span) for span in region)


#: Does tasks of sweeps, by the numbers of sweep and task, and calls back after each.
Runner = Callable[[Job, Iterator[tuple[int, int]], Callable[[int, int], None]], None]

_WAITING = 2  # tasks that wait for each worker, so that none is idle
_RETRIES = 3  # of a task whose worker died


def choose_runner(scheduler: Any, threads: int | None, *, only_here: str | None = None) -> Runner:
    """Return the function that does the tasks; the arguments are those of `write_ome_zarr`.

    `only_here` is the name of a store that other processes cannot write; then a client is refused
    with a ValueError.
    """
    if scheduler is None:
        scheduler = "threads" if only_here is not None else _active_client() or "threads"
    elif scheduler == "distributed":
        scheduler = _active_client()
        if scheduler is None:
            raise ValueError('scheduler="distributed" needs a client: distributed.Client(...)')
    if scheduler in ("threads", "synchronous"):
        count = 0 if scheduler == "synchronous" else thread_count(threads)
        return partial(_run_in_threads, count)
    if callable(getattr(scheduler, "submit", None)) and hasattr(scheduler, "scheduler_info"):
        if only_here is not None:
            raise ValueError(
                f"{only_here} is in memory or an archive, which other processes cannot write; "
                'choose scheduler="threads"'
            )
        return partial(_run_distributed, scheduler)
    raise ValueError(
        'scheduler is "threads", "synchronous", "distributed" or a client of dask.distributed, '
        f"not {scheduler!r}"
    )


def _active_client() -> Any:
    """Return the client in use, if any, without importing distributed."""
    distributed = sys.modules.get("distributed")
    if distributed is None:
        return None
    try:
        return distributed.get_client()
    except ValueError:
        return None


def _run_in_threads(
    workers: int, job: Job, tasks: Iterator[tuple[int, int]], done: Callable[[int, int], None]
) -> None:
    if not workers:
        for one in tasks:
            job.run(*one)
            done(*one)
        return
    # One is a thread of its own, too: what writes the arrays takes locks that an interrupt breaks.
    bell = Bell()
    running: dict[Task[None], tuple[int, int]] = {}
    pool = Workers(workers, "czictypes-exchange")
    try:
        for one in tasks:
            task = Task(partial(job.run, *one), bell.ring)
            running[task] = one
            pool.submit(task)
            while len(running) >= workers * _WAITING:
                _collect(running, bell, done)
        while running:
            _collect(running, bell, done)
    finally:
        settle([*running], stop=True)
        pool.close()
        for task, one in running.items():  # what came to its end meanwhile counts
            if task.done and task.error is None:
                done(*one)


def _collect(
    running: dict[Task[None], tuple[int, int]], bell: Bell, done: Callable[[int, int], None]
) -> None:
    """Wait for tasks; raise the error of one that failed."""
    while not any(task.done for task in running):
        bell.wait()
        for task in running:
            if task.help is not None:
                task.help()
    failure = None
    for task in [task for task in running if task.done]:
        one = running.pop(task)
        if task.error is None:
            done(*one)
        failure = failure or task.error
    if failure is not None:
        raise failure


def _run_distributed(
    client: Any, job: Job, tasks: Iterator[tuple[int, int]], done: Callable[[int, int], None]
) -> None:
    """Submit tasks a few at a time; this process keeps the journal.

    The job reaches the workers as the result of a task, not as scattered data, so the scheduler can
    make it again if all workers that have it die.
    """
    distributed = require("distributed", extra=None, doing="work on a cluster")
    shared = client.submit(_as_it_is, job, pure=False, retries=_RETRIES)
    queue = distributed.as_completed(with_results=False)
    running: dict[Any, tuple[int, int]] = {}

    def submit() -> bool:
        one = next(tasks, None)
        if one is not None:
            future = client.submit(Job.run, shared, *one, pure=False, retries=_RETRIES)
            running[future.key] = one
            queue.add(future)
        return one is not None

    try:
        threads = sum(client.nthreads().values()) or 1
        for _ in range(threads * _WAITING):
            if not submit():
                break
        for future in queue:
            one = running.pop(future.key)
            future.result()
            done(*one)
            submit()
    finally:
        client.cancel([*(future for future in queue.futures), shared])


def _as_it_is(job: Job) -> Job:
    return job


Slices = tuple[slice, ...]


class ArrayAccess(NamedTuple):
    """Functions that read any region of an array, and write regions of whole chunks."""

    read: Callable[[Slices], NDArray[Any]]
    write: Callable[[Slices, NDArray[Any]], Any]


def uses_tensorstore(wanted: bool | None, store: ZarrStore) -> bool:
    """Return whether to try tensorstore: by default if it is installed and the store is a folder.

    If it is requested, raises MissingExtraError or ValueError where it cannot be used.
    """
    if wanted is False or (wanted is None and find_spec("tensorstore") is None):
        return False
    require("tensorstore", extra="tensorstore", doing="writing with tensorstore")
    if wanted and not store.is_plain_folder:
        raise ValueError(f"tensorstore writes to folders only, and {store.name} is none")
    return store.is_plain_folder


def knows_array(wanted: bool | None, store: ZarrStore, version: str, path: str) -> bool:
    """Return whether tensorstore knows an existing array; ValueError if it must and does not."""
    try:
        open_array(store, version, path, fast=True)
    except (ValueError, NotImplementedError) as error:
        if wanted:
            raise ValueError(f"tensorstore cannot write {store.name}: {error}") from error
        return False
    return True


def open_array(store: ZarrStore, version: str, path: str, *, fast: bool) -> ArrayAccess:
    """Open an array for reading and writing; `fast` with tensorstore."""
    if not fast:
        array = store.open_array(path, "r+")
        return ArrayAccess(
            lambda slices: aside(lambda: array[slices]),
            lambda slices, pixels: aside(lambda: array.__setitem__(slices, pixels)),
        )
    tensorstore = require("tensorstore", extra="tensorstore", doing="writing with tensorstore")
    assert store.folder is not None
    place = {"driver": "file", "path": (store.folder / path).as_posix()}
    spec = {"driver": "zarr" if version == "0.4" else "zarr3", "kvstore": place}
    opened = aside(lambda: tensorstore.open(spec, read=True, write=True).result())
    return ArrayAccess(
        lambda slices: aside(lambda: np.asarray(opened[slices].read().result())),
        lambda slices, pixels: aside(lambda: opened[slices].write(pixels).result()),
    )
