"""ZIP archives and every kind of zarr's stores, opened or not, in both directions."""

from __future__ import annotations

import errno
import io
import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from extras import needs
from files.recipes import Made
from ome_zarrs import stored

from czictypes import (
    Image,
    aszarr,
    convert,
    czi,
    from_ome_zarr,
    imread,
    open_image,
    save,
    write_ome_zarr,
)
from czictypes.arrays.image import CziImage
from czictypes.metadata.document_content import DocumentContent
from czictypes.metadata.scenes import Plate, SceneInfo, Well
from czictypes.model.errors import IncompleteOutputError, UnsupportedDataError

needs("zarr.abc.store", "ome-zarr")  # zarr 3
zarr = needs("zarr", "ome-zarr")
storage = needs("zarr.storage", "ome-zarr")
sync = needs("zarr.core.sync", "ome-zarr").sync
fsspec = needs("fsspec", "remote")

KINDS = [
    "zip unopened",
    "zip opened",
    "zip exclusive",
    "zip appended",
    "zip logged",
    "memory",
    "dict",
    "folder unopened",
    "folder opened",
    "path in a store",
    "fsspec map",
    "my slide.zip",
    "my slide.ozx",
    "my slide.ome.zarr.zip",
]


def plate(path: Path) -> None:
    """Two wells, two fields in the first."""
    wells = [Well("A1", 1, 1), Well("A1", 1, 1), Well("C2", 3, 2)]
    scenes = [SceneInfo(at, f"P {at}", well=well) for at, well in enumerate(wells)]
    with czi.create_czi(path) as document:
        for at in range(3):
            document.write(np.full((30, 40), at + 1, np.uint16), (at * 100, 0), scene=at)
        content = DocumentContent(scenes=scenes, plate=Plate("my plate", 3, 2))
        document.write_metadata("plate", scale_x=1e-6, scale_y=1e-6, content=content)


def array(axes: str, *shape: int) -> Callable[[Path], None]:
    pixels = (np.arange(np.prod(shape)) % 251 + 1).reshape(shape).astype(np.uint8)
    return lambda path: czi.imwrite(path, pixels, axes=axes)


SOURCES: dict[str, Callable[[Path], None]] = {
    "plane": array("YX", 99, 99),
    "stack": array("CZYX", 2, 3, 40, 50),
    "time series": array("TYX", 3, 40, 50),
    "colours": array("YXS", 40, 50, 3),
    "plate": plate,
}


@pytest.fixture
def source(tmp_path: Path) -> Callable[[str], Path]:
    def make(name: str) -> Path:
        path = tmp_path / "a slide.czi"
        SOURCES[name](path)
        return path

    return make


def new_target(kind: str, folder: Path) -> Any:
    """Return what to write to."""
    if kind.startswith("zip"):
        mode = {"exclusive": "x", "appended": "a"}.get(kind[4:], "w")
        store = storage.ZipStore(folder / "in a zip.zip", mode=mode)
        if kind != "zip unopened":
            sync(store._ensure_open())
        return storage.LoggingStore(store, log_level="ERROR") if kind == "zip logged" else store
    if kind.startswith("folder"):
        store = storage.LocalStore(folder / "in a folder")
        if kind == "folder opened":
            sync(store._ensure_open())
        return store
    if kind == "path in a store":
        return storage.StorePath(storage.LocalStore(folder / "in a folder"), "deep/inside")
    if kind == "fsspec map":
        return fsspec.filesystem("file", auto_mkdir=True).get_mapper(str(folder / "mapped"))
    return {"memory": storage.MemoryStore, "dict": dict}.get(kind, lambda: folder / kind)()


def contents(kind: str, target: Any, folder: Path) -> dict[str, bytes]:
    """Return what was written; an archive has each name once."""
    if kind.startswith("zip") and kind != "zip unopened":
        target.close()
    if "zip" in kind or kind.endswith(".ozx"):
        path = folder / ("in a zip.zip" if kind.startswith("zip") else kind)
        with zipfile.ZipFile(path) as file:
            assert len(set(file.namelist())) == len(file.namelist())
            assert all(one.compress_type == zipfile.ZIP_STORED for one in file.infolist())
            return {name: file.read(name) for name in file.namelist()}
    if kind in ("memory", "dict"):
        found = target if kind == "dict" else target._store_dict
        return {key: value.to_bytes() for key, value in found.items()}
    where = {"path in a store": "in a folder/deep/inside", "fsspec map": "mapped"}
    return stored(folder / where.get(kind, "in a folder"))


def given(kind: str, target: Any, folder: Path) -> Any:
    """Return the same for reading."""
    if kind in ("zip opened", "zip logged"):
        return sync(storage.ZipStore.open(folder / "in a zip.zip", mode="r"))
    if kind.startswith("zip"):
        return storage.ZipStore(folder / "in a zip.zip", mode="r")
    return target


@pytest.mark.parametrize("version", ["0.5", "0.4"])
@pytest.mark.parametrize("kind", KINDS)
def test_any_store_holds_what_a_folder_holds_and_gives_it_back(
    source: Callable[[str], Path],
    tmp_path: Path,
    open_czi: Callable[..., CziImage],
    kind: str,
    version: str,
) -> None:
    if kind.endswith(".ozx") and version == "0.4":
        with pytest.raises(ValueError, match=r"0\.4.*\.ozx"):
            write_ome_zarr(source("plate"), tmp_path / kind, version=version)
        return
    path, target = source("plate"), new_target(kind, tmp_path)
    write_ome_zarr(path, tmp_path / "plain.ome.zarr", version=version)
    write_ome_zarr(path, target, version=version)
    assert contents(kind, target, tmp_path) == stored(tmp_path / "plain.ome.zarr")
    from_ome_zarr(given(kind, target, tmp_path), tmp_path / "back.czi")
    before, after = open_czi(path), open_czi(tmp_path / "back.czi")
    assert after.scenes == before.scenes
    assert after.plate == before.plate
    for scene in range(3):
        before.set_scene(scene)
        after.set_scene(scene)
        assert np.array_equal(after.asarray(), before.asarray())


@pytest.mark.parametrize("kind", ["zip unopened", "zip opened", "dict", "memory", "my slide.ozx"])
@pytest.mark.parametrize("name", SOURCES)
def test_convert_takes_stores_too(
    source: Callable[[str], Path],
    same_pixels: Callable[[Path, Path], None],
    tmp_path: Path,
    name: str,
    kind: str,
) -> None:
    path, target = source(name), new_target(kind, tmp_path)
    done = convert(path, target, levels=2)
    assert done.format == "OME-Zarr"
    assert len(done.dest) < 200
    contents(kind, target, tmp_path)
    convert(given(kind, target, tmp_path), tmp_path / "back.czi")
    same_pixels(path, tmp_path / "back.czi")


@pytest.mark.parametrize("chunks", [64, 128])
def test_levels_are_computed_from_what_an_archive_has_already(
    mosaic_czi: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunks: int
) -> None:
    monkeypatch.setattr("czictypes.exchange.ome_zarr.tasks._AT_ONCE", 1 << 16)
    options: dict[str, Any] = {"chunks": chunks, "levels": 4}
    write_ome_zarr(mosaic_czi, tmp_path / "plain.ome.zarr", **options)
    write_ome_zarr(mosaic_czi, tmp_path / "new.ozx", **options)
    assert contents("new.ozx", None, tmp_path) == stored(tmp_path / "plain.ome.zarr")


# Whose a store is


def test_a_store_that_was_opened_stays_open(source: Callable[[str], Path], tmp_path: Path) -> None:
    store = sync(storage.ZipStore.open(tmp_path / "a.zip", mode="w"))
    write_ome_zarr(source("plane"), store)
    assert store._is_open
    zarr.create_array(store, name="more", data=np.zeros(3))
    from_ome_zarr(store, tmp_path / "b.czi")  # while it is open for writing
    assert store._is_open
    store.close()
    with zipfile.ZipFile(tmp_path / "a.zip") as file:
        assert {"0/zarr.json", "more/zarr.json"} <= set(file.namelist())


def test_a_store_that_was_not_opened_is_closed_and_can_be_added_to(
    source: Callable[[str], Path], tmp_path: Path
) -> None:
    with storage.ZipStore(tmp_path / "a.zip", mode="w") as store:
        write_ome_zarr(source("plane"), store)
        with zipfile.ZipFile(tmp_path / "a.zip") as file:
            before = file.namelist()
        zarr.create_array(store, name="more", data=np.zeros(3))
    with zipfile.ZipFile(tmp_path / "a.zip") as file:
        assert file.namelist()[: len(before)] == before
        assert "more/zarr.json" in file.namelist()


def test_reading_empties_no_archive_whatever_its_mode(
    source: Callable[[str], Path], tmp_path: Path
) -> None:
    write_ome_zarr(source("plane"), tmp_path / "a.zip")
    before = (tmp_path / "a.zip").read_bytes()
    from_ome_zarr(storage.ZipStore(tmp_path / "a.zip", mode="w"), tmp_path / "b.czi")
    assert (tmp_path / "a.zip").read_bytes() == before


def test_a_dry_run_touches_nothing(source: Callable[[str], Path], tmp_path: Path) -> None:
    path = source("plane")
    for kind in KINDS:
        if "opened" not in kind.split() and kind not in ("zip exclusive", "zip appended"):
            (tmp_path / kind).mkdir()
            target = new_target(kind, tmp_path / kind)
            if kind == "zip logged":
                continue  # it was opened, so it is there
            assert not convert(path, target, dry_run=True).written
            assert not any((tmp_path / kind).iterdir())


@pytest.mark.parametrize("kind", ["zip", "memory", "folder", "aszarr"])
def test_what_can_only_be_read_is_not_written(
    source: Callable[[str], Path], tmp_path: Path, kind: str
) -> None:
    path = source("plane")
    write_ome_zarr(path, tmp_path / "a.zip")
    stores = {
        "zip": lambda: storage.ZipStore(tmp_path / "a.zip", mode="r"),
        "memory": lambda: storage.MemoryStore(read_only=True),
        "folder": lambda: storage.LocalStore(tmp_path / "x", read_only=True),
        "aszarr": lambda: aszarr(path),
    }
    with stores[kind]() as store:
        if kind == "zip":
            sync(store._ensure_open())
        with pytest.raises(ValueError, match="can only be read"):
            write_ome_zarr(path, store, overwrite=True)


def test_a_czi_seen_as_a_store_is_a_source(
    source: Callable[[str], Path],
    same_pixels: Callable[[Path, Path], None],
    tmp_path: Path,
) -> None:
    path = source("plate")
    with aszarr(path) as store:
        from_ome_zarr(store, tmp_path / "back.czi")
    same_pixels(path, tmp_path / "back.czi")


def test_a_dict_of_bytes_is_read(source: Callable[[str], Path], tmp_path: Path) -> None:
    write_ome_zarr(source("plane"), tmp_path / "a.ome.zarr")
    from_ome_zarr(stored(tmp_path / "a.ome.zarr"), tmp_path / "back.czi")
    with CziImage(tmp_path / "back.czi") as image:
        assert image.asarray().all()


@pytest.mark.parametrize("wrong", [7, None, [1], np.zeros(3)])
def test_what_is_no_store_is_told(source: Callable[[str], Path], wrong: Any) -> None:
    with pytest.raises(TypeError, match="not a path, URL, store of zarr"):
        write_ome_zarr(source("plane"), wrong)


# Archives that are read


@pytest.mark.parametrize("ending", ["zip", "ozx"])
def test_an_archive_of_a_folder_is_read(
    source: Callable[[str], Path],
    same_pixels: Callable[[Path, Path], None],
    tmp_path: Path,
    ending: str,
) -> None:
    path = source("plate")
    write_ome_zarr(path, tmp_path / "x" / "my plate.ome.zarr")
    shutil.make_archive(str(tmp_path / "packed"), "zip", tmp_path / "x", "my plate.ome.zarr")
    packed = (tmp_path / "packed.zip").rename(tmp_path / f"my packed.{ending}")
    with zipfile.ZipFile(packed, "a") as file:
        file.writestr("__MACOSX/._x", b"")
    from_ome_zarr(packed, tmp_path / "back.czi")
    same_pixels(path, tmp_path / "back.czi")


def test_an_image_in_an_archive_is_named_by_its_path(
    source: Callable[[str], Path], tmp_path: Path, open_czi: Callable[..., CziImage]
) -> None:
    write_ome_zarr(source("plate"), tmp_path / "plate.ozx")
    from_ome_zarr(tmp_path / "plate.ozx" / "C" / "2" / "0", tmp_path / "back.czi")
    assert (open_czi(tmp_path / "back.czi").asarray() == 3).all()


@pytest.mark.parametrize("ending", ["zip", "ozx"])
def test_an_archive_at_a_url(
    source: Callable[[str], Path],
    same_pixels: Callable[[Path, Path], None],
    tmp_path: Path,
    ending: str,
) -> None:
    path, url = source("plate"), f"memory://czictypes-archives/my plate.{ending}"
    files = fsspec.filesystem("memory")
    try:
        write_ome_zarr(path, url)
        with pytest.raises(FileExistsError):
            convert(path, url)
        convert(path, url, overwrite=True)
        convert(url, tmp_path / "back.czi")
    finally:
        files.rm("/czictypes-archives", recursive=True)
    same_pixels(path, tmp_path / "back.czi")


def test_what_is_no_archive_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(b"text")
    with pytest.raises(UnsupportedDataError, match=r"a\.zip is not a readable ZIP archive"):
        from_ome_zarr(tmp_path / "a.zip", tmp_path / "b.czi")
    with pytest.raises(FileNotFoundError, match=r"none\.ozx"):
        from_ome_zarr(tmp_path / "none.ozx", tmp_path / "b.czi")
    with zipfile.ZipFile(tmp_path / "c.zip", "w") as file:
        file.writestr("thesis.txt", b"years of work")
    with pytest.raises(FileNotFoundError, match=r"no Zarr .*c\.zip"):
        convert(tmp_path / "c.zip", tmp_path / "b.czi")


# Archives that are written


def test_an_ozx_is_as_rfc_9_wants_it(source: Callable[[str], Path], tmp_path: Path) -> None:
    ngff = needs("ngff_zarr", "ome-zarr")
    path = tmp_path / "my plate.ozx"
    write_ome_zarr(source("plate"), path)
    assert ngff.read_ozx_version(path) == "0.5"
    assert ngff.read_ozx_json_first(path)
    with zipfile.ZipFile(path) as file:
        names = file.namelist()
        lies = sorted(file.infolist(), key=lambda one: one.header_offset)
    assert names[0] == lies[0].filename == "zarr.json"
    count = sum(name.endswith("zarr.json") for name in names)
    for order in (names, [one.filename for one in lies]):
        assert all(name.endswith("zarr.json") for name in order[:count])
        depths = [name.count("/") for name in order[:count]]
        assert depths == sorted(depths)


def test_ngff_zarr_reads_an_ozx(source: Callable[[str], Path], tmp_path: Path) -> None:
    ngff = needs("ngff_zarr", "ome-zarr")
    write_ome_zarr(source("stack"), tmp_path / "stack.ozx", shards=64, chunks=32)
    read = ngff.from_ome_zarr(str(tmp_path / "stack.ozx"), validate=True)
    with CziImage(tmp_path / "a slide.czi") as image:
        assert np.array_equal(np.asarray(read.images[0].data), image.asarray())


def test_an_archive_is_there_when_it_is_complete(
    source: Callable[[str], Path], tmp_path: Path
) -> None:
    path = source("stack")

    def stop(done: int, total: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OSError, match="No space left") as caught:
        write_ome_zarr(path, tmp_path / "new.ozx", progress=stop)
    assert not isinstance(caught.value, IncompleteOutputError)
    assert [one.name for one in tmp_path.iterdir()] == ["a slide.czi"]
    write_ome_zarr(path, tmp_path / "new.ozx")
    before = (tmp_path / "new.ozx").read_bytes()
    with pytest.raises(FileExistsError, match="overwrite=True"):
        write_ome_zarr(path, tmp_path / "new.ozx")
    with pytest.raises(OSError, match="No space left"):
        write_ome_zarr(path, tmp_path / "new.ozx", overwrite=True, progress=stop)
    assert (tmp_path / "new.ozx").read_bytes() == before


@pytest.mark.parametrize("kind", ["zip unopened", "zip opened", "my slide.ozx"])
def test_an_archive_cannot_be_gone_on_with(
    source: Callable[[str], Path], tmp_path: Path, kind: str
) -> None:
    target = new_target(kind, tmp_path)
    with pytest.raises(ValueError, match=r"cannot be resumed.*archive"):
        write_ome_zarr(source("plane"), target, resume=True)
    if kind == "zip opened":
        target.close()


@pytest.mark.parametrize("opened", [False, True])
@pytest.mark.parametrize("version", ["0.5", "0.4"])
def test_an_interrupted_archive_is_no_image_and_is_written_anew(
    source: Callable[[str], Path], tmp_path: Path, opened: bool, version: str
) -> None:
    path = source("stack")
    store = storage.ZipStore(tmp_path / "a.zip", mode="w")
    if opened:
        sync(store._ensure_open())

    def stop(done: int, total: int) -> None:
        raise NotImplementedError

    with pytest.raises(IncompleteOutputError, match=r"NotImplementedError.*overwrite=True"):
        write_ome_zarr(path, store, version=version, progress=stop)
    with pytest.raises(FileExistsError, match="overwrite=True"):
        write_ome_zarr(path, store, version=version)
    if not opened:
        with pytest.raises(FileNotFoundError):
            from_ome_zarr(tmp_path / "a.zip", tmp_path / "b.czi")
    write_ome_zarr(path, store, version=version, overwrite=True)
    if opened:
        store.close()
    write_ome_zarr(path, tmp_path / "plain.ome.zarr", version=version)
    assert contents("a.zip", store, tmp_path) == stored(tmp_path / "plain.ome.zarr")


def test_only_an_ome_zarr_in_an_archive_is_overwritten(
    source: Callable[[str], Path], tmp_path: Path
) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as file:
        file.writestr("thesis.txt", b"years of work")
    before = (tmp_path / "a.zip").read_bytes()
    with pytest.raises(ValueError, match="no Zarr store"):
        write_ome_zarr(
            source("plane"), storage.ZipStore(tmp_path / "a.zip", mode="a"), overwrite=True
        )
    assert (tmp_path / "a.zip").read_bytes() == before


@pytest.mark.parametrize("kind", ["memory", "dict"])
def test_what_is_in_memory_is_gone_on_with(
    mosaic_czi: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr("czictypes.exchange.ome_zarr.tasks._AT_ONCE", 1 << 16)
    target = new_target(kind, tmp_path)
    options: dict[str, Any] = {"chunks": 128, "levels": 3}

    def stop(done: int, total: int) -> None:
        if done > total // 2:
            raise RuntimeError

    with pytest.raises(IncompleteOutputError, match="failed: RuntimeError"):
        write_ome_zarr(mosaic_czi, target, progress=stop, **options)
    journal = json.loads(contents(kind, target, tmp_path)["czictypes-unfinished.json"])
    assert journal["plan"]["version"] == "0.5"
    write_ome_zarr(mosaic_czi, target, resume=True, **options)
    write_ome_zarr(mosaic_czi, tmp_path / "plain.ome.zarr", **options)
    assert contents(kind, target, tmp_path) == stored(tmp_path / "plain.ome.zarr")
    with pytest.raises(FileExistsError):
        write_ome_zarr(mosaic_czi, target)


def test_several_scenes_in_an_archive(
    made: Callable[[str], Made], same_pixels: Callable[[Path, Path], None], tmp_path: Path
) -> None:
    path = made("multi_scene_pyramid").path
    convert(path, tmp_path / "scenes.zip")
    convert(tmp_path / "scenes.zip", tmp_path / "back.czi")
    same_pixels(path, tmp_path / "back.czi")


@pytest.mark.parametrize("name", ["in.ome.zarr", "in.ozx"])
def test_pixels_that_the_files_cannot_hold_are_refused(tmp_path: Path, name: str) -> None:
    SOURCES["plane"](tmp_path / "a.czi")
    convert(tmp_path / "a.czi", tmp_path / name)
    if name == "in.ozx":
        with zipfile.ZipFile(tmp_path / name) as file:
            file.extractall(tmp_path / "in.ome.zarr")
    document = tmp_path / "in.ome.zarr/0/zarr.json"
    if not document.exists():
        document = next((tmp_path / "in.ome.zarr").rglob("0/zarr.json"))
    content = json.loads(document.read_text())
    content["shape"][-2:] = [200_000, 200_000]
    document.write_text(json.dumps(content))
    if name == "in.ozx":
        shutil.make_archive(str(tmp_path / "in"), "zip", tmp_path / "in.ome.zarr")
        (tmp_path / "in.zip").replace(tmp_path / name)
    with pytest.raises(UnsupportedDataError, match=r"claims \d+ bytes of pixels, far more than"):
        convert(tmp_path / name, tmp_path / "out.czi")


def test_a_file_in_an_archive_that_takes_far_more_memory_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "in.ozx", "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("zarr.json", b" " * (65 << 20))
    with pytest.raises(UnsupportedDataError, match=r"a file zarr\.json of 68157440 bytes in"):
        convert(tmp_path / "in.ozx", tmp_path / "out.czi")


@pytest.mark.parametrize("name", ["slide.ozx", "slide.zip"])
def test_an_archive_in_a_file_object_is_read(name: str, tmp_path: Path) -> None:
    pixels = np.arange(600, dtype=np.uint16).reshape(20, 30)
    save(pixels, tmp_path / name, levels=2)
    stream = io.BytesIO((tmp_path / name).read_bytes())
    with open_image(stream) as image:
        assert len(image.levels) == 2
        np.testing.assert_array_equal(image.data.squeeze(), pixels)
    assert not stream.closed
    with pytest.raises(UnsupportedDataError, match="not a readable ZIP archive"):
        open_image(io.BytesIO(stream.getvalue()[:50]))


def test_the_array_of_a_level_is_told_from_an_image(tmp_path: Path) -> None:
    save(np.zeros((20, 30), np.uint8), tmp_path / "a.ome.zarr")
    with pytest.raises(UnsupportedDataError, match=r"is an array of Zarr, .* open the group"):
        open_image(tmp_path / "a.ome.zarr/0")


def as_dask(image: Image) -> Any:
    needs("dask.array", "dask")
    return image.dask_data


@pytest.mark.parametrize(
    "read",
    [
        lambda path: open_image(path),
        lambda path: as_dask(open_image(path)),
        lambda path: zarr.open_array(path / "0"),
    ],
)
def test_an_ome_zarr_may_replace_itself(read: Callable[[Path], Any], tmp_path: Path) -> None:
    path, pixels = tmp_path / "a.ome.zarr", np.arange(600, dtype=np.uint16).reshape(20, 30)
    save(pixels, path)
    save(read(path), path, overwrite=True, chunks=16)
    np.testing.assert_array_equal(imread(path).squeeze(), pixels)
    assert zarr.open_array(path / "0").chunks[-1] == 16
    assert [one.name for one in tmp_path.iterdir()] == ["a.ome.zarr"]


def test_what_is_to_be_replaced_stays_if_writing_fails(tmp_path: Path) -> None:
    def stop(done: int, total: int) -> None:
        raise OSError("stop")

    path, pixels = tmp_path / "a.ome.zarr", np.arange(600, dtype=np.uint16).reshape(20, 30)
    save(pixels, path)
    with pytest.raises(OSError, match="stop"):
        convert(path, path, overwrite=True, progress=stop)
    np.testing.assert_array_equal(imread(path).squeeze(), pixels)


def test_a_store_that_is_no_folder_does_not_replace_itself() -> None:
    store = storage.MemoryStore()
    save(np.ones((20, 30), np.uint8), store)
    with pytest.raises(ValueError, match="cannot replace itself"):
        convert(store, store, overwrite=True)
    assert imread(store).all()
