"""What is measured: for each scenario the same work done by every reader that can do it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.files import Files
from benchmarks.limits import copying, decoding, reading
from benchmarks.readers import READERS, Czictypes, Reader
from benchmarks.remote import remote_reads
from czictypes import czi

__all__ = ["SCENARIOS", "Runs"]

Call = Callable[[], Any]


class Runs(NamedTuple):
    """The calls of a scenario by package, those that tell a limit, and whether results are equal.

    A limit is what the machine can do: nobody can be faster who does all of the work.
    """

    calls: dict[str, Call]
    limits: dict[str, Call]
    compared: bool = True


Scenario = Callable[[Files, ExitStack], Runs]


def _opened(path: Path, stack: ExitStack, **options: Any) -> dict[str, Reader]:
    """Open a file with each package that is installed and takes these options."""
    opened: dict[str, Reader] = {}
    for kind in READERS:
        if find_spec(kind.package.replace("-", "_")) is None:
            continue
        try:
            reader = kind(path, **options)
        except NotImplementedError:
            continue
        stack.callback(reader.close)
        opened[kind.package] = reader
    return opened


def _reads(path: Path, stack: ExitStack, reads: list[dict[str, Any]], **options: Any) -> Runs:
    def call(reader: Reader) -> Call:
        return lambda: [reader.read(**one) for one in reads]

    opened = _opened(path, stack, **options)
    return Runs({package: call(reader) for package, reader in opened.items()}, {})


def _import(files: Files, stack: ExitStack) -> Runs:
    def call(module: str) -> Call:
        return lambda: subprocess.run([sys.executable, "-c", f"import {module}"], check=True)

    modules = {"czictypes": "czictypes.czi", "pylibCZIrw": "pylibCZIrw.czi"}
    modules |= {name: name for name in ("aicspylibczi", "czifile") if find_spec(name)}
    return Runs({name: call(module) for name, module in modules.items()}, {"python": call("sys")},
                compared=False)  # fmt: skip


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

        installed = [kind for kind in READERS if find_spec(kind.package.replace("-", "_"))]
        return Runs({kind.package: call(kind) for kind in installed}, {})

    return scenario


def _plane(compression: str, *, into: bool = False) -> Scenario:
    def scenario(files: Files, stack: ExitStack) -> Runs:
        path = files.mosaic(compression)
        more: dict[str, Any] = {}
        size = files.tiles * 1024
        if into:
            more["out"] = np.zeros((size, size, 1), np.uint16)
        runs = _reads(path, stack, [more])
        shape = size, size
        if "zstd" in compression:
            limits = {"libzstd on all CPUs": decoding(path)}
        elif compression.startswith("jpgxr"):
            limits = {}
        elif into:
            limits = {"memcpy": copying(shape)}
        else:
            limits = {"read the bytes into a new array": reading(path, shape)}
        return Runs(runs.calls, limits)

    return scenario


def _planes(compression: str, callers: int) -> Scenario:
    """So many callers read the whole plane at the same time."""

    def scenario(files: Files, stack: ExitStack) -> Runs:
        opened = _opened(files.mosaic(compression), stack)
        pool = stack.enter_context(ThreadPoolExecutor(callers))

        def call(reader: Reader) -> Call:
            def read(_: int) -> NDArray[Any]:
                return np.asarray(reader.read())[::64, ::64].copy()

            return lambda: list(pool.map(read, range(callers)))

        one_at_a_time = ("aicspylibczi", "czifile")  # for which a document is no shared thing
        return Runs(
            {name: call(one) for name, one in opened.items() if name not in one_at_a_time}, {}
        )

    return scenario


def _small_tiles(files: Files, stack: ExitStack) -> Runs:
    return _reads(files.many(2500 if files.quick else 40_000, 40), stack, [{}])


def _roi(compression: str, *, cached: bool) -> Scenario:
    def scenario(files: Files, stack: ExitStack) -> Runs:
        options: dict[str, Any] = {}
        if cached:
            options["cache_options"] = czi.CacheOptions(czi.CacheType.Standard, 1 << 28, 1000)
        reads = [{"roi": (300, 300, 256, 256)}] * 20
        return _reads(files.mosaic(compression), stack, reads, **options)

    return scenario


def _rois(count: int, quick_count: int) -> Scenario:
    def scenario(files: Files, stack: ExitStack) -> Runs:
        number = quick_count if files.quick else count
        side = round(number**0.5) * 16
        places = np.random.default_rng(0).integers(0, side - 256, (100 if files.quick else 1000, 2))
        reads = [{"roi": (int(x), int(y), 256, 256)} for x, y in places]
        runs = _reads(files.many(number, 16), stack, reads)
        if number > 10_000:
            runs.calls.pop("aicspylibczi", None)  # looks at all sub-blocks for each: many minutes
        return runs

    return scenario


def _zoom(*, pyramid: bool) -> Scenario:
    def scenario(files: Files, stack: ExitStack) -> Runs:
        return _reads(files.mosaic("zstd1:", pyramid=pyramid), stack, [{"zoom": 0.05}])

    return scenario


def _stack(callers: int) -> Scenario:
    def scenario(files: Files, stack: ExitStack) -> Runs:
        opened = _opened(files.stack(), stack)
        planes = range(50 if files.quick else 200)
        pool = stack.enter_context(ThreadPoolExecutor(callers)) if callers > 1 else None

        def call(reader: Reader) -> Call:
            def read(z: int) -> NDArray[Any]:
                return np.asarray(reader.read(z=z))[::256, ::256].copy()

            return lambda: list(map(read, planes) if pool is None else pool.map(read, planes))

        opened.pop("czifile", None)
        if callers > 1:
            opened.pop("aicspylibczi", None)  # one document must not be used by several threads
        return Runs({package: call(reader) for package, reader in opened.items()}, {})

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


def _write(compression: str, *, pyramid: bool = False) -> Scenario:
    def scenario(files: Files, stack: ExitStack) -> Runs:
        from benchmarks.files import picture

        tiles = [picture(number) for number in range(8)]
        count = 16 if files.quick else 128
        path = files.folder / "written.czi"
        stack.callback(path.unlink, missing_ok=True)

        def call(module: Any) -> Call:
            def write() -> None:
                path.unlink(missing_ok=True)
                with module.create_czi(str(path), compression_options=compression) as writer:
                    for number in range(count):
                        place = number % 16 * 1024, number // 16 * 1024
                        writer.write(tiles[number % 8], location=place)
                if pyramid:
                    czi.add_pyramid(path)

            return write

        calls = {"czictypes": call(czi)}
        if not pyramid and find_spec("pylibCZIrw"):
            from pylibCZIrw import czi as peer

            calls["pylibCZIrw"] = call(peer)
        return Runs(calls, {}, compared=False)

    return scenario


def _copy(files: Files, stack: ExitStack) -> Runs:
    path, target = files.mosaic(), files.folder / "copied.czi"
    stack.callback(target.unlink, missing_ok=True)

    def copy() -> None:
        target.unlink(missing_ok=True)
        czi.copy(path, target)

    return Runs({"czictypes": copy}, {}, compared=False)


SCENARIOS: dict[str, Scenario] = {
    "import": _import,
    "open, 1 sub-block": _open(1, 1),
    "open, 40,000 sub-blocks": _open(40_000, 10_000),
    "open, 1,000,000 sub-blocks": _open(1_000_000, 40_000),
    "plane, uncompressed": _plane("uncompressed:"),
    "plane, uncompressed, out=": _plane("uncompressed:", into=True),
    "plane, zstd0": _plane("zstd0:"),
    "plane, zstd1": _plane("zstd1:"),
    "plane, zstd1, HiLo": _plane("zstd1:PreProcess=HiLoByteUnpack"),
    "plane, JPEG XR": _plane("jpgxr:"),
    "plane, uncompressed, 2 callers": _planes("uncompressed:", 2),
    "plane, uncompressed, 4 callers": _planes("uncompressed:", 4),
    "plane, zstd1, 2 callers": _planes("zstd1:", 2),
    "plane, zstd1, 4 callers": _planes("zstd1:", 4),
    "plane, 40,000 small tiles": _small_tiles,
    "20 times a roi of 256 x 256, zstd1": _roi("zstd1:", cached=False),
    "20 times a roi of 256 x 256, zstd1, cache": _roi("zstd1:", cached=True),
    "random rois, 40,000 sub-blocks": _rois(40_000, 10_000),
    "random rois, 1,000,000 sub-blocks": _rois(1_000_000, 40_000),
    "zoom 0.05, no pyramid": _zoom(pyramid=False),
    "zoom 0.05, pyramid": _zoom(pyramid=True),
    "200 planes of a stack": _stack(1),
    "200 planes of a stack, 2 callers": _stack(2),
    "200 planes of a stack, 4 callers": _stack(4),
    "remote mosaic, 50 ms latency": _remote(None),
    "remote roi of 1500 x 1500, 50 ms latency": _remote((300, 300, 1500, 1500)),
    "plane as Gray8": _conversion,
    "composite": _composite,
    "write 256 MB, uncompressed": _write("uncompressed:"),
    "write 256 MB, zstd1": _write("zstd1:"),
    "write 256 MB, zstd1, pyramid": _write("zstd1:", pyramid=True),
    "copy without decoding": _copy,
}
