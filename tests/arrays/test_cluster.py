"""On dask.distributed: several processes, each with little memory, read one file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from extras import needs

from czictypes import CziImage, czi, imread

distributed = needs("distributed")
zarr = needs("zarr")
dask_array = needs("dask.array", "dask")

# distributed's own threads and sockets end some time after its cluster was closed
pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore:.*:pytest.PytestUnraisableExceptionWarning"),
]

PLANES, SIDE = 128, 512


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a stack of 64 MB in pixels, and little on disk."""
    path = tmp_path_factory.mktemp("cluster") / "stack.czi"
    ramp = np.arange(SIDE * SIDE, dtype=np.uint16).reshape(SIDE, SIDE)
    with czi.create_czi(path, compression_options="zstd1:ExplicitLevel=1") as document:
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


def peak_memory() -> int:
    """Return the most bytes that this process had in memory so far."""
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def open_documents() -> int:
    """Return how many documents the tasks of this process have open."""
    from czictypes.arrays.opened import open_readers

    return len(open_readers())


def test_a_projection_is_what_it_is_here_and_takes_little_memory(stack: Path, cluster: Any) -> None:
    with CziImage(stack) as image:
        lazy = image.get_image_dask_data("ZYX")
        assert lazy.nbytes == 64 << 20
        lazy[0].mean().compute(scheduler=cluster)  # what is imported counts for nobody
        before = cluster.run(peak_memory)
        mean = lazy.mean(axis=0, split_every=4).compute(scheduler=cluster)
        after = cluster.run(peak_memory)
        np.testing.assert_allclose(mean, image.get_image_data("ZYX").mean(axis=0))
    assert set(cluster.run(open_documents).values()) == {1}
    for worker, peak in after.items():
        assert peak - before[worker] < lazy.nbytes, worker


def test_an_ome_zarr_is_written_by_all_workers(stack: Path, cluster: Any, tmp_path: Path) -> None:
    lazy = imread(stack, dask=True)[:, :, :6]
    group = zarr.open_group(tmp_path / "stack.ome.zarr", mode="w", zarr_format=3)
    target = group.create_array("0", shape=lazy.shape, chunks=lazy.chunksize, dtype=lazy.dtype)
    group.attrs["ome"] = ome_attributes("tczyx")
    dask_array.store(lazy, target, lock=False, scheduler=cluster)
    written = zarr.open_group(tmp_path / "stack.ome.zarr", mode="r")
    with CziImage(stack) as image:
        expected = image.read_block({"Z": slice(6)})
    np.testing.assert_array_equal(written["0"][:], expected)


def ome_attributes(axes: str) -> dict[str, Any]:
    kinds = {"t": "time", "c": "channel"}
    scale = {"type": "scale", "scale": [1.0] * len(axes)}
    dataset = {"path": "0", "coordinateTransformations": [scale]}
    return {
        "version": "0.5",
        "multiscales": [
            {
                "axes": [{"name": name, "type": kinds.get(name, "space")} for name in axes],
                "datasets": [dataset],
            }
        ],
    }
