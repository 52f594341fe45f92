"""What all tests share: test files, peers, seeds; nothing is left open; skips are listed.

The modules beside this file are importable as they are (``pythonpath`` in pyproject.toml).
"""

from __future__ import annotations

import os
import platform
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import leaks
import numpy as np
import pytest
import reads
import seeds
import swallowed
from files.recipes import RECIPES, Made, build
from hypothesis import HealthCheck, settings
from real_files import find_real_file, real_file_names

_NOBODY = 65534

# Nothing may depend on the speed of the machine; PyPy and a busy machine are slow to warm up.
settings.register_profile(
    "czictypes",
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
    max_examples=30 if platform.python_implementation() == "PyPy" else 100,
)
settings.load_profile("czictypes")


def pytest_configure(config: pytest.Config) -> None:
    """Fix the seed before workers start, and declare the markers."""
    seeds.run_seed()
    config.addinivalue_line("markers", "slow: takes more than five seconds")


def pytest_report_header() -> str:
    """Print the seed at the top of a run."""
    return f"random tests: seed {seeds.run_seed()} (repeat with {seeds.VARIABLE})"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Any:
    """Print the seed with the failure of a test that used it."""
    report = yield
    if report.failed and "rng" in getattr(item, "fixturenames", ()):
        report.sections.append(("random input", f"{seeds.VARIABLE}={seeds.run_seed()}"))
    return report


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Count the reads compared; list why tests were skipped, and how many for each reason."""
    for peer, count in reads.compared.items():
        terminalreporter.line(f"random reads compared with {peer}: {count}")
    skipped = terminalreporter.stats.get("skipped", [])
    if not skipped:
        return
    reasons = Counter(str(report.longrepr[2]) for report in skipped)
    terminalreporter.section(f"{len(skipped)} skipped")
    for reason, count in reasons.most_common():
        terminalreporter.line(f"{count:5} x {reason}")


@pytest.fixture(autouse=True)
def nothing_left_open() -> Iterator[None]:
    """Fail a test that leaves a native handle, a file or a decoding thread open."""
    before = leaks.snapshot()
    yield
    left = leaks.left_since(before)
    if left:
        pytest.fail("left open by this test:\n  " + "\n  ".join(left))


_swallowing: set[str] = set()
swallowed.watch(_swallowing.add)


@pytest.fixture(autouse=True)
def no_interrupt_is_lost_in_numpy() -> Iterator[None]:
    """Fail a test in which czictypes has numpy run code that an interrupt would be lost in."""
    _swallowing.clear()
    yield
    if _swallowing:
        pytest.fail("numpy runs Python code, and drops its errors:\n  " + "\n  ".join(_swallowing))


@pytest.fixture
def rng(request: pytest.FixtureRequest) -> np.random.Generator:
    """Random numbers that a printed seed brings back."""
    return seeds.generator_for(request.node.nodeid)


@pytest.fixture
def users_folder() -> Iterator[Path]:
    """Run the test as an ordinary user, in a folder of that user's: root may do anything."""
    if not hasattr(os, "geteuid"):
        pytest.skip("this system has no users as Unix has them")
    folder = Path(tempfile.mkdtemp(prefix="czictypes-"))
    before = os.geteuid()
    if before == 0:
        os.chown(folder, _NOBODY, _NOBODY)
        os.seteuid(_NOBODY)
    yield folder
    os.seteuid(before)
    folder.chmod(0o700)
    shutil.rmtree(folder)


@pytest.fixture
def real_file() -> Callable[[str], Path]:
    """Give the path of a real file by its name; skip the test where there is none."""
    return find_real_file


@pytest.fixture(params=real_file_names() or [pytest.param("any.czi", id="none there")])
def every_real_file(request: pytest.FixtureRequest) -> Path:
    """Give the path of a real file; the test runs once for each of them."""
    return find_real_file(request.param)


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Made]:
    """Give a test file by the name of its recipe; it is shared, so not to be changed."""
    folder = tmp_path_factory.mktemp("made")
    built: dict[str, Made] = {}

    def get(name: str) -> Made:
        if name not in built:
            built[name] = build(name, folder)
        return built[name]

    return get


@pytest.fixture(params=sorted(RECIPES))
def every_made(request: pytest.FixtureRequest, made: Callable[[str], Made]) -> Made:
    """Give a test file; the test runs once for each recipe."""
    return made(request.param)


@pytest.fixture(scope="session")
def peers() -> ModuleType:
    """Give the module `peers`: the other readers of CZI, which skip where they are missing."""
    import peers

    return peers
