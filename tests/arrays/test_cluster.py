"""On dask.distributed: several processes, each with little memory, read one file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from extras import needs
from pages import ROOT, code_blocks

from czictypes import CziImage, czi, imread

distributed = needs("distributed")
zarr = needs("zarr")

# distributed's own threads and sockets end some time after its cluster was closed
pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore:.*:pytest.PytestUnraisableExceptionWarning"),
]

GUIDE = ROOT / "docs" / "arrays.md"
PLANES, SIDE = 128, 512


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a stack of 64 MB in pixels, and little on disk."""
    path = tmp_path_factory.mktemp("cluster") / "stack.czi"
    ramp = np.arange(SIDE * SIDE, dtype=np.uint16).reshape(SIDE, SIDE)
    with czi.create_czi(path, compression="zstd1:ExplicitLevel=1") as document:
        for z in range(PLANES):
            document.write(ramp // 8 + 200 * z, plane={"Z": z})
    return path


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    with distributed.LocalCluster(
        n_workers=2,
        threads_per_worker=1,
        processes=True,
        memory_limit="400MB",
        dashboard_address=None,
    ) as running:
        with distributed.Client(running) as client:
            yield client


def test_a_result_is_not_what_a_worker_in_this_process_keeps(stack: Path) -> None:
    with distributed.Client(processes=False, n_workers=1, dashboard_address=None):
        with CziImage(stack) as image:
            lazy = image.to_dask(chunks=-1)
            kept = lazy.persist()
            lazy.compute()[:] = 9
            np.testing.assert_array_equal(kept.compute(), image.data)


def peak_memory() -> int:
    """Return the most bytes that this process had in memory so far."""
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def warm_up(path: Path) -> None:
    """Read a plane as tasks do."""
    imread(path, dask=True)[0, 0, :2].mean(axis=0).compute(scheduler="synchronous")


def open_documents() -> int:
    """Return how many documents the tasks of this process have open."""
    from czictypes.arrays.reader_pool import reader_pool

    return len(reader_pool())


def test_a_projection_is_what_it_is_here_and_takes_little_memory(stack: Path, cluster: Any) -> None:
    with CziImage(stack) as image:
        lazy = image.get_image_dask_data("ZYX")
        assert lazy.nbytes == 64 << 20
        cluster.run(warm_up, stack)  # what is imported counts for nobody
        before = cluster.run(peak_memory)
        mean = lazy.mean(axis=0, split_every=4).compute(scheduler=cluster)
        after = cluster.run(peak_memory)
        np.testing.assert_allclose(mean, image.get_image_data("ZYX").mean(axis=0))
    assert set(cluster.run(open_documents).values()) == {1}
    for worker, peak in after.items():
        assert peak - before[worker] < lazy.nbytes, worker


def test_the_script_of_the_guide_gives_the_same_on_all_workers(
    cluster: Any, tmp_path: Path
) -> None:
    pixels = np.random.default_rng(1).integers(0, 4096, (2, 3, 4, 90, 80)).astype(np.uint16)
    czi.imwrite(tmp_path / "cells.czi", pixels, axes="TCZYX")
    (script,) = (one for one in code_blocks(GUIDE, "python") if "Client(" in one)
    script = script.replace("tcp://scheduler:8786", cluster.scheduler.address)
    names: dict[str, Any] = {}
    exec(compile(script.replace("/share", tmp_path.as_posix()), str(GUIDE), "exec"), names)
    names["client"].close()
    np.testing.assert_allclose(names["mean"], pixels.mean(axis=2))
    written = zarr.open_group(tmp_path / "cells.ome.zarr", mode="r")
    np.testing.assert_array_equal(written["0"][:], pixels)
    models = needs("ome_zarr_models.v05.image")
    assert models.Image.from_zarr(written).ome_attributes.multiscales[0].datasets[0].path == "0"
