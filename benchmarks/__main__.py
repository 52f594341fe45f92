"""The command ``python -m benchmarks``; each scenario runs in a process of its own."""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.files import Files
from benchmarks.measure import interleaved, peak_memory
from benchmarks.report import chart, table
from benchmarks.runs import Call, Runs
from benchmarks.scenarios import SCENARIOS

# As `python -m benchmarks`, from any folder: so an installed czictypes can be measured, for this
# one's folder comes last.
_ROOT = os.fspath(Path(__file__).resolve().parents[1])
_AGAIN = (
    f"import runpy, sys; sys.path.append({_ROOT!r}); "
    "runpy.run_module('benchmarks', run_name='__main__', alter_sys=True)"
)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", help="parts of the names of scenarios; all by default")
    parser.add_argument("--quick", action="store_true", help="small files, few rounds")
    parser.add_argument("--json", action="store_true", help="print results for machines")
    parser.add_argument("--rounds", type=int, help="how often each call runs (7; quick: 3)")
    parser.add_argument("--no-memory", action="store_true", help="do not measure peak memory")
    parser.add_argument("--chart", type=Path, help="write a bar chart (SVG) to this file")
    default = Path(tempfile.gettempdir()) / "czictypes-benchmarks"
    parser.add_argument("--files", type=Path, default=default, help="where the files are kept")
    parser.add_argument("--save", type=Path, help="keep results here, beside those of earlier runs")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    parser.add_argument("--memory-of", help=argparse.SUPPRESS)
    return parser.parse_args()


def _time(name: str, files: Files, rounds: int) -> dict[str, Any]:
    """Run one scenario in this process; all results are equal before anything is timed."""
    with ExitStack() as stack:
        runs = SCENARIOS[name](files, stack)
        calls, failed = dict(runs.calls), {}
        expected = _outcome(runs, calls["czictypes"])
        for package in [package for package in calls if package != "czictypes"]:
            try:
                result = _outcome(runs, calls[package])
            except NotImplementedError:
                del calls[package]
                continue
            except Exception as error:
                failed[package] = f"{type(error).__name__}: {error}"
                del calls[package]
                continue
            if runs.compared and not _equal(expected, result):
                raise SystemExit(f"{name}: {package} gives another result than czictypes")
        del expected
        timings = interleaved({**calls, **runs.limits}, rounds, runs.before)
    return {
        "packages": {key: timings[key]._asdict() for key in calls},
        "limits": {key: timings[key]._asdict() for key in runs.limits},
        "failed": failed,
    }


def _outcome(runs: Runs, call: Call) -> Any:
    if runs.before is not None:
        runs.before()
    result = call()
    return result if runs.outcome is None else runs.outcome(result)


def _equal(one: Any, other: Any) -> bool:
    if isinstance(one, list):
        return len(one) == len(other) and all(map(_equal, one, other))
    return np.array_equal(np.asarray(one), np.asarray(other))


def _memory(name: str, package: str, files: Files) -> dict[str, int | None]:
    with ExitStack() as stack:
        runs = SCENARIOS[name](files, stack)
        if runs.before is not None:
            runs.before()
        return {"bytes": peak_memory(runs.calls[package])}


def _in_a_process(arguments: argparse.Namespace, *more: str) -> dict[str, Any]:
    command = [sys.executable, "-c", _AGAIN, "--files", os.fspath(arguments.files), *more]
    if arguments.quick:
        command.append("--quick")
    if arguments.rounds:
        command += ["--rounds", str(arguments.rounds)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def _all(arguments: argparse.Namespace) -> dict[str, Any]:
    saved: dict[str, Any] = {}
    if arguments.save and arguments.save.exists():
        saved = json.loads(arguments.save.read_text())["scenarios"]
    for name in SCENARIOS:
        if arguments.names and not any(part in name for part in arguments.names):
            continue
        print(name, file=sys.stderr, flush=True)
        result = _in_a_process(arguments, "--one", name)
        if not arguments.no_memory and not name.startswith("import"):
            for package, timing in result["packages"].items():
                memory = _in_a_process(arguments, "--one", name, "--memory-of", package)
                timing["peak_memory"] = memory["bytes"]
        saved[name] = result
        if arguments.save:
            arguments.save.write_text(json.dumps(_described(saved, arguments), indent=1))
    return _described(saved, arguments)


def _described(saved: dict[str, Any], arguments: argparse.Namespace) -> dict[str, Any]:
    machine = {
        "python": platform.python_version(),
        "system": platform.platform(),
        "cpus": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None,
        "numpy": np.__version__,
    }
    found = {name: saved[name] for name in SCENARIOS if name in saved}
    return {"machine": machine, "quick": arguments.quick, "scenarios": found}


def main() -> None:
    """Run the command."""
    arguments = _arguments()
    files = Files(arguments.files, arguments.quick)
    rounds = arguments.rounds or (3 if arguments.quick else 7)
    if arguments.memory_of:
        print(json.dumps(_memory(arguments.one, arguments.memory_of, files)))
        return
    if arguments.one:
        print(json.dumps(_time(arguments.one, files, rounds)))
        return
    results = _all(arguments)
    if arguments.chart:
        arguments.chart.write_text(chart(results["scenarios"]), encoding="utf-8")
    print(json.dumps(results, indent=1) if arguments.json else table(results))


if __name__ == "__main__":
    main()
