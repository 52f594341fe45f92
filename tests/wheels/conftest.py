"""Makes the modules of the native build importable; they are not part of the installed package."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

# At the end: what is installed goes before what lies in the checkout.
if str(ROOT) not in sys.path:
    sys.path.append(str(ROOT))
