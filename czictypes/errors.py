"""The errors that czictypes raises; each is a `CziError` and the builtin that fits."""

from __future__ import annotations

from czictypes.model.errors import *  # noqa: F403
from czictypes.model.errors import __all__ as __all__
