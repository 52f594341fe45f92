"""``czictypes convert --to``: many files, each of which succeeds or fails by itself."""

from __future__ import annotations

import argparse
import multiprocessing
import os
import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import suppress
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, NamedTuple

from czictypes.cli.convert import convert_file, reason_of
from czictypes.cli.output import (
    FAILED,
    exit_code,
    named_refusals,
    print_json,
    printable,
    report_error,
    shows_progress,
)
from czictypes.model.errors import CziError, InvalidArgumentError
from czictypes.model.public import show_progress
from czictypes.remote.urls import is_url, redact_text

_DONE, _THERE, _NOT_DONE = "converted", "already there", "failed"
#: Endings that are longer than the last one, and tell no more of a name.
_DOUBLE = (".ome.zarr", ".ome.tif", ".ome.tiff", ".ome.tf2", ".ome.tf8", ".ome.btf", ".nii.gz")


class _Job(NamedTuple):
    """A file to convert, and the arguments of `convert`."""

    source: str
    dest: str
    options: Mapping[str, Any]


class _Outcome(NamedTuple):
    """The end of a job: its exit code, and the summary of the conversion or the reason."""

    job: _Job
    status: str
    code: int
    summary: Mapping[str, Any]
    reason: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        names = {"source": redact_text(self.job.source), "dest": redact_text(self.job.dest)}
        reason = {"error": self.reason} if self.reason else {}
        return {**names, **self.summary, "status": self.status, "code": self.code, **reason}

    def __str__(self) -> str:
        dest = printable(redact_text(self.job.dest))
        if self.status == _THERE:
            return f"{dest}: already there"
        images, size = self.summary.get("images", ()), self.summary.get("nbytes", 0)
        verb = "written" if self.summary.get("written") else "would be written"
        several = "s" if len(images) != 1 else ""
        return f"{dest}: {len(images)} image{several}, {size / 1e6:.1f} MB of pixels {verb}"


def convert_many(args: argparse.Namespace, ending: str, options: Mapping[str, Any]) -> int:
    """Convert files to a format, print a summary, and return the exit code."""
    if args.parts is not None and len(args.files) > 1:
        raise InvalidArgumentError("--parts names the other files of one document, so give one SRC")
    jobs = [_Job(source, _dest(source, args.dest, ending), options) for source in args.files]
    _check(jobs)
    if args.dest is not None and not is_url(args.dest) and not args.dry_run:
        Path(args.dest).mkdir(parents=True, exist_ok=True)
    bar = not args.quiet and shows_progress()
    outcomes: list[_Outcome] = []
    with show_progress(bar, len(jobs), "converting") as advance:
        for outcome in _outcomes(jobs, args.workers):
            outcomes.append(outcome)
            _report(outcome, silent=args.json or bar)
            advance(1)
    places = {job.dest: place for place, job in enumerate(jobs)}
    outcomes.sort(key=lambda outcome: places[outcome.job.dest])
    if args.json:
        print_json([outcome.to_dict() for outcome in outcomes])
    else:
        print(_summary(outcomes))
    codes = {outcome.code for outcome in outcomes} - {0}
    return FAILED if len(codes) > 1 else next(iter(codes), 0)


def _dest(source: str, folder: str | None, ending: str) -> str:
    """Return the name of the new file, in a folder or at a URL, or beside its source."""
    path = source.partition("?")[0].rstrip("/\\") if is_url(source) else str(Path(source))
    name = path.rpartition("/")[2] if is_url(source) else Path(path).name
    double = next((one for one in _DOUBLE if name.lower().endswith(one)), None)
    stem = name[: -len(double)] if double else os.path.splitext(name)[0]  # noqa: PTH122 (of a URL)
    place = path[: len(path) - len(name)] if folder is None else folder
    if is_url(place):
        return f"{place.rstrip('/')}/{stem}{ending}"
    return str(Path(place) / f"{stem}{ending}")


def _check(jobs: Sequence[_Job]) -> None:
    """Refuse two sources for a target, and a source that is the target of one."""
    sources = {job.source for job in jobs}
    by_dest: dict[str, str] = {}
    for job in jobs:
        name = redact_text(job.dest)
        if job.dest in by_dest:
            one, other = redact_text(by_dest[job.dest]), redact_text(job.source)
            raise InvalidArgumentError(
                f"{one} and {other} would both become {name}; convert them to different folders"
            )
        if job.dest in sources:
            raise InvalidArgumentError(f"{name} is a source; name another folder with -o DIR")
        by_dest[job.dest] = job.source


def _outcomes(jobs: Sequence[_Job], workers: int) -> Iterator[_Outcome]:
    """Yield the outcomes as they come: in order, or from processes that work at once."""
    if workers == 1 or len(jobs) == 1:
        yield from map(_converted, jobs)
        return
    threads = max(1, (os.cpu_count() or 1) // workers)
    shared = [job._replace(options={"threads": threads, **_set(job.options)}) for job in jobs]
    running: set[BaseProcess] = set()
    starting = threading.Lock()
    with ThreadPoolExecutor(workers, "czictypes-convert") as pool:
        waiting = [pool.submit(_in_process, job, running, starting) for job in shared]
        try:
            for one in as_completed(waiting):
                yield one.result()
        finally:  # an interrupt ends those that run, and begins no others
            for one in waiting:
                one.cancel()
            for process in list(running):
                process.terminate()


def _set(options: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value is not None}


def _in_process(job: _Job, running: set[BaseProcess], starting: threading.Lock) -> _Outcome:
    """Convert in another process, whose end ends no other conversion."""
    context = multiprocessing.get_context("spawn")
    receiving, sending = context.Pipe(duplex=False)
    process = context.Process(target=_send, args=(sending, job))
    with receiving:
        # multiprocessing imports what it needs now, which threads must not do at once.
        with sending, starting:
            process.start()
        running.add(process)
        try:
            with suppress(EOFError):
                outcome: _Outcome = receiving.recv()
                return outcome
            process.join()
            return _failed(job, f"the process that converted it ended with code {process.exitcode}")
        finally:
            process.join()
            running.discard(process)


def _send(sending: Connection, job: _Job) -> None:
    with suppress(KeyboardInterrupt), sending:
        sending.send(_converted(job))


def _failed(job: _Job, reason: str, code: int = FAILED) -> _Outcome:
    return _Outcome(job, _NOT_DONE, code, {}, reason)


def _converted(job: _Job) -> _Outcome:
    """Convert a file; an error ends this job alone."""
    resume = bool(job.options.get("resume"))
    options = dict(job.options)
    if resume and not _can_resume(job.dest):
        options["resume"] = False
    try:
        with named_refusals(job.source, arguments_too=False):
            done = convert_file(job.source, job.dest, options)
    except FileExistsError as error:
        if resume:
            return _Outcome(job, _THERE, 0, {})
        return _failed(job, reason_of(error, job.dest), exit_code(error))
    except (CziError, OSError, MemoryError) as error:
        return _failed(job, _told(error, job), exit_code(error))
    return _Outcome(job, _DONE, 0, done.to_dict())


def _can_resume(dest: str) -> bool:
    """Return whether a target is made step by step, so that it may be half done."""
    from czictypes.exchange.locations import Format, is_archive, target_format

    return target_format(dest) is Format.OME_ZARR and not is_archive(dest)


def _told(error: Exception, job: _Job) -> str:
    text = reason_of(error, job.dest) or type(error).__name__
    name = Path(job.source).name
    return redact_text(text if name in text else f"{job.source}: {text}")


def _report(outcome: _Outcome, *, silent: bool) -> None:
    """Print the end of a job: a failure always, a success where no bar shows it."""
    if outcome.status == _NOT_DONE:
        report_error(outcome.reason)
    elif not silent:
        print(outcome, flush=True)


def _summary(outcomes: Sequence[_Outcome]) -> str:
    counts = Counter(outcome.status for outcome in outcomes)
    is_plan = any(outcome.summary.get("written") is False for outcome in outcomes)
    size = sum(outcome.summary.get("nbytes", 0) for outcome in outcomes)
    words = {_DONE: "to convert" if is_plan else _DONE, _THERE: _THERE, _NOT_DONE: _NOT_DONE}
    parts = [f"{counts[status]} {word}" for status, word in words.items() if counts[status]]
    files = f"{len(outcomes)} file{'s' if len(outcomes) != 1 else ''}"
    return f"{files}: {', '.join(parts)}; {size / 1e6:.1f} MB of pixels"
