"""The seed of the tests that try random input: the same for a whole run, and always printed."""

from __future__ import annotations

import os
import secrets
import zlib

import numpy as np

__all__ = ["VARIABLE", "generator_for", "run_seed", "set_run_seed"]

VARIABLE = "CZICTYPES_TEST_SEED"


def run_seed() -> int:
    """Return the seed of this run, taken from the environment or drawn now.

    It is kept in the environment, where worker processes find it.
    """
    return int(os.environ.setdefault(VARIABLE, str(secrets.randbelow(10**9))))


def set_run_seed(seed: int) -> None:
    """Repeat an earlier run."""
    os.environ[VARIABLE] = str(seed)


def generator_for(test: str) -> np.random.Generator:
    """Return the generator of one test; it does not depend on which tests ran before."""
    return np.random.default_rng([run_seed(), zlib.crc32(test.encode())])
