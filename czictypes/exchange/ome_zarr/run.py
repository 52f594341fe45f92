"""Does tasks: in threads, or on the workers of dask.distributed."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from czictypes.container.workers import Bell, Task, Workers, settle
from czictypes.exchange.ome_zarr.job import Job
from czictypes.model.lazy import require
from czictypes.reading.threads import thread_count

__all__ = ["Runner", "choose_runner"]

#: Does tasks of a pass and calls back after each.
Runner = Callable[[Job, Iterator[tuple[int, int]], Callable[[int, int], None]], None]

_WAITING = 2  # tasks that wait for each worker, so that none is idle
_RETRIES = 3  # of a task whose worker died


def choose_runner(scheduler: Any, workers: int | None, *, only_here: str | None = None) -> Runner:
    """Return what does the tasks.

    Parameters
    ----------
    scheduler
        ``"threads"``, ``"synchronous"``, a client of dask.distributed, ``"distributed"`` for the
        active one; None for the active client if there is one, else threads.
    workers
        The number of threads; by default as many as for reading.
    only_here
        The name of what is written, if no other process can work on it.

    Raises
    ------
    ValueError
        For another scheduler, ``"distributed"`` without a client, or a client for what other
        processes cannot work on.
    """
    if scheduler is None:
        scheduler = "threads" if only_here is not None else _active_client() or "threads"
    elif scheduler == "distributed":
        scheduler = _active_client()
        if scheduler is None:
            raise ValueError('scheduler="distributed" needs a client: distributed.Client(...)')
    if scheduler in ("threads", "synchronous"):
        count = 0 if scheduler == "synchronous" else thread_count(workers)
        return lambda job, tasks, done: _run_in_threads(job, tasks, done, count)
    if callable(getattr(scheduler, "submit", None)) and hasattr(scheduler, "scheduler_info"):
        if only_here is not None:
            raise ValueError(
                f"{only_here} is in memory or an archive, which other processes cannot write; "
                'choose scheduler="threads"'
            )
        client = scheduler
        return lambda job, tasks, done: _run_distributed(client, job, tasks, done)
    raise ValueError(
        'scheduler is "threads", "synchronous", "distributed" or a client of dask.distributed, '
        f"not {scheduler!r}"
    )


def _active_client() -> Any:
    """Return the client in use, if any; distributed is not imported to find none."""
    distributed = sys.modules.get("distributed")
    if distributed is None:
        return None
    try:
        return distributed.get_client()
    except ValueError:
        return None


def _run_in_threads(
    job: Job,
    tasks: Iterator[tuple[int, int]],
    done: Callable[[int, int], None],
    workers: int,
) -> None:
    if not workers:
        for number, task_number in tasks:
            job.run(number, task_number)
            done(number, task_number)
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
    """Wait for tasks; one that failed raises its error."""
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
    """Submit tasks a few at a time; the journal is kept here, by one process.

    The job comes to the workers as the result of a task, not as data that are handed out: should
    all workers die that have it, the scheduler makes it anew.
    """
    distributed = require("distributed", extra="dask", doing="work on a cluster")
    shared = client.submit(_as_it_is, job, pure=False, retries=_RETRIES)
    queue = distributed.as_completed(with_results=False)
    running: dict[Any, tuple[int, int]] = {}

    def submit() -> bool:
        one = next(tasks, None)
        if one is not None:
            future = client.submit(_run_one, shared, *one, pure=False, retries=_RETRIES)
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


def _run_one(job: Job, number: int, task: int) -> None:
    job.run(number, task)
