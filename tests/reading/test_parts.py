"""Documents of several files: 'scan.czi', 'scan (1).czi', 'scan (2).czi'."""

from __future__ import annotations

import io
import os
import pickle
import shutil
import uuid
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from container.czi_bytes import (
    GUID,
    AttachedFile,
    Dimension,
    Tile,
    build_czi,
    build_parts,
    write_parts,
)
from extras import needs
from files.encode import zstd_frame
from files.jpeg_xr import jpeg_xr_tile
from files.patterns import noise
from numpy.typing import NDArray
from threads.test_processes import in_fork, needs_fork

from czictypes import CziImage, czi, imread
from czictypes.model.errors import CorruptFileError, MissingPartError
from czictypes.model.pixel_types import Compression, PixelType

H, W = 30, 40
PLANES = [noise(PixelType.Gray16, H, W, seed) for seed in range(5)]


def tile(number: int, letter: str = "T", compression: int = 0, **more: Any) -> Tile:
    """Return a sub-block with the plane of a number."""
    data = PLANES[number].tobytes()
    if compression:
        data = b"\x01" + zstd_frame(data)
    content: dict[str, Any] = {"pixel_type": 1, "compression": compression, "data": data}
    return Tile(w=W, h=H, coordinates={letter: number}, **content, **more)


def scan(letter: str = "T", compression: int = 0) -> list[Any]:
    """Return a master with planes 0 and 1, and parts with 2 and 3, and with 4."""
    tiles = [tile(number, letter, compression) for number in range(5)]
    return build_parts(tiles[:2], tiles[2:4], tiles[4:])


@pytest.fixture
def master(tmp_path: Path) -> Path:
    """Give the master of three files."""
    return write_parts(tmp_path / "scan.czi", scan())


def assert_whole(
    document: czi.CziReader, letter: str = "T", planes: Sequence[int] = range(5)
) -> None:
    """Check every plane."""
    assert document.total_bounding_box[letter] == (0, 5)
    for number in planes:
        found = document.read(plane={letter: number})
        np.testing.assert_array_equal(found, PLANES[number])


@pytest.mark.parametrize("compression", [Compression.Uncompressed, Compression.Zstd1])
@pytest.mark.parametrize("letter", ["T", "Z", "C"])
def test_all_files_are_read_as_one(tmp_path: Path, letter: str, compression: Compression) -> None:
    path = write_parts(tmp_path / "scan.czi", scan(letter, compression))
    with czi.open_czi(path) as document:
        assert_whole(document, letter)
        assert list(document.parts) == [1, 2]
    cached = czi.CacheOptions()
    with czi.open_czi(path, cache_options=cached) as document, ThreadPoolExecutor(4) as pool:
        planes = [{letter: number} for number in range(5)] * 3
        for found, plane in zip(pool.map(lambda plane: document.read(plane=plane), planes), planes):
            np.testing.assert_array_equal(found, PLANES[plane[letter]])


def test_scenes_in_files_of_their_own(tmp_path: Path) -> None:
    tiles = [tile(number, "S", x=100 * number) for number in range(3)]
    path = write_parts(tmp_path / "scan.czi", build_parts(*[[one] for one in tiles]))
    with czi.open_czi(path) as document:
        for scene in range(3):
            np.testing.assert_array_equal(document.read(scene=scene), PLANES[scene])
        whole = document.read()
        np.testing.assert_array_equal(whole[:, 200:], PLANES[2])


def test_jpeg_xr_in_every_file(tmp_path: Path) -> None:
    kinds = [PixelType.Gray8, PixelType.Gray16, PixelType.Bgr24]
    made = [jpeg_xr_tile(kind) for kind in kinds]
    tiles = [
        Tile(w=12, h=10, coordinates={"C": c}, pixel_type=kind, compression=4, data=data)
        for c, (kind, (_, data)) in enumerate(zip(kinds, made))
    ]
    path = write_parts(tmp_path / "scan.czi", build_parts(*[[one] for one in tiles]))
    with czi.open_czi(path) as document:
        for channel, (pixels, _) in enumerate(made):
            np.testing.assert_array_equal(document.read(plane={"C": channel}), pixels)


@pytest.mark.parametrize("name", ["scan", "my scan.2024", "Zürich µm 细胞", "a (1)"])
@pytest.mark.parametrize("form", ["{} ({})", "{}({})"])
def test_names_of_parts(tmp_path: Path, name: str, form: str) -> None:
    path = write_parts(tmp_path / f"{name}.CZI", scan(), form)
    for target in (path, str(path), os.fsencode(path)):
        with czi.open_czi(target) as document:
            assert_whole(document)
    with path.open("rb") as file, czi.open_czi(file) as document:
        assert_whole(document)


def test_a_relative_name(master: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(master.parent)
    with czi.open_czi("scan.czi") as document:
        monkeypatch.chdir("/")
        assert_whole(document)


def test_a_missing_part_is_named_by_the_read_that_needs_it(master: Path) -> None:
    gone = master.with_name("scan (1).czi")
    kept = gone.rename(master.with_name("elsewhere.czi"))
    with czi.open_czi(master) as document:
        assert_whole(document, planes=(0, 1, 4))
        assert document.parts[1] is None
        with pytest.raises(MissingPartError, match=r"part 1 is missing.*scan \(1\).czi' is not"):
            document.read(plane={"T": 3})
        kept.rename(gone)
        assert_whole(document)


@pytest.mark.parametrize(
    ("part", "why"),
    [
        (build_czi([tile(2), tile(3)], part=1, guids=(uuid.uuid4(), uuid.uuid4())), "another doc"),
        (build_czi([tile(2), tile(3)], part=2, guids=(GUID, uuid.uuid4())), "is part 2"),
        (build_czi([tile(2)], guids=(uuid.UUID(int=7),) * 2), "a document of its own"),
        (build_czi([tile(3)], part=1, guids=(uuid.UUID(int=7),) * 2), "not hold the sub-blocks"),
    ],
)
def test_a_neighbour_that_does_not_belong_to_the_document(
    master: Path, part: Any, why: str
) -> None:
    neighbour = part.write(master.with_name("scan (1).czi"))
    with czi.open_czi(master) as document:
        assert_whole(document, planes=(0, 1, 4))
        with pytest.raises(MissingPartError, match=why):
            document.read(plane={"T": 2})
    neighbour.write_bytes(b"no CZI")
    with czi.open_czi(master) as document, pytest.raises(MissingPartError, match="is not a CZI"):
        document.read(plane={"T": 2})


def test_a_part_that_names_no_master_belongs_where_its_tiles_are_listed(master: Path) -> None:
    part = build_czi([tile(2, file_part=1), tile(3, file_part=1)], part=1, guids=(GUID, GUID))
    nobody = part.patched(48, "<32s", bytes(32))
    nobody.write(master.with_name("scan (1).czi"))
    with czi.open_czi(master) as document:
        assert_whole(document)


def test_parts_elsewhere(master: Path, tmp_path: Path) -> None:
    folder = tmp_path / "parts"
    folder.mkdir()
    one = shutil.move(master.with_name("scan (1).czi"), folder / "one.czi")
    two = shutil.move(master.with_name("scan (2).czi"), folder / "two.czi")
    with two.open("rb") as file:
        for parts in ([two, one], [master, one, two], {1: one, 2: two}, (one, file)):
            with czi.open_czi(master, parts=parts) as document:
                assert_whole(document)
    with czi.open_czi(io.BytesIO(master.read_bytes()), parts=[one, two]) as document:
        assert_whole(document)
    with czi.open_czi(master, parts=one) as document:
        assert_whole(document, planes=range(4))
    assert imread(master, parts=[one, two]).shape == (5, 1, 1, H, W)
    with pytest.raises(MissingPartError, match=r"parts= names .*none.czi' for .*scan.czi"):
        czi.open_czi(master, parts=[folder / "none.czi"]).read(plane={"T": 2})


def test_files_that_are_named_wrongly(master: Path) -> None:
    one = master.with_name("scan (1).czi")
    with pytest.raises(ValueError, match=r"names part 1 .* twice"):
        czi.open_czi(master, parts=[one, one])
    nameless = io.BytesIO(master.read_bytes())
    with czi.open_czi(nameless) as document:
        with pytest.raises(MissingPartError, match="no name to look beside"):
            document.read(plane={"T": 2})


@pytest.mark.parametrize("kind", ["url", "cached", "OpenFile", "UPath"])
def test_what_fsspec_opens(kind: str) -> None:
    fsspec = needs("fsspec", "remote")
    url = "memory://parts/my scan.czi"
    names = ["my scan.czi", "my scan (1).czi", "my scan (2).czi"]
    memory = fsspec.filesystem("memory")
    for name, built in zip(names, scan()):
        memory.pipe_file(f"/parts/{name}", built.data)
    targets = {
        "url": lambda: url,
        "cached": lambda: f"blockcache::{url}",
        "OpenFile": lambda: fsspec.open(url),
        "UPath": lambda: needs("upath").UPath(url),
    }
    with czi.open_czi(targets[kind]()) as document:
        assert_whole(document)


def test_a_named_part_of_another_document_is_read_with_a_warning(master: Path) -> None:
    other = build_czi([tile(2), tile(3)], part=1, guids=(uuid.uuid4(), uuid.uuid4()))
    path = other.write(master.with_name("other.czi"))
    with (
        czi.open_czi(master, parts={1: path}) as document,
        pytest.warns(UserWarning, match="belongs to another document"),
    ):
        document.read(plane={"T": 2})


@pytest.mark.parametrize("form", ["{} ({})", "{}({})", "{}-{}"])
def test_parts_that_the_master_does_not_list_are_added(form: str, tmp_path: Path) -> None:
    tiles = [tile(0), tile(1, "Z"), tile(2, compression=6)]
    files = build_parts(*[[one] for one in tiles], number=False)
    path = write_parts(tmp_path / "scan.czi", files, form)
    others = sorted(tmp_path.glob("scan?*.czi"))
    is_seen = "(" in form  # else they are to be named
    with czi.open_czi(path) as document:
        assert document.total_bounding_box["T"] == (0, 3 if is_seen else 1)
        assert list(document.parts) == ([1, 2] if is_seen else [])
    for parts in (others, None) if is_seen else (others,):
        with czi.open_czi(path, parts=parts) as document:
            assert document.total_bounding_box["T"] == (0, 3)
            np.testing.assert_array_equal(document.read(plane={"T": 2}), PLANES[2])
            np.testing.assert_array_equal(document.read_subblock(1).pixels(), PLANES[1])


@pytest.mark.parametrize(
    "neighbour",
    [
        build_czi([tile(1)]),  # a second download of the same file
        build_czi([tile(1)], guids=(GUID, uuid.UUID(int=1))),
        build_czi([tile(1)], part=2, guids=(GUID, uuid.UUID(int=1))),
        build_czi([tile(1)], part=1, guids=(uuid.UUID(int=7), uuid.UUID(int=1))),
    ],
)
def test_a_neighbour_that_is_no_part_is_left_alone(neighbour: Any, tmp_path: Path) -> None:
    neighbour.write(tmp_path / "scan (1).czi")
    with czi.open_czi(build_czi([tile(0)]).write(tmp_path / "scan.czi")) as document:
        assert document.parts == {}
        assert document.total_bounding_box["T"] == (0, 1)


def test_a_copy_in_the_place_of_its_source_has_the_parts_once(tmp_path: Path) -> None:
    files = build_parts([tile(0)], [tile(1)], number=False)
    path = write_parts(tmp_path / "scan.czi", files)
    assert czi.copy(path, path, overwrite=True).sub_blocks == 2
    with czi.open_czi(path) as document:
        assert document.parts == {}
        assert len(document.subblocks) == 2


def test_added_jpeg_xr(tmp_path: Path) -> None:
    pixels, data = jpeg_xr_tile(PixelType.Gray8)
    tiles = [[Tile(w=12, h=10, coordinates={"T": t}, compression=4, data=data)] for t in range(3)]
    path = write_parts(tmp_path / "scan.czi", build_parts(*tiles, number=False))
    with czi.open_czi(path, parts=sorted(tmp_path.glob("scan (*).czi"))) as document:
        for t in range(3):
            np.testing.assert_array_equal(document.read(plane={"T": t}), pixels)


def test_a_part_alone_gives_what_it_lists(master: Path) -> None:
    with czi.open_czi(master.with_name("scan (1).czi")) as document:
        assert document.total_bounding_box["T"] == (2, 4)
        np.testing.assert_array_equal(document.read(plane={"T": 3}), PLANES[3])
        assert document.parts == {}


def test_a_part_that_lists_all_finds_the_master_too(tmp_path: Path) -> None:
    first, second = build_parts([tile(0)], [tile(1)])
    there = tile(0).entry(first.subblocks[0])
    guids = (GUID, uuid.UUID(int=1))
    second = build_czi([tile(1, file_part=1)], elsewhere=[there], part=1, guids=guids)
    path = write_parts(tmp_path / "scan.czi", [first, second])
    with czi.open_czi(path.with_name("scan (1).czi")) as document:
        assert list(document.parts) == [0]
        for number in range(2):
            np.testing.assert_array_equal(document.read(plane={"T": number}), PLANES[number])


def test_numbers_that_are_wrong_are_passed_over(tmp_path: Path) -> None:
    built = build_czi([tile(0, file_part=3), tile(1, file_part=3)])
    with czi.open_czi(built.write(tmp_path / "scan.czi")) as document:
        for number in range(2):
            np.testing.assert_array_equal(document.read(plane={"T": number}), PLANES[number])


def test_what_is_damaged_is_said_with_the_file(master: Path) -> None:
    part = master.with_name("scan (2).czi")
    part.write_bytes(part.read_bytes()[: 544 + 300])
    with czi.open_czi(master) as document:
        with pytest.raises(CorruptFileError, match=r"4 \(at byte 544 of .*scan \(2\).czi\)"):
            document.read(plane={"T": 4})
        part.write_bytes(part.read_bytes()[:600])
        with pytest.raises(CorruptFileError, match=r"ends at byte 600 of .*scan \(2\).czi"):
            document.read_subblock(4).pixels()


def test_a_directory_of_very_many_parts(tmp_path: Path) -> None:
    tiles = [Tile(listed=Tile(x=n, file_part=n + 1)) for n in range(3000)]
    with czi.open_czi(build_czi(tiles).write(tmp_path / "scan.czi")) as document:
        with pytest.raises(MissingPartError):
            document.read()


def test_a_changed_part_is_read_anew(master: Path) -> None:
    with czi.open_czi(master) as document:
        assert_whole(document)
        other = [tile(0), tile(1)], [tile(2), tile(3)], [tile(4)]
        swapped = [*build_parts(*other)]
        data = bytearray(swapped[1].data)
        start = data.index(PLANES[2].tobytes())
        data[start : start + 2] = b"\xab\xcd"
        new = master.with_name("new.czi")
        new.write_bytes(data)
        new.replace(master.with_name("scan (1).czi"))
        found = document.read(plane={"T": 2})
        assert found[0, 0, 0] == 0xCDAB


def test_lazy_arrays_of_other_parts_are_others(master: Path) -> None:
    needs("dask.array", "dask")
    one = master.with_name("scan (1).czi")
    names = {imread(master, dask=True, parts=parts).name for parts in (None, [one], {1: one})}
    assert len(names) == 3


@needs_fork
def test_a_forked_process(master: Path) -> None:
    with czi.open_czi(master) as document:
        assert_whole(document)
        assert in_fork(lambda: document.read(plane={"T": 3}).sum()) == PLANES[3].sum()


def test_pickles(master: Path) -> None:
    with czi.open_czi(master, parts={1: master.with_name("scan (1).czi")}) as document:
        with pickle.loads(pickle.dumps(document)) as copy:
            assert_whole(copy)


def test_the_table_tells_the_file_and_the_place_in_it(master: Path) -> None:
    with czi.open_czi(master) as document:
        table = document.subblocks
        assert table["file_part"].tolist() == [0, 0, 1, 1, 2]
        assert table["file_position"].tolist()[::2] == [544] * 3


def test_sub_blocks_of_several_planes_in_every_file(tmp_path: Path) -> None:
    parts = [line_scan(0, 2), line_scan(2, 3)]
    path = write_parts(tmp_path / "scan.czi", build_parts(*[[part] for part in parts]))
    with czi.open_czi(path) as document:
        assert_whole(document)
        table = document.subblocks
        assert table["file_part"].tolist() == [0, 0, 1, 1, 1]
        assert table["file_position"].tolist() == [544] * 5
    czi.copy(path, tmp_path / "one.czi")
    with czi.open_czi(tmp_path / "one.czi") as document:
        assert_whole(document)


def test_what_is_there_is_read_beside_a_missing_file_of_such_sub_blocks(tmp_path: Path) -> None:
    first, _ = build_parts([line_scan(0, 2)], [line_scan(2, 3)])
    with czi.open_czi(first.write(tmp_path / "scan.czi")) as document:
        assert document.total_bounding_box["T"] == (0, 5)
        assert np.array_equal(document.read(plane={"T": 1}), PLANES[1])
        with pytest.raises(MissingPartError, match="part 1"):
            document.read(plane={"T": 3})


def line_scan(first: int, count: int) -> Tile:
    """Return a sub-block that holds several planes."""
    sizes = [Dimension(b"X", 0, W), Dimension(b"Y", 0, H), Dimension(b"T", first, count)]
    data = b"".join(plane.tobytes() for plane in PLANES[first : first + count])
    return Tile(w=W, h=H, pixel_type=1, data=data, dimensions=sizes)


def test_attachments_in_another_part(tmp_path: Path) -> None:
    there = [AttachedFile(b"Label", b"CZI", b"picture")]
    path = write_parts(tmp_path / "scan.czi", build_parts([tile(0)], [tile(1)], attachments=there))
    with czi.open_czi(path) as document:
        assert document.attachments["Label"].data == b"picture"
    only = build_parts([tile(0)], [], attachments=there)
    path = write_parts(tmp_path / "only.czi", only)
    with czi.open_czi(path) as document:
        assert document.attachments["Label"].data == b"picture"
        path.with_name("only (1).czi").unlink()
    with czi.open_czi(path) as document, pytest.raises(MissingPartError, match="part 1"):
        _ = document.attachments["Label"].data


def test_arrays_and_metadata_of_all_files(master: Path) -> None:
    expected = np.stack([plane[..., 0] for plane in PLANES])[:, None, None]
    with CziImage(master) as image:
        np.testing.assert_array_equal(image.asarray(), expected)
    assert_lazy(master, expected)


def assert_lazy(path: Path, expected: NDArray[Any]) -> None:
    needs("dask.array", "dask")
    np.testing.assert_array_equal(imread(path, dask=True).compute(), expected)
