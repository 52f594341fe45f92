"""Hatchling's build hook: puts the native libraries and their declarations into the wheel.

With the environment variable CZICTYPES_NO_NATIVE=1 the wheel has no library, and is for every
platform that has its own libCZI. CZICTYPES_TARGET names another platform to
build the wheel for, one of native/targets.py.
"""

from __future__ import annotations

import os
import sys
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

__all__ = ["NativeBuildHook"]


class NativeBuildHook(BuildHookInterface):  # type: ignore[type-arg]
    """Builds the library before a wheel, also an editable one, is put together."""

    def dependencies(self) -> list[str]:
        """Return what the build needs besides: zig, if this machine has no compiler."""
        self._find_native()
        from native.errors import BuildError
        from native.targets import host_target
        from native.toolchain import ZIG, find_compiler

        if _is_set("CZICTYPES_NO_NATIVE"):
            return []
        if _is_set("CZICTYPES_TARGET"):
            return [ZIG]
        try:
            return [] if find_compiler() or not host_target() else [ZIG]
        except BuildError:  # which the build itself will raise
            return []

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build, and tell hatchling of the files and of the wheel's tag.

        Parameters
        ----------
        version
            `standard` or `editable`; an editable install gets the library into the checkout.
        build_data
            Hatchling's mutable description of the wheel.
        """
        self._find_native()
        import build_native
        from native.errors import BuildError
        from native.targets import find_target
        from native.wheel_tag import platform_tag

        report, chosen = self.app.display_info, os.environ.get("CZICTYPES_TARGET")
        # All are ignored by git, which hatchling takes for a reason to leave them out.
        build_data["artifacts"].append("czictypes/**/_declarations.py")
        try:
            build_native.build_declarations()
            if _is_set("CZICTYPES_NO_NATIVE"):
                build_data["tag"] = "py3-none-any"
                return
            target = find_target(chosen) if chosen else None
            libraries = build_native.build_for(target, report=report)
        except BuildError as error:
            raise SystemExit(f"czictypes: {error}") from None
        if target:
            build_data["force_include"][str(libraries[0].parent)] = "czictypes/_native"
        else:
            build_data["artifacts"].append("czictypes/_native/**")
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-{target.tag if target else platform_tag(*libraries)}"

    def _find_native(self) -> None:
        if self.root not in sys.path:
            sys.path.insert(0, self.root)


def _is_set(variable: str) -> bool:
    return os.environ.get(variable, "0") not in ("", "0")
