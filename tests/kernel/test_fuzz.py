"""A few cases of kernel_fuzz.py, which runs for longer under sanitizers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from kernel_fuzz import Fuzzer

from czictypes.kernel.library import get_kernel, kernel_info


def test_damage_ends_no_process(tmp_path: Path, rng: np.random.Generator) -> None:
    kernel = get_kernel()
    if kernel is None:
        pytest.skip(f"there is no kernel: {kernel_info().reason}")
    fuzzer = Fuzzer(kernel, tmp_path)
    for _ in range(12):
        fuzzer.run(int(rng.integers(1 << 30)))
    assert fuzzer.outcomes["painted"]
