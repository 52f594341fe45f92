"""A native object is released once, after the last call that uses it."""

from __future__ import annotations

import copy
import gc
import os
import pickle
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import czictypes
from czictypes.libczi.handle import Handle, live_handles
from czictypes.libczi.library import get_library
from czictypes.libczi.streams import Callbacks, InputStream
from czictypes.model.errors import ClosedError, CziError
from libczi.made import Memory, document, gray, tile
from libczi.oracle import FullReader

ROOT = Path(czictypes.__file__).parent.parent


def run_python(code: str) -> str:
    """Run code in a fresh interpreter and return what it prints; it must end well."""
    script = "from libczi import made\n" + textwrap.dedent(code)
    path = os.pathsep.join([str(ROOT), str(Path(__file__).parents[1])])
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": path},
        timeout=300,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def all_kinds(reader: FullReader) -> list[Handle]:
    """Make one handle of each kind that a reader leads to, the reader first."""
    sub_block = reader.read_sub_block(0)
    segment = reader.metadata_segment()
    info = segment.document_info()
    settings = info.display_settings()
    assert settings is not None
    return [
        reader,
        sub_block,
        sub_block.create_bitmap(),
        segment,
        info,
        settings,
        settings.channel(0),
        reader.tile_accessor(),
    ]


def test_a_handle_is_released_once_however_often_it_is_closed(
    reader: FullReader, calls: list[str]
) -> None:
    handles = all_kinds(reader)
    for _ in range(2):
        for handle in handles:
            handle.close()
    del handles
    gc.collect()
    released = [name for name in calls if name.startswith("libCZI_Release")]
    assert len(released) == len(set(released)) == 9  # the reader's stream is the ninth


def test_many_threads_may_close_a_handle(reader: FullReader, calls: list[str]) -> None:
    sub_block = reader.read_sub_block(0)
    barrier = threading.Barrier(8)

    def close() -> None:
        barrier.wait()
        sub_block.close()

    threads = [threading.Thread(target=close) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert calls.count("libCZI_ReleaseSubBlock") == 1


def test_garbage_collection_releases(source: Memory) -> None:
    before = live_handles()
    handles = all_kinds(FullReader.open(InputStream.from_source(source)))
    assert len(live_handles()) == len(before) + 9
    del handles
    for _ in range(3):
        gc.collect()  # PyPy needs a second and third look
    assert live_handles() == before


def test_a_handle_that_was_closed_says_so(reader: FullReader) -> None:
    sub_block = reader.read_sub_block(0)
    sub_block.close()
    assert sub_block.closed
    with pytest.raises(ClosedError, match="sub-block of in memory is closed"):
        sub_block.info()
    with pytest.raises(ClosedError), sub_block.borrow():
        pytest.fail("the handle must not be given")


def test_every_method_of_a_closed_reader_raises(reader: FullReader) -> None:
    count = reader.sub_block_count
    reader.close()
    assert reader.sub_block_count == count
    for method in (
        reader.statistics,
        reader.statistics_ex,
        reader.pyramid_statistics,
        reader.file_header_info,
        reader.attachment_count,
        reader.metadata_segment,
        reader.tile_accessor,
        lambda: reader.read_sub_block(0),
        lambda: reader.try_get_sub_block_info(0),
    ):
        with pytest.raises(ClosedError):
            method()


def test_live_handles_tell_what_is_open_and_of_which_file(reader: FullReader) -> None:
    before = live_handles()
    with reader.read_sub_block(0):
        assert live_handles() == [*before, "the sub-block of in memory"]
    assert live_handles() == before


def test_closing_a_reader_closes_its_stream(source: Memory) -> None:
    streams = get_library().companion(Callbacks)
    before = streams.count
    stream = InputStream.from_source(source)
    with FullReader.open(stream):
        assert streams.count == before + 1
    assert stream.closed
    assert streams.count == before


def test_a_sub_block_and_its_bitmap_outlive_the_reader(source: Memory) -> None:
    with FullReader.open(InputStream.from_source(source)) as reader:
        sub_block = reader.read_sub_block(1)
    with sub_block:
        bitmap = sub_block.create_bitmap()
    with bitmap:
        np.testing.assert_array_equal(bitmap.to_numpy()[..., 0], gray(1))


def test_close_waits_for_the_call_in_flight(source: Memory) -> None:
    inside, go_on = threading.Event(), threading.Event()
    got: list[bytes] = []
    reader = FullReader.open(InputStream.from_source(source))

    def wait() -> None:
        inside.set()
        go_on.wait()

    def read() -> None:
        with reader.read_sub_block(0) as sub_block:
            got.append(sub_block.raw_data())

    source.before_read = wait
    reading = threading.Thread(target=read)
    reading.start()
    inside.wait()
    closing = threading.Thread(target=reader.close)
    closing.start()
    while not reader.closed:  # becomes true as soon as close() has begun
        pass
    assert "the reader of in memory" in live_handles()
    with pytest.raises(ClosedError):
        reader.statistics()
    go_on.set()
    reading.join()
    closing.join()
    assert "the reader of in memory" not in live_handles()
    assert got == [gray(0).tobytes()]


def test_a_call_cannot_close_what_it_uses(reader: FullReader) -> None:
    with reader.borrow(), pytest.raises(CziError, match="by the call that is using it"):
        reader.close()
    assert not reader.closed
    assert reader.sub_block_count == 2


def test_a_locked_bitmap_cannot_be_closed_from_within(reader: FullReader) -> None:
    with reader.read_sub_block(0) as sub_block, sub_block.create_bitmap() as bitmap:
        with bitmap.locked() as pixels, pytest.raises(CziError):
            bitmap.close()
        assert pixels.shape == (4, 8, 1)


def test_reading_from_many_threads_while_one_closes() -> None:
    content = document(*(tile(0, x=8 * i, m_index=i, data=gray(0, seed=i)) for i in range(40)))
    reader = FullReader.open(InputStream.from_source(Memory(content)))
    barrier = threading.Barrier(9)
    wrong: list[object] = []

    def read(start: int) -> None:
        barrier.wait()
        for i in range(start, start + 400):
            try:
                with reader.read_sub_block(i % 40) as block, block.create_bitmap() as bitmap:
                    pixels = bitmap.to_numpy()[..., 0]
            except ClosedError:
                return
            except BaseException as error:
                wrong.append(error)
                return
            if not np.array_equal(pixels, gray(0, seed=i % 40)):
                wrong.append(i)

    threads = [threading.Thread(target=read, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    barrier.wait()
    reader.close()
    for thread in threads:
        thread.join()
    assert wrong == []


@pytest.mark.parametrize("duplicate", [pickle.dumps, copy.copy, copy.deepcopy])
def test_a_handle_has_no_double(reader: FullReader, duplicate: Callable[[object], object]) -> None:
    with pytest.raises(TypeError, match="cannot be copied or pickled"):
        duplicate(reader)


def test_what_is_left_open_is_released_at_exit() -> None:
    printed = run_python("""
        from libczi.oracle import FullReader
        from czictypes.libczi.streams import InputStream

        made.listen()
        stream = InputStream.from_source(made.Loud(made.document()))
        reader = FullReader.open(stream)
        sub_block = reader.read_sub_block(0)
        accessor = reader.tile_accessor()
        print("end")
    """)
    assert printed == "end\nclosed\n"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork; run on another")
def test_a_forked_child_leaves_the_parents_objects_alone() -> None:
    printed = run_python("""
        import gc, os, sys
        from czictypes.libczi.handle import live_handles
        from libczi.oracle import FullReader
        from czictypes.libczi.streams import InputStream
        from czictypes.model.errors import ClosedError

        class Loud(made.Loud):
            def tell(self):
                print("closed in", "child" if os.getpid() != parent else "parent", flush=True)

        parent = os.getpid()
        made.listen()
        source = Loud(made.document())
        reader = FullReader.open(InputStream.from_source(source))
        child = os.fork()
        if child == 0:
            try:
                reader.statistics()
            except ClosedError as error:
                print(error, flush=True)
            print("live:", live_handles(), flush=True)
            reader.close()
            del reader
            gc.collect()
            with FullReader.open(InputStream.from_source(made.Memory(source.content))) as fresh:
                print("fresh:", fresh.sub_block_count, flush=True)
            os._exit(0)
        os.waitpid(child, 0)
        print("parent:", reader.sub_block_count, flush=True)
        reader.close()
    """)
    assert printed.splitlines() == [
        "the reader of in memory was opened before this process was forked; "
        "open the file again here",
        "live: []",
        "fresh: 2",
        "parent: 2",
        "closed in parent",
    ]
