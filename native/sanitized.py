"""Run a command with the native libraries under sanitizers (gcc on Linux).

    python native/sanitized.py python -m pytest tests/reading
    python native/sanitized.py --kernel thread python tests/kernel_fuzz.py

The first command has libCZI and the kernel under AddressSanitizer and UndefinedBehaviorSanitizer.
``--kernel address`` and ``--kernel thread`` have only the kernel under sanitizers, the latter under
ThreadSanitizer. The libraries are built first, in build/native. A finding ends the command. Leaks
are not detected, because Python itself keeps memory at exit; the fuzzer of the decoder detects
them.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

__all__ = ["main"]

_ROOT = Path(__file__).resolve().parents[1]
#: Loaded before Python, which was built without them; and that of C++, whose exceptions they see.
_PRELOADED = {
    "address": ("libasan.so", "libubsan.so", "libstdc++.so.6"),
    "thread": ("libtsan.so", "libstdc++.so.6"),
}
_OPTIONS = {
    "ASAN_OPTIONS": "detect_leaks=0:allocator_may_return_null=1",
    "UBSAN_OPTIONS": "print_stacktrace=1",
    # Python and numpy, which were built without it, are not looked at.
    "TSAN_OPTIONS": "halt_on_error=1:ignore_noninstrumented_modules=1:allocator_may_return_null=1",
}


def main(command: list[str]) -> int:
    """Build the libraries, run the command, and return its status."""
    sys.path.append(str(_ROOT))  # at the end: what is installed goes first
    import build_native
    from native.errors import BuildError

    sanitizer, libraries = "address", {}
    try:
        build_native.build_declarations()
        if command[:1] == ["--kernel"]:
            sanitizer, command = command[1], command[2:]
        else:
            output = _ROOT / "build" / "native" / "sanitized"
            libraries["CZICTYPES_LIBRARY"] = str(build_native.build(output, sanitize=True))
        output = _ROOT / "build" / "native" / f"sanitized-{sanitizer}"
        kernel = build_native.build_kernel(output, sanitizer=sanitizer)
    except BuildError as error:
        print(f"native/sanitized.py: {error}", file=sys.stderr)
        return 1
    environment = {
        **os.environ,
        **libraries,
        **_OPTIONS,
        "CZICTYPES_KERNEL": str(kernel),
        "LD_PRELOAD": " ".join(map(_library_of_compiler, _PRELOADED[sanitizer])),
    }
    return subprocess.run(command, env=environment, check=False).returncode


def _library_of_compiler(name: str) -> str:
    compiler = shlex.split(os.environ.get("CXX", "g++"))
    found = subprocess.run(
        [*compiler, f"-print-file-name={name}"], check=True, stdout=subprocess.PIPE, text=True
    ).stdout.strip()
    return str(Path(found).resolve())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
