"""Scenarios of writing and copying; what was written is read back and compared."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from benchmarks.files import Files, picture
from benchmarks.limits import copying_file, encoding, writing
from benchmarks.runs import Call, Runs, Scenario
from czictypes import czi

__all__ = ["copy", "write", "write_small"]


def write(compression: str, *, pyramid: bool = False) -> Scenario:
    """Return the scenario of writing tiles of 2 MB, 128 of them."""

    def scenario(files: Files, stack: ExitStack) -> Runs:
        count = 16 if files.quick else 128
        tiles = [picture(number) for number in range(8)]
        chosen = [tiles[number % 8] for number in range(count)]
        places = [(number % 16 * 1024, number // 16 * 1024) for number in range(count)]
        path = _target(files, stack)

        def call(module: Any, finish: Callable[[Path], Any]) -> Call:
            def run() -> Path:
                with module.create_czi(str(path), compression_options=compression) as writer:
                    for pixels, place in zip(chosen, places):
                        writer.write(pixels, location=place)
                finish(path)
                return path

            return run

        calls = {"czictypes": call(czi, czi.add_pyramid if pyramid else _nothing)}
        if not pyramid:
            calls |= {name: call(module, _nothing) for name, module in _peers().items()}
        limit: dict[str, Call] = {"write the bytes": writing(path, chosen)}
        if compression.startswith("zstd"):
            limit = {"libzstd on all CPUs": encoding(chosen, compression)}
        return Runs(calls, {} if pyramid else limit, _remover(path), _read_back)

    return scenario


def write_small(files: Files, stack: ExitStack) -> Runs:
    """Write tiles of 32 x 32 pixels, one call each."""
    side = 16 if files.quick else 64
    pixels = picture(0)[:32, :32].copy()
    path = _target(files, stack)

    def call(module: Any) -> Call:
        def run() -> Path:
            with module.create_czi(str(path)) as writer:
                for number in range(side * side):
                    place = number % side * 32, number // side * 32
                    writer.write(pixels, location=place)
            return path

        return run

    calls = {"czictypes": call(czi)} | {name: call(module) for name, module in _peers().items()}
    return Runs(calls, {}, _remover(path), _read_back)


def copy(files: Files, stack: ExitStack) -> Runs:
    """Copy a document without decoding its sub-blocks."""
    path, target = files.mosaic(), _target(files, stack)

    def run() -> Path:
        czi.copy(path, target)
        return target

    limits = {"read and write the bytes": copying_file(path, target)}
    return Runs({"czictypes": run}, limits, _remover(target))


def _target(files: Files, stack: ExitStack) -> Path:
    path = files.folder / "written.czi"
    files.folder.mkdir(parents=True, exist_ok=True)
    stack.callback(path.unlink, missing_ok=True)
    return path


def _remover(path: Path) -> Call:
    return lambda: path.unlink(missing_ok=True)


def _peers() -> dict[str, Any]:
    if find_spec("pylibCZIrw") is None:
        return {}
    from pylibCZIrw import czi as peer

    return {"pylibCZIrw": peer}


def _nothing(_: Path) -> None:
    pass


def _read_back(path: Path) -> Any:
    with czi.open_czi(path) as document:
        return document.read()
