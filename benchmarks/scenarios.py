"""The scenarios: for each, the same work is done by every reader that can do it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import exchange, writing
from benchmarks.files import Files
from benchmarks.limits import copying, decoding, reading, reading_pieces
from benchmarks.readers import Czictypes, Reader, installed
from benchmarks.remote import remote_reads
from benchmarks.runs import Call, Runs, Scenario
from czictypes import CziImage, czi

__all__ = ["SCENARIOS"]

#: Packages whose documents several threads may read from at once.
_SHARED = ("czictypes", "pylibCZIrw")
_CALLERS = (2, 4)
_JPEG_XR = "jpgxr:"


def _opened(path: Path, stack: ExitStack, callers: int, **options: Any) -> dict[str, Reader]:
    """Open a file with each package that is installed and takes these options."""
    opened: dict[str, Reader] = {}
    for kind in installed():
        if callers > 1 and kind.package not in _SHARED:
            continue
        try:
            reader = kind(path, **options)
        except NotImplementedError:
            continue
        except Exception as error:
            # a call that fails is shown as such; a file that cannot be opened is no different
            opened[kind.package] = _Failing(path, error)
            continue
        stack.callback(reader.close)
        opened[kind.package] = reader
    return opened


class _Failing(Reader):
    """Stands for a reader that could not open the file."""

    def __init__(self, path: Path, error: Exception) -> None:
        super().__init__(path)
        self._error = error

    def read(self, *_: Any, **__: Any) -> Any:
        raise self._error


def _reads(
    path: Path,
    stack: ExitStack,
    reads: list[dict[str, Any]],
    *,
    callers: int = 1,
    keep: Callable[[Any], Any] | None = None,
    **options: Any,
) -> Runs:
    """Return calls that do some reads, in so many threads of the caller's that share a reader.

    Only what `keep` makes of each result is kept, to be compared; all of it by default.
    """
    pool = stack.enter_context(ThreadPoolExecutor(callers)) if callers > 1 else None

    def call(reader: Reader) -> Call:
        def some(part: list[dict[str, Any]]) -> list[Any]:
            results = (reader.read(**read) for read in part)
            return list(results if keep is None else map(keep, results))

        parts = [reads[caller::callers] for caller in range(callers)]
        return lambda: list((map if pool is None else pool.map)(some, parts))

    opened = _opened(path, stack, callers, **options)
    return Runs({package: call(reader) for package, reader in opened.items()}, {})


def _import(code: str) -> Scenario:
    def scenario(files: Files, stack: ExitStack) -> Runs:
        # every package with its compiled modules where the first call has put them
        environment = {**os.environ, "PYTHONPYCACHEPREFIX": str(files.folder / "compiled")}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        path = files.many(1, 16)

        def call(text: str) -> Call:
            command = [sys.executable, "-c", text, os.fspath(path)]
            return lambda: subprocess.run(command, check=True, env=environment)

        found = [name for name in ("czictypes", "pylibCZIrw") if find_spec(name)]
        calls = {name: call(code.format(module=f"{name}.czi")) for name in found}
        if "open" not in code:
            more = [name for name in ("aicspylibczi", "czifile", "bioio_czi") if find_spec(name)]
            calls |= {name.replace("_", "-"): call(f"import {name}") for name in more}
        return Runs(calls, {"python and numpy": call("import numpy")}, compared=False)

    return scenario


def _open(count: int, quick_count: int) -> Scenario:
    def scenario(files: Files, stack: ExitStack) -> Runs:
        path = files.many(quick_count if files.quick else count, 16)

        def call(kind: type[Reader]) -> Call:
            def box() -> Any:
                reader = kind(path)
                try:
                    return reader.box()
                finally:
                    reader.close()

            return box

        return Runs({kind.package: call(kind) for kind in installed()}, {})

    return scenario


def _plane(compression: str, *, into: bool = False, callers: int = 1) -> Scenario:
    def scenario(files: Files, stack: ExitStack) -> Runs:
        path = files.mosaic(compression)
        size = files.tiles * 1024
        shape = size, size
        outs = [{"out": np.zeros((*shape, 1), np.uint16)} if into else {} for _ in range(callers)]
        limits: dict[str, Call] = {}
        if callers > 1 or compression == _JPEG_XR:
            pass
        elif "zstd" in compression:
            limits = {"libzstd on all CPUs": decoding(path)}
        elif into:
            limits = {"memcpy": copying(shape)}
        else:
            limits = {"read the bytes into a new array": reading(path, shape)}
        return _reads(path, stack, outs, callers=callers)._replace(limits=limits)

    return scenario


def _small_tiles(**read: Any) -> Scenario:
    def scenario(files: Files, stack: ExitStack) -> Runs:
        return _reads(files.many(2500 if files.quick else 40_000, 40), stack, [read])

    return scenario


def _of_shared(runs: Runs) -> Runs:
    """Return the calls of the packages that compose planes as czictypes does."""
    return runs._replace(calls={name: runs.calls[name] for name in _SHARED if name in runs.calls})


def _overlapping(compression: str) -> Scenario:
    def scenario(files: Files, stack: ExitStack) -> Runs:
        return _of_shared(_reads(files.overlapping(compression), stack, [{}]))

    return scenario


def _roi(compression: str, *, cached: bool, side: int = 256, callers: int = 1) -> Scenario:
    def scenario(files: Files, stack: ExitStack) -> Runs:
        options: dict[str, Any] = {}
        if cached:
            options["cache_options"] = czi.CacheOptions(czi.CacheType.Standard, 1 << 28, 1000)
        reads = [{"roi": (300, 300, side, side)}] * 20
        return _reads(files.mosaic(compression), stack, reads, callers=callers, **options)

    return scenario


def _rois_of_large_tiles(callers: int) -> Scenario:
    def scenario(files: Files, stack: ExitStack) -> Runs:
        places = np.random.default_rng(0).integers(0, files.tiles * 1024 - 256, (400, 2))
        reads = [{"roi": (int(x), int(y), 256, 256)} for x, y in places]
        runs = _reads(files.mosaic(), stack, reads, callers=callers)
        runs.calls.pop("bioio-czi", None)  # reads whole tiles for each region: many minutes
        return runs

    return scenario


def _rois(count: int, quick_count: int, *, callers: int = 1) -> Scenario:
    def scenario(files: Files, stack: ExitStack) -> Runs:
        number = quick_count if files.quick else count
        side = round(number**0.5) * 16
        places = np.random.default_rng(0).integers(0, side - 256, (100 if files.quick else 1000, 2))
        reads = [{"roi": (int(x), int(y), 256, 256)} for x, y in places]
        runs = _reads(files.many(number, 16), stack, reads, callers=callers)
        runs.calls.pop("bioio-czi", None)  # reads the whole plane for each region: many minutes
        if number > 10_000:
            runs.calls.pop("aicspylibczi", None)  # looks at all sub-blocks for each, likewise
        return runs

    return scenario


def _zoom(*, pyramid: bool, callers: int = 1) -> Scenario:
    def scenario(files: Files, stack: ExitStack) -> Runs:
        path = files.mosaic("zstd1:", pyramid=pyramid)
        return _reads(path, stack, [{"zoom": 0.05}] * callers, callers=callers)

    return scenario


def _stack(callers: int) -> Scenario:
    def scenario(files: Files, stack: ExitStack) -> Runs:
        planes = [{"z": z} for z in range(50 if files.quick else 200)]

        def some_pixels(plane: Any) -> Any:
            return np.asarray(plane)[::256, ::256].copy()

        path = files.stack()
        limits: dict[str, Call] = {}
        if callers == 1:
            limits = {"read the bytes of each into a new array": reading_pieces(path, 2 << 20)}
        reads = _reads(path, stack, planes, callers=callers, keep=some_pixels)
        return reads._replace(limits=limits)

    return scenario


def _planes_together(*, lazily: bool) -> Scenario:
    """All planes of a stack: in one call of czictypes, and one by one in the others."""

    def scenario(files: Files, stack: ExitStack) -> Runs:
        path = files.stack(512)
        count = 50 if files.quick else 200
        runs = _reads(path, stack, [{"z": z} for z in range(count)])
        image = stack.enter_context(CziImage(path))

        def together() -> Any:
            if lazily:
                return list(image.get_image_dask_data("ZYX").compute())
            return list(image.get_image_data("ZYX"))

        return _of_shared(runs._replace(calls={**runs.calls, "czictypes": together}))

    return scenario


def _remote(roi: tuple[int, int, int, int] | None) -> Scenario:
    def scenario(files: Files, stack: ExitStack) -> Runs:
        return Runs(remote_reads(files.mosaic(), stack, roi=roi), {})

    return scenario


def _conversion(files: Files, stack: ExitStack) -> Runs:
    return _reads(files.mosaic(), stack, [{"pixel_type": "Gray8"}])


def _composite(files: Files, stack: ExitStack) -> Runs:
    reader = Czictypes(files.mosaic())
    stack.callback(reader.close)
    shown = czi.ChannelDisplaySettingsDataClass(
        True, czi.TintingMode.Color, czi.Rgb8Color(255, 128, 0), 0.0, 0.1
    )
    return Runs({"czictypes": lambda: reader.document.composite(display_settings={0: shown})}, {})


def _by_callers(name: str, make: Callable[[int], Scenario]) -> dict[str, Scenario]:
    """Return a scenario for one caller, and for more of them."""
    more = {f"{name}, {callers} callers": make(callers) for callers in _CALLERS}
    return {name: make(1)} | more


SCENARIOS: dict[str, Scenario] = {
    "import": _import("import {module}"),
    "import and open": _import("import sys; from {module} import open_czi; open_czi(sys.argv[1])"),
    "open, 1 sub-block": _open(1, 1),
    "open, 40,000 sub-blocks": _open(40_000, 10_000),
    "open, 1,000,000 sub-blocks": _open(1_000_000, 40_000),
    **_by_callers("plane, uncompressed", lambda n: _plane("uncompressed:", callers=n)),
    **_by_callers(
        "plane, uncompressed, out=", lambda n: _plane("uncompressed:", into=True, callers=n)
    ),
    "plane, zstd0": _plane("zstd0:"),
    **_by_callers("plane, zstd1", lambda n: _plane("zstd1:", callers=n)),
    "plane, zstd1, HiLo": _plane("zstd1:PreProcess=HiLoByteUnpack"),
    **_by_callers("plane, JPEG XR", lambda n: _plane(_JPEG_XR, callers=n)),
    "plane, 40,000 small tiles": _small_tiles(),
    "zoom 0.05, 40,000 small tiles": _small_tiles(zoom=0.05),
    "plane, tiles overlap, uncompressed": _overlapping("uncompressed:"),
    "plane, tiles overlap, zstd1, HiLo": _overlapping("zstd1:PreProcess=HiLoByteUnpack"),
    "20 times a roi of 30 x 30, uncompressed": _roi("uncompressed:", cached=False, side=30),
    "20 times a roi of 256 x 256, uncompressed": _roi("uncompressed:", cached=False),
    **_by_callers("400 random rois of 256 x 256, uncompressed", _rois_of_large_tiles),
    "20 times a roi of 30 x 30, zstd1, cache": _roi("zstd1:", cached=True, side=30),
    **_by_callers(
        "20 times a roi of 256 x 256, zstd1", lambda n: _roi("zstd1:", cached=False, callers=n)
    ),
    **_by_callers(
        "20 times a roi of 256 x 256, zstd1, cache",
        lambda n: _roi("zstd1:", cached=True, callers=n),
    ),
    **_by_callers("random rois, 40,000 sub-blocks", lambda n: _rois(40_000, 10_000, callers=n)),
    "random rois, 1,000,000 sub-blocks": _rois(1_000_000, 40_000),
    **_by_callers("zoom 0.05, no pyramid", lambda n: _zoom(pyramid=False, callers=n)),
    "zoom 0.05, pyramid": _zoom(pyramid=True),
    **_by_callers("200 planes of a stack", _stack),
    "200 planes of 512 x 512 together": _planes_together(lazily=False),
    "200 planes of 512 x 512 together, dask": _planes_together(lazily=True),
    "remote mosaic, 50 ms latency": _remote(None),
    "remote roi of 1500 x 1500, 50 ms latency": _remote((300, 300, 1500, 1500)),
    "plane as Gray8": _conversion,
    "composite": _composite,
    "write 256 MB, uncompressed": writing.write("uncompressed:"),
    "write 256 MB, zstd1": writing.write("zstd1:"),
    "write 256 MB, zstd1, pyramid": writing.write("zstd1:", pyramid=True),
    "write 4,096 small tiles": writing.write_small,
    "copy without decoding": writing.copy,
    **exchange.SCENARIOS,
}
