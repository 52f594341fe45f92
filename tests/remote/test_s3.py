"""Reading from a server that speaks the protocol of S3."""

from __future__ import annotations

import gzip
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from extras import needs
from files.recipe import Made
from reads import facts_of, random_read

from czictypes import czi
from czictypes.model.errors import FileChangedError, NotCziError, RemoteNotFoundError

Make = Callable[[str], Made]
Options = dict[str, Any]

URL = "s3://images/day 1/image.czi"
KEY = "images/day 1/image.czi"


class Counter:
    """Counts what s3fs asks the server for."""

    def __init__(self) -> None:
        self.ranges: list[tuple[int, int]] = []
        self.others: list[str] = []

    @property
    def moved(self) -> int:
        """Bytes in the ranges."""
        return sum(end - start for start, end in self.ranges)

    def forget(self) -> None:
        """Begin to count anew."""
        self.ranges.clear()
        self.others.clear()


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Counter:
    system = needs("s3fs").S3FileSystem
    counter, call = Counter(), system._call_s3

    async def counting(self: Any, method: str, *more: Any, **options: Any) -> Any:
        match = re.match(r"bytes=(\d+)-(\d+)", options.get("Range", ""))
        if match:
            counter.ranges.append((int(match[1]), int(match[2]) + 1))
        else:
            counter.others.append(method)
        return await call(self, method, *more, **options)

    monkeypatch.setattr(system, "_call_s3", counting)
    return counter


def test_every_real_file_reads_as_from_disk(
    bucket: Any, s3_options: Options, every_real_file: Path, rng: np.random.Generator
) -> None:
    bucket.put_file(str(every_real_file), KEY)
    with czi.open_czi(URL, storage_options=s3_options) as remote:
        with czi.open_czi(every_real_file) as local:
            assert remote.raw_metadata == local.raw_metadata
            for read in [random_read(rng, facts_of(local)) for _ in range(3)]:
                assert np.array_equal(remote.read(**read.arguments), local.read(**read.arguments))


def test_opening_and_one_region_move_few_bytes(
    bucket: Any, s3_options: Options, counted: Counter, tmp_path: Path, rng: np.random.Generator
) -> None:
    tiles = rng.integers(0, 4000, (36, 256, 256, 1)).astype(np.uint16)
    with czi.create_czi(tmp_path / "a.czi") as writer:
        for number, tile in enumerate(tiles):
            writer.write(tile, location=(number % 6 * 256, number // 6 * 256))
    bucket.put_file(str(tmp_path / "a.czi"), KEY)
    counted.forget()
    with czi.open_czi(URL, storage_options=s3_options) as document:
        assert len(counted.ranges) == 2
        assert counted.moved <= 160 << 10
        counted.forget()
        pixels = document.read(roi=(256, 512, 256, 256))
        assert np.array_equal(pixels, tiles[13])
        assert counted.moved <= (256 * 256 * 2) + (64 << 10)
        assert counted.others == []


def test_a_changed_object_is_noticed(bucket: Any, s3_options: Options, made: Make) -> None:
    first, second = made("multi_scene_pyramid"), made("stack")
    padding = bytes(200_000)  # so that not all of it came with the first request
    bucket.pipe_file(KEY, first.path.read_bytes() + padding)
    small = {**s3_options, "czictypes": {"block_bytes": 512, "cache_bytes": 4096}}
    with czi.open_czi(URL, storage_options=small) as document:
        bucket.pipe_file(KEY, second.path.read_bytes() + padding)
        with pytest.raises(FileChangedError, match="changed on the server"):
            document.read()
        assert document.total_bounding_box["Z"] == (
            min(plane.get("Z", 0) for plane in second.planes),
            max(plane.get("Z", 0) for plane in second.planes) + 1,
        )


def test_a_copy_of_an_object(bucket: Any, s3_options: Options, made: Make, tmp_path: Path) -> None:
    file = made("mosaic")
    bucket.put_file(str(file.path), KEY)
    report = czi.copy(URL, tmp_path / "copy.czi", planes={"C": 1}, storage_options=s3_options)
    with czi.open_czi(tmp_path / "copy.czi") as document:
        assert np.array_equal(document.read(plane={"C": 1}), file.plane({"C": 1}))
        assert report.sub_blocks == len(document.subblocks)


def test_a_missing_object(bucket: Any, s3_options: Options) -> None:
    with pytest.raises(RemoteNotFoundError, match=r"s3://images/none\.czi"):
        czi.open_czi("s3://images/none.czi", storage_options=s3_options)
    with pytest.raises(FileNotFoundError):
        czi.open_czi("s3://nowhere/none.czi", storage_options=s3_options)
    with pytest.raises(FileNotFoundError):
        czi.open_czi("s3://images", storage_options=s3_options)


def test_an_empty_object(bucket: Any, s3_options: Options) -> None:
    bucket.pipe_file(KEY, b"")
    with pytest.raises(NotCziError, match="is empty"):
        czi.open_czi(URL, storage_options=s3_options)


def test_a_copy_on_disk_by_a_chained_url(
    bucket: Any, s3_options: Options, made: Make, counted: Counter
) -> None:
    file = made("mosaic")
    bucket.put_file(str(file.path), KEY)
    own = s3_options.copy()
    del own["czictypes"]
    with czi.open_czi(f"simplecache::{URL}", storage_options={"s3": own}) as document:
        counted.forget()
        assert np.array_equal(document.read(plane={"C": 1}), file.plane({"C": 1}))
        assert counted.ranges == []


def test_compressed_by_an_open_file(bucket: Any, s3_options: Options, made: Make) -> None:
    file = made("mosaic")
    bucket.pipe_file(KEY + ".gz", gzip.compress(file.path.read_bytes()))
    own = s3_options.copy()
    del own["czictypes"]
    opened = needs("fsspec").open(f"s3://{KEY}.gz", compression="infer", **own)
    with czi.open_czi(opened) as document:
        assert np.array_equal(document.read(plane={"C": 1}), file.plane({"C": 1}))
