"""What docs/plugins.md says is true: its code runs and prints what it claims."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest
from extras import needs
from pages import ROOT, assert_prints_what_it_says, code_blocks

GUIDE = ROOT / "docs" / "plugins.md"


def test_the_guide_prints_what_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module, extra in (
        ("PIL.Image", "cli"),
        ("bioio", "bioio"),
        ("imageio.v3", "imageio"),
        ("ngff_zarr", "ome-zarr"),
        ("tensorstore", None),
        ("xarray", "xarray"),
        ("zarr", "ome-zarr"),
    ):
        needs(module, extra)
    xarray_backends(monkeypatch)
    monkeypatch.chdir(tmp_path)
    with warnings.catch_warnings():
        # bioio tries every reader there is, and imports what warns of itself
        warnings.simplefilter("ignore", DeprecationWarning)
        assert assert_prints_what_it_says(code_blocks(GUIDE, "python"), GUIDE) > 20


def xarray_backends(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have xarray know the engine where czictypes is not installed, but run from its checkout."""
    plugins = needs("xarray.backends.plugins", "xarray")
    if "czictypes" not in plugins.list_engines():
        engine = needs("czictypes.plugins.xarray", "xarray").CziBackendEntrypoint()
        known = {**plugins.list_engines(), "czictypes": engine}
        monkeypatch.setattr(plugins, "list_engines", lambda: known)
