"""Opens whatever bioio has a reader for: LIF, ND2 and many more."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from czictypes.exchange.formats import location_text
from czictypes.exchange.ome_source import image_fields
from czictypes.exchange.remote_file import options_of
from czictypes.exchange.source_image import SourceImage
from czictypes.metadata.channels import ChannelInfo
from czictypes.metadata.scaling import Scaling
from czictypes.metadata.warning import MetadataWarning
from czictypes.model.errors import UnsupportedDataError
from czictypes.model.extras import require

__all__ = ["open_with_bioio"]


@contextmanager
def open_with_bioio(
    source: Any, options: Mapping[str, Any] | None = None
) -> Iterator[Sequence[SourceImage]]:
    """Open the scenes of a file with the bioio reader that is installed for it.

    Parameters
    ----------
    source
        A path, URL or UPath.
    options
        What fsspec is to know of a URL.

    Raises
    ------
    UnsupportedDataError
        If none of the installed readers can read it.
    MissingExtraError
        Without bioio.
    """
    name = location_text(source)
    bioio = require("bioio", extra="convert", doing=f"reading {name}")
    from bioio_base.exceptions import UnsupportedFileFormatError

    try:
        image = bioio.BioImage(name, fs_kwargs=options_of(source, options) if "://" in name else {})
    except UnsupportedFileFormatError as error:
        suffix = os.path.splitext(name)[1].lstrip(".")  # noqa: PTH122 (may be a URL)
        raise UnsupportedDataError(
            f"no installed reader can read {name}; install bioio's reader for "
            f"this format (such as bioio-{suffix or 'nd2'})"
        ) from error
    yield [_scene(image, number) for number in range(len(image.scenes))]


def _scene(image: Any, number: int) -> SourceImage:
    image.set_scene(number)
    axes = image.dims.order
    found = SourceImage(
        image.dask_data,
        axes,
        name=str(image.scenes[number]),
        channels=_channels(image),
        scaling=_scaling(image),
        times=_times(image),
    )
    return replace(found, **_known(image, number))


def _known(image: Any, number: int) -> dict[str, Any]:
    """Return what the reader's OME metadata tell beyond that; many readers have none."""
    try:
        fields = image_fields(image.ome_metadata, number)
    except NotImplementedError:
        return {}
    except Exception as error:
        warnings.warn(
            f"the metadata of scene {number} cannot be read and are left out: {error}",
            MetadataWarning,
            stacklevel=5,
        )
        return {}
    return {key: value for key, value in fields.items() if key in ("origin", "well", "objective")}


def _channels(image: Any) -> list[ChannelInfo]:
    names = image.channel_names or []
    return [ChannelInfo(at, name=str(name)) for at, name in enumerate(names)]


def _scaling(image: Any) -> Scaling:
    """Return metres; bioio has micrometres."""
    sizes = image.physical_pixel_sizes
    return Scaling(*(None if size is None else size * 1e-6 for size in (sizes.X, sizes.Y, sizes.Z)))


def _times(image: Any) -> tuple[float, ...]:
    try:
        interval = image.time_interval
    except NotImplementedError:
        return ()
    step = getattr(interval, "total_seconds", lambda: interval)()
    return () if not step else tuple(step * number for number in range(image.dims.T))
