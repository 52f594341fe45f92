"""Fuzz libCZI's decoder of JPEG XR, with our patch, under sanitizers: for hours, or a few minutes.

    python -m native.fuzz --seconds 1800

Needs clang with libFuzzer (on Debian: apt-get install clang), or another that CC and CXX name. Data
that lead to new code are kept in build/native/fuzz/corpus, where the next run takes them up. What
crashes, leaks or takes too long lies in build/native/fuzz/findings: give its path to try it again.
"""

from __future__ import annotations

import argparse
import base64
import os
import subprocess
import sys
from pathlib import Path

import build_native
from native.errors import BuildError

__all__ = ["main"]

_SEEDS = Path(__file__).with_name("seeds.txt")
#: Memory and time in which a tile of a few kilobytes must be decoded or refused.
_LIMITS = ["-max_len=4096", "-timeout=20", "-rss_limit_mb=2048"]


def main(arguments: list[str] | None = None) -> int:
    """Build the fuzzer and run it; return its status, which is 0 if it found nothing."""
    options = _parser().parse_args(arguments)
    os.environ.setdefault("CC", "clang")
    os.environ.setdefault("CXX", "clang++")
    try:
        fuzzer = build_native.build_fuzzer()
    except BuildError as error:
        print(f"native.fuzz: {error}", file=sys.stderr)
        return 1
    work = fuzzer.parent.parent
    seeds, corpus, findings = (work / name for name in ("seeds", "corpus", "findings"))
    for folder in (seeds, corpus, findings):
        folder.mkdir(exist_ok=True)
    for number, line in enumerate(_SEEDS.read_text("ascii").splitlines()[1:]):
        (seeds / f"{number:02}").write_bytes(base64.b64decode(line))
    what = options.files or [
        *(str(corpus), str(seeds)),
        f"-max_total_time={options.seconds}",
        f"-artifact_prefix={findings}{os.sep}",
    ]
    environment = {**os.environ, "ASAN_OPTIONS": "detect_leaks=1:max_allocation_size_mb=512:"
                   "allocator_may_return_null=1"}  # fmt: skip
    return subprocess.run([str(fuzzer), *_LIMITS, *what], env=environment, check=False).returncode


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m native.fuzz",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--seconds", type=int, default=1800, help="how long to search (default: 1800)"
    )
    parser.add_argument("files", nargs="*", help="decode these files once, and search for nothing")
    return parser


if __name__ == "__main__":
    sys.exit(main())
