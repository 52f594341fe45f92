"""``czictypes convert --to``: many files, each of which succeeds or fails by itself."""

from __future__ import annotations

import argparse
import multiprocessing
import os
import signal
import sys
import threading
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import closing, contextmanager, suppress
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, NamedTuple

from czictypes.cli.convert import convert_file, reason_of
from czictypes.cli.output import (
    FAILED,
    exit_code,
    make_folder,
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
        make_folder(args.dest)
    bar = not args.quiet and shows_progress()
    outcomes: list[_Outcome] = []
    coming = _outcomes(jobs, args.workers)
    with show_progress(bar, len(jobs), "converting") as advance, closing(coming):
        for outcome in coming:
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


class _Processes:
    """The processes of a run: one starts at a time, and none after their end is called for."""

    def __init__(self) -> None:
        # multiprocessing imports what it needs as it starts one, which threads must not do at once.
        self._starting = threading.Lock()
        self._running: set[BaseProcess] = set()
        self._has_ended = False

    def run(self, process: BaseProcess, take: Callable[[], _Outcome | None]) -> _Outcome | None:
        """Start a process, and return what it sends; None if it ends without that."""
        with self._starting:
            if self._has_ended:
                return None
            with _without_interrupts():
                process.start()
            self._running.add(process)
        try:
            return take()
        finally:
            process.join()
            self._running.discard(process)

    def end(self) -> None:
        """Have all processes stop, which they do as after an interrupt."""
        with self._starting:
            self._has_ended = True
            for process in self._running:
                process.terminate()


def _outcomes(jobs: Sequence[_Job], workers: int) -> Generator[_Outcome, None, None]:
    """Yield the outcomes as they come: in order, or from processes that work at once."""
    if workers == 1 or len(jobs) == 1:
        yield from map(_converted, jobs)
        return
    threads = max(1, (os.cpu_count() or 1) // workers)
    shared = [job._replace(options={"threads": threads, **_set(job.options)}) for job in jobs]
    processes = _Processes()
    with ThreadPoolExecutor(workers, "czictypes-convert") as pool:
        waiting = [pool.submit(_in_process, job, processes) for job in shared]
        try:
            for one in as_completed(waiting):
                yield one.result()
        finally:  # an interrupt ends those that run, and begins no others
            for one in waiting:
                one.cancel()
            processes.end()


@contextmanager
def _without_interrupts() -> Iterator[None]:
    """Keep Ctrl-C from the processes that start meanwhile: the main thread ends them."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    resource_tracker.ensure_running()  # its start would let Ctrl-C through again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _set(options: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value is not None}


def _in_process(job: _Job, processes: _Processes) -> _Outcome:
    """Convert in another process, whose end ends no other conversion."""
    context = multiprocessing.get_context("spawn")
    receiving, sending = context.Pipe(duplex=False)
    process = context.Process(target=_send, args=(sending, job))

    def take() -> _Outcome | None:
        sending.close()  # so that the end of the process is the end of the pipe
        with suppress(EOFError):
            outcome: _Outcome = receiving.recv()
            return outcome
        return None

    with receiving, sending:
        outcome = processes.run(process, take)
    if outcome is None:
        code = process.exitcode
        return _failed(job, f"the process that converted it ended with code {code}")
    return outcome


def _send(sending: Connection, job: _Job) -> None:
    """Convert, and send the outcome; stop as after Ctrl-C if the main process says so, or dies."""
    with suppress(KeyboardInterrupt, BrokenPipeError), sending:
        sys.unraisablehook = _interrupt_again
        signal.signal(signal.SIGTERM, _interrupt)
        threading.Thread(target=_end_with_parent, daemon=True).start()
        outcome = _converted(job)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # all is done
        sending.send(outcome)


def _interrupt(*_: object) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # to clean up takes a moment
    raise KeyboardInterrupt


def _interrupt_again(ignored: sys.UnraisableHookArgs) -> None:
    """Interrupt once more, a moment later, where Python drops all exceptions, as in finalizers."""
    if ignored.exc_type is not KeyboardInterrupt:
        sys.__unraisablehook__(ignored)
        return
    signal.signal(signal.SIGTERM, _interrupt)
    threading.Timer(0.02, os.kill, (os.getpid(), signal.SIGTERM)).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)


def _failed(job: _Job, reason: str, code: int = FAILED) -> _Outcome:
    return _Outcome(job, _NOT_DONE, code, {}, reason)


def _converted(job: _Job) -> _Outcome:
    """Convert a file; an error ends this job alone."""
    from czictypes.exchange.locations import can_resume

    resume = bool(job.options.get("resume"))
    by_itself = can_resume(job.dest) or job.options.get("split_scenes")
    options = {**job.options, "resume": resume and by_itself}
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


def _told(error: Exception, job: _Job) -> str:
    text = reason_of(error, job.dest) or type(error).__name__
    if isinstance(error, OSError) and error.strerror and error.filename is not None:
        text = f"{os.fsdecode(error.filename)}: {error.strerror}"
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
