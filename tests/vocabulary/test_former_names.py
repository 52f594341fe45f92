"""Parameters take their former names with a warning, and pylibCZIrw's names in silence."""

from __future__ import annotations

import inspect
import pickle
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from files.recipes import Made

import czictypes
from czictypes import czi

PIXELS = np.arange(12, dtype=np.uint8).reshape(3, 4)


def source(folder: Path) -> Path:
    return folder / "source.czi"


@pytest.fixture
def folder(made: Callable[[str], Made], tmp_path: Path) -> Path:
    """A folder with a CZI of its own, which may be changed."""
    source(tmp_path).write_bytes(made("mosaic").path.read_bytes())
    return tmp_path


# Each former name: the function, the parameter of today, and a call that uses the former one.
FORMER: list[tuple[Callable[..., Any], str, str, Callable[[Path], Any]]] = [
    (czi.copy, "src", "source", lambda at: czi.copy(src=source(at), dest=at / "a.czi")),
    (czi.copy, "dst", "dest", lambda at: czi.copy(source(at), dst=at / "a.czi")),
    (
        czi.copy,
        "recompress",
        "compression",
        lambda at: czi.copy(source(at), at / "a.czi", recompress="zstd0:"),
    ),
    (czi.copy, "exist_ok", "overwrite", lambda at: czi.copy(source(at), source(at), exist_ok=True)),
    (
        czi.copy,
        "source_options",
        "storage_options",
        lambda at: czi.copy(source(at), at / "a.czi", source_options={}),
    ),
    (czi.repair, "src", "source", lambda at: czi.repair(src=source(at), dest=at / "a.czi")),
    (czi.repair, "dst", "dest", lambda at: czi.repair(source(at), dst=at / "a.czi")),
    (
        czi.repair,
        "exist_ok",
        "overwrite",
        lambda at: czi.repair(source(at), at / "a.czi", exist_ok=True),
    ),
    (
        czi.repair,
        "source_options",
        "storage_options",
        lambda at: czi.repair(source(at), at / "a.czi", source_options={}),
    ),
    (czi.add_pyramid, "path", "source", lambda at: czi.add_pyramid(path=source(at))),
    (
        czi.add_pyramid,
        "output",
        "dest",
        lambda at: czi.add_pyramid(source(at), output=at / "a.czi"),
    ),
    (
        czi.add_pyramid,
        "exist_ok",
        "overwrite",
        lambda at: czi.add_pyramid(source(at), dest=at / "a.czi", exist_ok=True),
    ),
    (czi.check, "filepath", "source", lambda at: czi.check(filepath=source(at))),
    (czi.imwrite, "path", "dest", lambda at: czi.imwrite(path=at / "a.czi", array=PIXELS)),
    (
        czi.imwrite,
        "exist_ok",
        "overwrite",
        lambda at: czi.imwrite(source(at), PIXELS, exist_ok=True),
    ),
    (
        czictypes.convert,
        "workers",
        "threads",
        lambda at: czictypes.convert(source(at), at / "a.ome.tif", workers=1),
    ),
    (
        czictypes.write_ome_zarr,
        "workers",
        "threads",
        lambda at: czictypes.write_ome_zarr(source(at), at / "a.ome.zarr", workers=1),
    ),
    (
        czictypes.write_ome_zarr,
        "compressor",
        "compression",
        lambda at: czictypes.write_ome_zarr(source(at), at / "a.ome.zarr", compressor="gzip"),
    ),
    (
        czictypes.from_ome_zarr,
        "workers",
        "threads",
        lambda at: czictypes.from_ome_zarr(ome_zarr(at), at / "a.czi", workers=1),
    ),
    (
        czictypes.from_ome_zarr,
        "images",
        "scenes",
        lambda at: czictypes.from_ome_zarr(ome_zarr(at), at / "a.czi", images=0),
    ),
    (
        czictypes.to_multiscales,
        "source_options",
        "storage_options",
        lambda at: czictypes.to_multiscales(source(at), source_options={}),
    ),
    (
        czictypes.to_ngff_image,
        "source_options",
        "storage_options",
        lambda at: czictypes.to_ngff_image(source(at), source_options={}),
    ),
    (
        czictypes.write_deepzoom,
        "path",
        "dest",
        lambda at: czictypes.write_deepzoom(source(at), path=at / "a.dzi"),
    ),
]


def ome_zarr(folder: Path) -> Path:
    czictypes.write_ome_zarr(source(folder), folder / "between.ome.zarr")
    return folder / "between.ome.zarr"


_NEEDS = {
    "convert": "tifffile",
    "write_ome_zarr": "zarr",
    "from_ome_zarr": "zarr",
    "to_multiscales": "ngff_zarr",
    "to_ngff_image": "ngff_zarr",
    "write_deepzoom": "PIL",
}


def named(function: Callable[..., Any], old: str) -> str:
    return f"{function.__name__}-{old}"


@pytest.fixture(params=FORMER, ids=lambda case: named(case[0], case[1]))
def case(request: pytest.FixtureRequest) -> Any:
    """Each former name, if the package that its function needs is there."""
    package = _NEEDS.get(request.param[0].__name__)
    if package is not None:
        pytest.importorskip(package, exc_type=ImportError)
    if package in ("zarr", "ngff_zarr"):
        pytest.importorskip("zarr.abc.store", exc_type=ImportError)
        pytest.importorskip("ome_types", exc_type=ImportError)
    return request.param


def test_a_former_name_works_and_says_what_it_is_called_now(case: Any, folder: Path) -> None:
    function, old, new, call = case
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        call(folder)
    told = [one for one in caught if issubclass(one.category, DeprecationWarning)]
    told = [one for one in told if f"{old}=" in str(one.message)]
    assert [str(one.message) for one in told] == [
        f"{function.__name__}(): {old}= is called {new}= now"
    ]
    assert told[0].filename == __file__


@pytest.mark.parametrize("case", FORMER, ids=lambda case: named(case[0], case[1]))
def test_signatures_show_the_names_of_today_alone(case: Any) -> None:
    function, old, new, _ = case
    parameters = inspect.signature(function).parameters
    assert new in parameters
    assert old not in parameters


def test_the_names_of_pylibczirw_work_in_silence(folder: Path) -> None:
    path = folder / "new.czi"
    path.write_bytes(b"")
    for create in (czi.create_czi, czi.CziWriter):
        with create(filepath=path, exist_ok=True, compression_options="zstd0:") as document:
            document.write(PIXELS)
            document.write(PIXELS, (9, 9), compression_options="uncompressed:")
        with czi.open_czi(filepath=path) as document:
            assert sorted(document.subblocks["compression"].tolist()) == [0, 5]
        with create(dest=path, overwrite=True, compression="zstd0:") as document:
            document.write(PIXELS)
    with czi.open_czi(source=path) as document, czi.CziReader(source=path) as same:
        assert (document.read() == same.read()).all()
    for edit in (czi.edit_czi, czi.CziEditor):
        for name in ("filepath", "source"):
            with edit(**{name: path}) as editor:
                assert editor.is_open


@pytest.mark.parametrize("create", [czi.create_czi, czi.CziWriter])
def test_what_makes_a_czi_shows_our_names_of_its_options(create: Callable[..., Any]) -> None:
    names = inspect.signature(create).parameters
    assert names.keys() >= {"filepath", "overwrite", "compression"}
    assert not names.keys() & {"exist_ok", "compression_options", "dest"}


def test_a_slide_takes_a_location_and_an_extent_for_a_region(folder: Path) -> None:
    pytest.importorskip("PIL", exc_type=ImportError)
    with czictypes.CziSlide(source(folder)) as slide:
        expected = slide.read_resized((5, 6, 40, 30), (20, 15), (1, 2, 3)).tobytes()
        assert list(inspect.signature(slide.read_resized).parameters)[:2] == ["roi", "size"]
        for call in (
            lambda: slide.read_resized((5, 6), (40, 30), (20, 15), (1, 2, 3)),
            lambda: slide.read_resized(
                location=(5, 6), extent=(40, 30), size=(20, 15), background=(1, 2, 3)
            ),
        ):
            with pytest.warns(DeprecationWarning, match="one roi=") as caught:
                assert call().tobytes() == expected
            assert caught[0].filename == __file__


@pytest.mark.parametrize(("old", "new"), [("described", "read_metadata")])
def test_former_names_of_methods(folder: Path, old: str, new: str) -> None:
    with czi.open_czi(source(folder)) as document:
        with pytest.warns(DeprecationWarning, match=f"{old} is called {new} now") as caught:
            method = getattr(document, old)
        assert caught[0].filename == __file__
        assert method == getattr(document, new)


def test_former_names_of_the_fields_of_the_table(folder: Path) -> None:
    with czi.open_czi(source(folder)) as document:
        table = document.subblocks
    with pytest.warns(DeprecationWarning, match="physical_w .* is called stored_w now") as caught:
        column = table["physical_w"]
    assert caught[0].filename == __file__
    assert type(column) is np.ndarray
    assert column.tolist() == table["stored_w"].tolist()
    with pytest.warns(DeprecationWarning, match="physical_h .* is called stored_h now"):
        assert table[["index", "physical_h"]].dtype.names == ("index", "stored_h")
    assert table[0]["physical_h"] == table[0]["stored_h"] == table[:1]["stored_h"]
    assert (pickle.loads(pickle.dumps(table))["stored_h"] == table["stored_h"]).all()
