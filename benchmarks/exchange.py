"""Measurements of the exchange with OME-Zarr.

Other packages that convert CZI want versions of zarr that exclude each other, so each is run by the
Python of an environment of its own, which a variable names: CZICTYPES_BENCHMARK_AICSIMAGEIO,
CZICTYPES_BENCHMARK_BIOIO_CONVERSION, CZICTYPES_BENCHMARK_CZITOOLS. Their time includes that of
starting it, about as long as they take to import.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.files import Files
from benchmarks.runs import Call, Runs, Scenario

__all__ = ["SCENARIOS"]

_CHUNK = (1, 1, 1, 1024, 1024)

#: By package: code that converts the file sys.argv[1] to a new store at sys.argv[2].
_OTHERS = {
    "aicsimageio": """
import sys
from aicsimageio import AICSImage
from aicsimageio.writers import OmeZarrWriter
image = AICSImage(sys.argv[1])
OmeZarrWriter(sys.argv[2]).write_image(
    image.dask_data, "image", image.physical_pixel_sizes, image.channel_names, None,
    scale_num_levels=4, dimension_order="TCZYX")
""",
    "bioio-conversion": """
import sys
from bioio_conversion import OmeZarrConverter
if __name__ == "__main__":
    OmeZarrConverter(source=sys.argv[1], destination=sys.argv[2]).convert()
""",
    "czitools": """
import sys
from czitools import read_tools
from czitools.export_tools.conversion import write_omezarr_ngff
arrays, _, _, metadata = read_tools.read_stacks(
    sys.argv[1], use_dask=True, use_xarray=True, stack_scenes=False, tile_size=4096)
array = arrays[0] if isinstance(arrays, list) else arrays
for name in set(array.dims) - set("TCZYX"):
    array = array.isel({name: 0}, drop=True)
write_omezarr_ngff(array.transpose(*"TCZYX"), sys.argv[2], metadata, overwrite=True,
                   chunks=(1, 1, 1, 1024, 1024))
""",
}


def _to_zarr(files: Files, stack: ExitStack) -> Runs:
    from czictypes import write_ome_zarr

    path, target = files.mosaic("zstd1:"), _target(files, stack)

    calls = {"czictypes": lambda: write_ome_zarr(path, target), **_others(path, target)}
    limits = {"zarr, the same chunks from memory": _from_memory(path, target)}
    return Runs(calls, limits, _remover(target), compared=False)


def _to_czi(files: Files, stack: ExitStack) -> Runs:
    from czictypes import from_ome_zarr, write_ome_zarr

    target = _target(files, stack)
    write_ome_zarr(files.mosaic("zstd1:"), target)
    path = files.folder / "from-zarr.czi"
    stack.callback(path.unlink, missing_ok=True)
    call = {"czictypes": lambda: from_ome_zarr(target, path, overwrite=True)}
    return Runs(call, {}, compared=False)


def _target(files: Files, stack: ExitStack) -> Path:
    target = files.folder / "written.ome.zarr"
    shutil.rmtree(target, ignore_errors=True)
    stack.callback(shutil.rmtree, target, ignore_errors=True)
    return target


def _remover(target: Path) -> Call:
    return lambda: shutil.rmtree(target, ignore_errors=True)


def _others(path: Path, target: Path) -> dict[str, Call]:
    found: dict[str, Call] = {}
    for package, code in _OTHERS.items():
        name = package.upper().replace("-", "_")
        python = os.environ.get(f"CZICTYPES_BENCHMARK_{name}")
        if python:
            found[package] = _in_another(python, code, path, target)
    return found


def _in_another(python: str, code: str, path: Path, target: Path) -> Call:
    script = target.with_name("convert.py")

    def convert() -> None:
        script.write_text(code)
        subprocess.run([python, script, path, target], check=True, capture_output=True)

    return convert


def _from_memory(path: Path, target: Path) -> Call:
    """Write levels that are in memory already."""
    import zarr

    from czictypes import CziImage

    with CziImage(path) as image:
        levels: list[NDArray[Any]] = [image.asarray()]
    while max(levels[-1].shape[-2:]) > _CHUNK[-1]:
        levels.append(np.ascontiguousarray(levels[-1][..., ::2, ::2]))

    def write() -> None:
        for number, level in enumerate(levels):
            array = zarr.create_array(
                target,
                name=str(number),
                shape=level.shape,
                dtype=level.dtype,
                chunks=_CHUNK,
                compressors=zarr.codecs.ZstdCodec(level=1),
            )
            array[:] = level

    return write


#: Nothing where zarr is not installed.
SCENARIOS: dict[str, Scenario] = (
    {"mosaic to OME-Zarr 0.5": _to_zarr, "OME-Zarr 0.5 to CZI": _to_czi}
    if find_spec("zarr") is not None
    else {}
)
