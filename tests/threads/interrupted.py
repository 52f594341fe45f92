"""Interrupts work at random moments, again and again, in a process of its own.

``python -m threads.interrupted FOLDER COUNT SEED JOB...`` (in the folder of the tests) prints
nothing when all is well. Whatever does not end is killed, and tells where it stood.
"""

from __future__ import annotations

import faulthandler
import gc
import io
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import swallowed

from czictypes import czi
from czictypes.arrays.image import CziImage
from czictypes.exchange.convert import convert
from czictypes.plugins.deepzoom import write_deepzoom

__all__ = ["JOBS"]

_STUCK = 60.0  # seconds; only what hangs takes so long
_LATE = 2.0  # seconds; to be told
_PIXELS = np.random.default_rng(0).integers(0, 4000, (700, 900)).astype("<u2")
_SMALL = 50, 70, 90, 9


class Interrupts:
    """Sends interrupts, and looks whether each arrives once, as what it is."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        #: The longest time that an interrupt took, in seconds, and where it came.
        self.longest = 0.0, ""
        self._raised_at: list[str] = []
        signal.signal(signal.SIGALRM, self._raise)

    def _raise(self, _: int, frame: FrameType | None) -> None:
        self._raised_at = traceback.format_stack(frame)
        raise KeyboardInterrupt

    def send(self, work: Callable[[], object], longest: float) -> None:
        """Do some work until an interrupt comes, at a moment from now to the longest."""
        self._raised_at = []
        faulthandler.dump_traceback_later(_STUCK, exit=True)
        pause = self.random.uniform(1e-5, longest)
        begun = time.perf_counter()
        try:
            signal.setitimer(signal.ITIMER_REAL, pause)
            while not self._raised_at:
                work()
        except KeyboardInterrupt:
            took = time.perf_counter() - begun - pause
            self.longest = max(self.longest, (took, "".join(self._raised_at)))
            return
        self.lost("nobody was told")

    def lost(self, how: str) -> None:
        """Tell where the last interrupt came, and end the process."""
        sys.stderr.write(f"an interrupt was lost: {how}; it came here:\n")
        sys.stderr.write("".join(self._raised_at))
        sys.stderr.flush()
        os._exit(4)


class Job:
    """Work on a file: what is interrupted, and how it ends."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def work(self) -> object:
        """Do what is interrupted; may be called again after that."""
        raise NotImplementedError

    def interrupt(self, interrupts: Interrupts, longest: float) -> None:
        """Do it until an interrupt comes."""
        interrupts.send(self.work, longest)

    def close(self) -> None:
        """End it."""


def source_file(folder: Path) -> Path:
    """Return a document of a few planes, packed in each way, with a pyramid and attachments."""
    path = folder / "source.czi"
    if path.exists():
        return path
    with czi.create_czi(path) as document:
        for channel, scheme in enumerate(["uncompressed:", "zstd1:", "zstd0:", "jpgxr:"]):
            document.write(_PIXELS, plane={"C": channel}, compression=scheme, location=(5, 7))
        document.add_attachment("notes", "TXT", b"some notes")
    return path


class Reads(Job):
    """Reads of all kinds of one reader."""

    threads = 1
    schemes = range(4)

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.reader = self.open()
        self.expected = self._digests()
        self._turn = 0

    def open(self) -> czi.CziReader:
        """Open the document."""
        return czi.open_czi(source_file(self.folder), threads=self.threads)

    def _calls(self) -> list[Callable[[], Any]]:
        reader = self.reader
        planes = [{"C": channel} for channel in self.schemes]
        return [
            *(lambda plane=plane: reader.read(plane=plane) for plane in planes),
            *(lambda plane=plane: reader.read(plane=plane, zoom=0.3) for plane in planes),
            *(lambda plane=plane: reader.read(plane=plane, roi=_SMALL) for plane in planes),
            lambda: np.frombuffer(reader.attachments[0].data, "u1"),
            lambda: reader.subblocks["x"],
        ]

    def _digests(self) -> list[int]:
        return [int(call().sum()) for call in self._calls()]

    def work(self) -> object:
        """Read one after the other."""
        calls = self._calls()
        self._turn += 1
        return calls[self._turn % len(calls)]()

    def close(self) -> None:
        """See that the reader still reads, and close it."""
        assert self._digests() == self.expected
        self.reader.close()
        assert self.reader.closed


class ReadsOfThreads(Reads):
    """The same with several threads."""

    threads = 3


class ReadsOfAnObject(ReadsOfThreads):
    """The same of a file object, which libCZI reads through callbacks."""

    def open(self) -> czi.CziReader:
        """Open what is in memory."""
        return czi.open_czi(io.BytesIO(source_file(self.folder).read_bytes()), threads=3)


class Remote(Reads):
    """The same of a filesystem of fsspec that does one thing after the other."""

    threads = 2
    schemes = range(2)
    url = "memory://interrupted.czi"

    def open(self) -> czi.CziReader:
        """Open it, with a cache that holds only a part."""
        import fsspec

        with fsspec.open(self.url, "wb") as file:
            file.write(source_file(self.folder).read_bytes())
        return self.again()

    def again(self) -> czi.CziReader:
        """Open it once more."""
        few = {"cache_bytes": 1 << 20, "block_bytes": 1 << 16}
        return czi.open_czi(self.url, threads=self.threads, storage_options={"czictypes": few})


class Web(Remote):
    """The same of a web server; its address is in the environment."""

    url = os.environ.get("CZICTYPES_TEST_URL", "")

    def open(self) -> czi.CziReader:
        """Open it."""
        return self.again()


class Opens(Job):
    """Opens, reads and closes again and again."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.path = source_file(folder)

    def work(self) -> object:
        """Open, read and close."""
        with czi.open_czi(self.path, threads=2) as document:
            return document.metadata, document.read(plane={"C": 1})


class RemoteOpens(Job):
    """Opens and closes remote files."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        Remote(folder).close()

    def work(self) -> object:
        """Open, read and close."""
        with czi.open_czi(Remote.url, threads=2) as document:
            return document.read(plane={"C": 1}, roi=_SMALL)


class Makes(Job):
    """Makes a file, which is there as a whole or not at all."""

    name = "made.czi"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.source = source_file(folder)
        self.names = {self.name}
        self.made = folder / type(self).__name__
        self.made.mkdir(exist_ok=True)
        self.path = self.made / self.name

    def make(self) -> None:
        """Make it."""
        with czi.create_czi(self.path, overwrite=True, threads=3) as document:
            for channel in range(3):
                document.write(_PIXELS, plane={"C": channel}, compression="zstd1:")
            document.add_attachment("notes", "TXT", b"some notes")

    def work(self) -> object:
        """Make it; after an interrupt nothing else may be there."""
        try:
            return self.make()
        except KeyboardInterrupt as error:
            traceback.clear_frames(error.__traceback__)
            gc.collect()
            self._check_folder("".join(traceback.format_tb(error.__traceback__)))
            raise

    def _check_folder(self, where: str = "") -> None:
        left = {path.name for path in self.made.iterdir()} - self.names
        if left:
            sys.exit(f"{type(self).__name__} left {left} behind\n{where}")

    def close(self) -> None:
        """See that it can still be made."""
        self.make()
        self._check_folder()


class Writes(Makes):
    """Writes a CZI."""


class Pyramids(Makes):
    """Writes a CZI with a pyramid."""

    def make(self) -> None:
        """Make it."""
        czi.imwrite(
            self.path, _PIXELS, axes="YX", pyramid=True, compression="zstd1:", overwrite=True
        )


class AddsPyramids(Makes):
    """Adds a pyramid to a copy."""

    def make(self) -> None:
        """Make it."""
        czi.add_pyramid(self.source, dest=self.path, overwrite=True)


class Copies(Makes):
    """Copies a part, and compresses it anew."""

    def make(self) -> None:
        """Make it."""
        czi.copy(self.source, self.path, roi=(5, 7, 600, 500), compression="zstd1:", overwrite=True)


class Edits(Makes):
    """Edits a file in place."""

    def make(self) -> None:
        """Make it."""
        if not self.path.exists():
            czi.copy(self.source, self.path)
        with czi.edit_czi(self.path) as document:
            document.write_metadata_bytes(document.read_metadata_bytes())


class Converts(Makes):
    """Converts."""

    target = "made.ome.tiff"

    def __init__(self, folder: Path) -> None:
        self.name = self.target
        super().__init__(folder)

    def make(self) -> None:
        """Make it."""
        plane = {"C": 0} if self.target.endswith(".png") else None
        convert(self.source, self.path, overwrite=True, plane=plane)


class ToOmeTiff(Converts):
    """Converts to OME-TIFF."""


class ToOmeZarr(Converts):
    """Converts to OME-Zarr."""

    target = "made.ome.zarr"


class ToOmeZarrByZarr(ToOmeZarr):
    """The same by zarr alone, where tensorstore is installed."""

    def make(self) -> None:
        """Make it."""
        from czictypes.exchange.ome_zarr.write_zarr import write_ome_zarr

        write_ome_zarr(self.source, self.path, overwrite=True, tensorstore=False)


class ToArchive(Converts):
    """Converts to an OME-Zarr in an archive."""

    target = "made.ozx"


class ToPng(Converts):
    """Converts a plane to PNG."""

    target = "made.png"


class FromTiff(Converts):
    """Converts an OME-TIFF to CZI."""

    target, original = "made.czi", "source.ome.tiff"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.source = folder / self.original
        if not self.source.exists():
            plane = {"C": 0} if self.original.endswith(".png") else None
            convert(source_file(folder), self.source, plane=plane)


class FromOmeZarr(FromTiff):
    """Converts an OME-Zarr to CZI."""

    original = "source.ome.zarr"


class FromPng(FromTiff):
    """Converts a PNG to CZI."""

    original = "source.png"


class FromDask(Makes):
    """Writes what dask computes."""

    def make(self) -> None:
        """Make it."""
        import dask.array

        pixels = dask.array.from_array(_PIXELS, chunks=(300, 400))
        czi.imwrite(self.path, (pixels + 1).astype("<u2"), axes="YX", overwrite=True)


class Repairs(Makes):
    """Repairs a file that has lost its end."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        whole = self.source.read_bytes()
        self.source = folder / "damaged.czi"
        self.source.write_bytes(whole[: len(whole) * 3 // 4])

    def make(self) -> None:
        """Make it."""
        czi.repair(self.source, self.path, overwrite=True)


class DeepZooms(Makes):
    """Writes the tiles of a slide; a new one each time."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        shutil.rmtree(self.made)
        self._turn = 0

    def make(self) -> None:
        """Make it."""
        self._turn += 1
        write_deepzoom(self.source, self.made / f"{self._turn}.dzi")

    def _check_folder(self, where: str = "") -> None:
        whole = {path.stem for path in self.made.glob("*.dzi")}
        left = {path.name for path in self.made.iterdir() if path.is_dir()}
        if left - {f"{name}_files" for name in whole}:
            sys.exit(f"tiles are left of a DeepZoom\n{where}")


class Checks(Job):
    """Checks a file with all its pixels."""

    def work(self) -> object:
        """Check it."""
        report = czi.check(source_file(self.folder), pixels=True, threads=2)
        assert not report.findings, report.findings
        return report


class Commands(Makes):
    """Runs commands as processes that get a SIGINT, one after the other."""

    program = (
        "import os, sys; from czictypes.cli.main import program; os.write(1, b'.'); "
        "sys.exit(program())"
    )

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        to = {name: self.made / f"made.{name}" for name in ("ome.tiff", "ome.zarr", "png", "czi")}
        convert, again = ["convert", self.source], "--overwrite"
        self.commands: list[list[Any]] = [
            [*convert, to["ome.tiff"], again],
            [*convert, to["ome.zarr"], again],
            [*convert, to["png"], "--plane", "C=0", again],
            ["copy", self.source, to["czi"], "--overwrite"],
            ["check", self.source, "--pixels"],
            ["info", self.source],
        ]
        self.names = {path.name for path in to.values()}
        self._turn = 0

    def make(self) -> None:
        """Run each to its end."""
        for command in self.commands:
            self._run(command)

    def interrupt(self, interrupts: Interrupts, longest: float) -> None:
        """Begin the next, and send the signal at some time."""
        self._turn += 1
        command = self.commands[self._turn % len(self.commands)]
        self._run(command, interrupts.random.uniform(0, 2 * longest / len(self.commands)))
        self._check_folder()

    def _run(self, command: list[Any], pause: float | None = None) -> None:
        call, pipe = [sys.executable, "-c", self.program, *command], subprocess.PIPE
        with subprocess.Popen(call, stdout=pipe, stderr=pipe, start_new_session=True) as process:
            assert process.stdout is not None
            process.stdout.read(1)  # the interpreter has begun with our code
            if pause is not None:
                time.sleep(pause)
                process.send_signal(signal.SIGINT)
            errors = process.communicate(timeout=_STUCK)[1].decode()
        ended = process.returncode, errors
        interrupted = (130, "czictypes: error: interrupted\n"), (-signal.SIGINT, "")
        before = "<string>" in errors and "main.py" not in errors  # between two words of `program`
        if ended != (0, "") and (pause is None or not (ended in interrupted or before)):
            sys.exit(f"{command} ended with {ended}")


class Images(Job):
    """Reads arrays."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.image = CziImage(source_file(folder), threads=3)
        self.expected = self.image.asarray()

    def work(self) -> object:
        """Read it all."""
        return self.image.asarray()

    def close(self) -> None:
        """Read once more, and close."""
        assert np.array_equal(self.image.asarray(), self.expected)
        self.image.close()


JOBS: dict[str, type[Job]] = {
    job.__name__: job
    for job in (
        *(Reads, ReadsOfThreads, ReadsOfAnObject, Images, Opens, Remote, RemoteOpens, Web),
        *(Writes, Pyramids, AddsPyramids, Copies, Edits, Repairs, Checks, Commands),
        *(ToOmeTiff, ToOmeZarr, ToOmeZarrByZarr, ToArchive, ToPng, DeepZooms),
        *(FromTiff, FromOmeZarr, FromPng, FromDask),
    )
}


def _end(place: str) -> None:
    sys.stderr.write(f"an interrupt would be lost in {place}, where numpy runs Python code\n")
    sys.stderr.flush()
    os._exit(3)


def main(folder: str, count: str, seed: str, *names: str) -> None:
    """Interrupt each of the jobs so many times."""
    interrupts = Interrupts(int(seed))
    sys.unraisablehook = lambda lost: interrupts.lost(f"{lost.err_msg} {lost.object!r}")
    swallowed.watch(_end)
    for name in names:
        job = JOBS[name](Path(folder))
        job.work()  # which imports what it needs
        begun = time.perf_counter()
        job.work()
        longest = 1.2 * (time.perf_counter() - begun) + 1e-3
        begun = time.perf_counter()
        for _ in range(int(count)):
            job.interrupt(interrupts, longest)
        job.close()
        del job
        gc.collect()
        if "-v" in sys.argv:
            took, where = interrupts.longest
            print(f"{name}: {count} interrupts, {time.perf_counter() - begun:.1f} s", end=", ")
            print(f"{took:.2f} s the longest", flush=True)
            if took > _LATE:
                print(where, flush=True)
    end = time.monotonic() + _STUCK
    while left := [one.name for one in threading.enumerate() if one.name.startswith("czictypes")]:
        if time.monotonic() > end:
            sys.exit(f"threads are left: {left}")
        gc.collect()
        time.sleep(0.01)


if __name__ == "__main__":
    main(*[word for word in sys.argv[1:] if word != "-v"])
