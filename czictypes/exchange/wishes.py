"""The options of `convert`, and the formats that each of them fits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from czictypes.exchange.choice import Choice
from czictypes.exchange.formats import Format
from czictypes.reading.damage import OnError, leaves_blank
from czictypes.remote.part_files import Parts
from czictypes.writing.progress import Progress

__all__ = ["Location", "Wishes", "check_wishes"]

#: A path, a URL that fsspec knows, a UPath; of an OME-Zarr, a store of zarr too.
Location = Any


@dataclass(frozen=True)
class Wishes:
    """The arguments of `convert`; see there."""

    scenes: Choice
    levels: int | None
    plane: Mapping[str, int] | None
    compression: Any
    dtype: Any
    zarr: dict[str, Any]
    overwrite: bool
    resume: bool
    workers: int | None
    progress: Progress
    source_options: Mapping[str, Any] | None
    dest_options: Mapping[str, Any] | None
    dry_run: bool
    parts: Parts | None
    on_error: OnError
    stored_resolution: bool


def check_wishes(given: Format, wanted: Format, wishes: Wishes) -> None:
    """Refuse what the target knows nothing of, so that no wish is passed over in silence."""
    is_zarr, is_new_czi = wanted is Format.OME_ZARR, wanted is Format.CZI is not given
    fits = {
        "= and ".join(wishes.zarr): (bool(wishes.zarr), is_zarr),
        "resume": (wishes.resume, is_zarr),
        "plane": (wishes.plane is not None, wanted is Format.PICTURE),
        "dtype": (wishes.dtype is not None, is_new_czi),
        "levels": (
            wishes.levels is not None,
            wanted in (Format.OME_ZARR, Format.OME_TIFF) or is_new_czi,
        ),
        "stored_resolution": (
            wishes.stored_resolution,
            given is Format.CZI is not wanted,
        ),
        "on_error": (leaves_blank(wishes.on_error), given is Format.CZI),
        "parts": (wishes.parts is not None, given is Format.CZI),
        "compression": (wishes.compression is not None, wanted is not Format.PICTURE),
    }
    for what, (is_given, is_known) in fits.items():
        if is_given and not is_known:
            raise ValueError(
                f"{what}= cannot be used to convert {_named(given)} to {_named(wanted)}"
            )
    if wishes.levels is not None and wishes.levels < 1:
        raise ValueError(f"levels is {wishes.levels}, but an image has at least one")


def _named(form: Format) -> str:
    return "a picture" if form is Format.PICTURE else form.value
