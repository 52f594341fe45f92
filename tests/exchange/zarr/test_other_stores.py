"""OME-Zarr of others, in all versions from 0.1 to 0.5, to CZI."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from extras import needs
from numpy.typing import NDArray

from czictypes import (
    convert,
    from_ngff_zarr,
    from_ome_zarr,
    imread,
    open_image,
    to_multiscales,
    to_ngff_image,
    to_ngff_zarr,
)
from czictypes.arrays.image import CziImage
from czictypes.model.errors import UnsupportedDataError

needs("zarr.abc.store", "ome-zarr")  # zarr 3
zarr = needs("zarr", "ome-zarr")

AXES = {
    "t": {"name": "t", "type": "time", "unit": "millisecond"},
    "c": {"name": "c", "type": "channel"},
    "z": {"name": "z", "type": "space", "unit": "nanometer"},
    "y": {"name": "y", "type": "space", "unit": "micrometer"},
    "x": {"name": "x", "type": "space", "unit": "millimeter"},
}
SCALE = {"t": 500.0, "c": 1.0, "z": 250.0, "y": 0.5, "x": 0.0005}


def pixels(shape: tuple[int, ...], dtype: str = "uint16") -> NDArray[Any]:
    return (np.arange(np.prod(shape)) % 251).reshape(shape).astype(dtype)


def make_image(
    path: Path,
    levels: list[NDArray[Any]],
    axes: str = "tczyx",
    version: str = "0.5",
    *,
    group: str = "",
    omero: Any = None,
    chunks: Any = None,
) -> None:
    """Write an image by hand, as its version has it."""
    kind = 3 if version == "0.5" else 2
    root = zarr.open_group(str(path), path=group, mode="a", zarr_format=kind)
    datasets = []
    for number, level in enumerate(levels):
        separator = {"0.1": "."}.get(version, "/")
        more = {} if kind == 3 else {"chunk_key_encoding": {"name": "v2", "separator": separator}}
        array = root.create_array(
            str(number),
            shape=level.shape,
            dtype=level.dtype,
            chunks=chunks or tuple(min(size, 16) for size in level.shape),
            **more,
        )
        array[:] = level
        dataset: dict[str, Any] = {"path": str(number)}
        if version in ("0.4", "0.5"):
            scale = [SCALE[axis] * (2**number if axis in "yx" else 1) for axis in axes]
            translation = [{"y": 100.0, "x": 0.2}.get(axis, 0.0) for axis in axes]
            dataset["coordinateTransformations"] = [
                {"type": "scale", "scale": scale},
                {"type": "translation", "translation": translation},
            ]
        datasets.append(dataset)
    entry: dict[str, Any] = {"name": "by hand", "datasets": datasets, "version": version}
    if version == "0.3":
        entry["axes"] = list(axes)
    elif version in ("0.4", "0.5"):
        entry["axes"] = [AXES[axis] for axis in axes]
    content: dict[str, Any] = {"multiscales": [entry]}
    if omero:
        content["omero"] = omero
    root.attrs.update({"ome": {"version": version, **content}} if kind == 3 else content)


@pytest.fixture
def czi_of(
    dest: Path, tmp_path: Path, open_czi: Callable[..., CziImage]
) -> Callable[..., CziImage]:
    """Convert the store at `dest`, and open the result."""

    def get(**options: Any) -> CziImage:
        from_ome_zarr(dest, tmp_path / "new.czi", **options)
        return open_czi(tmp_path / "new.czi")

    return get


@pytest.mark.parametrize("version", ["0.1", "0.2", "0.3", "0.4", "0.5"])
def test_every_version_is_read(dest: Path, czi_of: Callable[..., CziImage], version: str) -> None:
    full = pixels((2, 3, 4, 40, 50))
    make_image(dest, [full, full[..., ::2, ::2]], version=version)
    image = czi_of()
    assert image.sizes == dict(zip("TCZYX", full.shape))
    assert np.array_equal(image.asarray(), full)
    assert [level.factor for level in image.levels] == [1.0, 2.0]
    assert np.array_equal(image.asarray(1), full[..., ::2, ::2])


@pytest.mark.parametrize(
    ("version", "axes"),
    [("0.1", "tczyx"), ("0.2", "tczyx"), ("0.3", "zyx"), ("0.3", "tcyx"), ("0.4", "cyx")],
)
def test_every_version_is_opened_and_becomes_a_later_one(
    dest: Path, tmp_path: Path, version: str, axes: str
) -> None:
    sizes = {"t": 2, "c": 3, "z": 4, "y": 40, "x": 50}
    full = pixels(tuple(sizes[axis] for axis in axes))
    window = {"min": 0, "max": 255, "start": 0, "end": 99}
    looks = [{"label": name, "color": "FF0000", "window": window} for name in ("A", "B", "C")]
    omero = {"channels": looks[: 3 if "c" in axes else 1]}
    make_image(dest, [full, full[..., ::2, ::2]], axes, version, omero=omero)
    in_memory = {
        file.relative_to(dest).as_posix(): file.read_bytes()
        for file in dest.rglob("*")
        if file.is_file()
    }
    for source in (dest, in_memory):
        with open_image(source) as image:
            assert np.array_equal(image.get_image_data(axes.upper()), full)
            assert image.channel_names == [look["label"] for look in omero["channels"]]
            assert len(image.levels) == 2
        found = from_ngff_zarr(source)
        assert found.images[0].dims == tuple(axes)
        assert np.array_equal(found.images[0].data.compute(), full)
    to_ngff_zarr(tmp_path / "ngff.ome.zarr", found, version="0.5")
    convert(dest, tmp_path / "ours.ome.zarr", version="0.5")
    for name in ("ngff.ome.zarr", "ours.ome.zarr"):
        assert np.array_equal(imread(tmp_path / name).reshape(full.shape), full)


def later_image(path: Path) -> dict[str, Any]:
    """Write an image of 0.6 by ngff-zarr; return its multiscales, which `change` puts back."""
    made = to_ngff_image(
        pixels((4, 40, 50)),
        dims=("z", "y", "x"),
        scale={"z": 2.0, "y": 0.5, "x": 0.5},
        translation={"z": 0.0, "y": 10.0, "x": 20.0},
        axes_units=dict.fromkeys("zyx", "micrometer"),
    )
    to_ngff_zarr(path, to_multiscales(made, scale_factors=[]), version="0.6")
    found: dict[str, Any] = zarr.open_group(path, mode="r").attrs["ome"]["multiscales"][0]
    return found


def change(path: Path, multiscales: dict[str, Any]) -> None:
    zarr.open_group(path, mode="r+").attrs["ome"] = {"version": "0.6", "multiscales": [multiscales]}


def test_pixels_lie_in_the_system_of_the_image(dest: Path) -> None:
    content = later_image(dest)
    axes = [{"name": axis, "type": "space", "unit": "millimeter"} for axis in "zyx"]
    turned = [[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]]
    content["coordinateSystems"].append({"name": "stage", "axes": axes})
    content["coordinateTransformations"] = [
        {"type": "rotation", "rotation": turned, "input": {"name": "intrinsic"},
         "output": {"name": "stage"}},
    ]  # fmt: skip
    change(dest, content)
    with open_image(dest) as image:
        assert image.physical_pixel_sizes == pytest.approx((2.0, 0.5, 0.5))
        assert image.origin == pytest.approx((20.0, 10.0))
        assert np.array_equal(image.data[0, 0], pixels((4, 40, 50)))


def test_pixels_that_are_no_grid_along_the_axes_are_refused(dest: Path) -> None:
    content = later_image(dest)
    (level,) = content["datasets"]
    slanted = [[1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.3, 0.0], [0.0, 0.0, 1.0, 0.0]]
    level["coordinateTransformations"] = [
        {"type": "affine", "affine": slanted, "input": {"path": level["path"]},
         "output": {"name": "intrinsic"}},
    ]  # fmt: skip
    change(dest, content)
    with pytest.raises(UnsupportedDataError, match="affine"):
        open_image(dest)


def test_units_are_understood(dest: Path, czi_of: Callable[..., CziImage]) -> None:
    make_image(dest, [pixels((2, 1, 3, 20, 30))])
    image = czi_of()
    assert image.physical_pixel_sizes == pytest.approx((0.25, 0.5, 0.5))
    assert image.time_interval is not None
    assert image.time_interval.total_seconds() == 0.5
    assert image.origin == pytest.approx((200.0, 100.0))


@pytest.mark.parametrize("axes", ["yx", "cyx", "zyx", "tyx", "tzyx", "xyc"])
def test_any_of_the_axes_may_be_missing(
    dest: Path, czi_of: Callable[..., CziImage], axes: str
) -> None:
    sizes = {"t": 2, "c": 3, "z": 4, "y": 10, "x": 12}
    full = pixels(tuple(sizes[axis] for axis in axes))
    make_image(dest, [full], axes)
    wanted = "".join(axis for axis in "tczyx" if axis in axes)
    expected = full.transpose([axes.index(axis) for axis in wanted])
    assert np.array_equal(czi_of().get_image_data(wanted.upper()), expected)


def test_channels_are_taken_over(dest: Path, czi_of: Callable[..., CziImage]) -> None:
    looks = [
        {"label": "DAPI", "color": "0000FF", "window": {"start": 0, "end": 6553.5}},
        {"color": "#00ff00", "active": False, "window": {"start": 65.535, "end": 99999}},
        {"label": "odd", "color": "green", "window": "wide"},
    ]
    make_image(dest, [pixels((1, 3, 1, 8, 8))], omero={"channels": looks})
    image = czi_of()
    assert image.channel_names == ["DAPI", "Channel:1", "odd"]
    assert image.channel_colors == [(0, 0, 255), (0, 255, 0), None]
    assert image.contrast_limits[:2] == [
        pytest.approx((0, 6553.5)),
        pytest.approx((65.535, 65535)),
    ]
    assert not image.reader.display_settings[1].is_enabled


def test_a_series_becomes_scenes(dest: Path, czi_of: Callable[..., CziImage]) -> None:
    for number, size in enumerate((10, 20, 30)):
        make_image(dest, [pixels((1, 1, 1, size, 12))], group=str(number), version="0.4")
    zarr.open_group(str(dest), mode="a", zarr_format=2).attrs["bioformats2raw.layout"] = 3
    image = czi_of()
    assert len(image.scenes) == 3
    for number, size in enumerate((10, 20, 30)):
        image.set_scene(number)
        assert np.array_equal(image.asarray(), pixels((1, 1, 1, size, 12)))


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_a_plate_becomes_scenes_in_wells(
    dest: Path, czi_of: Callable[..., CziImage], version: str
) -> None:
    kind = 3 if version == "0.5" else 2
    plate = {
        "rows": [{"name": "A"}, {"name": "B"}],
        "columns": [{"name": "1"}, {"name": "2"}, {"name": "3"}],
        "wells": [
            {"path": "A/3", "rowIndex": 0, "columnIndex": 2},
            {"path": "B/1", "rowIndex": 1, "columnIndex": 0},
        ],
        "version": version,
    }
    root = zarr.open_group(str(dest), mode="a", zarr_format=kind)
    root.attrs.update({"ome": {"plate": plate}} if kind == 3 else {"plate": plate})
    for path, fields in (("A/3", ["0", "1"]), ("B/1", ["0"])):
        well = {"well": {"images": [{"path": name} for name in fields]}}
        group = zarr.open_group(str(dest), path=path, mode="a", zarr_format=kind)
        group.attrs.update({"ome": well} if kind == 3 else well)
        for name in fields:
            full = pixels((1, 1, 1, 9 + int(name), 12))
            make_image(dest, [full], group=f"{path}/{name}", version=version)
    image = czi_of()
    places = []
    for scene in range(3):
        image.set_scene(scene)
        assert image.well is not None
        places.append((image.well.name, image.well.row, image.well.column, image.field))
    assert [place[:3] for place in places] == [("A3", 1, 3), ("A3", 1, 3), ("B1", 2, 1)]
    assert image.plate is not None
    assert (image.plate.rows, image.plate.columns) == (2, 3)


def test_one_image_of_a_store_can_be_named_by_its_path(
    dest: Path, tmp_path: Path, open_czi: Callable[..., CziImage]
) -> None:
    make_image(dest, [pixels((1, 1, 1, 10, 12))], group="a/b")
    from_ome_zarr(dest / "a" / "b", tmp_path / "new.czi")
    assert open_czi(tmp_path / "new.czi").sizes["X"] == 12


def test_levels_that_no_czi_has_are_made_anew(dest: Path, czi_of: Callable[..., CziImage]) -> None:
    full = np.zeros((1, 1, 1, 20, 3000), np.uint8)
    make_image(dest, [full, full[..., ::5]], chunks=(1, 1, 1, 20, 3000))
    assert [level.factor for level in czi_of().levels] == [1.0, 2.0, 4.0]


@pytest.mark.parametrize(
    ("dtype", "wanted"),
    [("int16", "uint16"), ("uint32", "uint16"), ("float64", "float32"), (">u2", None), ("?", None)],
)
def test_pixels_of_other_types_are_converted_on_demand(
    dest: Path, czi_of: Callable[..., CziImage], dtype: str, wanted: str | None
) -> None:
    full = pixels((1, 1, 1, 10, 12), dtype)
    make_image(dest, [full], version="0.4")
    if wanted is not None:
        with pytest.raises(UnsupportedDataError, match="dtype="):
            czi_of()
    assert np.array_equal(czi_of(dtype=wanted).asarray(), full)


def test_a_value_that_does_not_fit_is_an_error(dest: Path, czi_of: Callable[..., CziImage]) -> None:
    make_image(dest, [np.full((1, 1, 1, 4, 4), -1, np.int16)])
    with pytest.raises(UnsupportedDataError, match="-1"):
        czi_of(dtype="uint16")


@pytest.mark.parametrize(
    ("attributes", "what"),
    [
        ({}, "neither multiscales"),
        ({"ome": {"multiscales": []}}, "no multiscales"),
        ({"ome": {"multiscales": [{"datasets": []}]}}, "no multiscales"),
        (
            {"ome": {"multiscales": [{"axes": [{"name": "q"}], "datasets": [{"path": "0"}]}]}},
            "axes q",
        ),
        ({"ome": {"bioformats2raw.layout": 3}}, "without images"),
    ],
)
def test_what_is_no_image_is_refused(
    dest: Path, tmp_path: Path, attributes: dict[str, Any], what: str
) -> None:
    root = zarr.open_group(str(dest), mode="w")
    root.create_array("0", shape=(2, 2), dtype="u1")
    root.attrs.put(attributes)
    with pytest.raises(UnsupportedDataError, match=what):
        from_ome_zarr(dest, tmp_path / "new.czi")
    assert not (tmp_path / "new.czi").exists()


def test_nothing_there_is_told(dest: Path, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=str(dest)):
        from_ome_zarr(dest, tmp_path / "new.czi")
