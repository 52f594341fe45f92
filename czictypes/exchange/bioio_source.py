"""Opens whatever bioio has a reader for: LIF, ND2 and many more."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from czictypes.exchange.locations import location_path, location_text, options_of
from czictypes.exchange.ome_xml import image_fields
from czictypes.exchange.pixel_view import reason
from czictypes.exchange.source_image import SourceImage
from czictypes.metadata.channels import ChannelInfo
from czictypes.metadata.document_info import Scaling
from czictypes.model.errors import CziError, MetadataWarning, UnsupportedDataError
from czictypes.model.lazy import require
from czictypes.model.public import warn_caller
from czictypes.remote.urls import is_url

#: The readers of bioio for endings that nothing else reads here.
_READERS = {
    ".nd2": "bioio-nd2",
    ".dv": "bioio-dv",
    ".r3d": "bioio-dv",
    ".lif": "bioio-lif",
    ".sldy": "bioio-sldy",
}


@contextmanager
def open_with_bioio(
    source: Any, options: Mapping[str, Any] | None = None, reader: type[Any] | None = None
) -> Iterator[Sequence[SourceImage]]:
    """Open the scenes of a path, URL or UPath, or of a file object that knows its path or URL.

    `reader` is a reader class of bioio; by default the one that is installed for such files. If
    none can read the file, the `UnsupportedDataError` quotes the readers.
    """
    name = location_text(source)
    if hasattr(source, "read") and not is_url(name) and not Path(name).is_file():
        raise UnsupportedDataError(
            f"{name} is a file object, and bioio's readers take paths and URLs alone; write it to "
            "a file and open that"
        )
    bioio = require("bioio", extra="convert", doing=f"reading {name}")
    fs_kwargs = options_of(source, options) if is_url(name) else {}
    image = _opened(bioio, name, fs_kwargs, reader)
    package = _package(type(image.reader))
    try:
        scenes = [_scene(image, number, package) for number in range(len(image.scenes))]
    except (CziError, OSError, MemoryError):
        raise
    except Exception as error:
        raise UnsupportedDataError(
            f"{package} cannot list the images in {name}: {reason(error)}"
        ) from error
    yield scenes


def _opened(bioio: Any, name: str, fs_kwargs: dict[str, Any], reader: type[Any] | None) -> Any:
    from bioio_base.exceptions import UnsupportedFileFormatError

    if reader is not None:
        try:
            return bioio.BioImage(name, reader=reader, fs_kwargs=fs_kwargs)
        except (CziError, OSError, MemoryError):
            raise
        except Exception as error:
            raise UnsupportedDataError(
                f"{_package(reader)} cannot read {name}: {reason(error)}"
            ) from error
    try:
        return bioio.BioImage(name, fs_kwargs=fs_kwargs)
    except UnsupportedFileFormatError as error:
        said = list(_refusals(bioio, name, fs_kwargs))
        if said:
            raise UnsupportedDataError(
                f"{name} cannot be read: {'; '.join(said)}. The file may have another format or be "
                "damaged, or the reader may not support this kind of file"
            ) from error
        raise UnsupportedDataError(f"no reader is installed for {name}; {_advice(name)}") from error


def _advice(name: str) -> str:
    """Return which reader of bioio to install for a path or URL."""
    ending = os.path.splitext(location_path(name))[1]  # noqa: PTH122 (may be a URL)
    if ending in _READERS:
        return f"install bioio's: pip install {_READERS[ending]}"
    return "bioio's for Bio-Formats may know it: pip install bioio-bioformats (which needs Java)"


def _refusals(bioio: Any, name: str, fs_kwargs: dict[str, Any]) -> Iterator[str]:
    """Yield why each installed reader of such files refuses this one; bioio only logs it."""
    path = name.partition("?")[0].lower()
    asked = set()
    for ending, plugins in bioio.plugins.get_plugins(use_cache=True).items():
        for plugin in plugins if path.endswith(ending) else ():
            package = plugin.entrypoint.name
            if package in asked:
                continue
            asked.add(package)
            try:
                plugin.metadata.get_reader().is_supported_image(name, fs_kwargs=fs_kwargs)
            except Exception as error:
                yield f"{package} says: {reason(error)}"


def _package(reader: type[Any]) -> str:
    """Return the package of a reader with its version: ``bioio-lif 2.0.1``."""
    package = reader.__module__.partition(".")[0].replace("_", "-")
    with suppress(PackageNotFoundError):
        return f"{package} {version(package)}"
    return package


def _scene(image: Any, number: int, reader: str) -> SourceImage:
    image.set_scene(number)
    axes = image.dims.order
    found = SourceImage(
        image.dask_data,
        axes,
        name=str(image.scenes[number]),
        channels=_channels(image),
        scaling=_scaling(image),
        times=_times(image),
        metadata=partial(_metadata, image, number),
        reader=reader,
    )
    return replace(found, **_known(image, number))


def _metadata(image: Any, number: int) -> Any:
    image.set_scene(number)
    return image.metadata


def _known(image: Any, number: int) -> dict[str, Any]:
    """Return the fields that the reader's OME metadata add; many readers have no such metadata."""
    try:
        fields = image_fields(image.ome_metadata, number)
    except NotImplementedError:
        return {}
    except Exception as error:
        warn_caller(
            f"the metadata of scene {number} cannot be read and are left out: {error}",
            MetadataWarning,
        )
        return {}
    if len(fields.get("times", ())) != image.dims.T:
        fields.pop("times", None)
    wanted = ("origin", "well", "objective", "times")
    return {key: value for key, value in fields.items() if key in wanted}


def _channels(image: Any) -> list[ChannelInfo]:
    names = image.channel_names or []
    return [ChannelInfo(at, name=str(name)) for at, name in enumerate(names)]


def _scaling(image: Any) -> Scaling:
    """Return the pixel size in metres; bioio has micrometres."""
    sizes = image.physical_pixel_sizes
    return Scaling(*(None if size is None else size * 1e-6 for size in (sizes.X, sizes.Y, sizes.Z)))


def _times(image: Any) -> tuple[float, ...]:
    try:
        interval = image.time_interval
    except NotImplementedError:
        return ()
    step = getattr(interval, "total_seconds", lambda: interval)()
    return () if not step else tuple(step * number for number in range(image.dims.T))
