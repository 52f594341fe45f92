"""Every line of code of AICSImageIO's README runs, its import line alone is another one.

The lines stand here as they are there. They run on a file of each format, under the name in the
README and under its own; servers are a loopback server and filesystems in memory.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from extras import needs
from lif_file import write_lif
from remote.server import serving

from czictypes import imread, open_image, save

STACK = np.random.default_rng(1).integers(0, 4096, (3, 2, 4, 30, 40)).astype(np.uint16)
IMPORT = "from czictypes import open_image as AICSImage\n"

FULL = """
# Get an AICSImage object
img = AICSImage("my_file.tiff")  # selects the first scene found
img.data  # returns 5D TCZYX numpy array
img.xarray_data  # returns 5D TCZYX xarray data array backed by numpy
img.dims  # returns a Dimensions object
img.dims.order  # returns string "TCZYX"
img.dims.X  # returns size of X dimension
img.shape  # returns tuple of dimension sizes in TCZYX order
img.get_image_data("CZYX", T=0)  # returns 4D CZYX numpy array

# Get the id of the current operating scene
img.current_scene

# Get a list valid scene ids
img.scenes

# Change scene
img.set_scene("Image:1")

# Use the same operations on a different scene
# ...
"""
DELAYED = """
# Get an AICSImage object
img = AICSImage("my_file.tiff")  # selects the first scene found
img.dask_data  # returns 5D TCZYX dask array
img.xarray_dask_data  # returns 5D TCZYX xarray data array backed by dask array
img.dims  # returns a Dimensions object
img.dims.order  # returns string "TCZYX"
img.dims.X  # returns size of X dimension
img.shape  # returns tuple of dimension sizes in TCZYX order

# Pull only a specific chunk in-memory
lazy_t0 = img.get_image_dask_data("CZYX", T=0)  # returns out-of-memory 4D dask array
t0 = lazy_t0.compute()  # returns in-memory 4D numpy array

# Get the id of the current operating scene
img.current_scene

# Get a list valid scene ids
img.scenes

# Change scene
img.set_scene("Image:1")

# Use the same operations on a different scene
# ...
"""
COORDINATES = """
# Get an AICSImage object
img = AICSImage("my_file.ome.tiff")

# Get the first ten seconds (not frames)
first_ten_seconds = img.xarray_data[:10]  # returns an xarray.DataArray

# Get the first ten major units (usually micrometers, not indices) in Z
first_ten_mm_in_z = img.xarray_data[:, :, :10]

# Get the first ten major units (usually micrometers, not indices) in Y
first_ten_mm_in_y = img.xarray_data[:, :, :, :10]

# Get the first ten major units (usually micrometers, not indices) in X
first_ten_mm_in_x = img.xarray_data[:, :, :, :, :10]
"""
REMOTE = """
# Get an AICSImage object
img = AICSImage("http://my-website.com/my_file.tiff")
img = AICSImage("s3://my-bucket/my_file.tiff")
img = AICSImage("gcs://my-bucket/my_file.tiff")

# All other normal operations work just fine
"""
METADATA = """
# Get an AICSImage object
img = AICSImage("my_file.tiff")  # selects the first scene found
img.metadata  # returns the metadata object for this file format (XML, JSON, etc.)
img.channel_names  # returns a list of string channel names found in the metadata
img.physical_pixel_size.Z  # returns the Z dimension pixel size as found in the metadata
img.physical_pixel_size.Y  # returns the Y dimension pixel size as found in the metadata
img.physical_pixel_size.X  # returns the X dimension pixel size as found in the metadata
"""
CONVERSION = """
AICSImage("my_file.czi").save("my_file.ome.tiff")
"""

KINDS = ["my_file.tiff", "my_file.ome.tiff", "my_file.czi", "my_file.ome.zarr", "my_file.lif"]


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("tifffile", "ome_types"):
        needs(module, "ome-tiff")
    monkeypatch.chdir(tmp_path)


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    """Make a file of two scenes and return its name."""
    make(request.param)
    return str(request.param)


def make(name: str) -> None:
    images = np.stack([STACK, STACK + 1])
    if name.endswith(".lif"):
        needs("liffile", "convert")
        scenes = {f"Image:{at}": image for at, image in enumerate(images)}
        write_lif(Path(name), scenes, ["DAPI", "GFP"], 1.0)
        return
    if name.endswith(".zarr"):
        needs("ngff_zarr", "ome-zarr")
    names = {"channel_names": ["DAPI", "GFP"], "times": 5.0}
    save(images, name, "STCZYX", pixel_size=(1e-6, 1e-6, 2e-6), **names)


def run(code: str, kind: str = "my_file.tiff") -> Any:
    """Run lines on a file; return the values of those that are expressions, and the names."""
    code = IMPORT + code.replace("my_file.tiff", kind)
    names: dict[str, Any] = {}
    values: dict[str, Any] = {}
    for statement in ast.parse(code).body:
        line = ast.unparse(statement)
        if isinstance(statement, ast.Expr):
            values[line] = eval(line, names)
        else:
            exec(line, names)
    return SimpleNamespace(values=values, **names)


def test_full_image_reading(kind: str) -> None:
    xarray = needs("xarray", "xarray")
    done = run(FULL, kind)
    values = done.values
    assert len(values) == 10
    np.testing.assert_array_equal(values["img.data"], STACK)
    assert isinstance(values["img.data"], np.ndarray)
    assert isinstance(values["img.xarray_data"], xarray.DataArray)
    assert isinstance(values["img.xarray_data"].data, np.ndarray)
    np.testing.assert_array_equal(values["img.xarray_data"], STACK)
    assert values["img.dims"].order == values["img.dims.order"] == "TCZYX"
    assert values["img.dims.X"] == 40
    assert values["img.shape"] == STACK.shape
    np.testing.assert_array_equal(values["img.get_image_data('CZYX', T=0)"], STACK[0])
    assert values["img.current_scene"] == "Image:0"
    assert values["img.scenes"] == ("Image:0", "Image:1")
    assert done.img.current_scene == "Image:1"
    np.testing.assert_array_equal(done.img.data, STACK + 1)
    done.img.close()


def test_delayed_image_reading(kind: str) -> None:
    dask = needs("dask.array", "dask")
    xarray = needs("xarray", "xarray")
    done = run(DELAYED, kind)
    values = done.values
    assert isinstance(values["img.dask_data"], dask.Array)
    assert isinstance(values["img.xarray_dask_data"], xarray.DataArray)
    for array in (values["img.dask_data"], values["img.xarray_dask_data"].data):
        assert isinstance(array, dask.Array)
        np.testing.assert_array_equal(array, STACK)
    assert values["img.dims"].order == values["img.dims.order"] == "TCZYX"
    assert values["img.dims.X"] == 40
    assert values["img.shape"] == STACK.shape
    assert isinstance(done.lazy_t0, dask.Array)
    np.testing.assert_array_equal(done.t0, STACK[0])
    assert values["img.current_scene"] == "Image:0"
    assert values["img.scenes"] == ("Image:0", "Image:1")
    np.testing.assert_array_equal(done.img.dask_data, STACK + 1)
    done.img.close()


def test_coordinates_are_attached() -> None:
    xarray = needs("xarray", "xarray")
    make("my_file.ome.tiff")
    done = run(COORDINATES)
    assert isinstance(done.first_ten_seconds, xarray.DataArray)
    np.testing.assert_array_equal(done.first_ten_seconds, STACK[:10])
    np.testing.assert_array_equal(done.first_ten_mm_in_z, STACK[:, :, :10])
    np.testing.assert_array_equal(done.first_ten_mm_in_y, STACK[..., :10, :])
    np.testing.assert_array_equal(done.first_ten_mm_in_x, STACK[..., :10])
    # the comments promise seconds and micrometres; labels are what selects these
    seconds = done.img.xarray_data.sel(T=slice(0, 9.9), Z=slice(0, 4.5))
    np.testing.assert_array_equal(seconds, STACK[:2, :, :3])
    done.img.close()


def test_remote_image_reading(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    registry = needs("fsspec.registry", "remote")._registry
    needs("fsspec.implementations.http", "remote")
    memory = needs("fsspec.implementations.memory").MemoryFileSystem

    class Bucket(memory):  # type: ignore[misc, valid-type]
        @classmethod
        def _strip_protocol(cls, path: str) -> str:
            return str(memory._strip_protocol(re.sub("^(s3|gcs):", "memory:", path)))

    make("my_file.tiff")
    content = (tmp_path / "my_file.tiff").read_bytes()
    for protocol in ("s3", "gcs"):
        monkeypatch.setitem(registry, protocol, Bucket)
    Bucket().pipe("s3://my-bucket/my_file.tiff", content)
    with serving() as server:
        url = server.put("/my_file.tiff", content)
        code = REMOTE.replace("http://my-website.com/my_file.tiff", url)
        assert url in code
        opened = []
        names = {"AICSImage": lambda *given: opened.append(open_image(*given)) or opened[-1]}
        exec(code, names)
        assert len(opened) == 3
        for img in opened:
            np.testing.assert_array_equal(img.get_image_data("ZYX", T=1, C=1), STACK[1, 1])
            np.testing.assert_array_equal(img.data, STACK)
            img.close()


def test_metadata_reading(kind: str) -> None:
    done = run(METADATA, kind)
    values = done.values
    assert values["img.metadata"]
    size = done.img.physical_pixel_size
    assert size[1:] == pytest.approx((1.0, 1.0))
    assert values["img.physical_pixel_size.Y"] == size.Y
    assert values["img.physical_pixel_size.X"] == size.X
    if kind == "my_file.tiff":  # a plain TIFF has no place for these
        assert values["img.channel_names"] == ["Channel:0", "Channel:1"]
        assert values["img.physical_pixel_size.Z"] is None
    else:
        assert values["img.channel_names"] == ["DAPI", "GFP"]
        step = 1.0 if kind == "my_file.lif" else 2.0
        assert values["img.physical_pixel_size.Z"] == pytest.approx(step)
    done.img.close()


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # nobody closes the image
@pytest.mark.parametrize("name", ["my_file.czi", "my_file.tiff", "my_file.ome.zarr", "my_file.lif"])
def test_format_conversion_to_ome_tiff(name: str) -> None:
    make(name)
    run(CONVERSION.replace("my_file.czi", name))
    for scene in range(2):
        np.testing.assert_array_equal(imread("my_file.ome.tiff", scene=scene), STACK + scene)
