"""Damages small files at random, and has everything done with them: nothing may crash or hang.

    tox -e fuzz -- --cases 100000       or, in tests, python fuzz.py --cases 100000

docs/reliability.md says what counts as a problem. A case is its number and the seed of the run: the
file, the damage and the parts that are tried follow from these.
"""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import seeds
from container.structures import damaged, seeds_by_name
from container.watched import Outcome, Problem, WatchedTarget

__all__ = ["Case", "Tally", "make_case", "run_cases"]

_PARTS = 3  # that are tried in a case, if nothing else is said


class Case(NamedTuple):
    """A damaged file, and what to do with it."""

    number: int
    seed_file: str
    data: bytes
    parts: list[str]


def make_case(number: int, parts: list[str], several: int = _PARTS) -> Case:
    """Return a case of this run, which tries `several` of the parts."""
    rng = seeds.generator_for(f"case {number}")
    names = sorted(seeds_by_name())
    name = names[number % len(names)]
    data = damaged(name, rng)
    chosen = rng.choice(parts, min(several, len(parts)), replace=False).tolist()
    return Case(number, name, data, chosen)


@dataclass
class Tally:
    """The sum of many cases."""

    outcomes: Counter[str] = field(default_factory=Counter)
    problems: dict[tuple[str, str], list[tuple[Case, Problem, Path]]] = field(default_factory=dict)
    cpu: float = 0.0
    memory: int = 0

    def add(self, case: Case, outcome: Outcome, path: Path) -> None:
        """Count a case; problems of the same kind and place are one."""
        self.outcomes["refused in part" if outcome.refused else "read whole"] += 1
        self.cpu, self.memory = max(self.cpu, outcome.cpu), max(self.memory, outcome.memory)
        for problem in outcome.problems:
            self.outcomes[problem.kind] += 1
            known = self.problems.setdefault((problem.kind, problem.place), [])
            known.append((case, problem, path))

    def describe(self, kind: str, place: str) -> str:
        """Return how often a problem was met, and the traceback of the first time."""
        found = self.problems[kind, place]
        case, problem, path = found[0]
        return (
            f"\n{len(found)} x {kind} in {problem.part}: {place}\n"
            f"case {case.number} ({case.seed_file}), kept as {path}\n{problem.text}"
        )

    def __str__(self) -> str:
        """What was found, and a traceback for each problem."""
        counts = f"{dict(self.outcomes)}; at most {self.cpu:.1f} s of CPU"
        found = [self.describe(*key) for key in self.problems]
        return "\n".join([f"{counts} and {self.memory >> 20} MiB", *found])


def run_cases(
    numbers: range, parts: list[str], folder: Path, several: int = _PARTS
) -> Iterator[Tally]:
    """Try cases in one process, which is started again where it dies; yield the sum after each."""
    tally = Tally()
    path = folder / "case.czi"
    with WatchedTarget() as target:
        for number in numbers:
            case = make_case(number, parts, several)
            path.write_bytes(case.data)
            outcome = target.run(path, case.parts)
            kept = folder / f"{number}.czi"
            if outcome.problems:
                kept.write_bytes(case.data)
            tally.add(case, outcome, kept)
            yield tally


def _arguments(given: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--cases", type=int, default=1000, help="how many (1000)")
    parser.add_argument("--seed", type=int, help="of an earlier run; by default a random one")
    parser.add_argument("--start", type=int, default=0, help="the number of the first case (0)")
    parser.add_argument("--parts", nargs="+", help="do these with each file, by default 3 of all")
    parser.add_argument("--keep", type=Path, help="the folder for files with problems")
    return parser.parse_args(given)


def main(given: list[str]) -> int:
    """Run cases; print each new problem at once, and at the end all of them and where to go on."""
    from fuzz_target import available_parts

    arguments = _arguments(given)
    if arguments.seed is not None:
        seeds.set_run_seed(arguments.seed)
    folder = arguments.keep or Path(tempfile.mkdtemp(prefix="czictypes-fuzz-"))
    folder.mkdir(parents=True, exist_ok=True)
    parts = arguments.parts or available_parts()
    several = len(parts) if arguments.parts else _PARTS
    end = arguments.start + arguments.cases
    print(f"seed {seeds.run_seed()}, parts: {', '.join(parts)}", flush=True)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    done, tally, printed = arguments.start, Tally(), 0
    try:
        for tally in run_cases(range(done, end), parts, folder, several):
            done += 1
            for key in list(tally.problems)[printed:]:
                print(tally.describe(*key), flush=True)
            printed = len(tally.problems)
            if done % 100 == 0:
                print(f"case {done}: {dict(tally.outcomes)}", flush=True)
    except KeyboardInterrupt:
        print("interrupted")
    print(tally)
    if done < end:
        rest = f"--seed {seeds.run_seed()} --start {done} --cases {end - done}"
        print(f"\ngo on with: {rest}")
    return 1 if tally.problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
