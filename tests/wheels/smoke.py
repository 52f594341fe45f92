"""Reads a folder of CZI files, writes, edits and converts, with whatever czictypes is installed.

    python smoke.py run [--plain] DATA > here.json
    python smoke.py compare here.json there.json

Prints hashes of all that was read, as JSON, to be compared with those of another platform. Needs
nothing but czictypes; JPEG XR is written where imagecodecs is, OME-Zarr where zarr is.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import json
import platform
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from czictypes import CziImage, convert, czi, library_info
from czictypes.kernel.library import kernel_info

_MOST = 1200  # pixels along a side
_SUB_BLOCKS = 40
_COMPRESSIONS = ("uncompressed:", "zstd0:", "zstd1:", "zstd1:PreProcess=HiLoByteUnpack", "jpgxr:")


def _hash(data: Any) -> str:
    if isinstance(data, np.ndarray):
        head = f"{data.dtype.str} {data.shape} ".encode()
        return hashlib.sha256(head + np.ascontiguousarray(data).tobytes()).hexdigest()[:16]
    return hashlib.sha256(data if isinstance(data, bytes) else str(data).encode()).hexdigest()[:16]


def read(path: Path) -> dict[str, Any]:
    """Read a file in every way; return hashes."""
    found: dict[str, Any] = {}
    with czi.open_czi(path) as reader:
        found["box"] = str(reader.total_bounding_box)
        found["XML"] = _hash(reader.raw_metadata)
        found["sub-blocks"] = [
            _hash(reader.read_subblock(index).pixels())
            for index in range(min(len(reader.subblocks), _SUB_BLOCKS))
        ]
        found["attachments"] = [_hash(one.data) for one in reader.attachments]
        boxes: list[tuple[Any, Any]] = [(None, reader.total_bounding_rectangle)]
        for scene, (x, y, w, h) in [*boxes, *reader.scenes_bounding_rectangle.items()]:
            roi = (x, y, min(w, _MOST), min(h, _MOST))
            for zoom in (1.0, 0.3):
                found[f"scene {scene}, zoom {zoom}"] = _hash(
                    reader.read(roi, zoom=zoom, scene=scene)
                )
    with CziImage(path) as image:
        found["layout"] = f"{image.dims} {image.shape} {image.dtype}"
        for level in range(len(image.levels)):
            selection: dict[str, Any] = {name: 0 for name in image.dims if name not in "YXS"}
            selection.update(Y=slice(0, _MOST), X=slice(0, _MOST))
            found[f"level {level}"] = _hash(image.read_block(selection, level=level))
    return found


def write(folder: Path, *, plain: bool) -> dict[str, Any]:
    """Write a file with each compression, edit and convert it; return hashes."""
    found: dict[str, Any] = {}
    y, x = np.ogrid[:500, :700]
    pixels = (x * y // 5 % 60000).astype(np.uint16)
    for number, compression in enumerate(_COMPRESSIONS):
        if compression == "jpgxr:" and (plain or not importlib.util.find_spec("imagecodecs")):
            continue
        path = folder / f"Zellen \u7d30\u80de {number}.czi"
        with czi.create_czi(path) as new:
            for channel in range(2):
                new.write(pixels + channel, plane={"C": channel}, compression=compression)
            new.write_metadata(document_name="smoke", scale_x=2e-7, scale_y=2e-7)
        with czi.open_czi(path) as reader:
            if not np.array_equal(reader.read(plane={"C": 1})[..., 0], pixels + 1):
                raise AssertionError(f"{compression} gives other pixels than were written")
        found[compression] = read(path)["sub-blocks"]
    path = folder / "Zellen \u7d30\u80de 2.czi"
    with czi.edit_czi(path) as editor, editor.edit_session() as builder:
        builder.set_general_document_info(title="edited")
    with czi.open_czi(path) as reader:
        found["edited"] = "edited" in reader.raw_metadata
    if not plain and importlib.util.find_spec("zarr"):
        convert(path, folder / "image.ome.zarr")
        found["zarr"] = sorted(one.name for one in (folder / "image.ome.zarr").iterdir())
    return found


def run(data: Path, *, plain: bool = False) -> dict[str, Any]:
    """Do everything; return what is to be compared under "results"."""
    results: dict[str, Any] = {path.name: read(path) for path in sorted(data.glob("*.czi"))}
    with tempfile.TemporaryDirectory() as folder:
        results["written"] = write(Path(folder), plain=plain)
    about = {
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "machine": f"{platform.system()} {platform.machine()}",
        "numpy": np.__version__,
        "libCZI": str(library_info()),
        "kernel": str(kernel_info()),
    }
    return {"about": about, "results": results}


def compare(one: Any, other: Any, where: str = "") -> list[str]:
    """Return the places where two results differ."""
    if isinstance(one, dict) and isinstance(other, dict):
        return [
            line
            for name in sorted({*one, *other})
            for line in compare(one.get(name), other.get(name), f"{where}/{name}")
        ]
    return [] if one == other else [f"{where}: {one} and {other}"]


def main() -> int:
    """Run the command line; return 1 if results differ."""
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    read_and_write = commands.add_parser("run")
    read_and_write.add_argument("data", type=Path)
    read_and_write.add_argument(
        "--plain", action="store_true", help="leave out what other packages are needed for"
    )
    commands.add_parser("compare").add_argument("results", type=Path, nargs=2)
    options = parser.parse_args()
    if options.command == "run":
        json.dump(run(options.data, plain=options.plain), sys.stdout, indent=1)
        return 0
    one, other = (json.loads(path.read_text("utf-8")) for path in options.results)
    differences = compare(one["results"], other["results"])
    print(
        "\n".join(differences) or f"equal: {one['about']['machine']}, {other['about']['machine']}"
    )
    return bool(differences)


if __name__ == "__main__":
    sys.exit(main())
