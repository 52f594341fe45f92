"""Hatchling's build hook: puts the native libraries and their declarations into the wheel.

With the environment variable CZICTYPES_NO_NATIVE=1 the wheel has no library, and is for every
platform that has its own libCZI.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

__all__ = ["NativeBuildHook"]


class NativeBuildHook(BuildHookInterface):  # type: ignore[type-arg]
    """Builds the library before a wheel, also an editable one, is put together."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build, and tell hatchling of the files and of the wheel's tag.

        Parameters
        ----------
        version
            `standard` or `editable`; an editable install gets the library into the checkout.
        build_data
            Hatchling's mutable description of the wheel.
        """
        if self.root not in sys.path:
            sys.path.insert(0, self.root)
        import build_native
        from native.errors import BuildError
        from native.wheel_tag import platform_tag

        # All are ignored by git, which hatchling takes for a reason to leave them out.
        build_data["artifacts"].append("czictypes/**/_declarations.py")
        try:
            build_native.build_declarations()
            if os.environ.get("CZICTYPES_NO_NATIVE", "0") not in ("", "0"):
                build_data["tag"] = "py3-none-any"
                return
            library = build_native.build(report=self.app.display_info)
            build_native.build_kernel(report=self.app.display_info)
        except BuildError as error:
            raise SystemExit(f"czictypes: {error}") from None
        build_data["artifacts"].append("czictypes/_native/**")
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-{platform_tag(Path(library))}"
