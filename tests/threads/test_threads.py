"""One reader serves many threads: each gets the right pixels, and closing waits for all."""

from __future__ import annotations

import io
import random
import threading
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import leaks
import numpy as np
import pytest
from files.recipe import Made
from files.recipes import RECIPES
from reads import Read, facts_of, random_read
from threads.jobs import digest

from czictypes import czi
from czictypes.model.errors import ClosedError

THREADS = 8

#: Files of different kinds: compressed, many tiles, scenes, pyramids.
FILES = ["multi_scene_pyramid", "jpegxr", "compressions", "bgr48_hilo", "masked", "stack"]

OPTIONS: dict[str, dict[str, Any]] = {
    "default": {},
    "one thread each": {"threads": 1},
    "small cache": {"cache_options": czi.CacheOptions(max_sub_block_count=3)},
    "mask aware": {"reader_options": czi.ReaderOptions(enable_mask_awareness=True)},
}


def some_reads(path: Path, rng: np.random.Generator, count: int) -> list[Read]:
    with czi.open_czi(path) as document:
        facts = facts_of(document)
        return [random_read(rng, facts) for _ in range(count)]


def in_threads(work: Callable[[int], Any]) -> list[Any]:
    """Run the work in all threads at once, which start together."""
    start = threading.Barrier(THREADS)

    def run(number: int) -> Any:
        start.wait()
        return work(number)

    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(run, range(THREADS)))


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
@pytest.mark.parametrize("name", FILES)
def test_threads_get_the_pixels_that_one_thread_gets(
    name: str, options: dict[str, Any], made: Callable[[str], Made], rng: np.random.Generator
) -> None:
    path = made(name).path
    reads = some_reads(path, rng, 12)
    with czi.open_czi(path, **options) as document:
        expected = [digest(document, read) for read in reads]

    with czi.open_czi(path, **options) as document:

        def work(number: int) -> bool:
            order = random.Random(number).sample(range(len(reads)), len(reads))
            return all(digest(document, reads[index]) == expected[index] for index in order)

        assert in_threads(work) == [True] * THREADS


def test_threads_share_a_file_object(made: Callable[[str], Made], rng: np.random.Generator) -> None:
    path = made("multi_scene_pyramid").path
    reads = some_reads(path, rng, 10)
    with czi.open_czi(path) as document:
        expected = [digest(document, read) for read in reads]
    with czi.open_czi(io.BytesIO(path.read_bytes())) as document:
        found = in_threads(lambda _: [digest(document, read) for read in reads])
    assert found == [expected] * THREADS


@pytest.mark.filterwarnings("ignore::czictypes.model.errors.PixelTypeWarning")
@pytest.mark.parametrize("name", sorted(set(RECIPES) - {"empty"}))
def test_what_is_made_once_is_made_right_by_threads_that_ask_at_once(
    name: str, made: Callable[[str], Made]
) -> None:
    def facts(document: czi.CziReader) -> Any:
        return (
            document.metadata,
            document.raw_metadata,
            document.total_bounding_box,
            document.scenes_bounding_rectangle,
            document.pyramid_levels(),
            document.subblocks.tobytes(),
            document.scaling,
            [attachment.data for attachment in document.attachments],
            document.read(zoom=1).tobytes(),
        )

    path = made(name).path
    with czi.open_czi(path) as document:
        expected = facts(document)
    with czi.open_czi(path) as document:
        assert in_threads(lambda _: facts(document)) == [expected] * THREADS


class SlowFile(io.BytesIO):
    """A file whose reading stops, once it is told to, until it is released."""

    def __init__(self, content: bytes) -> None:
        super().__init__(content)
        self.stopping = False
        self.reached = threading.Event()
        self.released = threading.Event()

    def read(self, size: int | None = -1) -> bytes:
        if self.stopping:
            self.reached.set()
            self.released.wait()
        return super().read(size)


@pytest.fixture
def slow(made: Callable[[str], Made]) -> Iterator[SlowFile]:
    """Give a file whose reading a test can stop."""
    file = SlowFile(made("mosaic").path.read_bytes())
    yield file
    file.released.set()


@pytest.mark.parametrize("threads", [1, 4])
def test_close_waits_for_the_read_in_flight(
    slow: SlowFile, threads: int, made: Callable[[str], Made]
) -> None:
    events: list[str] = []
    pixels: list[Any] = []
    document = czi.open_czi(slow, threads=threads)

    def read() -> None:
        pixels.append(document.read(plane={"C": 1}))
        events.append("read")

    def close() -> None:
        document.close()
        events.append("closed")

    slow.stopping = True
    reading = threading.Thread(target=read)
    reading.start()
    slow.reached.wait()
    closing = threading.Thread(target=close)
    closing.start()
    closing.join(0.2)  # time enough for a close that does not wait
    assert events == []
    slow.released.set()
    reading.join()
    closing.join()
    assert sorted(events) == ["closed", "read"]
    assert np.array_equal(pixels[0], made("mosaic").plane({"C": 1}))


def test_a_read_that_begins_while_closing_waits_is_refused(slow: SlowFile) -> None:
    document = czi.open_czi(slow)
    slow.stopping = True
    with ThreadPoolExecutor(2) as pool:
        reading = pool.submit(document.read)
        slow.reached.wait()
        closing = pool.submit(document.close)
        while not document.closed:
            pass
        with pytest.raises(ClosedError):
            document.read()
        slow.released.set()
        assert reading.result().ndim == 3
        closing.result()


def test_threads_that_read_while_another_closes_end_with_closed_error(
    made: Callable[[str], Made],
) -> None:
    path = made("multi_scene_pyramid").path
    for _ in range(10):
        document = czi.open_czi(path)
        with document:
            expected = digest(document, WHOLE)

        document = czi.open_czi(path)
        begun = threading.Barrier(THREADS + 1)

        def work(_: int, document: Any = document, begun: Any = begun) -> set[str]:
            found = {digest(document, WHOLE)}
            begun.wait()
            try:
                while True:
                    found.add(digest(document, WHOLE))
            except ClosedError:
                return found

        with ThreadPoolExecutor(THREADS) as pool:
            running = [pool.submit(work, number) for number in range(THREADS)]
            begun.wait()
            document.close()
            assert [future.result() for future in running] == [{expected}] * THREADS


WHOLE = Read(None, {}, None, 0.5, None, None)

AFTER_CLOSE: dict[str, Callable[[czi.CziReader], Any]] = {
    "read": lambda document: document.read(),
    "read into": lambda document: document.read(out=np.empty((44, 73, 1), "u2")),
    "box": lambda document: document.total_bounding_box,
    "scenes": lambda document: document.scenes_bounding_rectangle,
    "metadata": lambda document: document.metadata,
    "raw metadata": lambda document: document.raw_metadata,
    "pixel types": lambda document: document.pixel_types,
    "sub-blocks": lambda document: document.subblocks,
    "one sub-block": lambda document: document.read_subblock(0),
    "enumeration": lambda document: document.enumerate_subblocks(lambda *_: True),
    "levels": lambda document: document.pyramid_levels(),
    "attachments": lambda document: document.attachments,
    "composite": lambda document: document.composite(),
    "scaling": lambda document: document.scaling,
}


@pytest.mark.parametrize("use", AFTER_CLOSE.values(), ids=AFTER_CLOSE)
def test_a_closed_reader_refuses_by_its_name(
    use: Callable[[czi.CziReader], Any], made: Callable[[str], Made]
) -> None:
    document = czi.open_czi(made("mosaic").path)
    document.read()
    document.close()
    document.close()
    assert document.closed
    with pytest.raises(ClosedError, match=r"mosaic\.czi is closed"):
        use(document)


def test_what_a_reader_gave_refuses_when_the_reader_is_closed(made: Callable[[str], Made]) -> None:
    with czi.open_czi(made("attached").path) as document:
        sub_block, attachment = document.read_subblock(0), document.attachments[0]
        pixels = sub_block.pixels()
    with pytest.raises(ClosedError):
        sub_block.pixels()
    with pytest.raises(ClosedError):
        _ = attachment.data
    assert np.array_equal(pixels, made("attached").blocks[0].pixels)  # these stay


def test_a_reader_that_is_dropped_lets_go_of_its_file(made: Callable[[str], Made]) -> None:
    before = leaks.snapshot()
    document = czi.open_czi(made("mosaic").path)
    document.read()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # Python's own, of a file not closed
        del document
        assert not leaks.left_since(before)
