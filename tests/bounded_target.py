"""Does all that the library can do with a file, within the memory that a file of its size may take.

    python tests/bounded_target.py      takes paths line by line, as JSON

For each it answers with a line of JSON: the operations that went wrong, and how. Linux only: the
memory and the CPU time of each operation are limited by the system.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import io
import json
import os
import platform
import resource
import shutil
import sys
import tempfile
import threading
import traceback
import urllib.request
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import czictypes
from czictypes import CziImage, czi
from czictypes.cli.main import main as command
from czictypes.model.errors import CziError, UnexpectedError

__all__ = ["OPERATIONS"]

#: Bytes that an operation may take beyond four times the file's size.
SPARE = 256 << 20
#: CPU time after which one counts as endless; none comes near.
SECONDS = 60

#: Each operation by its name: a function of the file's path and of a folder for results.
OPERATIONS: dict[str, Callable[[Path, Path], Any]] = {}

#: The packages that some of them need, loaded beforehand: that takes memory.
_EXTRAS = (
    "dask.array", "xarray", "zarr.abc.store", "tifffile", "ome_types", "bioio_base", "imageio.v3",
    "ngff_zarr",
)  # fmt: skip


def operation(*extras: str) -> Callable[[Any], Any]:
    """Register a function as an operation; it is left out where an extra is missing."""

    def register(act: Any) -> Any:
        for extra in extras:
            try:
                importlib.import_module(extra)
            except ImportError:
                return act
        OPERATIONS[act.__name__] = act
        return act

    return register


def _reader(name: str, act: Callable[[Any], Any]) -> None:
    def run(path: Path, folder: Path) -> Any:
        with czi.open_czi(path) as document:
            return act(document)

    OPERATIONS[f"reader.{name}"] = run


def _image(name: str, act: Callable[[Any], Any], *extras: str) -> None:
    def run(path: Path, folder: Path) -> Any:
        with CziImage(path) as image:
            return act(image)

    run.__name__ = f"image.{name}"
    operation(*extras)(run)


def _slide(name: str, act: Callable[[Any], Any], *extras: str) -> None:
    def run(path: Path, folder: Path) -> Any:
        with czictypes.CziSlide(path) as slide:
            return act(slide)

    run.__name__ = f"slide.{name}"
    operation("PIL", *extras)(run)


def _settings(document: Any) -> Any:
    color = czi.Rgb8Color(np.uint8(1), np.uint8(2), np.uint8(3))
    one = czi.ChannelDisplaySettingsDataClass(True, czi.TintingMode.Color, color, 0.0, 1.0)
    return {document.total_bounding_box["C"][0]: one}


def _attachment_pictures(document: Any) -> Any:
    attachments = document.attachments
    for name in ("thumbnail", "label", "preview", "time_stamps", "events"):
        yield lambda name=name: getattr(attachments, name)
    for one in attachments:
        yield lambda one=one: one.image()
        yield lambda one=one: one.decoded()


_ATTRIBUTES = (
    "total_bounding_box", "total_bounding_box_no_pyramid", "scenes_bounding_rectangle",
    "scenes_bounding_rectangle_no_pyramid", "pixel_types", "all_pixel_types", "subblocks",
    "damaged_subblocks", "needs_pyramid", "metadata", "scaling", "channels", "channel_names",
    "display_settings", "document_info", "scenes", "annotations", "skew", "plate",
)  # fmt: skip
for _name in _ATTRIBUTES:
    _reader(_name, lambda document, name=_name: getattr(document, name))
_reader("pyramid_levels", lambda document: document.pyramid_levels())
_reader("subblock_metadata", lambda document: document.subblock_metadata())
_reader("read_subblock", lambda document: document.read_subblock(0).pixels())
_reader("mask", lambda document: document.read_subblock(0).mask)
_reader("enumerate", lambda document: document.enumerate_subblocks(lambda *_: True))
_reader("read", lambda document: document.read())
_reader("read_small", lambda document: document.read(roi=(0, 0, 4, 3)))
_reader("read_zoomed", lambda document: document.read(zoom=1e-6))
_reader("read_converted", lambda document: document.read(pixel_type="Bgr48"))
_reader("valid_pixels", lambda document: document.valid_pixels())
_reader("composite", lambda document: document.composite())
_reader("composite_small", lambda document: document.composite(roi=(0, 0, 4, 3)))
_reader(
    "composite_chosen",
    lambda document: document.composite(roi=(0, 0, 4, 3), display_settings=_settings(document)),
)
_reader("html", lambda document: document._repr_html_())
_reader("attachments_html", lambda document: document.attachments._repr_html_())
_reader("attachments", lambda document: _all(_attachment_pictures(document)))

_LABELS = (
    "scenes", "dims", "shape", "nbytes", "levels", "resolution_level_dims", "channels",
    "channel_names", "channel_colors", "contrast_limits", "annotations", "physical_pixel_sizes",
    "time_stamps", "time_interval", "scale", "scene_info", "origin", "well", "field",
    "acquisition", "plate", "metadata", "mosaic_tile_dims", "tile_positions", "data",
)  # fmt: skip
for _name in _LABELS:
    _image(_name, lambda image, name=_name: getattr(image, name))
_image("coords", lambda image: image.coords())
_image("native_chunks", lambda image: image.native_chunks())
_image("read_small", lambda image: image.read_block({"X": slice(0, 4), "Y": slice(0, 3)}))
_image("read_a_plane", lambda image: image.read_block(dict.fromkeys(image.dims.order[:-2], 0)))
_image("read_coarsest", lambda image: image.asarray(level=-1))
_image("valid_pixels", lambda image: image.valid_pixels())
_image("get_image_data", lambda image: image.get_image_data("YX", T=0, C=0, Z=0))
_image("positions", lambda image: image.get_mosaic_tile_positions())
_image("get_stack", lambda image: image.get_stack())
_image("dask", lambda image: image.to_dask(), "dask.array")
_image("dask_small", lambda image: image.to_dask()[..., :2, :2].sum().compute(), "dask.array")
_image("xarray", lambda image: image.to_xarray(), "xarray")
_image("datatree", lambda image: image.to_datatree(), "xarray", "dask.array")
_image("html", lambda image: image._repr_html_())
_image("tiles", lambda image: image.tiles(pandas=False))
_image("events", lambda image: image.events(pandas=False))
_image("ome", lambda image: image.to_ome().to_xml(), "ome_types")
_image("ome_planes", lambda image: image.to_ome(planes=True).to_xml(), "ome_types")

_slide("levels", lambda slide: (slide.level_dimensions, slide.level_downsamples, slide.properties))
_slide("region", lambda slide: slide.read_region((0, 0), 0, (300, 200)))
_slide("whole", lambda slide: slide.read_region((0, 0), 0, slide.dimensions))
_slide("coarsest", lambda slide: slide.read_region((0, 0), -1, slide.level_dimensions[-1]))
_slide("thumbnail", lambda slide: slide.get_thumbnail((100, 100)))
_slide("large_thumbnail", lambda slide: slide.get_thumbnail((100_000, 100_000)))
_slide("resized", lambda slide: slide.read_resized((0, 0, *slide.dimensions), (50, 50)))
_slide(
    "associated", lambda slide: {name: one.size for name, one in slide.associated_images.items()}
)
_slide("deepzoom", lambda slide: _deep_zoom(czictypes.DeepZoomTiles(slide)))


def _deep_zoom(tiles: Any) -> Any:
    found = tiles.level_dimensions, tiles.level_tiles, tiles.tile_count, tiles.get_dzi("png")
    for level in (0, tiles.level_count // 2, tiles.level_count - 1):
        tiles.get_tile(level, (0, 0))
    return found


@operation()
def mosaic_tiles(path: Path, folder: Path) -> Any:
    with CziImage(path, mosaic=False) as image:
        return image.dims, image.data


@operation("dask.array")
def mosaic_tiles_dask(path: Path, folder: Path) -> Any:
    with CziImage(path, mosaic=False) as image:
        return image.to_dask()


@operation()
def stored_resolution(path: Path, folder: Path) -> Any:
    options = czi.ReaderOptions(stored_resolution=True, enable_mask_awareness=True)
    with czi.open_czi(path, reader_options=options) as document:
        return document.read()


@operation()
def mask_aware(path: Path, folder: Path) -> Any:
    options = czi.ReaderOptions(enable_mask_awareness=True)
    with czi.open_czi(path, reader_options=options) as document:
        return document.read(roi=(0, 0, 4, 3)), document.valid_pixels(roi=(0, 0, 4, 3))


@operation()
def imread(path: Path, folder: Path) -> Any:
    return czictypes.imread(path)


@operation()
def copy(path: Path, folder: Path) -> Any:
    return czi.copy(path, io.BytesIO())


@operation()
def copy_region(path: Path, folder: Path) -> Any:
    return czi.copy(path, io.BytesIO(), roi=(0, 0, 4, 3))


@operation()
def copy_cropped(path: Path, folder: Path) -> Any:
    return czi.copy(path, io.BytesIO(), roi=(1, 1, 4, 3), crop=True)


@operation()
def copy_cropped_at_the_end(path: Path, folder: Path) -> Any:
    return czi.copy(path, io.BytesIO(), roi=(1, 1, 2**31 - 1, 2**31 - 1), crop=True)


@operation()
def convert_a_projection(path: Path, folder: Path) -> Any:
    return czictypes.convert(path, folder / "a.czi", roi=(1, 1, 4, 3), project="sum")


@operation()
def copy_renumbered(path: Path, folder: Path) -> Any:
    return czi.copy(path, io.BytesIO(), planes={"C": slice(None, None, 2)}, renumber=True)


@operation()
def copy_anonymized(path: Path, folder: Path) -> Any:
    return czi.copy(path, io.BytesIO(), anonymize=True)


@operation()
def copy_with_pyramid(path: Path, folder: Path) -> Any:
    return czi.add_pyramid(path, dest=folder / "pyramid.czi")


@operation()
def edit(path: Path, folder: Path) -> Any:
    target = shutil.copy(path, folder / "edited.czi")
    with czi.edit_czi(target) as editor:
        with editor.edit_session():
            pass


@operation("tifffile")
def convert_to_ome_tiff(path: Path, folder: Path) -> Any:
    return czictypes.convert(path, folder / "a.ome.tif")


@operation("tifffile")
def convert_dry(path: Path, folder: Path) -> Any:
    return czictypes.convert(path, folder / "a.ome.tif", dry_run=True)


@operation("tifffile")
def convert_to_tiff(path: Path, folder: Path) -> Any:
    return czictypes.convert(path, folder / "a.tif")


@operation()
def convert_to_png(path: Path, folder: Path) -> Any:
    return czictypes.convert(path, folder / "a.png")


@operation()
def convert_to_czi(path: Path, folder: Path) -> Any:
    return czictypes.convert(path, folder / "a.czi")


@operation("zarr.abc.store")
def convert_to_ome_zarr(path: Path, folder: Path) -> Any:
    return czictypes.convert(path, folder / "a.ome.zarr")


@operation("zarr.abc.store")
def zarr_store(path: Path, folder: Path) -> Any:
    import zarr

    with contextlib.closing(czictypes.aszarr(path)) as store:
        members = zarr.open_group(store, mode="r").members(max_depth=2)
        return [one[(0,) * 5] for _, one in members if isinstance(one, zarr.Array)]


@operation("zarr.abc.store")
def zarr_server(path: Path, folder: Path) -> Any:
    with contextlib.closing(czictypes.ZarrServer(path)) as server:
        return urllib.request.urlopen(server.url + "zarr.json").read()


@operation("ngff_zarr", "dask.array")
def multiscales(path: Path, folder: Path) -> Any:
    return czictypes.to_multiscales(path)


@operation("imageio.v3")
def imageio_plugin(path: Path, folder: Path) -> Any:
    from imageio.core.request import Request

    from czictypes.plugins.imageio import CziPlugin

    plugin = CziPlugin(Request(str(path), "r?"))
    with contextlib.closing(plugin):
        return plugin.properties(), plugin.metadata(), plugin.read()


@operation("xarray")
def xarray_backend(path: Path, folder: Path) -> Any:
    import xarray

    with xarray.open_dataset(path, engine="czictypes") as found:
        return repr(found)


@operation("bioio_base")
def bioio_reader(path: Path, folder: Path) -> Any:
    from czictypes.plugins.bioio import Reader

    image = Reader(path)
    return image.dims, image.channel_names, image.standard_metadata, image.xarray_dask_data


@operation("dask.array")
def napari_layers(path: Path, folder: Path) -> Any:
    from czictypes.plugins.napari import read_layers

    return read_layers([str(path)])


def _commands() -> None:
    for name, arguments in {
        "info": ["info"], "info_json": ["info", "--json"], "metadata": ["metadata"],
        "metadata_json": ["metadata", "--json"],
    }.items():  # fmt: skip
        OPERATIONS[f"cli.{name}"] = lambda path, folder, given=arguments: _cli([*given, str(path)])
    for name, arguments in {
        "plane": ["plane", "{}", "out.png"], "copy": ["copy", "{}", "out.czi"],
        "pyramid": ["pyramid", "{}", "-o", "out2.czi"],
    }.items():  # fmt: skip

        def run(path: Path, folder: Path, given: list[str] = arguments) -> Any:
            _cli([one.replace("{}", str(path)).replace("out", f"{folder}/out") for one in given])

        OPERATIONS[f"cli.{name}"] = run


def _cli(arguments: list[str]) -> None:
    with (
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()) as said,
    ):
        code = command(arguments)
    if code:
        raise CziError(said.getvalue().strip())


_commands()


def _all(acts: Any) -> None:
    refused = []
    for act in acts:
        try:
            act()
        except CziError as error:
            refused.append(error)
    if refused:
        raise refused[0]


def _used(name: str) -> int:
    """Return a number of bytes that Linux tells of this process."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name)) << 10


def try_operation(path: Path, name: str) -> str:
    """Do one operation with little memory; return what went wrong.

    A `CziError` refuses the file, and a `ValueError` of ours what was asked of it. Nothing else may
    come of a file, and no error that no check foresaw.
    """
    if platform.python_implementation() == "PyPy":
        gc.collect()  # it would keep what the operations before used
    most = _used("VmSize") + SPARE + 4 * path.stat().st_size
    folder = Path(tempfile.mkdtemp(prefix="bounded-"))
    _limit(resource.RLIMIT_AS, most)
    try:
        OPERATIONS[name](path, folder)
        return ""
    except UnexpectedError:
        return traceback.format_exc()
    except (CziError, ValueError):
        return ""
    except Exception:
        return traceback.format_exc()
    finally:
        _limit(resource.RLIMIT_AS, resource.RLIM_INFINITY)
        shutil.rmtree(folder)


def _limit(kind: int, most: int) -> None:
    """Set the soft limit, which may be raised again."""
    resource.setrlimit(kind, (most, resource.getrlimit(kind)[1]))


def try_all(path: Path, names: list[str]) -> dict[str, str]:
    """Do operations one after the other in a process of their own; return what went wrong."""
    begun, told = os.pipe()
    child = os.fork()
    if not child:
        for name in names:
            used = resource.getrusage(resource.RUSAGE_SELF)
            _limit(resource.RLIMIT_CPU, int(used.ru_utime + used.ru_stime) + SECONDS)
            os.write(told, json.dumps([name, try_operation(path, name)]).encode() + b"\n")
        os._exit(0)
    os.close(told)
    with os.fdopen(begun) as answers:
        found = dict(json.loads(line) for line in answers)
    _, status = os.waitpid(child, 0)
    wrong = {name: problem for name, problem in found.items() if problem}
    if status:  # and go on after the one that did not come to its end
        wrong[names[len(found)]] = f"the process ended with {status}"
        wrong.update(try_all(path, names[len(found) + 1 :]))
    return wrong


def main() -> None:
    """Try the files named line by line on standard input."""
    warnings.simplefilter("ignore")
    threading.stack_size(1 << 20)  # that of each thread counts
    czictypes.library_info()
    for name in ("PIL.Image", *_EXTRAS):
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    if hasattr(gc, "freeze"):
        gc.freeze()  # the memory is shared with the processes to come, as long as it is left alone
    for line in sys.stdin:
        print(json.dumps(try_all(Path(json.loads(line)), list(OPERATIONS))), flush=True)


if __name__ == "__main__":
    main()
