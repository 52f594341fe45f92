"""Lazy arrays: any chunks give the same pixels, in one layer whose tasks open what they read."""

from __future__ import annotations

import gc
import io
import multiprocessing
import os
import pickle
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest
from extras import needs
from files.block import Block
from files.builder import write_czi
from files.patterns import noise
from files.recipes import Made
from hypothesis import given
from hypothesis import strategies as st

from czictypes import CziImage, czi, errors, imread
from czictypes.arrays.layout import Layout
from czictypes.arrays.read import ImageSelection
from czictypes.arrays.reader_pool import ReaderPool, reader_pool
from czictypes.model.pixel_types import PixelType
from czictypes.reading.paint import Painter
from czictypes.reading.reader import CziReader

dask_array = needs("dask.array", "dask")
dask = needs("dask", "dask")

G16 = PixelType.Gray16


@pytest.fixture(scope="module")
def path_of_a_stack(made: Callable[[str], Made]) -> Path:
    return made("stack").path


@pytest.fixture(autouse=True)
def _close_what_tasks_opened() -> Iterator[None]:
    yield
    reader_pool().close()


@pytest.mark.parametrize(
    "chunks",
    [
        None,
        7,
        -1,
        "auto",
        {"T": 2, "X": 4},
        {"Y": -1, "Z": "auto"},
        (1, 2, 3, (4, 11), 21),
        {3: 5},
    ],
)
def test_any_chunks_give_the_same_pixels(made: Callable[[str], Made], chunks: Any) -> None:
    with CziImage(made("stack").path) as image:
        lazy = image.to_dask(chunks=chunks)
        assert lazy.dtype == image.dtype
        assert lazy.shape == image.shape
        assert (lazy.compute() == image.data).all()


@pytest.mark.parametrize("chunks", [(0, 0), (1, 2), 0.5])
def test_chunks_that_do_not_fit_are_the_callers_mistake(
    made: Callable[[str], Made], chunks: Any
) -> None:
    with (
        CziImage(made("stack").path) as image,
        pytest.raises(ValueError, match="do not fit") as told,
    ):
        image.to_dask(chunks=chunks)
    assert not isinstance(told.value, errors.CziError)


@pytest.mark.parametrize("chunks", [{"X": 23, "Y": 17}, {"X": 16, "Y": 31}])
def test_levels_and_scenes_are_read_in_blocks(made: Callable[[str], Made], chunks: Any) -> None:
    with CziImage(made("multi_scene_pyramid").path) as image:
        for scene in (*image.scenes, "all"):
            image.set_scene(scene)
            for level in image.levels:
                lazy = image.to_dask(level.index, chunks)
                assert (lazy.compute() == image.asarray(level.index)).all()


@given(st.data())
def test_any_part_has_the_pixels_and_chunks_of_dask(path_of_a_stack: Path, data: Any) -> None:
    with CziImage(path_of_a_stack) as image:
        lazy, whole = image.to_dask(chunks=7), image.data
        plain = dask_array.from_array(whole, chunks=lazy.chunks)
        for _ in range(2):
            sizes = [st.slices(size) | st.integers(-size, size - 1) for size in lazy.shape]
            index = data.draw(st.tuples(*sizes))
            lazy, plain, whole = lazy[index], plain[index], whole[index]
            assert lazy.chunks == plain.chunks
            np.testing.assert_array_equal(lazy.compute(scheduler="sync"), whole)
            if not whole.size:
                break


@pytest.mark.parametrize(
    "index",
    [
        (Ellipsis, [3, 1, 2]),
        (slice(1, 2), Ellipsis, np.array([True, False] * 10 + [True])),
        (slice(None), None, 1),
        (Ellipsis, slice(20, 4, -3)),
    ],
)
def test_other_indices_are_as_in_dask(path_of_a_stack: Path, index: Any) -> None:
    with CziImage(path_of_a_stack) as image:
        lazy = image.to_dask(chunks=7)[index]
        np.testing.assert_array_equal(lazy.compute(), image.data[index])
        np.testing.assert_array_equal(lazy[..., :2].compute(), image.data[index][..., :2])


def test_a_small_part_reads_itself_and_a_large_one_whole_chunks(path_of_a_stack: Path) -> None:
    """Of two large parts most is the same, and that is read once."""
    with CziImage(path_of_a_stack) as image:
        whole, lazy = image.data, image.to_dask()
        with mock.patch.object(Layout, "region", autospec=True, side_effect=Layout.region) as read:
            small = lazy[0, 0][1, 1:5, 2:4].compute(scheduler="sync")
            np.testing.assert_array_equal(small, whole[0, 0, 1, 1:5, 2:4])
            (call,) = read.call_args_list
            assert call.args[1] == {
                **{"T": 0, "C": 0, "Z": 1},
                **{"Y": slice(1, 5, 1), "X": slice(2, 4, 1)},
            }
            read.reset_mock()
            steps = (lazy[..., 1:, :] - lazy[..., :-1, :]).compute(scheduler="sync")
            np.testing.assert_array_equal(steps, whole[..., 1:, :] - whole[..., :-1, :])
            assert read.call_count == 3 * 2


def test_the_only_chunk_is_the_result_and_shares_nothing(path_of_a_stack: Path) -> None:
    dask = needs("dask", "dask")
    with CziImage(path_of_a_stack) as image:
        whole, lazy = image.data, image.to_dask(chunks=-1)
        read: list[np.ndarray] = []
        real = ImageSelection.read

        def watched(*args: Any, **options: Any) -> np.ndarray:
            read.append(real(*args, **options))
            return read[-1]

        with mock.patch.object(ImageSelection, "read", watched):
            found = lazy.compute()
        assert [one is found for one in read] == [True]
        kept = lazy.persist()
        results = [found, *dask.compute(lazy, lazy[:, :, 1:], lazy[1:], lazy + 0), kept.compute()]
        for number, one in enumerate(results):
            for other in results[number + 1 :]:
                assert not np.may_share_memory(one, other)
        np.testing.assert_array_equal(results[1], whole)
        np.testing.assert_array_equal(results[2], whole[:, :, 1:])
        np.testing.assert_array_equal(results[3], whole[1:])
        lazy[0] = 9
        assert (lazy.compute()[0] == 9).all()


def test_what_was_assigned_is_kept(path_of_a_stack: Path) -> None:
    with CziImage(path_of_a_stack) as image:
        lazy = image.to_dask(chunks=7)
        lazy[0] = 9
        assert (lazy[0, ..., 2:4].compute() == 9).all()


def test_single_tiles_are_lazy_as_well(made: Callable[[str], Made]) -> None:
    with CziImage(made("mosaic").path, mosaic=False) as image:
        assert image.to_dask().chunksize == (1, 1, 1, 1, 24, 30)
        assert (image.dask_data.compute() == image.data).all()


def test_an_array_is_one_layer_that_is_not_spelled_out(tmp_path: Path) -> None:
    path = write_czi(tmp_path / "one.czi", [Block(noise(G16, 4, 4, 1), plane={"Z": 0, "C": 0})])
    far = [Block(noise(G16, 4, 4, 1), plane={"Z": 99_999, "C": 0})]
    path = write_czi(
        tmp_path / "many.czi", [*far, Block(noise(G16, 4, 4, 2), plane={"Z": 0, "C": 0})]
    )
    options = czi.ReaderOptions(allow_sparse=True)
    with CziImage(path, reader_options=options) as image:
        lazy = image.to_dask(chunks={"Z": 1})
        assert lazy.npartitions == 100_000
        (layer,) = lazy.dask.layers.values()
        assert not layer.is_materialized()
        assert len(pickle.dumps(layer, protocol=4)) < 1_000_000
        assert (lazy[0, 0, -1].compute() == far[0].pixels[..., 0]).all()


def test_names_tell_what_is_read_and_nothing_else(tmp_path: Path) -> None:
    def write(seed: int) -> None:
        write_czi(tmp_path / "a.czi", [Block(noise(G16, 9, 8, seed), plane={"C": 0})])

    write(1)
    names = [imread(tmp_path / "a.czi", dask=True).name]
    with CziImage(tmp_path / "a.czi", threads=3) as image:
        names.append(image.to_dask().name)
    with CziImage(tmp_path / "a.czi", "all") as image:
        names += [image.to_dask().name, image.to_dask(chunks={"X": 3}).name]
    (tmp_path / "a.czi").unlink()
    write(2)
    names.append(imread(tmp_path / "a.czi", dask=True).name)
    assert names[0] == names[1]
    assert len(set(names[1:])) == 3  # one scene is all there is


def test_an_array_outlives_its_image(made: Callable[[str], Made]) -> None:
    with CziImage(made("stack").path) as image:
        lazy, expected = image.to_dask(), image.data
    assert (lazy.compute() == expected).all()
    assert (lazy.compute(scheduler="synchronous") == expected).all()


def test_a_file_is_opened_once_and_closed_with_the_last_array(made: Callable[[str], Made]) -> None:
    readers = reader_pool()
    lazy = imread(made("stack").path, dask=True)
    again = imread(made("stack").path, dask=True)[0]
    lazy.compute()
    again.compute()
    assert len(readers) == 1
    del lazy
    assert len(readers) == 1
    del again
    gc.collect()
    assert len(readers) == 0


def test_closing_in_between_closes_nothing_too_early(made: Callable[[str], Made]) -> None:
    readers = reader_pool()
    lazy = imread(made("stack").path, dask=True)
    readers.close()
    again = imread(made("stack").path, dask=True)
    assert len(readers) == 1
    del lazy
    gc.collect()
    assert len(readers) == 1
    del again
    gc.collect()
    assert len(readers) == 0


def test_a_lazy_array_goes_on_with_the_file_that_was_opened_for_it(
    made: Callable[[str], Made], monkeypatch: pytest.MonkeyPatch
) -> None:
    lazy = imread(made("stack").path, dask=True)
    monkeypatch.setattr("czictypes.reading.reader.open_source", lambda *_, **__: 1 / 0)
    assert lazy.compute().any()
    with pytest.raises(ZeroDivisionError):
        imread(made("stack").path)


def test_an_error_leaves_no_file_open(made: Callable[[str], Made]) -> None:
    with pytest.raises(IndexError, match="no level 1"):
        imread(made("stack").path, level=1, dask=True)


def test_tasks_are_sent_as_what_is_to_be_opened(made: Callable[[str], Made]) -> None:
    lazy = imread(made("stack").path, dask=True)
    copies = [pickle.loads(pickle.dumps(lazy)) for _ in range(3)]
    for copy in copies:
        assert (copy.compute() == lazy.compute()).all()
    assert len(reader_pool()) == 1


def test_other_processes_read_the_same(made: Callable[[str], Made]) -> None:
    lazy = imread(made("mosaic").path, dask=True)
    assert (lazy.compute(scheduler="processes", num_workers=2) == lazy.compute()).all()


def test_a_file_object_is_read_where_it_was_opened(made: Callable[[str], Made]) -> None:
    data = made("stack").path.read_bytes()
    lazy = imread(io.BytesIO(data), dask=True)
    assert (lazy.compute() == imread(made("stack").path)).all()
    with pytest.raises(Exception, match="a lazy array of a file object works only in the process"):
        lazy.compute(scheduler="processes", num_workers=1)


def test_a_file_that_changed_its_shape_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "grows.czi"
    write_czi(path, [Block(noise(G16, 9, 8, 1))])
    lazy = imread(path, dask=True)
    path.unlink()
    write_czi(path, [Block(noise(G16, 5, 8, 1))])
    with pytest.raises(errors.FileChangedError, match="since the lazy array was made"):
        lazy.compute()


def test_a_file_that_changed_its_pixels_is_read_anew(tmp_path: Path) -> None:
    path = tmp_path / "changes.czi"
    write_czi(path, [Block(noise(G16, 9, 8, 1))])
    with CziImage(path) as image:
        lazy = image.to_dask()
        assert (lazy.compute()[0, 0, 0] == noise(G16, 9, 8, 1)[..., 0]).all()
        path.unlink()
        write_czi(path, [Block(noise(G16, 9, 8, 2))])
        assert (lazy.compute()[0, 0, 0] == noise(G16, 9, 8, 2)[..., 0]).all()
        assert image.to_dask().name != lazy.name


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system cannot fork")
def test_a_forked_process_opens_files_for_itself(made: Callable[[str], Made]) -> None:
    lazy = imread(made("stack").path, dask=True)
    expected = lazy.compute()
    with multiprocessing.get_context("fork").Pool(1) as pool:
        found = pool.apply(dask.compute, (lazy,), {"scheduler": "synchronous"})
        assert pool.apply(count_open) == 1
        pool.close()
        pool.join()
    assert (found[0] == expected).all()
    assert (lazy.compute() == expected).all()


def count_open() -> int:
    return len(reader_pool())


def test_a_url_is_opened_by_its_tasks(made: Callable[[str], Made]) -> None:
    fsspec = needs("fsspec", "remote")
    url = "memory://czictypes-arrays/stack.czi"
    fsspec.filesystem("memory").pipe(url, made("stack").path.read_bytes())
    lazy = imread(url, dask=True, storage_options={"skip_instance_cache": False})
    assert (lazy.compute() == imread(made("stack").path)).all()
    fsspec.filesystem("memory").rm(url)


def test_tasks_read_in_their_own_thread(
    made: Callable[[str], Made], monkeypatch: pytest.MonkeyPatch
) -> None:
    paint, asked = Painter.paint, set()

    def noted(painter: Painter, parts: Any, outs: Any, threads: int, *more: Any, **options: Any):
        asked.add(threads)
        return paint(painter, parts, outs, threads, *more, **options)

    monkeypatch.setattr(Painter, "paint", noted)
    with CziImage(made("large_pyramid").path, threads=4) as image:
        assert image.to_dask().compute(scheduler="synchronous").any()
        assert asked == {1}
        image.asarray()
        assert asked == {1, 4}


def test_chunks_of_a_dimension_that_is_not_there_are_refused(made: Callable[[str], Made]) -> None:
    with CziImage(made("stack").path) as image:
        with pytest.raises(ValueError, match="no dimension Q"):
            image.to_dask(chunks={"Q": 3})


def test_readers_that_were_not_used_for_long_are_closed(tmp_path: Path) -> None:
    readers = ReaderPool(most=2)
    paths = [write_czi(tmp_path / f"{n}.czi", [Block(noise(G16, 4, 4, n))]) for n in range(4)]
    used: list[CziReader] = []
    for path in [*paths[:2], paths[0], *paths[2:]]:
        with readers.use(str(path), lambda path=path: czi.open_czi(path)) as reader:
            used.append(reader)
    assert [reader.closed for reader in used] == [True, True, True, False, False]
    readers.close()
    assert used[-1].closed


def test_a_reader_in_use_stays_open(tmp_path: Path) -> None:
    readers = ReaderPool(most=0)
    path = write_czi(tmp_path / "a.czi", [Block(noise(G16, 4, 4, 1))])
    with readers.use("a", lambda: czi.open_czi(path)) as first:
        with readers.use("a", lambda: czi.open_czi(path)) as second:
            assert second is first
        readers.close()
        assert np.any(first.read())
    assert first.closed
