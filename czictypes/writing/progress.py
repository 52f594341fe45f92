"""Progress: a bar, or a function of the caller."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Union

from czictypes.model.lazy import require

#: True for a bar, or what to call with the work done and all the work.
Progress = Union[bool, Callable[[int, int], None], None]


@contextmanager
def show_progress(
    progress: Progress, total: int, description: str
) -> Iterator[Callable[[int], Any]]:
    """Give a function to call with the work done since the last call, in any unit.

    A MissingExtraError says that a bar is wanted and the extra that draws it is not installed.
    """
    if progress is None or progress is False:
        yield lambda _: None
    elif progress is True:
        tqdm = require("tqdm", extra="cli", doing="a progress bar").tqdm
        with tqdm(total=total, desc=description) as bar:
            yield bar.update
    elif callable(progress):
        report, done = progress, 0

        def step(count: int) -> None:
            nonlocal done
            done += count
            report(done, total)

        yield step
    else:
        raise TypeError(f"progress is True, False or a function, not {progress!r}")
