"""The platforms that the libraries are built for, and how zig, cmake and wheels call them."""

from __future__ import annotations

import platform
import struct
import sys
import sysconfig
from dataclasses import dataclass

from native.errors import BuildError

__all__ = ["TARGETS", "Target", "find_target", "host_target", "library_ending"]


@dataclass(frozen=True)
class Target:
    """A platform to build for with zig.

    Attributes
    ----------
    name
        The system and the processor, such as ``linux-x86_64``.
    triple
        The platform in zig's words, with the oldest version of the system that the library runs on.
    tag
        The platform part of the wheel's tag.
    """

    name: str
    triple: str
    tag: str

    @property
    def family(self) -> str:
        """The first part of the name: ``linux``, ``musllinux``, ``windows`` or ``macos``."""
        return self.name.partition("-")[0]

    @property
    def system(self) -> str:
        """The name of the system in cmake's words: ``Linux``, ``Windows`` or ``Darwin``."""
        return {"windows": "Windows", "macos": "Darwin"}.get(self.family, "Linux")

    @property
    def processor(self) -> str:
        """The processor, such as ``x86_64``."""
        return self.name.partition("-")[2]


def _glibc(processor: str, triple: str) -> Target:
    # The second name is that of pip before version 20.3, as Python 3.9 of older systems has it.
    tag = f"manylinux_2_17_{processor}.manylinux2014_{processor}"
    return Target(f"linux-{processor}", triple, tag)


#: The platforms that wheels are made for. 2.17 is the oldest glibc with a wheel tag of its own that
#: numpy supports; macOS 11 is the first for Apple's processors.
TARGETS = {
    target.name: target
    for target in (
        _glibc("x86_64", "x86_64-linux-gnu.2.17"),
        _glibc("aarch64", "aarch64-linux-gnu.2.17"),
        Target("musllinux-x86_64", "x86_64-linux-musl", "musllinux_1_2_x86_64"),
        Target("musllinux-aarch64", "aarch64-linux-musl", "musllinux_1_2_aarch64"),
        Target("windows-x86_64", "x86_64-windows-gnu", "win_amd64"),
        Target("windows-arm64", "aarch64-windows-gnu", "win_arm64"),
        Target("macos-x86_64", "x86_64-macos.11.0", "macosx_11_0_x86_64"),
        Target("macos-arm64", "aarch64-macos.11.0", "macosx_11_0_arm64"),
    )
}


def find_target(name: str) -> Target:
    """Return the target of that name; raise BuildError if there is none."""
    try:
        return TARGETS[name]
    except KeyError:
        raise BuildError(
            f"There is no target {name}: choose one of {', '.join(sorted(TARGETS))}."
        ) from None


def host_target() -> Target | None:
    """Return the target of the Python that runs this; None if there is none."""
    if struct.calcsize("P") != 8:  # such a Python also runs on a 64-bit system
        return None
    machine = platform.machine().lower()
    if sys.platform == "win32":
        # Windows on ARM also runs a Python for x86-64, which counts.
        machine = "arm64" if sysconfig.get_platform() == "win-arm64" else "x86_64"
        return TARGETS[f"windows-{machine}"]
    if sys.platform == "darwin":
        return TARGETS.get(f"macos-{machine}")
    host = f"{sysconfig.get_config_var('HOST_GNU_TYPE')} {sysconfig.get_config_var('SOABI')}"
    return TARGETS.get(f"{'musllinux' if 'musl' in host else sys.platform}-{machine}")


def library_ending(target: Target | None) -> str:
    """Return the ending of a shared library, such as ``.so``; without a target, on this system."""
    system = {"win32": "Windows", "darwin": "Darwin"}.get(sys.platform, "Linux")
    if target is not None:
        system = target.system
    return {"Windows": ".dll", "Darwin": ".dylib"}.get(system, ".so")
