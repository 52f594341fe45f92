"""Worker threads, and ways to wait for them that are safe against interrupts.

Python raises KeyboardInterrupt in the main thread between any two steps of Python code. Future,
Condition and Event of the standard library are Python code: an interrupt between two of their steps
can leave a lock locked, and another thread then waits for ever. Here no thread holds a lock that
another one needs: shared objects change in single steps of C code (of lists, dictionaries and plain
locks), and a waiting thread checks again every quarter of a second, so even a missed wake-up is
harmless.
"""

from __future__ import annotations

import os
import sys
import threading
import time
import weakref
from _thread import start_new_thread
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextvars import copy_context
from queue import SimpleQueue
from typing import Any, Generic, TypeVar

T = TypeVar("T")

_LOOK_AGAIN = 0.25  # seconds
_PATIENCE = 1.0  # seconds
_AHEAD = 2  # items waiting to be consumed


class Stopped(BaseException):
    """Raised in a worker thread to end a task whose result is no longer needed."""


class Bell:
    """A signal that wakes the waiting thread, or else the next thread that waits."""

    __slots__ = ("_lock",)

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lock.acquire()

    def ring(self, _: object = None) -> None:
        """Wake a thread; a bell that is already ringing keeps ringing."""
        try:  # noqa: SIM105 - called often
            self._lock.release()
        except RuntimeError:  # it is already ringing
            pass

    def wait(self, seconds: float = _LOOK_AGAIN) -> None:
        """Wait until it rings or the time is over; the caller must check again."""
        self._lock.acquire(timeout=seconds)


class _QueueBell:
    """A `Bell` whose `ring` is not Python code, so that the garbage collector may call it.

    Python would print and drop an interrupt in such a callback.
    """

    def __init__(self) -> None:
        queue: SimpleQueue[object] = SimpleQueue()
        self.ring, self.wait = queue.put, queue.get


class Outcome(Generic[T]):
    """A result or an error that may still be pending.

    Long-waiting threads call `help`, because an interrupt may have prevented the wake-up.
    """

    __slots__ = ("_bell", "_error", "_result", "done", "help")

    def __init__(self, help: Callable[[], object] | None = None) -> None:
        #: Whether there is a result or an error.
        self.done = False
        self.help = help
        self._bell = Bell()
        self._result: Any = None
        self._error: BaseException | None = None

    def succeed(self, result: T) -> None:
        """Set the result."""
        self._result = result
        self._finish()

    def fail(self, error: BaseException) -> None:
        """Set an error instead of a result."""
        self._error = error
        self._finish()

    def _finish(self) -> None:
        self.done = True
        self._bell.ring()

    @property
    def error(self) -> BaseException | None:
        """The error, or None if there is none so far."""
        return self._error

    def wait(self, *, obey: bool = True) -> None:
        """Wait until it is done; with `obey`, raise `Stopped` if this worker's task is stopped."""
        if self.done:
            return
        while not self.done:
            if obey:
                check_stopped()
            self._bell.wait()
            if not self.done and self.help is not None:
                self.help()
        self._bell.ring()  # for the next thread that waits

    def result(self) -> T:
        """Wait, then return the result or raise the error."""
        self.wait()
        if self._error is not None:
            raise self._error
        result: T = self._result
        return result


class Task(Outcome[T]):
    """Work that is done at most once, by a thread of `Workers` or by the caller.

    After the work, the same thread calls `then`.
    """

    __slots__ = ("_owner", "_then", "_work", "stopped")

    def __init__(self, work: Callable[[], T], then: Callable[[], None] | None = None) -> None:
        super().__init__()
        self._work: Callable[[], T] | None = work
        self._then = then
        self._owner: dict[str, int] = {}
        #: Whether `stop` was called.
        self.stopped = False

    def claim(self) -> bool:
        """Return whether this thread owns the task; the first caller becomes the owner."""
        me = threading.get_ident()
        return self._owner.setdefault("thread", me) == me

    def stop(self) -> None:
        """Make the thread stop at its next `check_stopped` or wait."""
        self.stopped = True

    def run(self) -> None:
        """Do the work, unless another thread has claimed it."""
        if not self.claim():
            return
        work, self._work = self._work, None
        assert work is not None
        _local.task = self
        try:
            self.succeed(work())
        except Stopped:  # drop the traceback, which refers to the thread's object: see `_start`
            self.fail(Stopped())
        except BaseException as error:
            self.fail(error)
        finally:
            _local.task = None
            if self._then is not None:
                self._then()


class _Local(threading.local):
    task: Task[Any] | None = None


_local = _Local()


def check_stopped() -> None:
    """Raise `Stopped` if this worker's task was stopped."""
    task = _local.task
    if task is not None and task.stopped:
        raise Stopped


def settle(tasks: Sequence[Task[Any]], *, stop: bool = False) -> None:
    """Wait until no task runs or can still start; with `stop`, stop the running ones.

    An interrupt stops the tasks and is raised after they have ended.
    """
    interrupt: BaseException | None = None
    while True:
        try:
            if stop:
                for task in tasks:
                    task.stop()
            for task in tasks:
                if not task.claim():
                    task.wait(obey=not stop)
            break
        except BaseException as error:
            interrupt, stop = interrupt or error, True
    if interrupt is not None:
        raise interrupt


class _Crew:
    """The state that the threads of `Workers` share; they refer to nothing else."""

    def __init__(self, count: int, name: str, workers: Workers) -> None:
        self.count, self.name = count, name
        self.tasks: deque[Task[Any]] = deque()
        self.bell: Any = _QueueBell() if sys.implementation.name == "cpython" else Bell()
        self.workers = weakref.ref(workers, self.bell.ring)
        self.ended = self.started = False
        self.process = os.getpid()
        self.ends: list[Outcome[None]] = []  # of the threads, which are not stored: see `_start`
        self._starting = threading.Lock()

    def look(self) -> None:
        """Make a thread look for tasks; start the threads if necessary."""
        if not self.started:
            # In a separate thread, because an interrupt must not come while a thread is started.
            start_new_thread(self._start, ())
        self.bell.ring(None)

    def end(self) -> None:
        """Make the threads end after the last task."""
        self.ended = True
        self.bell.ring(None)

    def _start(self) -> None:
        with self._starting:
            if self.started or self.ended:
                return
            _crews[id(self)] = self
            try:
                for number in range(self.count):
                    end: Outcome[None] = Outcome()
                    name = f"{self.name}_{number}"
                    # Freeing the object runs Python code, so the main thread must not own it.
                    # Without `daemon`, it asks for this thread, which `threading` then remembers.
                    work, them = self._work, (end,)
                    threading.Thread(target=work, args=them, name=name, daemon=False).start()
                    self.ends.append(end)
            except RuntimeError:  # the interpreter is exiting, or the thread limit is reached
                pass
            self.started = True

    def _work(self, end: Outcome[None]) -> None:
        _forget_this_thread()
        try:
            while True:
                try:
                    task = self.tasks.popleft()
                except IndexError:
                    if self.ended or self.workers() is None:
                        return
                    self.bell.wait()
                    continue
                if self.tasks:
                    self.bell.ring(None)  # for the others: several rings may merge into one
                task.run()
                del task
        finally:
            self.bell.ring(None)
            _crews.pop(id(self), None)
            end.succeed(None)


class Workers:
    """Threads that do tasks. They start with the first task and end with `close` or this object.

    Their names start with `name`.
    """

    def __init__(self, count: int, name: str) -> None:
        self._crew = _Crew(count, name, self)

    def submit(self, *tasks: Task[Any]) -> None:
        """Queue tasks for the threads, in this order; another thread may claim them first."""
        crew = self._crew
        for task in tasks:
            task.help = crew.look
        try:
            crew.tasks.extend(tasks)
            crew.look()
        except BaseException:
            # A task that no thread knows of may hold the only reference to the object that ends
            # the threads.
            crew.look()
            raise

    def look(self) -> None:
        """Make the threads look for tasks."""
        self._crew.look()

    def close(self) -> None:
        """End the threads after the submitted tasks, and wait for them."""
        crew = self._crew
        crew.end()
        if crew.process != os.getpid():  # a forked process does not have them
            return
        with crew._starting:
            ends = crew.ends
        for end in ends:
            end.wait(obey=False)


def aside(act: Callable[[], T], patience: float = _PATIENCE) -> T:
    """Call `act` in a separate thread, safe from interrupts, and return its result.

    Use this for code of other packages that takes locks or drops exceptions. An interrupt stops
    `act` at its next `check_stopped`, and waits for it for `patience` seconds at most.
    """
    if threading.current_thread() is not threading.main_thread():
        return act()
    task = Task(act)
    try:
        _start_aside(task)
        return task.result()
    except KeyboardInterrupt:
        task.stop()
        end = time.monotonic() + patience
        while not task.claim() and not task.done and time.monotonic() < end:
            time.sleep(0.01)
        raise


def feed(items: Iterable[T], consume: Callable[[Iterator[T]], object]) -> None:
    """Call `consume` as `aside` does, with items that this thread produces meanwhile.

    Items left when `consume` returns are dropped. An interrupt, or an error from the items, stops
    `consume` at its next item and is raised after `consume` has ended.
    """
    if threading.current_thread() is not threading.main_thread():
        consume(iter(items))
        return
    line: _Line[T] = _Line()
    task = Task(lambda: consume(line))
    try:
        _start_aside(task)
        for item in items:
            if not line.put(item, task):
                break
        line.end()
        task.result()
    except BaseException:
        settle([task], stop=True)
        raise


def _start_aside(task: Task[Any]) -> None:
    start_new_thread(copy_context().run, (task.run,))


class _Line(Iterator[T]):
    """Items on their way from one thread to another."""

    def __init__(self) -> None:
        self._items: deque[T] = deque()
        self._come, self._gone = Bell(), Bell()
        self._ended = False

    def put(self, item: T, task: Task[Any]) -> bool:
        """Add an item when there is room; return False if the consuming task has ended."""
        self._items.append(item)
        self._come.ring()
        while len(self._items) >= _AHEAD and not task.done:
            self._gone.wait()
        return not task.done

    def end(self) -> None:
        """Mark the end of the items."""
        self._ended = True
        self._come.ring()

    def __next__(self) -> T:
        while True:
            check_stopped()
            ended = self._ended
            try:
                item = self._items.popleft()
            except IndexError:
                if ended:
                    raise StopIteration from None
                self._come.wait()
                continue
            self._gone.ring()
            return item


def _forget_this_thread() -> None:
    """Allow this thread's object to be freed without running Python code.

    An error raised here refers to the object and may be freed in the main thread. `threading` keeps
    all threads in a set with a callback, in which an interrupt would be lost.
    """
    known = getattr(threading, "_dangling", None)
    if known is not None:
        known.discard(threading.current_thread())


def _end_all() -> None:
    for crew in _crews.copy().values():
        crew.end()


#: The crews with running threads; the interpreter waits for them when it exits.
_crews: dict[int, _Crew] = {}
_at_end: Callable[[Callable[[], None]], Any] | None = getattr(threading, "_register_atexit", None)
if _at_end is not None:
    _at_end(_end_all)
