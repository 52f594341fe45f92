"""What other packages find of czictypes in its metadata."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
from email.message import Message
from email.parser import Parser
from typing import Any

import pytest
from pages import ROOT

pytest.importorskip("hatch_vcs")
metadata_core = pytest.importorskip("hatchling.metadata.core")
metadata_spec = pytest.importorskip("hatchling.metadata.spec")
plugin_manager = pytest.importorskip("hatchling.plugin.manager")


@pytest.fixture(scope="module")
def project() -> Any:
    """Give the project's metadata as its build makes it of pyproject.toml."""
    return metadata_core.ProjectMetadata(str(ROOT), plugin_manager.PluginManager())


@pytest.fixture(scope="module")
def built(project: Any) -> Message:
    """Give the METADATA of a wheel."""
    return Parser().parsestr(metadata_spec.construct_metadata_file_2_4(project))


def test_bioio_is_required_once_over_all_extras(built: Message) -> None:
    """Otherwise every call of BioImage fails, for any file."""
    required = [one for one in built.get_all("Requires-Dist") or [] if one.startswith("bioio-base")]
    assert len(required) == 1
    assert "extra == 'bioio'" in required[0]


def test_all_brings_what_the_plugins_need(built: Message) -> None:
    lines = built.get_all("Requires-Dist") or []
    of_all = {re.split(r"[^\w-]", one)[0] for one in lines if one.endswith("extra == 'all'")}
    assert {"bioio", "dask", "fsspec", "imageio", "ome-types", "pillow", "xarray"} <= of_all


def test_bioio_finds_the_plugin_by_the_name_of_the_package(project: Any) -> None:
    groups = project.core.entry_points
    assert groups["bioio.readers"] == {project.core.name: "czictypes.plugins.bioio"}


def test_napari_finds_the_manifest(project: Any) -> None:
    manifest = project.core.entry_points["napari.manifest"]["czictypes"]
    package, name = manifest.split(":")
    assert package == "czictypes"
    assert (ROOT / "czictypes" / name).is_file()


def test_xarray_finds_the_backend(project: Any) -> None:
    pytest.importorskip("xarray")
    module, name = project.core.entry_points["xarray.backends"]["czictypes"].split(":")
    assert hasattr(importlib.import_module(module), name)


@pytest.mark.parametrize(
    ("module", "package", "extra"),
    [
        ("czictypes.plugins.bioio", "bioio_base", "bioio"),
        ("czictypes.plugins.imageio", "imageio", "imageio"),
        ("czictypes.plugins.xarray", "xarray", "xarray"),
    ],
)
def test_a_missing_package_is_named_with_its_extra(module: str, package: str, extra: str) -> None:
    code = f"""
import importlib, sys
from czictypes import errors
sys.modules[{package!r}] = None
try:
    importlib.import_module({module!r})
except errors.MissingExtraError as error:
    assert "czictypes[{extra}]" in str(error), error
else:
    raise AssertionError("it was imported")
"""
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True)
