"""A file of each format that is opened, and what the best reader of that format tells of it.

The files are made by the library of the format, where it writes; the readers are never ours.
"""

from __future__ import annotations

import struct
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from extras import needs
from lif_file import write_lif
from numpy.typing import NDArray
from peers import open_pylibczirw

from czictypes import convert, save

__all__ = ["COLOURS", "FORMATS", "STACK", "Scene"]

STACK = np.random.default_rng(13).integers(0, 65536, (3, 2, 4, 30, 40)).astype(np.uint16)
COLOURS = np.random.default_rng(17).integers(0, 256, (30, 40, 3)).astype(np.uint8)
NAMES = ["DAPI", "GFP"]
UM = 1e-6


class Scene(NamedTuple):
    """The facts that a reader tells of an image; None where it tells nothing.

    Parameters
    ----------
    pixels
        The axes are T, C, Z, Y, X and samples, or those of `axes`.
    name, channels
        The names of the image and its channels.
    sizes
        Those of a pixel along Z, Y and X in micrometres.
    interval
        Seconds from one T to the next.
    levels
        Height and width of all resolutions.
    """

    pixels: NDArray[Any]
    name: str | None = None
    channels: Sequence[str] | None = None
    sizes: tuple[float | None, float | None, float | None] = (None, None, None)
    interval: float | None = None
    levels: Sequence[tuple[int, int]] | None = None


def five(pixels: Any, axes: str) -> NDArray[Any]:
    """Return pixels along T, C, Z, Y, X and samples."""
    found = np.asarray(pixels)
    order = [letter for letter in "TCZYXS" if letter in axes]
    found = found.transpose([axes.index(letter) for letter in order])
    shape = [found.shape[order.index(letter)] if letter in order else 1 for letter in "TCZYX"]
    return found.reshape(*shape, *([found.shape[-1]] if "S" in order else []))


# CZI, by pylibCZIrw

_DESCRIBED: dict[str, Any] = {
    "channel_names": NAMES, "times": 2.0, "pixel_size": (0.25 * UM, 0.25 * UM, 0.5 * UM)
}  # fmt: skip


def czi(path: Path) -> None:
    save(STACK, path, **_DESCRIBED)


def czi_of_scenes(path: Path) -> None:
    save(np.stack([STACK, STACK[:, :, :, ::-1]]), path, "STCZYX", name="cell", **_DESCRIBED)


def by_pylibczirw(path: Path) -> list[Scene]:
    with open_pylibczirw(path) as document:
        known = document.metadata["ImageDocument"]["Metadata"]
        image = known["Information"]["Image"]
        names = [one["@Name"] for one in image["Dimensions"]["Channels"]["Channel"]]
        lengths = {one["@Id"]: float(one["Value"]) for one in known["Scaling"]["Items"]["Distance"]}
        sizes = lengths["Z"] / UM, lengths["Y"] / UM, lengths["X"] / UM
        interval = float(image["Dimensions"]["T"]["Positions"]["Interval"]["Increment"])
        bounds, ends = document.scenes_bounding_rectangle, document.total_bounding_box
        extents = [ends[axis][1] for axis in "TCZ"]
        scenes = []
        for scene in sorted(bounds) or [None]:
            planes = [
                document.read(plane=dict(zip("TCZ", place)), scene=scene)[..., 0]
                for place in np.ndindex(*extents)
            ]
            pixels = np.stack(planes).reshape(*extents, *planes[0].shape)
            scenes.append(Scene(pixels, None, names, sizes, interval))
    return scenes


# OME-Zarr, by zarr


def zarr_of(version: str) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        needs("ngff_zarr", "ome-zarr")
        save(STACK, path, version=version, levels=2, name="cell", **_DESCRIBED)

    return write


def series(path: Path) -> None:
    needs("ngff_zarr", "ome-zarr")
    save(np.stack([STACK, STACK[:, :, :, ::-1]]), path, "STCZYX", name="cell", **_DESCRIBED)


def plate(path: Path) -> None:
    needs("ngff_zarr", "ome-zarr")
    needs("liffile", "convert")
    wells = {"plate/A/1/R1": STACK, "plate/B/3/R1": STACK[:, :, :, ::-1]}
    write_lif(path.with_suffix(".lif"), wells, NAMES, 0.25)
    convert(path.with_suffix(".lif"), path)


def by_zarr(path: Path) -> list[Scene]:
    zarr = needs("zarr", "ome-zarr")
    root = zarr.open_group(str(path), mode="r")
    groups = [root]
    if "plate" in _ome(root):
        wells = [root[one["path"]] for one in _ome(root)["plate"]["wells"]]
        groups = [well[one["path"]] for well in wells for one in _ome(well)["well"]["images"]]
    elif "multiscales" not in _ome(root):
        groups = [root[name] for name in sorted(root.group_keys()) if name.isdigit()]
    return [_scene_of_zarr(group) for group in groups]


def _ome(group: Any) -> dict[str, Any]:
    attributes = dict(group.attrs)
    return dict(attributes.get("ome", attributes))


def _scene_of_zarr(group: Any) -> Scene:
    told = _ome(group)["multiscales"][0]
    axes = "".join(axis["name"] for axis in told["axes"]).upper()
    arrays = [group[one["path"]] for one in told["datasets"]]
    scale = dict(zip(axes, told["datasets"][0]["coordinateTransformations"][0]["scale"]))
    whole = told.get("coordinateTransformations", [{}])[0].get("scale", [1.0] * len(axes))
    scale = {axis: scale[axis] * factor for axis, factor in zip(axes, whole)}
    return Scene(
        five(arrays[0][:], axes),
        told.get("name"),
        [one["label"] for one in _ome(group)["omero"]["channels"]],
        (scale["Z"], scale["Y"], scale["X"]),
        scale["T"],
        [array.shape[-2:] for array in arrays],
    )


# TIFF, by tifffile; the metadata of an OME-TIFF by bioio's reader


def ome_tiff(path: Path) -> None:
    """Write two series, the first of which has a pyramid."""
    described: dict[str, Any] = {
        "axes": "TCZYX", "Channel": {"Name": NAMES}, "TimeIncrement": 2.0, "Name": "cell 1",
        "PhysicalSizeX": 0.25, "PhysicalSizeY": 0.25, "PhysicalSizeZ": 0.5,
    }  # fmt: skip
    with needs("tifffile", "ome-tiff").TiffWriter(path, ome=True) as file:
        file.write(STACK, metadata=described, tile=(16, 16), subifds=1, compression="zlib")
        file.write(np.ascontiguousarray(STACK[..., ::2, ::2]), subfiletype=1, tile=(16, 16))
        file.write(STACK[0] + 1, metadata={**described, "axes": "CZYX", "Name": "cell 2"})


def imagej(path: Path) -> None:
    described = {"axes": "TZCYX", "unit": "um", "spacing": 0.5, "finterval": 2.0}
    pixels = STACK.transpose(0, 2, 1, 3, 4)
    tifffile = needs("tifffile", "ome-tiff")
    tifffile.imwrite(path, pixels, imagej=True, metadata=described, resolution=(4, 4))


def tiff(pixels: NDArray[Any], **options: Any) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        needs("tifffile", "ome-tiff").imwrite(path, pixels, **options)

    return write


def slide(path: Path) -> None:
    """Write what Aperio's scanners do: the slide, a thumbnail, a level, the label."""
    told = "Aperio Image Library v12.0\r\n400x300 [0,0 400x300] (64x64)|AppMag = 20|MPP = 0.5"
    pixels = np.tile(COLOURS, (10, 10, 1))
    tiled: dict[str, Any] = {"photometric": "rgb", "tile": (64, 64), "metadata": None}
    with needs("tifffile", "ome-tiff").TiffWriter(path) as file:
        file.write(pixels, description=told, **tiled)
        file.write(pixels[::8, ::8].copy(), description=told, photometric="rgb", metadata=None)
        file.write(pixels[::4, ::4].copy(), description=told, **tiled)
        file.write(COLOURS, description=f"{told}\nlabel", photometric="rgb", metadata=None)


def by_tifffile(path: Path) -> list[Scene]:
    with needs("tifffile", "ome-tiff").TiffFile(path) as file:
        scenes = []
        for one in [one for one in file.series if one.name not in ("Thumbnail", "Label", "Macro")]:
            axes = "".join("Z" if letter in "QI" else letter for letter in one.axes)
            places = [axes.index("Y"), axes.index("X")]
            levels = [tuple(level.shape[at] for at in places) for level in one.levels]
            scenes.append(Scene(five(one.asarray(), axes), levels=levels))
        told = file.imagej_metadata
        if told:
            scenes = [scenes[0]._replace(sizes=(told["spacing"], 0.25, 0.25), interval=2.0)]
        if file.is_svs:
            scenes = [scenes[0]._replace(sizes=(None, 0.5, 0.5))]
    return scenes


def by_bioio(path: Path) -> list[Scene]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what ome-types thinks of its arguments
        return _by_bioio(path)


def _by_bioio(path: Path) -> list[Scene]:
    reader = needs("bioio_ome_tiff").Reader(path)
    scenes = []
    for scene, one in zip(reader.scenes, by_tifffile(path)):
        reader.set_scene(scene)
        told = reader.ome_metadata.images[len(scenes)]
        named = [str(name) for name in reader.channel_names]
        np.testing.assert_array_equal(np.asarray(reader.data), one.pixels)
        scenes.append(
            one._replace(
                name=told.name,
                channels=named,
                sizes=tuple(reader.physical_pixel_sizes),
                interval=told.pixels.time_increment if len(one.pixels) > 1 else None,
            )
        )
    return scenes


# LIF, by liffile


def lif(path: Path) -> None:
    write_lif(path, {"one": STACK, "two": STACK + 1}, NAMES, 0.25)


def xz_scan(path: Path) -> None:
    write_lif(path, {"scan": STACK[0, 0, :, 0]}, NAMES[:1], 0.25, "ZX")


def wavelengths(path: Path) -> None:
    write_lif(path, {"scan": STACK[:, 0]}, NAMES[:1], 0.25, "TLYX")


def by_both(path: Path) -> list[Scene]:
    """Return what liffile tells, after comparing it with bioio-lif, which reads plain stacks."""
    scenes = by_liffile(path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        reader = needs("bioio_lif").Reader(path)
        for name, scene in zip(reader.scenes, scenes):
            reader.set_scene(name)
            np.testing.assert_array_equal(np.asarray(reader.data), scene.pixels)
            np.testing.assert_allclose(reader.physical_pixel_sizes[1:], scene.sizes[1:])
    return scenes


def by_liffile(path: Path) -> list[Scene]:
    scenes = []
    with needs("liffile", "convert").LifFile(path) as file:
        for image in file.images:
            axes = "".join("C" if letter in "\u03bb\u039b" else letter for letter in image.dims)
            pixels = np.asarray(image.asarray())
            if "Y" not in axes:
                pixels, axes = pixels[np.newaxis], f"Y{axes}"
            steps = {one: float(np.diff(image.coords[one])[0]) for one in image.coords}
            listed = image.xml_element.findall("./Data//ChannelDescription")
            names: list[str] | None = [one.get("LUTName") for one in listed]
            if "\u03bb" in image.dims:
                names = [f"{length * 1e9:.0f} nm" for length in image.coords["\u03bb"]]
            z, y, x = (steps[axis] / UM if axis in steps else None for axis in "ZYX")
            scenes.append(Scene(five(pixels, axes), image.name, names, (z, y, x), steps.get("T")))
    return scenes


# Pictures, by Pillow


def picture(pixels: NDArray[Any], **options: Any) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        needs("PIL.Image", "cli").fromarray(pixels).save(path, **options)

    return write


def animation(**options: Any) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        pictures = needs("PIL.Image", "cli")
        first, *others = (pictures.fromarray(COLOURS[:, ::step]) for step in (1, -1, 1, -1))
        first.save(path, save_all=True, append_images=others, **options)

    return write


def by_pillow(path: Path) -> list[Scene]:
    frames = []
    with needs("PIL.Image", "cli").open(path) as file:
        for at in range(getattr(file, "n_frames", 1)):
            file.seek(at)
            plain = file.mode in ("L", "I;16", "RGB", "RGBA")
            frames.append(np.asarray(file if plain else file.convert("RGB")))
    axes = "TYXS"[: 1 + frames[0].ndim]
    return [Scene(five(frames, axes))]


# Videos and images of other sciences, by imageio


def video(path: Path) -> None:
    needs("av")
    frames = np.zeros((12, 48, 64, 3), np.uint8)
    frames += np.arange(0, 240, 20, dtype=np.uint8)[:, None, None, None]
    frames[:, 10:20, 5:30, 0] = 200
    with needs("imageio.v3", "imageio").imopen(path, "w", plugin="pyav") as file:
        file.write(frames, codec="libx264", fps=10)


def spe(path: Path) -> None:
    """Write the head that imageio looks at: sizes, 16 bits, the number of frames, a version."""
    head = bytearray(4100)
    places = ((42, "<H", 40), (656, "<H", 30), (108, "<h", 3), (1446, "<i", 3), (1992, "<f", 2.5))
    for at, kind, value in places:
        struct.pack_into(kind, head, at, value)
    path.write_bytes(bytes(head) + STACK[:, 0, 0].tobytes())


def by_imageio(path: Path) -> list[Scene]:
    plugin = {".mp4": "pyav", ".spe": "SPE"}[path.suffix]
    iio = needs("imageio.v3", "imageio")
    pixels = iio.imread(path, plugin=plugin, index=...)
    interval = 1 / iio.immeta(path, plugin=plugin)["fps"] if plugin == "pyav" else None
    return [Scene(five(pixels, "TYXS"[: pixels.ndim]), interval=interval)]


#: The functions that write a file, and tell what is in it.
FORMATS: dict[str, tuple[Callable[[Path], None], Callable[[Path], list[Scene]]]] = {
    "one.czi": (czi, by_pylibczirw),
    "scenes.czi": (czi_of_scenes, by_pylibczirw),
    "v04.ome.zarr": (zarr_of("0.4"), by_zarr),
    "v05.ome.zarr": (zarr_of("0.5"), by_zarr),
    "series.ome.zarr": (series, by_zarr),
    "plate.ome.zarr": (plate, by_zarr),
    "in.ome.tif": (ome_tiff, by_bioio),
    "imagej.tif": (imagej, by_tifffile),
    "plain.tif": (tiff(STACK[:, 0, 0], photometric="minisblack"), by_tifffile),
    "colours.tif": (tiff(COLOURS, photometric="rgb"), by_tifffile),
    "big.btf": (tiff(STACK[0, 0], photometric="minisblack", bigtiff=True), by_tifffile),
    "slide.svs": (slide, by_tifffile),
    "in.lif": (lif, by_both),
    "xz.lif": (xz_scan, by_liffile),
    "waves.lif": (wavelengths, by_liffile),
    "gray.png": (picture(COLOURS[..., 0]), by_pillow),
    "deep.png": (picture(STACK[0, 0, 0]), by_pillow),
    "colours.png": (picture(COLOURS), by_pillow),
    "in.apng": (animation(format="PNG"), by_pillow),
    "in.jpg": (picture(COLOURS, quality=90), by_pillow),
    "in.gif": (animation(), by_pillow),
    "in.webp": (animation(lossless=True), by_pillow),
    "in.bmp": (picture(COLOURS), by_pillow),
    "in.mp4": (video, by_imageio),
    "in.spe": (spe, by_imageio),
}
